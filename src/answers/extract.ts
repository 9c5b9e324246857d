import { TimeLimitError, withinMilliseconds } from '#runtime/base/limit';
import { OptionError } from '../base/errors.ts';
import { choice, lastBoxed } from './boxed.ts';

/**
 * What the final answer of a response is.
 * - boxed: the content of its last \boxed{}
 * - letter: the one letter that stands in it, as of a multiple choice
 * - a regular expression: the first group of its last match, or the match itself
 * - a function of the text; null or undefined: no answer
 */
export type Extract =
  | 'boxed'
  | 'letter'
  | RegExp
  | ((text: string) => string | null | undefined | Promise<string | null | undefined>);

/** Seconds for one response. */
const LIMIT = 2;
const TOO_LONG = `took longer than ${LIMIT} s`;

/** Extracts final answers. What throws, or takes longer than two seconds, has no answer; `trouble` tells of the first such case. @internal */
export class Extractor {
  trouble: string | null = null;
  private readonly extract: (text: string) => unknown;
  /** Whether it always comes to an end. */
  private readonly known: boolean;

  /** @throws OptionError */
  constructor(extract: Extract) {
    this.known = extract === 'boxed' || extract === 'letter';
    if (extract === 'boxed') this.extract = lastBoxed;
    else if (extract === 'letter') this.extract = (text) => choice(lastBoxed(text));
    else if (extract instanceof RegExp) this.extract = (text) => lastMatch(extract, text);
    else if (typeof extract === 'function') this.extract = extract;
    else
      throw new OptionError(
        `extract is ${JSON.stringify(extract)}: boxed, letter, a regular expression or a function`,
      );
  }

  async answer(text: string): Promise<string | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      // Wrapped: a promise must not be waited for before it has a time limit.
      const { begun } = this.known
        ? { begun: this.extract(text) }
        : interruptible(() => ({ begun: this.extract(text) }));
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(TOO_LONG)), 1000 * LIMIT);
      });
      const found = await Promise.race([begun, late]);
      if (found === null || found === undefined) return null;
      if (typeof found !== 'string') throw new Error(`gave ${typeof found}, not a text`);
      return found.trim() || null;
    } catch (error) {
      this.trouble ??= `extract ${(error as Error)?.message ?? error}`;
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
}

function lastMatch(pattern: RegExp, text: string): string | undefined {
  const flags = pattern.flags.includes('g') ? pattern.flags : `${pattern.flags}g`;
  const match = [...text.matchAll(new RegExp(pattern.source, flags))].at(-1);
  return match && (match[1] ?? match[0]);
}

/** Runs code that may never return, where that can be ended. */
function interruptible<T>(work: () => T): T {
  try {
    return withinMilliseconds(1000 * LIMIT, work);
  } catch (error) {
    throw error instanceof TimeLimitError ? new Error(TOO_LONG) : error;
  }
}
