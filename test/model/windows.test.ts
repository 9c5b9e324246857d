import * as assert from 'uvu/assert';
import { forward } from '../../reference/oracle.ts';
import { loadWeights, nearestBf16 } from '../../reference/weights.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { assertNear, bits, decode, prompted, type Row, type Step } from '../support/decode.ts';
import { inTemporaryFolder, kernelSets, SHAPE } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

/** Wider than a span of the attention, and no multiple of one; the heads are normed too, which has a kernel of its own. */
const SIZE = 150;
const CONFIG: Partial<ModelConfig> = {
  ...SHAPE,
  modelType: 'qwen3',
  slidingWindow: { size: SIZE, layers: [false, true] },
};
/**
 * Of weights with which no key lies so close to half-way between two of bf16 that f32 and float64 round it to different ones: that is
 * 2^-9 of it, and no fault of a kernel.
 */
const SEED = 7;
const TOKENS = Array.from({ length: 300 }, (_, i) => 2 + ((i * 37) % 200));
/** The first position that does not see the first one, and the first from which on a whole span is not seen. */
const EDGES = [SIZE, 128 + SIZE - 1];
const LAW = { alpha: 4, temperature: 0.8 };
const key = (chain: number) => ({ seed: 3n, chain, step: 0, candidate: 0 });

const { 'portable kernels': _, ...sets } = kernelSets; // whose attention is that of the adapter's own
const kept = { f32: (value: number) => value, bf16: nearestBf16 };
const cases = Object.entries(sets).flatMap(([variant, load]) =>
  (['f32', 'bf16'] as const).map((kvCache) => ({ variant, load, kvCache })),
);
for (const { variant, load, kvCache } of cases) {
  test(`layers that slide agree with the float64 oracle, and rows do not depend on each other: ${variant}, keys in ${kvCache}`, async () => {
    await inTemporaryFolder(async (dir) => {
      const config = randomCheckpoint(dir, CONFIG, SEED, 'BF16');
      const model = await load(dir, { cachePositions: 4096, kvCache });
      const { vocabSize } = config;
      const expected = forward(config, await loadWeights(dir), TOKENS, undefined, kept[kvCache]);
      const near = (logits: ArrayLike<number>, position: number) =>
        assertNear(logits, expected.subarray(position * vocabSize), position);
      const logits = await model.logits(TOKENS);
      for (let t = 0; t < TOKENS.length; t++) near(logits.subarray(t * vocabSize, (t + 1) * vocabSize), t);

      const prefix = await model.prefill(TOKENS.slice(0, EDGES[1] - 2));
      const start = async (i: number): Promise<Row> => {
        const row = { key: key(i), tokens: 5, law: LAW };
        if (i >= EDGES.length) return { ...row, sequence: prefix.fork(), last: 5 + i }; // a team
        return prompted(model, TOKENS.slice(0, EDGES[i] + 1), row.key, row.tokens, LAW);
      };
      const all = [0, 1, 2, 3, 4];
      const alone: Step[][] = [];
      for (const i of all) {
        const row = await start(i);
        const { sequence } = row;
        if (i < EDGES.length) {
          const position = sequence.length; // of the first that the prompt, whose keys other kernels compute, leaves out
          const tokens = [TOKENS[position]];
          const sharpening = { alpha: 4, temperature: 0.25 };
          const [[read]] = await model.compute([{ sequence, position, tokens, sharpening, ask: 'logits' }]);
          near(read.logits ?? [], position);
          sequence.rollback(position);
        }
        alone.push((await decode(model, [row], i % 2 ? 3 : 0))[0]);
        sequence.free();
      }
      for (const some of [all, [1, 2, 3, 4, 0]]) {
        const rows = await Promise.all(some.map(start));
        for (const [n, steps] of (await decode(model, rows)).entries())
          assert.equal(bits(steps), bits(alone[some[n]]), `row ${some[n]} of ${some}`);
        for (const { sequence } of rows) sequence.free();
      }
      prefix.free();
      model.dispose();
    });
  });
}

test.run();
