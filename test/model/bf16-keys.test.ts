import * as assert from 'uvu/assert';
import { forward } from '../../reference/oracle.ts';
import { loadWeights, nearestBf16 } from '../../reference/weights.ts';
import { MemoryPlan } from '../../src/api/memory.ts';
import { NonFiniteError, OptionError } from '../../src/base/errors.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import type { LanguageModel } from '../../src/engine/language-model.ts';
import { Gpu, Usage } from '../../src/gpu/device.ts';
import { shaders } from '../../src/gpu/shaders.ts';
import { assertNear, bits, decode, prompted, type Row } from '../support/decode.ts';
import { failure } from '../support/folder.ts';
import { inTemporaryFolder, kernelSets, SHAPE } from '../support/models.ts';
import { overwrite, randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

/** More than a span of the attention. */
const TOKENS = Array.from({ length: 150 }, (_, i) => 2 + ((i * 37) % 200));
const LAW = { alpha: 4, temperature: 0.8 };

const inside = (model: object) =>
  model as unknown as { cache: { layers: GPUBuffer[] }; gpu: { device: GPUDevice } };

test('numbers are rounded to the nearest bf16, ties to even; what is no number stays none', async () => {
  const gpu = await Gpu.open();
  const { device } = gpu;
  // Every upper half with lower halves on both sides of a tie, and that itself.
  const lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
  const words = Uint32Array.from({ length: 65536 * lower.length }, (_, i) => {
    return ((i % 65536) << 16) | lower[Math.floor(i / 65536)];
  });
  const code = `@group(0) @binding(0) var<storage, read_write> cache: array<u32>;
${shaders.sizes}
${shaders.cache}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let at = 2u * (id.y * 65536u + id.x);
  cache[at] = bf16(bitcast<vec2f>(vec2u(cache[at], cache[at + 1u])));
}`;
  const pipeline = device.createComputePipeline({
    layout: 'auto',
    compute: {
      module: device.createShaderModule({ code }),
      constants: { PAGE: 16, KV_BF16: 1 },
    },
  });
  const buffer = device.createBuffer({
    size: words.byteLength,
    usage: Usage.STORAGE | Usage.COPY_SRC | Usage.COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, words);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [{ binding: 0, resource: { buffer } }];
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1024, words.length / 2 / 65536);
  pass.end();
  const packed = new Uint32Array(await gpu.read(encoder, buffer, words.byteLength));
  const values = new Float32Array(words.buffer);
  for (let i = 0; i < words.length; i++) {
    const half = i % 2 === 0 ? packed[i] << 16 : packed[i - 1] & 0xffff0000;
    const found = new Float32Array(Int32Array.of(half).buffer)[0];
    if (!Object.is(found, nearestBf16(values[i])))
      assert.unreachable(`${words[i].toString(16)} becomes ${found}, not ${nearestBf16(values[i])}`);
  }
  gpu.dispose();
});

for (const [variant, load] of Object.entries(kernelSets)) {
  test(`keys in bf16: logits agree with float64, and rows do not depend on their batch, forks or pages: ${variant}`, () =>
    inTemporaryFolder(async (dir) => {
      const config = randomCheckpoint(dir, SHAPE, 23, 'BF16');
      const model = await load(dir, { cachePositions: 2048, kvCache: 'bf16' });
      const { vocabSize } = config;
      const expected = forward(config, await loadWeights(dir), TOKENS, undefined, nearestBf16);
      const near = (logits: ArrayLike<number>, position: number) =>
        assertNear(logits, expected.subarray(position * vocabSize), position);
      const logits = await model.logits(TOKENS);
      for (let t = 0; t < TOKENS.length; t++) near(logits.subarray(t * vocabSize, (t + 1) * vocabSize), t);

      const key = (chain: number) => ({ seed: 3n, chain, step: 0, candidate: 0 });
      const of = (m: LanguageModel, length: number, chain: number) =>
        prompted(m, TOKENS.slice(0, length), key(chain), 6, LAW);
      const lengths = [1, 17, 64, 131, 140];
      const alone: unknown[] = [];
      for (const [i, length] of lengths.entries()) {
        const row = await of(model, length, i);
        alone.push(bits((await decode(model, [row]))[0]));
        row.sequence.free();
      }
      // What was never written is never read, and pages may lie anywhere.
      for (const layer of inside(model).cache.layers) {
        const nothing = new Uint32Array(layer.size / 4).fill(0x7fc17fc1); // NaN twice
        inside(model).gpu.device.queue.writeBuffer(layer, 0, nothing);
      }
      const clutter = await Promise.all([5, 40, 17].map((n) => model.prefill(Array(n).fill(3))));
      for (const i of [2, 0]) clutter[i].free();
      const rows = await Promise.all(lengths.map((length, i) => of(model, length, i)));
      for (const [i, steps] of (await decode(model, rows, 3)).entries())
        assert.equal(bits(steps), alone[i], `row ${i} of ${lengths.length}`);

      // Forks of a prefix write into copies of its last page; one is taken back first.
      const [prefix] = rows.slice(3);
      prefix.sequence.rollback(130);
      const fork = (chain: number): Row => ({ ...prefix, sequence: prefix.sequence.fork(), key: key(chain) });
      const forks = [fork(3), fork(8), fork(3), fork(9)];
      const found = await decode(model, forks);
      assert.equal(bits(found[0]), alone[3], 'fork');
      assert.equal(bits(found[2]), alone[3], 'another fork');
      forks[1].sequence.rollback(130);
      assert.equal(
        bits((await decode(model, [forks[1]]))[0]),
        bits(found[1]),
        'rolled back and decoded again',
      );

      const folder = await ModelFolder.open(dir);
      await folder.close();
      if (variant !== 'kernels for GPUs') {
        const plan = await MemoryPlan.of(folder.config, folder, model.adapter, { kvType: 'bf16' });
        const { weights, cache, scratch } = plan.at(2048);
        assert.equal({ weights, cache, scratch }, model.memory);
      }
      model.dispose();
    }));
}

test('keys beyond the range of bf16 are not finite, and the layer is named', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, SHAPE, 1);
    overwrite(dir, 'model.layers.1.self_attn.v_proj.bias', 3.4e38); // an f32; the nearest bf16 is infinite
    const ask = async (kvCache: 'f32' | 'bf16') => {
      const model = await kernelSets['the adapter’s own kernels'](dir, { kvCache });
      const sequence = await model.prefill([]);
      const sharpening = { alpha: 1, temperature: 1 };
      const [[reading]] = await model.compute([{ sequence, position: 0, tokens: [5], sharpening }]);
      model.dispose();
      return reading.error;
    };
    const error = await ask('bf16');
    assert.instance(error, NonFiniteError);
    assert.match(error?.message ?? '', /layers\.1\.self_attn/);
  }));

test('keys are kept as f32 or bf16, and as nothing else', async () => {
  const { 'the adapter’s own kernels': load } = kernelSets;
  for (const kvCache of ['f16', 'BF16', '', 16, null, {}] as unknown as 'bf16'[]) {
    // Told before the model is looked for.
    await failure(OptionError, /^kvCache is .*: f32 or bf16$/, () => load('/nowhere', { kvCache }));
  }
});

test.run();
