import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ifPresent } from '../checkpoint/json.ts';
import { DataError, OutputError } from '../errors.ts';
import type { Pick as PickName } from '../sampling/sample.ts';
import type { Item } from './item.ts';
import { FolderLock } from './lock.ts';
import { distinct, type Result, type Timing } from './result.ts';
import type { Shard } from './shard.ts';

/** What determines the results of a run; run.json. Two runs with equal plans have equal results. */
export interface Plan {
  /** Version of this program. */
  readonly egps: string;
  readonly task: string;
  /** SHA-256 of the task's file. */
  readonly data?: string;
  /** Name of the model's folder, and a digest of what is in it. */
  readonly model: string;
  readonly modelDigest: string;
  readonly promptStyle: string;
  /** As on the command line, with the options resolved. */
  readonly samplers: readonly {
    readonly sampler: string;
    readonly options: Readonly<Record<string, unknown>>;
    /** The sampler whose chain this one is read off; itself where it has one of its own. */
    readonly chain: string;
    /** Responses of a chain that are graded. */
    readonly picks: readonly PickName[];
  }[];
  readonly seed: string;
  /** Chains an item and sampler. */
  readonly samples: number;
  readonly limit?: number;
  /** Lines of the file that were left out. */
  readonly skippedLines: number;
  readonly shard?: Shard;
  /** Ids of all items, of every shard. */
  readonly items: readonly string[];
}

/** A process that has worked on a run: a line of sessions.jsonl. */
export interface Session {
  /** As in its timings. */
  readonly process: string;
  readonly adapter: string;
  /** Most chains side by side, on which costs depend. */
  readonly concurrency: number;
  readonly versions: Readonly<Record<string, string>>;
}

export const RESULTS = 'results.jsonl';
export const TIMINGS = 'timings.jsonl';
export const SESSIONS = 'sessions.jsonl';
export const PLAN = 'run.json';
export const ITEMS = 'items.json';

/** What a run has on record. */
export interface RunRecord {
  readonly results: readonly Result[];
  readonly timings: readonly Timing[];
  readonly sessions: readonly Session[];
}

/** The folder of a run, held by this process alone. When `add` has returned, its results are on the disk. */
export class RunFolder {
  readonly path: string;
  /** Aborted when another process has taken the folder. */
  readonly lost: AbortSignal;
  private readonly lock: FolderLock;
  private readonly results: Lines;
  private readonly timings: Lines;
  private readonly sessions: Lines;

  private constructor(path: string, lock: FolderLock, [results, timings, sessions]: Lines[]) {
    this.path = path;
    this.lock = lock;
    this.lost = lock.lost;
    this.results = results;
    this.timings = timings;
    this.sessions = sessions;
  }

  /**
   * Opens the folder, which is made if it is not there, for a run that is to begin or to go on.
   * @param items those of this shard, kept for the report
   * @throws OutputError where it cannot be written to, is in use, or holds the results of another run; DataError for results that
   * cannot be read
   */
  static async open(path: string, plan: Plan, items: readonly Item[]): Promise<RunFolder> {
    await writing(path, () => mkdir(path, { recursive: true }));
    const lock = await writing(path, () => FolderLock.acquire(path));
    const opened: Lines[] = [];
    try {
      const before = await readPlan(path);
      if (before) checkSame(path, before, plan);
      for (const name of [RESULTS, TIMINGS, SESSIONS])
        opened.push(await writing(path, () => Lines.open(join(path, name), name !== RESULTS)));
      const [results] = opened;
      if (!before && results.found.length > 0) {
        throw new OutputError(
          path,
          `${RESULTS} has ${results.found.length} results, but there is no ${PLAN} to say of what`,
        );
      }
      if (!before) {
        // The plan comes last: where it stands, the rest does.
        await writing(path, () =>
          replaceFile(join(path, ITEMS), `${JSON.stringify(items, null, 1)}\n`, true),
        );
        await writing(path, () => replaceFile(join(path, PLAN), `${JSON.stringify(plan, null, 1)}\n`, true));
      }
      return new RunFolder(path, lock, opened);
    } catch (error) {
      for (const lines of opened) await lines.close();
      await lock.release();
      throw error;
    }
  }

  /** @throws OutputError; what was added before is safe */
  async add(results: readonly Result[], timings: readonly Timing[]): Promise<void> {
    // First, so that a result on record has its costs beside it.
    await writing(this.path, () => this.timings.append(timings, false));
    await writing(this.path, () => this.results.append(results, true));
  }

  /** Says who is at work from now on. */
  async begin(session: Session): Promise<void> {
    await writing(this.path, () => this.sessions.append([session], false));
  }

  /** What is there now, each result once. */
  record(): RunRecord {
    return {
      results: distinct(this.results.found as Result[]),
      timings: distinct(this.timings.found as Timing[]),
      sessions: this.sessions.found as Session[],
    };
  }

  /** Writes another file of the run, whole or not at all. `name` may have folders in it. */
  async write(name: string, text: string): Promise<void> {
    await writing(this.path, () => replaceFile(join(this.path, name), text));
  }

  async close(): Promise<void> {
    for (const lines of [this.results, this.timings, this.sessions]) await lines.close();
    await this.lock.release();
  }
}

/** What a folder has on record, read without holding it. @throws DataError */
export async function readRecord(path: string): Promise<RunRecord> {
  const [results, timings, sessions] = await Promise.all(
    [RESULTS, TIMINGS, SESSIONS].map(async (name) => {
      const file = join(path, name);
      const bytes = await readFile(file).catch((error: Error) => {
        throw new DataError(file, error.message);
      });
      return parseLines(file, bytes, name !== RESULTS).values;
    }),
  );
  return {
    results: distinct(results as Result[]),
    timings: distinct(timings as Timing[]),
    sessions: sessions as Session[],
  };
}

/** undefined where there is none. @throws DataError */
export async function readPlan(path: string): Promise<Plan | undefined> {
  return readJson(join(path, PLAN)) as Promise<Plan | undefined>;
}

/** @throws DataError */
export async function readItems(path: string): Promise<Item[]> {
  const items = await readJson(join(path, ITEMS));
  if (!items) throw new DataError(join(path, ITEMS), 'is not there');
  return items as Item[];
}

async function readJson(file: string): Promise<unknown> {
  const text = await ifPresent(readFile(file, 'utf8')).catch((error: Error) => {
    throw new DataError(file, error.message);
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(file, (error as Error).message);
  }
}

/** @throws OutputError saying what differs */
function checkSame(path: string, before: Plan, now: Plan): void {
  const found = differences(before, now);
  if (found.length === 0) return;
  throw new OutputError(
    path,
    `has results of another run, where ${found.join(', ')}; another --out keeps them apart`,
  );
}

/** In words. */
export function differences(before: Plan, now: Plan): string[] {
  const show = (value: unknown) => {
    const text = JSON.stringify(value) ?? 'not given';
    return text.length > 60 ? `${text.slice(0, 57)}…` : text;
  };
  const found: string[] = [];
  for (const name of Object.keys({ ...before, ...now }) as (keyof Plan)[]) {
    if (JSON.stringify(before[name]) === JSON.stringify(now[name])) continue;
    if (name === 'samplers') {
      const [old, current] = [before, now].map(({ samplers }) =>
        samplers.map(({ sampler }) => sampler).join(','),
      );
      if (old !== current) found.push(`samplers was ${old}, is ${current}`);
      for (const { sampler, options, picks } of now.samplers) {
        const other = before.samplers.find((each) => each.sampler === sampler);
        if (!other) continue;
        const [old, current]: Record<string, unknown>[] = [
          { ...other.options, picks: other.picks },
          { ...options, picks },
        ];
        for (const option of Object.keys({ ...old, ...current })) {
          const [was, is] = [old[option], current[option]].map(show);
          if (was !== is) found.push(`${option} of ${sampler} was ${was}, is ${is}`);
        }
      }
      if (found.length === 0) found.push('the samplers were read off other chains');
    } else if (name === 'items') {
      found.push(`the items were others (${before.items.length}, now ${now.items.length})`);
    } else {
      found.push(`${name} was ${show(before[name])}, is ${show(now[name])}`);
    }
  }
  return found;
}

/** Lines that are written at a time; a string has a largest length. */
const CHUNK = 1000;

/** A file of JSON lines that only grows. A last line that was cut off, as by a power failure, is removed. */
class Lines {
  readonly found: unknown[];
  private readonly file: FileHandle;
  private end: number;
  private queue: Promise<unknown> = Promise.resolve();
  /** Why nothing more can be written: what came behind half a line would be lost with it. */
  private broken: unknown;

  private constructor(file: FileHandle, found: unknown[], end: number) {
    this.file = file;
    this.found = found;
    this.end = end;
  }

  static async open(path: string, lenient: boolean): Promise<Lines> {
    const file = await open(path, 'a+');
    try {
      const { values, end } = parseLines(path, await file.readFile(), lenient);
      const { size } = await file.stat();
      if (end < size) await file.truncate(end);
      return new Lines(file, values, end);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** One call at a time; where it fails, nothing that was not whole is left. */
  append(values: readonly unknown[], flush: boolean): Promise<void> {
    const turn = this.queue.then(async () => {
      for (let i = 0; i < values.length; i += CHUNK) await this.write(values.slice(i, i + CHUNK), flush);
    });
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async write(values: readonly unknown[], flush: boolean): Promise<void> {
    if (this.broken) throw this.broken;
    const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    try {
      await this.file.writeFile(bytes);
      if (flush) await this.file.datasync();
    } catch (error) {
      await this.file.truncate(this.end).catch(() => {
        this.broken = error;
      });
      throw error;
    }
    this.end += bytes.length;
    for (const value of values) this.found.push(value);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/**
 * @param lenient leaves out lines that are broken
 * @returns the values, and the bytes that the whole lines take
 * @throws DataError
 */
function parseLines(path: string, bytes: Buffer, lenient: boolean): { values: unknown[]; end: number } {
  const values: unknown[] = [];
  let begin = 0;
  for (let line = 1; begin < bytes.length; line++) {
    const end = bytes.indexOf(10, begin);
    if (end < 0) break;
    try {
      values.push(JSON.parse(bytes.toString('utf8', begin, end)));
    } catch (error) {
      if (end + 1 === bytes.length) break;
      if (!lenient) throw new DataError(path, (error as Error).message, line);
    }
    begin = end + 1;
  }
  return { values, end: begin };
}

/**
 * So that a reader sees the old file or the new one.
 * @param flush so even after the power has failed
 */
async function replaceFile(path: string, text: string, flush = false): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(`${path}.new`, 'w');
    try {
      await file.writeFile(text);
      if (flush) await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  } catch (error) {
    await rm(`${path}.new`, { force: true });
    throw error;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'a file has reached the largest size allowed',
  EACCES: 'cannot be written to: permission denied',
  EPERM: 'cannot be written to: permission denied',
  EROFS: 'cannot be written to: the file system is read-only',
  ENOTDIR: 'is not a folder',
  EEXIST: 'is not a folder',
};

/** @throws OutputError in place of the system's errors */
async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reason = REASONS[code] ?? message;
    const safe = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)
      ? '; finished results are safe, make room and start again'
      : '';
    throw new OutputError(path, `${reason}${safe}`);
  }
}
