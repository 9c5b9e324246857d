import * as assert from 'uvu/assert';
import { score } from '../src/api/score.ts';
import { resolveOptions, type SamplerOptions, sample } from '../src/sampling/sample.ts';
import { sampleMany } from '../src/sampling/sample-many.ts';
import { critical, detectable } from './sampling/chi-square.ts';
import { drive, fourTries, type Matrix, name, randomToy, Toy } from './sampling/exact.ts';
import { outcome } from './sampling/outcome.ts';
import { type Distribution, grow, schedule, scoreAll, transitions } from './support/enumeration.ts';
import { randomModel } from './support/models.ts';
import { test } from './support/suite.ts';

// The shipped sampler on the engine against p^α, where every response can be listed.

test('the closed form of the transition matrix is that of the kernel driven through every outcome', async () => {
  const toy = randomToy(3, 3, 1);
  const target = { alpha: 4, temperature: 0.4 };
  for (const law of ['uniform', 'entropy-jump', 'entropy-block'] as const) {
    for (const acceptance of ['metropolis', 'barker'] as const) {
      const subject = { toy, ...target, law: toy.law(law), acceptance };
      const one = await drive(subject);
      const two = await drive(subject, { tries: 2 });
      const matrices: [number, Matrix][] = [
        [1, one.P],
        [2, two.P],
      ];
      if (acceptance === 'metropolis') matrices.push([4, fourTries(subject, one.weighed)]);
      for (const [tries, driven] of matrices) {
        for (const [i, row] of (await transitions(subject, tries)).entries()) {
          for (const [j, x] of toy.states.entries()) {
            const apart = Math.abs(row[j] - (driven[i].get(name(x)) ?? 0));
            assert.ok(apart < 1e-12, `${law}, ${acceptance}, ${tries}: ${apart} from ${i} to ${j}`);
          }
        }
      }
    }
  }
});

const HORIZON = 4;
const PROMPT = [3];
/** In total variation. */
const MOST_BIAS = 1e-3;
const BLOCKS = { growth: 'blocks' } as const;
/** Every token of every chain is computed for it. */
const BARE = { tree: 'off' } as const;
/**
 * Of each: the number of responses and the settings. One proposal is flatter than p^α, one chain grows in two blocks, one by
 * sequential Monte Carlo.
 */
const RUNS: [count: number, settings: Partial<SamplerOptions>][] = [
  [2500, { cutLaw: 'uniform', alpha: 1.5, tries: 1, decoding: 'eager', ...BLOCKS }],
  [
    1500,
    { cutLaw: 'entropy', alpha: 2, proposalTemperature: 0.7, tries: 2, decoding: 'best-first', ...BLOCKS },
  ],
  [2500, { cutLaw: 'entropy-jump', alpha: 4, tries: 4, particles: 3 }],
  [3500, { cutLaw: 'entropy-jump', alpha: 1.5, tries: 1, acceptance: 'barker', ...BLOCKS }],
  [1500, { cutLaw: 'entropy-gate', alpha: 3, tries: 1, gate: 1, ...BLOCKS, ...BARE }],
  [
    1500,
    { cutLaw: 'entropy-block', alpha: 2, tries: 2, gate: 1, blockSize: 2, steps: 1, ...BLOCKS, ...BARE },
  ],
];

test('13,000 responses, sampled side by side on the GPU, are distributed as p^α', async () => {
  const shape = {
    hiddenSize: 16,
    intermediateSize: 16,
    numAttentionHeads: 2,
    numKeyValueHeads: 1,
    headDim: 8,
  };
  const language = { vocabSize: 5, eosTokens: [0] };
  const model = await randomModel({ ...language, ...shape, numHiddenLayers: 1 }, 26, 'F32', {
    cachePositions: 32768,
  });
  const p = await scoreAll(model, PROMPT, HORIZON);
  const toy = new Toy(model.vocabSize, HORIZON, p, 1, HORIZON);
  assert.is(toy.states.length, 341);
  const pi = (alpha: number): Distribution => {
    const masses = toy.pi(alpha);
    return new Map(toy.states.map((x, i) => [name(x), masses[i]]));
  };

  const plans: { count: number; options: SamplerOptions }[] = [];
  for (const [n, [count, settings]] of RUNS.entries()) {
    const chain = RUNS.slice(0, n).reduce((sum, [before]) => sum + before, 0);
    const whole = { maxNewTokens: HORIZON, blockSize: HORIZON, steps: 0, finalSteps: 0 };
    const options = resolveOptions({ ...whole, seed: 1n, chain, ...settings });
    const target = pi(options.alpha);
    for await (const reached of schedule(p, model.vocabSize, options)) {
      const bias = totalVariation(reached, target);
      const { statistic, freedom } = chiSquare(target, reached, count);
      const falseFailures = Math.exp((statistic / 2) * ((critical(freedom) + 2) / freedom - 1));
      if (bias < MOST_BIAS && falseFailures < 1.6) break;
      options.finalSteps++;
      assert.ok(
        options.finalSteps < 20,
        `${options.cutLaw}: ${bias} from p^α after ${options.finalSteps} steps`,
      );
    }
    plans.push({ count, options });
  }

  const batches: number[] = [];
  const { compute } = model;
  model.compute = (feeds) => {
    batches.push(feeds.length);
    return compute.call(model, feeds);
  };
  const all = await Promise.all(
    plans.map(({ count, options }) => {
      const concurrency = Math.ceil((count * (options.finalSteps + 1)) / 150); // so that all end at about the same time
      return sampleMany(model, Array(count).fill(PROMPT), options, { concurrency });
    }),
  );
  model.dispose();
  batches.sort((a, b) => a - b);
  const median = batches[batches.length >> 1];
  assert.ok(median >= 128, `batches of ${median} rows`);

  // Were the samples from p^α, each χ² would fail falsely once in 10⁷ runs at most, and 1.6 times as often by the bias that is left (a
  // noncentral χ², whose tail is e^(λ/2 · ((c + 2) / f − 1)) times the central one's at most): six together once in 10⁶. Each finds
  // nine times in ten that 10 % of the mass have moved from one response to another, be they the two likeliest; less elsewhere.
  for (const [n, samples] of all.entries()) {
    const { count, options } = plans[n];
    const { alpha, cutLaw, proposalTemperature } = options;
    const seen: Distribution = new Map();
    for (const { tokens } of samples) seen.set(name(tokens), (seen.get(name(tokens)) ?? 0) + 1 / count);
    const { statistic, freedom, expected } = chiSquare(pi(alpha), seen, count);
    assert.ok(
      statistic < critical(freedom),
      `${cutLaw}, α ${alpha}: χ² ${statistic} of ${critical(freedom)}`,
    );
    assert.ok(detectable(expected, count) < 0.1);

    const proposal = grow(new Map([['', 1]]), p, HORIZON, proposalTemperature);
    for (const other of [pi(alpha / 1.5), proposal]) {
      const { statistic, freedom } = chiSquare(other, seen, count);
      assert.ok(statistic > 2 * critical(freedom), `${cutLaw}, α ${alpha}: another χ² is but ${statistic}`);
    }
  }
});

const totalVariation = (a: Distribution, b: Distribution): number =>
  [...b].reduce((sum, [x, mass]) => sum + Math.abs((a.get(x) ?? 0) - mass), 0) / 2;

/** χ² of what is seen of `count` responses. Those of which less than five are expected share a bin. */
function chiSquare(target: Distribution, seen: Distribution, count: number) {
  const bins: { expected: number; seen: number }[] = [];
  const rare = { expected: 0, seen: 0 };
  for (const [x, mass] of target) {
    const bin = { expected: count * mass, seen: count * (seen.get(x) ?? 0) };
    if (bin.expected >= 5) {
      bins.push(bin);
      continue;
    }
    rare.expected += bin.expected;
    rare.seen += bin.seen;
  }
  if (rare.expected >= 5) bins.push(rare);
  else {
    bins[0].expected += rare.expected;
    bins[0].seen += rare.seen;
  }
  const statistic = bins.reduce((sum, { expected, seen }) => sum + (seen - expected) ** 2 / expected, 0);
  return { statistic, freedom: bins.length - 1, expected: bins.map(({ expected }) => expected) };
}

test('many chains at once on the GPU give bit for bit what each gives by itself', async () => {
  const model = await randomModel({}, 5);
  const prompts = Array.from({ length: 10 }, (_, i) => [[5, 17, 80], [42], [9, 9, 61, 33, 2, 70, 11]][i % 3]);
  const settings: Partial<SamplerOptions>[] = [
    { sampler: 'egps', finalSteps: 3, tries: 3, particles: 6 },
    { sampler: 'egps', blockSize: 16, steps: 1, finalSteps: 2, tries: 3, ...BLOCKS },
    { sampler: 'smc', particles: 4 },
    { sampler: 'metropolis', blockSize: 16, steps: 1, finalSteps: 2 },
    { sampler: 'karan-du', blockSize: 16, steps: 2 },
    { sampler: 'sample' },
  ];
  for (const setting of settings) {
    const options = resolveOptions({ maxNewTokens: 32, alpha: 2, seed: 7n, chain: 3, ...setting });
    const together = await sampleMany(model, prompts, options, { concurrency: prompts.length });
    const bare = { ...options, ...BARE, draft: 0, lookAhead: 0 };
    const alone = await sampleMany(model, prompts, bare, { concurrency: 5 });
    let abandoned = 0;
    for (const [i, prompt] of prompts.entries()) {
      assert.equal(outcome(together[i]), outcome(alone[i]), `${options.sampler} ${i}`);
      abandoned += together[i].account.abandoned;
      if (i >= 3) continue;
      const single = await sample(model, prompt, { ...options, chain: 3 + i });
      assert.equal(outcome(together[i]), outcome(single), `${options.sampler} ${i}, by itself`);
      const { tokens, logp, logZ, entropy } = single;
      const temperature = options.sampler === 'sample' ? options.temperature : options.proposalTemperature;
      const scored = await score(model, [...prompt, ...tokens], { alpha: 2, temperature });
      const columns = [scored.logp, scored.logZ, scored.entropy];
      assert.equal(
        columns.map((column) => column.slice(prompt.length - 1)),
        [logp, logZ, entropy],
      );
    }
    assert.is(abandoned > 0, options.sampler === 'egps' || options.sampler === 'metropolis');
  }
  model.dispose();
});

test.run();
