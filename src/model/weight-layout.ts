import { EMBEDDING, HEAD } from '../checkpoint/contents.ts';
import type { QuantizedShape } from '../checkpoint/quantized.ts';
import type { TensorInfo } from '../checkpoint/safetensors.ts';
import { commonFormat, eightRows, type Format, type Holder, isQuantized, LINE } from './format.ts';

const LINE_BYTES = 16 * LINE;

/** Rows of a matrix in one buffer or texture, in the interleaved layout of shaders/weights.wgsl. */
export interface Slab {
  readonly weights: GPUBuffer | GPUTexture;
  /** struct Slab of shaders/weights.wgsl, in the units the matrix is cut by. */
  readonly range: GPUBuffer;
  readonly count: number;
  /** Where each column of the activations goes before they are multiplied by each of its matrices, u32; undefined: they stay. */
  readonly order?: GPUBuffer;
}

/** A weight matrix on the GPU. It is cut into slabs where it is larger than one binding may be. */
export interface Matrix {
  readonly columns: number;
  readonly format: Format;
  readonly slabs: readonly Slab[];
}

/** A weight matrix of the checkpoint. */
export type Part = TensorInfo | QuantizedShape;

/** Rows `from` to `from + rows` of a weight matrix of the checkpoint, to stand at row `to` of a slab. */
export interface Segment {
  readonly name: string;
  readonly from: number;
  readonly rows: number;
  readonly to: number;
}

/** A slab to be made. */
export interface SlabPlan {
  readonly segments: readonly Segment[];
  readonly columns: number;
  readonly format: Format;
  readonly hasOrder: boolean;
  /** Of what holds it: a texture has whole lines. */
  readonly bytes: number;
  /** What its range says. */
  readonly first: number;
  readonly count: number;
}

/** What is known of a checkpoint's weights by its headers. */
export interface Parts {
  /** Plain ones. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Those that are stored as codes. */
  readonly quantized?: ReadonlyMap<string, QuantizedShape>;
}

/** Whether activations change places for some of them. */
export const hasOrders = ({ quantized }: Parts): boolean =>
  [...(quantized?.values() ?? [])].some(({ hasOrder }) => hasOrder);

/** Which plain weight matrices become codes. */
export interface Quantize {
  /** Those of the layers. */
  readonly layers?: 'int8' | 'int4';
  /** Embedding and head. */
  readonly head?: 'int8';
  /** Neighbouring columns with one scale, a multiple of 32; the last group has fewer where it does not divide the columns. */
  readonly group: number;
}

/** Bytes that a slab may have: of a buffer what one binding can show, of a texture no more lines than the device takes. */
export const mostOfSlab = (
  holder: Holder,
  maxBinding: number,
  limits: Readonly<Record<string, number>>,
): number =>
  holder === 'buffer' ? maxBinding : Math.min(maxBinding, LINE_BYTES * limits.maxTextureDimension2D);

/** How weights become buffers and textures; what is done about it is left to those who extend it. */
export abstract class WeightLayout {
  /** Bytes of GPU memory taken so far. */
  bytes = 0;
  readonly holder: Holder;
  private readonly parts: Parts;
  private readonly maxBytes: number;
  private readonly quantize: Quantize | undefined;

  /** @param maxBytes of a slab */
  constructor(parts: Parts, maxBytes: number, quantize?: Quantize, holder: Holder = 'buffer') {
    this.parts = parts;
    this.holder = holder;
    this.maxBytes = maxBytes;
    this.quantize = quantize;
  }

  protected abstract slab(plan: SlabPlan): Promise<Slab>;
  /** Vectors one after another, as f32; a number stands for that many zeros. */
  protected abstract upload(label: string, parts: readonly (TensorInfo | number)[]): Promise<GPUBuffer>;

  /** Whether activations change places before some products. */
  get permutes(): boolean {
    return hasOrders(this.parts);
  }

  /** Of a matrix made of these. */
  format(names: readonly string[]): Format {
    return commonFormat(names.map((name) => this.kept(name)));
  }

  /** Whether activations change places before they are multiplied by a matrix made of these. */
  hasOrder(names: readonly string[]): boolean {
    const ordered = names.some((name) => this.parts.quantized?.get(name)?.hasOrder);
    return ordered && isQuantized(this.format(names));
  }

  /** Matrices of equal width, row under row; slabs count units of `unit` rows and are cut at multiples of `multiple` rows. */
  async stacked(names: readonly string[], unit: number, multiple: number = unit): Promise<Matrix> {
    const format = this.format(names);
    const hasOrder = this.hasOrder(names);
    const columns = this.sizeOf(names[0])[1];
    let total = 0;
    const starts = names.map((name) => {
      total += this.sizeOf(name)[0];
      return total - this.sizeOf(name)[0];
    });
    const step = this.rowsPerSlab(columns, format, multiple);
    const slabs: Slab[] = [];
    let begin = 0;
    while (begin < total) {
      // A slab whose columns have an order is of one matrix.
      const border = hasOrder ? (starts.find((start) => start > begin) ?? total) : total;
      const end = Math.min(begin + step, border);
      const segments = names.map((name, i) => {
        const from = Math.max(begin, starts[i]);
        const rows = Math.max(0, Math.min(end, starts[i] + this.sizeOf(name)[0]) - from);
        return { name, from: from - starts[i], rows, to: from - begin };
      });
      const used = segments.filter(({ rows }) => rows > 0);
      const range = { first: begin / unit, count: (end - begin) / unit };
      slabs.push(await this.plan(used, end - begin, { columns, format, hasOrder, ...range }));
      begin = end;
    }
    return { columns, format, slabs };
  }

  /** Two matrices of equal shape side by side: a slab holds rows of the first, padded to a multiple of eight, then the same rows of the second. */
  async paired(first: string, second: string): Promise<Matrix> {
    const names = [first, second];
    const format = this.format(names);
    const hasOrder = this.hasOrder(names);
    const [rows, columns] = this.sizeOf(first);
    const step = this.rowsPerSlab(columns, format, 16) / 2;
    const slabs: Slab[] = [];
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const padded = Math.ceil(count / 8) * 8;
      const segments = names.map((name, i) => ({ name, from, rows: count, to: i * padded }));
      slabs.push(await this.plan(segments, 2 * padded, { columns, format, hasOrder, first: from, count }));
    }
    return { columns, format, slabs };
  }

  /** Vectors one after another, as f32; a number stands for that many zeros. */
  async vector(label: string, parts: readonly (string | number)[]): Promise<GPUBuffer> {
    const known = parts.map((part) => (typeof part === 'number' ? part : this.tensor(part)));
    const lengths = known.map((part) =>
      typeof part === 'number' ? part : part.shape.reduce((n, m) => n * m, 1),
    );
    this.bytes += 4 * lengths.reduce((n, m) => n + m, 0);
    return this.upload(label, known);
  }

  private tensor(name: string): TensorInfo {
    return this.parts.tensors.get(name) as TensorInfo; // presence and shape are checked before loading
  }

  protected part(name: string): Part {
    return this.parts.quantized?.get(name) ?? this.tensor(name);
  }

  /** As it is to be on the GPU. */
  private kept(name: string): Part {
    const part = this.part(name);
    const { layers, head, group = 0 } = this.quantize ?? {};
    const code = name === EMBEDDING || name === HEAD ? (head ?? (layers && 'int8')) : layers;
    if (!('dtype' in part) || !code) return part;
    const [rows, columns] = part.shape;
    const symmetric = { rounding: 'f32', hasZeros: false, hasOrder: false } as const;
    return { rows, columns, code, group, ...symmetric, stored: 0 };
  }

  private sizeOf(name: string): readonly [rows: number, columns: number] {
    const part = this.part(name);
    return 'dtype' in part ? [part.shape[0], part.shape[1]] : [part.rows, part.columns];
  }

  private rowsPerSlab(columns: number, format: Format, unit: number): number {
    // Rows are interleaved by eight: a slab whose rows are no multiple of it is padded.
    const rows = Math.floor(this.maxBytes / eightRows(format, columns)) * 8;
    return Math.max(unit, Math.floor(rows / unit) * unit);
  }

  private plan(
    segments: readonly Segment[],
    rows: number,
    of: Omit<SlabPlan, 'segments' | 'bytes'>,
  ): Promise<Slab> {
    const needed = Math.ceil(rows / 8) * eightRows(of.format, of.columns);
    const bytes = this.holder === 'texture' ? Math.ceil(needed / LINE_BYTES) * LINE_BYTES : needed;
    this.bytes += bytes + (of.hasOrder ? 4 * of.columns * segments.length : 0);
    return this.slab({ ...of, segments, bytes });
  }
}

const NOTHING = {} as GPUBuffer;

/** Counts bytes, and makes no buffers. */
export class WeightSizes extends WeightLayout {
  protected async slab({ count, hasOrder }: SlabPlan): Promise<Slab> {
    return { weights: NOTHING, range: NOTHING, count, ...(hasOrder && { order: NOTHING }) };
  }

  protected async upload(): Promise<GPUBuffer> {
    return NOTHING;
  }
}
