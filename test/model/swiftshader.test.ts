/**
 * The kernels on a driver unlike the one that the other tests run on: SwiftShader has subgroups of four lanes and no
 * shader-f16. A driver is chosen before a process starts, so this file runs itself again under it.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { create } from 'webgpu';
import { forward } from '../../reference/oracle.ts';
import { loadWeights } from '../../reference/weights.ts';
import type { LoadOptions } from '../../src/api/load-model.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { gpuTuning } from '../../src/model/tuning.ts';
import { bits, decode, prompted } from '../support/decode.ts';
import { inTemporaryFolder, kernelSets, withGpuKernels } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

const DRIVER = 'vk_swiftshader_icd.json';
const dawn = create([]); // kept for the life of the process: losing it crashes Dawn

/** No size is a multiple of eight, and both projections into the stream have the same: compiling is what takes long here. */
const ODD: Partial<ModelConfig> = {
  hiddenSize: 51,
  headDim: 12,
  numAttentionHeads: 3,
  numKeyValueHeads: 1,
  intermediateSize: 36,
  vocabSize: 67,
  eosTokens: [66],
};

function testOnSwiftShader(): void {
  test('the adapter is SwiftShader, with narrow subgroups and without shader-f16', async () => {
    const adapter = await dawn.requestAdapter();
    assert.ok(adapter);
    assert.match([adapter.info.architecture, adapter.info.description].join(' '), /swiftshader/i);
    assert.is(adapter.info.subgroupMaxSize, 4);
    assert.not.ok(adapter.features.has('shader-f16'));
  });

  // What takes long here is to compile, each tile for itself, and this driver keeps nothing: the narrowest and one of several rows.
  const fewTiles = (dir: string, options: LoadOptions) =>
    withGpuKernels(dir, options, (adapter) => ({ ...gpuTuning(adapter), tiles: [1, 4] }));
  for (const [variant, load] of Object.entries({ ...kernelSets, 'kernels for GPUs': fewTiles })) {
    // The first two sets are the same here, where no kernel can use subgroups: one takes f32.
    const dtype = variant === 'portable kernels' ? 'F32' : 'BF16';
    test(`logits agree with the float64 oracle, rows do not depend on the batch: ${variant}, ${dtype}`, async () => {
      await inTemporaryFolder(async (dir) => {
        const config = randomCheckpoint(dir, ODD, 11, dtype);
        const model = await load(dir, { cachePositions: 256 });
        assert.match(model.adapter.description, /swiftshader/i);
        assert.ok(model.adapter.cpu);

        const tokens = Array.from({ length: 30 }, (_, i) => (i * 37 + 11) % config.vocabSize);
        const expected = forward(config, await loadWeights(dir), tokens);
        const logits = await model.logits(tokens);
        const error = expected.reduce((sum, l, i) => sum + (l - logits[i]) ** 2, 0);
        const power = expected.reduce((sum, l) => sum + l * l, 0);
        assert.ok(error / power <= 1e-9, `normalised mean square error ${error / power}`);

        const drawn = async (candidates: number[], ahead = 0) => {
          const rows = await Promise.all(
            candidates.map((candidate) => {
              const key = { seed: 5n, chain: 0, step: 0, candidate };
              return prompted(model, tokens, key, 6, { alpha: 4, temperature: 1 });
            }),
          );
          const steps = await decode(model, rows, ahead);
          for (const { sequence } of rows) sequence.free();
          return steps;
        };
        const together = await drawn([0, 1, 2]);
        for (const candidate of [0, 1, 2]) {
          for (const ahead of [0, 5]) {
            const [alone] = await drawn([candidate], ahead);
            assert.equal(bits(alone), bits(together[candidate]), `row ${candidate}, alone, ${ahead} ahead`);
          }
        }
        model.dispose();
      });
    });
  }
}

if (process.env.VK_DRIVER_FILES?.endsWith(DRIVER)) {
  testOnSwiftShader();
  test.run();
} else if (process.platform === 'linux' && process.arch === 'x64') {
  const { swiftShader } = await import(pathToFileURL('scripts/swiftshader.mjs').href);
  const variables = await swiftShader();
  const script = `eval "$(node scripts/swiftshader.mjs)" && printf '%s\\n' "$LD_LIBRARY_PATH" "$VK_DRIVER_FILES"`;
  const shell = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  assert.equal(shell.stdout.split('\n').slice(0, 2), Object.values(variables), shell.stderr);
  const env = { ...process.env, ...variables };
  const run = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], { env, stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
} else {
  test('not on this platform: SwiftShader’s driver comes for Linux on x64 only', () => {});
  test.run();
}
