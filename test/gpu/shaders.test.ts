import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from 'webgpu';
import { Kernels, type ShaderName } from '../../src/gpu/kernel.ts';
import { shaders } from '../../src/gpu/shaders.ts';

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
  RING: 16,
  COLUMNS: 76,
  X_STRIDE: 144,
  OUT_STRIDE: 200,
};

/** Every variant the model can ask for: files, then the constants that vary. */
function* variants(matvec: ShaderName): Generator<[ShaderName[], Record<string, number | boolean>]> {
  for (const SOURCE of [0, 1, 2, 3]) yield [['pack'], { SOURCE }];
  for (const BF16 of [true, false]) {
    yield [['weights', 'row', 'embed'], { BF16 }];
    for (const TILE of [1, 2, 4]) {
      yield [[matvec, 'weights', 'norm', 'row', 'qkv'], { BF16, TILE }];
      yield [[matvec, 'weights', 'project'], { BF16, TILE }];
      yield [[matvec, 'weights', 'norm', 'gate-up'], { BF16, TILE }];
      yield [[matvec, 'weights', 'norm', 'lm-head'], { BF16, TILE }];
    }
  }
  for (const SHARE of [1, 3]) yield [['row', 'attention'], { SHARE }];
  for (const THREADS of [64, 256]) {
    for (const TRUNCATE of [true, false]) yield [['row', 'sample'], { THREADS, TRUNCATE }];
  }
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
  for (const [files, constants] of variants('matvec-subgroups')) {
    await kernels.compile(files, { ...SIZES, ...constants });
    compiled++;
  }
  assert.is(compiled, 36);
  device.destroy();
});

test('every variant compiles without subgroups and without shader-f16', async () => {
  const device = await nullDevice([]);
  const kernels = new Kernels({ device });
  for (const [files, constants] of variants('matvec'))
    await kernels.compile(files, { ...SIZES, ...constants });
  await kernels
    .compile(['matvec-subgroups', 'weights', 'project'], { ...SIZES, BF16: true, TILE: 1 })
    .then(() => assert.unreachable('the null device accepted subgroups it was not asked for'))
    .catch((error) => assert.match(error.message, /subgroups/));
  device.destroy();
});

test('a wrong shader is refused with the compiler’s words', async () => {
  const device = await nullDevice([]);
  const kernels = new Kernels({ device });
  const { EPSILON: _, ...incomplete } = SIZES;
  await kernels
    .compile(['matvec', 'weights', 'norm', 'lm-head'], { ...incomplete, BF16: true, TILE: 1 })
    .then(() => assert.unreachable('compiled without EPSILON'))
    .catch((error) => assert.match(error.message, /EPSILON/));
  device.destroy();
});

test.run();
