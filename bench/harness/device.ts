/** A device to measure on. */
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { create } from 'webgpu';
import { AdapterError } from '../../src/base/errors.ts';
import { adapterName } from '../../src/gpu/adapter.ts';
import { Gpu, Usage } from '../../src/gpu/device.ts';
import { timePasses } from '../../src/gpu/timestamps.ts';
import { type Environment, environmentOf } from './environment.ts';

const MAP_MODE_READ = 0x1;

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
  const gpu = await Gpu.open({ device });
  const { cpu } = gpu.adapter;
  gpu.dispose(); // leaves the device alive
  return {
    device,
    info,
    cpu,
    environment: environmentOf(info, cpu),
    folder: folderOf((cpu ? '' : info.device) || adapterName(info)),
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
  if (!bench.timestamps) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    record(pass);
    pass.end();
    const commands = encoder.finish();
    const begin = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - begin) / 1000;
  }
  const [begin, end] = await timePasses(device, [record]);
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

const folderOf = (adapter: string): string =>
  `bench/results/${adapter
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')}`;
