import * as assert from 'uvu/assert';
import { bootstrap, majority, mcnemar, passAtK, quantile, wilson } from '../../src/eval/statistics.ts';
import { test } from '../support/suite.ts';

const intervalOf = (differences: readonly number[], seed: bigint, resamples?: number) =>
  bootstrap([differences], seed, resamples)[0];

const Z = 1.959964;

function close(actual: number, expected: number, tolerance: number, what: string): void {
  const near = Math.abs(actual - expected) <= tolerance * Math.max(1e-300, Math.abs(expected));
  assert.ok(near, `${what}: ${actual} for ${expected}`);
}

/** C(n, k), exact. */
function choose(n: number, k: number): bigint {
  let result = 1n;
  for (let i = 1n; i <= BigInt(k); i++) result = (result * (BigInt(n) - BigInt(k) + i)) / i;
  return result;
}

/** A fraction of two integers of any size as a number. */
function ratio(above: bigint, below: bigint): number {
  // 80 bits of the quotient, wherever they lie.
  const shift = BigInt(Math.max(0, 80 + below.toString(2).length - above.toString(2).length));
  const half = Number(shift) / 2;
  return Number((above << shift) / below) * 2 ** -Math.floor(half) * 2 ** -Math.ceil(half);
}

test('wilson: published intervals', () => {
  // Newcombe (1998), table I, method 3.
  const published: [number, number, number, number][] = [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ];
  for (const [right, total, low, high] of published) {
    assert.equal(
      wilson(right, total).map((bound) => Number(bound.toFixed(4))),
      [low, high],
    );
  }
});

test('wilson: the share lies z standard errors from either bound', () => {
  for (const [right, total] of [
    [3, 10],
    [37.5, 60],
    [499, 500],
    [1, 2],
  ]) {
    for (const z of [Z, 1, 2.575829]) {
      for (const bound of wilson(right, total, z)) {
        const errors = (right / total - bound) ** 2 / ((bound * (1 - bound)) / total);
        close(errors, z ** 2, 1e-9, `${right} of ${total}`);
      }
    }
  }
});

test('wilson: none, all and nothing', () => {
  for (const n of [1, 7, 60, 1319]) {
    const rest = Z ** 2 / (n + Z ** 2);
    const [low, high] = wilson(0, n);
    assert.is(low, 0);
    close(high, rest, 1e-12, `0 of ${n}`);
    const [lowOfAll, highOfAll] = wilson(n, n);
    assert.is(highOfAll, 1);
    close(lowOfAll, 1 - rest, 1e-12, `${n} of ${n}`);
  }
  assert.equal(wilson(0, 0), [0, 1]);
});

test('mcnemar: twice the binomial tail', () => {
  const pairs: [number, number][] = [
    [1400, 1600],
    [0, 1000],
    [0, 1060],
    [601, 718],
  ];
  for (let a = 0; a <= 24; a++) for (let b = 0; b <= 24; b++) pairs.push([a, b]);
  for (const [a, b] of pairs) {
    let tail = 0n;
    for (let i = 0; i <= Math.min(a, b); i++) tail += choose(a + b, i);
    const expected = Math.min(1, ratio(2n * tail, 2n ** BigInt(a + b)));
    close(mcnemar(a, b), expected, 1e-10, `${a} and ${b}`);
  }
  assert.is(mcnemar(0, 0), 1);
  assert.is(mcnemar(4, 4), 1);
  close(mcnemar(0, 6), 2 ** -5, 1e-14, 'no tail');
});

test('quantile: linear between the values', () => {
  assert.is(quantile([1, 2, 4], 0), 1);
  assert.is(quantile([1, 2, 4], 1), 4);
  assert.is(quantile([1, 2, 4], 0.75), 3);
  assert.is(quantile([5], 0.3), 5);
});

test('bootstrap: the quantiles of the binomial', () => {
  // The mean of n draws out of zeros and ones is a binomial share.
  for (const [n, ones] of [
    [20, 7],
    [61, 50],
    [400, 90],
  ]) {
    const column = Array.from({ length: n }, (_, i) => Number(i < ones));
    let below = 0;
    const cumulative = Array.from({ length: n + 1 }, (_, k) => {
      const ways = choose(n, k) * BigInt(ones) ** BigInt(k) * BigInt(n - ones) ** BigInt(n - k);
      below += ratio(ways, BigInt(n) ** BigInt(n));
      return below;
    });
    // Of 10000 resamples the share below a value is within 0.008 of its chance, 5 standard errors and more.
    for (const [i, q] of [0.025, 0.975].entries()) {
      const bound = Math.round(intervalOf(column, 3n)[i] * n);
      assert.ok(cumulative[bound] > q - 0.008, `${n}, ${q}: ${cumulative[bound]}`);
      assert.ok((cumulative[bound - 1] ?? 0) < q + 0.008, `${n}, ${q}: ${cumulative[bound - 1]}`);
    }
  }
});

test('bootstrap: every item is drawn as often as any other', () => {
  for (const n of [1, 2, 3, 5, 8, 11]) {
    for (let i = 0; i < n; i++) {
      const only = Array.from({ length: n }, (_, j) => Number(i === j));
      const [low, high] = intervalOf(only, 11n, 4000);
      assert.is(low, n === 1 ? 1 : 0);
      // The 97.5 % quantile of Binomial(n, 1 / n) is 2 for n = 2, 3 beyond 4 or so; never 0.
      assert.ok(high * n > 0.99 && high * n < 3.01, `${i} of ${n}: ${high * n}`);
    }
  }
});

test('bootstrap: equal arguments, equal interval', () => {
  const column = Array.from({ length: 37 }, (_, i) => ((i * 7) % 5) - 2);
  assert.equal(intervalOf(column, 5n, 2000), intervalOf(column, 5n, 2000));
  assert.not.equal(intervalOf(column, 5n, 2000), intervalOf(column, 6n, 2000));
  assert.not.equal(intervalOf(column, 5n, 2000), intervalOf(column, 5n + 2n ** 32n, 2000));
  assert.equal(intervalOf([0.25, 0.25, 0.25], 1n, 100), [0.25, 0.25]);
  const other = column.map((value) => value ** 2);
  assert.equal(bootstrap([column, other], 5n, 500), [
    intervalOf(column, 5n, 500),
    intervalOf(other, 5n, 500),
  ]);
});

test('passAtK: one minus a ratio of binomials', () => {
  for (let n = 1; n <= 12; n++) {
    for (let c = 0; c <= n; c++) {
      for (let k = 1; k <= n; k++) {
        const expected = ratio(choose(n, k) - choose(n - c, k), choose(n, k));
        assert.ok(Math.abs(passAtK(n, c, k) - expected) < 1e-14, `${n}, ${c}, ${k}`);
      }
    }
  }
  const large = ratio(choose(3000, 1000) - choose(2997, 1000), choose(3000, 1000));
  close(passAtK(3000, 3, 1000), large, 1e-12, 'where the binomials overflow');
  assert.is(passAtK(8, 0, 8), 0);
  assert.is(passAtK(8, 1, 8), 1);
  assert.is(passAtK(8, 2, 1), 0.25);
});

test('majority: the most frequent answer, and the first of equals', () => {
  assert.is(majority(['1', '2', '2']), 1);
  assert.is(majority(['3', '1', '1', '3']), 0);
  assert.is(majority([null, null, '7']), 2);
  assert.is(majority([null, null]), -1);
  assert.is(majority([]), -1);
  assert.is(majority(['constructor', 'x', 'x']), 1);
});

test.run();
