import { percent } from '../../format.ts';

/** A token's, of its logarithm. */
export function probability(logp: number): string {
  const percent = 100 * Math.exp(logp);
  if (percent >= 99.995) return '100 %';
  const digits = percent >= 99 ? 4 : percent >= 10 ? 3 : 2;
  return `${percent >= 0.001 ? percent.toPrecision(digits) : percent.toExponential(1)} %`;
}

export const share = (part: number): string => (part > 0 && part < 0.001 ? 'below 0.1 %' : percent(part));
