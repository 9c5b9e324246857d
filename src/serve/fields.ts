import * as v from 'valibot';
import { describe } from '../base/show.ts';
import { Refusal } from './refusal.ts';

/** The message of a field with a wrong value: what it is, and what belongs there. */
export const says =
  (expected: string) =>
  ({ input }: { readonly input: unknown }): string =>
    `is ${describe(input)}: ${expected}`;

/** `null` stands for a field that is left out, as at OpenAI. */
export const optional = <const Schema extends v.GenericSchema>(schema: Schema) => v.nullish(schema);

const real = (least: number, most: number) => {
  const message = says(`a number from ${least} to ${most}`);
  return v.pipe(v.number(message), v.minValue(least, message), v.maxValue(most, message));
};

export const whole = (least: number, most: number, text = `a whole number from ${least} to ${most}`) => {
  const message = says(text);
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
};

export const text = v.string(says('a text'));
export const flag = v.boolean(says('true or false'));

/** A field of OpenAI's that is not computed here: only the values with which it changes nothing. */
export const neutral = (...values: readonly (string | number | boolean | '{}' | '[]')[]) =>
  optional(
    v.custom<unknown>((value) => {
      if (Array.isArray(value)) return value.length === 0 && values.includes('[]');
      if (typeof value === 'object')
        return Object.keys(value as object).length === 0 && values.includes('{}');
      return values.includes(value as string);
    }, says('it is not supported here; leave it out')),
  );

/** A field that does not change the answer, whatever it is. */
export const ignored = v.optional(v.unknown());

/** OpenAI's bound is 4; harnesses for base models send more. */
const MOST_STOPS = 16;
const LONGEST_STOP = 1000;
const stopText = v.pipe(
  text,
  v.minLength(1, says('a stop string has at least one character')),
  v.maxLength(LONGEST_STOP, ({ input }) => `has ${input.length} characters: at most ${LONGEST_STOP}`),
);
/** How answers are drawn. */
export const DRAWING = {
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
  /** What OpenAI does not have; its keys are looked at by themselves. */
  egps: optional(v.record(v.string(), v.unknown(), objectSays)),
};

/** Of completions and of chats. */
export const COMMON = {
  ...DRAWING,
  model: text,
  n: optional(whole(1, 128)),
  stream: optional(flag),
  stream_options: optional(
    v.strictObject({ include_usage: optional(flag), include_obfuscation: neutral(false) }, objectSays),
  ),
  frequency_penalty: neutral(0),
  presence_penalty: neutral(0),
  logit_bias: neutral('{}'),
  user: ignored,
};

/** The message of an object with a wrong key, or of what should be one. */
export function objectSays({ input, expected }: { input: unknown; expected: string | null }): string {
  if (expected === 'never') return 'is no field of this request';
  return expected === 'Object' ? `is ${describe(input)}: an object is expected` : 'is missing';
}

/** Reads a request. @throws Refusal naming the first field that is wrong */
export function read<const Schema extends v.GenericSchema>(
  schema: Schema,
  json: unknown,
): v.InferOutput<Schema> {
  const { success, output, issues } = v.safeParse(schema, Array.isArray(json) ? null : json, {
    abortEarly: true,
  });
  if (success) return output;
  const [issue] = issues;
  const param = pathOf(issue);
  if (param === null) throw new Refusal(400, 'invalid_type', `the body ${issue.message}`);
  if (issue.type === 'strict_object' && issue.expected === 'never')
    throw new Refusal(400, 'unknown_field', `${param} ${issue.message}`, { param });
  throw new Refusal(
    400,
    issue.input === undefined ? 'missing_field' : 'invalid_value',
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
