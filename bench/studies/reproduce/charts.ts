/** Accuracy against cost. */
import type { SamplerSummary, Summary } from '../../../src/eval/summary.ts';
import { chart } from '../../chart.ts';
import { type Cost, curvesOf, known } from './curves.ts';

const point = (one: SamplerSummary, x: number) => ({
  x,
  y: known(one.accuracy),
  error: one.interval ? (one.interval[1] - one.interval[0]) / 4 : undefined,
});

const AXES = { yLabel: 'accuracy', logX: true, percentY: true };
const COSTS: readonly { xLabel: string; cost: Cost }[] = [
  { xLabel: 'sequential passes a problem', cost: 'sequentialPasses' },
  { xLabel: 'rows computed a problem', cost: 'computedRows' },
];
const BARS = 'embedded model; bars are half as long as 95 % intervals';

/** Last states. */
export function frontier(summary: Summary, without: Summary): string {
  const shown = curvesOf(summary, without).filter(
    ({ without, name }) => !without || name.startsWith('metropolis'),
  );
  const panels = COSTS.map(({ xLabel, cost }) => ({
    ...AXES,
    xLabel,
    series: shown.map(({ name, rows, costs }) => ({
      name,
      points: rows.map((one, i) => point(one, known(costs[i][cost]))),
    })),
  }));
  return chart(`Accuracy against cost, ${summary.run.items} held-out problems, α = 4`, panels, BARS);
}

/** What else is picked of a run, by the number of particles or of answers. */
export function picked({ samplers, run }: Summary, finalSteps: number): string {
  const series = (name: string, starts: string, pick: string) => ({
    name,
    rows: samplers
      .filter((one) => one.pick === pick && one.sampler.startsWith(starts))
      .filter(({ sampler, options }) => !sampler.startsWith('egps') || options.finalSteps === finalSteps)
      .filter(({ options }) => options.growth !== 'blocks' || !starts.startsWith('egps'))
      .toSorted((a, b) => known(a.computedRows) - known(b.computedRows)),
  });
  const shown = [
    ...['last', 'likeliest', 'vote'].map((pick) => series(`egps, ${pick}`, 'egps', pick)),
    ...['last', 'likeliest', 'vote'].map((pick) => series(`smc, ${pick}`, 'smc', pick)),
    series('best-of-n', 'best-of-n', 'last'),
    series('best-of-n, vote', 'best-of-n', 'vote'),
  ];
  const panels = COSTS.map(({ xLabel, cost }) => ({
    ...AXES,
    xLabel,
    series: shown.map(({ name, rows }) => ({
      name,
      points: rows.map((one) => point(one, known(one[cost]))),
    })),
  }));
  const title = `Answers picked of a run, ${run.items} held-out problems, α = 4`;
  return chart(title, panels, `${BARS}; points are numbers of particles, or of answers`);
}
