import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { multipleTry } from '../../src/sampling/multiple-try.ts';
import { randomSource } from '../../src/sampling/random.ts';
import { golden } from './toy.ts';

/** Gumbels that make sure of candidate j. */
const only = (count: number, j: number) => Array.from({ length: count }, (_, k) => (k === j ? 1e6 : 0));

test('a selected candidate is accepted with the probability of the reference', () => {
  for (const { log_rho, p_accept_given_j } of golden.mtm_decisions) {
    for (const [j, p] of p_accept_given_j.entries()) {
      const gumbels = only(log_rho.length, j);
      assert.is(multipleTry(log_rho, Math.min(p * (1 - 1e-9), 1 - 2 ** -33), gumbels), j);
      if (p < 1) assert.is(multipleTry(log_rho, p * (1 + 1e-9), gumbels), -1);
    }
  }
});

test('the outcomes have the frequencies of the reference', () => {
  // χ² at a false-fail rate of 1e-6; moving 1.5 % of the mass would fail.
  const LIMIT = [0, 23.9, 27.6, 30.7, 33.4];
  const count = 40_000;
  const source = randomSource(3n, 0);
  for (const { log_rho, p_outcome } of golden.mtm_decisions) {
    const seen = p_outcome.map(() => 0);
    for (let step = 0; step < count; step++) {
      const gumbels = log_rho.map((_, j) => source.select(step, j));
      seen[(multipleTry(log_rho, source.accept(step), gumbels) + p_outcome.length) % p_outcome.length]++;
    }
    const chi2 = p_outcome.reduce((sum, p, i) => sum + (seen[i] - p * count) ** 2 / (p * count), 0);
    assert.ok(chi2 < LIMIT[p_outcome.length - 1], `χ² ${chi2} for log ρ ${log_rho}`);
  }
});

test('weights beyond the range of exp decide as they should', () => {
  assert.is(multipleTry([-Infinity], 1e-9, [30]), -1);
  assert.is(multipleTry([-Infinity, 0], 0.4, [30, 0]), 1);
  assert.is(multipleTry([2000, 1999], 0.999, [0, 0]), 0);
  assert.is(multipleTry([-2000, -1999], 1e-9, [0, 0]), -1);
  assert.is(multipleTry([0], 1 - 2 ** -33, [0]), 0);
});

test.run();
