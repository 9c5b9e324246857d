import { readReplace } from './normalizers.ts';
import type { Part } from './part.ts';
import { BYTE_CHARS } from './pre-tokenizers.ts';

/** Token strings to strings that, joined, are the text. */
export type Decoder = (tokens: string[]) => string[];

/** @throws CheckpointError naming a component that is not computed as in tokenizers */
export function readDecoder(part: Part): Decoder {
  switch (part.type) {
    case 'ByteLevel':
      return byteLevel;
    case 'ByteFallback':
      return byteFallback;
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Strip': {
      const content = part.character('content');
      const start = part.count('start');
      const stop = part.count('stop');
      return (tokens) => tokens.map((token) => strip([...token], content, start, stop));
    }
    case 'Replace': {
      const replace = readReplace(part);
      return (tokens) => tokens.map(replace);
    }
    case 'Metaspace': {
      const mark = part.character('replacement');
      const scheme = part.choice('prepend_scheme', ['always', 'first', 'never'], 'always');
      const prefixed = scheme !== 'never' && part.boolean('add_prefix_space', true);
      return (tokens) => tokens.map((token, i) => token.split(mark).join(i === 0 && prefixed ? '' : ' '));
    }
    case 'Sequence': {
      const steps = part.parts('decoders').map(readDecoder);
      return (tokens) => steps.reduce((done, step) => step(done), tokens);
    }
    default:
      throw part.refusal(`is ${JSON.stringify(part.type)}, a decoder that is not supported`);
  }
}

/** Whether a run of byte tokens is text is not known before it ends. */
export const isByteToken = (token: string): boolean => byteOf(token) !== undefined;

const BYTES = new Map(BYTE_CHARS.map((char, byte) => [char, byte]));
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

function byteLevel(tokens: string[]): string[] {
  return [decoder.decode(Uint8Array.from(tokens.flatMap(levelBytes)))];
}

/** A token with a character that stands for no byte is text as it is. */
export function levelBytes(token: string): number[] {
  const bytes: number[] = [];
  for (const char of token) {
    const byte = BYTES.get(char);
    if (byte === undefined) return [...encoder.encode(token)];
    bytes.push(byte);
  }
  return bytes;
}

/** Bytes that together are not UTF-8 become a U+FFFD each. */
function byteFallback(tokens: string[]): string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      out.push(strict.decode(Uint8Array.from(bytes)));
    } catch {
      for (const _ of bytes) out.push('\uFFFD');
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = byteOf(token);
    if (byte !== undefined) bytes.push(byte);
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
}

/** The byte of a token that is spelled as one, as in <0xC3>. */
export function byteOf(token: string): number | undefined {
  const hex = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/.exec(token); // Rust's from_str_radix takes a sign
  return hex ? Number.parseInt(hex[1], 16) : undefined;
}

function strip(chars: string[], content: string, start: number, stop: number): string {
  let begin = 0;
  while (begin < Math.min(start, chars.length) && chars[begin] === content) begin++;
  let end = chars.length;
  while (chars.length - end < stop && end > begin && chars[end - 1] === content) end--;
  return chars.slice(begin, end).join('');
}
