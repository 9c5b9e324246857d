/** The operations that multiply by weights as the model runs them, by this adapter's tuning. */

import { rotations } from '../../reference/rotations.ts';
import { PAGE } from '../../src/cache/kv-cache.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import type { ShaderName } from '../../src/gpu/kernel.ts';
import { filesOf, LINE } from '../../src/model/format.ts';
import { type Tuning, tuningFor } from '../../src/model/tuning.ts';
import type { Matrix, Slab } from '../../src/model/weight-layout.ts';
import type { WeightLoader } from '../../src/model/weights.ts';
import { compare } from '../../src/selftest/compare.ts';
import { rmsNorm, rotary, siluGate } from '../../src/selftest/float64.ts';
import { readBack } from '../harness/device.ts';
import { short } from '../harness/figures.ts';
import { type RandomWeights, SHAPES, type ShapeName } from '../random-model.ts';
import { type Candidate, type Dispatch, type Figure, type Lab, measure, report, runOnce } from './measure.ts';
import {
  layer,
  loadWeights,
  MATRIX_NAMES,
  type MatrixName,
  Memory,
  multiply,
  noise,
  pad,
  pad8,
  rowsOf,
  sampleOf,
  streamStride,
  tensorsOf,
} from './operands.ts';
import { TILED_ROWS, tileFor } from './products.ts';

export type FusedName = 'qkv' | 'gate-up' | 'lm-head';
type Run = () => Promise<GPUCommandEncoder>;

interface Fused {
  matrix: MatrixName;
  /** The weight of the norm before it. */
  norm: string;
  files: ShaderName[];
  constants: Record<string, number | boolean>;
  /** What is bound after the weights and the stream. */
  buffers: GPUBuffer[];
  /** Outputs, in the units that slabs count, of eight quads. */
  perGroup: number;
  load(loader: WeightLoader, names: string[]): Promise<Matrix>;
  /** Where `run` records the operation: what it gives for these rows of activations, and what is right for their normed streams `x`. */
  results(
    run: Run,
    rows: readonly number[],
    x: readonly Float64Array[],
  ): Promise<{ ours: Float64Array[]; expected: Float64Array[] }>;
}

interface Setting {
  lab: Lab;
  shape: ShapeName;
  config: ModelConfig;
  source: RandomWeights;
  /** Most rows of activations. */
  most: number;
  tuning: Tuning;
  memory: Memory;
}

export async function measureFused(
  lab: Lab,
  shape: ShapeName,
  operation: FusedName,
  source: RandomWeights,
): Promise<void> {
  const { bench, gpu, kernels, plan, skip } = lab;
  const config = SHAPES[shape];
  const { hiddenSize, rmsNormEps, vocabSize } = config;
  const head = operation === 'lm-head';
  const fits = (rows: number) => !head || pad(rows, TILED_ROWS) * vocabSize * 4 <= gpu.maxBinding;
  for (const rows of plan.rows) {
    if (!fits(rows)) skip(`${shape} ${operation}, ${rows} rows: their logits do not fit into a binding`);
  }
  const allRows = plan.rows.filter(fits);
  const most = pad(Math.max(...allRows), TILED_ROWS);
  const memory = new Memory(gpu);
  const tuning = tuningFor(gpu.adapter, vocabSize);
  const fused = OPERATIONS[operation]({ lab, shape, config, source, most, tuning, memory });
  const tensors = tensorsOf(fused.matrix, shape, source);
  const outputs = tensors.reduce((n, { shape: [rows] }) => n + rows, 0);

  const g = source.values(fused.norm);
  const h = noise(most * hiddenSize, 11);
  const [half, stride] = [pad8(hiddenSize), streamStride(hiddenSize)];
  const stream = new Float32Array(most * stride); // [h | g∘h | sums of squares]
  for (const [i, v] of h.entries()) {
    const [row, column] = [Math.floor(i / hiddenSize) * stride, i % hiddenSize];
    stream[row + column] = v;
    stream[row + half + column] = v * g[column];
    stream[row + 2 * half + (column >> 2)] += v * v;
  }
  const buffers = [memory.upload('stream', stream), ...fused.buffers];
  const normed = (row: number) => {
    const x = Float64Array.from(h.subarray(row * hiddenSize, (row + 1) * hiddenSize));
    return rmsNorm(x, Float64Array.from(g), rmsNormEps);
  };

  const title = `${shape} ${operation} [${outputs}, ${hiddenSize}]`;
  const weights = await loadWeights(lab, title, source, tensors, fused.load);
  if (!weights) return memory.free();
  const candidate = async (rows: number): Promise<Candidate> => {
    const { shader, threads, tile, quads } = workgroupOf(tuning, head, rows);
    const sizes = {
      COLUMNS: hiddenSize,
      WIDTH: hiddenSize,
      ORDERED: false,
      SECOND: 0,
      EPSILON: rmsNormEps,
      LINE,
    };
    const constants = {
      ...sizes,
      ...fused.constants,
      THREADS: threads,
      TILE: tile,
      SQUARES: threads * Math.min(tile, 8),
    };
    const files: ShaderName[] = [
      shader,
      'sizes',
      ...filesOf({ code: 'bf16' }, lab.holder),
      'stream',
      ...fused.files,
    ];
    const kernel = await kernels.compile(files, constants);
    const dispatch = ({ range, weights, count }: Slab): Dispatch => ({
      kernel,
      group: kernels.bind(kernel, [range, weights, ...buffers]),
      size: [Math.ceil((Math.ceil(count / fused.perGroup) * 8) / quads), Math.ceil(rows / tile), 1],
    });
    const copies = weights.copies.map((slabs) => slabs.map(dispatch));
    const run: Run = async () => {
      const [dispatches] = copies;
      const encoder = bench.device.createCommandEncoder();
      runOnce(encoder, dispatches);
      return encoder;
    };
    const check = async () => {
      const checked = [...new Set([0, 1, rows - 2, rows - 1])].filter((row) => row >= 0 && row < rows);
      const { ours, expected } = await fused.results(run, checked, checked.map(normed));
      return compare(ours, expected, hiddenSize);
    };
    const label = { shape, operation, weights: 'bf16', shader, threads, tile, rows } as const;
    const flops = 2 * outputs * hiddenSize * rows;
    return { label, bytes: weights.bytes, flops, copies, check };
  };
  const figures: Figure[] = [];
  for (const rows of allRows) figures.push(...(await measure(lab, [await candidate(rows)])));
  lab.figures.push(...figures);
  report(lab, `${title}, fused, bf16: ${short(weights.bytes / 1e6)} MB`, figures);
  weights.free();
  memory.free();
}

/** As src/model/qwen2.ts goes about it: 64 rows and more are a prompt, fewer are decoded. */
function workgroupOf({ decode, head, tiles, tiledPrefill }: Tuning, isHead: boolean, rows: number) {
  const tile = tileFor(tiles, rows);
  if (isHead) return { ...head, tile, quads: head.threads * head.repeat };
  if (!tiledPrefill || rows < TILED_ROWS) return { ...decode, tile };
  return { shader: 'matmul-tiles' as const, threads: 256, quads: 32, tile: TILED_ROWS };
}

const OPERATIONS: Readonly<Record<FusedName, (setting: Setting) => Fused>> = {
  qkv({ lab, shape, config, source, most, tuning, memory }) {
    const { device } = lab.bench;
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, hiddenSize, ropeTheta } = config;
    const tensors = tensorsOf('qkv', shape, source);
    const biases = MATRIX_NAMES.qkv.map((name) => name.replace('weight', 'bias'));
    const bias = new Float32Array((heads + 2 * kvHeads) * headDim);
    if (config.attentionBias) bias.set(biases.flatMap((name) => [...source.values(name)]));
    const angles = Float32Array.from({ length: most * headDim }, (_, i) => {
      const angle = Math.floor(i / headDim) * ropeTheta ** ((-2 * Math.floor((i % headDim) / 2)) / headDim);
      return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
    });
    const pages = Math.ceil(most / PAGE);
    const pageWords = 2 * kvHeads * PAGE * headDim;
    const cache = memory.buffer('cache', pages * pageWords);
    const queries = memory.buffer('queries', most * heads * headDim);
    const rows = rowsOf(most, (position) => ({ position, table: 0 }));
    const tables = Uint32Array.from({ length: pages }, (_, i) => i);
    return {
      matrix: 'qkv',
      norm: layer('input_layernorm'),
      files: [tuning.norm, 'row', 'cache', 'qkv'],
      constants: {
        Q_HEADS: heads,
        KV_HEADS: kvHeads,
        HEAD_DIM: headDim,
        PAGE,
        KV_BF16: false,
        QK_NORM: false,
      },
      buffers: [
        memory.upload('bias', bias),
        memory.upload('rotary', angles),
        memory.upload('rows', rows),
        memory.upload('tables', tables),
        cache,
        queries,
      ],
      perGroup: 32 / headDim,
      load: (loader, names) => loader.stacked(names, headDim),
      async results(run, rows, x) {
        const q = new Float32Array(await readBack(device, await run(), queries, queries.size));
        const kv = new Float32Array(await readBack(device, device.createCommandEncoder(), cache, cache.size));
        const at = (row: number, head: number, i: number) => {
          if (head < heads) return q[(row * heads + head) * headDim + i];
          const page = Math.floor(row / PAGE) * pageWords + (head - heads) * PAGE * headDim;
          const slot = row % PAGE;
          const key = head < heads + kvHeads;
          return kv[page + (key ? ((i >> 2) * PAGE + slot) * 4 + (i & 3) : slot * headDim + i)];
        };
        const [ours, expected]: Float64Array[][] = [[], []];
        for (const head of sampleOf(heads + 2 * kvHeads, headDim * hiddenSize * x.length)) {
          const dimensions = Array.from({ length: headDim }, (_, i) => head * headDim + i);
          const products = await multiply(source, tensors, dimensions, x);
          for (const [m, row] of rows.entries()) {
            const y = Float64Array.from(products, (each, i) => each[m] + bias[dimensions[i]]);
            expected.push(head < heads + kvHeads ? rotary(y, row, headDim, rotations(config)) : y);
            ours.push(Float64Array.from(y, (_, i) => at(row, head, i)));
          }
        }
        return { ours, expected };
      },
    };
  },

  'gate-up'({ lab, shape, config, source, most, tuning, memory }) {
    const { device } = lab.bench;
    const { intermediateSize, hiddenSize } = config;
    const [gate, up] = tensorsOf('gate_up', shape, source);
    const stride = pad8(intermediateSize);
    const out = memory.buffer('out', most * stride);
    return {
      matrix: 'gate_up',
      norm: layer('post_attention_layernorm'),
      files: [tuning.norm, 'gate-up'],
      constants: { OUT_STRIDE: stride, BIAS: false },
      buffers: [out, memory.buffer('bias', 1)],
      perGroup: 16,
      load: (loader, [first, second]) => loader.paired(first, second),
      async results(run, rows, x) {
        const found = new Float32Array(await readBack(device, await run(), out, out.size));
        const sample = sampleOf(intermediateSize, 2 * hiddenSize * x.length);
        const gates = await multiply(source, [gate], sample, x);
        const ups = await multiply(source, [up], sample, x);
        return {
          ours: sample.map((n) => Float64Array.from(rows, (row) => found[row * stride + n])),
          expected: gates.map((each, i) => siluGate(each, ups[i])),
        };
      },
    };
  },

  'lm-head'({ lab, shape, config, source, most, tuning, memory }) {
    const { device } = lab.bench;
    const { vocabSize, hiddenSize } = config;
    const { head } = tuning;
    const logits = memory.buffer('logits', most * vocabSize);
    return {
      matrix: 'lm_head',
      norm: 'model.norm.weight',
      files: [tuning.norm, 'lm-head'],
      constants: { VOCABULARY: vocabSize, REPEAT: head.repeat },
      buffers: [logits],
      perGroup: 32,
      load: (loader, names) => loader.stacked(names, 1, 4 * head.threads * head.repeat),
      async results(run, rows, x) {
        const found = new Float32Array(await readBack(device, await run(), logits, logits.size));
        const sample = sampleOf(vocabSize, hiddenSize * x.length);
        return {
          ours: sample.map((n) => Float64Array.from(rows, (row) => found[row * vocabSize + n])),
          expected: await multiply(source, tensorsOf('lm_head', shape, source), sample, x),
        };
      },
    };
  },
};
