import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { forward } from '../../reference/oracle.ts';
import { loadWeights } from '../../reference/weights.ts';
import { loadModel, type Model } from '../../src/api/load-model.ts';
import { MemoryPlan } from '../../src/api/memory.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { Gpu } from '../../src/gpu/device.ts';
import { gpuTuning } from '../../src/model/tuning.ts';
import { deviceWithoutSubgroups, inTemporaryFolder, kernelSets } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

const GOLDEN = 'test/fixtures/golden';

/** Their products go to kernels that others have not: of more biases, and of normed heads. */
const OWN_KERNELS = new Set(['llama3-biases', 'qwen3-window-yarn']);

for (const [i, name] of readdirSync(GOLDEN).entries()) {
  for (const [variant, load] of Object.entries(kernelSets)) {
    // Drivers take long to compile kernels for each shape: other sets take one of the models, and the odd shapes below; portable
    // kernels also what those do not have.
    const chosen = variant === 'portable kernels' ? OWN_KERNELS.has(name) : variant !== 'kernels for GPUs';
    if (i > 0 && !chosen) continue;
    test(`logits agree with transformers in float64: ${name}, ${variant}`, async () => {
      const dir = `${GOLDEN}/${name}`;
      const model = await load(dir);
      for (const run of JSON.parse(readFileSync(`${dir}/expected.json`, 'utf8'))) {
        const expected = new Float64Array(new Uint8Array(readFileSync(`${dir}/${run.file}`)).buffer);
        const logits = await model.logits(run.tokens);
        const bound = 1e-4 * run.sigma;
        run.positions.forEach((position: number, row: number) => {
          const ours = logits.subarray(position * model.vocabSize, (position + 1) * model.vocabSize);
          const theirs = expected.subarray(row * model.vocabSize, (row + 1) * model.vocabSize);
          const worst = theirs.reduce((w, l, v) => Math.max(w, Math.abs(l - ours[v])), 0);
          assert.ok(worst <= bound, `${run.file}, position ${position}: off by ${worst / run.sigma} sigma`);
          const [first, second] = Array.from(theirs).sort((a, b) => b - a);
          if (first - second > 2 * bound) assert.is(argMax(ours), argMax(theirs));
        });
      }
      await checkMemory(dir, model, variant);
      model.dispose();
    });
  }
}

/** What is planned from the headers alone is what was taken. */
async function checkMemory(
  dir: string,
  { adapter, memory }: Pick<Model, 'adapter' | 'memory'>,
  variant: string,
  cachePositions?: number,
): Promise<void> {
  const folder = await ModelFolder.open(dir);
  await folder.close();
  const tune = variant === 'kernels for GPUs' ? gpuTuning : undefined;
  const plan = await MemoryPlan.of(folder.config, folder, adapter, { tune });
  const { positions, weights, cache, scratch, total } = plan.at(cachePositions);
  assert.equal({ weights, cache, scratch }, memory);
  assert.is(plan.positionsIn(total), positions);
  assert.is(plan.positionsIn(total - 1), positions - 16);
}

const ODD: [Partial<ModelConfig>, 'F32' | 'BF16'][] = [
  [
    {
      hiddenSize: 36,
      headDim: 4,
      numAttentionHeads: 3,
      numKeyValueHeads: 1,
      intermediateSize: 51,
      vocabSize: 67,
      eosTokens: [1],
    },
    'F32',
  ],
  [
    {
      hiddenSize: 76,
      headDim: 28,
      numAttentionHeads: 6,
      numKeyValueHeads: 3,
      vocabSize: 5,
      eosTokens: [0],
      tieWordEmbeddings: true,
    },
    'BF16',
  ],
  [
    {
      hiddenSize: 33,
      headDim: 36,
      numAttentionHeads: 2,
      numKeyValueHeads: 2,
      intermediateSize: 7,
      numHiddenLayers: 1,
    },
    'BF16',
  ],
  [
    {
      hiddenSize: 24,
      headDim: 128,
      numAttentionHeads: 1,
      numKeyValueHeads: 1,
      vocabSize: 4100,
      eosTokens: [1],
    },
    'F32',
  ],
];
/** On both sides of a tile of rows, of a half one, and of a page. */
const PROMPTS = [1, 15, 17, 31, 33, 64, 65, 89];

for (const [i, [overrides, dtype]] of ODD.entries()) {
  for (const [variant, load] of Object.entries(kernelSets)) {
    // Those for GPUs take longest to compile: a shape of each dtype.
    if (variant === 'kernels for GPUs' && i % 2 === 0) continue;
    test(`odd shapes agree with the float64 oracle: ${dtype} ${JSON.stringify(overrides)}, ${variant}`, async () => {
      await inTemporaryFolder(async (dir) => {
        const config = randomCheckpoint(dir, overrides, 7, dtype);
        const model = await load(dir);
        const tokens = Array.from({ length: 90 }, (_, i) => (i * 37 + 11) % config.vocabSize);
        const expected = forward(config, await loadWeights(dir), tokens);
        const near = (logits: ArrayLike<number>, from: number, what: string) => {
          let error = 0;
          let power = 0;
          for (const [i, l] of expected.subarray(from, from + logits.length).entries()) {
            error += (l - logits[i]) ** 2;
            power += l * l;
          }
          assert.ok(error / power <= 1e-9, `${what}: normalised mean square error ${error / power}`);
        };
        near(await model.logits(tokens), 0, 'row by row');
        // Other kernels compute the keys and values of a prompt: what comes after it rests on them.
        for (const length of PROMPTS) {
          const sequence = await model.prefill(tokens.slice(0, length));
          const sharpening = { alpha: 4, temperature: 0.25 };
          const next = tokens.slice(length, length + 1);
          const [[{ logits }]] = await model.compute([
            { sequence, position: length, tokens: next, sharpening, ask: 'logits' },
          ]);
          near(logits as Float32Array, length * config.vocabSize, `after a prompt of ${length}`);
          sequence.free();
        }
        await checkMemory(dir, model, variant);
        model.dispose();
      });
    });
  }
}

test('a matrix over a limit of the device is cut into slabs, and nothing changes', async () => {
  await inTemporaryFolder(async (dir) => {
    const config = randomCheckpoint(
      dir,
      { vocabSize: 300, eosTokens: [0], intermediateSize: 200 },
      3,
      'BF16',
    );
    const tokens = Array.from({ length: 40 }, (_, i) => (i * 71) % config.vocabSize);
    const gpu = await Gpu.open();
    // 48 columns of bf16: 96 bytes a row. 16 KiB, which are a line of a texture, hold 170 rows of the 300 and the 400.
    for (const [device, limit, most] of [
      [await deviceWithoutSubgroups(), 'maxStorageBufferBindingSize', 16384],
      [gpu.device, 'maxTextureDimension2D', 1],
    ] as const) {
      // The self-test of the adapter, which the first one waits for, needs more than what follows.
      const whole = await loadModel(dir, { device, cachePositions: 48 });
      const limits = new Proxy(device.limits, {
        get: (target, name) => (name === limit ? most : Reflect.get(target, name, target)),
      });
      Object.defineProperty(device, 'limits', { value: limits });
      const labels: string[] = [];
      const { createTexture } = device;
      device.createTexture = (of) => {
        assert.ok((of.size as number[])[1] <= limits.maxTextureDimension2D, `${of.label}: ${of.size}`);
        labels.push(of.label as string);
        return createTexture.call(device, of);
      };
      const cut = await loadModel(dir, { device, cachePositions: 48 });
      const heads = labels.filter((label) => label === 'lm_head.weight').length;
      assert.is(heads, whole.adapter.cpu && whole.adapter.subgroups ? 2 : 0);
      assert.equal(await cut.logits(tokens), await whole.logits(tokens));
      for (const model of [whole, cut]) {
        await checkMemory(dir, model, '', 48);
        model.dispose();
      }
    }
    gpu.dispose();
  });
});

function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

test.run();
