import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { MemoryPlan } from '../../src/api/memory.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { gpuTuning } from '../../src/model/tuning.ts';
import { kernelSets } from '../support/models.ts';
import { QUANTIZED } from '../support/quantized.ts';
import { test } from '../support/suite.ts';

const own = 'the adapter’s own kernels';
/**
 * The weights of all fixtures are known bit for bit (test/checkpoint/quantized.test.ts): these have each kind of codes and of
 * scales, orders of columns, and matrices of several kinds in one.
 */
const CASES: readonly (readonly [name: string, kernels: keyof typeof kernelSets])[] = [
  ['gptq-int4', own],
  ['gptq-v2-mixed', own],
  ['float8-block', own],
  ['packed-g-idx', 'portable kernels'],
  ['int8-channel', 'kernels for GPUs'],
];

for (const [name, variant] of CASES) {
  test(`logits are those of transformers with the weights of the library: ${name}, ${variant}`, async () => {
    const dir = `${QUANTIZED}/${name}`;
    const { file, tokens, positions, sigma } = JSON.parse(readFileSync(`${dir}/expected.json`, 'utf8'));
    const expected = new Float64Array(new Uint8Array(readFileSync(`${dir}/${file}`)).buffer);
    const model = await kernelSets[variant](dir, { cachePositions: 64 });
    const logits = await model.logits(tokens);
    const { vocabSize, memory, adapter, config } = model;
    for (const [row, position] of positions.entries()) {
      const ours = logits.subarray(position * vocabSize, (position + 1) * vocabSize);
      const worst = ours.reduce((w, l, v) => Math.max(w, Math.abs(l - expected[row * vocabSize + v])), 0);
      assert.ok(worst <= 1e-4 * sigma, `position ${position}: off by ${worst / sigma} sigma`);
    }
    model.dispose();

    // What is planned from the headers alone is what was taken.
    const folder = await ModelFolder.open(dir);
    await folder.close();
    const tune = variant === 'kernels for GPUs' ? gpuTuning : undefined;
    const { weights, cache, scratch } = (await MemoryPlan.of(config, folder, adapter, tune)).at(64);
    assert.equal({ weights, cache, scratch }, memory);
  });
}

test.run();
