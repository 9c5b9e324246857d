import type { Chart as ChartClass, ChartOptions, Plugin } from 'chart.js';
import type { Summary } from '../../../eval/summary.ts';
import { percent } from '../../format.ts';
import { element, find } from '../dom.ts';
import { axis, Chart, color, tooltip } from './chart-look.ts';
import { amount, count } from './format.ts';
import { nameOf } from './names.ts';
import type { Samplers } from './samplers.ts';

/** A card for each sampler, whose chart is drawn later. */
export function showLengths(samplers: Samplers): void {
  find('lengths').append(
    ...samplers.all.map((one, i) => {
      const facts = [
        `mean ${amount(one.length)}`,
        ...(one.cutAtHorizon === null ? [] : [`${percent(one.cutAtHorizon)} cut at the limit`]),
        ...(one.acceptance === null ? [] : [`${percent(one.acceptance)} of proposals accepted`]),
      ];
      const plot = element('canvas');
      plot.setAttribute('role', 'img');
      plot.setAttribute('aria-label', `Lengths of the responses of ${one.name}: ${facts.join(', ')}`);
      const title = element('h3', '', nameOf(samplers, i));
      const text = one.responses === 0 ? 'no responses yet' : facts.join(' · ');
      return element('article', 'card', title, element('p', '', text), element('div', 'plot', plot));
    }),
  );
}

/** All on one scale. */
export function drawLengths({ lengthEdges: edges }: Summary, samplers: Samplers): ChartClass[] {
  const shares = samplers.all.map(({ lengths, responses }) =>
    lengths.map((n) => (responses === 0 ? 0 : (100 * n) / responses)),
  );
  const highest = 10 * Math.ceil(Math.max(1, ...shares.flat()) / 10);
  return Array.from(find('lengths').querySelectorAll('canvas'), (canvas, i) => {
    const { length, lengths, family } = samplers.all[i];
    const hue = color(samplers.lookOf(family).color);
    // A bin's share holds from its lower edge to its upper one.
    const steps = [...shares[i], shares[i][shares[i].length - 1]].map((y, bin) => ({ x: edges[bin], y }));
    const tell = (at: number): string => {
      const bin = Math.min(at, lengths.length - 1);
      return `${edges[bin] + 1} to ${edges[bin + 1]} tokens: ${count(lengths[bin], 'response')}`;
    };
    return new Chart(canvas, {
      type: 'scatter',
      data: {
        datasets: [
          {
            data: steps,
            showLine: true,
            stepped: 'before',
            fill: 'origin',
            borderColor: hue,
            borderWidth: 1.5,
            backgroundColor: `color-mix(in srgb, ${hue} 25%, transparent)`,
            pointRadius: 0,
            pointHitRadius: 12,
            pointHoverRadius: 0,
          },
        ],
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        scales: scalesOf(edges[edges.length - 1], highest),
        plugins: {
          legend: { display: false },
          tooltip: { ...tooltip(), callbacks: { label: ({ dataIndex }) => tell(dataIndex) } },
        },
      },
      plugins: length === null ? [] : [meanLine(length)],
    });
  });
}

function scalesOf(longest: number, highest: number): ChartOptions<'scatter'>['scales'] {
  const look = axis();
  return {
    x: {
      ...look,
      grid: { display: false },
      min: 0,
      max: longest,
      ticks: { ...look.ticks, maxTicksLimit: 5, maxRotation: 0, stepSize: longest / 4 },
    },
    y: {
      ...look,
      min: 0,
      max: highest,
      ticks: { ...look.ticks, stepSize: highest / 2, callback: (value) => `${value} %` },
    },
  };
}

const meanLine = (length: number): Plugin => ({
  id: 'mean',
  afterDatasetsDraw({ ctx, scales, chartArea }) {
    const x = scales.x.getPixelForValue(length);
    ctx.save();
    ctx.strokeStyle = color('--ink');
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(x, chartArea.top);
    ctx.lineTo(x, chartArea.bottom);
    ctx.stroke();
    ctx.restore();
  },
});
