import { type Finish, logProbability, type Response } from './response.ts';

/** A response that a run has come by. */
export interface Visit {
  readonly tokens: Uint32Array;
  readonly finish: Finish;
  /** log p. */
  readonly logProbability: number;
  /** The run's estimate of its probability under p^α; the weights of a run sum to 1. */
  readonly weight: number;
}

/** A response and what it counts. */
export interface Weighted {
  readonly response: Response;
  readonly weight: number;
}

/** All responses that a run has come by. */
export interface Visited {
  /** Of sequential Monte Carlo; their weights sum to 1. None where there was none. */
  readonly particles: readonly Weighted[];
  /**
   * The state before the steps at the full horizon and after each of them: one response, or, where candidates are written to their
   * ends, what the step could have taken with the probability of each. Weights sum to 1 each.
   */
  readonly states: readonly (readonly Weighted[])[];
}

/** Which of a run's responses is its answer; the last state is the only one of them that is a sample. */
export type Pick = 'last' | 'likeliest' | 'vote';

/**
 * What a run had come by after so many steps at the full horizon. The weights are those of the particles, where there are any: the states
 * of a short chain beside them, one sticky lineage, would make the estimate worse, and count for nothing. Otherwise every step counts alike.
 */
export function visitsAfter({ particles, states }: Visited, steps: number = states.length - 1): Visit[] {
  const seen = states.slice(0, steps + 1);
  const counted = particles.length > 0 ? [] : steps > 0 ? seen.slice(1) : seen;
  const all = [
    ...particles,
    ...counted.flatMap((state) =>
      state.map(({ response, weight }) => ({ response, weight: weight / counted.length })),
    ),
    ...seen.flatMap((state) => state.map(({ response }) => ({ response, weight: 0 }))),
  ];
  const found = new Map<string, Visit>();
  for (const { response, weight } of all) {
    const { tokens, finish } = response;
    const key = tokens.join();
    const before = found.get(key);
    found.set(
      key,
      before
        ? { ...before, weight: before.weight + weight }
        : { tokens, finish, logProbability: logProbability(response), weight },
    );
  }
  return [...found.values()];
}

/** Of highest log p. */
export const likeliest = (all: readonly Visit[]): Visit =>
  all.reduce((a, b) => (b.logProbability > a.logProbability ? b : a));
