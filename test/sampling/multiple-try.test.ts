import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  type Acceptance,
  chances,
  decide,
  type Lots,
  mostPromising,
} from '../../src/sampling/multiple-try.ts';
import { randomSource } from '../../src/sampling/random.ts';
import { logMeanExp } from '../../src/sampling/target.ts';
import { test } from '../support/suite.ts';
import { golden } from './toy.ts';

/** Parts of the reference that only this file uses. */
const { lazy, mixture } = JSON.parse(readFileSync('test/fixtures/egps_golden.json', 'utf8')) as {
  lazy: {
    /** Upper bounds of log ρ_j after 0, 1, … tokens; the last is final. */
    traj: number[][];
    U: number;
    /** The last is that of the current response. */
    gumbel: number[];
    outcome: number;
    tokens_full: number;
    tokens_lockstep: number;
    tokens_bestfirst: number;
    barker_outcome: number;
    barker_tokens: number;
  }[];
  mixture: { logq: number[][]; value: number };
};

/** The decision among candidates that are all at their ends. */
const eagerly = (acceptance: Acceptance, logRho: number[], u: number, gumbels: number[]) =>
  decide(
    acceptance,
    logRho,
    logRho.map(() => true),
    { u, gumbels },
  );

/** Gumbels that make sure of candidate j. */
const only = (count: number, j: number) => Array.from({ length: count }, (_, k) => (k === j ? 1e6 : 0));

test('a selected candidate is accepted with the probability of the reference', () => {
  for (const { log_rho, p_accept_given_j } of golden.mtm_decisions) {
    for (const [j, p] of p_accept_given_j.entries()) {
      const gumbels = only(log_rho.length, j);
      const below = Math.min(p * (1 - 1e-9), 1 - 2 ** -33);
      assert.is(eagerly('metropolis', log_rho, below, gumbels), j);
      if (p < 1) assert.is(eagerly('metropolis', log_rho, p * (1 + 1e-9), gumbels), -1);
    }
  }
});

// χ² at a false-fail rate of 1e-6 for as many degrees of freedom; moving 1.5 % of the mass would fail.
const LIMIT = [0, 23.9, 27.6, 30.7, 33.4];

/** χ² of the outcomes of random decisions. @param expected probabilities of the candidates, then of staying */
function chiSquare(acceptance: Acceptance, logRho: number[], expected: number[]): number {
  const count = 40_000;
  const source = randomSource(3n, 0);
  const seen = expected.map(() => 0);
  for (let step = 0; step < count; step++) {
    const gumbels = expected.map((_, j) => source.select(step, j));
    const outcome = eagerly(acceptance, logRho, source.accept(step), gumbels) as number;
    seen[(outcome + expected.length) % expected.length]++;
  }
  return expected.reduce((sum, p, i) => sum + (seen[i] - p * count) ** 2 / (p * count), 0);
}

test('the outcomes have the frequencies of the reference', () => {
  for (const { log_rho, p_outcome } of golden.mtm_decisions) {
    const chi2 = chiSquare('metropolis', log_rho, p_outcome);
    assert.ok(chi2 < LIMIT[p_outcome.length - 1], `χ² ${chi2} for log ρ ${log_rho}`);
  }
});

test('with barker the outcomes are drawn by weight, the current response among them', () => {
  for (const { log_rho } of golden.mtm_decisions) {
    const logRho = log_rho.map((x) => x / 2); // else hardly any outcome but one
    const weights = [...logRho.map(Math.exp), 1];
    const total = weights.reduce((a, b) => a + b);
    const chi2 = chiSquare(
      'barker',
      logRho,
      weights.map((w) => w / total),
    );
    assert.ok(chi2 < LIMIT[logRho.length], `χ² ${chi2} for log ρ ${logRho}`);
  }
});

test('the chances of finished candidates are those of the reference, and of the decision itself', () => {
  for (const { log_rho, p_outcome } of golden.mtm_decisions) {
    const all = chances('metropolis', log_rho);
    for (const [j, p] of all.entries()) {
      assert.ok(Math.abs(p - p_outcome[j]) <= 1e-9 * p_outcome[j], `${p} and ${p_outcome[j]} of ${log_rho}`);
    }
    // Given the one selected, the decision takes it up to the same threshold of u.
    const sum = log_rho.reduce((total, l) => total + Math.exp(l), 0);
    for (const [j, l] of log_rho.entries()) {
      const threshold = (all[j] * sum) / Math.exp(l);
      const gumbels = only(log_rho.length, j);
      assert.is(eagerly('metropolis', log_rho, Math.min(threshold * (1 - 1e-9), 1 - 2 ** -33), gumbels), j);
      if (threshold < 1 - 1e-9)
        assert.is(eagerly('metropolis', log_rho, threshold * (1 + 1e-9), gumbels), -1);
    }
    const barker = chances('barker', log_rho);
    for (const [j, p] of barker.entries()) {
      assert.ok(Math.abs(p - Math.exp(log_rho[j]) / (1 + sum)) <= 1e-12 * p);
    }
  }
});

test('chances beyond the range of exp', () => {
  for (const acceptance of ['metropolis', 'barker'] as const) {
    assert.equal(chances(acceptance, [-Infinity, -Infinity]), [0, 0]);
    assert.equal(chances(acceptance, [-2000]), [0]);
    assert.equal(chances(acceptance, [2000, -Infinity]), [1, 0]);
    const [a, b] = chances(acceptance, [2000, 2000 - Math.log(3)]);
    assert.ok(Math.abs(a - 0.75) < 1e-9 && Math.abs(b - 0.25) < 1e-9);
  }
  assert.equal(chances('metropolis', [0]), [1]);
  assert.equal(chances('barker', [0]), [0.5]);
});

test('weights beyond the range of exp decide as they should', () => {
  assert.is(eagerly('metropolis', [-Infinity], 1e-9, [30, 0]), -1);
  assert.is(eagerly('metropolis', [-Infinity, -Infinity], 1e-9, [30, 0, 0]), -1);
  assert.is(eagerly('metropolis', [-Infinity, 0], 0.4, [30, 0, 0]), 1);
  assert.is(eagerly('metropolis', [2000, 1999], 0.999, [0, 0, 0]), 0);
  assert.is(eagerly('metropolis', [2000, 1999], 0.999, [0, 2, 0]), 1);
  assert.is(eagerly('metropolis', [-2000, -1999], 1e-9, [0, 0, 0]), -1);
  assert.is(eagerly('metropolis', [0], 1 - 2 ** -33, [0, 0]), 0);
  assert.is(eagerly('barker', [-Infinity], 0.5, [30, -2]), -1);
  assert.is(eagerly('barker', [2000, 1999], 0.5, [0, 2, 5]), 1);
});

test('a tie goes to the first candidate and, with barker, to the current response', () => {
  for (const acceptance of ['metropolis', 'barker'] as const) {
    assert.is(eagerly(acceptance, [1, 2, 2], 0.1, [1, 0, 0, 0]), 0);
    // The second cannot win the tie, the first still can.
    const lots: Lots = { u: 0.1, gumbels: [0, 0, 0] };
    assert.is(decide(acceptance, [2, 2], [false, true], lots), undefined);
    assert.is(decide(acceptance, [2 - 1e-9, 2], [false, true], lots), 1);
  }
  assert.is(eagerly('barker', [1], 0.1, [0, 1]), -1);
  assert.is(decide('barker', [2, 2], [true, false], { u: 0.1, gumbels: [0, 0, 0] }), 0);
  // Equal keys, unequal weights: accepted as 0.0498, of 0.4177 in all.
  assert.is(eagerly('metropolis', [-3, -1], 0.3, [2, 0, 0]), 0);
  assert.is(eagerly('metropolis', [-3, -1], 0.35, [2, 0, 0]), -1);
});

test('a finished candidate that may yet be selected keeps the outcome open', () => {
  const logRho = [Math.log(10), Math.log(0.1)];
  const lots = { u: 0.95, gumbels: [0, 6, 0] };
  assert.is(decide('metropolis', logRho, [true, false], lots), undefined);
  assert.is(decide('metropolis', logRho, [true, true], lots), -1);
  assert.is(decide('metropolis', [logRho[0], -5], [true, true], lots), 0);
});

test('acceptance at equality is rejection', () => {
  // U·ρ + (1 − U)·ρ = U exactly, at a power of two.
  assert.is(eagerly('metropolis', [Math.log(0.5)], 0.5, [0, 0]), -1);
  assert.is(eagerly('metropolis', [Math.log(0.5)], 0.5 - 2 ** -33, [0, 0]), 0);
});

/** Which rows go on by a token. */
type Schedule = (logRho: number[], finished: boolean[], lots: Lots) => number[];

const unfinished: Schedule = (_, finished) => [...finished.keys()].filter((j) => !finished[j]);
const bestFirst: Schedule = (...state) => [mostPromising(...state)];
/** Barker knows more: a candidate below the current response or below a finished one is out. */
const contenders: Schedule = (logRho, finished, lots) => {
  const key = (j: number) => logRho[j] + lots.gumbels[j];
  const done = [...finished.keys()].filter((j) => finished[j]);
  const best = Math.max(lots.gumbels[logRho.length], ...done.map(key));
  return unfinished(logRho, finished, lots).filter((j) => key(j) > best);
};

/** Follows the reference's bounds until the outcome is certain. */
function follow({ traj, U, gumbel }: (typeof lazy)[number], acceptance: Acceptance, schedule: Schedule) {
  const lots = { u: U, gumbels: gumbel };
  const at = traj.map(() => 0);
  for (let tokens = 0; ; ) {
    const logRho = traj.map((bounds, j) => bounds[at[j]]);
    const finished = traj.map((bounds, j) => at[j] === bounds.length - 1);
    const outcome = decide(acceptance, logRho, finished, lots);
    if (outcome !== undefined) return { outcome, tokens };
    for (const j of schedule(logRho, finished, lots)) {
      at[j]++;
      tokens++;
    }
  }
}

test('early termination decides as the reference does, after as many tokens', () => {
  assert.is(lazy.length, 40);
  for (const given of lazy) {
    const { outcome, tokens_full, tokens_lockstep, tokens_bestfirst, barker_outcome, barker_tokens } = given;
    const ends = given.traj.map((bounds) => bounds[bounds.length - 1]);
    assert.is(
      given.traj.reduce((sum, bounds) => sum + bounds.length - 1, 0),
      tokens_full,
    );
    assert.is(eagerly('metropolis', ends, given.U, given.gumbel), outcome);
    assert.equal(follow(given, 'metropolis', unfinished), { outcome, tokens: tokens_lockstep });
    assert.equal(follow(given, 'metropolis', bestFirst), { outcome, tokens: tokens_bestfirst });

    assert.is(eagerly('barker', ends, given.U, given.gumbel), barker_outcome);
    assert.equal(follow(given, 'barker', contenders), { outcome: barker_outcome, tokens: barker_tokens });
    assert.is(follow(given, 'barker', unfinished).outcome, barker_outcome);
    assert.is(follow(given, 'barker', bestFirst).outcome, barker_outcome);
  }
});

test('the candidate to decode next is unfinished: the likeliest selected, or else the heaviest', () => {
  const gumbels = [0.4, 3, 0, 0];
  const next = (logRho: number[], finished: boolean[]) =>
    mostPromising(logRho, finished, { u: 0.5, gumbels });
  assert.is(next([1, -1, 0], [false, false, false]), 1);
  assert.is(next([1, -1, 0], [false, true, false]), 0);
  assert.is(next([1, -1, 1.2], [false, true, false]), 2);
  assert.is(next([9, -1, 0], [true, true, false]), 2);
});

test('whole-suffix mixtures are averaged in log space', () => {
  const sums = mixture.logq.map((row) => row.reduce((a, b) => a + b));
  assert.ok(Math.abs(logMeanExp(sums) - mixture.value) < 1e-9);
  assert.ok(Math.abs(logMeanExp(sums.map((x) => x - 2000)) - (mixture.value - 2000)) < 1e-9);
  assert.is(logMeanExp([-Infinity, -Infinity]), -Infinity);
});

test.run();
