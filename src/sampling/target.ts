import type { Response } from './response.ts';

/** The target p^α and the temperature τ of the proposal q. */
export interface Target {
  readonly alpha: number;
  readonly temperature: number;
}

/** Whether p^α / q is at most 1 for every token: 1/α ≤ τ ≤ 1. */
export const isBounded = ({ alpha, temperature }: Target): boolean =>
  temperature >= 1 / alpha && temperature <= 1;

/**
 * log p(x_≥cut)^α / q(x_≥cut), given the prefix: α Σ log p − Σ log q. At τ = 1/α each term is log Z_α, and summing those spares the
 * difference of two large numbers. Summed from the cut on in order of position, in f64.
 * @param end one past the last token that counts; a full suffix unless said otherwise
 */
export function logWeight(target: Target, x: Response, cut: number, end: number = x.tokens.length): number {
  const { alpha, temperature } = target;
  const most = isBounded(target) ? 0 : Infinity; // beyond it by rounding only
  let sum = 0;
  if (temperature === 1 / alpha) {
    for (let t = cut; t < end; t++) sum += x.logZ[t];
  } else {
    for (let t = cut; t < end; t++) sum += Math.min(most, alpha * x.logp[t] - x.logq[t]);
  }
  return sum;
}

/** log of the mean of e^value. */
export function logMeanExp(values: readonly number[]): number {
  const max = Math.max(...values);
  if (!Number.isFinite(max)) return max;
  return max + Math.log(values.reduce((sum, value) => sum + Math.exp(value - max), 0) / values.length);
}
