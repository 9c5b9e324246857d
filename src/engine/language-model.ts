/**
 * The interface between the samplers and whatever computes next-token distributions: the GPU engine, or a toy
 * table in tests. Positions are absolute (the prompt's first token is 0); entropies and logarithms are in nats.
 */

/** Address of a stream of random numbers; the position and the purpose complete the Philox counter. */
export interface RngKey {
  /** 64-bit seed. */
  readonly seed: bigint;
  readonly chain: number;
  /** Number of the sampler's step, below 2^24. */
  readonly step: number;
  /** Number of the candidate within the step, below 256. */
  readonly candidate: number;
}

/**
 * A sequence of tokens with its keys and values. `length` counts every token, also the last one, whose key may
 * still be pending. A sequence that has been freed must not be used again.
 */
export interface Sequence {
  readonly length: number;
  /** A second sequence with the same tokens; shares storage until one of them is written to. */
  fork(): Sequence;
  /** Forgets every token from position `length` on. O(1), touches no GPU memory. 1 ≤ length ≤ this.length. */
  rollback(length: number): void;
  free(): void;
}

/** The GPU gives f32, toy tables f64. */
export type Column = Float32Array | Float64Array;

/** Tokens and, for each, the statistics of the distribution it was drawn from. All columns have equal length. */
export interface Continuation {
  tokens: Uint32Array;
  /** log p(token | prefix) under the base model at temperature 1 over the whole vocabulary. */
  logp: Column;
  /** log q(token | prefix) under the distribution really drawn from; 0 when greedy. */
  logq: Column;
  /** log Z_α = log Σ_v p(v | prefix)^α ≤ 0. */
  logZ: Column;
  /** Shannon entropy of p(· | prefix), nats. */
  entropy: Column;
  finish: 'eos' | 'length' | 'abandoned';
}

export interface DecodeRow {
  /** Grows in place by the tokens returned. */
  sequence: Sequence;
  /** At least 1. */
  maxTokens: number;
  /** Proposal temperature τ; 0 is greedy (argmax, lowest index on ties). */
  temperature: number;
  /** The α ≥ 1 of log Z_α; does not change what is drawn. */
  alpha: number;
  /** Keep the k most likely tokens (ties with the k-th are kept). */
  topK?: number;
  /** Then keep the smallest set of most likely tokens whose mass at this temperature reaches topP. */
  topP?: number;
  key: RngKey;
}

export interface LanguageModel {
  readonly vocabSize: number;
  /** Most tokens a sequence can hold, prompt included. */
  readonly contextLength: number;
  /** Positions that all its sequences together can hold; what forks share counts once. */
  readonly cachePositions: number;
  readonly eosTokens: ReadonlySet<number>;
  /** At least one token. Computes keys and values of all tokens but the last, whose turn comes in `decode`. */
  prefill(tokens: ArrayLike<number>): Promise<Sequence>;
  /**
   * Continues each row until EOS (which is returned as its last token), `maxTokens`, or abandonment. Rows are
   * decoded together: one pass over the weights serves all rows in flight, also those of concurrent calls. The token at
   * absolute position t is drawn by Gumbel-max with Philox counter (chain, step·256 + candidate, t, v/4).
   * An aborted signal rejects with its reason within one chunk; rows keep what they had at the call.
   * @param keepGoing called now and then with all that is decoded so far, one entry a row, when the rows that have not ended are
   * equally long, at lengths that depend on the call alone; false abandons those rows (finish: 'abandoned')
   */
  decode(
    rows: DecodeRow[],
    signal?: AbortSignal,
    keepGoing?: (soFar: readonly Continuation[]) => boolean,
  ): Promise<Continuation[]>;
  /** The same columns for given tokens, appended to `sequence`; bit-identical to those `decode` gives for them. */
  score(
    sequence: Sequence,
    tokens: ArrayLike<number>,
    at: { temperature: number; alpha: number },
  ): Promise<Continuation>;
}
