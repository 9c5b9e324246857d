import type { Comparison, Summary } from '../../../eval/summary.ts';

/** Two samplers compared, by their indices. */
export interface Pair extends Omit<Comparison, 'a' | 'b'> {
  a: number;
  b: number;
}

export function pairsOf({ samplers, comparisons }: Summary): Pair[] {
  const places = new Map(samplers.map(({ name }, i) => [name, i]));
  return comparisons.map((one) => ({
    ...one,
    a: places.get(one.a) as number,
    b: places.get(one.b) as number,
  }));
}

/** Those with a sampler, which stands last in each. */
export const pairsWith = (pairs: readonly Pair[], base: number): Pair[] =>
  pairs.filter(({ a, b }) => a === base || b === base).map((pair) => (pair.a === base ? turned(pair) : pair));

/** The pair the other way round. */
const turned = ({ a, b, onlyA, onlyB, difference, interval, ...rest }: Pair): Pair => ({
  ...rest,
  a: b,
  b: a,
  onlyA: onlyB,
  onlyB: onlyA,
  difference: difference === null ? null : 0 - difference,
  interval: interval === null ? null : [0 - interval[1], 0 - interval[0]],
});
