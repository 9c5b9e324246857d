/**
 * The interface between the prefix tree and whatever computes next-token distributions: the GPU engine, or a toy table in tests.
 * Prefixes go in, summaries of distributions come out; nobody draws but the CPU. Positions are absolute (the prompt's first token
 * is 0).
 */

/** Address of a stream of random numbers; the position and the purpose complete the Philox counter. */
export interface RngKey {
  /** 64-bit seed. */
  readonly seed: bigint;
  /** Chains of one seed are independent. */
  readonly chain: number;
  /** Number of the sampler's step, below 2^24. */
  readonly step: number;
  /** Number of the candidate within the step, below 256. */
  readonly candidate: number;
}

/** Tokens that have been fed, with their keys and values. One that has been freed must not be used again. */
export interface Sequence {
  /** Tokens that it has. */
  readonly length: number;
  /** A second sequence with the same tokens; shares storage until one of them is written to. */
  fork(): Sequence;
  /** Forgets every token from position `length` on. O(1), touches no GPU memory. */
  rollback(length: number): void;
  /** Gives its storage back, as far as no other sequence has it too. */
  free(): void;
}

/** How a distribution is sharpened: the α ≥ 1 of log Z_α, and the temperature τ of the proposal; 0 is greedy. */
export interface Sharpening {
  /** Of log Z_α. */
  readonly alpha: number;
  /** τ of the proposal; 0 is greedy. */
  readonly temperature: number;
}

/**
 * The next-token distribution after a prefix: its largest logits one by one, and sums over all the others, so that no difference of
 * totals cancels. A function of the prefix and the sharpening alone. d = logit − the largest logit.
 */
export interface Summary {
  /** Ascending. */
  readonly ids: Uint32Array;
  /** d of each; 0 for at least one. The GPU gives f32, toy tables f64. */
  readonly distances: Float32Array | Float64Array;
  /** Over the tokens that are not listed: Σ e^d, Σ d e^d, Σ e^(α d) and Σ e^(d / τ). */
  readonly base: number;
  /** Σ d e^d over the tokens that are not listed. */
  readonly mean: number;
  /** Σ e^(α d) over the tokens that are not listed. */
  readonly sharp: number;
  /** Σ e^(d / τ) over the tokens that are not listed. */
  readonly tempered: number;
}

/** What a row is asked beyond its summary. */
export type Ask =
  /** The d of this token. */
  | { readonly token: number }
  /** A token that is not listed, drawn from q by this random word of 32 bits: by inverse distribution function in the order of ids. */
  | { readonly tail: number }
  /** All logits. */
  | 'logits';

/**
 * Tokens to be fed one after another, from `position` on: behind the sequence, which then grows by them, or again where it has
 * them already.
 */
export interface Feed {
  /** Where they are fed; in one call each sequence is fed once at most. */
  readonly sequence: Sequence;
  /** At most the sequence's length. */
  readonly position: number;
  /** At least one. */
  readonly tokens: readonly number[];
  /** What the sums of the summaries are taken by. */
  readonly sharpening: Sharpening;
  /** What the last of them is asked. */
  readonly ask?: Ask;
  /**
   * Up to so many tokens more may be drawn after the last one and fed on in the same call. It is no more than a guess at what will be
   * drawn from the summaries: what comes of it is up to the caller. Only for tokens that are new.
   */
  readonly ahead?: {
    readonly most: number;
    readonly key: RngKey;
    readonly topK?: number;
    readonly topP?: number;
  };
}

/** What came of one token that was fed. */
export interface Reading {
  /** That was fed. */
  readonly token: number;
  /** Of the distribution behind it. */
  readonly summary: Summary;
  /** The answer to `ask`. */
  readonly asked?: { readonly token: number; readonly distance: number };
  /** All of them, where they were asked for. */
  readonly logits?: Float32Array | Float64Array;
  /** Where the numbers cannot be used: thrown by whoever needs them. */
  readonly error?: Error;
}

/** What computes next-token distributions: prefixes go in, summaries come out. */
export interface LanguageModel {
  /** Ids run from 0 to one less. */
  readonly vocabSize: number;
  /** Most tokens a sequence can hold, prompt included. */
  readonly contextLength: number;
  /** Positions that all its sequences together can hold, in pages of `pageSize`; what forks share counts once. */
  readonly cachePositions: number;
  /** Positions of a page, the unit in which storage is taken and shared. */
  readonly pageSize: number;
  /** A response ends with one of these. */
  readonly eosTokens: ReadonlySet<number>;
  /** Rows that go through the model together: more of them take another pass. A pass takes them in multiples of `tile`. */
  readonly rows: number;
  /** A pass costs as much as one of the next multiple of so many rows. */
  readonly tile: number;
  /** A real GPU, where further rows cost next to nothing. */
  readonly parallel: boolean;
  /** Computes keys and values of these tokens. */
  prefill(tokens: ArrayLike<number>): Promise<Sequence>;
  /**
   * Feeds the tokens of all feeds in one pass, a row each, or in as few as their number allows; calls that come together are merged.
   * Each token's numbers are the same in every bit whatever else is in the pass.
   * @returns for each feed the readings of its tokens, then of those it ran ahead with: what it drew up to EOS or `most`
   * @throws OutOfMemoryError before anything has changed
   */
  compute(feeds: readonly Feed[]): Promise<Reading[][]>;
}
