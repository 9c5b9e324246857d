import { type FileHandle, open, stat } from 'node:fs/promises';
import { DataError, OutputError } from '../base/errors.ts';
import { isFile, readIfPresent, utf8 } from './files.ts';

/** What the lines of a file are. */
export interface Kind<T> {
  /** Says what is wrong with a line. */
  check(value: unknown, line: number): string | undefined;
  /** Of lines with the same key the first counts. */
  keyOf?(value: T): string;
  /** Lines are not flushed: of a block that the power failure took there are zeros, and such lines are left out. */
  readonly unflushed?: boolean;
}

/** Lines that are written at a time; a string has a largest length. */
const CHUNK = 1000;

/** A file of JSON lines that only grows. A last line that was cut off, as by a power failure, is removed. */
export class Lines<T> {
  /** No two with the same key. */
  readonly found: T[];
  private readonly path: string;
  private readonly kind: Kind<T>;
  private readonly file: FileHandle;
  private readonly keys: Set<string>;
  private end: number;
  private queue: Promise<unknown> = Promise.resolve();
  /** Why nothing more can be written: what came behind half a line would be lost with it. */
  private broken: unknown;

  private constructor(path: string, kind: Kind<T>, file: FileHandle, { values, end, keys }: Parsed<T>) {
    this.path = path;
    this.kind = kind;
    this.file = file;
    this.found = values;
    this.keys = keys;
    this.end = end;
  }

  /** @throws DataError for lines that are none of the kind */
  static async open<T>(path: string, kind: Kind<T>): Promise<Lines<T>> {
    await isFile(path);
    const file = await open(path, 'a+');
    try {
      const parsed = parseLines(path, await file.readFile(), kind);
      const { size } = await file.stat();
      if (parsed.end < size) await file.truncate(parsed.end);
      return new Lines(path, kind, file, parsed);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** One call at a time; where it fails, nothing that was not whole is left. Values whose keys are there are left out. */
  append(values: readonly T[], flush: boolean): Promise<void> {
    const turn = this.queue.then(async () => {
      for (let i = 0; i < values.length; i += CHUNK) await this.write(values.slice(i, i + CHUNK), flush);
    });
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async write(given: readonly T[], flush: boolean): Promise<void> {
    if (this.broken) throw this.broken;
    const { keyOf } = this.kind;
    const keys: string[] = [];
    const values = given.filter((value) => {
      const key = keyOf?.(value);
      if (key === undefined) return true;
      if (this.keys.has(key)) return false;
      this.keys.add(key);
      keys.push(key);
      return true;
    });
    const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    try {
      await this.file.writeFile(bytes);
      if (flush) await this.file.datasync();
      await this.checkThere();
    } catch (error) {
      for (const key of keys) this.keys.delete(key);
      await this.file.truncate(this.end).catch(() => {
        this.broken = error;
      });
      throw error;
    }
    this.end += bytes.length;
    for (const value of values) this.found.push(value);
  }

  /** A file that was removed can still be written to, and all is lost. @throws OutputError */
  private async checkThere(): Promise<void> {
    const [{ dev, ino }, there] = await Promise.all([
      this.file.stat(),
      stat(this.path).catch(() => undefined),
    ]);
    if (there?.dev === dev && there.ino === ino) return;
    throw new OutputError(this.path, 'was removed or replaced while the run was writing to it');
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** The lines that are there, without holding the file. @throws DataError */
export async function readLines<T>(path: string, kind: Kind<T>): Promise<T[]> {
  const bytes = await readIfPresent(path);
  if (!bytes) throw new DataError(path, 'is not there');
  return parseLines(path, bytes, kind).values;
}

interface Parsed<T> {
  readonly values: T[];
  /** Bytes that the whole lines take. */
  readonly end: number;
  readonly keys: Set<string>;
}

/** @throws DataError */
function parseLines<T>(path: string, bytes: Buffer, kind: Kind<T>): Parsed<T> {
  const values: T[] = [];
  const keys = new Set<string>();
  let begin = 0;
  for (let line = 1; begin < bytes.length; line++) {
    const end = bytes.indexOf(10, begin);
    if (end < 0) break;
    const raw = bytes.subarray(begin, end);
    const value = parseLine(path, raw, line);
    if (value instanceof DataError) {
      if (end + 1 === bytes.length) break;
      if (!kind.unflushed || !raw.includes(0)) throw value;
    } else {
      const problem = kind.check(value, line);
      if (problem) throw new DataError(path, `${problem}; without this line the same command goes on`, line);
      const key = kind.keyOf?.(value as T);
      if (key === undefined || !keys.has(key)) values.push(value as T);
      if (key !== undefined) keys.add(key);
    }
    begin = end + 1;
  }
  return { values, end: begin, keys };
}

function parseLine(path: string, raw: Uint8Array, line: number): unknown {
  try {
    return JSON.parse(utf8(path, raw, line));
  } catch (error) {
    if (error instanceof DataError) return error;
    return new DataError(path, (error as Error).message, line, { cause: error });
  }
}
