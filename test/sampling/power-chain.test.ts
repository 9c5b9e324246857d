import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CutLaw, type CutLawName, cutLaw } from '../../src/sampling/cut-laws.ts';
import { decide } from '../../src/sampling/multiple-try.ts';
import { type Kernel, refine } from '../../src/sampling/power-chain.ts';
import { randomSource } from '../../src/sampling/random.ts';
import {
  completions,
  cutUniforms,
  defect,
  entropies,
  fillDiagonal,
  force,
  golden,
  inverse,
  LAWS,
  logQ,
  type Matrix,
  name,
  PROMPT,
  STATES,
  scripted,
  scriptedChain,
  toy,
  toyLaw,
  toyModel,
  toyTarget,
  zeros,
} from './toy.ts';

const close = (a: number, b: number, tolerance = 1e-9) =>
  Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));

interface Settings {
  alpha?: number;
  temperature?: number;
  /** Horizon of the candidates from a state. */
  horizon?(x: number[]): number;
}

/** Runs one shipped step from x with every outcome given: the candidates' log ρ, and which was taken. */
async function step(
  law: CutLaw,
  x: number[],
  candidates: number[][],
  cut: number,
  accept: number,
  gumbels: number[],
  { alpha = toy.alpha, temperature = 1 / alpha, horizon = () => toy.T }: Settings = {},
) {
  const model = toyModel();
  const chain = await scriptedChain(model, x, { alpha, temperature });
  force(model, candidates);
  const kernel: Kernel = {
    target: { alpha, temperature },
    law,
    tries: candidates.length,
    acceptance: 'metropolis',
    decoding: 'eager',
    random: scripted(cut, accept, gumbels),
  };
  await refine(chain, kernel, horizon(x));
  chain.free();
  assert.is(model.live, 0);
  return { ...chain.trace.steps[1], x: [...chain.response.tokens], account: chain.rollout.account };
}

/**
 * log ρ of every (state, cut, completion), from runs of the shipped kernel with one try, and the transition matrix they make.
 * @param weighed the law that the weights see, where a mutant's differs from the law that cuts
 * @param confirm whether to see each acceptance probability confirmed by the kernel, from both sides
 */
async function enumerate(law: CutLaw, settings: Settings = {}, weighed = law, confirm = false) {
  const P = zeros();
  const logRho = STATES.map((x) => x.map(() => new Map<number, number>()));
  const { alpha, temperature, horizon = () => toy.T } = settings;
  for (const [i, x] of STATES.entries()) {
    const r = law(entropies(x));
    const uniforms = cutUniforms(weighed(entropies(x)));
    for (const cut of x.keys()) {
      if (r[cut] === 0) continue;
      for (const j of completions(x, cut)) {
        const y = STATES[j];
        if (y.length > horizon(x)) continue;
        const run = (u: number) => step(weighed, x, [y], uniforms[cut], u, [0], settings);
        const first = await run(0.5);
        assert.is(first.cut, cut);
        const a = Math.exp(Math.min(0, first.logRho[0]));
        if (confirm) {
          assert.is(name((await run(Math.min(a, 1 - 2 ** -33) * (1 - 1e-12))).x), name(y));
          if (a < 1) assert.is(name((await run(a * (1 + 1e-12))).x), name(x));
        }
        logRho[i][cut].set(j, first.logRho[0]);
        P[i][j] += r[cut] * Math.exp(logQ(y, cut, alpha, temperature)) * a;
      }
    }
  }
  return { P: fillDiagonal(P), logRho };
}

/** The transition matrix with K tries, from every multiset of candidates. */
function manyTries(law: CutLaw, logRho: Map<number, number>[][], K: number, from: number[]): Matrix {
  const factorial = [1, 1, 2, 6, 24];
  const P = zeros();
  for (const i of from) {
    const r = law(entropies(STATES[i]));
    for (const [cut, found] of logRho[i].entries()) {
      const states = [...found.keys()];
      const rho = states.map((j) => Math.exp(found.get(j) as number));
      const q = states.map((j) => Math.exp(logQ(STATES[j], cut)));
      const counts = states.map(() => 0);
      const visit = (least: number, left: number, probability: number, total: number) => {
        if (left === 0) {
          for (const [s, count] of counts.entries()) {
            if (count === 0 || rho[s] === 0) continue;
            const select = (count * rho[s]) / total;
            P[i][states[s]] += r[cut] * probability * select * Math.min(1, total / (1 + total - rho[s]));
          }
          return;
        }
        for (let s = least; s < states.length; s++) {
          for (let n = 1; n <= left; n++) {
            counts[s] = n;
            visit(s + 1, left - n, (probability * q[s] ** n) / factorial[n], total + n * rho[s]);
          }
          counts[s] = 0;
        }
      };
      if (r[cut] > 0) visit(0, K, factorial[K], 0);
    }
  }
  for (const i of from) P[i][i] += 1 - P[i].reduce((a, b) => a + b);
  return P;
}

const enumerated = new Map<CutLawName, Awaited<ReturnType<typeof enumerate>>>();

for (const law of LAWS) {
  test(`${law}, one try: the kernel's transition matrix is the reference's and leaves π invariant`, async () => {
    const result = await enumerate(toyLaw(law), {}, toyLaw(law), true);
    enumerated.set(law, result);
    const { P } = result;
    const pi = toyTarget();
    for (const [i, p] of pi.entries()) assert.ok(close(p, toy.pi[i]), `π(${STATES[i]})`);
    assert.ok(defect(P, pi) < 1e-12, `|πP − π| ${defect(P, pi)}`);
    for (const i of STATES.keys()) {
      for (const j of STATES.keys()) {
        assert.ok(
          close(pi[i] * P[i][j], pi[j] * P[j][i], 1e-12),
          `detailed balance ${STATES[i]} ${STATES[j]}`,
        );
        const full = toy.P_K1_full[law];
        if (full) assert.ok(close(P[i][j], full[i][j]), `P ${STATES[i]} ${STATES[j]}`);
      }
    }
    for (const [n, i] of toy.rows.entries()) {
      for (const [j, p] of toy.P_rows[`${law}|K1|mtm`][n].entries()) assert.ok(close(P[i][j], p));
    }
  });

  test(`${law}, more tries: the rows of the reference, and π is invariant`, () => {
    const { logRho } = enumerated.get(law) as Awaited<ReturnType<typeof enumerate>>;
    for (const K of [2, 4]) {
      const P = manyTries(toyLaw(law), logRho, K, K === 2 ? [...STATES.keys()] : toy.rows);
      for (const [n, i] of toy.rows.entries()) {
        for (const [j, p] of toy.P_rows[`${law}|K${K}|mtm`][n].entries()) {
          // A diagonal is 1 less the rest, in both.
          assert.ok(
            close(P[i][j], p) || (i === j && Math.abs(P[i][j] - p) < 1e-12),
            `K ${K}, ${STATES[i]} to ${STATES[j]}: ${P[i][j]} and ${p}`,
          );
        }
      }
      if (K === 2) assert.ok(defect(P) < 1e-12, `|πP − π| ${defect(P)}`);
    }
  });

  test(`${law}: without the factor r the chain goes where the reference says, not to π`, async () => {
    // Weights that see a law which is the same for all responses are weights without r.
    const { P } = await enumerate(toyLaw(law), {}, (entropy) =>
      new Float64Array(entropy.length).fill(1 / toy.T),
    );
    const pi = toyTarget();
    let M = P;
    for (let doubling = 0; doubling < 16; doubling++) {
      M = M.map((row) => M[0].map((_, j) => row.reduce((sum, p, k) => sum + p * M[k][j], 0)));
    }
    const now = M[0].map((_, j) => pi.reduce((sum, p, i) => sum + p * M[i][j], 0));
    const variation = now.reduce((sum, p, i) => sum + Math.abs(p - pi[i]), 0) / 2;
    assert.ok(close(variation, toy.naive_stationary_tv[law], 1e-6), `total variation ${variation}`);
    assert.ok(defect(P) > 1e-7);
  });
}

test('two tries: the kernel itself selects and accepts as its log ρ say', async () => {
  const law = toyLaw('entropy-block');
  const x = STATES[toy.rows[3]];
  const uniforms = cutUniforms(law(entropies(x)));
  for (const cut of x.keys()) {
    for (const a of completions(x, cut)) {
      for (const b of completions(x, cut)) {
        const ys = [STATES[a], STATES[b]];
        for (const gumbels of [
          [1e3, 0],
          [0, 1e3],
          [0.3, -0.2],
        ]) {
          const { logRho, outcome, x: z } = await step(law, x, ys, uniforms[cut], 0.4, gumbels);
          assert.is(outcome, decide('metropolis', logRho, [true, true], { u: 0.4, gumbels }));
          assert.is(name(z), name(outcome < 0 ? x : ys[outcome]));
          const alone = await step(law, x, [ys[1]], uniforms[cut], 0.4, [0]);
          assert.is(logRho[1], alone.logRho[0]);
        }
      }
    }
  }
});

test('mutant: the current length as horizon does not leave π invariant', async () => {
  const { P } = await enumerate(toyLaw('uniform'), { horizon: (x) => x.length });
  assert.ok(defect(P) > 1e-4, `|πP − π| ${defect(P)}`);
});

test('a proposal at another temperature has the general weights: π is invariant', async () => {
  for (const temperature of [0.5, 1]) {
    const { P } = await enumerate(toyLaw('entropy-block'), { temperature });
    assert.ok(defect(P) < 1e-12, `|πP − π| ${defect(P)} at ${temperature}`);
  }
});

test('both forms of the weight agree', async () => {
  // 1e-13 off the reciprocal of α is another temperature to the code, and the same one to the mathematics.
  const x = STATES[toy.rows[2]];
  for (const j of completions(x, 0)) {
    const [a, b] = await Promise.all(
      [0.25, 0.25 * (1 + 1e-13)].map((temperature) =>
        step(toyLaw('entropy'), x, [STATES[j]], 0.01, 0.5, [0], { temperature }),
      ),
    );
    assert.ok(Math.abs(a.logRho[0] - b.logRho[0]) < 1e-9);
  }
});

test('a closed block holds: nothing is drawn', async () => {
  const law = cutLaw('entropy-block', 0.7, 2);
  const held = STATES.filter((x) => law(entropies(x)).reduce((a, b) => a + b) < 0.9);
  assert.ok(held.length > 0);
  const { kind, cut, outcome, account } = await step(law, held[0], [held[0]], 0.9999, 0.5, [0]);
  assert.equal([kind, cut, outcome, account.held, account.proposed], ['hold', -1, -1, 1, 0]);
});

test('tokens a step, at π, as in the reference', () => {
  for (const law of LAWS) {
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
    assert.ok(close(tokens, toy.tokens_per_step_at_pi[law]), `${law}: ${tokens}`);
  }
});

test('the reference trace, step by step', async () => {
  const { law, K, steps, final } = golden.trace;
  const target = { alpha: toy.alpha, temperature: 1 / toy.alpha };
  let last = '';
  for (const [n, expected] of steps.entries()) {
    const model = toyModel();
    const chain = await scriptedChain(model, expected.x.split(',').map(Number));
    model.draw = (logq, key, position) =>
      inverse(logq.map(Math.exp), expected.u_tok[key.candidate][position - PROMPT.length]);
    const gumbels = expected.u_sel.map((u) => -Math.log(-Math.log(u)));
    const random = scripted(expected.u_cut, expected.u_acc, gumbels);
    const kernel: Kernel = {
      target,
      law: toyLaw(law),
      tries: K,
      acceptance: 'metropolis',
      decoding: 'eager',
      random,
    };
    await refine(chain, kernel, toy.T);
    const { cut, lengths, logRho, outcome } = chain.trace.steps[1];
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
    chain.free();
  }
  assert.is(last, final);
});

test('with its own random numbers the kernel leaves π as it is', async () => {
  // Exact draws of π, three steps each. χ² with 4 degrees of freedom at a false-fail rate of 1e-6; α = 2 keeps π spread out, and
  // a shift of 5 % of the mass between two bins would fail more often than not.
  const alpha = 2;
  const pi = toyTarget(alpha);
  const bins = (x: ArrayLike<number>) => (x.length < 3 ? x.length - 1 : 2 + x[x.length - 1]);
  const expected = [0, 0, 0, 0, 0];
  for (const [i, x] of STATES.entries()) expected[bins(x)] += pi[i];
  const seen = expected.map(() => 0);
  const count = 4000;
  const law = cutLaw('entropy-block', 0.6, 2);
  for (let n = 0; n < count; n++) {
    const x = STATES[inverse(pi, (n + 0.5) / count)];
    const model = toyModel();
    const chain = await scriptedChain(model, x, { alpha, seed: 5n, chain: n });
    model.draw = undefined;
    const kernel: Kernel = {
      target: { alpha, temperature: 1 / alpha },
      law,
      tries: 3,
      acceptance: 'metropolis',
      decoding: 'lockstep',
      random: randomSource(5n, n),
    };
    for (let k = 0; k < 3; k++) await refine(chain, kernel, toy.T);
    seen[bins(chain.response.tokens)]++;
    chain.free();
  }
  const chi2 = expected.reduce((sum, p, i) => sum + (seen[i] - p * count) ** 2 / (p * count), 0);
  assert.ok(chi2 < 33.4, `χ² ${chi2}: ${seen} for ${expected.map((p) => p * count)}`);
});

test.run();
