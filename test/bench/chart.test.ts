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

interface Element {
  name: string;
  attributes: Record<string, string>;
  text: string;
  children: Element[];
}

/** Reads XML without namespaces, comments and CDATA; throws for what is not well-formed. */
function parse(xml: string): Element {
  const root: Element = { name: '', attributes: {}, text: '', children: [] };
  const open = [root];
  for (const [, tag, text] of xml.matchAll(/(<[^<>]*>)|([^<>]+|[<>])/g)) {
    const parent = open[open.length - 1];
    if (text !== undefined) {
      assert.not.match(text, /[<>]|&(?!amp;|lt;|gt;|quot;)/);
      parent.text += text;
    } else if (tag.startsWith('</')) {
      assert.is(tag, `</${parent.name}>`);
      open.pop();
    } else {
      const parts = /^<([a-z]+)((?: [a-zA-Z-]+="[^"&]*")*)(\/?)>$/.exec(tag);
      assert.ok(parts, `not a tag: ${tag}`);
      const [, name, list, empty] = parts as RegExpExecArray;
      const pairs = [...list.matchAll(/ ([a-zA-Z-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
      const attributes = Object.fromEntries(pairs);
      assert.is(Object.keys(attributes).length, pairs.length, `an attribute twice: ${tag}`);
      const element = { name, attributes, text: '', children: [] };
      parent.children.push(element);
      if (!empty) open.push(element);
    }
  }
  assert.equal(open, [root], 'a tag is left open');
  assert.is(root.children.length, 1);
  return root.children[0];
}

const panelsOf = (svg: Element): Element[] =>
  svg.children.filter(({ attributes }) => attributes.class === 'panel');
const withClass = ({ children }: Element, name: string): Element[] =>
  children.filter(({ attributes }) => attributes.class?.split(' ').includes(name));
const numbers = ({ attributes }: Element, ...keys: string[]): number[] =>
  keys.map((key) => Number(attributes[key]));

test('the document is well-formed, every coordinate a number', () => {
  const svg = chart('a title', PANELS, 'a note');
  assert.is(parse(svg).name, 'svg');
  assert.not.match(svg, /NaN|Infinity|undefined/);
});

test('every series is named once a panel, as is every axis', () => {
  for (const [i, panel] of panelsOf(parse(chart('', PANELS))).entries()) {
    assert.equal(
      withClass(panel, 'name').map(({ text }) => text),
      NAMES,
    );
    assert.equal(
      withClass(panel, 'label').map(({ text }) => text),
      [PANELS[i].yLabel, PANELS[i].xLabel],
    );
  }
});

test('every point has its mark within the frame, lines their ends, and x and y their directions', () => {
  for (const [i, panel] of panelsOf(parse(chart('', PANELS))).entries()) {
    const [frame] = withClass(panel, 'frame');
    const [left, top, width, height] = numbers(frame, 'x', 'y', 'width', 'height');
    const marks = panel.children.filter(({ name }) => name === 'use').map((mark) => numbers(mark, 'x', 'y'));
    const points = PANELS[i].series.flatMap((s) => s.points);
    assert.is(marks.length, points.length);
    for (const [x, y] of marks) {
      assert.ok(x > left && x < left + width, `${x} in ${left} + ${width}`);
      assert.ok(y > top && y < top + height, `${y} in ${top} + ${height}`);
    }
    for (const [k, [x, y]] of marks.entries()) {
      assert.is(Math.sign(x - marks[0][0]), Math.sign(points[k].x - points[0].x));
      assert.is(Math.sign(marks[0][1] - y), Math.sign(Math.round(1e9 * (points[k].y - points[0].y))));
    }
    assert.is(withClass(panel, 'line').length, NAMES.length - 2);
    assert.is(withClass(panel, 'error').length, points.length);
  }
});

test('ticks lie where their values do', () => {
  const at = (logX: boolean, values: number[]) => {
    const points = values.map((x) => ({ x, y: x }));
    const panel = { xLabel: '', yLabel: '', logX, series: [{ name: 's', points }] };
    const [drawn] = panelsOf(parse(chart('', [panel])));
    const marks = drawn.children
      .filter(({ name }) => name === 'use')
      .map((mark) => Number(mark.attributes.x));
    const labels = withClass(drawn, 'small').filter(
      ({ attributes }) => attributes['text-anchor'] === 'middle',
    );
    return { marks, labels: new Map(labels.map(({ text, attributes }) => [text, Number(attributes.x)])) };
  };
  const linear = at(false, [0, 300, 1000]);
  assert.equal([...linear.labels.keys()], ['0', '200', '400', '600', '800', '1,000']);
  assert.is(linear.marks[0], linear.labels.get('0'));
  assert.is(linear.marks[2], linear.labels.get('1,000'));
  const log = at(true, [1, 100, 100_000]);
  assert.is(log.marks[0], log.labels.get('1'));
  assert.is(log.marks[1], log.labels.get('100'));
  assert.is(log.marks[2], log.labels.get('100,000'));
  const [a, b, c] = log.marks;
  assert.ok(Math.abs((c - b) / (b - a) - 3 / 2) < 0.01, 'powers of ten lie evenly');
  assert.equal([...at(true, [3, 4, 5]).labels.keys()], ['3.0', '3.5', '4.0', '4.5', '5.0']);
});

test('no label covers another or a mark', () => {
  for (const panel of panelsOf(parse(chart('', PANELS)))) {
    const boxes = withClass(panel, 'name').map((label) => {
      const [x, y] = numbers(label, 'x', 'y');
      return { left: x, right: x + 6.2 * label.text.length, top: y - 10, bottom: y + 2 };
    });
    const marks = panel.children.filter(({ name }) => name === 'use');
    for (const [i, a] of boxes.entries()) {
      for (const b of boxes.slice(0, i)) {
        const apart = a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top;
        assert.ok(apart, `${NAMES[i]} and ${NAMES[boxes.indexOf(b)]}`);
      }
      for (const mark of marks) {
        const [x, y] = numbers(mark, 'x', 'y');
        assert.ok(x < a.left || x > a.right || y < a.top || y > a.bottom, `${NAMES[i]} on a mark`);
      }
    }
  }
});

test('one point is enough, on every kind of axis, also with an error bar down to 0', () => {
  for (const logX of [false, true]) {
    for (const logY of [false, true]) {
      for (const percentY of [false, true]) {
        const points = [{ x: 3, y: 0.02, error: 0.02 }];
        const panel = { xLabel: 'x', yLabel: 'y', logX, logY, percentY, series: [{ name: 'one', points }] };
        const svg = chart('', [panel]);
        assert.not.match(svg, /NaN|Infinity/);
        assert.is(panelsOf(parse(svg))[0].children.filter(({ name }) => name === 'use').length, 1);
      }
    }
  }
  parse(chart('', [{ xLabel: 'x', yLabel: 'y', series: [{ name: 'none', points: [] }] }]));
});

test('text is escaped', () => {
  const odd = `<a & "b">`;
  const points = [{ x: 1, y: 1 }];
  const svg = parse(chart(odd, [{ xLabel: odd, yLabel: odd, series: [{ name: odd, points }] }], odd));
  assert.is(svg.children.find(({ name }) => name === 'title')?.text, '&lt;a &amp; &quot;b&quot;&gt;');
  assert.is(withClass(panelsOf(svg)[0], 'name')[0].text, '&lt;a &amp; &quot;b&quot;&gt;');
});

test('what cannot be drawn is refused', () => {
  const draw = (x: number, y: number, log: boolean) => () =>
    chart('', [
      { xLabel: '', yLabel: '', logX: log, logY: log, series: [{ name: 'odd', points: [{ x, y }] }] },
    ]);
  assert.throws(draw(Number.NaN, 1, false), /odd has a point at NaN, 1/);
  assert.throws(draw(1, Number.POSITIVE_INFINITY, false), /odd has a point at 1, Infinity/);
  assert.throws(draw(0, 1, true), /odd has a point at 0, 1: above 0/);
  assert.throws(draw(1, -1, true), /odd has a point at 1, -1: above 0/);
});

test.run();
