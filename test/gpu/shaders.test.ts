import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { create } from 'webgpu';
import { KvCache } from '../../src/cache/kv-cache.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import type { CodeFormat } from '../../src/checkpoint/quantized.ts';
import { Gpu } from '../../src/gpu/device.ts';
import { type Constants, Kernels, type ShaderName } from '../../src/gpu/kernel.ts';
import { shaders } from '../../src/gpu/shaders.ts';
import { constantsOf, type Format, filesOf, type Holder, isQuantized } from '../../src/model/format.ts';
import { compileOperations } from '../../src/model/operations.ts';
import { tuningFor } from '../../src/model/tuning.ts';
import { EMBEDDED } from '../../src/selftest/self-test.ts';
import { test } from '../support/suite.ts';

// Dawn's null backend compiles WGSL and builds pipelines without any GPU.
const dawn = create(['backend=null']);

async function nullDevice(features: GPUFeatureName[]): Promise<Gpu> {
  const adapter = await dawn.requestAdapter();
  assert.ok(adapter);
  return Gpu.open({ device: await adapter.requestDevice({ requiredFeatures: features }) });
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
  OUT_STRIDE: 200,
  THREADS: 64,
  REPEAT: 2,
  SPAN: 128,
  SLICES: 2,
  PARTS: 32,
  PAGE_QUADS: 384,
  SQUARES: 512,
  WINDOW: 0,
  QK_NORM: false,
  BIAS: false,
  ORDERED: false,
  GROUP: 32,
  FIRST: 0,
  SECOND: 0,
  LINE: 1024,
};

const codes = (code: CodeFormat, rounding: 'f32' | 'f16' | 'bf16', hasZeros: boolean): Format => ({
  ...{ code, rounding, hasZeros },
  group: 32,
});
const FORMATS: readonly Format[] = [
  ...(['f32', 'bf16', 'f16'] as const).map((code) => ({ code })),
  codes('int4', 'f32', false),
  codes('int4', 'f16', true),
  codes('int8', 'f32', false),
  codes('int8', 'bf16', true),
  codes('fp8', 'bf16', false),
];

/** Every variant the model can ask for: files, then the constants that vary. */
function* variants(
  shader: ShaderName,
  tiles: number[],
  holder: Holder,
): Generator<[ShaderName[], Constants]> {
  for (const format of FORMATS) {
    if (shader === 'matvec-groups' && !isQuantized(format)) continue;
    const files: ShaderName[] = [shader, 'sizes', ...filesOf(format, holder), 'stream'];
    for (const TILE of isQuantized(format) ? tiles.slice(-1) : tiles) {
      const constants = { ...constantsOf(format), TILE };
      for (const BIAS of [false, true]) yield [[...files, 'project'], { ...constants, BIAS }];
      if (shader === 'matmul-tiles') continue; // with norm.wgsl it needs more workgroup memory than this device has
      for (const more of [false, true]) {
        const qkv: ShaderName[] = [...files, 'norm', 'row', 'cache', 'qkv'];
        yield [qkv, { ...constants, QK_NORM: more, KV_BF16: more }];
        yield [[...files, 'norm', 'gate-up'], { ...constants, BIAS: more, ORDERED: false }];
      }
      if (isQuantized(format)) yield [[...files, 'norm', 'gate-up'], { ...constants, ORDERED: true }];
      if (shader !== 'matvec-split') yield [[...files, 'norm', 'lm-head'], constants];
    }
  }
}

function* attentions(lanes: ShaderName): Generator<[ShaderName[], Constants]> {
  const files: ShaderName[] = [lanes, 'sizes', 'row', 'window', 'attention'];
  for (const KV_BF16 of [false, true]) {
    for (const SHARE of [1, 3]) {
      for (const WHOLE of [true, false]) yield [files, { KV_BF16, SHARE, WHOLE, TEAM: 1, THREADS: 32 }];
      yield [files, { KV_BF16, SHARE, WHOLE: false, TEAM: 2, THREADS: 32 }];
    }
  }
}

function* others(): Generator<[ShaderName[], Constants]> {
  for (const SOURCE of [0, 1, 2]) {
    for (const HALVES of [false, true]) yield [['sizes', 'source', 'pack'], { SOURCE, HALVES }];
    for (const BITS of [4, 8])
      yield [['sizes', 'source', 'codes', 'quantize'], { SOURCE, BITS, ZEROS: false }];
  }
  for (const [BITS, FLIP] of [
    [4, 8],
    [8, 128],
    [8, 0],
  ])
    yield [['sizes', 'codes', 'pack-codes'], { BITS, FLIP, ZEROS: FLIP > 0 }];
  yield [['sizes', 'permute'], {}];
  for (const holder of ['buffer', 'texture'] as const)
    for (const format of FORMATS)
      yield [['sizes', ...filesOf(format, holder), 'row', 'stream', 'embed'], constantsOf(format)];
  yield* attentions('lanes');
  yield [['sizes', 'row', 'window', 'attention-merge'], {}];
  for (const KV_BF16 of [false, true]) yield [['sizes', 'row', 'cache', 'qk-norm'], { KV_BF16 }];
  yield [['sizes', 'copy-pages'], {}];
  for (const THREADS of [8, 64, 256])
    yield [['sizes', 'row', 'summary', 'summarise'], { SLICE: 4096, THREADS }];
  for (const THREADS of [8, 64, 256])
    yield [['sizes', 'row', 'random', 'summary', 'pick', 'draw'], { THREADS }];
}

test('src/gpu/shaders.ts holds what the .wgsl files hold', () => {
  for (const [name, source] of Object.entries(shaders)) {
    assert.is(source, readFileSync(`shaders/${name}.wgsl`, 'utf8'), `${name}: run node scripts/shaders.mjs`);
  }
});

test('every variant compiles with subgroups', async () => {
  const gpu = await nullDevice(['subgroups']);
  const kernels = new Kernels(gpu);
  let compiled = 0;
  const all = [
    ...variants('matvec-subgroups', [1, 2, 4], 'texture'),
    ...variants('matvec-groups', [1, 2, 4], 'texture'),
    ...attentions('lanes-subgroups'),
  ];
  for (const [files, constants] of all) {
    await kernels.compile(files, { ...SIZES, ...constants });
    compiled++;
  }
  assert.is(compiled, 3 * 21 + 2 * 5 * 8 + 12);
  gpu.device.destroy();
});

test('every variant compiles without subgroups and without shader-f16', async () => {
  const gpu = await nullDevice([]);
  const kernels = new Kernels(gpu);
  const all = [
    ...variants('matvec', [1, 2, 4, 8], 'buffer'),
    ...variants('matvec-split', [1, 2, 4, 8], 'buffer'),
    ...variants('matmul-tiles', [8], 'buffer'),
    ...others(),
  ];
  assert.is(all.length, 3 * (28 + 24 + 2) + 5 * (8 + 7 + 2) + 54);
  for (const [files, constants] of all) await kernels.compile(files, { ...SIZES, ...constants });
  await kernels
    .compile(['matvec-subgroups', 'sizes', 'in-buffer', 'weights', 'bf16', 'stream', 'project'], {
      ...SIZES,
      TILE: 1,
    })
    .then(() => assert.unreachable('the null device accepted subgroups it was not asked for'))
    .catch((error) => assert.match(error.message, /subgroups/));
  gpu.device.destroy();
});

test('a wrong shader is refused with the compiler’s words; a size that it reads has to be given', async () => {
  const gpu = await nullDevice([]);
  const kernels = new Kernels(gpu);
  const files: ShaderName[] = [
    'matvec',
    'sizes',
    'in-buffer',
    'weights',
    'bf16',
    'stream',
    'norm',
    'gate-up',
  ];
  for (const name of ['SQUARES', 'EPSILON'] as const) {
    const { [name]: _, ...incomplete } = SIZES;
    await kernels
      .compile(files, { ...incomplete, TILE: 1 })
      .then(() => assert.unreachable(`compiled without ${name}`))
      .catch((error) => assert.match(error.message, name));
  }
  gpu.device.destroy();
});

test('models of any size share compiled kernels', async () => {
  const gpu = await nullDevice([]);
  const kernels = new Kernels(gpu);
  const compile = async (sizes: Partial<ModelConfig>) => {
    const config = { ...EMBEDDED.config, ...sizes };
    const adapter = { ...gpu.adapter, cpu: true };
    const cache = new KvCache(gpu, config, 64, 'f32');
    const format = () => ({ code: 'bf16' }) as const;
    const layout = { holder: 'buffer', permutes: false, hasOrder: () => false, format } as const;
    await compileOperations(kernels, config, tuningFor(adapter, config.vocabSize), cache, layout);
    return kernels.compiled;
  };
  const once = await compile({});
  assert.ok(once > 10, `${once} kernels`);
  const larger = { hiddenSize: 896, intermediateSize: 4864, vocabSize: 3000, headDim: 64, rmsNormEps: 1e-5 };
  assert.is(await compile({ ...larger, numHiddenLayers: 2, slidingWindow: { size: 40, layers: 0 } }), once);
  assert.is(await compile({ numAttentionHeads: 14, numKeyValueHeads: 7 }), once);
  assert.ok((await compile({ qkNorm: true })) > once, 'other code is another kernel');
  gpu.device.destroy();
});

test.run();
