import type { Part } from './part.ts';
import { escapeRegex, oniguruma, type Pattern, readPattern, regexPattern, type Span } from './pattern.ts';
import { NUMERIC, PUNCTUATION, SPACE, WORD } from './unicode.ts';

/** The pieces of a text, the empty one where something was taken out. `first`: nothing stands before it. */
export type PreTokenizer = (text: string, first: boolean) => string[];

const BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
type Behavior = (typeof BEHAVIORS)[number];

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** @throws CheckpointError naming a component that is not computed as in tokenizers */
export function readPreTokenizer(part: Part): PreTokenizer {
  switch (part.type) {
    case 'Split': {
      const invert = part.boolean('invert');
      return split(readPattern(part), part.choice('behavior', BEHAVIORS), invert);
    }
    case 'Digits':
      return split(regexPattern(NUMERIC), part.boolean('individual_digits') ? 'Isolated' : 'Contiguous');
    case 'Punctuation':
      return split(regexPattern(PUNCTUATION), part.choice('behavior', BEHAVIORS, 'Isolated'));
    case 'WhitespaceSplit':
      return split(regexPattern(SPACE), 'Removed');
    case 'Whitespace': {
      const words = oniguruma(String.raw`${WORD}+|[^${WORD.slice(1, -1)}\s]+`);
      return split(words, 'Removed', true);
    }
    case 'ByteLevel':
      return byteLevel(part);
    case 'Metaspace':
      return metaspace(part);
    case 'Sequence': {
      const steps = part.parts('pretokenizers').map(readPreTokenizer);
      return (text, first) =>
        steps.reduce(
          (pieces, step) =>
            pieces.flatMap((piece, i) => (piece === '' ? [''] : step(piece, first && i === 0))),
          [text],
        );
    }
    default:
      throw part.refusal(`is ${JSON.stringify(part.type)}, a pre-tokenizer that is not supported`);
  }
}

function split(pattern: Pattern, behavior: Behavior, invert = false): PreTokenizer {
  return (text) => {
    const spans = pattern(text).map((span) => ({ ...span, matched: span.matched !== invert }));
    return join(spans, behavior).map(({ begin, end, matched }) =>
      behavior === 'Removed' && matched ? '' : text.slice(begin, end),
    );
  };
}

/** Puts spans together: a match goes with its neighbour unless that is a match too. */
function join(spans: Span[], behavior: Behavior): Span[] {
  if (behavior === 'Removed' || behavior === 'Isolated') return spans;
  const backwards = behavior === 'MergedWithNext';
  const joined: { begin: number; end: number; matched: boolean }[] = [];
  let before = false; // whether the span looked at last is a match
  for (const span of backwards ? [...spans].reverse() : spans) {
    const last = joined.at(-1);
    const together = behavior === 'Contiguous' ? span.matched === last?.matched : span.matched && !before;
    if (!together || !last) joined.push({ ...span });
    else if (backwards) last.begin = span.begin;
    else last.end = span.end;
    before = span.matched;
  }
  return backwards ? joined.reverse() : joined;
}

/** The printable character that stands for each byte. */
export const BYTE_CHARS: readonly string[] = (() => {
  const printable = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
})();

function byteLevel(part: Part): PreTokenizer {
  const prefix = part.boolean('add_prefix_space');
  const words = part.boolean('use_regex', true) ? split(oniguruma(GPT2), 'Isolated') : undefined;
  const encoder = new TextEncoder();
  return (text, first) => {
    const spaced = prefix && !text.startsWith(' ') ? ` ${text}` : text;
    const pieces = words ? words(spaced, first) : [spaced];
    return pieces.map((piece) => Array.from(encoder.encode(piece), (byte) => BYTE_CHARS[byte]).join(''));
  };
}

function metaspace(part: Part): PreTokenizer {
  const mark = part.character('replacement');
  let scheme = part.choice('prepend_scheme', ['always', 'first', 'never'], 'always');
  if (!part.boolean('add_prefix_space', true)) scheme = 'never';
  const pieces = part.boolean('split', true)
    ? split(regexPattern(new RegExp(escapeRegex(mark), 'gu')), 'MergedWithNext')
    : (text: string) => [text];
  return (text, first) => {
    const marked = text.replaceAll(' ', () => mark);
    const prefix = scheme === 'always' || (scheme === 'first' && first);
    return pieces(prefix && !marked.startsWith(mark) ? mark + marked : marked, first);
  };
}
