import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { create } from 'webgpu';
import { Kernels, type ShaderName } from '../../src/gpu/kernel.ts';
import { shaders } from '../../src/gpu/shaders.ts';
import { test } from '../support/suite.ts';

// Dawn's null backend compiles WGSL and builds pipelines without any GPU.
const dawn = create(['backend=null']);

async function nullDevice(features: GPUFeatureName[]): Promise<GPUDevice> {
  const adapter = await dawn.requestAdapter();
  assert.ok(adapter);
  return adapter.requestDevice({ requiredFeatures: features });
}

const SIZES = {
  EPSILON: 1e-6,
  Q_HEADS: 6,
  KV_HEADS: 2,
  HEAD_DIM: 24,
  PAGE: 16,
  WIDTH: 80,
  VOCABULARY: 131,
  COLUMNS: 76,
  X_STRIDE: 144,
  OUT_STRIDE: 200,
  THREADS: 64,
  REPEAT: 2,
  SPAN: 128,
  SLICES: 2,
  SQUARES: 512,
  WINDOW: 0,
  QK_NORM: false,
  BIAS: false,
};

/** Every variant the model can ask for: files, then the constants that vary. */
function* variants(
  shader: ShaderName,
  tiles: number[],
): Generator<[ShaderName[], Record<string, number | boolean>]> {
  const head: ShaderName[] = ['stream', 'norm', 'lm-head'];
  for (const BF16 of [true, false]) {
    for (const TILE of tiles) {
      for (const BIAS of [false, true])
        yield [[shader, 'weights', 'stream', 'project'], { BF16, TILE, BIAS }];
      if (shader === 'matmul-tiles') continue; // with norm.wgsl it needs more workgroup memory than this device has
      for (const more of [false, true]) {
        yield [[shader, 'weights', 'stream', 'norm', 'row', 'qkv'], { BF16, TILE, QK_NORM: more }];
        yield [[shader, 'weights', 'stream', 'norm', 'gate-up'], { BF16, TILE, BIAS: more }];
      }
      if (shader === 'matvec-split') continue;
      yield [[shader, 'weights', ...head], { BF16, TILE }];
    }
  }
}

function* others(): Generator<[ShaderName[], Record<string, number | boolean>]> {
  for (const SOURCE of [0, 1, 2, 3]) yield [['pack'], { SOURCE }];
  for (const BF16 of [true, false]) yield [['weights', 'row', 'stream', 'embed'], { BF16 }];
  for (const SHARE of [1, 3]) {
    const attention: ShaderName[] = ['row', 'window', 'attention'];
    for (const WHOLE of [true, false]) yield [attention, { SHARE, WHOLE, TEAM: 1 }];
    yield [attention, { SHARE, WHOLE: false, TEAM: 1, WINDOW: 40 }];
    yield [attention, { SHARE, WHOLE: false, TEAM: 2 }];
  }
  for (const WINDOW of [0, 40]) yield [['row', 'window', 'attention-merge'], { WINDOW }];
  yield [['row', 'qk-norm'], {}];
  for (const THREADS of [8, 64, 256]) yield [['row', 'summary', 'summarise'], { SLICE: 4096, THREADS }];
  for (const THREADS of [8, 64, 256]) yield [['row', 'random', 'summary', 'pick', 'draw'], { THREADS }];
}

test('src/gpu/shaders.ts holds what the .wgsl files hold', () => {
  for (const [name, source] of Object.entries(shaders)) {
    assert.is(source, readFileSync(`shaders/${name}.wgsl`, 'utf8'), `${name}: run node scripts/shaders.mjs`);
  }
});

test('every variant compiles with subgroups', async () => {
  const device = await nullDevice(['subgroups']);
  const kernels = new Kernels({ device });
  let compiled = 0;
  for (const [files, constants] of variants('matvec-subgroups', [1, 2, 4])) {
    await kernels.compile(files, { ...SIZES, ...constants });
    compiled++;
  }
  assert.is(compiled, 42);
  device.destroy();
});

test('every variant compiles without subgroups and without shader-f16', async () => {
  const device = await nullDevice([]);
  const kernels = new Kernels({ device });
  const all = [
    ...variants('matvec', [1, 2, 4, 8]),
    ...variants('matvec-split', [1, 2, 4, 8]),
    ...variants('matmul-tiles', [8]),
    ...others(),
  ];
  assert.is(all.length, 56 + 48 + 4 + 23);
  for (const [files, constants] of all) await kernels.compile(files, { ...SIZES, ...constants });
  await kernels
    .compile(['matvec-subgroups', 'weights', 'stream', 'project'], { ...SIZES, BF16: true, TILE: 1 })
    .then(() => assert.unreachable('the null device accepted subgroups it was not asked for'))
    .catch((error) => assert.match(error.message, /subgroups/));
  device.destroy();
});

test('a wrong shader is refused with the compiler’s words', async () => {
  const device = await nullDevice([]);
  const kernels = new Kernels({ device });
  const { EPSILON: _, ...incomplete } = SIZES;
  await kernels
    .compile(['matvec', 'weights', 'stream', 'norm', 'gate-up'], { ...incomplete, BF16: true, TILE: 1 })
    .then(() => assert.unreachable('compiled without EPSILON'))
    .catch((error) => assert.match(error.message, /EPSILON/));
  device.destroy();
});

test.run();
