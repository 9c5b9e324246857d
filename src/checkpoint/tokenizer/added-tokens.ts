import { CheckpointError } from '../../base/errors.ts';
import { describe } from '../../base/show.ts';
import { type Normalizer, trimEnd } from './normalizers.ts';
import { isId, type Part } from './part.ts';
import { compiled, escapeRegex } from './pattern.ts';
import { WORD } from './unicode.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for in the normalized text. */
  readonly normalized: boolean;
}

/** A part of a text, or the added token that stands there. `first`: nothing stands before it. */
export interface Section {
  readonly text: string;
  readonly token?: number;
  readonly first: boolean;
}

export function readAddedTokens(part: Part): AddedToken[] {
  if (part.value('added_tokens') === undefined) return [];
  return part.parts('added_tokens').map((token) => {
    const content = token.string('content');
    if (content === '') throw new CheckpointError(part.file, `an added token is "" (${token.path})`);
    const id = token.value('id');
    if (!isId(id))
      throw new CheckpointError(part.file, `token ${describe(content)} has the id ${describe(id)}`);
    const special = token.boolean('special', false);
    return {
      id,
      content,
      special,
      singleWord: token.boolean('single_word', false),
      lstrip: token.boolean('lstrip', false),
      rstrip: token.boolean('rstrip', false),
      normalized: token.boolean('normalized', !special),
    };
  });
}

const WORD_BEFORE = new RegExp(`${WORD}$`, 'u');
const WORD_AFTER = new RegExp(`^${WORD}`, 'u');

/** Finds tokens in a text, of those that begin at one place the longest. */
function splitter(tokens: readonly (readonly [content: string, token: AddedToken])[]) {
  const byContent = new Map(tokens);
  const contents = [...byContent.keys()].filter(Boolean).sort((a, b) => b.length - a.length);
  if (contents.length === 0) return (section: Section): Section[] => [section];
  const any = compiled(new RegExp(contents.map(escapeRegex).join('|'), 'gu'));
  return ({ text, first }: Section): Section[] => {
    const sections: Section[] = [];
    let last = 0;
    for (const { 0: found, index } of text.matchAll(any)) {
      const token = byContent.get(found) as AddedToken;
      let begin = index;
      let end = begin + found.length;
      // Two UTF-16 units are enough for the character next to it.
      const inWord =
        WORD_BEFORE.test(text.slice(Math.max(0, begin - 2), begin)) ||
        WORD_AFTER.test(text.slice(end, end + 2));
      if (token.singleWord && inWord) continue;
      if (token.lstrip) begin = Math.max(last, trimEnd(text.slice(last, begin)).length + last);
      if (token.rstrip) end += /^\p{White_Space}*/u.exec(text.slice(end))?.[0].length ?? 0;
      if (begin > last) sections.push({ text: text.slice(last, begin), first: first && last === 0 });
      sections.push({ text: found, token: token.id, first: false });
      last = end;
    }
    if (last < text.length) sections.push({ text: text.slice(last), first: first && last === 0 });
    return sections;
  };
}

/** Sections of a text: added tokens, and normalized text between them. @throws SyntaxError they are too long to be looked for */
export function sectioner(tokens: readonly AddedToken[], normalize: Normalizer) {
  const raw = splitter(tokens.filter((t) => !t.normalized).map((t) => [t.content, t]));
  const normal = splitter(tokens.filter((t) => t.normalized).map((t) => [normalize(t.content), t]));
  return (text: string): Section[] =>
    raw({ text, first: true }).flatMap((section) =>
      section.token === undefined ? normal({ ...section, text: normalize(section.text) }) : [section],
    );
}
