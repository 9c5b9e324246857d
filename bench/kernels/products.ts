/** Matrices times activations, by every shader. */
import { filesOf, LINE } from '../../src/model/format.ts';
import { gpuTuning, type Tuning, tuningFor } from '../../src/model/tuning.ts';
import type { Slab } from '../../src/model/weight-layout.ts';
import { compare } from '../../src/selftest/compare.ts';
import { readBack } from '../harness/device.ts';
import { progress, short } from '../harness/figures.ts';
import { type RandomWeights, SHAPES, type ShapeName } from '../random-model.ts';
import {
  type Candidate,
  contest,
  type Dispatch,
  type Figure,
  type Lab,
  measure,
  report,
  runOnce,
  type Shader,
} from './measure.ts';
import {
  AsF32,
  loadWeights,
  type MatrixName,
  Memory,
  multiply,
  noise,
  pad,
  pad8,
  sampleOf,
  streamStride,
  tensorsOf,
} from './operands.ts';

/** Rows that matmul-tiles.wgsl computes, whatever is asked for. */
export const TILED_ROWS = 64;
/** Rows of activations for which shapes of workgroups are compared. */
const CONTEST_ROWS = [1, 8, 64];

export interface Workgroup {
  threads: number;
  /** Rows of activations, and quads of outputs, that it takes. */
  tile: number;
  quads: number;
}

/** As the model chooses it. */
export const tileFor = (tiles: readonly number[], rows: number): number =>
  tiles.find((tile) => tile >= rows) ?? (tiles.at(-1) as number);

/** What src/model/tuning.ts gives the shader on this adapter; where it does not use it, what it would. */
function tunedWorkgroup({ gpu }: Lab, tuning: Tuning, shader: Shader, rows: number): Workgroup {
  if (shader === 'matmul-tiles') return { threads: 256, tile: TILED_ROWS, quads: 32 };
  const using = [tuning, gpuTuning(gpu.adapter)].find(({ decode }) => decode.shader === shader);
  const { threads } = tuning.head;
  const { decode, tiles } = using ?? { decode: { threads, quads: threads }, tiles: tuning.tiles };
  return { threads: decode.threads, quads: decode.quads, tile: tileFor(tiles, rows) };
}

function otherWorkgroups(
  shader: Shader,
  rows: number,
  quick: boolean,
  { threads, tile }: Workgroup,
): Workgroup[] {
  const split = shader === 'matvec-split';
  const all = split ? [64, 128, 256] : [8, 16, 32, 64];
  return (quick ? [all[1]] : all)
    .flatMap((n) =>
      (rows === 1 ? [1] : [2, 4, 8]).map((m) => ({ threads: n, tile: m, quads: split ? 8 : n })),
    )
    .filter((other) => other.threads !== threads || other.tile !== tile);
}

/** project.wgsl on a matrix in bf16 and f32, by each shader in its tuned shape; with `contests`, in others too. */
export async function measureProducts(
  lab: Lab,
  shape: ShapeName,
  matrix: MatrixName,
  source: RandomWeights,
  shaders: readonly Shader[],
  contests: boolean,
): Promise<void> {
  const { bench, gpu, kernels, holder, plan, skip } = lab;
  const tensors = tensorsOf(matrix, shape, source);
  const outputs = tensors.reduce((n, { shape: [rows] }) => n + rows, 0);
  const [, columns] = tensors[0].shape;
  const name = `${shape} ${matrix} [${outputs}, ${columns}]`;
  const [stride, outStride] = [pad8(columns), streamStride(outputs)];
  const fits = (rows: number) => pad(rows, TILED_ROWS) * outStride * 4 <= gpu.maxBinding;
  for (const rows of plan.rows) {
    if (!fits(rows)) skip(`${name}, ${rows} rows: their outputs do not fit into a binding`);
  }
  const allRows = plan.rows.filter(fits);
  const most = Math.max(...allRows);

  progress(`${name}: oracle`);
  const activations = noise(most * stride, 7).map((v, i) => (i % stride < columns ? v : 0));
  const inputs = Array.from({ length: most }, (_, m) =>
    Float64Array.from(activations.subarray(m * stride, m * stride + columns)),
  );
  const sample = sampleOf(outputs, columns * most);
  const expected = await multiply(source, tensors, sample, inputs);

  const memory = new Memory(gpu);
  const x = memory.buffer('x', pad(most, TILED_ROWS) * stride);
  bench.device.queue.writeBuffer(x, 0, activations);
  const ones = memory.upload('ones', new Float32Array(outputs).fill(1));
  const out = memory.buffer('out', pad(most, TILED_ROWS) * outStride);
  const tuning = tuningFor(gpu.adapter, SHAPES[shape].vocabSize);

  for (const type of ['bf16', 'f32'] as const) {
    const from = type === 'bf16' ? source : new AsF32(source);
    const weights = await loadWeights(lab, `${name} ${type}`, from, tensors, (loader, names) =>
      loader.stacked(names, 1, 32),
    );
    if (!weights) continue;
    const candidate = async (shader: Shader, rows: number, { threads, tile, quads }: Workgroup) => {
      const sizes = {
        COLUMNS: columns,
        WIDTH: outputs,
        BIAS: false,
        LINE,
      };
      const constants = { ...sizes, THREADS: threads, TILE: tile };
      const kernel = await kernels.compile(
        [shader, 'sizes', ...filesOf({ code: type }, holder), 'stream', 'project'],
        constants,
      );
      const dispatch = ({ range, weights, count }: Slab): Dispatch => ({
        kernel,
        group: kernels.bind(kernel, [range, weights, x, ones, out, ones]),
        size: [Math.ceil(pad(count, 32) / 4 / quads), Math.ceil(rows / tile), 1],
      });
      const copies = weights.copies.map((slabs) => slabs.map(dispatch));
      const check = async () => {
        const encoder = bench.device.createCommandEncoder();
        encoder.clearBuffer(out);
        runOnce(encoder, copies[0]);
        const stream = new Float32Array(await readBack(bench.device, encoder, out, rows * outStride * 4));
        const ours = sample.map((n) =>
          Float64Array.from({ length: rows }, (_, m) => stream[m * outStride + n]),
        );
        return compare(
          ours,
          expected.map((each) => each.subarray(0, rows)),
          columns,
        );
      };
      const label = {
        shape,
        operation: 'project',
        matrix,
        weights: type,
        shader,
        threads,
        tile,
        rows,
      } as const;
      return { label, bytes: weights.bytes, flops: 2 * outputs * columns * rows, copies, check };
    };
    const figures: Figure[] = [];
    for (const rows of allRows) {
      const all: Candidate[] = [];
      for (const shader of shaders) {
        all.push(await candidate(shader, rows, tunedWorkgroup(lab, tuning, shader, rows)));
      }
      figures.push(...(await measure(lab, all)));
    }
    lab.figures.push(...figures);
    report(lab, `${name}, ${type}: ${short(weights.bytes / 1e6)} MB`, figures);

    const compared = contests && type === 'bf16' ? shaders.filter((shader) => shader !== 'matmul-tiles') : [];
    for (const shader of compared) {
      for (const rows of allRows.filter((n) => (plan.quick ? n === 1 : CONTEST_ROWS.includes(n)))) {
        const tuned = tunedWorkgroup(lab, tuning, shader, rows);
        const all: Candidate[] = [];
        for (const each of [tuned, ...otherWorkgroups(shader, rows, plan.quick, tuned)]) {
          all.push(await candidate(shader, rows, each));
        }
        await contest(lab, all);
      }
    }
    weights.free();
  }
  memory.free();
}
