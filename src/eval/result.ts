import type { Account, Pick as PickName } from '../sampling/sample.ts';
import type { Verdict } from './item.ts';

/** What steps a run has taken: the same whatever runs beside it. */
export type Moves = Pick<Account, 'proposed' | 'accepted' | 'held'>;

/** What a run has cost. It depends on what runs beside it, and on what passes were measured to take. */
export type RunCosts = Omit<Account, keyof Moves>;

/** One response to one item: a line of results.jsonl. The same arguments on the same adapter give the same line. */
export interface Result {
  /** Id of the item. */
  readonly item: string;
  /** The sampler as it stands on the command line. */
  readonly sampler: string;
  /** Which response of the run it is. */
  readonly pick: PickName;
  /** Number of the run among those of the sampler for the item, from 0. */
  readonly sample: number;
  readonly verdict: Verdict;
  /** See `Grade`. */
  readonly answer: string | null;
  readonly text: string;
  /** Length in tokens, EOS included. */
  readonly tokens: number;
  readonly finish: 'eos' | 'length' | null;
  /** log p of the response under the base model, nats; null where nothing was drawn. */
  readonly logp: number | null;
  /**
   * The run's estimate of how probable right answers are under p^α: the weights of the responses it has come by that are right. null for
   * picks other than `last`, for samplers that draw from p, and where responses are graded by running them, which would take too long.
   */
  readonly mass: number | null;
  /** Share of right ones among the states after the steps at the full horizon, each counted alike; null as `mass`, and without such steps. */
  readonly overSteps: number | null;
  readonly moves: Moves;
  /** The gate, in nats, that was fitted to the prompt, where the sampler's options leave it to the run and steps went by one. */
  readonly gate?: number;
}

/** When a run was made and what it cost up to one of its readings: a line of timings.jsonl. It differs from time to time. */
export interface Timing {
  readonly item: string;
  readonly sampler: string;
  readonly sample: number;
  /** The process that drew it. */
  readonly process: string;
  /** Seconds from the start of that process to the start of the chain, and to when it had come to where it is read. */
  readonly began: number;
  readonly ended: number;
  /** Seconds until all readings of the chain were graded, those included in which the grader had others to do. */
  readonly graded: number;
  readonly costs: RunCosts;
}

interface Key {
  readonly item: string;
  readonly sampler: string;
  readonly pick?: PickName;
  readonly sample: number;
}

/** One string for all lines on the same response. */
export const keyOf = ({ item, sampler, pick, sample }: Key): string =>
  JSON.stringify([item, sampler, ...(pick ? [pick] : []), sample]);

/** The key of what was timed when the response was drawn. */
export const timingKeyOf = ({ item, sampler, sample }: Key): string => keyOf({ item, sampler, sample });

/** Two processes may have drawn the same response, and it is the same: the first line of each counts. */
export function distinct<T extends Key>(lines: readonly T[]): T[] {
  const seen = new Set<string>();
  return lines.filter((line) => {
    const key = keyOf(line);
    return !seen.has(key) && seen.add(key);
  });
}
