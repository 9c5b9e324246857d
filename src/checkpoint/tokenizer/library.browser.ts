import type { BPE as Pairs, SplitPreTokenizer as Split } from './library.ts';

/** As under Node, once it is here. */
export let BPE: typeof Pairs;
export let SplitPreTokenizer: typeof Split;

/** Fetches it for a model that has a tokenizer. */
export async function ready(): Promise<void> {
  ({ BPE, SplitPreTokenizer } = await import('./library.ts'));
}
