import * as library from '@huggingface/tokenizers';

/** Of the library: byte pairs, and Oniguruma's dialect. Its declarations do not resolve in TypeScript's NodeNext. */
interface Parts {
  BPE: new (config: object) => { bpe(piece: string): string[] };
  SplitPreTokenizer: new (config: object) => { pattern: RegExp };
}
const parts = library as unknown as Parts;

export const BPE: Parts['BPE'] = parts.BPE;
export const SplitPreTokenizer: Parts['SplitPreTokenizer'] = parts.SplitPreTokenizer;

/** To be waited for before either is used: a browser fetches them. */
export const ready = async (): Promise<void> => {};
