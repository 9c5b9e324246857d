import * as assert from 'uvu/assert';
import { diagnose } from '../../src/sampling/diagnostics.ts';
import type { Account, Step, Trace } from '../../src/sampling/trace.ts';
import { test } from '../support/suite.ts';

const close = (actual: number, expected: number, tolerance = 1e-12) =>
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.abs(expected), `${actual} is not ${expected}`);

const account: Account = {
  drawnTokens: 0,
  computedRows: 0,
  draftedRows: 0,
  usedDrafts: 0,
  sequentialPasses: 0,
  proposed: 0,
  accepted: 0,
  held: 0,
  abandoned: 0,
};

function step(kind: Step['kind'], cut: number, outcome: number, logp: number): Step {
  const none = { entropy: new Float64Array(0), tokenLogp: new Float64Array(0), origins: new Uint8Array(0) };
  const tokens = new Uint32Array(0);
  return {
    kind,
    block: 1,
    cut,
    lengths: [],
    abandoned: [],
    logRho: [],
    outcome,
    tokens,
    logp,
    account,
    ...none,
  };
}

function trace(length: number, steps: Step[]): Trace {
  return { steps, drawnAt: new Uint32Array(length) };
}

/** Chains that refine at log p of these values. */
const chainsOf = (draws: readonly ArrayLike<number>[]) =>
  draws.map((values) => ({
    tokens: Uint32Array.of(1),
    trace: trace(1, [step('grow', 0, 0, 0), ...Array.from(values, (logp) => step('propose', 0, -1, logp))]),
  }));
const diagnosed = (draws: readonly ArrayLike<number>[]) =>
  diagnose(chainsOf(draws), draws[0]?.length ?? 0, 1);
const splitRhat = (draws: readonly ArrayLike<number>[]) => diagnosed(draws).rhat;
const effectiveSampleSize = (draws: readonly ArrayLike<number>[]) => diagnosed(draws).ess;
const acceptanceByPosition = (traces: readonly Trace[], width: number) =>
  diagnose(
    traces.map((each) => ({ tokens: new Uint32Array(each.drawnAt.length), trace: each })),
    1,
    width,
  ).acceptance;

/** AR(1) chains from an LCG's uniforms (Numerical Recipes), chain c shifted by c · shift. */
function ar(phi: number, chains: number, length: number, seed: number, shift = 0): number[][] {
  let state = seed;
  return Array.from({ length: chains }, (_, c) => {
    let x = 0;
    return Array.from({ length }, () => {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0;
      x = phi * x + state / 2 ** 32 - 0.5;
      return x + shift * c;
    });
  });
}

test('four draws, by hand', () => {
  // Halves [0, 2] and [4, 6]: W = 2, means 1 and 5, so B/N = 8 and var+ = 2 · 1/2 + 8 = 9.
  close(splitRhat([[0, 2, 4, 6]]), Math.sqrt(9 / 2));
  // The autocovariance at lag 1 is −1/2: ρ_1 = 1 − 2.5/9 = 13/18, τ = −1 + 2 · (1 + 13/18) = 22/9.
  close(effectiveSampleSize([[0, 2, 4, 6]]), (4 * 9) / 22);
});

test('an odd chain loses its middle draw', () => {
  close(splitRhat([[0, 2, 99, 4, 6]]), Math.sqrt(9 / 2));
  close(effectiveSampleSize([[0, 2, 99, 4, 6]]), (4 * 9) / 22);
});

test('chains that stand still', () => {
  const still = (...values: number[]) => values.map((value) => new Float64Array(8).fill(value));
  assert.is(splitRhat(still(1, 1)), 1);
  assert.ok(Number.isNaN(effectiveSampleSize(still(1, 1))));
  // Eight halves of 4 draws without variance within: every ρ is 1, τ = −1 + 2 · 4.
  assert.is(splitRhat(still(1, 2, 3, 4)), Number.POSITIVE_INFINITY);
  close(effectiveSampleSize(still(1, 2, 3, 4)), 32 / 7);
});

test('what is undefined is NaN', () => {
  for (const draws of [[], [[]], [[1, 2, 3]], [[1, 2, 3, Number.NaN]], [[1, 2, 3, -Infinity]]]) {
    assert.ok(Number.isNaN(splitRhat(draws)));
    assert.ok(Number.isNaN(effectiveSampleSize(draws)));
  }
});

test('the numbers of ArviZ', () => {
  // ArviZ 0.23.4: rhat(draws, method="split") and ess(draws, method="mean") of the same chains.
  const cases: [draws: number[][], rhat: number, ess: number][] = [
    [ar(0, 4, 100, 1), 0.9935589160138758, 439.20455693609716],
    [ar(0.5, 4, 101, 2), 1.0270628953603207, 131.80730781854348],
    [ar(0.9, 3, 200, 3), 1.0663163576817296, 56.39907342865205],
    [ar(-0.5, 2, 100, 4), 0.9912336437472433, 460.2059991327962],
    [ar(0.6, 3, 80, 29), 1.0058009236322143, 71.41347891211144], // a pair that rises, and a last even lag
  ];
  for (const [draws, rhat, ess] of cases) {
    close(splitRhat(draws), rhat);
    close(effectiveSampleSize(draws), ess);
  }
  close(splitRhat(ar(0, 4, 50, 5, 0.2)), 1.2810959770125503);
});

test('the effective size of AR(1) chains is (1 − φ) / (1 + φ) of their draws, within a tenth', () => {
  for (const phi of [0, 0.3, 0.6, 0.8]) {
    const draws = ar(phi, 4, 3000, 11);
    close(effectiveSampleSize(draws), ((1 - phi) / (1 + phi)) * 12000, 0.1);
    assert.ok(Math.abs(splitRhat(draws) - 1) < 0.01);
  }
});

test('chains of different means do not agree', () => {
  const draws = ar(0, 4, 500, 7, 1);
  assert.ok(splitRhat(draws) > 3, `${splitRhat(draws)}`);
  assert.ok(effectiveSampleSize(draws) < 10, `${effectiveSampleSize(draws)}`);
});

test('a chain that drifts does not agree with itself', () => {
  assert.ok(splitRhat([Array.from({ length: 100 }, (_, t) => t)]) > 1.8);
});

test('moves are counted where their cut is', () => {
  const a = trace(7, [
    step('grow', 0, 0, -9),
    step('propose', 0, 1, -8),
    step('hold', -1, -1, -8),
    step('propose', 3, -1, -8),
    step('propose', 4, 0, -8),
  ]);
  assert.equal(acceptanceByPosition([a], 4), [
    { from: 0, proposed: 2, accepted: 1 },
    { from: 4, proposed: 1, accepted: 1 },
  ]);
  // The response was longer when it was cut at 11.
  const b = trace(2, [step('grow', 0, 0, -9), step('propose', 11, -1, -9), step('propose', 1, 0, -5)]);
  assert.equal(acceptanceByPosition([a, b], 4), [
    { from: 0, proposed: 3, accepted: 2 },
    { from: 4, proposed: 1, accepted: 1 },
    { from: 8, proposed: 1, accepted: 0 },
  ]);
  assert.equal(acceptanceByPosition([], 4), []);
  for (const width of [0, 1.5, Number.NaN]) {
    assert.throws(() => acceptanceByPosition([a], width), new RegExp(`width is ${width}`));
  }
});

test('diagnoses rest on the final steps', () => {
  const chain = (tokens: number[], logps: number[]) => ({
    tokens: Uint32Array.from(tokens),
    trace: trace(tokens.length, [
      step('grow', 0, 0, -50),
      step('propose', 0, -1, -50),
      step('grow', 1, 0, -70),
      ...logps.map((logp, i) => (i % 2 ? step('hold', -1, -1, logp) : step('propose', 1, i - 1, logp))),
    ]),
  });
  const one = chain([1, 2], [-30, -1, -2, -3, -1]);
  const two = chain([12], [-40, -3, -1, -2, -2]);
  const three = chain([1, 2], [-20, -2, -2, -1, -3]);
  const last = [
    [-1, -2, -3, -1],
    [-3, -1, -2, -2],
    [-2, -2, -1, -3],
  ];
  assert.equal(diagnose([one, two, three], 4, 8), {
    chains: 3,
    draws: 4,
    rhat: splitRhat(last),
    ess: effectiveSampleSize(last),
    distinct: 2,
    acceptance: [{ from: 0, proposed: 12, accepted: 6 }],
  });
  // More final steps than there are since the last growth.
  assert.is(diagnose([one, two, three], 9, 8).draws, 5);
  const grown = { tokens: Uint32Array.of(3), trace: trace(1, [step('grow', 0, 0, -1)]) };
  assert.equal(diagnose([grown], 4, 8), {
    chains: 1,
    draws: 0,
    rhat: Number.NaN,
    ess: Number.NaN,
    distinct: 1,
    acceptance: [{ from: 0, proposed: 0, accepted: 0 }],
  });
  assert.is(diagnose([], 4, 8).draws, 0);
});

test.run();
