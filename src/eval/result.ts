import type { Account } from '../sampling/sample.ts';
import type { Verdict } from './item.ts';

/** One response to one item: a line of results.jsonl. The same arguments on the same adapter give the same line. */
export interface Result {
  /** Id of the item. */
  readonly item: string;
  /** The sampler as it stands on the command line. */
  readonly sampler: string;
  /** Number of the response among those that the sampler drew for the item, from 0. */
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
  readonly account: Omit<Account, 'rowsPerStep' | 'savedTokens'>;
}

/** When a response was made: a line of timings.jsonl. It differs from run to run. */
export interface Timing {
  readonly item: string;
  readonly sampler: string;
  readonly sample: number;
  /** The process that drew it. */
  readonly process: string;
  /** Seconds from the start of that process's run to the start and to the end of the chain. */
  readonly began: number;
  readonly ended: number;
  /** Seconds until it was graded, those included in which the grader had others to do. */
  readonly graded: number;
}

type Key = Pick<Result, 'item' | 'sampler' | 'sample'>;

/** One string for all lines on the same response. */
export const keyOf = ({ item, sampler, sample }: Key): string => JSON.stringify([item, sampler, sample]);

/** Two processes may have drawn the same response, and it is the same: the first line of each counts. */
export function distinct<T extends Key>(lines: readonly T[]): T[] {
  const seen = new Set<string>();
  return lines.filter((line) => {
    const key = keyOf(line);
    return !seen.has(key) && seen.add(key);
  });
}
