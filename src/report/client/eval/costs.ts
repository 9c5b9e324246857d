import type { SamplerSummary } from '../../../eval/summary.ts';

/** What accuracy is shown against. */
export interface Cost {
  readonly key: 'sequentialPasses' | 'computedRows' | 'wallSeconds';
  readonly name: string;
  onFrontier(summary: SamplerSummary): boolean;
}

export const COSTS: readonly Cost[] = [
  { key: 'sequentialPasses', name: 'sequential passes', onFrontier: ({ frontier }) => frontier.passes },
  { key: 'computedRows', name: 'computed rows', onFrontier: ({ frontier }) => frontier.rows },
  { key: 'wallSeconds', name: 'wall seconds', onFrontier: ({ frontier }) => frontier.wall },
];

/** A point of the chart: a cost, and an accuracy in per cent. */
export interface Dot {
  x: number;
  y: number;
  /** Index; −1 for a corner of the frontier. */
  sampler: number;
}

/** The samplers whose cost and accuracy are known, cheapest first. */
export function dotsOf(samplers: readonly SamplerSummary[], { key }: Cost): Dot[] {
  return samplers
    .flatMap((one, i): Dot[] => {
      const x = one[key];
      return x === null || x <= 0 || one.accuracy === null ? [] : [{ x, y: 100 * one.accuracy, sampler: i }];
    })
    .sort((a, b) => a.x - b.x);
}

/** In per cent. */
export function intervalOf(samplers: readonly SamplerSummary[], { sampler }: Dot): [number, number] {
  const [low, high] = samplers[sampler].interval as [number, number];
  return [100 * low, 100 * high];
}

/** How accurate one can be at a cost: up with each sampler on the frontier, and on to the chart's edge. */
export function frontierOf(
  samplers: readonly SamplerSummary[],
  dots: readonly Dot[],
  cost: Cost,
  edge: number,
): Dot[] {
  const corners = dots
    .filter(({ sampler }) => cost.onFrontier(samplers[sampler]))
    .map((dot) => ({ ...dot, sampler: -1 }));
  const last = corners.at(-1);
  return last ? [...corners, { ...last, x: edge }] : [];
}
