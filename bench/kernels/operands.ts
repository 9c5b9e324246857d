/** What kernels are given: weights, activations, buffers. */

import { toFloat64 } from '../../reference/weights.ts';
import type { TensorInfo, TensorSource } from '../../src/checkpoint/safetensors.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { packRows, type RowFields } from '../../src/model/rows.ts';
import type { Matrix, Slab } from '../../src/model/weight-layout.ts';
import { WeightLoader } from '../../src/model/weights.ts';
import { freeMemory } from '../harness/device.ts';
import { progress, short } from '../harness/figures.ts';
import { type RandomWeights, SHAPES, type ShapeName } from '../random-model.ts';
import type { Lab } from './measure.ts';

/** Most copies of a matrix. */
export const COPIES = 128;
/** Products that the float64 oracle computes for one matrix: where there are more, `SAMPLE` of its rows are checked. */
const ORACLE_WORK = 2 ** 25;
const SAMPLE = 64;

export const pad = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;
export const pad8 = (n: number): number => pad(n, 8);
/** Words of a row of shaders/stream.wgsl. */
export const streamStride = (width: number): number => 2 * pad8(width) + pad(width, 32) / 4;

/** Bell-shaped numbers with variance 1; the same seed gives the same. */
export function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from(
    { length },
    () => Math.sqrt(3) * (uniform() + uniform() + uniform() + uniform() - 2),
  );
}

export const layer = (name: string): string => `model.layers.0.${name}.weight`;
export const MATRIX_NAMES = {
  qkv: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'].map(layer),
  o_proj: [layer('self_attn.o_proj')],
  gate_up: [layer('mlp.gate_proj'), layer('mlp.up_proj')],
  down_proj: [layer('mlp.down_proj')],
  lm_head: ['lm_head.weight'],
};
export type MatrixName = keyof typeof MATRIX_NAMES;
export const MATRICES = Object.keys(MATRIX_NAMES) as MatrixName[];

/** The tensors that a matrix is made of, row under row. */
export function tensorsOf(matrix: MatrixName, shape: ShapeName, { tensors }: RandomWeights): TensorInfo[] {
  const tied = matrix === 'lm_head' && SHAPES[shape].tieWordEmbeddings;
  const names = tied ? ['model.embed_tokens.weight'] : MATRIX_NAMES[matrix];
  return names.map((name) => tensors.get(name) as TensorInfo);
}

/** The same weights as f32. */
export class AsF32 implements TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly source: RandomWeights;

  constructor(source: RandomWeights) {
    this.source = source;
    this.tensors = new Map(
      Array.from(source.tensors, ([name, t]) => [
        name,
        { ...t, dtype: 'F32', begin: 2 * t.begin, end: 2 * t.end },
      ]),
    );
  }

  async readInto({ name }: TensorInfo, offset: number, target: Uint8Array): Promise<void> {
    const halves = new Uint16Array(target.length / 4);
    const tensor = this.source.tensors.get(name) as TensorInfo;
    await this.source.readInto(tensor, offset / 2, new Uint8Array(halves.buffer));
    const words = new Uint32Array(target.buffer, target.byteOffset, halves.length);
    for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
  }
}

export interface Weights {
  /** Slabs of each copy. */
  copies: readonly (readonly Slab[])[];
  bytes: number;
  free(): void;
}

/** Undefined, and said so, where there is no room. */
export async function loadWeights(
  lab: Lab,
  what: string,
  source: TensorSource,
  tensors: readonly TensorInfo[],
  load: (loader: WeightLoader, names: string[]) => Promise<Matrix>,
): Promise<Weights | undefined> {
  const { bench, gpu, kernels, holder, plan, skip } = lab;
  const size = tensors.reduce((n, { name }) => n + sizeOf(source, name), 0);
  const copyCount = Math.max(1, Math.min(COPIES, Math.ceil(plan.cold / size)));
  if (bench.cpu && copyCount * size > freeMemory() / 2) {
    skip(
      `${what}: ${short((copyCount * size) / 1e9)} GB of weights, ${short(freeMemory() / 1e9)} GB are free`,
    );
    return;
  }
  progress(`${what}: weights`);
  const loader = new WeightLoader(gpu, kernels, source, () => {}, undefined, holder);
  const names = tensors.map(({ name }) => name);
  const copies: (readonly Slab[])[] = [];
  while (copies.length < copyCount) copies.push((await load(loader, names)).slabs);
  loader.done();
  return {
    copies,
    bytes: loader.bytes / copyCount,
    free: () => {
      for (const { weights, range } of copies.flat()) for (const each of [weights, range]) gpu.free(each);
    },
  };
}

const sizeOf = ({ tensors }: TensorSource, name: string): number => {
  const { begin, end } = tensors.get(name) as TensorInfo;
  return end - begin;
};

/** In float64: these rows of the tensors under one another times each of `x`. [rows][x] */
export async function multiply(
  source: RandomWeights,
  tensors: readonly TensorInfo[],
  rows: readonly number[],
  x: readonly Float64Array[],
): Promise<Float64Array[]> {
  const columns = tensors[0].shape[1];
  const halves = new Uint16Array(columns);
  const all: Float64Array[] = [];
  for (const row of rows) {
    let at = row;
    let i = 0;
    while (at >= tensors[i].shape[0]) at -= tensors[i++].shape[0];
    await source.readInto(tensors[i], 2 * columns * at, new Uint8Array(halves.buffer));
    const w = toFloat64(halves.buffer, 'BF16');
    all.push(
      Float64Array.from(x, (each) => {
        let sum = 0;
        for (let k = 0; k < columns; k++) sum += w[k] * each[k];
        return sum;
      }),
    );
  }
  return all;
}

/** All of `count`, or, where each costs so much that they are too many, a seeded sample with the first and the last. */
export function sampleOf(count: number, work: number): number[] {
  if (count * work <= ORACLE_WORK) return Array.from({ length: count }, (_, i) => i);
  const inner = Array.from({ length: SAMPLE - 2 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 0) % count);
  return [...new Set([0, ...inner, count - 1])];
}

export class Memory {
  private readonly gpu: Gpu;
  private readonly made: GPUBuffer[] = [];

  constructor(gpu: Gpu) {
    this.gpu = gpu;
  }

  buffer(label: string, words: number): GPUBuffer {
    this.made.push(this.gpu.buffer(label, 4 * words));
    return this.made[this.made.length - 1];
  }

  upload(label: string, data: Float32Array | Uint32Array): GPUBuffer {
    this.made.push(this.gpu.upload(label, data));
    return this.made[this.made.length - 1];
  }

  free(): void {
    for (const buffer of this.made) this.gpu.free(buffer);
  }
}

/** struct Row [rows] of shaders/row.wgsl: the last position of a row is the one that it is at. */
export function rowsOf(
  rows: number,
  at: (row: number) => { position: number; table: number; spans?: number; teamSpans?: number; topK?: number },
): Uint32Array {
  const fields = Array.from({ length: rows }, (_, row): RowFields => {
    const { position, table, spans = 0, teamSpans = 0, topK } = at(row);
    const idle = { token: 0, valid: 0, slot: 0, stride: 0 };
    return { ...idle, position, table, limit: position + 1, spans, teamSpans, topK };
  });
  return new Uint32Array(packRows(fields, 1));
}
