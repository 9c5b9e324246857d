import * as assert from 'uvu/assert';
import type { SamplerSummary } from '../../src/eval/summary.ts';
import { amount, bounds, chance, count, points } from '../../src/report/client/eval/format.ts';
import { LabelRoom } from '../../src/report/client/eval/label-room.ts';
import { Samplers } from '../../src/report/client/eval/samplers.ts';
import { linearTicks, logTicks } from '../../src/report/client/ticks.ts';
import { probability, share } from '../../src/report/client/trace/format.ts';
import { fitted } from '../../src/report/client/trace/tree-layout.ts';
import { onOneLine } from '../../src/report/client/trace/visible.ts';
import { test } from '../support/suite.ts';

test('ticks are round, and within the axis', () => {
  assert.equal(linearTicks(-12, 3, 4), [-10, -5, 0]);
  assert.equal(linearTicks(0, 2, 10, 1), [0, 1, 2]);
  assert.equal(logTicks(30, 1200), [50, 100, 200, 500, 1000]);
  assert.equal(logTicks(15, 60), [15, 20, 30, 40, 50, 60]);
});

test('numbers are written with three digits, or all of a whole part', () => {
  assert.equal([null, 0.12345, -3.456, 99.99, 12345.6].map(amount), [
    '–',
    '0.123',
    '−3.46',
    '100',
    '12\u2009346',
  ]);
  assert.is(bounds([-0.012, 0.5]), '[−1.2, 50.0]');
  assert.equal([0.051, 0, -0.051].map(points), ['+5.1', '0.0', '−5.1']);
  assert.equal([0.0009, 0.0504].map(chance), ['< 0.001', '0.050']);
  assert.equal([count(1, 'pass', 'passes'), count(2000, 'pass', 'passes')], ['1 pass', '2\u2009000 passes']);
});

test('a probability is written as far as it can be told from 0 and from 1', () => {
  const logs = [1, 0.99996, 0.9912, 0.5, 0.05, 2e-7].map(Math.log);
  assert.equal(logs.map(probability), ['100 %', '100 %', '99.12 %', '50.0 %', '5.0 %', '2.0e-5 %']);
  assert.equal([0, 0.0004, 0.25].map(share), ['0.0 %', 'below 0.1 %', '25.0 %']);
});

test('samplers of one family are named by what sets them apart', () => {
  const of = (name: string, family: string, pick = 'last') => ({ name, family, pick }) as SamplerSummary;
  const samplers = new Samplers([
    of('greedy', 'greedy'),
    of('egps:tries=4:final-steps=5', 'egps:tries=4'),
    of('egps:tries=4:final-steps=20', 'egps:tries=4'),
    of('egps:tries=4:final-steps=20 · vote', 'egps:tries=4 · vote', 'vote'),
  ]);
  assert.equal(
    [0, 1, 2].map((i) => samplers.shortName(i)),
    ['greedy', 'final-steps=5', 'final-steps=20'],
  );
  const [greedy, egps, vote] = samplers.families.map((family) => samplers.lookOf(family));
  assert.is(vote.color, egps.color);
  assert.is.not(vote.shape, egps.shape);
  assert.is.not(greedy.color, egps.color);
});

test('a label stands on no other, and within the chart', () => {
  const room = new LabelRoom([0, 0, 100, 40], [[42, 12, 58, 28]]);
  assert.equal(room.take(50, 20, 30), { left: 60, middle: 20 });
  assert.equal(room.take(50, 20, 30), { left: 10, middle: 20 });
  assert.equal(room.take(50, 20, 30), undefined);
  const narrow = new LabelRoom([0, 0, 100, 40], []);
  assert.equal(narrow.take(70, 20, 30), { left: 30, middle: 20 }, 'not beyond the right edge');
  assert.equal(
    new LabelRoom([0, 0, 100, 40], []).take(20, 38, 20),
    { left: 30, middle: 27 },
    'not beyond the lower edge',
  );
  assert.is(new LabelRoom([0, 0, 100, 40], []).take(30, 20, 70), undefined);
});

test('a text is cut to its room', () => {
  const measure = (text: string) => 7 * Array.from(text).length;
  assert.is(fitted('a😀b', 21, measure), 'a😀b');
  assert.is(fitted('a😀bc', 21, measure), 'a😀…');
  assert.is(fitted('abc', 7, measure), '');
  assert.is(onOneLine('a\nb\u202e'), 'a↵b·');
});

test.run();
