import { grouped, minus, noun } from '../../format.ts';

export const bounds = ([low, high]: readonly [number, number]): string =>
  `[${minus((100 * low).toFixed(1))}, ${minus((100 * high).toFixed(1))}]`;
/** A difference of shares, in percentage points. */
export const points = (difference: number): string =>
  `${difference > 0 ? '+' : ''}${minus((100 * difference).toFixed(1))}`;
export const chance = (p: number): string => (p < 0.001 ? '< 0.001' : p.toFixed(3));
export const count = (n: number, what: string, many?: string): string =>
  `${grouped(n)} ${noun(n, what, many)}`;

/** Three digits, or all of a whole part. */
export function amount(value: number | null): string {
  if (value === null) return '–';
  return value >= 100 ? grouped(Math.round(value)) : minus(String(Number(value.toPrecision(3))));
}
