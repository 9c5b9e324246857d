import * as assert from 'uvu/assert';
import { chart, type Panel, type Point, type Series } from '../../bench/chart.ts';
import { test } from '../support/suite.ts';

const NAMES = ['greedy', 'sample T=1', 'best-of-n', 'metropolis', 'karan-du', 'entropy-cut', 'egps', 'smc'];

/** Curves that end close to each other, the first two of one point. */
const series = (scale: number): Series[] =>
  NAMES.map((name, i) => ({
    name,
    points: Array.from({ length: i < 2 ? 1 : 10 }, (_, k): Point => {
      return { x: 60 * scale * 1.6 ** k + i, y: 0.3 + 0.04 * k + 0.01 * ((i * 7 + k) % 4), error: 0.02 };
    }),
  }));
const PANELS: Panel[] = [
  { xLabel: 'decoded tokens', yLabel: 'accuracy', logX: true, percentY: true, series: series(1) },
  { xLabel: 'sequential steps', yLabel: 'accuracy', series: series(0.4) },
];

const PLOT = { left: 56, right: 56 + 330, top: 40, bottom: 40 + 310 };

/** Of a panel, by what they look like. */
interface Drawn {
  texts: { text: string; x: number; y: number; anchor: string; size: number; fill: string }[];
  marks: { x: number; y: number; colour: string }[];
  errors: { x: number; from: number; to: number; colour: string }[];
  lines: number[][][];
  /** To the names. */
  leaders: { points: number[]; colour: string }[];
}

function panelsOf(svg: string): Drawn[] {
  return [...svg.matchAll(/<svg class="panel"[\s\S]*?<\/svg>/g)].map(([panel]) => {
    const tags = [...panel.matchAll(/<(path|text|polyline) ([^>]*)>([^<]*)/g)].map(([, name, list, text]) => {
      const pairs = [...list.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
      const at: Record<string, string> = Object.fromEntries(pairs);
      const [x, y] = numbers(at.transform ?? '').slice(-2);
      return { name, at, text: text.trim(), x, y };
    });
    const paths = tags.filter(({ name }) => name === 'path');
    const ends = (d: string) => d.split('L').map(numbers);
    return {
      texts: tags
        .filter(({ name }) => name === 'text')
        .map(({ text, x, y, at }) => {
          const size = Number(/font-size:(\d+)/.exec(at.style)?.[1]);
          return { text, x, y, anchor: at['text-anchor'], size, fill: at.fill };
        }),
      marks: paths
        .filter(({ at }) => at.transform?.startsWith('matrix') && at.stroke && numbers(at.transform)[0] !== 0)
        .map(({ x, y, at }) => ({ x, y, colour: at.fill === '#ffffff' ? at.stroke : at.fill })),
      errors: paths
        .filter(({ at }) => at['stroke-opacity'] === '0.6')
        .map(({ at }) => {
          const [[x, from], [, to]] = ends(at.d);
          return { x, from, to, colour: at.stroke };
        }),
      lines: paths.filter(({ at }) => at['stroke-width'] === '1.75').map(({ at }) => ends(at.d)),
      leaders: tags
        .filter(({ name }) => name === 'polyline')
        .map(({ at }) => ({ points: numbers(at.points), colour: at.stroke })),
    };
  });
}

const numbers = (text: string): number[] => (text.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);
const near = (a: number, b: number, message = '') =>
  assert.ok(Math.abs(a - b) < 0.6, `${message} ${a}, ${b}`);
const named = ({ texts }: Drawn) => texts.filter(({ x }) => x > PLOT.right);
/** Labels of ticks, by the axis. */
const ticks = ({ texts }: Drawn, axis: 'x' | 'y') =>
  new Map(
    texts
      .filter(({ size, anchor }) => size === 12 && anchor === (axis === 'x' ? 'middle' : 'end'))
      .map((label) => [label.text, label[axis]]),
  );
const one = (points: readonly Point[], more: Partial<Panel> = {}): Drawn => {
  const panel = { xLabel: 'x', yLabel: 'y', ...more, series: [{ name: 's', points }] };
  return panelsOf(chart('', [panel]))[0];
};

test('the document is well-formed XML, every coordinate a number', () => {
  const svg = chart('a title', PANELS, 'a note');
  const open: string[] = [];
  const rest = svg.replaceAll(
    /<(\/?)([a-z]+)((?: [a-zA-Z:-]+="[^"<&]*")*) ?(\/?)>/gi,
    (_, end, name, __, empty) => {
      if (end) assert.is(open.pop(), name);
      else if (!empty) open.push(name);
      return '';
    },
  );
  assert.equal(open, [], 'a tag is left open');
  assert.not.match(rest, /<|&(?!amp;|lt;|gt;|quot;|#39;)/);
  assert.not.match(svg, /NaN|Infinity|undefined/);
});

test('a reader who sees nothing is told the title, what is drawn and the note', () => {
  const svg = chart('a title', PANELS, 'a note');
  assert.match(svg, /^<svg role="img" aria-labelledby="title desc" /);
  assert.match(svg, '<title id="title">a title</title>');
  const [, told] = /<desc id="desc">(.*)<\/desc>/.exec(svg) ?? [];
  for (const part of [...PANELS.flatMap(({ xLabel, yLabel }) => [xLabel, yLabel]), ...NAMES, 'a note'])
    assert.match(told, part);
});

test('every series is named once a panel, as is every axis', () => {
  for (const [i, panel] of panelsOf(chart('', PANELS)).entries()) {
    assert.equal(
      named(panel)
        .map(({ text }) => text)
        .sort(),
      [...NAMES].sort(),
    );
    const labels = panel.texts.filter(({ size, x }) => size === 13 && x < PLOT.right);
    assert.equal(
      labels.map(({ text }) => text),
      [PANELS[i].yLabel, PANELS[i].xLabel],
    );
  }
});

test('every point has its mark and error bar within the plot, lines their points, and x and y their directions', () => {
  for (const [i, { marks, errors, lines }] of panelsOf(chart('', PANELS)).entries()) {
    const points = PANELS[i].series.flatMap((s) => s.points);
    assert.is(marks.length, points.length);
    assert.is(errors.length, points.length);
    for (const [k, { x, y, colour }] of marks.entries()) {
      assert.ok(x > PLOT.left && x < PLOT.right && y > PLOT.top && y < PLOT.bottom, `${x}, ${y}`);
      assert.is(Math.sign(x - marks[0].x), Math.sign(points[k].x - points[0].x));
      assert.is(Math.sign(marks[0].y - y), Math.sign(Math.round(1e9 * (points[k].y - points[0].y))));
      near(errors[k].x, x, 'x of an error bar');
      near((errors[k].from + errors[k].to) / 2, y, 'the middle of an error bar');
      assert.is(errors[k].colour, colour);
    }
    const several = lines.filter((line) => line.length > 1);
    assert.equal(
      several.map((line) => line.length),
      PANELS[i].series.map((s) => s.points.length).filter((n) => n > 1),
    );
    for (const [x, y] of several.flat()) assert.ok(marks.some((m) => Math.hypot(m.x - x, m.y - y) < 0.2));
  }
});

test('a series looks the same in every panel, and no two alike', () => {
  const [first, second] = panelsOf(
    chart('', [PANELS[0], { ...PANELS[1], series: PANELS[1].series.toReversed() }]),
  );
  const colours = (panel: Drawn) => new Map(named(panel).map(({ text, fill }) => [text, fill]));
  assert.is(new Set(colours(first).values()).size, NAMES.length);
  for (const name of NAMES) assert.is(colours(second).get(name), colours(first).get(name));
});

test('ticks lie where their values do', () => {
  const linear = one([0, 300, 1000].map((x) => ({ x, y: x })));
  const log = one(
    [1, 100, 100_000].map((x) => ({ x, y: x })),
    { logX: true, logY: true },
  );
  for (const axis of ['x', 'y'] as const) {
    near(linear.marks[0][axis], ticks(linear, axis).get('0') ?? 0, 'linear');
    near(linear.marks[2][axis], ticks(linear, axis).get('1,000') ?? 0, 'linear');
    for (const [i, label] of ['1', '100', '100,000'].entries())
      near(log.marks[i][axis], ticks(log, axis).get(label) ?? 0, `logarithmic ${label}`);
    const [a, b, c] = log.marks.map((mark) => mark[axis]);
    assert.ok(Math.abs((c - b) / (b - a) - 3 / 2) < 0.01, 'powers of ten lie evenly');
  }
  const percent = one(
    [
      { x: 1, y: 0.2 },
      { x: 2, y: 0.6 },
    ],
    { percentY: true },
  );
  near(percent.marks[1].y, ticks(percent, 'y').get('60%') ?? 0, 'per cent');
});

test('a logarithmic axis has at least three ticks, whatever its range, and none covers another', () => {
  for (const [low, high] of [
    [105, 195],
    [40, 16_000],
    [0.25, 128],
    [1, 8],
    [3, 3.5],
    [1e-3, 1e6],
  ]) {
    const panel = one(
      [
        { x: low, y: low },
        { x: high, y: high },
      ],
      { logX: true, logY: true },
    );
    const x = [...ticks(panel, 'x')].map(([text, at]) => ({ at, half: (text.length * 6.6) / 2 }));
    assert.ok(x.length >= 3 && ticks(panel, 'y').size >= 3, `${low} to ${high}`);
    for (const [i, tick] of x.slice(1).entries())
      assert.ok(tick.at - tick.half > x[i].at + x[i].half, `${low} to ${high}: tick ${i + 1}`);
  }
});

test('no name covers another or the plot; each is led to from the last point of its series', () => {
  for (const [i, panel] of panelsOf(chart('', PANELS)).entries()) {
    const names = named(panel).sort((a, b) => a.y - b.y);
    for (const [k, { y, text }] of names.slice(1).entries())
      assert.ok(y - names[k].y >= 12, `${names[k].text} and ${text}`);
    for (const { text, x, y, fill } of names) {
      const leader = panel.leaders.find(({ colour }) => colour === fill);
      const end = panel.marks.findLast(({ colour }) => colour === fill);
      assert.ok(leader && end, text);
      const [fromX, fromY] = leader.points;
      const [toX, toY] = leader.points.slice(-2);
      near(fromX, end.x, text);
      near(fromY, end.y, text);
      near(toX, x, text);
      assert.ok(Math.abs(toY - y) < 8, `${text}: ${toY}, ${y}`);
    }
    assert.is(names.length, PANELS[i].series.length);
  }
});

test('one point is enough, on every kind of axis, also with an error bar beyond 0, which stays within the plot', () => {
  for (const logX of [false, true]) {
    for (const logY of [false, true]) {
      for (const percentY of [false, true]) {
        const panel = one([{ x: 3, y: 0.02, error: 0.03 }], { logX, logY, percentY });
        assert.is(panel.marks.length, 1);
        const [{ from, to }] = panel.errors;
        assert.ok(from > panel.marks[0].y && to < panel.marks[0].y, `${from} to ${to}`);
        assert.ok(from <= PLOT.bottom + 0.6, `${from}`);
      }
    }
  }
  const empty = one([], { logX: true });
  assert.equal([empty.marks.length, named(empty).length], [0, 0]);
});

test('text is escaped', () => {
  const odd = `<a & "b">`;
  const points = [{ x: 1, y: 1 }];
  const svg = chart(odd, [{ xLabel: odd, yLabel: odd, series: [{ name: odd, points }] }], odd);
  assert.not.match(svg, odd);
  // The title twice, the note, two axes and a name; and the last four once more in the description.
  assert.is(svg.split('&lt;a &amp; &quot;b&quot;&gt;').length - 1, 10);
});

test('every colour has another in the dark', () => {
  const svg = chart('a title', PANELS, 'a note');
  const [, dark] = /prefers-color-scheme:dark\)\{([\s\S]*?)\}\}/.exec(svg) ?? [];
  const lines = svg
    .split('\n')
    .filter((line) => !/ (?:stroke-width="0"|transform="matrix\(0,)|clip/.test(line));
  for (const [colour] of lines.join().matchAll(/stroke="#[0-9a-f]+"/g)) assert.match(dark, `[${colour}]{`);
  for (const [colour] of svg.matchAll(/(?<=<text [^>]*)fill="#[0-9a-f]+"/g))
    assert.match(dark, `[${colour}]{`);
});

test('the same figures give the same bytes, whatever was drawn before', () => {
  const first = chart('a title', PANELS, 'a note');
  one([{ x: 1, y: 1 }]);
  assert.is(chart('a title', PANELS, 'a note'), first);
});

test('what cannot be drawn is refused', () => {
  const draw = (x: number, y: number, log: boolean, error?: number) => () =>
    chart('', [
      { xLabel: '', yLabel: '', logX: log, logY: log, series: [{ name: 'odd', points: [{ x, y, error }] }] },
    ]);
  assert.throws(draw(Number.NaN, 1, false), /odd has a point at NaN, 1/);
  assert.throws(draw(1, Number.POSITIVE_INFINITY, false), /odd has a point at 1, Infinity/);
  assert.throws(draw(1, 1, false, Number.NaN), /odd has a point at 1, 1 ± NaN/);
  assert.throws(draw(0, 1, true), /odd has a point at 0, 1: above 0/);
  assert.throws(draw(1, -1, true), /odd has a point at 1, -1: above 0/);
});

test.run();
