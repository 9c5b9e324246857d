/** How long the chain of a kernel remembers, from its transition matrix. */
import { inverseMean } from '../../../reference/inverse-mean.ts';
import { mean, standardError } from '../../harness/figures.ts';
import type { Kernel } from './kernel.ts';
import type { Node, State } from './language.ts';

/**
 * The transition matrix of a step: with K candidates P_c(x → y) = K q(y) w(y) h(max(w_x, w_y)), where h(m) is the mean of
 * 1 / (m + the weights of K − 1 more), and falls in m.
 */
export function transitions(kernel: Kernel): Float64Array[] {
  const { language, tries } = kernel;
  const { states } = language;
  const P = states.map(() => new Float64Array(states.length));
  for (let cut = 0; cut < language.longest; cut++) {
    const groups = new Map<Node, State[]>();
    for (const x of states) {
      const node = x.path.find(({ position }) => position >= cut);
      if (node) groups.set(node, [...(groups.get(node) ?? []), x]);
    }
    for (const group of groups.values()) {
      const logW = group.map((x) => kernel.logWeight(x, cut, x.response.tokens.length));
      const most = Math.max(...logW);
      if (most === -Infinity) continue;
      const w = logW.map((l) => Math.exp(l - most));
      const q = group.map(({ response }) => Math.exp(response.logq.subarray(cut).reduce((a, b) => a + b, 0)));
      const h = w.map(inverseMean(q, w, tries - 1));
      for (const [i, x] of group.entries()) {
        const r = kernel.lawOf(x)[cut];
        if (r === 0) continue;
        for (const [j, y] of group.entries()) {
          P[x.id][y.id] += r * tries * q[j] * w[j] * Math.min(h[i], h[j]);
        }
      }
    }
  }
  for (const [i, row] of P.entries()) {
    row[i] = 0;
    row[i] = 1 - row.reduce((a, b) => a + b, 0);
  }
  return P;
}

/** Standardised under π. */
export function standardised(pi: Float64Array, values: readonly number[]): number[] {
  const m = values.reduce((sum, value, i) => sum + pi[i] * value, 0);
  const deviation = Math.sqrt(values.reduce((sum, value, i) => sum + pi[i] * (value - m) ** 2, 0));
  return values.map((value) => (value - m) / deviation);
}

/** 1 + 2 Σ autocorrelations of f, which is standardised, from (I − P + 1π)⁻¹ f. */
export function autocorrelationTime(
  P: readonly Float64Array[],
  pi: Float64Array,
  f: readonly number[],
): number {
  const n = f.length;
  const rows = P.map((row, i) => {
    return Float64Array.from({ length: n + 1 }, (_, j) =>
      j === n ? f[i] : Number(i === j) - row[j] + pi[j],
    );
  });
  for (let k = 0; k < n; k++) {
    const pivot = rows.slice(k).reduce((a, b) => (Math.abs(b[k]) > Math.abs(a[k]) ? b : a));
    rows[rows.indexOf(pivot, k)] = rows[k];
    rows[k] = pivot;
    for (const [i, row] of rows.entries()) {
      const factor = row[k] / pivot[k];
      if (i === k || factor === 0) continue;
      for (let j = k; j <= n; j++) row[j] -= factor * pivot[j];
    }
  }
  return 2 * f.reduce((sum, value, i) => sum + (pi[i] * value * rows[i][n]) / rows[i][i], 0) - 1;
}

/**
 * Throws unless π is invariant and the steps leave a state as often as the matrix says.
 * @param surprise of each step, 1 if it left its state, less the probability of that
 */
export function confirm(P: readonly Float64Array[], pi: Float64Array, surprise: number[]): void {
  const off = Math.max(...pi.map((p, j) => Math.abs(P.reduce((sum, row, i) => sum + pi[i] * row[j], -p))));
  if (off > 1e-12) throw new Error(`the target moves by ${off}`);
  const z = mean(surprise) / standardError(surprise);
  if (Math.abs(z) > 4.5) throw new Error(`the steps are not those of the matrix: z = ${z}`);
}
