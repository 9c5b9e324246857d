import * as assert from 'uvu/assert';
import { Chain } from '../../src/sampling/chain.ts';
import { CUT_LAW_NAMES, CUT_LAWS, type CutLawName, cutLaw } from '../../src/sampling/cut-laws.ts';
import { fitGate, PILOT_STEP } from '../../src/sampling/gate.ts';
import { powerChain } from '../../src/sampling/power-chain.ts';
import type { Response } from '../../src/sampling/response.ts';
import { Rollout } from '../../src/sampling/rollout.ts';
import {
  type Account,
  resolveOptions,
  type Sample,
  type SamplerOptions,
  sample,
} from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';
import { TableModel } from '../support/table-model.ts';
import {
  assertExact,
  defects,
  EXACT,
  type Matrix,
  metropolis,
  randomToy,
  respond,
  type Toy,
} from './exact.ts';
import { force, scripted } from './forced.ts';
import { outcome } from './outcome.ts';
import { name } from './toy.ts';

const GATED = CUT_LAW_NAMES.filter((law) => CUT_LAWS[law].uses.includes('gate'));
const TARGET = { alpha: 2, temperature: 1 / 2 };
const sorted = ({ entropy }: Response) => entropy.slice().sort();

/**
 * The transition matrix of the first step of whole runs whose gate is `auto`: the shipped code runs once for each first response, pilot, cut
 * and candidate.
 * @param pilots how probable each response is as the pilot, given the first one
 */
async function firstStep(
  toy: Toy,
  law: CutLawName,
  growth: SamplerOptions['growth'],
  pilots: (q: readonly number[], first: number) => readonly number[],
): Promise<{ P: Matrix; gates: Set<number> }> {
  const { horizon, blockSize, states } = toy;
  const { forest, tree } = await toy.tree();
  const subject = { toy, law: toy.law(law), ...TARGET };
  const responses = await Promise.all(states.map((x) => respond(subject, x)));
  const q = responses.map(({ logq }) => Math.exp(logq.reduce((a, b) => a + b, 0)));
  const gates = new Set<number>();
  const run = async (x: number, pilot: number, u: number, z: readonly number[]) => {
    const rollout = new Rollout(forest, tree, { ...TARGET, seed: 0n, chain: 0 }, scripted(0, 0, []));
    force(rollout, toy.vocabulary, (_logq, _candidate, position, step) => {
      if (step === PILOT_STEP) return states[pilot][position];
      return (step === 0 ? states[x] : z)[position];
    });
    const chain = new Chain(rollout);
    const kernel = {
      target: TARGET,
      law: { cutLaw: law, gate: 'auto', blockSize } as const,
      tries: 1,
      acceptance: 'metropolis' as const,
      decoding: 'eager' as const,
      random: scripted(u, 0.5, [0, 0]),
    };
    const schedule = {
      maxNewTokens: horizon,
      growth,
      particles: 1,
      blockSize: horizon,
      steps: 0,
      finalSteps: 1,
    };
    const { gate } = await powerChain(chain, kernel, schedule);
    return { gate, step: chain.trace.steps[1] };
  };
  const P: Matrix = [];
  for (const [i, x] of states.entries()) {
    const row = new Map([[name(x), 0]]);
    for (const [pilot, chance] of pilots(q, i).entries()) {
      if (chance === 0) continue;
      const gate = fitGate(sorted(responses[pilot]));
      gates.add(gate);
      const r = cutLaw(law, gate, blockSize)(responses[i].entropy);
      let below = 0;
      for (const [c, probability] of r.entries()) {
        const u = below + probability / 2;
        below += probability;
        for (const [j, z] of states.entries()) {
          if (z.length <= c || name(z.slice(0, c)) !== name(x.slice(0, c))) continue;
          const made = await run(i, pilot, u, z);
          assert.is(made.gate, gate);
          assert.is(made.step.cut, c);
          const [{ probability: taken }] = metropolis([...made.step.logRho]);
          const proposed = Math.exp(responses[j].logq.subarray(c).reduce((a, b) => a + b, 0));
          row.set(name(z), (row.get(name(z)) ?? 0) + chance * probability * proposed * taken);
        }
      }
    }
    const sum = [...row.values()].reduce((a, b) => a + b, 0);
    row.set(name(x), (row.get(name(x)) ?? 0) + 1 - sum);
    P.push(row);
  }
  return { P, gates };
}

const TOY = randomToy(3, 3, 2);
const independent = (q: readonly number[]) => q;

for (const law of GATED) {
  for (const growth of ['blocks', 'particles'] as const) {
    test(`${law}, growth by ${growth}: with a gate fitted to a pilot, over all of its outcomes, the chain is exact`, async () => {
      const { P, gates } = await firstStep(TOY, law, growth, independent);
      assert.ok(gates.size > 2, `${gates.size} gates`);
      assertExact(P, { toy: TOY, ...TARGET }, law);
    });
  }

  test(`${law}: a gate fitted to the chain's own first response would not be`, async () => {
    const { P } = await firstStep(TOY, law, 'blocks', (q, first) => q.map((_, i) => (i === first ? 1 : 0)));
    const { invariance, total } = defects(P, { toy: TOY, ...TARGET });
    assert.ok(total < EXACT);
    assert.ok(invariance > 1e-4, `|πP − π| ${invariance}`);
  });
}

/** Six tokens, EOS 0; how sure it is of the next depends on the last two. */
const model = (limits = {}) =>
  new TableModel(
    6,
    [0],
    (x) =>
      [0.02, 1, 2, 3, 1, 2].map(
        (w, v) => w ** (((x.at(-1) ?? 0) + (x.at(-2) ?? 0) * v + x.length) % 7) + v / 9,
      ),
    limits,
  );
const PROMPT = [1, 2];
const BASE = { maxNewTokens: 40, blockSize: 8, seed: 11n, particles: 5, finalSteps: 6, steps: 2 } as const;
const draw = (given: Partial<SamplerOptions>, toys = model()) =>
  sample(toys, PROMPT, resolveOptions({ ...BASE, ...given }));
const nats = ({ gate }: Sample) => gate?.nats as number;

test('auto is, but for its costs, the number that it comes to: with and without a tree, by particles and by blocks', async () => {
  const found = new Set<number>();
  for (const cutLaw of GATED) {
    for (const growth of ['particles', 'blocks'] as const) {
      const only = growth === 'blocks' ? { growth, particles: undefined } : { growth };
      for (const seed of [11n, 12n]) {
        const auto = await draw({ cutLaw, ...only, seed });
        found.add(nats(auto));
        const given = await draw({ cutLaw, ...only, seed, gate: nats(auto) });
        const bare = await draw({ cutLaw, ...only, seed, tree: 'off' });
        const what = `${cutLaw}, ${growth}, seed ${seed}`;
        assert.equal(outcome(given), outcome(auto), what);
        assert.equal(outcome(bare), outcome(auto), what);
        // Without a tree nothing that one walker has computed is of use to another one.
        const bareGiven = await draw({ cutLaw, ...only, seed, tree: 'off', gate: nats(auto) });
        const cost = (key: keyof Account) => bare.account[key] - bareGiven.account[key];
        const pilot = cost('drawnTokens');
        assert.ok(pilot > 0 && pilot <= BASE.maxNewTokens, `${what}: ${pilot} tokens of the pilot`);
        assert.ok(cost('computedRows') >= pilot, `${what}: ${cost('computedRows')} rows for ${pilot}`);
        if (growth === 'blocks') assert.ok(cost('sequentialPasses') >= pilot, what);
        else assert.ok(cost('sequentialPasses') <= pilot, what);
      }
    }
  }
  assert.ok(found.size > 1, 'every pilot gives the same gate');
});

test('the pilot goes beside the particles: it takes no pass that they do not take', async () => {
  // Neither ever ends.
  const endless = () => new TableModel(3, [], (x) => [1, 1 + (x.at(-1) as number), 4 * (x.length % 3)]);
  const passes = async (gate: number | 'auto') =>
    (await draw({ gate, finalSteps: 1, tree: 'off', decoding: 'eager', tries: 1 }, endless())).account;
  const auto = await passes('auto');
  const given = await passes(nats(await draw({ finalSteps: 1 }, endless())));
  assert.is(auto.drawnTokens - given.drawnTokens, BASE.maxNewTokens);
  assert.is(auto.sequentialPasses, given.sequentialPasses);
});

test('what goes by no gate draws no pilot and has none', async () => {
  const none: Partial<SamplerOptions>[] = [
    { sampler: 'metropolis' },
    { sampler: 'entropy-cut' },
    { sampler: 'karan-du', finalSteps: undefined },
    { sampler: 'smc', blockSize: undefined, steps: undefined, finalSteps: undefined, particles: 5 },
    { finalSteps: 0, particles: 5 },
    { growth: 'blocks', finalSteps: 0, steps: 0 },
    ...CUT_LAW_NAMES.filter((law) => !GATED.includes(law)).map((cutLaw) => ({ cutLaw })),
  ];
  for (const given of none) {
    const toys = model();
    const steps = new Set<number>();
    const { compute } = toys;
    toys.compute = (feeds) => {
      for (const { ahead } of feeds) if (ahead) steps.add(ahead.key.step);
      return compute.call(toys, feeds);
    };
    const { gate } = await draw({ particles: undefined, tree: 'off', ...given }, toys);
    assert.is(gate, null, JSON.stringify(given));
    assert.not(steps.has(PILOT_STEP), JSON.stringify(given));
  }
});

test('a pilot is no longer than 256 tokens', async () => {
  const endless = new TableModel(3, [], (x) => [1, 2, x.length % 4]);
  const lengths = new Set<number>();
  const options = { maxNewTokens: 400, finalSteps: 1, particles: 2, tree: 'off', tries: 1 } as const;
  const auto = await draw({ ...options, decoding: 'eager' }, endless);
  const given = await draw({ ...options, decoding: 'eager', gate: nats(auto) }, endless);
  lengths.add(auto.account.drawnTokens - given.account.drawnTokens);
  assert.equal([...lengths], [256]);
});

test('a gate that tells hardly any tokens apart is told of, with the number', async () => {
  const low = (await draw({ gate: 0.001 })).gate;
  assert.ok(low && low.above > 0.5);
  assert.match(
    low.trouble ?? '',
    /^gate 0\.001 nats: \d+ % of the tokens lie above it, so that it hardly tells where to cut; egps calibrate fits it$/,
  );
  const high = (await draw({ gate: 5 })).gate;
  assert.equal(high, {
    nats: 5,
    above: 0,
    trouble:
      'gate 5 nats: 0.00 % of the tokens lie above it, so that it leaves hardly anything to cut at; egps calibrate fits it',
  });
  // A model that has a few decisions of its own, which a fitted gate finds.
  const few = new TableModel(3, [], (x) => (x.length % 6 === 0 ? [1, 1, 1] : [0, 1, 1e-9]));
  const auto = await draw({}, few);
  assert.is(auto.gate?.trouble, null);
  assert.ok(nats(auto) > 0.5);
  // Of an answer of a few words nothing is said.
  assert.is((await draw({ gate: 5, maxNewTokens: 4, particles: 2, finalSteps: 2 })).gate?.trouble, null);
});

test.run();
