import { patiently } from '#runtime/gpu/patience';
import { DeviceLostError, OptionError } from '../base/errors.ts';
import { type AdapterChoice, adapterName, checkAdapter, findAdapter, isCpu } from './adapter.ts';

/** The WebGPU constants used here; Node has no global `GPUBufferUsage`. @internal */
export const Usage = {
  MAP_READ: 0x1,
  MAP_WRITE: 0x2,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;
const TEXTURE_COPY_DST = 0x2;
const STORAGE_BINDING = 0x8;
const MAP_MODE_READ = 0x1;
/** The format of textures that hold weights. @internal */
export const WORDS = 'rgba32uint';

/** What computes. */
export interface AdapterDescription {
  /** What it is called; made of vendor and architecture where nothing else is told. */
  readonly description: string;
  /** As WebGPU tells it. */
  readonly vendor: string;
  /** As WebGPU tells it. */
  readonly architecture: string;
  /** A software adapter, which computes on the CPU. */
  readonly cpu: boolean;
  /** Whether the kernels that need subgroups of at least eight lanes, and may read textures, are used. */
  readonly subgroups: boolean;
  /** WebGPU features that the device has. */
  readonly features: string[];
  /** WebGPU limits of the device. */
  readonly limits: Record<string, number>;
}

/** Limits worth raising from WebGPU's defaults to the adapter's own. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
] as const;

/** Dawn's do; another WebGPU tells. */
function shadersReadTextures(): boolean {
  const own = globalThis.navigator?.gpu;
  return !own || own.wgslLanguageFeatures?.has('readonly_and_readwrite_storage_textures') === true;
}

/**
 * A device and what is needed to talk to it: allocation with errors that reject, readback, loss.
 * @internal
 */
export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  private readonly owned: boolean;
  private readonly taken = new Set<GPUBuffer | GPUTexture>();
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
      description: adapterName(info),
      vendor: info.vendor,
      architecture: info.architecture,
      cpu: isCpu(info),
      subgroups: features.includes('subgroups') && info.subgroupMinSize >= 8 && shadersReadTextures(),
      features,
      limits,
    };
    device.lost.then(({ reason, message }) => {
      if (!this.closed) this.failure = new DeviceLostError(reason, message, { cause: this.failure });
    });
    device.addEventListener('uncapturederror', this.onError);
  }

  /** Takes an `Event`: Deno's types do not know which one comes. */
  private readonly onError = (event: Event) => {
    if (this.owned) event.preventDefault();
    const { error } = event as GPUUncapturedErrorEvent;
    this.failure ??= new Error(`WebGPU: ${error.message}`, { cause: error });
  };

  /**
   * Opens an adapter, or wraps a device of the caller's, which `dispose` then leaves alive.
   * @throws AdapterError where there is none, or none as is asked for; OptionError
   */
  static async open(choice: AdapterChoice = {}): Promise<Gpu> {
    const { adapter: name } = choice;
    const device = choice.device as GPUDevice | undefined;
    if (device) {
      if (name !== undefined)
        throw new OptionError(
          `adapter is ${JSON.stringify(name)}: it cannot be chosen where a device is given`,
        );
      checkAdapter(device.adapterInfo, choice);
      return new Gpu(device, device.adapterInfo, false);
    }
    const adapter = await findAdapter(name);
    checkAdapter(adapter.info, choice);
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
    this.taken.add(buffer);
    return buffer;
  }

  /** A texture that shaders load four words of at once, holding what `buffer` does: lines of so many texels of 16 bytes. */
  texture(buffer: GPUBuffer, line: number): GPUTexture {
    this.check();
    const bytesPerRow = 16 * line;
    const size = [line, buffer.size / bytesPerRow];
    const usage = TEXTURE_COPY_DST | STORAGE_BINDING;
    const texture = this.device.createTexture({ label: buffer.label, size, format: WORDS, usage });
    this.taken.add(texture);
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToTexture({ buffer, bytesPerRow }, { texture }, size);
    this.device.queue.submit([encoder.finish()]);
    return texture;
  }

  /** A buffer holding `data`. */
  upload(label: string, data: Float32Array | Uint32Array, usage?: number): GPUBuffer {
    const buffer = this.buffer(label, data.byteLength, usage);
    this.device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    return buffer;
  }

  free(taken: GPUBuffer | GPUTexture): void {
    this.taken.delete(taken);
    taken.destroy();
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
      await this.wait(staging.mapAsync(MAP_MODE_READ, 0, size));
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

  /** Waits for what the device does. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return this.adapter.cpu ? patiently(promise) : promise;
  }

  /** Throws what has gone wrong with the device since, if anything. */
  check(): void {
    if (this.closed) throw new DeviceLostError('destroyed', 'the model was disposed');
    if (this.failure) throw this.failure;
  }

  /** Frees every buffer and texture and, if it was opened here, the device: the process can then exit. */
  dispose(): void {
    if (this.closed) return;
    this.closed = true;
    this.device.removeEventListener('uncapturederror', this.onError);
    for (const each of this.taken) each.destroy();
    this.taken.clear();
    if (this.owned) this.device.destroy();
  }
}
