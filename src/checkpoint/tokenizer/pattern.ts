import { SplitPreTokenizer } from '#runtime/checkpoint/tokenizer/library';
import { describe } from '../../base/show.ts';
import { withinLimit } from './limit.ts';
import { MAX_DEPTH, type Part } from './part.ts';
import { asOniguruma } from './unicode.ts';

/** Consecutive pieces of a text, all of it in order. */
export interface Span {
  readonly begin: number;
  readonly end: number;
  readonly matched: boolean;
}
export type Pattern = (text: string) => Span[];

/** `{"String": …}` or `{"Regex": …}`, the latter in Oniguruma's dialect. @throws CheckpointError */
export function readPattern(part: Part, key = 'pattern'): Pattern {
  const pattern = part.part(key);
  if (pattern.has('Regex') && pattern.has('String')) throw pattern.refusal('has both String and Regex');
  if (!pattern.has('Regex')) {
    const word = pattern.string('String');
    if (/\p{Surrogate}/u.test(word))
      throw pattern.refusal(`is ${describe(word)}, which has half a character`);
    return word === '' ? regexPattern(/(?:)/gu) : literalPattern(word);
  }
  const source = pattern.string('Regex');
  try {
    return withinLimit(source.length, () => oniguruma(source));
  } catch (error) {
    throw pattern.refusal(`is ${describe(source)}, which cannot be used: ${reasonOf(error as Error)}`, error);
  }
}

/** The library translates the dialect; the text is shown as Oniguruma's tables have its characters. */
export function oniguruma(source: string): Pattern {
  const { pattern } = new SplitPreTokenizer({ pattern: { Regex: source }, invert: false });
  const spans = regexPattern(compiled(pattern));
  return (text) => spans(asOniguruma(text));
}

export function regexPattern(regex: RegExp): Pattern {
  return (text) => spansOf(text, text.matchAll(regex));
}

/** Not a regular expression, which V8 finds too large from some ten thousand characters on. */
function literalPattern(word: string): Pattern {
  function* found(text: string) {
    for (let index = text.indexOf(word); index >= 0; index = text.indexOf(word, index + word.length))
      yield { 0: word, index };
  }
  return (text) => spansOf(text, found(text));
}

function spansOf(text: string, matches: Iterable<{ readonly 0: string; readonly index: number }>): Span[] {
  const spans: Span[] = [];
  let last = 0;
  for (const { 0: found, index } of matches) {
    if (found === '' && index === last && index > 0) continue; // an empty match does not follow another directly
    if (index > last) spans.push({ begin: last, end: index, matched: false });
    last = index + found.length;
    spans.push({ begin: index, end: last, matched: true });
  }
  if (last < text.length) spans.push({ begin: last, end: text.length, matched: false });
  return spans;
}

/** V8 compiles at the first use, for texts of one and of two bytes a character, and then only finds what is too large. @throws SyntaxError */
export function compiled(regex: RegExp): RegExp {
  for (const text of ['', '\u{2028}']) text.search(regex);
  return regex;
}

/** An error's message, but of a regular expression only what is wrong: V8's messages hold the whole of it. */
export function reasonOf({ message }: Error): string {
  return message.replace(/^Invalid regular expression: .*: /s, '');
}

/** Whether a component of this JSON has a regular expression of its own. */
export function hasRegex(json: unknown, depth = 0): boolean {
  if (typeof json !== 'object' || json === null || depth > 2 * MAX_DEPTH) return false;
  return Object.hasOwn(json, 'Regex') || Object.values(json).some((value) => hasRegex(value, depth + 1));
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
