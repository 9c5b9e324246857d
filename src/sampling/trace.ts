/** What a run has cost and how its steps went. */
export interface Account {
  /** Tokens drawn, in all rows, kept or not. */
  decodedTokens: number;
  /** Forward passes in series: the longest row of each decode call, summed. */
  sequentialSteps: number;
  /** Refinement steps that drew candidates. */
  proposed: number;
  /** Of those, the steps that took one. */
  accepted: number;
  /** Refinement steps that drew none, their block being closed. */
  held: number;
}

/** One step; its index in the trace is its number in the random stream. */
export interface Step {
  readonly kind: 'grow' | 'propose' | 'hold';
  /** The block, from 1, up to which the response had been grown. */
  readonly block: number;
  /** Positions from here on were drawn again; the old length for a growth, −1 for a hold. */
  readonly cut: number;
  /** Length of the response with each candidate. */
  readonly lengths: readonly number[];
  /** log ρ = log w(candidate) − log w(current), one a candidate; none for a growth. */
  readonly logRho: readonly number[];
  /** The candidate taken, or −1. */
  readonly outcome: number;
  /** What stands from `cut` on since this step; empty if no candidate was taken. */
  readonly tokens: Uint32Array;
  /** log p of the response after the step. */
  readonly logp: number;
}

/** Everything needed to replay a run, one response after the other. */
export interface Trace {
  readonly steps: Step[];
  /** For each token of the final response, the step that drew it. */
  drawnAt: Uint32Array;
}
