import * as v from 'valibot';
import { describe } from '../base/show.ts';
import { isObject } from '../checkpoint/json.ts';
import { Refusal } from './refusal.ts';

/** A field that gives a value, and one that may be left out or be null, as at OpenAI. */
// biome-ignore lint/suspicious/noExplicitAny: any value comes in
type Field<T> = v.GenericSchema<any, T>;
type Optional<T> = v.NullishSchema<Field<T>, undefined>;

/** The message of a field with a wrong value: what it is, and what belongs there. */
export function says(expected: string): (issue: { readonly input: unknown }) => string {
  return ({ input }) => `is ${describe(input)}: ${expected}`;
}

export function optional<T>(schema: Field<T>): Optional<T> {
  return v.nullish(schema);
}

function real(least: number, most: number): Field<number> {
  const message = says(`a number from ${least} to ${most}`);
  return v.pipe(v.number(message), v.minValue(least, message), v.maxValue(most, message));
}

export function whole(
  least: number,
  most: number,
  text = `a whole number from ${least} to ${most}`,
): Field<number> {
  const message = says(text);
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

export const text: Field<string> = v.string(says('a text'));
export const flag: Field<boolean> = v.boolean(says('true or false'));

const object: Field<Record<string, unknown>> = v.custom<Record<string, unknown>>(isObject, says('an object'));

/** An object of these fields and no others. */
export function fields<const Entries extends v.ObjectEntries>(
  entries: Entries,
): Field<v.InferOutput<v.StrictObjectSchema<Entries, undefined>>> {
  return v.pipe(
    object,
    v.strictObject(entries, ({ expected }) =>
      expected === 'never' ? 'is no field of this request' : 'is missing',
    ),
  );
}

/** A field of OpenAI's that is not computed here: only the values with which it changes nothing, of which '{}' and '[]' are empty ones. */
export function neutral(...values: readonly (string | number | boolean)[]): Optional<unknown> {
  return optional(
    v.custom<unknown>((value) => {
      if (Array.isArray(value)) return value.length === 0 && values.includes('[]');
      if (typeof value === 'object')
        return Object.keys(value as object).length === 0 && values.includes('{}');
      return values.includes(value as string);
    }, says('it is not supported here; leave it out')),
  );
}

/** A field that does not change the answer, whatever it is. */
export const ignored: Optional<unknown> = optional(v.unknown());

/** OpenAI's bound is 4; harnesses for base models send more. */
const MOST_STOPS = 16;
const LONGEST_STOP = 1000;
const stopText: Field<string> = v.pipe(
  text,
  v.minLength(1, says('a stop string has at least one character')),
  v.maxLength(LONGEST_STOP, ({ input }) => `has ${input.length} characters: at most ${LONGEST_STOP}`),
);
/** How answers are drawn. */
export const DRAWING: {
  readonly temperature: Optional<number>;
  readonly top_p: Optional<number>;
  readonly seed: Optional<number>;
  readonly stop: Optional<string | string[]>;
  /** What OpenAI does not have; its keys are looked at by themselves. */
  readonly egps: Optional<Record<string, unknown>>;
} = {
  temperature: optional(real(0, 2)),
  top_p: optional(real(0, 1)),
  seed: optional(
    whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'a whole number between −2^53 and 2^53'),
  ),
  stop: optional(
    v.union(
      [
        stopText,
        v.pipe(
          v.array(stopText),
          v.maxLength(MOST_STOPS, ({ input }) => `has ${input.length} texts: at most ${MOST_STOPS}`),
        ),
      ],
      says(`a text, or at most ${MOST_STOPS} of them`),
    ),
  ),
  egps: optional(object),
};

/** Of completions and of chats. */
export const COMMON: typeof DRAWING & {
  readonly model: Field<string>;
  readonly n: Optional<number>;
  readonly stream: Optional<boolean>;
  readonly stream_options: Optional<{ include_usage?: boolean | null; include_obfuscation?: unknown }>;
  readonly frequency_penalty: Optional<unknown>;
  readonly presence_penalty: Optional<unknown>;
  readonly logit_bias: Optional<unknown>;
  readonly user: Optional<unknown>;
} = {
  ...DRAWING,
  model: text,
  n: optional(whole(1, 128)),
  stream: optional(flag),
  stream_options: optional(fields({ include_usage: optional(flag), include_obfuscation: neutral(false) })),
  frequency_penalty: neutral(0),
  presence_penalty: neutral(0),
  logit_bias: neutral('{}'),
  user: ignored,
};

/** Reads a request. @throws Refusal naming the first field that is wrong */
export function read<T>(schema: Field<T>, json: unknown): T {
  const { success, output, issues } = v.safeParse(schema, json, {
    abortEarly: true,
  });
  if (success) return output;
  const [issue] = issues;
  const param = pathOf(issue);
  if (param === null) throw new Refusal(400, 'option', `the body ${issue.message}`);
  if (issue.type === 'strict_object' && issue.expected === 'never')
    throw new Refusal(400, 'unknown-field', `${param} ${issue.message}`, { param });
  throw new Refusal(
    400,
    issue.input === undefined ? 'missing-field' : 'option',
    `${param} ${issue.message}`,
    { param },
  );
}

function pathOf({ path }: v.BaseIssue<unknown>): string | null {
  if (!path) return null;
  return path
    .map(({ key }, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`))
    .join('')
    .slice(0, 200);
}
