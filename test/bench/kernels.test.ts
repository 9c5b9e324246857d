import * as assert from 'uvu/assert';
import { noise, sampleOf } from '../../bench/kernels/operands.ts';
import { compare } from '../../src/selftest/compare.ts';
import { test } from '../support/suite.ts';

const COLUMNS = 4096;
const w = noise(COLUMNS, 1);
const x = noise(COLUMNS * 8, 2);

/** Eight sums of products, rounded to f32 after each term, of all columns but the last `without`. */
function sums(round: (sum: number) => number, without = 0): Float64Array {
  return Float64Array.from({ length: 8 }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < COLUMNS - without; i++) sum = round(sum + w[i] * x[row * COLUMNS + i]);
    return sum;
  });
}

test('rounding in f32 is within the bound; one missing term, and what is no number, are far beyond it', () => {
  const exact = [sums((sum) => sum)];
  const rounded = compare([sums(Math.fround)], exact, COLUMNS);
  assert.ok(rounded.error > 0 && rounded.error < rounded.bound / 4, `${rounded.error} of ${rounded.bound}`);
  const short = compare([sums(Math.fround, 1)], exact, COLUMNS);
  assert.ok(short.error > 10 * short.bound, `${short.error} of ${short.bound}`);
  const broken = sums(Math.fround);
  broken[0] = Number.NaN;
  assert.not.ok(compare([broken], exact, COLUMNS).error <= rounded.bound);
});

test('few outputs are checked all, of many a sample with both ends', () => {
  assert.equal(sampleOf(3, 100), [0, 1, 2]);
  const sample = sampleOf(151_936, 896 * 64);
  assert.is(sample.length, 64);
  assert.equal([sample[0], sample[63]], [0, 151_935]);
  assert.ok(sample.every((n) => Number.isInteger(n) && n >= 0 && n < 151_936));
});

test.run();
