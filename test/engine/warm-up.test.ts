import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { loadModel } from '../../src/api/load-model.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { warmUp } from '../../src/engine/warm-up.ts';
import { resolveOptions } from '../../src/sampling/sample.ts';
import { sampleMany } from '../../src/sampling/sample-many.ts';
import { inTemporaryFolder, kernelSets, SHAPE } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

test('warming up frees what it takes, in the shortest context too', async () => {
  for (const contextLength of [2, 1000]) {
    const model = new TableModel(5, [0], () => [0.2, 0.2, 0.2, 0.2, 0.2], { contextLength });
    await warmUp(model, 100);
    assert.is(model.live, 0);
    assert.is(model.pages, 0);
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    assert.is(await warmUp(model, 100, stop.signal).catch(({ message }) => message), 'enough');
    assert.is(model.live, 0);
  }
});

const { 'portable kernels': _, ...sets } = kernelSets;
const SLIDING: Partial<ModelConfig> = {
  ...SHAPE,
  modelType: 'qwen3',
  slidingWindow: { size: 150, layers: [false, true] },
};
const CASES = [
  ...Object.entries(sets).map(([name, load]) => [name, load, SHAPE, 110] as const),
  ['a sliding window', loadModel, SLIDING, 140] as const,
];
for (const [name, load, shape, longest] of CASES) {
  test(`what sampling runs has run while warming up: ${name}`, async () => {
    await inTemporaryFolder(async (dir) => {
      randomCheckpoint(dir, shape, 3, 'BF16');
      const model = await load(dir);
      let used = new Set<GPUComputePipeline>();
      const pass = passOf(model);
      const { setPipeline } = pass;
      pass.setPipeline = function (pipeline) {
        used.add(pipeline);
        return setPipeline.call(this, pipeline);
      };
      await warmUp(model, longest + 30);
      const warm = used;
      used = new Set();
      const options = resolveOptions({ maxNewTokens: 30, particles: 3, finalSteps: 2 });
      await sampleMany(model, [[1, 2, 3], [4, 5], Array(longest).fill(6)], options);
      pass.setPipeline = setPipeline;
      model.dispose();
      assert.ok(used.size > 10, `${used.size} kernels`);
      const cold = [...used].filter((pipeline) => !warm.has(pipeline)).map(({ label }) => label);
      assert.equal(cold, []);
    });
  });
}

/** The prototype of the passes. */
function passOf(model: object): GPUComputePassEncoder {
  const { device } = (model as { gpu: { device: GPUDevice } }).gpu;
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.end();
  encoder.finish();
  return Object.getPrototypeOf(pass);
}

test.run();
