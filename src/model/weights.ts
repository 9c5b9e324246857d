import type { QuantizedMatrix, QuantizedValues } from '../checkpoint/quantized.ts';
import type { TensorInfo, TensorSource } from '../checkpoint/safetensors.ts';
import { toF32 } from '../checkpoint/values.ts';
import { type Gpu, Usage } from '../gpu/device.ts';
import type { Constants, Kernel, Kernels, ShaderName } from '../gpu/kernel.ts';
import { dequantize, rowBytes, writeRows } from './codes.ts';
import { BITS, constantsOf, DTYPE_BYTES, type Format, type Holder, isQuantized, LINE } from './format.ts';
import {
  mostOfSlab,
  type Quantize,
  type Segment,
  type Slab,
  type SlabPlan,
  WeightLayout,
} from './weight-layout.ts';

const CHUNK_BYTES = 8 << 20;
const MAP_MODE_WRITE = 0x2;

/** Rows of a matrix as they come, and what puts them into the GPU's layout. */
interface Feed {
  readonly files: readonly ShaderName[];
  readonly constants: Constants;
  readonly rowBytes: number;
  /** Threads for each row. */
  readonly threads: number;
  /** Fills `target` with rows from `first` on. */
  fill(first: number, target: Uint8Array): Promise<void>;
}

/** Streams weights from disk to the GPU in chunks: nothing of a checkpoint stays in memory on the CPU's side. */
export class WeightLoader extends WeightLayout {
  private readonly gpu: Gpu;
  private readonly kernels: Kernels;
  private readonly source: TensorSource;
  private readonly onRead: (bytes: number) => void;
  private readonly chunk: GPUBuffer;
  /** Two, so that the next part is read while the last is packed. */
  private staging: GPUBuffer[] = [];
  private piece: GPUBuffer | undefined;
  /** The last matrix of codes that was read: it may go into several slabs. */
  private last: { readonly name: string; readonly values: QuantizedValues } | undefined;

  constructor(
    gpu: Gpu,
    kernels: Kernels,
    source: TensorSource,
    onRead: (bytes: number) => void,
    quantize?: Quantize,
    holder: Holder = 'buffer',
  ) {
    super(source, mostOfSlab(holder, gpu.maxBinding, gpu.adapter.limits), quantize, holder);
    this.gpu = gpu;
    this.kernels = kernels;
    this.source = source;
    this.onRead = onRead;
    this.chunk = gpu.buffer('chunk', 8, Usage.UNIFORM | Usage.COPY_DST);
  }

  /** Frees what loading alone needed. */
  done(): void {
    for (const buffer of [...this.staging, this.piece, this.chunk]) if (buffer) this.gpu.free(buffer);
    this.last = undefined;
  }

  protected async slab(plan: SlabPlan): Promise<Slab> {
    const { segments, columns, format, hasOrder, bytes, first, count } = plan;
    const buffer = this.gpu.buffer(segments[0].name, bytes);
    for (const segment of segments) await this.load(await this.feed(segment.name, format), segment, buffer);
    const weights = this.holder === 'texture' ? this.gpu.texture(buffer, LINE) : buffer;
    if (weights !== buffer) this.gpu.free(buffer);
    const range = this.gpu.upload(
      'range',
      new Uint32Array([first, count, 1]),
      Usage.UNIFORM | Usage.COPY_DST,
    );
    return { weights, range, count, ...(hasOrder && { order: await this.order(segments, columns) }) };
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

  private async feed(name: string, format: Format): Promise<Feed> {
    const matrix = this.source.quantized?.get(name);
    return matrix ? this.feedCodes(name, matrix, format) : this.feedTensor(name, format);
  }

  private feedTensor(name: string, format: Format): Feed {
    const tensor = this.part(name) as TensorInfo;
    const [, columns] = tensor.shape;
    const rowBytes = columns * DTYPE_BYTES[tensor.dtype];
    const source = { COLUMNS: columns, SOURCE: { F32: 0, BF16: 1, F16: 2 }[tensor.dtype] };
    const fill = async (first: number, target: Uint8Array) => {
      await this.source.readInto(tensor, first * rowBytes, target);
      this.onRead(target.length);
    };
    if (!isQuantized(format)) {
      const constants = { ...source, HALVES: format.code !== 'f32' };
      const threads = Math.ceil(columns / 8);
      return { files: ['sizes', 'source', 'pack'], constants, rowBytes, threads, fill };
    }
    const constants = { ...source, ...constantsOf(format), BITS: BITS[format.code] };
    const threads = Math.ceil(columns / format.group);
    return { files: ['sizes', 'source', 'codes', 'quantize'], constants, rowBytes, threads, fill };
  }

  private async feedCodes(name: string, matrix: QuantizedMatrix, format: Format): Promise<Feed> {
    const { columns, code } = matrix;
    const values = await this.readCodes(name, matrix);
    if (!isQuantized(format)) {
      const fill = async (first: number, target: Uint8Array) =>
        dequantize(
          matrix,
          values,
          first,
          new Float32Array(target.buffer, target.byteOffset, target.length / 4),
        );
      const constants = { COLUMNS: columns, SOURCE: 0, HALVES: false };
      const threads = Math.ceil(columns / 8);
      return { files: ['sizes', 'source', 'pack'], constants, rowBytes: 4 * columns, threads, fill };
    }
    const flip = { int4: 8, int8: 128, fp8: 0 }[code];
    const constants = { ...constantsOf(format), COLUMNS: columns, BITS: BITS[code], FLIP: flip };
    const groups = Math.ceil(columns / format.group);
    const zeros = format.hasZeros ? Math.ceil(groups / 4) : 0;
    const threads = Math.ceil(columns / 32) * BITS[code] + groups + zeros;
    const fill = async (first: number, target: Uint8Array) => writeRows(matrix, values, first, target);
    return {
      files: ['sizes', 'codes', 'pack-codes'],
      constants,
      rowBytes: rowBytes(matrix),
      threads,
      fill,
    };
  }

  private async load(feed: Feed, { from, rows, to }: Segment, weights: GPUBuffer): Promise<void> {
    const { device } = this.gpu;
    const kernel: Kernel = await this.kernels.compile(feed.files, feed.constants);
    const size = Math.max(CHUNK_BYTES, Math.ceil(feed.rowBytes / 4) * 4);
    if (!this.piece || this.piece.size < size) {
      for (const buffer of [...this.staging, this.piece]) if (buffer) this.gpu.free(buffer);
      const staging = () => this.gpu.buffer('staging', size, Usage.MAP_WRITE | Usage.COPY_SRC);
      this.staging = [staging(), staging()];
      this.piece = this.gpu.buffer('part', size, Usage.STORAGE | Usage.COPY_DST);
    }
    const group = this.kernels.bind(kernel, [this.chunk, this.piece, weights]);
    const step = Math.floor(size / feed.rowBytes);
    for (let done = 0; done < rows; done += step) {
      const count = Math.min(step, rows - done);
      // From the file straight into memory that the GPU copies from. Mapping waits until its last copy is done.
      const staging = this.staging.shift() as GPUBuffer;
      this.staging.push(staging);
      await this.gpu.wait(staging.mapAsync(MAP_MODE_WRITE));
      await feed.fill(from + done, new Uint8Array(staging.getMappedRange(), 0, count * feed.rowBytes));
      staging.unmap();
      device.queue.writeBuffer(this.chunk, 0, new Uint32Array([count, to + done]));
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(staging, 0, this.piece, 0, Math.ceil((count * feed.rowBytes) / 4) * 4);
      const pass = encoder.beginComputePass();
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.ceil(count / 64), feed.threads);
      pass.end();
      device.queue.submit([encoder.finish()]);
    }
  }

  /** [segments][columns] */
  private async order(segments: readonly Segment[], columns: number): Promise<GPUBuffer> {
    const all = new Uint32Array(segments.length * columns);
    for (const [i, { name }] of segments.entries()) {
      const { order } = await this.readCodes(name, this.source.quantized?.get(name) as QuantizedMatrix);
      all.set(order ?? Uint32Array.from({ length: columns }, (_, j) => j), i * columns);
    }
    return this.gpu.upload('order', all);
  }

  private async readCodes(name: string, matrix: QuantizedMatrix): Promise<QuantizedValues> {
    if (this.last?.name === name) return this.last.values;
    this.last = undefined; // one at a time
    const values = await matrix.read();
    this.onRead(matrix.stored);
    this.last = { name, values };
    return values;
  }

  private async readF32(tensor: TensorInfo): Promise<Float32Array> {
    const bytes = new Uint8Array(tensor.end - tensor.begin);
    await this.source.readInto(tensor, 0, bytes);
    this.onRead(bytes.length);
    return toF32(tensor.dtype, bytes);
  }
}
