import type { Response } from './chain.ts';

/** The target p^α and the temperature τ of the proposal q. */
export interface Target {
  readonly alpha: number;
  readonly temperature: number;
}

/**
 * log p(x_≥cut)^α / q(x_≥cut), given the prefix: α Σ log p − Σ log q. At τ = 1/α each term is log Z_α, and summing those spares the
 * difference of two large numbers. Summed from the cut on in order of position, in f64.
 * @param end one past the last token that counts; a full suffix unless said otherwise
 */
export function logWeight(target: Target, x: Response, cut: number, end = x.tokens.length): number {
  let sum = 0;
  if (target.temperature === 1 / target.alpha) {
    for (let t = cut; t < end; t++) sum += x.logZ[t];
  } else {
    for (let t = cut; t < end; t++) sum += target.alpha * x.logp[t] - x.logq[t];
  }
  return sum;
}
