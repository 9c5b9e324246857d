import * as assert from 'uvu/assert';
import { type Limits, TableModel } from '../../reference/table-model.ts';
import { OptionError, OutOfMemoryError } from '../../src/base/errors.ts';
import type { Feed, Reading } from '../../src/engine/language-model.ts';
import { philox, uniform } from '../../src/sampling/random.ts';
import { Rollout } from '../../src/sampling/rollout.ts';
import {
  resolveOptions,
  type Sample,
  type SamplerOptions,
  sample,
  sampleIn,
} from '../../src/sampling/sample.ts';
import { sampleEach, sampleMany } from '../../src/sampling/sample-many.ts';
import { Forest } from '../../src/tree/forest.ts';
import { outcome } from '../sampling/outcome.ts';
import { RunningAhead } from '../sampling/running-ahead.ts';
import { test } from '../support/suite.ts';

// However a run comes by its distributions, it draws the same.

const PROMPT = [3, 1, 4, 1, 5];
const LENGTH = 32;
const TOKENS = 8;
/** Summaries of the toy list three of eight tokens, so that the rest is often asked for. */
const LISTED = 3;

const word = (counter: number[]) => philox([...counter, 0, 0, 0].slice(0, 4), [11, 13])[0];

/** Follows from the last two tokens, for the most part, and a little from every token before: no two prefixes have the same law. */
function conditional(tokens: readonly number[]): number[] {
  const key = tokens.join();
  const law = laws.get(key) ?? lawAfter(tokens);
  laws.set(key, law);
  return law;
}

const laws = new Map<string, number[]>();

function lawAfter(tokens: readonly number[]): number[] {
  const all = tokens.reduce((hash, v) => word([hash, v]), tokens.length);
  const [a, b] = tokens.slice(-2);
  return Array.from({ length: TOKENS }, (_, v) => {
    const logit = 5 * uniform(word([a, b ?? 0, v])) + uniform(word([all, v, 1])) - (v === 0 ? 4 : 0);
    return Math.exp(logit);
  });
}

const language = (limits: Limits = {}, Model = TableModel) =>
  new Model(TOKENS, [0], conditional, { entries: LISTED, ...limits });

const SETTINGS: Record<string, Partial<SamplerOptions>> = {
  metropolis: { sampler: 'metropolis', blockSize: 12, steps: 3, finalSteps: 8 },
  'egps, blocks': { sampler: 'egps', growth: 'blocks', blockSize: 12, steps: 2, finalSteps: 6, gate: 0.3 },
  'egps, particles': { sampler: 'egps', particles: 6, finalSteps: 8, gate: 0.3, blockSize: 12 },
  'egps, best first': {
    sampler: 'egps',
    particles: 3,
    finalSteps: 8,
    decoding: 'best-first',
    cutLaw: 'uniform',
  },
  'egps, eager': { sampler: 'egps', particles: 3, finalSteps: 6, decoding: 'eager', proposalTemperature: 1 },
  'entropy-cut': { sampler: 'entropy-cut', blockSize: 20, steps: 2, finalSteps: 8 },
  'karan-du': { sampler: 'karan-du', blockSize: 12, steps: 4 },
  smc: { sampler: 'smc', particles: 12 },
  'best-of-n': { sampler: 'best-of-n', n: 5 },
  'sample, truncated': { sampler: 'sample', topK: 4, topP: 0.9 },
  sample: { sampler: 'sample' },
  greedy: { sampler: 'greedy' },
};
const CHAINS = [
  'metropolis',
  'egps, blocks',
  'egps, particles',
  'egps, best first',
  'egps, eager',
  'entropy-cut',
  'karan-du',
];

const optionsFor = (name: string, given: Partial<SamplerOptions> = {}) =>
  resolveOptions({ maxNewTokens: LENGTH, seed: 5n, alpha: 2, ...SETTINGS[name], ...given });

/** @param Trees the forest that it is drawn in */
const run = (model: TableModel, options: SamplerOptions, Trees = Forest): Promise<Sample> =>
  sampleIn(new Trees(model, options), PROMPT, options, {});

/** Without any tree, each token by itself. */
const plain = (name: string, chain = 0) => run(language(), optionsFor(name, { tree: 'off', chain }));

/** Draws ahead as the GPU would if its arithmetic were bad: every fifth token is another one. */
class Astray extends RunningAhead {
  protected override stray(token: number, position: number): number {
    return position % 5 === 0 ? (token + 1) % TOKENS : token;
  }
}

/** The least that a response and the pages between fit in. */
const CRAMPED = { cachePositions: PROMPT.length + LENGTH + 2 * 4 + 3 };

interface Variant {
  readonly options?: Partial<SamplerOptions>;
  readonly limits?: Limits;
  readonly Model?: typeof TableModel;
}

const drafts = (draft: number, lookAhead: number) => ({ draft, lookAhead });
/** Ways to run a chain; of other samplers there is no look ahead. */
const VARIANTS: Record<string, Variant> = {
  'as it is by default': {},
  'no drafts': { options: drafts(0, 0) },
  'drafts of 1': { options: drafts(1, 0) },
  'drafts of 8': { options: drafts(8, 0) },
  'drafts of 32, a look ahead of 3': { options: drafts(32, 3) },
  'a look ahead of 3': { options: drafts(0, 3) },
  'rows that cost nothing, drafts of 32, a look ahead of 3': {
    options: drafts(32, 3),
    limits: { parallel: true },
  },
  'one row a pass': { limits: { rows: 1 } },
  'a cache that is always full': { limits: CRAMPED },
  'a cache that is always full, drafts of 8, a look ahead of 3': { options: drafts(8, 3), limits: CRAMPED },
  'a cache that is always full, no tree': { options: { tree: 'off' }, limits: CRAMPED },
  'pages of one token, always full': {
    options: drafts(8, 3),
    limits: { cachePositions: PROMPT.length + LENGTH + 2, pageSize: 1 },
  },
  'a tree that is always pruned': { options: { treeNodes: LENGTH + 1 } },
  'a tree that is always pruned, drafts of 8': { options: { treeNodes: LENGTH + 1, ...drafts(8, 3) } },
  'a tree that is always pruned, in a cache that is always full': {
    options: { treeNodes: LENGTH + 1, ...drafts(8, 3) },
    limits: CRAMPED,
  },
  'a model that runs ahead, no tree': { options: { tree: 'off' }, Model: RunningAhead },
  'a model that runs ahead': { Model: RunningAhead },
  'a model that runs ahead and goes astray, no tree': { options: { tree: 'off' }, Model: Astray },
  'a model that runs ahead and goes astray': { Model: Astray },
};

for (const [chain, name] of Object.keys(SETTINGS).entries()) {
  test(`${name}: a tree or none, drafts, a look ahead, eviction, pruning: the same in every bit`, async () => {
    const chained = CHAINS.includes(name);
    const expected = outcome(await plain(name, chain));
    for (const [variant, { options = {}, limits, Model }] of Object.entries(VARIANTS)) {
      const { lookAhead, ...rest } = options;
      const model = language(limits, Model);
      const given = { ...rest, ...(chained && lookAhead !== undefined ? { lookAhead } : {}), chain };
      const drawn = await run(model, optionsFor(name, given));
      assert.equal(outcome(drawn), expected, variant);
      assert.equal([model.live, model.pages], [0, 0], variant);
    }
  });
}

test('the variants are what they say: drafts are made and used, keys are evicted, nodes forgotten, steps foreseen', async () => {
  const cost = async (variant: string, name = 'metropolis') => {
    const { options, limits, Model } = VARIANTS[variant];
    return (await run(language(limits, Model), optionsFor(name, options))).account;
  };
  const none = await cost('no drafts');
  assert.equal([none.draftedRows, none.usedDrafts], [0, 0]);
  const eight = await cost('drafts of 8');
  assert.ok(eight.draftedRows > 0 && eight.usedDrafts > 0 && eight.usedDrafts < eight.draftedRows);
  assert.ok(eight.sequentialPasses < none.sequentialPasses);
  const ahead = await cost('a look ahead of 3');
  assert.ok(ahead.draftedRows > 0 && ahead.sequentialPasses < none.sequentialPasses);
  for (const variant of ['a cache that is always full', 'a tree that is always pruned']) {
    const { computedRows } = await cost(variant);
    assert.ok(computedRows > none.computedRows, `${variant}: ${computedRows} of ${none.computedRows}`);
  }
  for (const Model of [RunningAhead, Astray]) {
    const model = language({}, Model) as RunningAhead;
    const { account } = await run(model, optionsFor('sample', { tree: 'off' }));
    assert.ok(model.drawn > 0);
    assert.is(account.computedRows > account.drawnTokens, Model === Astray);
  }
});

test('one chain or six side by side, of one prompt or several: the same in every bit', async () => {
  for (const name of Object.keys(SETTINGS)) {
    const options = optionsFor(name);
    const prompts = Array.from({ length: 6 }, (_, i) => (i % 3 === 2 ? [2, 2] : PROMPT));
    const expected = [];
    for (const [chain, prompt] of prompts.entries()) {
      expected.push(
        outcome(await sample(language(), prompt, { ...options, tree: 'off', draft: 0, lookAhead: 0, chain })),
      );
    }
    const some = prompts.slice(0, 4);
    for (const [limits, given] of [
      [{}, prompts],
      [{ cachePositions: 3 * (PROMPT.length + LENGTH) }, some],
      [{ rows: 3 }, some],
    ] as const) {
      const model = language(limits);
      const drawn = await sampleMany(model, given, options);
      for (const [i, each] of drawn.entries()) assert.equal(outcome(each), expected[i], `${name} ${i}`);
      assert.equal([model.live, model.pages], [0, 0]);
    }
  }
});

test('chains with different α and τ walk one tree, and none is told what belongs to another', async () => {
  const laws = [
    { alpha: 1.5 },
    { alpha: 4 },
    { alpha: 4, proposalTemperature: 0.5 },
    { alpha: 2, proposalTemperature: 0.5 },
    { alpha: 2, proposalTemperature: 1 },
  ];
  const jobs = ['metropolis', 'egps, particles', 'smc'].flatMap((name) =>
    laws.map((law) => ({ prompt: PROMPT, options: optionsFor(name, law) })),
  );
  for (const [name, given] of [
    ['sample', { temperature: 1 }],
    ['sample', { temperature: 0.5 }],
    ['sample', { topK: 2 }],
    ['sample', { topP: 0.6 }],
    ['greedy', {}],
  ] as const) {
    jobs.push({ prompt: PROMPT, options: optionsFor(name, given) });
  }
  const model = language();
  const drawn: Sample[] = [];
  await sampleEach(model, jobs, { onSample: (each, i) => (drawn[i] = each) });
  for (const [i, { options }] of jobs.entries()) {
    const alone = await run(language(), { ...options, tree: 'off', draft: 0, lookAhead: 0 });
    assert.equal(outcome(drawn[i]), outcome(alone), `job ${i}`);
  }
});

/** How often each prefix was computed. */
function counted(limits: Limits = {}) {
  const rows = new Map<string, number>();
  const model = new TableModel(
    TOKENS,
    [0],
    (tokens) => {
      rows.set(tokens.join(), (rows.get(tokens.join()) ?? 0) + 1);
      return conditional(tokens);
    },
    limits,
  );
  return { model, rows };
}

test('every prefix is computed once, however many chains come by', async () => {
  // Everything is listed: what is drawn from a tail is read again.
  for (const name of Object.keys(SETTINGS)) {
    for (const given of [{}, { draft: 0 }, { draft: 8 }] as const) {
      const { model, rows } = counted();
      const drawn = await sampleMany(model, Array(5).fill(PROMPT), optionsFor(name, given));
      assert.ok(
        [...rows.values()].every((times) => times === 1),
        name,
      );
      // Each row is on the account of one of the chains.
      const total = (key: 'computedRows' | 'drawnTokens') =>
        drawn.reduce((sum, { account }) => sum + account[key], 0);
      assert.is(total('computedRows'), rows.size);
      if (given.draft === 0 && !CHAINS.includes(name)) assert.ok(rows.size <= total('drawnTokens'), name);
    }
  }
});

test('without drafts and a look ahead no more is computed than is drawn, nor in more passes', async () => {
  for (const name of Object.keys(SETTINGS)) {
    const given = CHAINS.includes(name) ? drafts(0, 0) : { draft: 0 };
    const { model, rows } = counted();
    const { account } = await run(model, optionsFor(name, given));
    const off = (await run(counted().model, optionsFor(name, { tree: 'off' }))).account;
    assert.ok(
      rows.size <= account.drawnTokens,
      `${name}: ${rows.size} rows for ${account.drawnTokens} tokens`,
    );
    assert.ok(account.sequentialPasses <= off.sequentialPasses);
    assert.is(account.sequentialPasses, model.calls.length);
    assert.is(account.draftedRows, 0);
    const saves = !['sample', 'greedy', 'sample, truncated'].includes(name);
    if (saves) assert.ok(rows.size < off.computedRows, `${name} saves nothing`);
  }
});

test('bounds that a single response would not fit are refused before anything starts', async () => {
  const refused = async (
    model: TableModel,
    options: SamplerOptions,
    type: new (...args: never[]) => Error,
    message: RegExp,
  ) => {
    const error = await run(model, options).catch((reason) => reason);
    assert.instance(error, type);
    assert.match(error.message, message);
    assert.equal([model.calls.length, model.live, model.pages], [0, 0, 0]);
    return error;
  };
  for (const treeNodes of [1, LENGTH - 1, LENGTH]) {
    await refused(
      language(),
      optionsFor('egps, particles', { treeNodes }),
      OptionError,
      new RegExp(`^treeNodes is ${treeNodes}: .*${LENGTH}`),
    );
  }
  const least = PROMPT.length + LENGTH + 2 * 4;
  for (const cachePositions of [0, 4, PROMPT.length + LENGTH, least - 1]) {
    const model = language({ cachePositions });
    const error = await refused(
      model,
      optionsFor('egps, particles'),
      OutOfMemoryError,
      /response of 32 tokens to a prompt of 5/,
    );
    assert.equal([error.needed, error.available], [least, cachePositions]);
  }
  assert.ok(await run(language({ cachePositions: least }), optionsFor('egps, particles')));
});

test('a model that fails leaves nothing behind, and what was computed before stays right', async () => {
  for (const failing of [1, 5, 20, 21]) {
    const model = language();
    const forest = new Forest(model, optionsFor('egps, blocks'));
    const tree = await forest.enter(PROMPT, LENGTH); // outlives the run that fails
    const { compute } = model;
    let calls = 0;
    model.compute = async (feeds) => {
      if (++calls === failing) throw new Error('device lost');
      return compute.call(model, feeds);
    };
    const options = optionsFor('egps, blocks');
    const error = await sampleIn(forest, PROMPT, options, {}).catch((reason) => reason);
    assert.is(error.message, 'device lost');
    const again = await sampleIn(forest, PROMPT, options, {});
    assert.equal(outcome(again), outcome(await plain('egps, blocks')));
    forest.leave(tree);
    assert.equal([model.live, model.pages], [0, 0]);
  }
});

// Broken trees, each of which the tests above would find.

/** Takes the draws of a run for another's. */
async function differs(
  model: TableModel,
  options: SamplerOptions,
  expected: Sample,
  Trees = Forest,
): Promise<void> {
  const drawn = await run(model, options, Trees).then(outcome, (error: Error) => error);
  if (drawn instanceof Error) return;
  assert.not.equal(drawn, outcome(expected));
}

test('a tree that hands out what was read of a sibling is found out', async () => {
  class Siblings extends Forest {
    override at(...[tree, node, law]: Parameters<Forest['at']>) {
      const siblings = [...(node.parent?.children.values() ?? [])];
      return super.at(tree, siblings.find(({ known }) => known.length > 0) ?? node, law);
    }
  }
  for (const name of ['metropolis', 'egps, particles', 'karan-du', 'smc']) {
    await differs(language(), optionsFor(name), await plain(name), Siblings);
  }
});

test('keys that were evicted and computed otherwise, while the summary stays, are found out', async () => {
  /** Of a prefix that is computed a second time all that follows is wrong. */
  class Drifting extends TableModel {
    private readonly seen = new Set<string>();
    private readonly spoiled = new WeakSet<object>();
    override async compute(feeds: readonly Feed[]): Promise<Reading[][]> {
      const readings = await super.compute(feeds);
      return readings.map((each, i) => {
        const { sequence, position } = feeds[i];
        return each.map((reading, n) => {
          const prefix = (sequence as unknown as { tokens: number[] }).tokens
            .slice(0, position + n + 1)
            .join();
          if (n < each.length - 1 && this.seen.has(prefix)) this.spoiled.add(each);
          this.seen.add(prefix);
          if (!this.spoiled.has(each)) return reading;
          const { summary } = reading;
          return { ...reading, summary: { ...summary, distances: summary.distances.map((d) => d / 2) } };
        });
      });
    }
  }
  for (const name of ['metropolis', 'egps, blocks']) {
    const expected = await plain(name);
    const roomy = await run(language({}, Drifting), optionsFor(name));
    assert.equal(outcome(roomy), outcome(expected)); // nothing is computed again
    await differs(language(CRAMPED, Drifting), optionsFor(name), expected);
  }
});

test('drafts that are taken without a draw are found out', async () => {
  const { pick } = Rollout.prototype;
  Rollout.prototype.pick = function (distribution, node, ...rest) {
    const drafted = [...node.children.values()].find(({ early }) => early);
    const found = drafted && distribution.find(drafted.token);
    return found ?? pick.call(this, distribution, node, ...rest);
  };
  try {
    for (const name of ['metropolis', 'egps, particles', 'karan-du']) {
      const options = optionsFor(name, drafts(8, 0));
      await differs(language({ parallel: true }), options, await plain(name));
    }
  } finally {
    Rollout.prototype.pick = pick;
  }
});

test.run();
