/**
 * How a step decides among its candidates y_j and the current response x, given ρ_j = w(y_j) / w(x).
 * - metropolis: Multiple-Try Metropolis with independent candidates (Liu, Liang & Wong, 2000), where the candidates not selected
 *   serve as the reference set. J = argmax(log ρ + γ), so J ∝ ρ_J, is selected and then accepted with probability
 *   min(1, Σρ / (1 + Σρ − ρ_J)). One candidate: Metropolis–Hastings.
 * - barker: x takes part in the selection, with ρ = 1 (Barker, 1965). Simpler, and accepts less.
 */
export type Acceptance = 'metropolis' | 'barker';

/** The random numbers of a decision, drawn before the candidates are. @internal */
export interface Lots {
  /** Uniform in (0, 1). */
  readonly u: number;
  /** Standard Gumbel variates γ_j, one a candidate, then that of the current response. */
  readonly gumbels: ArrayLike<number>;
}

/**
 * The outcome as soon as it is certain. The acceptance of metropolis is written as U·ρ_J + (1 − U)·Σρ > U, which rises in every ρ_j:
 * what fails it with upper bounds fails it for good, and what passes it without the unfinished passes it for good. Sums run in
 * the order of the candidates, so that rounding is monotone too and the outcome is in every case the one of the finished candidates.
 * @param logRho log ρ_j of the finished candidates, an upper bound for the others; −Infinity is allowed
 * @returns the candidate taken, −1 if the chain stays, undefined as long as that is open; never undefined when all are finished
 * @internal
 */
export function decide(
  acceptance: Acceptance,
  logRho: ArrayLike<number>,
  finished: ArrayLike<boolean>,
  lots: Lots,
): number | undefined {
  const { u, gumbels } = lots;
  const key = (j: number) => logRho[j] + gumbels[j];
  let selected = 0;
  for (let j = 1; j < logRho.length; j++) if (key(j) > key(selected)) selected = j;

  if (acceptance === 'barker') {
    if (!(key(selected) > gumbels[logRho.length])) return -1;
    return finished[selected] ? selected : undefined;
  }

  let sum = 0; // of all, the unfinished by their bounds
  let sumFinished = 0;
  let best = -Infinity; // key among the finished
  for (let j = 0; j < logRho.length; j++) {
    const rho = Math.exp(logRho[j]);
    sum += rho;
    if (!finished[j]) continue;
    sumFinished += rho;
    best = Math.max(best, key(j));
  }
  // A finished candidate whose key no bound exceeds stays the one selected.
  const certain = finished[selected];
  let most = Math.exp(logRho[selected]); // of a candidate that can still be selected
  for (let j = 0; j < logRho.length && !certain; j++) {
    if (key(j) >= best) most = Math.max(most, Math.exp(logRho[j]));
  }
  if (!(u * most + (1 - u) * sum > u)) return -1;
  return certain && u * most + (1 - u) * sumFinished > u ? selected : undefined;
}

/**
 * The probability of each finished candidate to be taken, over the random numbers of the decision: ρ_j/Σρ · min(1, Σρ / (1 + Σρ − ρ_j)) for
 * metropolis, ρ_j / (1 + Σρ) for barker. What is missing to 1 is the probability to stay.
 * @internal
 */
export function chances(acceptance: Acceptance, logRho: readonly number[]): number[] {
  const most = Math.max(0, ...logRho);
  const w = logRho.map((l) => Math.exp(l - most));
  const current = Math.exp(-most);
  const sum = w.reduce((a, b) => a + b, 0);
  if (sum === 0) return w;
  if (acceptance === 'barker') return w.map((each) => each / (current + sum));
  return w.map((each) => (each / sum) * Math.min(1, sum / (current + sum - each)));
}

/** The unfinished candidate to decode next where rows are serial: the likeliest to be selected, or else the heaviest. @internal */
export function mostPromising(
  logRho: ArrayLike<number>,
  finished: ArrayLike<boolean>,
  { gumbels }: Lots,
): number {
  const indices = Array.from(logRho, (_, j) => j);
  const best = (of: number[], value: (j: number) => number) =>
    of.reduce((a, b) => (value(b) > value(a) ? b : a));
  const key = (j: number) => logRho[j] + gumbels[j];
  const selected = best(indices, key);
  if (!finished[selected]) return selected;
  return best(
    indices.filter((j) => !finished[j]),
    (j) => logRho[j],
  );
}
