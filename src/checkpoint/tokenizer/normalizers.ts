import type { Part } from './part.ts';
import { readPattern } from './pattern.ts';
import { MARK, normalize } from './unicode.ts';

export type Normalizer = (text: string) => string;

/** @throws CheckpointError naming a component that is not computed as in tokenizers */
export function readNormalizer(part: Part): Normalizer {
  const { type } = part;
  switch (type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => normalize(text, type);
    case 'Lowercase':
      // Character by character: a final sigma is as any other.
      return (text) => Array.from(text, (c) => c.toLowerCase()).join('');
    case 'Strip': {
      const left = part.boolean('strip_left') ? /^\p{White_Space}+/u : '';
      const right = part.boolean('strip_right');
      return (text) => {
        const begun = text.replace(left, '');
        return right ? trimEnd(begun) : begun;
      };
    }
    case 'StripAccents':
      return (text) => text.replace(MARK, '');
    case 'Prepend': {
      const prefix = part.string('prepend');
      return (text) => (text === '' ? text : prefix + text);
    }
    case 'Replace':
      return readReplace(part);
    case 'Sequence': {
      const steps = part.parts('normalizers').map(readNormalizer);
      return (text) => steps.reduce((done, step) => step(done), text);
    }
    default:
      throw part.refusal(`is ${JSON.stringify(type)}, a normalizer that is not supported`);
  }
}

export function readReplace(part: Part): (text: string) => string {
  const pattern = readPattern(part);
  const content = part.string('content');
  return (text) =>
    pattern(text)
      .map(({ begin, end, matched }) => (matched ? content : text.slice(begin, end)))
      .join('');
}

const SPACES = /\p{White_Space}/u;

/** Not a regular expression, which would look at every run of spaces from each of its beginnings. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && SPACES.test(text[end - 1])) end--;
  return text.slice(0, end);
}
