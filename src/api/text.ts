import { OptionError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';

/** @throws OptionError for what is no list of stop strings, and for one that could never end a text @internal */
export function checkStop(tokenizer: Tokenizer | null | undefined, stop: readonly string[]): void {
  if (!Array.isArray(stop) || stop.some((word) => typeof word !== 'string')) {
    throw new OptionError(`stop is ${show(stop)}: an array of strings`);
  }
  if (stop.length > 0 && !tokenizer) throw new OptionError('stop needs a model with a tokenizer');
  if (stop.includes('')) throw new OptionError('stop is "": a stop string has at least one character');
}

/** The text of an answer: without its EOS, up to the first stop string, and which that is. @internal */
export function answerText(
  tokenizer: Tokenizer,
  tokens: Uint32Array,
  eosTokens: ReadonlySet<number>,
  stop: readonly string[],
): { text: string; stop: string | null } {
  const ended = tokens.length > 0 && eosTokens.has(tokens[tokens.length - 1]);
  const text = tokenizer.decode(ended ? tokens.subarray(0, -1) : tokens);
  let [end, found]: [number, string | null] = [text.length, null];
  for (const word of stop) {
    const at = text.indexOf(word);
    if (at >= 0 && at < end) [end, found] = [at, word];
  }
  return { text: text.slice(0, end), stop: found };
}

/**
 * Writes the text of an answer token by token: all that it returns together is `answerText`. Held back is what is not yet certain: a
 * character of which bytes are missing, and what may be the beginning of a stop string.
 * @internal
 */
export class Writer {
  /** A stop string has come. */
  stopped = false;
  /** Characters of all its text so far, those held back and those behind a stop string among them. */
  length = 0;
  private readonly decoder: ReturnType<Tokenizer['stream']>;
  private readonly words: readonly Word[];
  private held = '';

  constructor(tokenizer: Tokenizer, stop: readonly string[]) {
    this.decoder = tokenizer.stream();
    this.words = stop.map((text) => new Word(text));
  }

  /** The text that is certain with one more token, which is not EOS. */
  push(token: number): string {
    const more = this.decoder.push(token);
    this.length += more.length;
    return this.cut(more) ?? this.cutAhead() ?? this.release();
  }

  /** What was held back, the answer being at its end. */
  end(): string {
    if (this.stopped) return '';
    const more = this.decoder.end();
    return this.cut(more) ?? this.held;
  }

  /** Takes text in. @returns what stands before a stop string, where one has come */
  private cut(more: string): string | undefined {
    const from = this.held.length;
    this.held += more;
    const starts = this.words.map((word) => from + word.read(more)).filter((at) => at < Infinity);
    if (starts.length === 0) return undefined;
    this.stopped = true;
    return this.held.slice(0, Math.min(...starts));
  }

  /** A stop string may end where a character begins of which bytes are missing. */
  private cutAhead(): string | undefined {
    if (this.words.length === 0) return undefined;
    const ahead = this.decoder.held().replace(/\uFFFD+$/, '');
    if (ahead === '') return undefined;
    const { held } = this;
    const matched = this.words.map((word) => word.matched);
    const text = this.cut(ahead);
    if (text !== undefined) return text;
    this.held = held;
    for (const [i, word] of this.words.entries()) word.matched = matched[i];
    return undefined;
  }

  private release(): string {
    const kept = this.words.reduce((most, { matched }) => Math.max(most, matched), 0);
    const end = this.held.length - kept;
    const text = this.held.slice(0, end);
    this.held = this.held.slice(end);
    return text;
  }
}

/** A stop string that is looked for in a text as it comes, each character once (Knuth, Morris and Pratt). */
class Word {
  /** Its first characters that the text ends with now. */
  matched = 0;
  private readonly text: string;
  /** For each number of characters matched, less one: how many still match where the next one does not. */
  private readonly fallback: number[] = [0];

  constructor(text: string) {
    this.text = text;
    for (let i = 1; i < text.length; i++) this.fallback[i] = this.next(this.fallback[i - 1], text[i]);
  }

  /** @returns where it begins, counted from the beginning of `more`; Infinity where it has not come */
  read(more: string): number {
    for (let i = 0; i < more.length; i++) {
      this.matched = this.next(this.matched, more[i]);
      if (this.matched === this.text.length) return i + 1 - this.text.length;
    }
    return Infinity;
  }

  private next(matched: number, character: string): number {
    let n = matched;
    while (n > 0 && this.text[n] !== character) n = this.fallback[n - 1];
    return this.text[n] === character ? n + 1 : n;
  }
}
