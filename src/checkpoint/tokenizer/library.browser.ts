import type { BPE as Pairs, SplitPreTokenizer as Split } from './library.ts';

/** As under Node, once it is here. */
export let BPE: typeof Pairs;
export let SplitPreTokenizer: typeof Split;

/** Fetches it, an eighth of the program, for a model that has a tokenizer. */
export async function ready(): Promise<void> {
  const library = (await import('@huggingface/tokenizers')) as unknown as typeof import('./library.ts');
  ({ BPE, SplitPreTokenizer } = library);
}
