import * as assert from 'uvu/assert';
import { forward } from '../../reference/oracle.ts';
import { loadWeights } from '../../reference/weights.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { bits, decode, prompted, type Row, type Step } from '../support/decode.ts';
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
const TOKENS = Array.from({ length: 300 }, (_, i) => 2 + ((i * 37) % 200));
/** Around the first position that does not see the first, and around those from which on a span is not seen at all. */
const LENGTHS = [149, 150, 151, 276, 277, 278];
const LAW = { alpha: 4, temperature: 0.8 };
const key = (chain: number) => ({ seed: 3n, chain, step: 0, candidate: 0 });

for (const [variant, load] of Object.entries(kernelSets)) {
  test(`layers that slide agree with the float64 oracle, and rows do not depend on each other: ${variant}`, async () => {
    await inTemporaryFolder(async (dir) => {
      const config = randomCheckpoint(dir, CONFIG, 17, 'BF16');
      const model = await load(dir, { cachePositions: 4096 });
      const { vocabSize } = config;
      const expected = forward(config, await loadWeights(dir), TOKENS);
      const near = (logits: ArrayLike<number>, position: number) => {
        let [error, power] = [0, 0];
        for (let v = 0; v < vocabSize; v++) {
          const right = expected[position * vocabSize + v];
          error += (right - logits[v]) ** 2;
          power += right ** 2;
        }
        assert.ok(
          error / power <= 1e-9,
          `position ${position}: normalised mean square error ${error / power}`,
        );
      };
      const logits = await model.logits(TOKENS);
      for (let t = 0; t < TOKENS.length; t++) near(logits.subarray(t * vocabSize, (t + 1) * vocabSize), t);

      // Rows before, at and beyond the edges of the window, and forks of one prefix, which are a team.
      const prefix = await model.prefill(TOKENS.slice(0, 270));
      const fork = (i: number): Row => {
        return { sequence: prefix.fork(), last: 5 + i, key: key(i), tokens: 12, law: LAW };
      };
      const start = async (i: number): Promise<Row> =>
        i < LENGTHS.length ? prompted(model, TOKENS.slice(0, LENGTHS[i] - 5), key(i), 12, LAW) : fork(i);
      const all = Array.from({ length: LENGTHS.length + 4 }, (_, i) => i);
      const alone: Step[][] = [];
      for (const i of all) {
        const row = await start(i);
        const sharpening = { alpha: 4, temperature: 0.25 };
        if (i < LENGTHS.length) {
          const { sequence } = row;
          const feed = {
            sequence,
            position: sequence.length,
            tokens: TOKENS.slice(LENGTHS[i] - 6, LENGTHS[i]),
          };
          const [read] = await model.compute([{ ...feed, sharpening, ask: 'logits' }]);
          near(read.at(-1)?.logits ?? [], LENGTHS[i] - 1); // after a prompt, whose keys other kernels compute
          sequence.rollback(LENGTHS[i] - 6);
        }
        alone.push((await decode(model, [row], i % 2 ? 7 : 0))[0]);
        row.sequence.free();
      }
      for (const some of [all, all.slice(0, 3), all.slice(LENGTHS.length - 1)]) {
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
