import * as assert from 'uvu/assert';
import { inverseMean } from '../../reference/inverse-mean.ts';
import { score } from '../../src/api/score.ts';
import type { LanguageModel } from '../../src/engine/language-model.ts';
import { pickCut } from '../../src/sampling/cut-laws.ts';
import { refine } from '../../src/sampling/power-chain.ts';
import type { Response } from '../../src/sampling/response.ts';
import type { SamplerOptions } from '../../src/sampling/sample.ts';
import { STRIDE } from '../../src/sampling/smc.ts';
import { name, respond, type Subject, Toy } from '../sampling/exact.ts';
import { chainAt, draw, force, scripted } from '../sampling/forced.ts';

// The exact distribution of what the sampler returns, where every response of a language can be listed.

const EOS = 0;

/** p(· | response so far). */
export type Conditional = (prefix: readonly number[]) => readonly number[];

/**
 * p of every response to a prompt and of all they begin with, from the engine's own numbers: each full response is scored.
 * @param horizon tokens; token 0 is EOS
 */
export async function scoreAll(
  model: LanguageModel,
  prompt: readonly number[],
  horizon: number,
): Promise<Conditional> {
  const uniform = new Toy(model.vocabSize, horizon, () => Array(model.vocabSize).fill(1), 0, 1);
  const table = new Map<string, number[]>();
  await Promise.all(
    uniform.states.map(async (x) => {
      const scores = await score(model, [...prompt, ...x], { temperature: 1, alpha: 1 });
      const logp = scores.logp.slice(prompt.length - 1);
      for (const [t, v] of x.entries()) {
        const prefix = name(x.slice(0, t));
        const p = table.get(prefix) ?? [];
        table.set(prefix, p);
        const value = Math.exp(logp[t]);
        assert.is(p[v] ?? value, value, `p(${v} | ${prefix}) depends on what follows`);
        p[v] = value;
      }
    }),
  );
  for (const [prefix, p] of table) {
    const sum = p.reduce((a, b) => a + b);
    assert.ok(Math.abs(sum - 1) < 1e-6, `p(· | ${prefix}) sums to ${sum}`);
  }
  return (prefix) => table.get(name(prefix)) as number[];
}

/**
 * The transition matrix of the kernel with any number of tries, in closed form with log ρ from its runs: P_c(x → y) = K q(y) w(y) h(m)
 * with h(m) = E 1 / (m + the weights of the other candidates), m = max(w_x, w_y) for metropolis and w_x + w_y for barker.
 */
export async function transitions(subject: Subject, tries: number): Promise<Float64Array[]> {
  const { toy, law, acceptance } = subject;
  const responses = await Promise.all(toy.states.map((x) => respond(subject, x)));
  const r = responses.map(({ entropy }) => law(entropy));
  const P = toy.states.map(() => new Float64Array(toy.states.length));
  for (const { cut, members } of families(toy)) {
    const [first] = members;
    const u = r[first].subarray(0, cut).reduce((a, b) => a + b, 0) + r[first][cut] / 2;
    if (pickCut(r[first], u) !== cut) continue; // none can be cut there, but for rounding
    const q = members.map((i) => Math.exp(responses[i].logq.subarray(cut).reduce((a, b) => a + b, 0)));
    const logRho = await weigh(
      subject,
      responses[first],
      u,
      members.map((i) => toy.states[i]),
    );
    const rho = logRho.map(Math.exp);
    const mean = rho.reduce((sum, value, j) => sum + q[j] * value, 0);
    const w = rho.map((value) => value / mean);
    const h = inverseMean(q, w, tries - 1);
    const seen = new Map<number, number>();
    for (const [a, i] of members.entries()) {
      for (const [b, j] of members.entries()) {
        if (a === b) continue;
        const m = acceptance === 'barker' ? w[a] + w[b] : Math.max(w[a], w[b]);
        const value = seen.get(m) ?? h(m);
        seen.set(m, value);
        P[i][j] += r[i][cut] * tries * q[b] * w[b] * value;
      }
    }
  }
  for (const [i, row] of P.entries()) row[i] = 1 - row.reduce((a, b) => a + b);
  return P;
}

/** Of each cut and what it keeps, the responses that share it. */
function families({ states }: Toy): Iterable<{ cut: number; members: number[] }> {
  const found = new Map<string, { cut: number; members: number[] }>();
  for (const [i, x] of states.entries()) {
    for (let cut = 0; cut < x.length; cut++) {
      const kept = name(x.slice(0, cut));
      const family = found.get(kept) ?? { cut, members: [] };
      family.members.push(i);
      found.set(kept, family);
    }
  }
  return found.values();
}

/** log ρ of all candidates, as a step that cuts x at u and has them all sees it. */
async function weigh(
  { toy, law, alpha, temperature }: Subject,
  x: Response,
  u: number,
  candidates: readonly (readonly number[])[],
): Promise<readonly number[]> {
  const target = { alpha, temperature };
  const random = { ...scripted(u, 0.5, []), select: () => 0 };
  const chain = chainAt(await toy.tree(), x, { ...target, seed: 0n, chain: 0 }, random);
  force(chain.rollout, toy.vocabulary, draw(candidates));
  const tries = candidates.length;
  const kernel = { target, law, tries, acceptance: 'metropolis', decoding: 'eager', random } as const;
  await refine(chain, kernel, toy.horizon);
  return chain.trace.steps[0].logRho;
}

/** A mass for each response, by name. */
export type Distribution = Map<string, number>;

/** Adds proposals of up to `horizon` tokens to all that have not ended. */
export function grow(
  distribution: Distribution,
  conditional: Conditional,
  horizon: number,
  temperature: number,
): Distribution {
  const grown: Distribution = new Map();
  const extend = (x: number[], mass: number): void => {
    if (x.at(-1) === EOS || x.length === horizon) {
      grown.set(name(x), (grown.get(name(x)) ?? 0) + mass);
      return;
    }
    const weights = conditional(x).map((p) => p ** (1 / temperature));
    const sum = weights.reduce((a, b) => a + b);
    for (const [v, weight] of weights.entries()) extend([...x, v], (mass * weight) / sum);
  };
  for (const [x, mass] of distribution) extend(x === '' ? [] : x.split(',').map(Number), mass);
  return grown;
}

/**
 * What sequential Monte Carlo draws of responses of up to 16 tokens, where nothing is drawn again on the way: of n proposals one by
 * weight, so y with probability n q(y) w(y) E 1 / (w(y) + the weights of the others).
 */
function particles(conditional: Conditional, options: SamplerOptions): Distribution {
  const { maxNewTokens, alpha, proposalTemperature, particles: n } = options;
  assert.ok(maxNewTokens <= STRIDE);
  const q = grow(new Map([['', 1]]), conditional, maxNewTokens, proposalTemperature);
  const p = grow(new Map([['', 1]]), conditional, maxNewTokens, 1);
  const names = [...q.keys()];
  const chances = names.map((x) => q.get(x) as number);
  const ratios = names.map((x, i) => (p.get(x) as number) ** alpha / chances[i]);
  const mean = ratios.reduce((sum, w, i) => sum + w * chances[i], 0);
  const weights = ratios.map((w) => w / mean);
  const h = inverseMean(chances, weights, n - 1);
  return new Map(names.map((x, i) => [x, n * chances[i] * weights[i] * h(weights[i])]));
}

/** The distribution of what `egps` returns after 0, 1, 2, … final steps, the gate being given where the law has one. */
export async function* schedule(
  conditional: Conditional,
  vocabulary: number,
  options: SamplerOptions,
): AsyncGenerator<Distribution> {
  const { maxNewTokens, blockSize, steps, tries, gate, cutLaw: law, acceptance } = options;
  const target = { alpha: options.alpha, temperature: options.proposalTemperature };
  const kernel = async (horizon: number) => {
    const toy = new Toy(vocabulary, horizon, conditional, gate as number, blockSize);
    const P = await transitions({ toy, ...target, law: toy.law(law), acceptance }, tries);
    const names = toy.states.map(name);
    return (before: Distribution): Distribution => {
      const after = names.map(() => 0);
      for (const [i, row] of P.entries()) {
        const mass = before.get(names[i]) ?? 0;
        if (mass > 0) for (let j = 0; j < row.length; j++) after[j] += mass * row[j];
      }
      return new Map(names.map((x, j) => [x, after[j]]));
    };
  };
  if (options.growth === 'particles') {
    const step = await kernel(maxNewTokens);
    for (let now = particles(conditional, options); ; now = step(now)) yield now;
  }
  const ended: Distribution = new Map(); // by an EOS that ends the growth
  let now: Distribution = new Map([['', 1]]);
  for (let block = 1; ; block++) {
    const horizon = Math.min(block * blockSize, maxNewTokens);
    now = grow(now, conditional, horizon, target.temperature);
    const step = await kernel(horizon);
    for (let n = 0; n < steps; n++) now = step(now);
    if (horizon < maxNewTokens) {
      for (const [x, mass] of now) {
        if (x.split(',').at(-1) !== `${EOS}`) continue;
        ended.set(x, (ended.get(x) ?? 0) + mass);
        now.delete(x);
      }
      continue;
    }
    for (const [x, mass] of ended) now.set(x, (now.get(x) ?? 0) + mass);
    for (;;) {
      yield now;
      now = step(now);
    }
  }
}
