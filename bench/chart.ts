/** Charts as SVG: lines with direct labels, in light and in dark, told apart without colour too. */

export interface Point {
  x: number;
  y: number;
  /** Half the width of an error bar. */
  error?: number;
}

/** One point: a marker. Several: a line with markers, in the order given; its label stands at the last one. */
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

const PANEL_WIDTH = 500;
const PLOT_HEIGHT = 320;
const MARGIN = 20;
/** Between the frame and the ends of the range. */
const INSET = 12;
const FONT = 13;
const SMALL = 12;

const LIGHT = {
  back: '#ffffff',
  text: '#1f2328',
  muted: '#59636e',
  grid: '#e4e7eb',
  axis: '#8c959f',
  series: [
    '#59636e',
    '#0a5fc2',
    '#0e7a80',
    '#8a5a00',
    '#7a3fd6',
    '#b02a86',
    '#187332',
    '#c8202c',
    '#b44a07',
    '#5f6800',
  ],
};
const DARK: typeof LIGHT = {
  back: '#0d1117',
  text: '#f0f6fc',
  muted: '#9198a1',
  grid: '#232a33',
  axis: '#656c76',
  series: [
    '#a3adb8',
    '#58a6ff',
    '#3ccbd3',
    '#e0b050',
    '#bc8cff',
    '#f778ba',
    '#56d364',
    '#ff7b72',
    '#f0883e',
    '#cbc74a',
  ],
};

/** Around the origin. The last three are hollow. */
const SHAPES = [
  'M-3.8 0a3.8 3.8 0 1 0 7.6 0a3.8 3.8 0 1 0-7.6 0Z',
  'M-3.4-3.4h6.8v6.8h-6.8Z',
  'M0-4.6L4.4 3.2H-4.4Z',
  'M0-5L5 0L0 5L-5 0Z',
  'M0 4.6L4.4-3.2H-4.4Z',
  'M-1.6-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3Z',
  'M-2.2-4.5L0-2.2L2.2-4.5L4.5-2.2L2.2 0L4.5 2.2L2.2 4.5L0 2.2L-2.2 4.5L-4.5 2.2L-2.2 0L-4.5-2.2Z',
  'M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0Z',
  'M-3-3h6v6h-6Z',
  'M0-4.4L4.4 0L0 4.4L-4.4 0Z',
];
const FIRST_HOLLOW = 7;

const STYLE = `
text{font:${FONT}px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.title{font-size:16px;font-weight:600}
.small{font-size:${SMALL}px;font-variant-numeric:tabular-nums}
.grid,.tick,.line,.error,.leader{fill:none}
.line{stroke:currentColor;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}
.error{stroke:currentColor;opacity:.6}
.leader{stroke:currentColor;stroke-width:.9;opacity:.7}
.name{fill:currentColor;font-weight:500;paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
.solid{fill:currentColor;stroke-width:.9}
.hollow{stroke:currentColor;stroke-width:1.6}
${rules(LIGHT)}
@media (prefers-color-scheme:dark){
${rules(DARK)}
}
`;

function rules({ back, text, muted, grid, axis, series }: typeof LIGHT): string {
  return [
    `.back,.hollow{fill:${back}}.solid,.name{stroke:${back}}`,
    `.title,.label{fill:${text}}.small{fill:${muted}}.grid{stroke:${grid}}.tick{stroke:${axis}}`,
    ...series.map((color, i) => `.c${i}{color:${color}}`),
  ].join('\n');
}

/**
 * One SVG document with the panels side by side. A series has the same colour and shape in each.
 * @throws RangeError for what cannot be drawn: a value that is not finite, or not positive on a logarithmic axis
 */
export function chart(title: string, panels: readonly Panel[], note = ''): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const width = 2 * MARGIN + panels.length * PANEL_WIDTH + (panels.length === 1 ? 160 : 0);
  const panelWidth = (width - 2 * MARGIN) / panels.length;
  const top = 78;
  const lines = wrap(note, width - 2 * MARGIN);
  const noteTop = top + PLOT_HEIGHT + 74;
  const height = noteTop - 18 + lines.length * 17 + (lines.length > 0 ? MARGIN : 0);
  const shapes = SHAPES.map(
    (d, i) => `<path id="m${i}" class="${i < FIRST_HOLLOW ? 'solid' : 'hollow'}" d="${d}"/>`,
  );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">${escapeXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<defs>${shapes.join('')}</defs>`,
    `<rect class="back" width="${width}" height="${height}" rx="6"/>`,
    text('title', MARGIN, 32, title),
    ...panels.map((panel, i) => draw(panel, MARGIN + i * panelWidth, top, panelWidth, names)),
    ...lines.map((line, i) => text('small', MARGIN, noteTop + i * 17, line)),
    '</svg>',
  ].join('\n')}\n`;
}

function draw(panel: Panel, x0: number, top: number, panelWidth: number, names: readonly string[]): string {
  const { xLabel, yLabel, series } = panel;
  const points = series.flatMap((s) => s.points);
  check(panel);
  const bottom = top + PLOT_HEIGHT;
  const ends = points.flatMap(({ y, error = 0 }) => [y - error, y, y + error]);
  const y = axis(ends, panel.logY, bottom - INSET, top + INSET, panel.percentY);
  const left = x0 + 10 + Math.max(0, ...y.ticks.map(({ label }) => widthOf(label, SMALL)));
  const gutter = 20 + Math.max(0, ...series.map(({ name }) => widthOf(name, FONT)));
  const right = x0 + panelWidth - gutter;
  const x = axis(
    points.map((p) => p.x),
    panel.logX,
    left + INSET,
    right - INSET,
  );

  const out = [
    `<g class="panel">`,
    `<rect class="grid frame" x="${round(left)}" y="${top}" width="${round(right - left)}" height="${PLOT_HEIGHT}"/>`,
  ];
  for (const { at, label } of y.ticks) {
    if (label) out.push(`<path class="grid" d="M${round(left)} ${round(at)}H${round(right)}"/>`);
    else out.push(`<path class="tick" d="M${round(left)} ${round(at)}h4"/>`);
    if (label) out.push(text('small', left - 7, at + 4, label, 'end'));
  }
  for (const { at, label } of x.ticks) {
    if (label) out.push(`<path class="grid" d="M${round(at)} ${top}V${bottom}"/>`);
    out.push(`<path class="tick" d="M${round(at)} ${bottom}v${label ? 5 : 3}"/>`);
    if (label) out.push(text('small', at, bottom + 19, label, 'middle'));
  }
  out.push(`<path class="tick" d="M${round(left)} ${bottom}H${round(right)}"/>`);
  out.push(
    text('label', x0, top - 14, yLabel),
    text('label', (left + right) / 2, bottom + 40, xLabel, 'middle'),
  );

  const curves = series.map(({ name, points }) => ({
    name,
    style: names.indexOf(name) % SHAPES.length,
    marks: points.map((p) => {
      const low = y.at(p.y - (p.error ?? 0)); // beyond the frame on a logarithmic axis if it reaches 0
      return {
        x: x.at(p.x),
        y: y.at(p.y),
        low: Number.isFinite(low) ? low : bottom,
        high: y.at(p.y + (p.error ?? 0)),
      };
    }),
  }));
  for (const { style, marks } of curves) {
    for (const m of marks) {
      if (m.low === m.high) continue;
      out.push(`<path class="error c${style}" d="M${round(m.x)} ${round(m.low)}V${round(m.high)}"/>`);
    }
  }
  for (const { style, marks } of curves) {
    if (marks.length < 2) continue;
    const d = marks.map((m) => `${round(m.x)} ${round(m.y)}`).join('L');
    out.push(`<path class="line c${style}" d="M${d}"/>`);
  }
  for (const { style, marks } of curves) {
    for (const m of marks) {
      out.push(`<use href="#m${style}" class="c${style}" x="${round(m.x)}" y="${round(m.y)}"/>`);
    }
  }
  const labels = place(curves, { left: left + 3, right: x0 + panelWidth, top: top + 2, bottom: bottom - 3 });
  for (const { style, leader, box, name } of labels) {
    if (leader) {
      const [from, to] = leader;
      out.push(
        `<path class="leader c${style}" d="M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}"/>`,
      );
    }
    out.push(text(`name c${style}`, box.left, box.bottom - 4, name));
  }
  out.push('</g>');
  return out.join('\n');
}

function check({ series, logX, logY }: Panel): void {
  for (const { name, points } of series) {
    for (const { x, y, error = 0 } of points) {
      const bad = [x, y, error].find((value) => !Number.isFinite(value));
      if (bad !== undefined)
        throw new RangeError(`${name} has a point at ${x}, ${y} ± ${error}: finite numbers`);
      if ((logX && x <= 0) || (logY && y <= 0)) {
        throw new RangeError(`${name} has a point at ${x}, ${y}: above 0 on a logarithmic axis`);
      }
    }
  }
}

interface Axis {
  at(value: number): number;
  /** Those without a label are minor. */
  ticks: { at: number; label: string }[];
}

function axis(all: readonly number[], log = false, from: number, to: number, percent = false): Axis {
  const values = log ? all.filter((value) => value > 0) : all;
  let low = values.length > 0 ? Math.min(...values) : 1;
  let high = values.length > 0 ? Math.max(...values) : 1;
  if (low === high) {
    const half = percent ? 0.05 : Math.abs(low) / 10 || 1;
    [low, high] = log ? [low / 2, high * 2] : [low - half, high + half];
  }
  const room = Math.abs(to - from);
  const scale = log ? Math.log10 : (value: number) => value;
  let ticks: { value: number; label: string }[];
  if (log) {
    ticks = logarithmicTicks(low, high, room);
  } else {
    const step = niceStep((high - low) / Math.max(3, room / (to > from ? 64 : 45)));
    low = Math.floor(low / step + 1e-9) * step;
    high = Math.ceil(high / step - 1e-9) * step;
    ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => {
      const value = low + i * step;
      return { value, label: percent ? `${format(value * 100, step * 100)}%` : format(value, step) };
    });
  }
  const at = (value: number) =>
    from + ((scale(value) - scale(low)) / (scale(high) - scale(low))) * (to - from);
  return { at, ticks: ticks.map(({ value, label }) => ({ at: at(value), label })) };
}

/** The least of 1, 2, 5 · 10^k that is not below. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((m) => m * power >= least * (1 - 1e-9)) ?? 10);
}

/** Powers of ten, minor ticks between them; 2 and 5 have labels too where there is room, every value of a short range. */
function logarithmicTicks(low: number, high: number, room: number): { value: number; label: string }[] {
  const decades = Math.log10(high / low);
  if (decades < 0.75) {
    const step = niceStep((high - low) / 5);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: count }, (_, i) => {
      const value = (first + i) * step;
      return { value, label: format(value, step) };
    });
  }
  const stride = Math.ceil((decades * 45) / room);
  const labelled = decades * 3 * 42 < room ? [1, 2, 5] : [1];
  const ticks = [];
  for (let k = Math.floor(Math.log10(low)); 10 ** k <= high; k++) {
    for (let m = 1; m < 10; m++) {
      const value = m * 10 ** k;
      if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
      const named = labelled.includes(m) && k % stride === 0;
      if (stride === 1 || named) ticks.push({ value, label: named ? format(value, value) : '' });
    }
  }
  return ticks;
}

/** As many decimals as the step calls for. */
function format(value: number, step: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4) {
    const [mantissa, exponent] = value.toExponential(1).replace('.0', '').split('e');
    return `${mantissa}e${Number(exponent)}`;
  }
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return value
    .toFixed(decimals)
    .replace('-', '−')
    .replace(/\B(?=(\d{3})+(?!\d))(?<!\..*)/g, ',');
}

interface Spot {
  x: number;
  y: number;
}
interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}
interface Curve {
  name: string;
  style: number;
  marks: readonly (Spot & { low: number; high: number })[];
}
interface Label {
  name: string;
  style: number;
  box: Box;
  /** From the end of the line to the label, if that is not next to it; and the spots along it. */
  leader?: [Spot, Spot];
  path: readonly Spot[];
  cost: number;
}

/** Each name at the end of its line, where it covers least: by turns each label takes the best place that the others leave. */
function place(curves: readonly Curve[], bounds: Box): Label[] {
  const ink = new Ink();
  for (const { marks } of curves) {
    for (const [i, m] of marks.entries()) {
      for (const dx of [-4, 0, 4]) for (const dy of [-4, 0, 4]) ink.add({ x: m.x + dx, y: m.y + dy }, 8);
      for (const spot of along({ x: m.x, y: m.low }, { x: m.x, y: m.high })) ink.add(spot, 1);
      if (i > 0) for (const spot of along(marks[i - 1], m)) ink.add(spot, 2);
    }
  }
  const choices = curves
    .filter(({ marks }) => marks.length > 0)
    .map((curve) =>
      candidates(curve, bounds)
        .map((label) => ({ ...label, cost: label.cost + ink.under(label) }))
        .sort((a, b) => a.cost - b.cost),
    );
  const attempts = choices.map((_, first) => {
    const order = choices.map((_, i) => (first + i) % choices.length);
    const chosen: Label[] = [];
    for (let turn = 0; turn < 6; turn++) {
      for (const i of order) {
        chosen[i] = best(
          choices[i],
          chosen.filter((_, j) => j !== i),
        );
      }
    }
    return { chosen, cost: chosen.reduce((sum, label, i) => sum + total(label, chosen.slice(0, i)), 0) };
  });
  return attempts.length > 0 ? attempts.reduce((a, b) => (b.cost < a.cost ? b : a)).chosen : [];
}

/** @param labels by rising cost */
function best(labels: readonly Label[], others: readonly Label[]): Label {
  let chosen = labels[0];
  let least = Number.POSITIVE_INFINITY;
  for (const label of labels) {
    if (label.cost >= least) break;
    const cost = total(label, others);
    if (cost < least) [chosen, least] = [label, cost];
  }
  return chosen;
}

const total = (label: Label, others: readonly Label[]): number =>
  others.reduce((sum, other) => sum + conflict(label, other), label.cost);

function candidates({ name, style, marks }: Curve, bounds: Box): Label[] {
  const end = marks[marks.length - 1];
  const width = widthOf(name, FONT);
  const labels: Label[] = [];
  const add = (left: number, middle: number, leader?: [Spot, Spot]) => {
    const box = { left, right: left + width, top: middle - 8, bottom: middle + 8 };
    if (box.left < bounds.left || box.right > bounds.right) return;
    if (box.top < bounds.top || box.bottom > bounds.bottom) return;
    const length = leader ? Math.hypot(leader[1].x - leader[0].x, leader[1].y - leader[0].y) + 6 : 0;
    const side = box.left < end.x ? 6 : 0; // rather to the right, in the direction of reading
    const path = leader ? along(...leader).slice(1) : [];
    labels.push({ name, style, box, leader, path, cost: length + side });
  };
  add(end.x + 9, end.y);
  for (const dy of [-14, 14]) {
    add(end.x - width / 2, end.y + dy);
    add(end.x + 2, end.y + dy);
    add(end.x - width - 2, end.y + dy);
  }
  add(end.x - 9 - width, end.y);
  for (const dx of [14, 22, 34, 50]) {
    for (let middle = bounds.top + 8; middle <= bounds.bottom - 8; middle += 4) {
      for (const side of [1, -1]) {
        const tip = { x: end.x + side * dx, y: middle };
        const distance = Math.hypot(dx, middle - end.y);
        const start = {
          x: end.x + (6 / distance) * side * dx,
          y: end.y + (6 / distance) * (middle - end.y),
        };
        add(side > 0 ? tip.x + 3 : tip.x - 3 - width, middle, [start, tip]);
      }
    }
  }
  return labels;
}

/** How much is drawn where, in cells of 4 pixels. */
class Ink {
  private readonly cells = new Map<string, number>();

  add({ x, y }: Spot, weight: number): void {
    const cell = cellOf(x, y);
    this.cells.set(cell, (this.cells.get(cell) ?? 0) + weight);
  }

  /** What a label and its leader lie on. */
  under({ box, path }: Label): number {
    let sum = 0;
    for (let x = box.left; x < box.right + 4; x += 4) {
      for (let y = box.top; y < box.bottom; y += 4) sum += this.cells.get(cellOf(x, y)) ?? 0;
    }
    for (const { x, y } of path) sum += (this.cells.get(cellOf(x, y)) ?? 0) / 2;
    return sum;
  }
}

const cellOf = (x: number, y: number): string => `${Math.floor(x / 4)} ${Math.floor(y / 4)}`;

function conflict(a: Label, b: Label): number {
  const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left) + 6;
  const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
  let cost = wide > 0 && high > 0 ? 1000 + wide * high : 0;
  for (const spot of a.path) if (inside(spot, b.box, 2)) cost += 60;
  for (const spot of b.path) if (inside(spot, a.box, 2)) cost += 60;
  if (a.leader && b.leader && cross(...a.leader, ...b.leader)) cost += 200;
  return cost;
}

/** Spots at most 2 pixels apart from one end to the other. */
function along(from: Spot, to: Spot): Spot[] {
  const parts = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / 2);
  return Array.from({ length: parts }, (_, i) => ({
    x: from.x + ((to.x - from.x) * (i + 1)) / parts,
    y: from.y + ((to.y - from.y) * (i + 1)) / parts,
  }));
}

const inside = ({ x, y }: Spot, { left, right, top, bottom }: Box, margin: number): boolean =>
  x > left - margin && x < right + margin && y > top - margin && y < bottom + margin;

function cross(a: Spot, b: Spot, c: Spot, d: Spot): boolean {
  const side = (p: Spot, q: Spot, r: Spot) => (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x) > 0;
  return side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b);
}

/** Of a text in pixels, as an estimate from above: the font is the viewer's. */
function widthOf(label: string, size: number): number {
  const em = (char: string) => {
    if (/[iljftI.,:;'|!()[\]/ -]/.test(char)) return 0.36;
    if (/[mwMW@%]/.test(char)) return 0.92;
    return /[A-Z]/.test(char) ? 0.7 : 0.6;
  };
  return size * Array.from(label).reduce((sum, char) => sum + em(char), 0);
}

/** Lines that fit in a width. */
function wrap(note: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of note.split(/\s+/).filter(Boolean)) {
    const longer = lines.length > 0 ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length > 0 && widthOf(longer, SMALL) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const round = (value: number): string => String(Math.round(value * 10) / 10);

function text(style: string, x: number, y: number, content: string, anchor?: 'middle' | 'end'): string {
  const where = anchor ? ` text-anchor="${anchor}"` : '';
  return `<text class="${style}" x="${round(x)}" y="${round(y)}"${where}>${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return content.replace(/[&<>"]/g, (char) => entities[char]);
}
