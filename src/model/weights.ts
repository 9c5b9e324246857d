import type { TensorInfo, TensorSource } from '../checkpoint/safetensors.ts';
import { toF32 } from '../checkpoint/values.ts';
import { type Gpu, Usage } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';

/** Rows of a matrix in one buffer, in the interleaved layout of shaders/weights.wgsl. */
export interface Slab {
  readonly weights: GPUBuffer;
  /** struct Slab of shaders/weights.wgsl, in the units the matrix is cut by. */
  readonly range: GPUBuffer;
  readonly count: number;
}

/** A weight matrix on the GPU. It is cut into slabs where it is larger than one binding may be. */
export interface Matrix {
  readonly columns: number;
  readonly bf16: boolean;
  readonly slabs: readonly Slab[];
}

/** Rows `from` to `from + rows` of a tensor, to stand at row `to` of a slab. */
interface Segment {
  tensor: TensorInfo;
  from: number;
  rows: number;
  to: number;
}

const CHUNK_BYTES = 8 << 20;
const MAP_MODE_WRITE = 0x2;
const BYTES = { BF16: 2, F16: 2, F32: 4 } as const;

/** Streams tensors from disk to the GPU in chunks: nothing of a checkpoint stays in memory on the CPU's side. */
export class WeightLoader {
  /** Bytes of GPU memory taken so far. */
  bytes = 0;
  private readonly gpu: Gpu;
  private readonly kernels: Kernels;
  private readonly source: TensorSource;
  private readonly onRead: (bytes: number) => void;
  private readonly chunk: GPUBuffer;
  /** Two, so that the next part is read while the last is packed. */
  private staging: GPUBuffer[] = [];
  private part: GPUBuffer | undefined;

  constructor(gpu: Gpu, kernels: Kernels, source: TensorSource, onRead: (bytes: number) => void) {
    this.gpu = gpu;
    this.kernels = kernels;
    this.source = source;
    this.onRead = onRead;
    this.chunk = gpu.buffer('chunk', 8, Usage.UNIFORM | Usage.COPY_DST);
  }

  /** Whether all of these tensors are bf16: a matrix made of them then stays so, else it is f32. */
  bf16(names: readonly string[]): boolean {
    return names.every((name) => this.tensor(name).dtype === 'BF16');
  }

  /** Tensors of equal width, row under row; slabs count units of `unit` rows and are cut at multiples of `multiple` rows. */
  async stacked(names: readonly string[], unit: number, multiple: number = unit): Promise<Matrix> {
    const tensors = names.map((name) => this.tensor(name));
    const bf16 = this.bf16(names);
    const columns = tensors[0].shape[1];
    let total = 0;
    const starts = tensors.map(({ shape }) => {
      total += shape[0];
      return total - shape[0];
    });
    const units = total / unit;
    const step = this.rowsPerSlab(columns, bf16, multiple) / unit;
    const slabs: Slab[] = [];
    for (let first = 0; first < units; first += step) {
      const begin = first * unit;
      const end = Math.min(begin + step * unit, total);
      const segments = tensors.map((tensor, i) => {
        const from = Math.max(begin, starts[i]);
        const rows = Math.max(0, Math.min(end, starts[i] + tensor.shape[0]) - from);
        return { tensor, from: from - starts[i], rows, to: from - begin };
      });
      slabs.push(await this.slab(segments, end - begin, columns, bf16, first, (end - begin) / unit));
    }
    return { columns, bf16, slabs };
  }

  /** Two tensors of equal shape side by side: a slab holds rows of the first, padded to a multiple of eight, then the same rows of the second. */
  async paired(first: string, second: string): Promise<Matrix> {
    const tensors = [this.tensor(first), this.tensor(second)];
    const bf16 = this.bf16([first, second]);
    const [rows, columns] = tensors[0].shape;
    const step = this.rowsPerSlab(columns, bf16, 16) / 2;
    const slabs: Slab[] = [];
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const padded = Math.ceil(count / 8) * 8;
      const segments = tensors.map((tensor, i) => ({ tensor, from, rows: count, to: i * padded }));
      slabs.push(await this.slab(segments, 2 * padded, columns, bf16, from, count));
    }
    return { columns, bf16, slabs };
  }

  /** Vectors one after another, as f32; a number stands for that many zeros. */
  async vector(label: string, parts: readonly (string | number)[]): Promise<GPUBuffer> {
    const values: Float32Array[] = [];
    for (const part of parts)
      values.push(typeof part === 'number' ? new Float32Array(part) : await this.readF32(part));
    const all = new Float32Array(values.reduce((n, v) => n + v.length, 0));
    let at = 0;
    for (const v of values) {
      all.set(v, at);
      at += v.length;
    }
    this.bytes += all.byteLength;
    return this.gpu.upload(label, all);
  }

  /** Frees what loading alone needed. */
  done(): void {
    for (const buffer of [...this.staging, this.part, this.chunk]) if (buffer) this.gpu.free(buffer);
  }

  private tensor(name: string): TensorInfo {
    return this.source.tensors.get(name) as TensorInfo; // presence and shape are checked before loading
  }

  private rowsPerSlab(columns: number, bf16: boolean, unit: number): number {
    const rowBytes = Math.ceil(columns / 8) * (bf16 ? 16 : 32);
    // Rows are interleaved by eight: a slab whose rows are no multiple of it is padded.
    const rows = Math.floor(this.gpu.maxBinding / rowBytes / 8) * 8;
    return Math.max(unit, Math.floor(rows / unit) * unit);
  }

  private async slab(
    segments: Segment[],
    rows: number,
    columns: number,
    bf16: boolean,
    first: number,
    count: number,
  ): Promise<Slab> {
    const blocks = Math.ceil(columns / 8);
    const size = Math.ceil(rows / 8) * 8 * blocks * (bf16 ? 16 : 32);
    const weights = this.gpu.buffer(segments[0].tensor.name, size);
    this.bytes += size;
    for (const segment of segments) if (segment.rows > 0) await this.pack(segment, weights, columns, bf16);
    const range = this.gpu.upload(
      'range',
      new Uint32Array([first, count, 1]),
      Usage.UNIFORM | Usage.COPY_DST,
    );
    return { weights, range, count };
  }

  private async pack(segment: Segment, weights: GPUBuffer, columns: number, bf16: boolean): Promise<void> {
    const { device } = this.gpu;
    const { tensor } = segment;
    const source = bf16 ? 0 : { F16: 1, F32: 2, BF16: 3 }[tensor.dtype];
    const kernel = await this.kernels.compile(['pack'], { COLUMNS: columns, SOURCE: source });
    const rowBytes = columns * BYTES[tensor.dtype];
    const size = Math.max(CHUNK_BYTES, Math.ceil(rowBytes / 4) * 4);
    if (!this.part || this.part.size < size) {
      for (const buffer of [...this.staging, this.part]) if (buffer) this.gpu.free(buffer);
      const staging = () => this.gpu.buffer('staging', size, Usage.MAP_WRITE | Usage.COPY_SRC);
      this.staging = [staging(), staging()];
      this.part = this.gpu.buffer('part', size, Usage.STORAGE | Usage.COPY_DST);
    }
    const group = this.kernels.bind(kernel.layout, [this.chunk, this.part, weights]);
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

  private async readF32(name: string): Promise<Float32Array> {
    const tensor = this.tensor(name);
    const bytes = new Uint8Array(tensor.end - tensor.begin);
    await this.source.readInto(tensor, 0, bytes);
    this.onRead(bytes.length);
    return toF32(tensor.dtype, bytes);
  }
}
