import { describe } from '../base/show.ts';
import { isObject } from '../checkpoint/json.ts';

/** Says what is wrong with a value, beginning with where in it that is; undefined where nothing is. */
export type Check = (value: unknown) => string | undefined;

/** A check of every field of T. */
export type Shape<T> = { readonly [K in keyof Required<T>]: Check };

const expecting =
  (what: string, isRight: (value: unknown) => boolean): Check =>
  (value) =>
    isRight(value) ? undefined : ` is ${describe(value)}: ${what} is expected`;

export const text: Check = expecting('a string', (value) => typeof value === 'string');

export const oneOf = (...values: readonly unknown[]): Check =>
  expecting(values.map((value) => JSON.stringify(value)).join(' or '), (value) => values.includes(value));

export const whole = (least = 0): Check =>
  expecting(
    `a whole number from ${least}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least,
  );

export const number = (least: number, most: number): Check =>
  expecting(
    `a number from ${least} to ${most}`,
    (value) => Number.isFinite(value) && (value as number) >= least && (value as number) <= most,
  );

export const matching = (what: string, pattern: RegExp): Check =>
  expecting(what, (value) => typeof value === 'string' && pattern.test(value));

export const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? undefined : check(value);

export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value);

/** @param least of how many; @param keyOf no two have the same */
export function list(check: Check, least = 0, keyOf?: (one: never) => unknown): Check {
  return (value) => {
    if (!Array.isArray(value)) return ` is ${describe(value)}: an array is expected`;
    if (value.length < least) return ` has ${value.length} entries: at least ${least}`;
    const seen = new Set<unknown>();
    for (const [i, one] of value.entries()) {
      const problem = check(one);
      if (problem) return `[${i}]${problem}`;
      const key = keyOf?.(one as never);
      if (keyOf && seen.has(key)) return ` has ${describe(key)} twice`;
      seen.add(key);
    }
    return undefined;
  };
}

/** An object with values of one kind. */
export const table =
  (check: Check): Check =>
  (value) => {
    if (!isObject(value)) return ` is ${describe(value)}: an object is expected`;
    for (const [key, one] of Object.entries(value)) {
      const problem = check(one);
      if (problem) return `.${key}${problem}`;
    }
    return undefined;
  };

/** @param exact allows no other keys */
export function object<T>(shape: Shape<T>, exact = false): Check {
  const checks = Object.entries<Check>(shape);
  return (value) => {
    if (!isObject(value)) return ` is ${describe(value)}: an object is expected`;
    for (const [key, check] of checks) {
      const problem = check(Object.hasOwn(value, key) ? value[key] : undefined);
      if (problem) return `.${key}${problem}`;
    }
    const other = exact ? Object.keys(value).find((key) => !Object.hasOwn(shape as object, key)) : undefined;
    return other === undefined ? undefined : `.${other.slice(0, 60)} is not known`;
  };
}
