import type { Chart as ChartClass, Plugin } from 'chart.js';
import { Chart, color } from './chart-look.ts';
import { type Dot, intervalOf } from './costs.ts';
import { type Box, LabelRoom } from './label-room.ts';
import type { Samplers } from './samplers.ts';

/** The 95 % intervals, beneath the points. */
export const errorBars = ({ all }: Samplers): Plugin => ({
  id: 'errorBars',
  beforeDatasetsDraw({ ctx, scales, data }) {
    ctx.save();
    ctx.lineWidth = 1.5;
    ctx.globalAlpha = 0.55;
    for (const dataset of data.datasets) {
      ctx.strokeStyle = dataset.borderColor as string;
      for (const dot of dataset.data as unknown as Dot[]) {
        if (dot.sampler < 0) continue;
        const x = scales.x.getPixelForValue(dot.x);
        const [bottom, top] = intervalOf(all, dot).map((value) => scales.y.getPixelForValue(value));
        ctx.beginPath();
        ctx.moveTo(x, bottom);
        ctx.lineTo(x, top);
        for (const end of [bottom, top]) {
          ctx.moveTo(x - 3, end);
          ctx.lineTo(x + 3, end);
        }
        ctx.stroke();
      }
    }
    ctx.restore();
  },
});

/** Names beside the points where there is room, else letters. */
export const labels = (samplers: Samplers): Plugin => ({
  id: 'labels',
  afterDatasetsDraw(chart) {
    const { ctx, chartArea } = chart;
    const { points, room } = placesOf(chart, samplers);
    const label = (x: number, y: number, text: string): boolean => {
      const place = room.take(x, y, ctx.measureText(text).width);
      if (!place) return false;
      ctx.strokeText(text, place.left, place.middle);
      ctx.fillText(text, place.left, place.middle);
      return true;
    };
    ctx.save();
    ctx.font = `12px ${Chart.defaults.font.family}`;
    ctx.fillStyle = color('--ink');
    // A rim of the ground's colour parts a label from the lines that it crosses.
    ctx.strokeStyle = color('--card');
    ctx.lineWidth = 4;
    ctx.lineJoin = 'round';
    ctx.textBaseline = 'middle';
    for (const { dot, x, y } of points) {
      const letter = samplers.letters[dot.sampler];
      const named = chartArea.width >= 480 && label(x, y, `${letter} ${samplers.shortName(dot.sampler)}`);
      if (!named) label(x, y, letter);
    }
    ctx.restore();
  },
});

/** The samplers' points in pixels, and what these, their bars and the frontier leave free. */
function placesOf({ scales, data, chartArea }: ChartClass, { all }: Samplers) {
  const xOf = (value: number) => scales.x.getPixelForValue(value);
  const yOf = (value: number) => scales.y.getPixelForValue(value);
  const datasets = data.datasets.map((dataset) =>
    (dataset.data as unknown as Dot[]).map((dot) => ({ dot, x: xOf(dot.x), y: yOf(dot.y) })),
  );
  const frontier = datasets.pop() ?? []; // the last, see frontier-chart.ts
  const points = datasets.flat();
  const taken = points.flatMap(({ dot, x, y }): Box[] => {
    const [bottom, top] = intervalOf(all, dot).map(yOf);
    return [
      [x - 8, y - 8, x + 8, y + 8],
      [x - 3, top, x + 3, bottom],
    ];
  });
  for (const [i, { x, y }] of frontier.slice(1).entries()) {
    const before = frontier[i];
    taken.push([before.x, before.y - 1, x, before.y + 1], [x - 1, y, x + 1, before.y]);
  }
  const { left, top, right, bottom } = chartArea;
  return { points, room: new LabelRoom([left, top, right, bottom], taken) };
}
