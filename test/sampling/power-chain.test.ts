import * as assert from 'uvu/assert';
import { type CutLaw, type CutLawName, cutLaw } from '../../src/sampling/cut-laws.ts';
import { type Kernel, refine } from '../../src/sampling/power-chain.ts';
import type { RandomSource } from '../../src/sampling/random.ts';
import type { Target } from '../../src/sampling/target.ts';
import { test } from '../support/suite.ts';
import { assertExact, drive, enumerate, type Matrix, metropolis, Toy } from './exact.ts';
import { chainAt, draw, force, PROMPT, plant, scripted } from './forced.ts';
import { weighingBy } from './mutants.ts';
import {
  completions,
  entropies,
  golden,
  index,
  logQ,
  name,
  STATES,
  STEPPED,
  scriptedChain,
  toy,
  toyLaw,
  toyModel,
  toyTarget,
} from './toy.ts';

const close = (a: number, b: number, tolerance = 1e-9) =>
  Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));

/** The reference's model, driven. */
const TOY = new Toy(toy.V, toy.T, (prefix) => toy.cond[name(prefix)], 0, 1);
const TARGET = { alpha: toy.alpha, temperature: 1 / toy.alpha };

/** In the order of the reference. */
const dense = (P: Matrix): number[][] =>
  STATES.map((x) => {
    const row = P[TOY.states.findIndex((y) => name(y) === name(x))];
    return STATES.map((y) => row.get(name(y)) ?? 0);
  });

/** Runs one shipped step from x with every outcome given: the candidates' log ρ, and which was taken. */
async function step(
  law: CutLaw,
  x: number[],
  candidate: number[],
  cut: number,
  accept: number,
  target: Target = TARGET,
) {
  const model = toyModel();
  const { chain, end } = await scriptedChain(model, x, target);
  force(chain.rollout, toy.V, draw([candidate]));
  const kernel: Kernel = {
    target,
    law,
    tries: 1,
    acceptance: 'metropolis',
    decoding: 'eager',
    random: scripted(cut, accept, [0, 0]),
  };
  await refine(chain, kernel, toy.T);
  end();
  assert.is(model.live, 0);
  return { ...chain.trace.steps[1], account: chain.rollout.account };
}

const driven = new Map<CutLawName, Awaited<ReturnType<typeof drive>>>();

for (const law of STEPPED) {
  const subject = { toy: TOY, law: toyLaw(law), ...TARGET };

  test(`${law}, one try: the kernel's transition matrix is the reference's and leaves π invariant`, async () => {
    const result = await drive(subject);
    driven.set(law, result);
    assertExact(result.P, subject, law);
    const pi = TOY.pi(toy.alpha);
    for (const [i, x] of TOY.states.entries()) assert.ok(close(pi[i], toy.pi[index(x)]), `π(${x})`);
    const P = dense(result.P);
    const full = toy.P_K1_full[law];
    for (const i of full ? STATES.keys() : []) {
      for (const j of STATES.keys()) {
        assert.ok(close(P[i][j], full?.[i][j] ?? 0), `P ${STATES[i]} ${STATES[j]}`);
      }
    }
    for (const [n, i] of toy.rows.entries()) {
      for (const [j, p] of toy.P_rows[`${law}|K1|mtm`][n].entries()) assert.ok(close(P[i][j], p));
    }
  });

  test(`${law}, more tries: the rows of the reference, and π is invariant`, () => {
    const weighed = driven.get(law)?.weighed ?? [];
    const rows = toy.rows.map((i) => name(STATES[i]));
    const some = weighed.map((found, i) => (rows.includes(name(TOY.states[i])) ? found : []));
    for (const K of [2, 4]) {
      const result = enumerate(subject, K === 2 ? weighed : some, K, metropolis);
      if (K === 2) assertExact(result, subject, law);
      const P = dense(result);
      for (const [n, i] of toy.rows.entries()) {
        for (const [j, p] of toy.P_rows[`${law}|K${K}|mtm`][n].entries()) {
          // A diagonal is 1 less the rest, in both.
          assert.ok(
            close(P[i][j], p) || (i === j && Math.abs(P[i][j] - p) < 1e-12),
            `K ${K}, ${STATES[i]} to ${STATES[j]}: ${P[i][j]} and ${p}`,
          );
        }
      }
    }
  });

  test(`${law}: without the factor r the chain goes where the reference says, not to π`, async () => {
    // Weights that see a law which is the same for all responses are weights without r.
    const blind = weighingBy(() => (entropy) => new Float64Array(entropy.length).fill(1 / toy.T));
    let M = dense((await drive({ ...subject, step: blind })).P);
    for (let doubling = 0; doubling < 16; doubling++) {
      M = M.map((row) => row.map((_, j) => row.reduce((sum, p, k) => sum + p * M[k][j], 0)));
    }
    const now = M[0].map((_, j) => toy.pi.reduce((sum, p, i) => sum + p * M[i][j], 0));
    const variation = now.reduce((sum, p, i) => sum + Math.abs(p - toy.pi[i]), 0) / 2;
    assert.ok(close(variation, toy.naive_stationary_tv[law] as number, 1e-6), `total variation ${variation}`);
  });
}

test('both forms of the weight agree', async () => {
  // 1e-13 off the reciprocal of α is another temperature to the code, and the same one to the mathematics.
  const x = STATES[toy.rows[2]];
  for (const j of completions(x, 0)) {
    const [a, b] = await Promise.all(
      [0.25, 0.25 * (1 + 1e-13)].map((temperature) =>
        step(toyLaw('entropy'), x, STATES[j], 0.01, 0.5, { alpha: toy.alpha, temperature }),
      ),
    );
    assert.ok(Math.abs(a.logRho[0] - b.logRho[0]) < 1e-9);
  }
});

test('a closed block holds: nothing is drawn', async () => {
  const law = cutLaw('entropy-block', 0.7, 2);
  const held = STATES.filter((x) => law(entropies(x)).reduce((a, b) => a + b) < 0.9);
  assert.ok(held.length > 0);
  const { kind, cut, outcome, account } = await step(law, held[0], held[0], 0.9999, 0.5);
  assert.equal([kind, cut, outcome, account.held, account.proposed], ['hold', -1, -1, 1, 0]);
});

test('tokens a step, at π, as in the reference', () => {
  for (const law of STEPPED) {
    const pi = toyTarget();
    let tokens = 0;
    for (const [i, x] of STATES.entries()) {
      const r = toyLaw(law)(entropies(x));
      for (const cut of x.keys()) {
        for (const j of completions(x, cut)) {
          tokens += pi[i] * r[cut] * Math.exp(logQ(STATES[j], cut)) * (STATES[j].length - cut);
        }
      }
    }
    assert.ok(close(tokens, toy.tokens_per_step_at_pi[law] as number), `${law}: ${tokens}`);
  }
});

test('the reference trace, step by step', async () => {
  const { law, K, steps, final } = golden.trace;
  let last = '';
  for (const [n, expected] of steps.entries()) {
    const { forest, tree } = await plant(toyModel(), toy.T);
    const start = await scriptedChain(toyModel(), expected.x.split(',').map(Number));
    start.end();
    const gumbels = expected.u_sel.map((u) => -Math.log(-Math.log(u)));
    const random: RandomSource = {
      ...scripted(expected.u_cut, expected.u_acc, gumbels),
      token: (_step, candidate, position) => {
        return { u: expected.u_tok[candidate][position - PROMPT.length], tail: 0 };
      },
    };
    const chain = chainAt({ forest, tree }, start.chain.response, { ...TARGET, seed: 0n, chain: 0 }, random);
    const kernel: Kernel = {
      target: TARGET,
      law: toyLaw(law),
      tries: K,
      acceptance: 'metropolis',
      decoding: 'eager',
      random,
    };
    await refine(chain, kernel, toy.T);
    const { cut, lengths, logRho, outcome } = chain.trace.steps[0];
    assert.is(cut, expected.cut, `step ${n}: cut`);
    const candidates = expected.cand.map((text) => text.split(','));
    assert.equal(
      lengths,
      candidates.map((tokens) => tokens.length),
    );
    for (const [j, l] of expected.log_rho.entries()) {
      assert.ok(Math.abs(logRho[j] - l) < 1e-9, `step ${n}: log ρ ${j}`);
    }
    assert.is(outcome, expected.outcome, `step ${n}: outcome`);
    last = name(chain.response.tokens);
    assert.is(last, outcome < 0 ? expected.x : expected.cand[outcome]);
    forest.leave(tree);
  }
  assert.is(last, final);
});

test.run();
