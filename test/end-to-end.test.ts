import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Model } from '../src/load-model.ts';
import { resolveOptions, type SamplerName, type SamplerOptions, sample } from '../src/sampling/sample.ts';
import { sampleMany } from '../src/sampling/sample-many.ts';
import { critical, detectable } from './sampling/chi-square.ts';
import { drive, fourTries, type Matrix, name, randomToy, Toy } from './sampling/exact.ts';
import { type Distribution, grow, schedule, scoreAll, transitions } from './support/enumeration.ts';
import { randomModel } from './support/models.ts';

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
const COUNT = 4000;
const BIAS = 1e-3;

const CONFIGURATIONS: Partial<SamplerOptions>[] = [
  { cutLaw: 'uniform', alpha: 1.5, tries: 1, decoding: 'eager', blockSize: 4, steps: 0 },
  {
    cutLaw: 'entropy',
    alpha: 2,
    proposalTemperature: 0.7,
    tries: 2,
    decoding: 'best-first',
    blockSize: 4,
    steps: 0,
  },
  { cutLaw: 'entropy-jump', alpha: 4, tries: 1, acceptance: 'barker', blockSize: 4, steps: 0 },
  { cutLaw: 'entropy-gate', alpha: 2, tries: 4, gate: 1, blockSize: 4, steps: 0 },
  { cutLaw: 'entropy-block', alpha: 4, tries: 4, gate: 1, decoding: 'best-first', blockSize: 2, steps: 1 },
];

test('20,000 responses, sampled side by side on the GPU, are distributed as p^α', async () => {
  // Five χ² tests of 4,000 responses each. If the samples came from p^α, one would fail falsely in 10⁷ runs at most; what bias is left
  // of the start raises that to 2 · 10⁻⁷: 1e-6 in all. TODO power
  const model = await randomModel(
    {
      vocabSize: 5,
      eosTokens: [0],
      numHiddenLayers: 1,
      hiddenSize: 16,
      intermediateSize: 16,
      numAttentionHeads: 2,
      numKeyValueHeads: 1,
      headDim: 8,
    },
    26,
    'F32',
    { cachePositions: 32768 },
  );
  const p = await scoreAll(model, PROMPT, HORIZON);
  const toy = new Toy(model.vocabSize, HORIZON, p, 1, HORIZON);
  assert.is(toy.states.length, 341);
  const pi = (alpha: number): Distribution => {
    const masses = toy.pi(alpha);
    return new Map(toy.states.map((x, i) => [name(x), masses[i]]));
  };

  const plans: SamplerOptions[] = [];
  for (const [n, configuration] of CONFIGURATIONS.entries()) {
    const given = { sampler: 'egps', maxNewTokens: HORIZON, seed: 20n, chain: n * COUNT } as const;
    const options = resolveOptions({ ...given, ...configuration, finalSteps: 0 });
    const target = pi(options.alpha);
    for await (const distribution of schedule(p, model.vocabSize, options)) {
      if (totalVariation(distribution, target) < BIAS) {
        const bins = binned(target, distribution);
        const noncentrality = COUNT * bins.reduce((sum, { expected, seen }) => sum + (seen - expected) ** 2 / expected, 0);
        console.log(options.cutLaw, options.finalSteps, totalVariation(distribution, target), noncentrality);
        break;
      }
      assert.ok(++options.finalSteps < 25, `${options.cutLaw}: ${totalVariation(distribution, target)} left`);
    }
    plans.push(options);
  }

  const batches = batchSizes(model);
  const t = process.cpuUsage(); const w = performance.now();
  const all = await Promise.all(
    plans.map((options) => sampleMany(model, Array(COUNT).fill(PROMPT), options, { concurrency: 100 })),
  );
  const u = process.cpuUsage(t);
  batches.sort((a, b) => a - b);
  console.log(batches.length, batches[batches.length >> 1], u, performance.now() - w);
  model.dispose();

  for (const [n, samples] of all.entries()) {
    const { alpha, cutLaw, proposalTemperature } = plans[n];
    const seen: Distribution = new Map();
    for (const { tokens } of samples) seen.set(name(tokens), (seen.get(name(tokens)) ?? 0) + 1 / COUNT);
    const q = grow(new Map([['', 1]]), p, HORIZON, proposalTemperature);
    for (const target of [pi(alpha), pi(1.15 * alpha), pi(1.3 * alpha), q]) {
      const bins = binned(target, seen);
      const statistic = COUNT * bins.reduce((sum, { expected, seen }) => sum + (seen - expected) ** 2 / expected, 0);
      console.log(cutLaw, alpha, statistic, critical(bins.length - 1), bins.length, detectable(bins.map(({ expected }) => expected * COUNT), COUNT), samples.reduce((s, x) => s + x.account.decodedTokens, 0));
    }
  }
});

const totalVariation = (a: Distribution, b: Distribution): number =>
  [...b].reduce((sum, [x, mass]) => sum + Math.abs((a.get(x) ?? 0) - mass), 0) / 2;

interface Bin {
  expected: number;
  seen: number;
}

/** Masses a response, those of which less than five are expected together. */
function binned(expected: Distribution, seen: Distribution): Bin[] {
  const bins: Bin[] = [];
  const rare: Bin = { expected: 0, seen: 0 };
  for (const [x, mass] of expected) {
    const bin = { expected: mass, seen: seen.get(x) ?? 0 };
    if (COUNT * mass >= 5) bins.push(bin);
    else {
      rare.expected += bin.expected;
      rare.seen += bin.seen;
    }
  }
  bins.sort((a, b) => b.expected - a.expected);
  if (COUNT * rare.expected >= 5) return [...bins, rare];
  const last = bins[bins.length - 1];
  last.expected += rare.expected;
  last.seen += rare.seen;
  return bins;
}

/** Rows of each batch that the engine runs from now on. */
function batchSizes(model: Model): number[] {
  const sizes: number[] = [];
  const engine = model as unknown as { chunk(batch: readonly unknown[]): Promise<void> };
  const { chunk } = engine;
  engine.chunk = (batch) => {
    sizes.push(batch.length);
    return chunk.call(model, batch);
  };
  return sizes;
}

test('many chains at once give bit for bit what each gives by itself', async () => {
  const model = await randomModel({ vocabSize: 97, eosTokens: [96] }, 5);
  const prompts = Array.from({ length: 16 }, (_, i) => [[5, 17, 80], [42], [9, 9, 61, 33, 2, 70, 11]][i % 3]);
  const settings: [SamplerName, Partial<SamplerOptions>][] = [
    ['egps', { decoding: 'lockstep', steps: 2, finalSteps: 2, tries: 3, gate: 1 }],
    ['smc', { n: 6 }],
    ['metropolis', { decoding: 'lockstep', steps: 2, finalSteps: 2 }],
    ['karan-du', { steps: 3 }],
  ];
  for (const [sampler, setting] of settings) {
    const options = resolveOptions({ sampler, maxNewTokens: 40, blockSize: 16, alpha: 2, seed: 7n, chain: 3, ...setting });
    const together = await sampleMany(model, prompts, options, { concurrency: 16 });
    for (const [i, prompt] of prompts.entries()) {
      const alone = await sample(model, prompt, { ...options, chain: 3 + i });
      assert.equal(together[i], alone, `${sampler} ${i}`);
    }
  }
  model.dispose();
});

test.run();
