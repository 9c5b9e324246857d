/** What the benchmarks share: a device to measure on, the record of where it was measured, summaries, tables, result files. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, freemem, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from 'webgpu';
import { AdapterError, OptionError } from '../src/base/errors.ts';
import { type OptionSpec, optionHelp, type Parsed, parse, value, whole } from '../src/cli/args.ts';
import { Gpu, Usage } from '../src/gpu/device.ts';
import { resultsFolder } from './statistics.ts';

const QUERY_RESOLVE = 0x200;
const MAP_MODE_READ = 0x1;

// ---- Options

/** What `npm run bench -- NAME` has in common. */
const COMMON: Readonly<Record<string, OptionSpec>> = {
  quick: { help: 'a smoke run of seconds: few repetitions; writes no files unless --out is given' },
  out: { value: 'FOLDER', help: "where files go (bench/results/ADAPTER; 'none': nowhere)" },
  help: { short: 'h', help: 'show this text' },
};

/**
 * Reads a benchmark's options; undefined where only help was asked for, which is then printed.
 * @param words what may stand beside the options
 * @throws OptionError
 */
export function readOptions(
  name: string,
  specs: Readonly<Record<string, OptionSpec>>,
  args: readonly string[],
  words: readonly string[] = [],
): Parsed | undefined {
  const parsed = parse({ ...specs, ...COMMON }, args);
  if (parsed.words.length > words.length) {
    const [extra] = parsed.words.slice(words.length);
    throw new OptionError(`${name} has no use for ${JSON.stringify(extra)}; see --help`);
  }
  if (!parsed.flags.has('help')) return parsed;
  const usage = [`npm run bench -- ${name}`, ...words.map((word) => `[${word}]`), '[options]'].join(' ');
  console.log(`Usage: ${usage}\n\n${optionHelp({ ...specs, ...COMMON })}`);
}

/** Whole numbers from 1 on, separated by commas, in increasing order. @throws OptionError */
export function numbers(option: string, text: string): number[] {
  const all = text.split(',').map((part) => whole(option, part.trim()));
  if (all.includes(0)) throw new OptionError(`${option} is ${text}: whole numbers from 1 on, as in 1,2,4`);
  return [...new Set(all)].sort((a, b) => a - b);
}

// ---- The device

export interface Bench {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  /** Whether it computes on the CPU. */
  readonly cpu: boolean;
  readonly environment: Environment;
  /** Where this adapter's figures are kept. */
  readonly folder: string;
  /** Whether `timePass` reads the GPU's own clock. */
  readonly timestamps: boolean;
  close(): void;
}

// Dawn's instance must outlive every object made from it.
let dawn: GPU | undefined;

/** Opens the best adapter as the library does, with exact timestamps where it has them. @throws AdapterError */
export async function openBench(): Promise<Bench> {
  dawn ??= create(['disable-dawn-features=timestamp_quantization']);
  const adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new AdapterError('no WebGPU adapter found: run `npm test` once, it installs one');
  const wanted = ['subgroups', 'timestamp-query'] as const;
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
  });
  const { info } = adapter;
  const gpu = await Gpu.open(device);
  const { cpu } = gpu.adapter;
  gpu.dispose(); // leaves the device alive
  return {
    device,
    info,
    cpu,
    environment: environmentOf(info, cpu),
    folder: resultsFolder((cpu ? '' : info.device) || info.description || info.device),
    timestamps: device.features.has('timestamp-query'),
    close: () => device.destroy(),
  };
}

/** A compute pipeline from bench/shaders, with a layout of its own. @throws Error with the compiler's message */
export async function benchPipeline(
  { device }: Bench,
  name: string,
  constants: Record<string, number> = {},
): Promise<GPUComputePipeline> {
  const code = readFileSync(`bench/shaders/${name}.wgsl`, 'utf8');
  const module = device.createShaderModule({ label: name, code });
  return device.createComputePipelineAsync({ label: name, layout: 'auto', compute: { module, constants } });
}

/** Seconds that one compute pass takes: by the GPU's own clock where it has one, else from its submission to its end. */
export async function timePass(bench: Bench, record: (pass: GPUComputePassEncoder) => void): Promise<number> {
  const { device } = bench;
  const encoder = device.createCommandEncoder();
  if (!bench.timestamps) {
    const pass = encoder.beginComputePass();
    record(pass);
    pass.end();
    const commands = encoder.finish();
    const begin = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - begin) / 1000;
  }
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | Usage.COPY_SRC });
  const pass = encoder.beginComputePass({
    timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
  });
  record(pass);
  pass.end();
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  const [begin, end] = new BigUint64Array(await readBack(device, encoder, resolved, 16));
  querySet.destroy();
  resolved.destroy();
  return Number(end - begin) / 1e9;
}

/** Submits `encoder`'s commands, then reads a part of `buffer`. */
export async function readBack(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  buffer: GPUBuffer,
  size: number,
  offset = 0,
): Promise<ArrayBuffer> {
  const staging = device.createBuffer({ size, usage: Usage.MAP_READ | Usage.COPY_DST });
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_MODE_READ);
  const data = staging.getMappedRange().slice(0);
  staging.destroy();
  return data;
}

/** Bytes of main memory that can still be taken, within the limits set for this process. */
export function freeMemory(): number {
  return process.availableMemory?.() ?? freemem();
}

// ---- Counting what the library asks of the GPU

/** Counts of everything so far; differences tell what one call has cost. */
export interface Counts {
  dispatches: number;
  /** Milliseconds of CPU time from a command encoder's creation until its commands are submitted, and in `submit` itself. */
  encodeMs: number;
  submitMs: number;
  /** Bytes of buffers that are alive. */
  allocated: number;
  /** Pages of one layer of the KV cache copied, and milliseconds in recording that. */
  pages: number;
  pagesMs: number;
}

/** Counts every call of the process from now on, by wrapping the methods all WebGPU objects of `device`'s kind share. */
export function countCalls(device: GPUDevice): { now(): Counts; stop(): void } {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const buffer = device.createBuffer({ size: 4, usage: Usage.COPY_DST });
  const counts: Counts = { dispatches: 0, encodeMs: 0, submitMs: 0, allocated: 0, pages: 0, pagesMs: 0 };
  const alive = new WeakSet<GPUBuffer>();
  let encodingSince = 0;
  const undo: (() => void)[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: methods of every signature
  const wrap = (object: object, name: string, around: (self: any, args: any[], call: () => any) => any) => {
    const prototype = Object.getPrototypeOf(object);
    const method = prototype[name];
    // biome-ignore lint/suspicious/noExplicitAny: as above
    prototype[name] = function (...args: any[]) {
      return around(this, args, () => method.apply(this, args));
    };
    undo.push(() => {
      prototype[name] = method;
    });
  };
  let pipeline = '';
  wrap(pass, 'setPipeline', (_, [{ label }], call) => {
    pipeline = label;
    call();
  });
  wrap(pass, 'dispatchWorkgroups', (_, [, pages], call) => {
    const begin = performance.now();
    call();
    counts.dispatches++;
    if (pipeline !== 'copy-pages') return;
    counts.pages += pages;
    counts.pagesMs += performance.now() - begin;
  });
  wrap(device, 'createCommandEncoder', (_, __, call) => {
    encodingSince = performance.now();
    return call();
  });
  wrap(device.queue, 'submit', (_, __, call) => {
    const begin = performance.now();
    call();
    counts.encodeMs += begin - encodingSince;
    counts.submitMs += performance.now() - begin;
  });
  wrap(device, 'createBuffer', (_, __, call) => {
    const made: GPUBuffer = call();
    counts.allocated += made.size;
    alive.add(made);
    return made;
  });
  wrap(buffer, 'destroy', (self: GPUBuffer, _, call) => {
    if (alive.delete(self)) counts.allocated -= self.size;
    call();
  });
  pass.end();
  buffer.destroy();
  return {
    now: () => structuredClone(counts),
    stop: () => {
      for (const restore of undo) restore();
    },
  };
}

// ---- Where it was measured

export interface Environment {
  adapter: { description: string; vendor: string; architecture: string; device: string; cpu: boolean };
  node: string;
  /** Version of the npm package `webgpu`, which is Dawn. */
  dawn: string;
  os: string;
  processor: string;
  cores: number;
  memoryBytes: number;
  /** With "-dirty" where files differ from it; figures aside. */
  commit: string;
  date: string;
}

export function environmentOf(info: GPUAdapterInfo, cpu: boolean): Environment {
  const { description, vendor, architecture, device } = info;
  return {
    adapter: { description, vendor, architecture, device, cpu },
    node: process.version,
    dawn: dawnVersion(),
    os: `${type()} ${release()}, ${arch()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function dawnVersion(): string {
  const folder = dirname(fileURLToPath(import.meta.resolve('webgpu')));
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const dirty = git('status', '--porcelain', '--', '.', ':!bench/results') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${dirty ? '-dirty' : ''}`;
  } catch {
    return 'unknown'; // no repository here, or no git
  }
}

// ---- Figures

/** A figure that was measured `n` times: its median and its spread. */
export interface Summary {
  median: number;
  min: number;
  /** The quartiles, between which the middle half lies. */
  q1: number;
  q3: number;
  max: number;
  n: number;
}

/** @throws RangeError where there are no values, or one is not finite */
export function summarise(values: readonly number[]): Summary {
  const bad = values.find((v) => !Number.isFinite(v));
  if (values.length === 0 || bad !== undefined)
    throw new RangeError(`cannot summarise ${bad ?? 'no values'}`);
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (p: number) => {
    const at = p * (sorted.length - 1);
    const low = sorted[Math.floor(at)];
    return low + (at % 1) * (sorted[Math.ceil(at)] - low);
  };
  return {
    median: quantile(0.5),
    min: sorted[0],
    q1: quantile(0.25),
    q3: quantile(0.75),
    max: sorted[sorted.length - 1],
    n: sorted.length,
  };
}

/** Of `n` measurements after one that does not count. */
export async function repeat(n: number, measure: () => number | Promise<number>): Promise<Summary> {
  await measure();
  const values: number[] = [];
  while (values.length < n) values.push(await measure());
  return summarise(values);
}

/** "median (min to max)", each in units of `unit`. */
export function show({ median, min, max }: Summary, unit = 1): string {
  const [m, least, most] = [median, min, max].map((v) => short(v / unit));
  return least === most ? m : `${m} (${least} to ${most})`;
}

/** Three significant digits, or all that stand before the point. */
export function short(x: number): string {
  const digits = x === 0 ? 0 : 2 - Math.floor(Math.log10(Math.abs(x)));
  return x.toFixed(Math.min(6, Math.max(0, digits)));
}

/** Columns are as wide as they need to be; the first is aligned to the left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((n) => '-'.repeat(n))), ...rows.map(line)].join('\n');
}

/** Says on stderr what is being measured: on a terminal in one line that it takes back, else a line each. */
export function progress(text = ''): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text) process.stderr.write(`${text}\n`);
}

/** Where files go, made if need be; undefined for nowhere: a quick run keeps nothing unless it is told where. */
export function outputFolder({ folder }: Bench, parsed: Parsed): string | undefined {
  const out = value(parsed, 'out') ?? (parsed.flags.has('quick') ? 'none' : folder);
  if (out === 'none') return;
  mkdirSync(out, { recursive: true });
  return out;
}

/** Writes NAME.json, and NAME.svg where there is a chart. */
export function writeResults(
  bench: Bench,
  name: string,
  figures: object,
  parsed: Parsed,
  svg?: string,
): void {
  const out = outputFolder(bench, parsed);
  if (!out) return;
  const rounded = (_: string, x: unknown) =>
    typeof x === 'number' && !Number.isInteger(x) ? Number(x.toPrecision(6)) : x;
  const { environment } = bench;
  writeFileSync(`${out}/${name}.json`, `${JSON.stringify({ environment, ...figures }, rounded, 1)}\n`);
  if (svg) writeFileSync(`${out}/${name}.svg`, svg);
  console.log(`\nwritten to ${out}/${name}.json${svg ? ` and ${name}.svg` : ''}`);
}
