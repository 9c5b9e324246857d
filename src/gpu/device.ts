import { AdapterError, DeviceLostError } from '../base/errors.ts';

/** The WebGPU constants used here; Node has no global `GPUBufferUsage`. @internal */
export const Usage = {
  MAP_READ: 0x1,
  MAP_WRITE: 0x2,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;
const MAP_MODE_READ = 0x1;

export interface AdapterDescription {
  readonly description: string;
  readonly vendor: string;
  readonly architecture: string;
  /** A software adapter, which computes on the CPU. */
  readonly cpu: boolean;
  /** Whether the kernels that need subgroups of at least eight lanes are used. */
  readonly subgroups: boolean;
  readonly features: string[];
  readonly limits: Record<string, number>;
}

/** Limits worth raising from WebGPU's defaults to the adapter's own. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
] as const;

/** By name: the type of an adapter is not told. */
const isCpu = ({ vendor, architecture, device, description }: GPUAdapterInfo): boolean =>
  /llvmpipe|lavapipe|swiftshader|software|warp|basic render/i.test(
    [vendor, architecture, device, description].join(' '),
  );

// Dawn's instance must outlive every object made from it: if it is collected, the process crashes.
let dawn: GPU | undefined;

async function gpu(): Promise<GPU> {
  if (globalThis.navigator?.gpu) return navigator.gpu;
  if (!dawn) {
    let webgpu: typeof import('webgpu');
    try {
      webgpu = await import('webgpu');
    } catch (cause) {
      throw new AdapterError('this runtime has no WebGPU and the npm package "webgpu" does not load here', {
        cause,
      });
    }
    dawn = webgpu.create(['disable-dawn-features=timestamp_quantization']); // to 65 µs; only profiling reads the clock
  }
  return dawn;
}

/**
 * A device and what is needed to talk to it: allocation with errors that reject, readback, loss.
 * @throws AdapterError where no adapter is found.
 * @internal
 */
export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  private readonly owned: boolean;
  private readonly buffers = new Set<GPUBuffer>();
  private readonly idle: GPUBuffer[] = [];
  private failure: Error | undefined;
  private closed = false;

  private constructor(device: GPUDevice, info: GPUAdapterInfo, owned: boolean) {
    this.device = device;
    this.owned = owned;
    const features = [...device.features].sort();
    const limits: Record<string, number> = {};
    for (const key in device.limits) {
      const value = (device.limits as unknown as Record<string, unknown>)[key];
      if (typeof value === 'number') limits[key] = value;
    }
    this.adapter = {
      description: info.description || info.device || 'unnamed adapter',
      vendor: info.vendor,
      architecture: info.architecture,
      cpu: isCpu(info),
      subgroups: features.includes('subgroups') && info.subgroupMinSize >= 8,
      features,
      limits,
    };
    device.lost.then(({ reason, message }) => {
      if (!this.closed) this.failure = new DeviceLostError(reason, message);
    });
    device.addEventListener('uncapturederror', this.onError);
  }

  private readonly onError = (event: GPUUncapturedErrorEvent) => {
    if (this.owned) event.preventDefault();
    this.failure ??= new Error(`WebGPU: ${event.error.message}`);
  };

  /** Opens the best adapter, or wraps a device of the caller's, which `dispose` then leaves alive. */
  static async open(device?: GPUDevice): Promise<Gpu> {
    if (device) return new Gpu(device, device.adapterInfo, false);
    const adapter = await (await gpu()).requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) {
      throw new AdapterError(
        'no WebGPU adapter found (looked for Vulkan, Metal and Direct3D 12). On Linux install a Vulkan driver: ' +
          'the GPU vendor’s, or mesa-vulkan-drivers 23 or newer, which computes on the CPU',
      );
    }
    const limits: Record<string, number> = {};
    for (const name of WANTED_LIMITS) limits[name] = adapter.limits[name];
    const opened = await adapter.requestDevice({
      requiredFeatures: (['subgroups', 'timestamp-query'] as const).filter((name) =>
        adapter.features.has(name),
      ),
      requiredLimits: limits,
    });
    return new Gpu(opened, adapter.info, true);
  }

  /** Largest part of a buffer one binding can show, in bytes. */
  get maxBinding(): number {
    return Math.min(this.device.limits.maxStorageBufferBindingSize, this.device.limits.maxBufferSize);
  }

  /** A buffer of at least `size` bytes, zeroed, freed with the device at the latest. */
  buffer(
    label: string,
    size: number,
    usage: number = Usage.STORAGE | Usage.COPY_DST | Usage.COPY_SRC,
  ): GPUBuffer {
    this.check();
    const buffer = this.device.createBuffer({ label, size: Math.max(16, Math.ceil(size / 4) * 4), usage });
    this.buffers.add(buffer);
    return buffer;
  }

  /** A buffer holding `data`. */
  upload(label: string, data: Float32Array | Uint32Array, usage?: number): GPUBuffer {
    const buffer = this.buffer(label, data.byteLength, usage);
    this.device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    return buffer;
  }

  free(buffer: GPUBuffer): void {
    this.buffers.delete(buffer);
    buffer.destroy();
  }

  /**
   * Submits `encoder`'s commands, then reads `size` bytes of `buffer` back.
   * @throws DeviceLostError, or the error the commands caused.
   */
  async read(encoder: GPUCommandEncoder, buffer: GPUBuffer, size: number, offset = 0): Promise<ArrayBuffer> {
    this.check();
    const found = this.idle.findIndex((b) => b.size >= size);
    const staging =
      found >= 0
        ? this.idle.splice(found, 1)[0]
        : this.buffer('staging', size, Usage.MAP_READ | Usage.COPY_DST);
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(MAP_MODE_READ, 0, size);
    } catch (error) {
      await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
      this.check();
      throw error;
    }
    const data = staging.getMappedRange(0, size).slice(0);
    staging.unmap();
    this.idle.push(staging);
    this.check();
    return data;
  }

  /** Throws what has gone wrong with the device since, if anything. */
  check(): void {
    if (this.closed) throw new DeviceLostError('destroyed', 'the model was disposed');
    if (this.failure) throw this.failure;
  }

  /** Frees every buffer and, if it was opened here, the device: the process can then exit. */
  dispose(): void {
    if (this.closed) return;
    this.closed = true;
    this.device.removeEventListener('uncapturederror', this.onError);
    for (const buffer of this.buffers) buffer.destroy();
    this.buffers.clear();
    if (this.owned) this.device.destroy();
  }
}
