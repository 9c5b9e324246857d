/** What the server of the page sends it, an event after another. Numbers are rounded for show. */
export type WatchEvent =
  | {
      readonly type: 'start';
      readonly seed: string;
      readonly promptTokens: number;
    }
  /** Of a plain answer: one token more. */
  | { readonly type: 'token'; readonly piece: WatchPiece; readonly logProbability: number }
  /** Of a chain: the answer as it is now. */
  | ({ readonly type: 'state' } & WatchState)
  | ({ readonly type: 'end'; readonly seconds: number; readonly trace: string } & WatchState);

/** Text of a token, and the entropy of the distribution that it was drawn from, in nats. */
export type WatchPiece = readonly [text: string, entropy: number];

export interface WatchState {
  readonly pieces: readonly WatchPiece[];
  /** log p of the answer, nats. */
  readonly logProbability: number;
  /** Share of the work that is done. */
  readonly done: number;
  /** Names and values. */
  readonly account: readonly (readonly [name: string, value: string])[];
  /** Final answers with their estimated probabilities under p^α, most probable first; null: no answer. */
  readonly answers: readonly { readonly answer: string | null; readonly probability: number }[];
  /** Answers that the run has come by, with their weights. */
  readonly visits: readonly {
    readonly tokens: readonly number[];
    readonly logp: number;
    readonly weight: number;
  }[];
  /** Text of the tokens that `visits` has and that were not told before. */
  readonly texts: Readonly<Record<number, string>>;
}
