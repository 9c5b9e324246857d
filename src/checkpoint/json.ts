import { CheckpointError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import { decodeText, type ModelFiles, readBytes } from './source.ts';

/** Nesting that Python's json gives up at as well; whatever walks a value of less has stack for it. */
const MAX_DEPTH = 1000;

/**
 * Parses strict JSON whose objects have no key twice, which JSON.parse alone would let pass.
 * @throws CheckpointError
 */
export function parseJson(file: string, bytes: Uint8Array): unknown {
  const text = decodeText(file, bytes);
  checkDepth(file, text);
  const value = parse(file, text);
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw new CheckpointError(file, `the key ${show(twice)} stands twice in one object`);
  return value;
}

/** A file as Python's json reads it; undefined where there is none. @throws CheckpointError */
export async function readJson(
  files: ModelFiles,
  name: string,
  warn?: (message: string) => void,
): Promise<unknown> {
  const bytes = await readBytes(files, name);
  return bytes && parseAsPython(files.path(name), bytes, warn);
}

/**
 * Of a key that stands twice the last one counts, which `warn` is told. NaN and infinities become an infinity: no key that means anything
 * here may be either.
 * @throws CheckpointError
 */
export function parseAsPython(file: string, bytes: Uint8Array, warn?: (message: string) => void): unknown {
  const text = decodeText(file, bytes);
  const strict = checkDepth(file, text);
  const value = parse(file, strict);
  const twice = warn && duplicateKey(strict);
  if (twice !== undefined)
    warn?.(`${file}: the key ${show(twice)} stands twice in one object, the last one counts`);
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CheckpointError(file, `not valid JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Returns the text, or where it has NaN or Infinity for a value, strict JSON in its place. @throws CheckpointError */
function checkDepth(file: string, text: string): string {
  let depth = 0;
  let strict = '';
  let copied = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') i = endOfString(text, i);
    else if (c === '}' || c === ']') depth--;
    else if (c === '{' || c === '[') {
      if (++depth > MAX_DEPTH)
        throw new CheckpointError(file, `the JSON is nested more than ${MAX_DEPTH} deep`);
    } else if (c === 'N' || c === 'I') {
      const word = ['NaN', 'Infinity'].find((name) => text.startsWith(name, i));
      if (!word) continue;
      strict += `${text.slice(copied, i)}1e999`;
      i += word.length - 1;
      copied = i + 1;
    }
  }
  return strict + text.slice(copied);
}

/** Of a string's closing quote, or of the text's end where there is none. */
function endOfString(text: string, begin: number): number {
  let i = begin + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

/** First key that an object of this valid JSON has twice. In valid JSON a string is a key exactly when a colon follows. */
function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') open.push(new Set());
    else if (c === '}') open.pop();
    else if (c === '"') {
      const begin = i;
      i = endOfString(text, begin);
      let next = i + 1;
      while (' \t\n\r'.includes(text[next])) next++;
      if (text[next] !== ':') continue;
      const key: string = JSON.parse(text.slice(begin, i + 1));
      const keys = open[open.length - 1];
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
