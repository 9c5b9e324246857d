import * as assert from 'uvu/assert';
import type { Decoding } from '../../src/sampling/chain.ts';
import { type Acceptance, chances } from '../../src/sampling/multiple-try.ts';
import { refine } from '../../src/sampling/power-chain.ts';
import { randomSource } from '../../src/sampling/random.ts';
import { EMPTY, type Response } from '../../src/sampling/response.ts';
import { likeliest, type Visited, visitsAfter, type Weighted } from '../../src/sampling/visits.ts';
import { test } from '../support/suite.ts';
import { distance, drive, enumerate, type Matrix, name, randomToy, respond, type Subject } from './exact.ts';
import { chainAt, plant } from './forced.ts';

const response = (tokens: number[], logp = -tokens.length): Response => ({
  ...EMPTY,
  tokens: Uint32Array.from(tokens),
  logp: Float64Array.of(logp),
});
const state = (...weighted: [number[], number][]): Weighted[] =>
  weighted.map(([tokens, weight]) => ({ response: response(tokens), weight }));
const weights = (visited: Visited, steps?: number) =>
  Object.fromEntries(visitsAfter(visited, steps).map(({ tokens, weight }) => [name(tokens), weight]));

test('steps count alike; where there was none, the first state counts', () => {
  const states = [state([[1], 1]), state([[2], 0.25], [[1], 0.75]), state([[1, 2], 1]), state([[2], 1])];
  const visited = { particles: [], states };
  assert.equal(weights(visited, 0), { 1: 1 });
  assert.equal(weights(visited, 1), { 1: 0.75, 2: 0.25 });
  assert.equal(weights(visited, 2), { 1: 0.375, 2: 0.125, '1,2': 0.5 });
  const all = weights(visited);
  assert.ok(Math.abs(all[1] - 0.25) < 1e-15 && Math.abs(all[2] - 1.25 / 3) < 1e-15);
  assert.is(all['1,2'], 1 / 3);
  // One that a step could have taken and never did is visited no more than its weight says.
  assert.equal(weights({ particles: [], states: [state([[1], 1]), state([[2], 0], [[1], 1])] }), {
    1: 1,
    2: 0,
  });
});

test('where there are particles they alone count; what the chain came by is known, and has no weight', () => {
  const particles = state([[1], 0.5], [[2], 0.25], [[1], 0.25]);
  const visited = { particles, states: [state([[1], 1]), state([[7], 1]), state([[8], 1])] };
  assert.equal(weights(visited, 1), { 1: 0.75, 2: 0.25, 7: 0 });
  assert.equal(weights(visited), { 1: 0.75, 2: 0.25, 7: 0, 8: 0 });
  assert.equal(weights({ particles, states: [] }), { 1: 0.75, 2: 0.25 });
});

test('the likeliest is of highest log p, the first of equals', () => {
  const visits = visitsAfter({
    particles: [
      { response: response([1], -3), weight: 0.9 },
      { response: response([2], -1), weight: 0.1 },
    ],
    states: [[{ response: response([3], -1), weight: 1 }]],
  });
  assert.is(name(likeliest(visits).tokens), '2');
});

const TARGET = { alpha: 2, temperature: 1 / 2 };
const toy = randomToy(3, 3, 1);
const RULES: Acceptance[] = ['metropolis', 'barker'];

test('over all candidates the chances make the transition matrix of the kernel that is driven', async () => {
  for (const acceptance of RULES) {
    for (const law of ['uniform', 'entropy-block'] as const) {
      const subject: Subject = { toy, ...TARGET, law: toy.law(law), acceptance };
      const { weighed, P: one } = await drive(subject);
      const takes = (logRho: number[]) =>
        chances(acceptance, logRho).map((probability, j) => ({ j, probability }));
      assert.ok(distance(enumerate(subject, weighed, 1, takes), one) < 1e-12, `${law}, ${acceptance}`);
      const { P: two } = await drive(subject, { tries: 2 });
      assert.ok(distance(enumerate(subject, weighed, 2, takes), two) < 1e-12, `${law}, ${acceptance}, two`);
    }
  }
});

/** Steps of chains that start at exact draws of π: the mean of what each step visits, and of its square. */
async function recycled(subject: Subject, decoding: Decoding, tries: number, count: number) {
  const { law, acceptance = 'metropolis' } = subject;
  const pi = toy.pi(TARGET.alpha);
  const names = toy.states.map(name);
  const starts: Response[] = [];
  for (const tokens of toy.states) starts.push(await respond(subject, tokens));
  const common = await plant(toy.model(), toy.horizon);
  const sums = names.map(() => 0);
  const squares = names.map(() => 0);
  for (let n = 0; n < count; n++) {
    const { accept } = randomSource(77n, n);
    let i = 0;
    for (let left = accept(0) - pi[0]; left > 0 && i + 1 < pi.length; left -= pi[i]) i++;
    const random = randomSource(78n, n);
    // On a tree that knows everything all candidates are finished before anybody looks.
    const planted = decoding === 'eager' ? common : await plant(toy.model(), toy.horizon);
    const chain = chainAt(planted, starts[i], { ...TARGET, seed: 78n, chain: n }, random);
    chain.visited = [[{ response: starts[i], weight: 1 }]];
    const kernel = { target: TARGET, law, tries, acceptance, decoding, random };
    for (let step = 0; step < 3; step++) await refine(chain, kernel, toy.horizon);
    if (planted !== common) planted.forest.leave(planted.tree);
    const found = new Map<string, number>();
    for (const { tokens, weight } of visitsAfter({ particles: [], states: chain.visited })) {
      found.set(name(tokens), weight);
    }
    for (const [j, x] of names.entries()) {
      sums[j] += found.get(x) ?? 0;
      squares[j] += (found.get(x) ?? 0) ** 2;
    }
  }
  common.forest.leave(common.tree);
  return names.map((_, j) => {
    const mean = sums[j] / count;
    return { mean, error: Math.sqrt((squares[j] / count - mean ** 2) / count), pi: pi[j] };
  });
}

test('chains at π visit every response as often as π says; candidates that are counted too make it surer', async () => {
  // Of six estimators each state is within 5.5 standard errors: false alarms less than once in 10⁵ for all of them.
  const COUNT = 1500;
  for (const [law, tries, acceptance] of [
    ['uniform', 1, 'metropolis'],
    ['entropy', 3, 'metropolis'],
    ['entropy-block', 2, 'barker'],
  ] as const) {
    const subject: Subject = { toy, ...TARGET, law: toy.law(law), acceptance };
    const variance = { eager: 0, lockstep: 0 };
    for (const decoding of ['eager', 'lockstep'] as const) {
      for (const [j, { mean, error, pi }] of (await recycled(subject, decoding, tries, COUNT)).entries()) {
        if (pi * COUNT < 10) continue;
        const apart = Math.abs(mean - pi) / error;
        assert.ok(apart < 5.5, `${law}, ${decoding}, ${name(toy.states[j])}: ${mean} ± ${error}, π ${pi}`);
        variance[decoding] += error ** 2;
      }
    }
    assert.ok(variance.eager < variance.lockstep, `${law}: ${variance.eager} and ${variance.lockstep}`);
  }
});

test('only steps whose candidates are always finished count what they could have taken', async () => {
  const subject: Subject = { toy, ...TARGET, law: toy.law('uniform') };
  const x = await respond(subject, toy.states[3]);
  for (const decoding of ['eager', 'lockstep', 'best-first'] as const) {
    const planted = await plant(toy.model(), toy.horizon);
    const random = randomSource(3n, 0);
    const chain = chainAt(planted, x, { ...TARGET, seed: 3n, chain: 0 }, random);
    const kernel = {
      target: TARGET,
      law: subject.law,
      tries: 3,
      acceptance: 'metropolis',
      decoding,
      random,
    } as const;
    for (let step = 0; step < 20; step++) {
      const before = chain.response;
      await refine(chain, kernel, toy.horizon);
      const visited = chain.visited[chain.visited.length - 1];
      if (decoding !== 'eager') {
        assert.is(visited.length, 1);
        assert.equal([visited[0].response, visited[0].weight], [chain.response, 1]);
        continue;
      }
      const { logRho } = chain.trace.steps[step];
      const all = chances('metropolis', logRho);
      const stay = 1 - all.reduce((a, b) => a + b, 0);
      assert.equal(
        visited.map(({ weight }) => weight),
        [...all, stay],
      );
      assert.is(visited[3].response, before);
      assert.ok(stay >= -1e-15);
    }
    planted.forest.leave(planted.tree);
  }
});

test('chances by weight alone, which forget that the one selected may be refused, are found out', async () => {
  const subject: Subject = { toy, ...TARGET, law: toy.law('uniform') };
  const { weighed, P } = await drive(subject, { tries: 2 });
  const byWeight = (logRho: number[]) => {
    const rho = logRho.map(Math.exp);
    const sum = rho.reduce((a, b) => a + b);
    return rho.map((w, j) => ({ j, probability: w / sum }));
  };
  const wrong: Matrix = enumerate(subject, weighed, 2, byWeight);
  assert.ok(distance(wrong, P) > 0.01);
});

test.run();
