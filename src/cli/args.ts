import { parseArgs } from 'node:util';
import { OptionError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';

/** One option of a command: how it is read and what its help line says. */
export interface OptionSpec {
  /** Placeholder of the value in the help text; without it the option is a flag. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
}

/** What a command line says: options as they were typed, and the words that belong to no option. */
export interface Parsed {
  /** Values in order; of options that make no sense twice the last one counts. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly flags: ReadonlySet<string>;
  readonly words: readonly string[];
}

/** Options every command understands. */
export const COMMON: Readonly<Record<string, OptionSpec>> = {
  help: { short: 'h', help: 'show this text' },
  debug: { help: 'show the stack of an error' },
};

/**
 * Reads a command line strictly.
 * @throws OptionError naming the option: unknown ones with the nearest known one, and values missing or not wanted.
 */
export function parse(specs: Readonly<Record<string, OptionSpec>>, argv: readonly string[]): Parsed {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { value, short }]) => [
      name,
      { type: value ? ('string' as const) : ('boolean' as const), ...(short && { short }) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const values: Record<string, string[]> = {};
  const flags = new Set<string>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (!spec) {
      const known = Object.keys(specs).map((option) => `--${option}`);
      throw new OptionError(`unknown option ${rawName}${didYouMean(rawName, known) || '; see --help'}`);
    }
    if (spec.value) {
      if (value === undefined) throw new OptionError(`${rawName} needs a value: ${rawName} ${spec.value}`);
      values[name] = [...(values[name] ?? []), value];
    } else {
      if (value !== undefined)
        throw new OptionError(`${rawName} takes no value, ${JSON.stringify(value)} was given`);
      flags.add(name);
    }
  }
  return { values, flags, words };
}

/** The last value of an option. */
export function value({ values }: Parsed, name: string): string | undefined {
  return values[name]?.at(-1);
}

/** A finite decimal number, all of `text`. */
export function number(option: string, text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) || !Number.isFinite(Number(text))) {
    throw new OptionError(`${option} is ${JSON.stringify(text)}: a number is expected`);
  }
  return Number(text);
}

/** A whole number from 0 to 2^53 − 1. */
export function whole(option: string, text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new OptionError(`${option} is ${JSON.stringify(text)}: a whole number is expected`);
  }
  return Number(text);
}

/** A seed: a whole number below 2^64. */
export function seed(option: string, text: string): bigint {
  if (!/^\d+$/.test(text) || BigInt(text) >= 1n << 64n) {
    throw new OptionError(`${option} is ${JSON.stringify(text)}: a whole number below 2^64 is expected`);
  }
  return BigInt(text);
}

/** Token ids separated by commas. */
export function tokenIds(option: string, text: string): number[] {
  const ids = text.split(',').map((id) => id.trim());
  const bad = ids.find((id) => !/^\d+$/.test(id) || Number(id) > 0xffffffff);
  if (bad !== undefined) {
    throw new OptionError(
      `${option}: ${JSON.stringify(bad)} is no token id; ids are separated by commas: 1,2,3`,
    );
  }
  return ids.map(Number);
}

/** The option lines of a help text, the explanations in one column. */
export function optionHelp(specs: Readonly<Record<string, OptionSpec>>): string {
  const left = Object.entries(specs).map(
    ([name, { value, short }]) => `  ${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`,
  );
  const width = Math.max(...left.map((text) => text.length)) + 2;
  return Object.values(specs)
    .map(({ help }, i) => `${left[i].padEnd(width)}${help.replaceAll('\n', `\n${' '.repeat(width)}`)}\n`)
    .join('');
}
