import { philox, uniform } from '../sampling/random.ts';

export type Interval = [low: number, high: number];

/**
 * Score interval of a share: the p whose z-test the observed share passes (Wilson, 1927). `right` need not be whole.
 *
 * @returns [0, 1] where there is nothing: total = 0
 */
export function wilson(right: number, total: number, z = 1.959964): Interval {
  if (total === 0) return [0, 1];
  const share = right / total;
  const middle = share + z ** 2 / (2 * total);
  const half = z * Math.sqrt((share * (1 - share)) / total + (z / (2 * total)) ** 2);
  const scale = 1 + z ** 2 / total;
  // At the ends the bound is exact, whatever the rounding.
  return [right === 0 ? 0 : (middle - half) / scale, right === total ? 1 : (middle + half) / scale];
}

/**
 * Two-sided p-value of the exact test of two paired shares (McNemar, 1947; exact: Liddell, 1976): the pairs of which only one
 * is right are fair coin tosses if the shares are equal. 1 where there are none.
 */
export function mcnemar(onlyA: number, onlyB: number): number {
  const n = onlyA + onlyB;
  const k = Math.min(onlyA, onlyB);
  if (2 * k >= n) return 1;
  // P(X ≤ k) as its largest term, log C(n, k) − n log 2, times what the others are of it.
  let log = -n * Math.LN2;
  for (let i = 1; i <= k; i++) log += Math.log((n - k + i) / i);
  let term = 1;
  let sum = 1;
  for (let i = k; i > 0; i--) {
    term *= i / (n - i + 1);
    sum += term;
  }
  return Math.min(1, 2 * Math.exp(log) * sum);
}

/** Value below which a share `q` of an ascending column lies, linear between its values (Hyndman and Fan's type 7, 1996). */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/** Beside the purposes of the samplers' own draws, in the same random stream. */
const PURPOSE = 4 * 2 ** 28;

/**
 * Percentile intervals, 95 %, of the means of columns of paired differences, one an item: the items are drawn again with replacement
 * (Efron, 1979), the same ones for all columns, which are equally long. The same arguments give the same intervals.
 */
export function bootstrap(
  columns: readonly (readonly number[])[],
  seed: bigint,
  resamples = 10000,
): Interval[] {
  const n = columns[0].length;
  const key = [Number(seed & 0xffffffffn), Number((seed >> 32n) & 0xffffffffn)];
  const picked = new Uint32Array(n);
  const means = columns.map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i += 4) {
      const bits = philox([i / 4, r, 0, PURPOSE], key);
      for (let j = i; j < Math.min(i + 4, n); j++) picked[j] = Math.floor(uniform(bits[j - i]) * n);
    }
    for (const [c, column] of columns.entries()) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += column[picked[i]];
      means[c][r] = sum / n;
    }
  }
  return means.map((column) => {
    column.sort();
    return [quantile(column, 0.025), quantile(column, 0.975)];
  });
}

/**
 * Unbiased estimate of the chance that at least one of k responses is right, from n responses of which c are: 1 − C(n − c, k) /
 * C(n, k) (Chen et al., 2021), as a product, for the binomials overflow.
 */
export function passAtK(n: number, c: number, k: number): number {
  let none = 1;
  for (let i = 0; i < k; i++) none *= Math.max(0, n - c - i) / (n - i);
  return 1 - none;
}

/**
 * The vote of several responses (self-consistency; Wang et al., 2022): index of the first response of the most frequent answer.
 * Responses without an answer, null, have no vote; of equally frequent answers the one that came first wins; −1 without any vote.
 */
export function majority(answers: readonly (string | null)[]): number {
  const votes = new Map<string, number>();
  for (const answer of answers) if (answer !== null) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  // A map keeps the order in which its keys came.
  const most = Math.max(0, ...votes.values());
  const [winner] = [...votes].find(([, count]) => count === most) ?? [null];
  return winner === null ? -1 : answers.indexOf(winner);
}
