import * as assert from 'uvu/assert';
import { accuracyAt, costAt } from '../../bench/studies/reproduce/curves.ts';
import { test } from '../support/suite.ts';

const close = (found: number | undefined, expected: number) =>
  assert.ok(Math.abs((found ?? Number.NaN) - expected) < 1e-9, `${found}, ${expected} is right`);

/** Whatever the order. */
const BUDGETS = [
  { cost: 1600, accuracy: 0.9 },
  { cost: 100, accuracy: 0.5 },
  { cost: 400, accuracy: 0.7 },
];

test('the cost of a level lies between the budgets beside it, logarithmically', () => {
  close(costAt(0.6, BUDGETS), 200);
  close(costAt(0.7, BUDGETS), 400);
  close(costAt(0.8, BUDGETS), 800);
});

test('a sampler that is above the level from the start costs what its cheapest budget does; one that never is costs nothing known', () => {
  assert.is(costAt(0.4, BUDGETS), 100);
  assert.is(costAt(0.91, BUDGETS), undefined);
  assert.is(costAt(0.5, []), undefined);
});

test('the first crossing counts where accuracies fall again', () => {
  const noisy = [
    { cost: 10, accuracy: 0.5 },
    { cost: 1000, accuracy: 0.7 },
    { cost: 2000, accuracy: 0.6 },
    { cost: 4000, accuracy: 0.8 },
  ];
  close(costAt(0.6, noisy), 100);
});

test('the accuracy at a cost is read off the same lines', () => {
  close(accuracyAt(200, BUDGETS), 0.6);
  close(accuracyAt(400, BUDGETS), 0.7);
  close(accuracyAt(800, BUDGETS), 0.8);
  assert.is(accuracyAt(1e6, BUDGETS), 0.9); // nothing is known to be better
  assert.is(accuracyAt(99, BUDGETS), undefined);
  assert.is(accuracyAt(99, []), undefined);
});

test.run();
