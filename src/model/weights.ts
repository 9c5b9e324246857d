import type { TensorInfo, TensorSource } from '../checkpoint/safetensors.ts';
import { toF32 } from '../checkpoint/values.ts';
import { type Gpu, Usage } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';
import { type Segment, type Slab, type SlabPlan, WeightLayout } from './weight-layout.ts';

const CHUNK_BYTES = 8 << 20;
const MAP_MODE_WRITE = 0x2;
const BYTES = { BF16: 2, F16: 2, F32: 4 } as const;

/** Streams tensors from disk to the GPU in chunks: nothing of a checkpoint stays in memory on the CPU's side. */
export class WeightLoader extends WeightLayout {
  private readonly gpu: Gpu;
  private readonly kernels: Kernels;
  private readonly source: TensorSource;
  private readonly onRead: (bytes: number) => void;
  private readonly chunk: GPUBuffer;
  /** Two, so that the next part is read while the last is packed. */
  private staging: GPUBuffer[] = [];
  private part: GPUBuffer | undefined;

  constructor(gpu: Gpu, kernels: Kernels, source: TensorSource, onRead: (bytes: number) => void) {
    super(source.tensors, gpu.maxBinding);
    this.gpu = gpu;
    this.kernels = kernels;
    this.source = source;
    this.onRead = onRead;
    this.chunk = gpu.buffer('chunk', 8, Usage.UNIFORM | Usage.COPY_DST);
  }

  /** Frees what loading alone needed. */
  done(): void {
    for (const buffer of [...this.staging, this.part, this.chunk]) if (buffer) this.gpu.free(buffer);
  }

  protected async slab({ segments, columns, bf16, bytes, first, count }: SlabPlan): Promise<Slab> {
    const weights = this.gpu.buffer(segments[0].tensor.name, bytes);
    for (const segment of segments) if (segment.rows > 0) await this.pack(segment, weights, columns, bf16);
    const range = this.gpu.upload(
      'range',
      new Uint32Array([first, count, 1]),
      Usage.UNIFORM | Usage.COPY_DST,
    );
    return { weights, range, count };
  }

  protected async upload(label: string, parts: readonly (TensorInfo | number)[]): Promise<GPUBuffer> {
    const values: Float32Array[] = [];
    for (const part of parts)
      values.push(typeof part === 'number' ? new Float32Array(part) : await this.readF32(part));
    const all = new Float32Array(values.reduce((n, v) => n + v.length, 0));
    let at = 0;
    for (const v of values) {
      all.set(v, at);
      at += v.length;
    }
    return this.gpu.upload(label, all);
  }

  private async pack(segment: Segment, weights: GPUBuffer, columns: number, bf16: boolean): Promise<void> {
    const { device } = this.gpu;
    const { tensor } = segment;
    const source = bf16 ? 0 : { F16: 1, F32: 2, BF16: 3 }[tensor.dtype];
    const kernel = await this.kernels.compile(['sizes', 'pack'], { COLUMNS: columns, SOURCE: source });
    const rowBytes = columns * BYTES[tensor.dtype];
    const size = Math.max(CHUNK_BYTES, Math.ceil(rowBytes / 4) * 4);
    if (!this.part || this.part.size < size) {
      for (const buffer of [...this.staging, this.part]) if (buffer) this.gpu.free(buffer);
      const staging = () => this.gpu.buffer('staging', size, Usage.MAP_WRITE | Usage.COPY_SRC);
      this.staging = [staging(), staging()];
      this.part = this.gpu.buffer('part', size, Usage.STORAGE | Usage.COPY_DST);
    }
    const group = this.kernels.bind(kernel, [this.chunk, this.part, weights]);
    const step = Math.floor(size / rowBytes);
    for (let done = 0; done < segment.rows; done += step) {
      const rows = Math.min(step, segment.rows - done);
      // From the file straight into memory that the GPU copies from. Mapping waits until its last copy is done.
      const staging = this.staging.shift() as GPUBuffer;
      this.staging.push(staging);
      await staging.mapAsync(MAP_MODE_WRITE);
      const bytes = new Uint8Array(staging.getMappedRange(), 0, rows * rowBytes);
      await this.source.readInto(tensor, (segment.from + done) * rowBytes, bytes);
      staging.unmap();
      this.onRead(rows * rowBytes);
      device.queue.writeBuffer(this.chunk, 0, new Uint32Array([rows, segment.to + done]));
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(staging, 0, this.part, 0, Math.ceil((rows * rowBytes) / 4) * 4);
      const pass = encoder.beginComputePass();
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.ceil(rows / 64), Math.ceil(columns / 8));
      pass.end();
      device.queue.submit([encoder.finish()]);
    }
  }

  private async readF32(tensor: TensorInfo): Promise<Float32Array> {
    const bytes = new Uint8Array(tensor.end - tensor.begin);
    await this.source.readInto(tensor, 0, bytes);
    this.onRead(bytes.length);
    return toF32(tensor.dtype, bytes);
  }
}
