/** What the adapter can do at most: bytes a second read and copied, floating-point operations a second. */
import { existsSync, readFileSync } from 'node:fs';
import { Usage } from '../src/gpu/device.ts';
import { chart, pointOf } from './chart.ts';
import { type Bench, benchPipeline, freeMemory, openBench, readBack, timePass } from './harness/device.ts';
import { progress, repeat, type Summary, show, table } from './harness/figures.ts';
import { readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';

const MIB = 2 ** 20;
const VECTOR = 16;
const GROUP = 256;
/** Vectors that a workgroup reads in a row, at least. */
const BLOCK = 4 * GROUP;
/** As in fma.wgsl. */
const CHAINS = 12;

export interface Bandwidth {
  bytes: number;
  bytesPerSecond: Summary;
}

export interface Roofline {
  timing: 'timestamp queries' | 'wall time from submission to completion';
  /** By size of the buffer. */
  read: Bandwidth[];
  /** Bytes read and bytes written, both counted. */
  copy: Bandwidth[];
  fma: { flopsPerSecond: Summary; threads: number };
  /** One core, a loop over a typed array: a software adapter's scale. */
  oneCore?: { array: string; bytes: number; bytesPerSecond: Summary }[];
}

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('roofline', {}, args);
  if (!parsed) return;
  const bench = await openBench();
  try {
    const roofline = await measureRoofline(bench, parsed.flags.has('quick'));
    progress();
    report(bench, roofline);
    writeResults(bench, 'roofline', roofline, parsed, draw(bench, roofline));
  } finally {
    bench.close();
  }
}

/** Bytes a second that the adapter reads from a buffer beyond its caches, from its roofline.json, else measured now. */
export async function readBandwidth(bench: Bench): Promise<{ bytesPerSecond: number; source: string }> {
  const kept = keptRoofline(bench);
  const read = kept?.read ?? [await measureRead(bench, sizes(bench, true).at(-1) as number, true)];
  const { bytesPerSecond } = read[read.length - 1];
  return { bytesPerSecond: bytesPerSecond.median, source: kept?.file ?? 'measured now' };
}

/** Operations a second in f32 multiply-adds, from the same file, else measured now. */
export async function arithmeticPeak(bench: Bench): Promise<{ flopsPerSecond: number; source: string }> {
  const kept = keptRoofline(bench);
  const { flopsPerSecond } = kept?.fma ?? (await measureFma(bench, true));
  return { flopsPerSecond: flopsPerSecond.median, source: kept?.file ?? 'measured now' };
}

function keptRoofline({ folder }: Bench): (Roofline & { file: string }) | undefined {
  const file = `${folder}/roofline.json`;
  return existsSync(file) ? { ...JSON.parse(readFileSync(file, 'utf8')), file } : undefined;
}

async function measureRoofline(bench: Bench, quick: boolean): Promise<Roofline> {
  const read: Bandwidth[] = [];
  const copy: Bandwidth[] = [];
  for (const bytes of sizes(bench, quick)) {
    progress(`read, ${bytes / MIB} MiB`);
    read.push(await measureRead(bench, bytes, quick));
    progress(`copy, ${bytes / MIB} MiB`);
    copy.push(await measureCopy(bench, bytes, quick));
  }
  progress('multiply-add');
  const fma = await measureFma(bench, quick);
  progress(bench.cpu ? 'one core' : '');
  return {
    timing: bench.timestamps ? 'timestamp queries' : 'wall time from submission to completion',
    read,
    copy,
    fma,
    ...(bench.cpu && { oneCore: await measureCore(quick) }),
  };
}

/** From what a second-level cache holds to much more than any cache does; a source and a copy fit into an eighth of free memory. */
function sizes({ device }: Bench, quick: boolean): number[] {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const most = Math.min(maxStorageBufferBindingSize, maxBufferSize, freeMemory() / 16);
  const all = [0.25, 1, 4, 16, 64, 128, 256, 1024].map((n) => n * MIB).filter((n) => n <= most);
  return quick ? [all[1], all[all.length - 1]] : all;
}

/** How often a kernel goes over its data so that a pass takes long enough to be timed. */
async function settle(time: (turns: number) => Promise<number>, quick: boolean): Promise<number> {
  const least = quick ? 0.01 : 0.1;
  let turns = 1;
  await time(turns); // the driver compiles a kernel when it is first used
  for (let seconds = 0; turns < 65536; turns *= 2) {
    seconds = await time(turns);
    if (seconds >= least / 2) break;
  }
  return turns;
}

/** A CPU runs a workgroup's lanes side by side and its loop from end to end: few lanes make it read in order. */
const shapeOf = ({ cpu }: Bench) => ({ lanes: cpu ? 8 : GROUP, groups: 4096 });

const repetitions = (quick: boolean) => (quick ? 3 : 15);

/** Runs `use` with a buffer of the known pattern, and frees all buffers it made. */
async function withPattern<T>(
  bench: Bench,
  bytes: number,
  use: (data: GPUBuffer, storage: (size: number) => GPUBuffer, uniform: GPUBuffer) => Promise<T>,
): Promise<T> {
  const { device } = bench;
  const made: GPUBuffer[] = [];
  const buffer = (size: number, usage: number) => {
    made.push(device.createBuffer({ size, usage }));
    return made[made.length - 1];
  };
  const storage = (size: number) => buffer(size, Usage.STORAGE | Usage.COPY_SRC);
  try {
    const data = storage(bytes);
    const fill = await benchPipeline(bench, 'fill');
    const group = bind(device, fill, [data]);
    await timePass(bench, (pass) => dispatch(pass, fill, group, 1024));
    return await use(data, storage, buffer(16, Usage.UNIFORM | Usage.COPY_DST));
  } finally {
    for (const each of made) each.destroy();
  }
}

/** The sum of the pattern of fill.wgsl, modulo 2^32. */
export function patternSum(words: number): number {
  const n = BigInt(words);
  return Number(BigInt.asUintN(32, ((n * (n - 1n)) / 2n) * 2654435761n + n * 12345n));
}

async function measureRead(bench: Bench, bytes: number, quick: boolean): Promise<Bandwidth> {
  const { device } = bench;
  const length = bytes / VECTOR;
  const { lanes, groups } = shapeOf(bench);
  const pipeline = await benchPipeline(bench, 'read', { LANES: lanes });
  return withPattern(bench, bytes, async (data, storage, uniform) => {
    const sums = storage(groups * lanes * 4);
    const group = bind(device, pipeline, [uniform, data, sums]);
    const block = Math.max(BLOCK, length / groups);
    // Whole blocks, and enough loads a thread that what it stores does not count.
    const loads = Math.max(64, block / lanes);
    const time = (turns: number) => {
      device.queue.writeBuffer(uniform, 0, new Uint32Array([length, block, loads * turns]));
      return timePass(bench, (pass) => dispatch(pass, pipeline, group, groups));
    };
    const turns = await settle(time, quick);
    const total = groups * lanes * loads * turns * VECTOR;
    const bytesPerSecond = await repeat(repetitions(quick), async () => total / (await time(turns)));
    const stored = new Uint32Array(await readBack(device, device.createCommandEncoder(), sums, sums.size));
    const sum = stored.reduce((a, b) => (a + b) >>> 0, 0);
    const expected = Math.imul(patternSum(bytes / 4), total / bytes) >>> 0;
    if (sum !== expected)
      throw new Error(`${bytes} bytes were read with the sum ${sum}: ${expected} is right`);
    return { bytes, bytesPerSecond };
  });
}

async function measureCopy(bench: Bench, bytes: number, quick: boolean): Promise<Bandwidth> {
  const { device } = bench;
  const length = bytes / VECTOR;
  const shape = shapeOf(bench);
  const groups = Math.min(shape.groups, length / shape.lanes);
  const pipeline = await benchPipeline(bench, 'copy', { LANES: shape.lanes });
  return withPattern(bench, bytes, async (source, storage, uniform) => {
    const copied = storage(bytes);
    const group = bind(device, pipeline, [uniform, source, copied]);
    const time = (turns: number) => {
      device.queue.writeBuffer(uniform, 0, new Uint32Array([length / groups, turns]));
      return timePass(bench, (pass) => dispatch(pass, pipeline, group, groups));
    };
    const turns = await settle(time, quick);
    const bytesPerSecond = await repeat(
      repetitions(quick),
      async () => (2 * bytes * turns) / (await time(turns)),
    );
    const size = Math.min(bytes / 4, MIB);
    for (const offset of [0, bytes / 2, bytes - size]) {
      const encoder = device.createCommandEncoder();
      const words = new Uint32Array(await readBack(device, encoder, copied, size, offset));
      for (const [i, word] of words.entries()) {
        const at = offset / 4 + i;
        const from = at ^ (((turns - 1) & 31) << 2);
        if (word !== (Math.imul(from, 2654435761) + 12345) >>> 0) {
          throw new Error(`word ${at} of ${bytes} bytes was not copied`);
        }
      }
    }
    return { bytes, bytesPerSecond };
  });
}

async function measureFma(bench: Bench, quick: boolean): Promise<Roofline['fma']> {
  const { device } = bench;
  const groups = bench.cpu ? 256 : 8192;
  const threads = groups * GROUP;
  const pipeline = await benchPipeline(bench, 'fma');
  const uniform = device.createBuffer({ size: 16, usage: Usage.UNIFORM | Usage.COPY_DST });
  const sums = device.createBuffer({ size: 4 * threads, usage: Usage.STORAGE | Usage.COPY_SRC });
  try {
    const group = bind(device, pipeline, [uniform, sums]);
    const time = (turns: number) => {
      device.queue.writeBuffer(uniform, 0, new Uint32Array([1024 * turns]));
      device.queue.writeBuffer(uniform, 4, new Float32Array([-1, 1000]));
      return timePass(bench, (pass) => dispatch(pass, pipeline, group, groups));
    };
    const turns = await settle(time, quick);
    const flops = 2 * CHAINS * 1024 * turns * threads;
    const flopsPerSecond = await repeat(repetitions(quick), async () => flops / (await time(turns)));
    const stored = new Float32Array(await readBack(device, device.createCommandEncoder(), sums, sums.size));
    for (const [i, sum] of stored.entries()) {
      const expected = CHAINS * (i & 255) + (CHAINS * (CHAINS - 1)) / 2;
      if (sum !== expected) throw new Error(`thread ${i} has computed ${sum}: ${expected} is right`);
    }
    return { flopsPerSecond, threads };
  } finally {
    uniform.destroy();
    sums.destroy();
  }
}

async function measureCore(quick: boolean): Promise<NonNullable<Roofline['oneCore']>> {
  const bytes = (quick ? 16 : 64) * MIB;
  const f64 = new Float64Array(bytes / 8).fill(1);
  const u32 = new Uint32Array(bytes / 4).fill(1);
  return [
    { array: 'Float64Array', bytes, bytesPerSecond: await timeSum(f64.length, () => sumF64(f64), quick) },
    { array: 'Uint32Array', bytes, bytesPerSecond: await timeSum(u32.length, () => sumU32(u32), quick) },
  ];

  function timeSum(length: number, sum: () => number, quick: boolean): Promise<Summary> {
    return repeat(repetitions(quick), () => {
      const begin = performance.now();
      const found = sum();
      const seconds = (performance.now() - begin) / 1000;
      if (found !== length) throw new Error(`${length} ones have the sum ${found}`);
      return bytes / seconds;
    });
  }
}

/** Four sums at once: one alone would wait for each addition. */
function sumF64(x: Float64Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < x.length; i += 4) {
    a += x[i];
    b += x[i + 1];
    c += x[i + 2];
    d += x[i + 3];
  }
  return a + b + c + d;
}

function sumU32(x: Uint32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < x.length; i += 4) {
    a = (a + x[i]) | 0;
    b = (b + x[i + 1]) | 0;
    c = (c + x[i + 2]) | 0;
    d = (d + x[i + 3]) | 0;
  }
  return a + b + c + d;
}

function bind(device: GPUDevice, pipeline: GPUComputePipeline, buffers: readonly GPUBuffer[]): GPUBindGroup {
  return device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
}

function dispatch(
  pass: GPUComputePassEncoder,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  groups: number,
): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(groups);
}

function report({ info }: Bench, { timing, read, copy, fma, oneCore = [] }: Roofline): void {
  console.log(`${info.description || info.device}, timed by ${timing}; medians, range in brackets\n`);
  const rows = read.map(({ bytes, bytesPerSecond }, i) => [
    `${bytes / MIB} MiB`,
    show(bytesPerSecond, 1e9),
    show(copy[i].bytesPerSecond, 1e9),
  ]);
  console.log(table(['buffer', 'read GB/s', 'copy GB/s'], rows));
  console.log(`\nf32 multiply-add: ${show(fma.flopsPerSecond, 1e9)} GFLOP/s`);
  for (const { array, bytes, bytesPerSecond } of oneCore) {
    console.log(`one core, sum of a ${array} of ${bytes / MIB} MiB: ${show(bytesPerSecond, 1e9)} GB/s`);
  }
}

function draw({ info }: Bench, { timing, read, copy, fma }: Roofline): string {
  const points = (all: readonly Bandwidth[]) =>
    all.map(({ bytes, bytesPerSecond }) => pointOf(bytes / MIB, bytesPerSecond, 1e9));
  const series = [
    { name: 'read', points: points(read) },
    { name: 'copy, both ways', points: points(copy) },
  ];
  return chart(
    'Memory bandwidth of the adapter',
    [{ xLabel: 'MiB of the buffer', yLabel: 'GB/s', logX: true, series }],
    `${info.description || info.device}. Medians by ${timing}, bars as long as the middle half. f32 multiply-add: ${show(fma.flopsPerSecond, 1e9)} GFLOP/s.`,
  );
}
