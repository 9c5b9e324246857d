import { KvCache, type PageCopy } from '../cache/kv-cache.ts';
import type { KvType } from '../cache/kv-type.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { type RowState, writeRows } from '../engine/write-rows.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';
import { type Dispatch, play, Recording } from '../gpu/recorder.ts';
import { loadQwen2, type Qwen2 } from '../model/qwen2.ts';
import type { Tuning } from '../model/tuning.ts';
import { WeightLoader } from '../model/weights.ts';
import type { RandomTensors } from './random-tensors.ts';

/** A model of one layer, whose kernels are to be held against float64. */
export interface Subject {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly tuning: Tuning;
  readonly tensors: RandomTensors;
  readonly model: Qwen2;
  readonly cache: KvCache;
}

export async function openSubject(
  gpu: Gpu,
  kernels: Kernels,
  config: ModelConfig,
  tuning: Tuning,
  tensors: RandomTensors,
  positions: number,
  kvType: KvType,
): Promise<Subject> {
  const cache = new KvCache(gpu, config, positions, kvType);
  const loader = new WeightLoader(gpu, kernels, tensors, () => {}, undefined, tuning.holder);
  const model = await loadQwen2(gpu, kernels, config, loader, cache, config.maxPositionEmbeddings, tuning);
  loader.done();
  return { gpu, config, tuning, tensors, model, cache };
}

/** A pass to be looked into. */
export interface Trial {
  readonly states: readonly RowState[];
  readonly copies: readonly PageCopy[];
  readonly prefill?: boolean;
}

/** The buffers that a kernel, by its file in shaders/, writes. */
const WRITES = {
  'copy-pages': ['cache'],
  permute: ['permuted'],
  embed: ['stream'],
  qkv: ['queries', 'projected', 'cache'],
  'qk-norm': ['queries', 'cache'],
  attention: ['attention', 'spans'],
  'attention-merge': ['attention'],
  project: ['stream'],
  'gate-up': ['activation'],
  'lm-head': ['logits'],
  summarise: ['slices'],
  draw: ['results', 'rows'],
} as const;
export type KernelName = keyof typeof WRITES;
export type BufferName = (typeof WRITES)[KernelName][number] | 'tables';

/** What buffers hold at some point of a pass; of those that have a part for each row, the parts of its rows. */
export class Contents {
  private readonly held: ReadonlyMap<BufferName, ArrayBuffer>;

  constructor(held: ReadonlyMap<BufferName, ArrayBuffer>) {
    this.held = held;
  }

  f32(name: BufferName): Float32Array {
    return new Float32Array(this.held.get(name) as ArrayBuffer);
  }

  u32(name: BufferName): Uint32Array {
    return new Uint32Array(this.held.get(name) as ArrayBuffer);
  }
}

/** An operation of the pass: a dispatch or, where its matrix lies in several slabs, one for each. */
export interface Step {
  readonly kernel: KernelName;
  /** What it is run for. */
  readonly use: string;
  readonly before: Contents;
  readonly after: Contents;
}

/** Runs the pass in one submission and keeps what each operation finds and leaves. */
export async function runTrial({ gpu, model, cache }: Subject, trial: Trial): Promise<Step[]> {
  const { states, copies, prefill } = trial;
  const rows = states.length;
  const recording = new Recording();
  const shared = writeRows(gpu, model, states);
  model.copyPages(recording, copies);
  model.forward(recording, { rows, positions: positionsOf(trial), shared, prefill });
  if (!prefill) {
    model.head(recording, rows);
    model.draw(recording, rows);
  }
  const operations: { name: KernelName; use: string; dispatches: Dispatch[] }[] = [];
  for (const dispatch of recording.dispatches) {
    const [name, use] = [dispatch.pipeline.label as KernelName, dispatch.group.label];
    const last = operations.at(-1);
    if (last?.name === name && last.use === use) last.dispatches.push(dispatch);
    else operations.push({ name, use, dispatches: [dispatch] });
  }

  const { buffers, capacity } = model;
  const buffer = (name: BufferName) => (name === 'cache' ? cache.layers[0] : buffers[name]);
  const sizeOf = (name: BufferName) => {
    const { size } = buffer(name);
    if (name === 'cache' || name === 'spans' || name === 'tables' || name === 'permuted') return size;
    const most = /logits|slices|results/.test(name) ? buffers.logitRows : capacity;
    return (size / most) * rows;
  };
  const all = [...new Set(Object.values(WRITES).flat()), 'tables'] as const;
  const kept: BufferName[] = [...all, ...operations.flatMap(({ name }) => WRITES[name])];
  const total = kept.reduce((n, name) => n + sizeOf(name), 0);
  const snapshots = gpu.buffer('snapshots', total);
  const encoder = gpu.device.createCommandEncoder();
  let at = 0;
  const keep = (names: readonly BufferName[]) => {
    for (const name of names) {
      encoder.copyBufferToBuffer(buffer(name), 0, snapshots, at, sizeOf(name));
      at += sizeOf(name);
    }
  };
  keep(all);
  for (const { name, dispatches } of operations) {
    const pass = encoder.beginComputePass();
    for (const dispatch of dispatches) play(pass, dispatch);
    pass.end();
    keep(WRITES[name]);
  }
  const data = await gpu.read(encoder, snapshots, total);
  gpu.free(snapshots);

  at = 0;
  const take = (names: readonly BufferName[]) =>
    names.map((name): [BufferName, ArrayBuffer] => {
      at += sizeOf(name);
      return [name, data.slice(at - sizeOf(name), at)];
    });
  let held = new Map(take(all));
  return operations.map(({ name, use }) => {
    const before = new Contents(held);
    held = new Map([...held, ...take(WRITES[name])]);
    return { kernel: name, use, before, after: new Contents(held) };
  });
}

/** Of the longest row. */
export const positionsOf = ({ states }: Trial): number =>
  Math.max(...states.map(({ position }) => position)) + 1;
