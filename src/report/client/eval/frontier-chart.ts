import type { Chart as ChartClass, ChartDataset, ChartOptions } from 'chart.js';
import type { SamplerSummary } from '../../../eval/summary.ts';
import { percent } from '../../format.ts';
import { logTicks } from '../ticks.ts';
import { axis, Chart, color, tooltip } from './chart-look.ts';
import { COSTS, type Cost, type Dot, dotsOf, frontierOf, intervalOf } from './costs.ts';
import { amount, bounds, count } from './format.ts';
import { errorBars, labels } from './frontier-plugins.ts';
import type { Samplers } from './samplers.ts';

type Scales = NonNullable<ChartOptions<'scatter'>['scales']>;

/** Accuracy against a cost. @param responses to an item */
export function drawFrontier(
  canvas: HTMLCanvasElement,
  cost: Cost,
  samplers: Samplers,
  responses: number,
): ChartClass {
  const dots = dotsOf(samplers.all, cost);
  const low = Math.min(...dots.map(({ x }) => x)) / 1.4;
  const high = Math.max(...dots.map(({ x }) => x)) * 1.4;
  canvas.setAttribute(
    'aria-label',
    `Accuracy against ${cost.name} a response. The table of samplers has the numbers.`,
  );
  const families = samplers.families.map((family) => familyDataset(samplers, family, dots));
  return new Chart(canvas, {
    type: 'scatter',
    data: { datasets: [...families, frontierDataset(frontierOf(samplers.all, dots, cost, high))] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      scales: {
        x: costAxis(`${cost.name} a response`, low, high),
        y: accuracyAxis(dots.flatMap((dot) => intervalOf(samplers.all, dot))),
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          ...tooltip(),
          filter: ({ raw }) => (raw as Dot).sampler >= 0,
          callbacks: {
            title: (shown) => shown.map(({ raw }) => samplers.lettered((raw as Dot).sampler)).join('\n'),
            label: ({ raw }) => factsOf(samplers.all[(raw as Dot).sampler], responses),
          },
        },
      },
    },
    plugins: [errorBars(samplers), labels(samplers)],
  });
}

function familyDataset(samplers: Samplers, family: string, dots: readonly Dot[]): ChartDataset<'scatter'> {
  const look = samplers.lookOf(family);
  const hue = color(look.color);
  const { style, rotation } = look.shape;
  const isOpen = style === 'crossRot' || style === 'star' || style === 'cross';
  return {
    label: family,
    data: dots.filter(({ sampler }) => samplers.all[sampler].family === family),
    showLine: true,
    // A point may lie on the edge.
    clip: 10,
    borderWidth: 1,
    borderColor: hue,
    backgroundColor: hue,
    pointStyle: style,
    pointRotation: rotation,
    pointRadius: 6,
    pointHoverRadius: 8,
    pointHitRadius: 10,
    pointBorderWidth: isOpen ? 2.5 : 1,
  };
}

const frontierDataset = (corners: Dot[]): ChartDataset<'scatter'> => ({
  data: corners,
  showLine: true,
  stepped: 'before',
  borderColor: color('--soft'),
  borderWidth: 1.5,
  borderDash: [6, 4],
  pointRadius: 0,
  pointHitRadius: 0,
  pointHoverRadius: 0,
});

function costAxis(title: string, low: number, high: number): Scales[string] {
  const look = axis();
  return {
    ...look,
    type: 'logarithmic',
    min: low,
    max: high,
    title: { display: true, text: title, color: color('--soft') },
    ticks: {
      ...look.ticks,
      maxRotation: 0,
      autoSkipPadding: 10,
      callback: (value) => amount(Number(value)),
    },
    afterBuildTicks: (scale) => {
      scale.ticks = logTicks(low, high).map((value) => ({ value }));
    },
  };
}

/** @param ends of the intervals, which must have room */
const accuracyAxis = (ends: readonly number[]): Scales[string] => ({
  ...axis(),
  min: Math.max(0, 10 * Math.floor(Math.min(...ends) / 10)),
  max: Math.min(100, 10 * Math.ceil(Math.max(...ends) / 10)),
  title: { display: true, text: 'accuracy, %', color: color('--soft') },
});

/** What a point tells. */
function factsOf(one: SamplerSummary, responses: number): string[] {
  const { accuracy, interval, right, items, acceptance } = one;
  if (accuracy === null || interval === null) return [];
  return [
    `accuracy ${percent(accuracy)} ${bounds(interval)}`,
    `${right} right of ${count(items * responses, 'response')}`,
    ...COSTS.filter(({ key }) => one[key] !== null).map(({ key, name }) => `${name} ${amount(one[key])}`),
    ...(acceptance === null ? [] : [`accepted ${percent(acceptance)}`]),
  ];
}
