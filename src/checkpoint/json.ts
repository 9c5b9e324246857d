import { readFile } from 'node:fs/promises';
import { CheckpointError } from '../errors.ts';

/** Parses UTF-8 JSON whose objects have no key twice, which JSON.parse alone would let pass. @throws CheckpointError */
export function parseJson(file: string, bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CheckpointError(file, 'the JSON is not valid UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CheckpointError(file, `not valid JSON: ${(error as Error).message}`);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw new CheckpointError(file, `the key ${JSON.stringify(twice)} stands twice in one object`);
  return value;
}

/** The parsed file, or undefined where there is none. @throws CheckpointError */
export async function readJson(file: string): Promise<unknown> {
  const bytes = await ifPresent(readFile(file));
  return bytes && parseJson(file, bytes);
}

/** undefined in place of the error that a file does not exist. */
export async function ifPresent<T>(opening: Promise<T>): Promise<T | undefined> {
  try {
    return await opening;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** First key that an object of this valid JSON has twice. In valid JSON a string is a key exactly when a colon follows. */
function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') open.push(new Set());
    else if (c === '}') open.pop();
    else if (c === '"') {
      const begin = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
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
