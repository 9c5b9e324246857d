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
    return word === '' ? () => [] : regexPattern(new RegExp(escapeRegex(word), 'gu'));
  }
  const source = pattern.string('Regex');
  try {
    return withinLimit(source.length, () => oniguruma(source));
  } catch (error) {
    throw pattern.refusal(`is ${describe(source)}, which cannot be used: ${(error as Error).message}`, error);
  }
}

/** The library translates the dialect; the text is shown as Oniguruma's tables have its characters. */
export function oniguruma(source: string): Pattern {
  const { pattern } = new SplitPreTokenizer({ pattern: { Regex: source }, invert: false });
  const spans = regexPattern(pattern);
  return (text) => spans(asOniguruma(text));
}

export function regexPattern(regex: RegExp): Pattern {
  return (text) => {
    const spans: Span[] = [];
    let last = 0;
    for (const { 0: found, index } of text.matchAll(regex)) {
      if (found === '' && index === last && index > 0) continue; // an empty match does not follow another directly
      if (index > last) spans.push({ begin: last, end: index, matched: false });
      last = index + found.length;
      spans.push({ begin: index, end: last, matched: true });
    }
    if (last < text.length) spans.push({ begin: last, end: text.length, matched: false });
    return spans;
  };
}

/** Whether a component of this JSON has a regular expression of its own. */
export function hasRegex(json: unknown, depth = 0): boolean {
  if (typeof json !== 'object' || json === null || depth > 2 * MAX_DEPTH) return false;
  return Object.hasOwn(json, 'Regex') || Object.values(json).some((value) => hasRegex(value, depth + 1));
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
