/** Charts as SVG, drawn by ECharts: lines named at their right, in light and in dark, told apart without colour too. */
import {
  CustomChart,
  type CustomSeriesOption,
  LineChart,
  type LineSeriesOption,
  ScatterChart,
  type ScatterSeriesOption,
} from 'echarts/charts';
import { GridComponent, TitleComponent } from 'echarts/components';
import { format, graphic, init, use } from 'echarts/core';
import { LabelLayout } from 'echarts/features';
import { SVGRenderer } from 'echarts/renderers';
import type { Summary } from './harness/figures.ts';

use([CustomChart, LineChart, ScatterChart, GridComponent, TitleComponent, LabelLayout, SVGRenderer]);

export interface Point {
  x: number;
  y: number;
  /** Half the width of an error bar. */
  error?: number;
}

/** A median with the middle half, in units of `unit`. */
export const pointOf = (x: number, { median, q1, q3 }: Summary, unit = 1): Point => ({
  x,
  y: median / unit,
  error: (q3 - q1) / 2 / unit,
});

/** One point: a mark. Several: a line with marks, in the order given; its name is led to the last one. */
export interface Series {
  name: string;
  points: readonly Point[];
}

export interface Panel {
  xLabel: string;
  yLabel: string;
  logX?: boolean;
  logY?: boolean;
  percentY?: boolean;
  series: readonly Series[];
}

const PLOT = { width: 330, height: 310 };
/** Around the plot: tick labels and the label of y, those of x. To the right are the names. */
const LEFT = 56;
const TOP = 40;
const BOTTOM = 50;
const MARGIN = 20;
const HEAD = 50;
const FONT = { fontFamily: 'inherit' };
const SMALL = { ...FONT, fontSize: 12, lineHeight: 17 };
const NAME = { ...FONT, fontSize: 13 };

/** In light and in dark. */
type Colour = readonly [string, string];
const BACK: Colour = ['#ffffff', '#0d1117'];
const TEXT: Colour = ['#1f2328', '#f0f6fc'];
const MUTED: Colour = ['#59636e', '#9198a1'];
const GRID: Colour = ['#e4e7eb', '#232a33'];
const AXIS: Colour = ['#8c959f', '#656c76'];
const SERIES: readonly Colour[] = [
  ['#57616c', '#a3adb8'],
  ['#0a5fc2', '#58a6ff'],
  ['#0e7a80', '#3ccbd3'],
  ['#8a5a00', '#e0b050'],
  ['#7a3fd6', '#bc8cff'],
  ['#b02a86', '#f778ba'],
  ['#187332', '#56d364'],
  ['#c8202c', '#ff7b72'],
  ['#b44a07', '#f0883e'],
  ['#5f6800', '#cbc74a'],
];
/** ECharts writes colours as attributes, which a style sheet overrides. */
const STYLE = `svg{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media(prefers-color-scheme:dark){${[BACK, TEXT, MUTED, GRID, AXIS, ...SERIES]
  .map(([light, dark]) => `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`)
  .join('\n')}}`;

const MARKS: readonly (Pick<LineSeriesOption, 'symbol' | 'symbolRotate' | 'symbolSize'> & {
  hollow?: true;
})[] = [
  { symbol: 'circle', symbolSize: 8 },
  { symbol: 'rect', symbolSize: 7 },
  { symbol: 'triangle', symbolSize: 9 },
  { symbol: 'diamond', symbolSize: 10 },
  { symbol: 'triangle', symbolSize: 9, symbolRotate: 180 },
  { symbol: 'circle', symbolSize: 7, hollow: true },
  { symbol: 'rect', symbolSize: 6, hollow: true },
  { symbol: 'triangle', symbolSize: 8, hollow: true },
  { symbol: 'diamond', symbolSize: 9, hollow: true },
  { symbol: 'triangle', symbolSize: 8, symbolRotate: 180, hollow: true },
];

/**
 * One SVG document with the panels side by side. A series has the same colour and mark in each.
 * @throws RangeError for what cannot be drawn: a value that is not finite, or not positive on a logarithmic axis
 */
export function chart(title: string, panels: readonly Panel[], note = ''): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const drawn = panels.map((panel) => draw(panel, names));
  const inner = drawn.reduce((sum, { width }) => sum + width, 0);
  const noteTop = HEAD + drawn[0].height;
  const lines = { ...SMALL, fontWeight: 'normal', color: MUTED[0], width: inner, overflow: 'break' } as const;
  const noteHeight = note ? sizeOf({ ...lines, text: note }).height + MARGIN : 0;
  const frame = render(inner + 2 * MARGIN, noteTop + noteHeight, {
    backgroundColor: BACK[0],
    title: [
      {
        text: title,
        left: MARGIN,
        top: 16,
        padding: 0,
        textStyle: { ...FONT, fontSize: 16, color: TEXT[0] },
      },
      { text: note, left: MARGIN, top: noteTop, padding: 0, textStyle: lines },
    ],
  });
  let x = MARGIN;
  const placed = drawn.map(({ svg, width }) => {
    const at = x;
    x += width;
    return svg.replace('<svg ', `<svg class="panel" x="${at}" y="${HEAD}" `);
  });
  const what = panels.map(({ xLabel, yLabel, series }) => {
    return `${yLabel} against ${xLabel}: ${series.map(({ name }) => name).join('; ')}.`;
  });
  const escaped = format.encodeHTML;
  const start = frame.indexOf('>') + 1;
  const svg = [
    frame.slice(0, start).replace('<svg ', '<svg role="img" aria-labelledby="title desc" '),
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped([...what, note].join(' '))}</desc>`,
    `<style>${STYLE}</style>`,
    frame.slice(start, frame.lastIndexOf('</svg>')),
    ...placed,
    '</svg>\n',
  ].join('\n');
  // Clips are numbered over all charts that the process has drawn.
  const numbers = [...new Set(svg.match(/\bzr\d+(?=-)/g))];
  return svg.replaceAll(/\bzr\d+(?=-)/g, (name) => `c${numbers.indexOf(name)}`);
}

function draw(panel: Panel, names: readonly string[]): { svg: string; width: number; height: number } {
  const { xLabel, yLabel, logX, logY, percentY, series } = panel;
  const points = series.flatMap(({ name, points }) => points.map((point) => check(panel, name, point)));
  const ends = points.flatMap(({ y, error = 0 }) => [y - error, y, y + error]);
  const gutter = Math.max(...series.map(({ name }) => sizeOf({ ...NAME, text: name }).width), 0) * 1.1 + 40;
  const width = Math.ceil(LEFT + PLOT.width + gutter);
  const height = TOP + PLOT.height + BOTTOM;
  const x = axis(
    points.map(({ x }) => x),
    { log: logX },
  );
  const y = axis(ends, { log: logY, percent: percentY, upright: true });
  const drawn = series.map(({ name, points }) => ({
    name,
    points,
    style: names.indexOf(name) % SERIES.length,
  }));
  const svg = render(width, height, {
    grid: { ...PLOT, left: LEFT, top: TOP, outerBoundsMode: 'none', show: true, borderColor: GRID[0] },
    xAxis: { ...x, name: xLabel, nameLocation: 'middle', nameGap: 30 },
    yAxis: {
      ...y,
      name: yLabel,
      nameLocation: 'end',
      nameGap: 14,
      nameTextStyle: { ...NAME, color: TEXT[0], align: 'left', padding: [0, 0, 0, -LEFT] },
    },
    series: [
      ...drawn.map(({ points, style }) => bars(points, SERIES[style][0], y.min)),
      ...drawn.map(({ points, style }) => curve(points, style)),
      ...drawn.filter(({ points }) => points.length > 0).map(label),
    ],
  });
  return { svg, width, height };
}

/** @throws RangeError */
function check({ logX, logY }: Panel, name: string, point: Point): Point {
  const { x, y, error = 0 } = point;
  if (![x, y, error].every(Number.isFinite))
    throw new RangeError(`${name} has a point at ${x}, ${y} ± ${error}: finite numbers`);
  if ((logX && x <= 0) || (logY && y <= 0))
    throw new RangeError(`${name} has a point at ${x}, ${y}: above 0 on a logarithmic axis`);
  return point;
}

function axis(values: readonly number[], { log = false, percent = false, upright = false }) {
  const style = {
    axisLine: { lineStyle: { color: AXIS[0] }, onZero: false },
    axisTick: { lineStyle: { color: AXIS[0] } },
    splitLine: { show: true, lineStyle: { color: GRID[0] } },
    axisLabel: { ...SMALL, color: MUTED[0], formatter: (value: number) => numeral(value, percent) },
    nameTextStyle: { ...NAME, color: TEXT[0] },
  };
  if (!log) return { ...style, type: 'value', scale: true, min: undefined } as const;
  const positive = values.filter((value) => value > 0);
  const [low, high] = positive.length > 0 ? [Math.min(...positive), Math.max(...positive)] : [1, 1];
  const margin = low === high ? 2 : (high / low) ** 0.05;
  const [min, max] = [low / margin, high * margin];
  const room = (value: number) => (upright ? 16 : sizeOf({ text: numeral(value, percent) }).width);
  const customValues = logarithmicTicks(min, max, upright ? PLOT.height : PLOT.width, room);
  return {
    ...({ ...style, type: 'log', min, max } as const),
    axisTick: { ...style.axisTick, customValues },
    axisLabel: { ...style.axisLabel, customValues },
  };
}

const even = (parts: number) => Array.from({ length: 9 * parts }, (_, i) => 1 + i / parts);
const GRIDS = [even(10), even(5), even(2), even(1), [1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]];

/** The finest grid whose labels have room on so many pixels: ECharts has powers of ten alone. */
function logarithmicTicks(
  min: number,
  max: number,
  pixels: number,
  room: (value: number) => number,
): number[] {
  const first = Math.floor(Math.log10(min));
  const powers = Array.from({ length: Math.ceil(Math.log10(max)) - first + 1 }, (_, i) => first + i);
  const grids = GRIDS.map((grid) =>
    powers.flatMap((k) => grid.map((m) => Number((m * 10 ** k).toPrecision(3)))),
  );
  for (const stride of [2, 3, 5]) grids.push(powers.filter((k) => k % stride === 0).map((k) => 10 ** k));
  const all = grids.map((grid) => grid.filter((value) => value >= min && value <= max));
  const fits = (ticks: readonly number[]) =>
    ticks.every((value, i) => {
      const before = ticks[i - 1] ?? 0;
      const distance = (pixels * Math.log(value / before)) / Math.log(max / min);
      return distance > (room(before) + room(value)) / 2 + 8;
    });
  return all.find(fits) ?? all[all.length - 1];
}

const numeral = (value: number, percent: boolean): string =>
  percent
    ? `${Number((100 * value).toPrecision(6))}%`
    : value.toLocaleString('en', { maximumSignificantDigits: 6 });

function curve(points: readonly Point[], style: number): LineSeriesOption {
  const { hollow, ...mark } = MARKS[style];
  const [colour] = SERIES[style];
  return {
    ...mark,
    type: 'line',
    data: points.map(({ x, y }) => [x, y]),
    showAllSymbol: true,
    lineStyle: { width: 1.75, color: colour },
    itemStyle: {
      color: hollow ? BACK[0] : colour,
      borderColor: hollow ? colour : BACK[0],
      borderWidth: hollow ? 1.6 : 0.9,
      opacity: 1,
    },
    silent: true,
  };
}

/** Error bars. What reaches 0 ends at the frame of a logarithmic axis. */
function bars(
  points: readonly Point[],
  stroke: string,
  least = Number.NEGATIVE_INFINITY,
): CustomSeriesOption {
  return {
    type: 'custom',
    clip: true,
    silent: true,
    data: points.flatMap(({ x, y, error }) => (error ? [[x, Math.max(y - error, least), y + error]] : [])),
    encode: { x: 0, y: [1, 2] },
    renderItem(_, { coord, value }) {
      const [[x1, y1], [x2, y2]] = [1, 2].map((end) => coord([value(0), value(end)]));
      return { type: 'line', shape: { x1, y1, x2, y2 }, style: { stroke, opacity: 0.6 } };
    },
  };
}

/** Names stand in a column beside the plot, in the order of the ends that they are led to. */
function label({ name, points, style }: Series & { style: number }): ScatterSeriesOption {
  const { x, y } = points[points.length - 1];
  const [color] = SERIES[style];
  return {
    type: 'scatter',
    data: [[x, y]],
    symbolSize: 0,
    silent: true,
    itemStyle: { opacity: 1 },
    label: {
      ...NAME,
      show: true,
      position: 'right',
      verticalAlign: 'middle',
      formatter: () => `\u00a0${name}`, // apart from what leads to it
      color,
    },
    labelLine: { show: true, length2: 0, lineStyle: { color, width: 0.9, opacity: 0.5 } },
    labelLayout: { x: LEFT + PLOT.width + 20, align: 'left', moveOverlap: 'shiftY' },
  };
}

/** What ECharts writes for those who point at things. */
const FOR_POINTERS = / (?:ecmeta_\w+|pointer-events|class)="[^"]*"|<style[\s\S]*?<\/style>\s*/g;

function render(width: number, height: number, option: object): string {
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width, height });
  drawing.setOption({ animation: false, ...option });
  const svg = drawing.renderToSVGString();
  drawing.dispose();
  return svg.replaceAll(FOR_POINTERS, '');
}

/** An estimate: the font is the viewer's. */
const sizeOf = (style: object): { width: number; height: number } =>
  new graphic.Text({ style: { ...SMALL, ...style } }).getBoundingRect();
