/** The options of benchmarks. */
import { OptionError } from '../../src/base/errors.ts';
import { type OptionSpec, optionHelp, type Parsed, parse, whole } from '../../src/cli/args.ts';

/** What `npm run bench -- NAME` has in common. */
const COMMON: Readonly<Record<string, OptionSpec>> = {
  quick: { help: 'a smoke run of seconds: few repetitions; writes no files unless --out is given' },
  out: { value: 'FOLDER', help: "where files go (bench/results/ADAPTER; 'none': nowhere)" },
  help: { short: 'h', help: 'show this text' },
};

/**
 * Reads a benchmark's options; undefined where only help was asked for, which is then printed.
 * @param words what may stand beside the options
 * @throws OptionError
 */
export function readOptions(
  name: string,
  specs: Readonly<Record<string, OptionSpec>>,
  args: readonly string[],
  words: readonly string[] = [],
): Parsed | undefined {
  const parsed = parse({ ...specs, ...COMMON }, args);
  if (parsed.words.length > words.length) {
    const [extra] = parsed.words.slice(words.length);
    throw new OptionError(`${name} has no use for ${JSON.stringify(extra)}; see --help`);
  }
  if (!parsed.flags.has('help')) return parsed;
  const usage = [`npm run bench -- ${name}`, ...words.map((word) => `[${word}]`), '[options]'].join(' ');
  console.log(`Usage: ${usage}\n\n${optionHelp({ ...specs, ...COMMON })}`);
}

/** Whole numbers from 1 on, separated by commas, in increasing order. @throws OptionError */
export function numbers(option: string, text: string): number[] {
  const all = text.split(',').map((part) => whole(option, part.trim()));
  if (all.includes(0)) throw new OptionError(`${option} is ${text}: whole numbers from 1 on, as in 1,2,4`);
  return [...new Set(all)].sort((a, b) => a - b);
}
