import * as library from '@huggingface/tokenizers';

/** Of the library: byte pairs, and Oniguruma's dialect. Its declarations do not resolve in TypeScript's NodeNext. */
interface Parts {
  BPE: new (config: object) => { bpe(piece: string): string[] };
  SplitPreTokenizer: new (config: object) => { pattern: RegExp };
}

// Taken one by one: bundlers then leave out the rest, nine tenths of it.
export const BPE: Parts['BPE'] = (library as unknown as Parts).BPE;
export const SplitPreTokenizer: Parts['SplitPreTokenizer'] = (library as unknown as Parts).SplitPreTokenizer;

/** To be waited for before either is used: a browser fetches them. */
export const ready = async (): Promise<void> => {};
