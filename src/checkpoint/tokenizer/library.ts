import * as library from '@huggingface/tokenizers';

/** Of the library: byte pairs, and Oniguruma's dialect. Its declarations do not resolve in TypeScript's NodeNext. */
export const { BPE, SplitPreTokenizer } = library as unknown as {
  BPE: new (config: object) => { bpe(piece: string): string[] };
  SplitPreTokenizer: new (config: object) => { pattern: RegExp };
};
