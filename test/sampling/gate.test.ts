import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { Chain } from '../../src/sampling/chain.ts';
import { CUT_LAW_NAMES, CUT_LAWS, type CutLawName, cutLaw } from '../../src/sampling/cut-laws.ts';
import { fitGate } from '../../src/sampling/gate.ts';
import { powerChain } from '../../src/sampling/power-chain.ts';
import { Rollout } from '../../src/sampling/rollout.ts';
import {
  type Account,
  resolveOptions,
  type Sample,
  type SamplerOptions,
  sample,
} from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';
import {
  assertExact,
  complete,
  defects,
  EXACT,
  type Matrix,
  metropolis,
  multisets,
  randomToy,
  respond,
  type Toy,
} from './exact.ts';
import { force, scripted } from './forced.ts';
import { outcome } from './outcome.ts';
import { name } from './toy.ts';

/** Past every step: whose random numbers draw the pilot. */
const PILOT_STEP = 2 ** 24 - 1;
const GATED = CUT_LAW_NAMES.filter((law) => CUT_LAWS[law].uses.includes('gate'));
const TARGET = { alpha: 2, temperature: 1 / 2 };
const PILOTS = 4;
/** One that a run whose gate is `auto` has for its pilots, by their numbers among the states; and how probable it is. */
interface Team {
  readonly members: readonly number[];
  readonly chance: number;
}

/**
 * The transition matrix of the first step of whole runs whose gate is `auto`, by the shipped code. For each first response and all that the
 * pilots can be it runs once, and has the gate that they call for. For each gate it runs then for every cut and candidate.
 * @param teams what the pilots can be, given the first response
 */
async function firstStep(
  toy: Toy,
  law: CutLawName,
  growth: SamplerOptions['growth'],
  teams: (q: readonly number[], first: number) => readonly Team[],
): Promise<{ P: Matrix; gates: Set<number> }> {
  const { horizon, blockSize, states } = toy;
  const { forest, tree } = await toy.tree();
  const subject = { toy, law: toy.law(law), ...TARGET };
  const responses = await Promise.all(states.map((x) => respond(subject, x)));
  const q = responses.map(({ logq }) => Math.exp(logq.reduce((a, b) => a + b, 0)));
  const kernel = {
    target: TARGET,
    law: { cutLaw: law, gate: 'auto', blockSize },
    tries: 1,
    acceptance: 'metropolis',
    decoding: 'eager',
  } as const;
  const steps = { blockSize: horizon, steps: 0, finalSteps: 1 };
  const run = async (x: readonly number[], { members }: Team, u: number, z: readonly number[]) => {
    const random = scripted(u, 0.5, [0, 0]);
    const rollout = new Rollout(forest, tree, { ...TARGET, seed: 0n, chain: 0 }, random);
    force(rollout, toy.vocabulary, (_logq, candidate, position, step) => {
      if (step === PILOT_STEP) return states[members[candidate]][position];
      return (step === 0 ? x : z)[position];
    });
    const chain = new Chain(rollout);
    const schedule = { maxNewTokens: horizon, growth, particles: 1, ...steps };
    const { gate } = await powerChain(chain, { ...kernel, random }, schedule);
    return { gate, step: chain.trace.steps[1] };
  };
  const P: Matrix = [];
  const gates = new Set<number>();
  for (const [i, x] of states.entries()) {
    const chances = new Map<number, { team: Team; chance: number }>();
    for (const team of teams(q, i)) {
      const pooled = team.members.flatMap((m) => [...responses[m].entropy]);
      const gate = fitGate(Float64Array.from(pooled).sort());
      assert.is((await run(x, team, 0.5, x)).gate, gate);
      chances.set(gate, { team, chance: (chances.get(gate)?.chance ?? 0) + team.chance });
      gates.add(gate);
    }
    const row = new Map([[name(x), 0]]);
    for (const [gate, { team, chance }] of chances) {
      let below = 0;
      for (const [c, r] of cutLaw(law, gate, blockSize)(responses[i].entropy).entries()) {
        const u = below + r / 2;
        below += r;
        for (const [j, z] of states.entries()) {
          if (z.length <= c || name(z.slice(0, c)) !== name(x.slice(0, c))) continue;
          const { step } = await run(x, team, u, z);
          assert.is(step.cut, c);
          const [{ probability: taken }] = metropolis([...step.logRho]);
          const proposed = Math.exp(responses[j].logq.subarray(c).reduce((a, b) => a + b, 0));
          row.set(name(z), (row.get(name(z)) ?? 0) + chance * r * proposed * taken);
        }
      }
    }
    P.push(row);
  }
  return { P: complete(P, states), gates };
}

const TOY = randomToy(3, 2, 1);
/** Every one, and how probable the proposal makes it. */
const all = (q: readonly number[]): Team[] =>
  [...multisets(q.length, PILOTS)].map(({ members, orderings }) => {
    return { members, chance: members.reduce((product, m) => product * q[m], orderings) };
  });

for (const law of GATED) {
  for (const growth of ['blocks', 'particles'] as const) {
    test(`${law}, growth by ${growth}: with a gate fitted to pilots, over all that they can be, the chain is exact`, async () => {
      const { P, gates } = await firstStep(TOY, law, growth, all);
      assert.ok(gates.size > 1, `${gates.size} gates`);
      assertExact(P, { toy: TOY, ...TARGET }, law);
    });
  }

  test(`${law}: a gate fitted to the chain's own first response would not be`, async () => {
    const own = (_q: readonly number[], first: number) => [{ members: Array(PILOTS).fill(first), chance: 1 }];
    const { invariance, total } = defects((await firstStep(TOY, law, 'blocks', own)).P, {
      toy: TOY,
      ...TARGET,
    });
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
        assert.ok(pilot > 0 && pilot <= PILOTS * BASE.maxNewTokens, `${what}: ${pilot} tokens of pilots`);
        assert.ok(cost('computedRows') >= pilot, `${what}: ${cost('computedRows')} rows for ${pilot}`);
        const passes = cost('sequentialPasses');
        assert.ok(passes >= (growth === 'blocks' ? pilot / PILOTS : 0) && passes <= BASE.maxNewTokens, what);
      }
    }
  }
  assert.ok(found.size > 1, 'every pilot gives the same gate');
});

test('the pilots go beside the particles: they take no pass that those do not take', async () => {
  // Neither ever ends.
  const endless = () => new TableModel(3, [], (x) => [1, 1 + (x.at(-1) as number), 4 * (x.length % 3)]);
  const passes = async (gate: number | 'auto') =>
    (await draw({ gate, finalSteps: 1, tree: 'off', decoding: 'eager', tries: 1 }, endless())).account;
  const auto = await passes('auto');
  const given = await passes(nats(await draw({ finalSteps: 1 }, endless())));
  assert.is(auto.drawnTokens - given.drawnTokens, PILOTS * BASE.maxNewTokens);
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

test('a pilot is no longer than 128 tokens', async () => {
  const endless = new TableModel(3, [], (x) => [1, 2, x.length % 4]);
  const options = { maxNewTokens: 200, finalSteps: 1, particles: 2, tree: 'off', tries: 1 } as const;
  const auto = await draw({ ...options, decoding: 'eager' }, endless);
  const given = await draw({ ...options, decoding: 'eager', gate: nats(auto) }, endless);
  assert.is(auto.account.drawnTokens - given.account.drawnTokens, PILOTS * 128);
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
