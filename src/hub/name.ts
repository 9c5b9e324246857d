import { OptionError } from '../base/errors.ts';

/** A model on the Hub, at a branch, a tag or a commit. */
export interface ModelName {
  /** NAME or NAMESPACE/NAME. */
  readonly id: string;
  readonly revision: string;
}

export const show = ({ id, revision }: ModelName): string => `${id}@${revision}`;

/** Whether a text can only be the path of a folder. */
export const isPath = (text: string): boolean => /^(\.{0,2}[/\\]|\.{1,2}$|~|[A-Za-z]:[/\\])|\\/.test(text);

const MOST = 96;
const LONGEST = 230; // bytes of a file's name, with room for the suffix of a temporary one
const PART = /^[A-Za-z0-9_]([\w.-]*[A-Za-z0-9_])?$/;

/** Reads ID or ID@REVISION by the rules of the Hub. @throws OptionError naming the rule that is broken */
export function parseName(text: string): ModelName {
  const at = text.indexOf('@');
  const id = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? 'main' : text.slice(at + 1);
  const fail = (rule: string) =>
    new OptionError(
      `${JSON.stringify(text)} is no folder here, and as the name of a model on the Hub ${rule}`,
    );
  const parts = id.split('/');
  if (parts.length > 2) throw fail('it has more than one "/": NAMESPACE/NAME');
  if (/--|\.\./.test(id)) throw fail('it has "--" or "..", which names may not have');
  if (id.endsWith('.git')) throw fail('it ends with ".git", which names may not');
  for (const part of parts) {
    if (part.length > MOST) throw fail(`a part of it has ${part.length} characters: at most ${MOST}`);
    if (part === '') throw fail('a part of it is empty: NAMESPACE/NAME');
    const rule = 'letters, digits, "-", "_" and ".", the first and the last neither "-" nor "."';
    if (!PART.test(part)) throw fail(`the part ${JSON.stringify(part)} is not made of ${rule}`);
  }
  if (!isRevision(revision)) throw fail(`its revision ${JSON.stringify(revision)} is none that git allows`);
  return { id, revision };
}

/** As git names branches and tags. It becomes a path in the cache, and leads nowhere else. */
function isRevision(text: string): boolean {
  const parts = text.split('/');
  return (
    parts.every(
      (part) =>
        part !== '' &&
        Buffer.byteLength(part) <= LONGEST &&
        !part.startsWith('.') &&
        !/(\.|\.lock)$/.test(part),
    ) && !/\.\.|@\{|[\p{Cc} ~^:?*[\\]/u.test(text)
  );
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);
