/** Every kernel that multiplies by weights, and attention: bytes read and operations a second, against what the adapter can do. */

import { toFloat64 } from '../reference/weights.ts';
import { OptionError } from '../src/base/errors.ts';
import { didYouMean } from '../src/base/nearest.ts';
import type { TensorInfo, TensorSource } from '../src/checkpoint/safetensors.ts';
import { value } from '../src/cli/args.ts';
import { Gpu } from '../src/gpu/device.ts';
import { Kernels } from '../src/gpu/kernel.ts';
import { filesOf } from '../src/model/format.ts';
import { packRows } from '../src/model/rows.ts';
import { tuningFor } from '../src/model/tuning.ts';
import { WeightLoader } from '../src/model/weights.ts';
import { chart, pointOf } from './chart.ts';
import { type Bench, openBench, readBack } from './harness/device.ts';
import { progress, type Summary, short, show, table } from './harness/figures.ts';
import { numbers, readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';
import { measureAttention } from './kernels/attention.ts';
import { measureFused } from './kernels/fused.ts';
import { type Figure, KERNELS, kernelOf, type Lab, type Plan, runOnce, SHADERS } from './kernels/measure.ts';
import { MATRICES, streamStride } from './kernels/operands.ts';
import { measureProducts } from './kernels/products.ts';
import { RandomWeights, SEED, SHAPES, type ShapeName } from './random-model.ts';
import { arithmeticPeak, readBandwidth } from './roofline.ts';

const MIB = 2 ** 20;

const OPTIONS = {
  shapes: { value: 'LIST', help: `of ${Object.keys(SHAPES).join(', ')}` },
  rows: { value: 'LIST', help: 'rows of activations (1,2,4,8,64,512)' },
  kernels: { value: 'LIST', help: `of ${KERNELS.join(', ')}` },
  all: { help: 'all shapes and rows on a software adapter too, where it else takes about five minutes' },
};

function planFor({ cpu }: Bench, parsed: NonNullable<ReturnType<typeof readOptions>>): Plan {
  const quick = parsed.flags.has('quick');
  const all = parsed.flags.has('all') || !cpu;
  const list = <T extends string>(option: string, known: readonly T[], usual: readonly T[]): T[] => {
    const given = value(parsed, option)?.split(',') ?? usual;
    return [...new Set(given.map((name) => named(`--${option}`, name.trim(), known)))];
  };
  const shapes: ShapeName[] = quick ? ['135m'] : all ? ['135m', '0.5b', '1.5b', '7b'] : ['135m', '0.5b'];
  const rows = quick ? '1,8' : all ? '1,2,4,8,64,512' : '1,4,8,64';
  return {
    quick,
    shapes: list('shapes', Object.keys(SHAPES) as ShapeName[], shapes),
    rows: numbers('--rows', value(parsed, 'rows') ?? rows),
    kernels: list('kernels', KERNELS, KERNELS),
    matrices: quick ? ['gate_up'] : MATRICES,
    contexts: quick ? [128, 2048] : [128, 2048, 8192],
    limit: quick ? 0.2 : !cpu ? 5 : all ? 20 : 0.3,
    pass: quick || !cpu ? 0.005 : 0.02,
    rounds: quick ? [2, 3] : [3, cpu ? 7 : 15],
    budget: quick ? 0.02 : cpu ? 0.3 : 1,
    cold: (quick ? 32 : cpu ? 128 : 512) * MIB,
  };
}

/** @throws OptionError naming what is known */
function named<T extends string>(option: string, name: string, known: readonly T[]): T {
  if (!known.includes(name as T)) {
    throw new OptionError(
      `${option} has ${JSON.stringify(name)}${didYouMean(name, known) || `: of ${known.join(', ')}`}`,
    );
  }
  return name as T;
}

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('kernels', OPTIONS, args);
  if (!parsed) return;
  const bench = await openBench();
  const gpu = await Gpu.open({ device: bench.device });
  const say = (text: string) => {
    progress();
    console.log(text);
  };
  const skipped: string[] = [];
  const skip = (what: string) => {
    skipped.push(what);
    say(`skipped: ${what}`);
  };
  try {
    const plan = planFor(bench, parsed);
    progress('roofline');
    const peaks = { ...(await readBandwidth(bench)), ...(await arithmeticPeak(bench)) };
    const lab: Lab = {
      bench,
      gpu,
      kernels: new Kernels(gpu),
      holder: tuningFor(gpu.adapter, SHAPES['135m'].vocabSize).holder,
      plan,
      peaks,
      skip,
      say,
      figures: [],
      contests: [],
    };
    say(
      `${bench.environment.adapter.description}: reads ${short(peaks.bytesPerSecond / 1e9)} GB/s, computes ` +
        `${short(peaks.flopsPerSecond / 1e9)} GFLOP/s (${peaks.source}). Kernels: threads of a workgroup × rows of activations it ` +
        `takes; medians, range in brackets${bench.cpu ? '; matvec-split and matmul-tiles are meant for GPUs' : ''}`,
    );
    const f16Exact = await f16IsExact(lab);
    say(`f16 weights are unpacked ${f16Exact ? 'exactly, every one of them' : 'WRONG, some values change'}`);
    const wanted = new Set(plan.kernels);
    if (!gpu.adapter.subgroups && wanted.delete('matvec-subgroups')) {
      skip('matvec-subgroups: the adapter has no subgroups of eight lanes or more');
    }
    const shaders = SHADERS.filter((name) => wanted.has(name));
    for (const shape of plan.shapes) {
      const weights = new RandomWeights({ ...SHAPES[shape], numHiddenLayers: 1 }, SEED);
      const last = shape === plan.shapes.at(-1);
      for (const matrix of shaders.length > 0 ? plan.matrices : []) {
        await measureProducts(lab, shape, matrix, weights, shaders, last && matrix === 'gate_up');
      }
      for (const operation of ['qkv', 'gate-up', 'lm-head'] as const) {
        if (wanted.has(operation)) await measureFused(lab, shape, operation, weights);
      }
      if (wanted.has('attention')) await measureAttention(lab, shape, last);
    }
    progress();
    reportContests(lab);
    const { figures, contests } = lab;
    writeResults(bench, 'kernels', { peaks, f16Exact, figures, contests, skipped }, parsed, draw(lab));
    const wrong = figures.filter(({ right }) => !right).length + (f16Exact ? 0 : 1);
    if (wrong > 0) throw new Error(`${wrong} results are WRONG`);
  } finally {
    progress();
    gpu.dispose();
    bench.close();
  }
}

/** Whether shaders/f16.wgsl makes the f32 of the same value of each f16, subnormal ones too: as embeddings of 256 tokens. */
async function f16IsExact({ gpu, kernels, bench }: Lab): Promise<boolean> {
  const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const bytes = new Uint8Array(halves.buffer);
  const place = { file: 'all', begin: 0, end: bytes.length };
  const tensor: TensorInfo = { name: 'f16', dtype: 'F16', shape: [256, 256], ...place };
  const source: TensorSource = {
    tensors: new Map([['f16', tensor]]),
    readInto: async (_, offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
  };
  const loader = new WeightLoader(gpu, kernels, source, () => {});
  const [{ weights, range }] = (await loader.stacked(['f16'], 1)).slabs;
  loader.done();
  const kernel = await kernels.compile(
    ['sizes', ...filesOf({ code: 'f16' }, 'buffer'), 'row', 'stream', 'embed'],
    {
      COLUMNS: 256,
      WIDTH: 256,
    },
  );
  const idle = { position: 0, table: 0, valid: 0, limit: 1, slot: 0, stride: 0, spans: 0, teamSpans: 0 };
  const tokens = Array.from({ length: 256 }, (_, token) => ({ ...idle, token }));
  const rows = gpu.upload('rows', new Uint32Array(packRows(tokens, 1)));
  const ones = gpu.upload('ones', new Float32Array(256).fill(1));
  const stride = streamStride(256);
  const stream = gpu.buffer('stream', 4 * 256 * stride);
  const encoder = bench.device.createCommandEncoder();
  runOnce(encoder, [
    { kernel, group: kernels.bind(kernel, [range, weights, rows, ones, stream]), size: [1, 256, 1] },
  ]);
  const found = new Float32Array(await readBack(bench.device, encoder, stream, stream.size));
  for (const buffer of [weights, range, rows, ones, stream]) gpu.free(buffer);
  return toFloat64(halves.buffer, 'F16').every((value, i) =>
    Object.is(found[(i >> 8) * stride + (i & 255)], value),
  );
}

function reportContests({ contests, say }: Lab): void {
  if (contests.length === 0) return;
  const rate = ({ bytesPerSecond }: Figure) => (bytesPerSecond ? show(bytesPerSecond, 1e9) : '');
  const lines = contests.map(({ best, tuned }) => {
    const { shader, operation, rows, context } = tuned;
    const times = (tuned.seconds?.median ?? 0) / (best.seconds?.median ?? 0);
    const what = shader ?? `${operation}, ${context} positions`;
    const [fastest, own] = [best, tuned].map(({ threads, tile }) => kernelOf({ threads, tile }));
    return [what, String(rows), fastest, rate(best), own, rate(tuned), short(times)];
  });
  const head = ['workgroups', 'rows', 'fastest', 'GB/s', 'in tuning.ts', 'GB/s', 'times slower'];
  const { shape } = contests[0].tuned;
  say(`\nShape ${shape}, gate_up in bf16, and attention\n${table(head, lines)}`);
}

/** One matrix of the largest shape, by shader. */
function draw({ figures, bench }: Lab): string | undefined {
  const of = (f: Figure) => f.matrix === 'gate_up' && f.weights === 'bf16' && f.seconds;
  const shape = figures.findLast(of)?.shape;
  if (!shape) return;
  const series = (key: 'bytesPerSecond' | 'flopsPerSecond') =>
    SHADERS.map((name) => {
      const shown = figures.filter((f) => of(f) && f.shape === shape && f.shader === name);
      const points = shown.map((f) => pointOf(f.rows, f[key] as Summary, 1e9));
      return { name, points };
    }).filter(({ points }) => points.length > 0);
  const panel = { xLabel: 'rows of activations', logX: true, logY: true };
  return chart(
    `Shape ${shape}, gate_proj and up_proj times activations, bf16`,
    [
      { ...panel, yLabel: 'GB/s of weights', series: series('bytesPerSecond') },
      { ...panel, yLabel: 'GFLOP/s', series: series('flopsPerSecond') },
    ],
    `${bench.environment.adapter.description}. Medians, bars as long as the middle half.`,
  );
}
