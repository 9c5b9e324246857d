import type { TensorInfo } from '../checkpoint/safetensors.ts';

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
export interface Segment {
  readonly tensor: TensorInfo;
  readonly from: number;
  readonly rows: number;
  readonly to: number;
}

/** A slab to be made. */
export interface SlabPlan {
  readonly segments: readonly Segment[];
  readonly columns: number;
  readonly bf16: boolean;
  /** Of its buffer. */
  readonly bytes: number;
  /** What its range says. */
  readonly first: number;
  readonly count: number;
}

/** How tensors become buffers; what is done about it is left to those who extend it. */
export abstract class WeightLayout {
  /** Bytes of GPU memory taken so far. */
  bytes = 0;
  private readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly maxBinding: number;

  constructor(tensors: ReadonlyMap<string, TensorInfo>, maxBinding: number) {
    this.tensors = tensors;
    this.maxBinding = maxBinding;
  }

  protected abstract slab(plan: SlabPlan): Promise<Slab>;
  /** Vectors one after another, as f32; a number stands for that many zeros. */
  protected abstract upload(label: string, parts: readonly (TensorInfo | number)[]): Promise<GPUBuffer>;

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
      slabs.push(await this.plan(segments, end - begin, columns, bf16, first, (end - begin) / unit));
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
      slabs.push(await this.plan(segments, 2 * padded, columns, bf16, from, count));
    }
    return { columns, bf16, slabs };
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
    return this.tensors.get(name) as TensorInfo; // presence and shape are checked before loading
  }

  private rowsPerSlab(columns: number, bf16: boolean, unit: number): number {
    const rowBytes = Math.ceil(columns / 8) * (bf16 ? 16 : 32);
    // Rows are interleaved by eight: a slab whose rows are no multiple of it is padded.
    const rows = Math.floor(this.maxBinding / rowBytes / 8) * 8;
    return Math.max(unit, Math.floor(rows / unit) * unit);
  }

  private plan(
    segments: readonly Segment[],
    rows: number,
    columns: number,
    bf16: boolean,
    first: number,
    count: number,
  ): Promise<Slab> {
    const bytes = Math.ceil(rows / 8) * 8 * Math.ceil(columns / 8) * (bf16 ? 16 : 32);
    this.bytes += bytes;
    return this.slab({ segments, columns, bf16, bytes, first, count });
  }
}

const NOTHING = {} as GPUBuffer;

/** Counts bytes, and makes no buffers. */
export class WeightSizes extends WeightLayout {
  protected async slab({ count }: SlabPlan): Promise<Slab> {
    return { weights: NOTHING, range: NOTHING, count };
  }

  protected async upload(): Promise<GPUBuffer> {
    return NOTHING;
  }
}
