/**
 * Selection and acceptance of Multiple-Try Metropolis with independent candidates (Liu, Liang & Wong, 2000), where the
 * candidates not selected serve as the reference set. With ρ_j = w_j / w_x the candidate J = argmax(log ρ + γ) is selected, J ∝ ρ_J,
 * and accepted with probability min(1, Σρ / (1 + Σρ − ρ_J)). One candidate: Metropolis–Hastings.
 *
 * The acceptance is written as U·ρ_J + (1 − U)·Σρ > U, which rises in every ρ_j: an upper bound on the weights that fails it rejects.
 * @param logRho log ρ_j; −Infinity is allowed
 * @param u uniform in (0, 1)
 * @param gumbels standard Gumbel variates γ_j
 * @returns J if it is accepted, −1 if the chain stays
 */
export function multipleTry(logRho: ArrayLike<number>, u: number, gumbels: ArrayLike<number>): number {
  let selected = 0;
  let total = 0;
  for (let j = 0; j < logRho.length; j++) {
    total += Math.exp(logRho[j]);
    if (logRho[j] + gumbels[j] > logRho[selected] + gumbels[selected]) selected = j;
  }
  return u * Math.exp(logRho[selected]) + (1 - u) * total > u ? selected : -1;
}
