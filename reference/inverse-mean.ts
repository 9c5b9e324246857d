const STEP = 0.25; // leaves an error of e^(−π² / STEP)

/**
 * E 1 / (m + w_1 + … + w_n) over n independent draws of the weights w by q, for m no less than the least weight:
 * ∫ e^{−mt} (E e^{−tw})ⁿ dt, by the trapezoid rule in log t.
 */
export function inverseMean(q: readonly number[], w: readonly number[], n: number): (m: number) => number {
  if (n === 0) return (m) => 1 / m;
  const from = -Math.log(Math.max(...w)) - 34;
  const to = -Math.log(Math.min(...w)) + 4;
  const nodes = Array.from({ length: Math.ceil((to - from) / STEP) }, (_, i) => {
    const t = Math.exp(from + STEP * i);
    const phi = w.reduce((sum, value, j) => sum + q[j] * Math.exp(-t * value), 0);
    return { t, value: STEP * t * phi ** n };
  });
  return (m) => nodes.reduce((sum, { t, value }) => sum + value * Math.exp(-m * t), 0);
}
