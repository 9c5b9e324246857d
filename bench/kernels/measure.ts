/** Checks kernels against float64 and times those that are right. */
import type { Gpu } from '../../src/gpu/device.ts';
import type { Kernel, Kernels } from '../../src/gpu/kernel.ts';
import type { Holder } from '../../src/model/format.ts';
import type { Check } from '../../src/selftest/compare.ts';
import { type Bench, timePass } from '../harness/device.ts';
import { progress, type Summary, short, show, summarise, table } from '../harness/figures.ts';
import type { ShapeName } from '../random-model.ts';
import type { MatrixName } from './operands.ts';

/** Workgroups of the dispatch that tells how long the whole would take. */
const PROBE = 8;
export const SHADERS = ['matvec', 'matvec-subgroups', 'matvec-split', 'matmul-tiles'] as const;
export type Shader = (typeof SHADERS)[number];
export const KERNELS = [...SHADERS, 'qkv', 'gate-up', 'lm-head', 'attention'] as const;
export type KernelName = (typeof KERNELS)[number];

export interface Plan {
  quick: boolean;
  shapes: ShapeName[];
  rows: number[];
  kernels: KernelName[];
  matrices: readonly MatrixName[];
  contexts: readonly number[];
  /** Seconds: the most a single product may take, and the least that a timed pass takes. */
  limit: number;
  pass: number;
  /** Fewest and most passes that are timed, and the seconds that one kernel's may take in all. */
  rounds: readonly [number, number];
  budget: number;
  /** Bytes of operands that a kernel goes over before it meets the first ones again: more than caches hold. */
  cold: number;
}

/** What all measurements share. */
export interface Lab {
  bench: Bench;
  gpu: Gpu;
  kernels: Kernels;
  /** What holds the weights. */
  holder: Holder;
  plan: Plan;
  peaks: { bytesPerSecond: number; flopsPerSecond: number; source: string };
  skip(what: string): void;
  say(text: string): void;
  /** What was found. */
  readonly figures: Figure[];
  readonly contests: Contest[];
}

export function runOnce(encoder: GPUCommandEncoder, dispatches: readonly Dispatch[]): void {
  const pass = encoder.beginComputePass();
  record(pass, dispatches);
  pass.end();
}

/** What was computed, and how. */
export interface Label {
  shape: ShapeName;
  /** The file in shaders/ that the kernel ends with. */
  operation: 'project' | 'qkv' | 'gate-up' | 'lm-head' | 'attention';
  matrix?: MatrixName;
  weights?: 'bf16' | 'f32';
  /** What multiplies by the matrix. */
  shader?: Shader;
  threads: number;
  /** Rows of activations that a workgroup takes. */
  tile: number;
  /** Rows of activations. */
  rows: number;
  /** Positions that a row attends to, and how many such contexts the rows have. */
  context?: number;
  contexts?: number;
}

export interface Dispatch {
  kernel: Kernel;
  group: GPUBindGroup;
  size: readonly [number, number, number];
}

export interface Candidate {
  label: Label;
  /** Read at least, of weights or of keys and values. */
  bytes: number;
  flops: number;
  /** The commands, once for each copy of the operands. */
  copies: readonly (readonly Dispatch[])[];
  check(): Promise<Check>;
}

export interface Figure extends Label, Check {
  right: boolean;
  bytes: number;
  flops: number;
  /** What follows is there only for a result that is right. */
  seconds?: Summary;
  bytesPerSecond?: Summary;
  flopsPerSecond?: Summary;
  /** Of the whole process, for one product. */
  cpuMs?: Summary;
}

export function record(pass: GPUComputePassEncoder, dispatches: readonly Dispatch[]): void {
  for (const { kernel, group, size } of dispatches) {
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...size);
  }
}

/** Checks each, then times those that are right by turns. */
export async function measure(lab: Lab, candidates: readonly Candidate[]): Promise<Figure[]> {
  const { bench, plan, skip, say } = lab;
  const figures: Figure[] = [];
  const timed: { figure: Figure; copies: Candidate['copies']; turns: number; at: number }[] = [];
  let round = 0; // seconds that a pass of each takes
  for (const { label, bytes, flops, copies, check } of candidates) {
    progress(titleOf(label));
    const estimate = await probe(bench, copies[0]);
    if (estimate > plan.limit) {
      skip(`${titleOf(label)}: it would take ${short(estimate)} s`);
      continue;
    }
    const found = await check();
    const figure: Figure = { ...label, ...found, right: found.error <= found.bound, bytes, flops };
    figures.push(figure);
    if (!figure.right) {
      say(`WRONG: ${titleOf(label)}: off by ${short(found.error)}, ${short(found.bound)} is allowed`);
      continue;
    }
    const few = copies.slice(0, Math.ceil(plan.pass / estimate));
    const seconds = (await timePass(bench, (pass) => record(pass, few.flat()))) / few.length;
    const turns = Math.ceil(plan.pass / seconds);
    timed.push({ figure, copies, turns, at: 0 });
    round += seconds * turns;
  }
  const [least, most] = plan.rounds;
  const rounds = Math.min(most, Math.max(least, Math.floor((plan.budget * timed.length) / round)));
  const samples = timed.map(() => ({ seconds: [] as number[], cpuMs: [] as number[] }));
  for (let i = 0; i < rounds; i++) {
    for (const [j, each] of timed.entries()) {
      const { turns, copies } = each;
      const cpu = process.cpuUsage();
      const seconds = await timePass(bench, (pass) => {
        for (let turn = 0; turn < turns; turn++) record(pass, copies[each.at++ % copies.length]);
      });
      const { user, system } = process.cpuUsage(cpu);
      samples[j].seconds.push(seconds / turns);
      samples[j].cpuMs.push((user + system) / 1000 / turns);
    }
  }
  for (const [j, { figure }] of timed.entries()) {
    const { seconds, cpuMs } = samples[j];
    Object.assign(figure, {
      seconds: summarise(seconds),
      bytesPerSecond: summarise(seconds.map((s) => figure.bytes / s)),
      flopsPerSecond: summarise(seconds.map((s) => figure.flops / s)),
      cpuMs: summarise(cpuMs),
    });
  }
  return figures;
}

/** Seconds that these commands will take, from a few of their workgroups. */
async function probe(bench: Bench, dispatches: readonly Dispatch[]): Promise<number> {
  const [first] = dispatches;
  const part = ([x, y, z]: Dispatch['size'], most: number) => [Math.min(x, most), y, z] as const;
  // The driver compiles a kernel when it is first used.
  await timePass(bench, (pass) => record(pass, [{ ...first, size: [1, 1, 1] }]));
  const few = part(first.size, PROBE);
  const seconds = await timePass(bench, (pass) => record(pass, [{ ...first, size: few }]));
  const all = dispatches
    .filter(({ kernel }) => kernel.pipeline === first.kernel.pipeline)
    .reduce((n, { size }) => n + size[0], 0);
  return (seconds * all) / few[0];
}

function titleOf({ shape, operation, matrix, weights, rows, context, ...kernel }: Label): string {
  const what = operation === 'project' ? `${matrix} ${weights}` : operation;
  const many = `${rows} row${rows > 1 ? 's' : ''}${context ? `, ${context} positions` : ''}`;
  return `${shape} ${what}, ${kernelOf(kernel)}, ${many}`;
}

/** Threads of a workgroup × rows of activations that it takes. */
export const kernelOf = ({ shader, threads, tile }: Pick<Label, 'shader' | 'threads' | 'tile'>): string =>
  `${shader ? `${shader} ` : ''}${threads}×${tile}`;

export function report({ peaks, say }: Lab, title: string, figures: readonly Figure[]): void {
  if (figures.length === 0) return;
  const percent = (share: number) => `${short(100 * share)} %`;
  const lines = figures.map((figure) => {
    const { context, contexts = 1, rows, error, bound, bytesPerSecond, flopsPerSecond, cpuMs } = figure;
    const kernel = `${kernelOf(figure)}${context ? `, ${context} positions` : ''}`;
    const shared = context && contexts < rows ? `, ${contexts} context${contexts > 1 ? 's' : ''}` : '';
    const accuracy = `${error.toExponential(1)} of ${bound.toExponential(1)}`;
    if (!bytesPerSecond || !flopsPerSecond || !cpuMs) {
      return [kernel, `${rows}${shared}`, 'WRONG', '', '', '', '', accuracy];
    }
    return [
      kernel,
      `${rows}${shared}`,
      show(bytesPerSecond, 1e9),
      percent(bytesPerSecond.median / peaks.bytesPerSecond),
      short(flopsPerSecond.median / 1e9),
      percent(flopsPerSecond.median / peaks.flopsPerSecond),
      short(cpuMs.median),
      accuracy,
    ];
  });
  const head = ['kernel', 'rows', 'GB/s', 'of reading', 'GFLOP/s', 'of peak', 'CPU-ms', 'error'];
  say(`\n${title}\n${table(head, lines)}`);
}

/** Shapes of workgroups against each other: the fastest, and the one that src/model/tuning.ts has. */
export interface Contest {
  best: Figure;
  tuned: Figure;
}

/** Measures the candidates, of which the first is the one of tuning.ts, and keeps what comes of it unless that takes too long. */
export async function contest(lab: Lab, candidates: readonly Candidate[]): Promise<void> {
  const figures = await measure(lab, candidates);
  const median = ({ seconds }: Figure) => seconds?.median ?? Number.POSITIVE_INFINITY;
  const tuned = figures.find((figure) => kernelOf(figure) === kernelOf(candidates[0].label));
  const best = figures.reduce((a, b) => (median(b) < median(a) ? b : a));
  lab.figures.push(...figures.filter(({ right }) => !right));
  if (tuned?.right) lab.contests.push({ best, tuned });
}
