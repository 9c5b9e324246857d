import * as assert from 'uvu/assert';
import { forward } from '../../reference/oracle.ts';
import { loadWeights } from '../../reference/weights.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { inTemporaryFolder, kernelSets } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

/** Longer than a span of the attention, and no multiple of a tile. */
const TOKENS = Array.from({ length: 133 }, (_, i) => (i * i + 7 * i) % 97);
/** Widths that are padded. */
const SHAPE: Partial<ModelConfig> = {
  hiddenSize: 36,
  headDim: 4,
  numAttentionHeads: 3,
  numKeyValueHeads: 1,
  intermediateSize: 51,
  numHiddenLayers: 3,
};
const NAMES = [
  'input',
  'self_attn.o_proj.input',
  'post_attention_layernorm.input',
  'mlp.down_proj.input',
  'output',
];

// Software drivers take long to compile those for GPUs.
const { 'kernels for GPUs': _, ...sets } = kernelSets;
for (const [kernels, load] of Object.entries(sets)) {
  test(`activations around a layer agree with the oracle, and with that layer only: ${kernels}`, () =>
    inTemporaryFolder(async (dir) => {
      const config = randomCheckpoint(dir, SHAPE, 5);
      const expected = new Map<string, number[]>();
      forward(config, await loadWeights(dir), TOKENS, (name, values) => {
        expected.set(name, [...(expected.get(name) ?? []), ...values]);
      });
      const model = await load(dir);
      try {
        for (let layer = 0; layer < 3; layer++) {
          const found = await model.activations(TOKENS, layer);
          const names = NAMES.map((name) => `model.layers.${layer}.${name}`);
          assert.equal(
            found.map(({ name }) => name),
            names,
          );
          for (const { name, shape, values } of found) {
            const theirs = expected.get(name) as number[];
            assert.equal([...shape], [TOKENS.length, theirs.length / TOKENS.length], name);
            assert.ok(distance(values, theirs) <= 1e-4, `${name} is off by ${distance(values, theirs)} rms`);
            const other = expected.get(name.replace(`layers.${layer}`, `layers.${(layer + 1) % 3}`));
            assert.ok(distance(values, other as number[]) > 0.1, `${name} is that of another layer too`);
          }
        }
        for (const layer of [-1, 3, 0.5]) {
          const error = await model.activations([1], layer).catch((e) => e);
          assert.is(error.name, 'OptionError');
          assert.match(error.message, /3 layers, 0 to 2/);
        }
        assert.match(await model.activations([], 0).catch((e) => e.message), 'at least one token');
      } finally {
        model.dispose();
      }
    }));
}

/** Largest difference, in units of the second's root mean square. */
function distance(ours: ArrayLike<number>, theirs: readonly number[]): number {
  const rms = Math.sqrt(theirs.reduce((sum, x) => sum + x * x, 0) / theirs.length);
  return theirs.reduce((worst, x, i) => Math.max(worst, Math.abs(x - ours[i])), 0) / rms;
}

test.run();
