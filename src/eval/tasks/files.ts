import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { CsvError, parse } from 'csv-parse/sync';
import { DataError } from '../../base/errors.ts';
import { describe } from '../../base/show.ts';
import { isObject } from '../../checkpoint/json.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with one record of a file, in a message that leaves open where it stands. */
export class Fault extends Error {}

/** One record of a file: an object, a line of JSON, a row below a header. */
export interface DataRecord {
  /** From 0, bad ones counted. */
  readonly index: number;
  /** From 1, the record's first; undefined in a JSON array. */
  readonly line?: number;
  readonly fields: Fields | Fault;
}

/** What a file holds; of gzip, as its first bytes tell, what is packed in it. @throws DataError the file cannot be read or unpacked */
export async function readBytes(file: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new DataError(file, `cannot be read: ${(error as Error).message}`, undefined, { cause: error });
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (error) {
    const why = `is gzip that cannot be unpacked: ${(error as Error).message}`;
    throw new DataError(file, why, undefined, { cause: error });
  }
}

/** First character that is not white space; '' where there is none. */
export function firstCharacter(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trimStart().slice(0, 1);
}

/** An array of objects. @throws DataError not UTF-8, not JSON or not an array */
export function jsonArray(file: string, bytes: Uint8Array): DataRecord[] {
  const text = wholeText(file, bytes);
  const value = attempt(() => parseJson(text));
  if (value instanceof Fault) throw new DataError(file, value.message, undefined, { cause: value.cause });
  if (!Array.isArray(value)) throw new DataError(file, `is ${describe(value)}, expected an array of objects`);
  return value.map((entry, index) => ({ index, fields: attempt(() => object(entry)) }));
}

/** Lines of one object each; blank ones do not count. */
export function jsonLines(bytes: Uint8Array): DataRecord[] {
  const records: DataRecord[] = [];
  for (const { line, text } of lines(bytes)) {
    if (text instanceof Fault) records.push({ index: records.length, line, fields: text });
    else if (text.trim() !== '')
      records.push({ index: records.length, line, fields: attempt(() => object(parseJson(text))) });
  }
  return records;
}

/**
 * Comma-separated values below a header that names them; blank lines do not count.
 * @throws DataError not UTF-8, or a quotation mark where none may be, after which it is unsure where rows begin
 */
export function csvRows(file: string, bytes: Uint8Array): DataRecord[] {
  const source = new TextEncoder().encode(wholeText(file, bytes));
  const rows: { row: string[]; line: number }[] = [];
  // csv-parse's own count of lines takes \r\n between quotation marks for two.
  let at = 0;
  let line = 1;
  const advance = (end: number) => {
    for (; at < end; at++) if (source[at] === 0x0a) line++;
  };
  const firstLine = () => {
    while (source[at] === 0x0a || source[at] === 0x0d) advance(at + 1);
    return line;
  };
  try {
    parse(source, {
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: (row: string[], { bytes }) => {
        rows.push({ row, line: firstLine() });
        advance(bytes);
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DataError(
      file,
      `the row is not CSV: ${error.message.replace(/ at line \d+/, '')}`,
      firstLine(),
      { cause: error },
    );
  }
  const [header, ...rest] = rows;
  return rest.map(({ row, line }, index) => {
    const fields =
      row.length === header.row.length
        ? Object.fromEntries(row.map((value, i) => [header.row[i], value]))
        : new Fault(`the row has ${row.length} values, the header ${header.row.length}`);
    return { index, line, fields };
  });
}

/**
 * The string of the first of these fields that is there.
 * @throws Fault none is there, or it is no string, or a blank one
 */
export function text(fields: Fields, ...names: string[]): string {
  const name = present(fields, names);
  const value = fields[name];
  if (typeof value !== 'string' || value.trim() === '')
    throw new Fault(
      `the field ${JSON.stringify(name)} is ${describe(value)}, expected a string that is not blank`,
    );
  return value;
}

/**
 * An answer as `text`, or a number as JSON writes it.
 * @throws Fault as `text` does, and for a whole number that may have lost digits
 */
export function answer(fields: Fields, ...names: string[]): string {
  const name = present(fields, names);
  const value = fields[name];
  if (typeof value !== 'number') return text(fields, name);
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new Fault(
      `the field ${JSON.stringify(name)} is ${value}, more than a number of JSON surely holds: write it as a string`,
    );
  return String(value);
}

/** The id of a record, a string or a number, in the first of these fields that is there. @throws Fault as `text` does */
export function identity(fields: Fields, ...names: string[]): string {
  const name = present(fields, names);
  const value = fields[name];
  if (!(typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')))
    throw new Fault(
      `the field ${JSON.stringify(name)} is ${describe(value)}, expected a number or a string that is not blank`,
    );
  return String(value);
}

function present(fields: Fields, names: readonly string[]): string {
  const name = names.find((name) => Object.hasOwn(fields, name));
  if (name === undefined)
    throw new Fault(`the field ${names.map((name) => JSON.stringify(name)).join(' or ')} is missing`);
  return name;
}

function attempt<T>(run: () => T): T | Fault {
  try {
    return run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault(`is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function object(value: unknown): Fields {
  if (!isObject(value)) throw new Fault(`is ${describe(value)}, expected an object`);
  return value;
}

function wholeText(file: string, bytes: Uint8Array): string {
  const text = decode(bytes);
  if (!(text instanceof Fault)) return text;
  const bad = [...lines(bytes)].find(({ text }) => text instanceof Fault);
  throw new DataError(file, text.message, bad?.line, { cause: text.cause });
}

function* lines(bytes: Uint8Array): Generator<{ line: number; text: string | Fault }> {
  for (let begin = 0, line = 1; begin < bytes.length; line++) {
    const found = bytes.indexOf(0x0a, begin);
    const end = found < 0 ? bytes.length : found;
    yield { line, text: decode(bytes.subarray(begin, end)) };
    begin = end + 1;
  }
}

/** A byte order mark is left out. */
function decode(bytes: Uint8Array): string | Fault {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return new Fault('is not UTF-8', { cause: error });
  }
}
