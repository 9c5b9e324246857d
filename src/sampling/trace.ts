import type { Costs } from '../tree/plan.ts';

/** What a run has cost and how its steps went. */
export interface Account extends Costs {
  /** Tokens drawn, in all candidates, kept or not. */
  drawnTokens: number;
  /** Refinement steps that cut. */
  proposed: number;
  /** Of those, the steps that took one. */
  accepted: number;
  /** Refinement steps that drew none, their block being closed. */
  held: number;
  /** Candidates given up before their end, the outcome being certain. */
  abandoned: number;
}

/** One step; its index in the trace is its number in the random stream. */
export interface Step {
  /** grow: the response became longer. propose: candidates were drawn. hold: nothing was cut. */
  readonly kind: 'grow' | 'propose' | 'hold';
  /** The block, from 1, up to which the response had been grown. */
  readonly block: number;
  /** Positions from here on were drawn again; the old length for a growth, −1 for a hold. */
  readonly cut: number;
  /** Length of the response with each candidate, as far as it was decoded. */
  readonly lengths: readonly number[];
  /** Which candidates were given up before their end. */
  readonly abandoned: readonly boolean[];
  /** log ρ = log w(candidate) − log w(current), one a candidate, an upper bound for one given up; none for a growth. */
  readonly logRho: readonly number[];
  /** The candidate taken, or −1. */
  readonly outcome: number;
  /** What stands from `cut` on since this step; empty if no candidate was taken. */
  readonly tokens: Uint32Array;
  /** Of each of these tokens the entropy of the distribution it was drawn from and its log p, nats. */
  readonly entropy: Float64Array;
  /** log p of each of these tokens. */
  readonly tokenLogp: Float64Array;
  /** How their distributions were come by; see ORIGIN. */
  readonly origins: Uint8Array;
  /** log p of the response after the step. */
  readonly logp: number;
  /** Of the run up to here. */
  readonly account: Readonly<Account>;
}

/** Everything needed to replay a run, one response after the other. */
export interface Trace {
  /** In their order; the number of a step is its index. */
  readonly steps: Step[];
  /** For each token of the final response, the step that drew it. */
  drawnAt: Uint32Array;
}
