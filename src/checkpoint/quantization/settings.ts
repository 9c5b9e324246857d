import { CheckpointError, UnsupportedModelError } from '../../base/errors.ts';
import { show } from '../../base/show.ts';
import { isObject } from '../json.ts';
import { INT32_MAX, isCount } from '../ranges.ts';

/** An object of a configuration, whose keys are read with their kinds checked. null and absence are the same. */
export class Settings {
  readonly file: string;
  /** Where it stands, as in `quantization_config.config_groups.group_0`. */
  readonly path: string;
  private readonly json: Record<string, unknown>;

  /** @throws CheckpointError it is no object */
  constructor(file: string, path: string, json: unknown) {
    if (!isObject(json)) throw new CheckpointError(file, `${path} is ${show(json)}: an object`);
    this.file = file;
    this.path = path;
    this.json = json;
  }

  isNull(key: string): boolean {
    return Object.hasOwn(this.json, key) && this.json[key] === null;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  keys(): string[] {
    return Object.keys(this.json);
  }

  /** Of the object's own keys. */
  get(key: string): unknown {
    return Object.hasOwn(this.json, key) ? (this.json[key] ?? undefined) : undefined;
  }

  wrong(key: string, allowed: string): CheckpointError {
    return new CheckpointError(
      this.file,
      `${this.path}.${key} is ${show(this.get(key) ?? null)}: ${allowed}`,
    );
  }

  unsupported(key: string, supported: string): UnsupportedModelError {
    return new UnsupportedModelError(`${this.path}.${key}`, this.get(key) ?? null, supported);
  }

  /** @throws CheckpointError, UnsupportedModelError */
  oneOf<T extends string | number | boolean>(key: string, allowed: readonly T[], otherwise?: T): T {
    const value = this.get(key) ?? otherwise;
    const found = allowed.find((each) => each === (typeof value === 'string' ? value.toLowerCase() : value));
    if (found === undefined) throw this.unsupported(key, allowed.map((each) => show(each)).join(' or '));
    return found;
  }

  /** What may only be absent, or this. @throws UnsupportedModelError */
  fixed(key: string, value: unknown): void {
    const found = this.get(key);
    if (found !== undefined && found !== value)
      throw this.unsupported(key, value === null ? 'none' : show(value));
  }

  /** @throws CheckpointError */
  flag(key: string, otherwise: boolean): boolean {
    const value = this.get(key) ?? otherwise;
    if (typeof value !== 'boolean') throw this.wrong(key, 'true or false');
    return value;
  }

  /** @throws CheckpointError */
  size(key: string, otherwise?: number): number {
    const value = this.get(key) ?? otherwise;
    if (!isCount(value) || value === 0) throw this.wrong(key, `a whole number from 1 to ${INT32_MAX}`);
    return value;
  }

  /** Columns of a group; undefined for -1, a whole row. @throws CheckpointError */
  groupSize(key: string, otherwise?: number): number | undefined {
    return this.get(key) === -1 ? undefined : this.size(key, otherwise);
  }

  /** @throws CheckpointError */
  names(key: string): readonly string[] {
    const value = this.get(key) ?? [];
    if (!Array.isArray(value) || !value.every((name) => typeof name === 'string'))
      throw this.wrong(key, 'a list of names');
    return value;
  }

  /** An object within; undefined where there is none. @throws CheckpointError */
  inner(key: string): Settings | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : new Settings(this.file, `${this.path}.${key}`, value);
  }
}
