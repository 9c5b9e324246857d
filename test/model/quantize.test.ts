import * as assert from 'uvu/assert';
import { forward, type Weights } from '../../reference/oracle.ts';
import { toFloat64 } from '../../reference/weights.ts';
import { loadModel, type Model } from '../../src/api/load-model.ts';
import { MemoryPlan } from '../../src/api/memory.ts';
import { type QuantizeOptions, quantizeOf } from '../../src/api/quantize.ts';
import { OptionError } from '../../src/base/errors.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { Gpu } from '../../src/gpu/device.ts';
import { Kernels } from '../../src/gpu/kernel.ts';
import { isQuantized, LINE } from '../../src/model/format.ts';
import { gpuTuning } from '../../src/model/tuning.ts';
import { WeightLoader } from '../../src/model/weights.ts';
import { rowOf } from '../../src/selftest/codes-layout.ts';
import { readWords } from '../../src/selftest/packing.ts';
import { failure } from '../support/folder.ts';
import { inTemporaryFolder, kernelSets, SHAPE } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

const FIXTURES = 'test/fixtures/quantized';

/** Every weight of a folder in float64: what becomes codes as these stand for it. */
async function weightsAsLoaded(dir: string, options: QuantizeOptions): Promise<Weights> {
  const folder = await ModelFolder.open(dir);
  const gpu = await Gpu.open();
  try {
    const loader = new WeightLoader(gpu, new Kernels(gpu), folder, () => {}, quantizeOf(options, folder));
    const weights: Weights = new Map();
    for (const [name, { shape, dtype, begin, end }] of folder.tensors) {
      const [rows, columns] = shape;
      const format = shape.length === 2 ? loader.format([name]) : undefined;
      if (format && isQuantized(format)) {
        const [slab] = (await loader.stacked([name], 1)).slabs;
        const words = await readWords(gpu, slab.weights as GPUBuffer);
        const all = Array.from({ length: rows }, (_, row) => {
          const { codes, scales } = rowOf(words, row, { rows, columns, ...format });
          return Array.from(codes, (q, j) => q * scales[Math.floor(j / format.group)]);
        });
        weights.set(name, Float64Array.from(all.flat()));
      } else {
        const bytes = new Uint8Array(end - begin);
        const tensor = folder.tensors.get(name);
        if (tensor) await folder.readInto(tensor, 0, bytes);
        weights.set(name, toFloat64(bytes.buffer, dtype));
      }
    }
    return weights;
  } finally {
    gpu.dispose();
    await folder.close();
  }
}

async function checkMemory(dir: string, model: Loaded, set: string, options: QuantizeOptions = {}) {
  const folder = await ModelFolder.open(dir);
  await folder.close();
  const tune = set === 'kernels for GPUs' ? gpuTuning : undefined;
  const quantize = quantizeOf(options, folder);
  const { weights, cache, scratch } = (
    await MemoryPlan.of(folder.config, folder, model.adapter, { tune, quantize })
  ).at();
  assert.equal({ weights, cache, scratch }, model.memory);
}

type Loaded = Pick<Model, 'adapter' | 'memory'>;

/** A row's summary is the same whatever other rows are computed with it. */
async function checkBatches(model: Pick<Model, 'prefill' | 'compute'>): Promise<void> {
  const sequence = await model.prefill([3, 1, 4, 1, 5]);
  const sharpening = { alpha: 4, temperature: 0.25 };
  const compute = async (rows: number) => {
    const forks = Array.from({ length: rows }, () => sequence.fork());
    const all = await model.compute(
      forks.map((fork, i) => ({ sequence: fork, position: 5, tokens: [9 + i], sharpening })),
    );
    for (const fork of forks) fork.free();
    return all[0][0].summary;
  };
  const alone = await compute(1);
  for (const rows of [2, 4, 7]) assert.equal(await compute(rows), alone, `${rows} rows`);
  sequence.free();
}

for (const [set, load] of Object.entries(kernelSets)) {
  for (const options of [
    { quantize: 'int4', quantizeGroup: 32 },
    { quantize: 'int8', quantizeGroup: 64 },
  ] as const) {
    if (options.quantize === 'int8' && set === 'kernels for GPUs') continue; // embedding and head are int8 above
    test(`quantised as it is read, it computes what its codes stand for: ${options.quantize}, ${set}`, () =>
      inTemporaryFolder(async (dir) => {
        const config = randomCheckpoint(dir, SHAPE, 7, 'BF16');
        const model = await load(dir, options);
        const tokens = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % config.vocabSize);
        const expected = forward(config, await weightsAsLoaded(dir, options), tokens);
        const logits = await model.logits(tokens);
        let [error, power] = [0, 0];
        for (const [i, l] of expected.entries()) {
          error += (l - logits[i]) ** 2;
          power += l * l;
        }
        assert.ok(error / power <= 1e-9, `normalised mean square error ${error / power}`);
        await checkBatches(model);
        await checkMemory(dir, model, set, options);
        model.dispose();
      }));
  }
}

test('embedding and head of a quantised checkpoint can be rounded as well; nothing else is', async () => {
  const dir = `${FIXTURES}/gptq-int4`;
  const [plain, rounded] = [await loadModel(dir), await loadModel(dir, { quantizeHead: 'int8' })];
  await checkMemory(dir, rounded, '', { quantizeHead: 'int8' });
  const { vocabSize, hiddenSize } = rounded.config;
  const inLines = (bytes: number) => Math.ceil(bytes / (16 * LINE)) * 16 * LINE;
  const rows = Math.ceil(vocabSize / 8) * 8;
  assert.ok(hiddenSize % 8 === 0 && hiddenSize <= 4 * 64, 'four groups have all columns');
  const codes = rows * (Math.ceil(hiddenSize / 32) * 32 + 4 * 4);
  assert.is(plain.memory.weights - rounded.memory.weights, inLines(rows * hiddenSize * 2) - inLines(codes));
  for (const model of [plain, rounded]) model.dispose();
});

test('options that cannot be are refused by name and value', async () => {
  const refused = (options: object, message: RegExp, dir = 'models/abacus') =>
    failure(OptionError, message, () => loadModel(dir, options));
  await refused({ quantize: 'int3' }, /^quantize is "int3": one of "int8", "int4"$/);
  await refused({ quantizeHead: 'int4' }, /^quantizeHead is "int4": one of "int8"$/);
  await refused({ quantize: 'int4', quantizeGroup: 48 }, /^quantizeGroup is 48: one of 32, 64, 128$/);
  await refused({ quantizeGroup: 32 }, /^quantizeGroup is 32: nothing is to be quantised$/);
  await refused({ quantize: 'int8' }, /^quantize is "int8": .* quantised already/, `${FIXTURES}/gptq-int4`);
});

test.run();
