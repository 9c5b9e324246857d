import { CheckpointError } from '../../base/errors.ts';
import { describe } from '../../base/show.ts';
import { isObject } from '../json.ts';

/** Components within components, such as a Sequence of Sequences; tokenizers' own reader stops here as well. */
export const MAX_DEPTH = 100;

/** A JSON object of a tokenizer file, whose fields are read by kind. Each of its errors names file, field and value. */
export class Part {
  readonly file: string;
  /** Where in the file: `pre_tokenizer.pretokenizers[0]`. */
  readonly path: string;
  private readonly json: Record<string, unknown>;
  private readonly depth: number;

  constructor(file: string, path: string, json: unknown, depth = 0) {
    this.file = file;
    this.path = path;
    this.depth = depth;
    if (!isObject(json))
      throw new CheckpointError(
        file,
        `${path} cannot be used: it is ${describe(json)}, an object belongs there`,
      );
    if (depth > MAX_DEPTH) throw new CheckpointError(file, `${path} is nested more than ${MAX_DEPTH} deep`);
    this.json = json;
  }

  get type(): string {
    return this.string('type');
  }

  string(key: string, fallback?: string): string {
    return this.read(key, fallback, 'a string', (value) => typeof value === 'string');
  }

  character(key: string): string {
    const one = (value: unknown) => typeof value === 'string' && [...value].length === 1;
    return this.read<string>(key, undefined, 'one character', one);
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.read(key, fallback, 'true or false', (value) => typeof value === 'boolean');
  }

  /** A whole number that 32 bits hold. */
  count(key: string, fallback?: number): number {
    return this.read(key, fallback, 'a whole number from 0 on', isId);
  }

  /** One of `names`. */
  choice<T extends string>(key: string, names: readonly T[], fallback?: T): T {
    return this.read(key, fallback, `one of ${names.join(', ')}`, (value) => names.includes(value as T));
  }

  /** undefined for null and for nothing. */
  optional(key: string): Part | undefined {
    return (this.json[key] ?? undefined) === undefined ? undefined : this.part(key);
  }

  part(key: string): Part {
    return new Part(this.file, this.name(key), this.json[key], this.depth + 1);
  }

  list(key: string): unknown[] {
    const value = this.value(key);
    if (Array.isArray(value)) return value;
    throw new CheckpointError(this.file, `${this.name(key)} is not a list and cannot be used`);
  }

  parts(key: string): Part[] {
    return this.list(key).map(
      (each, i) => new Part(this.file, `${this.name(key)}[${i}]`, each, this.depth + 1),
    );
  }

  /** As it stands; undefined where there is none. */
  value(key: string): unknown {
    return this.has(key) ? this.json[key] : undefined;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.json, key);
  }

  entries(): [string, unknown][] {
    return Object.entries(this.json);
  }

  /** The error that this component cannot be had as asked for. */
  refusal(reason: string, cause?: unknown): CheckpointError {
    return new CheckpointError(this.file, `${this.path} cannot be used: it ${reason}`, { cause });
  }

  private read<T>(key: string, fallback: T | undefined, what: string, fits: (value: unknown) => boolean): T {
    // Not what Object.prototype has of that name.
    const value = this.value(key);
    if (value === undefined && fallback !== undefined) return fallback;
    if (fits(value)) return value as T;
    throw new CheckpointError(
      this.file,
      `${this.name(key)} cannot be used: it is ${describe(value)}, ${what} belongs there`,
    );
  }

  private name(key: string): string {
    return this.path ? `${this.path}.${key}` : key;
  }
}

export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}
