import type { Dtype, TensorInfo, TensorSource } from '../checkpoint/safetensors.ts';
import { toF32 } from '../checkpoint/values.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';
import { WeightLoader } from '../model/weights.ts';
import { type Check, exact, oneNaN } from './compare.ts';

/** Two tensors, one under the other, that pack.wgsl puts into one matrix. */
export type Packing = readonly [first: Dtype, second: Dtype];

/** The first of them is what the weights of most models are. */
export const PACKINGS: readonly Packing[] = [
  ['BF16', 'BF16'],
  ['F16', 'F16'],
  ['F32', 'F32'],
  ['F32', 'BF16'],
];

export const ODD_COLUMNS = 197;
/** With so many columns the second tensor has every pattern of 16 bits. */
const ROWS = [5, 333] as const;
const BYTES = { BF16: 2, F16: 2, F32: 4 } as const;

/** Holds a packed matrix against its tensors, bit by bit. */
export async function checkPacking(
  gpu: Gpu,
  kernels: Kernels,
  packing: Packing,
  columns: number,
): Promise<Check> {
  const source = new Patterns(packing, columns);
  const loader = new WeightLoader(gpu, kernels, source, () => {});
  const { format, slabs } = await loader.stacked(['0', '1'], 1);
  const isF32 = format.code === 'f32';
  const all = packing.flatMap((dtype, i) => Array.from(wordsOf(dtype, source.bytes[i], isF32)));
  let error = 0;
  for (const { weights, range, count } of slabs) {
    const words = await readWords(gpu, weights as GPUBuffer);
    const found = Array.from({ length: count * columns }, (_, n) =>
      element(words, columns, Math.floor(n / columns), n % columns, isF32),
    );
    error += exact(found, all.splice(0, found.length)).error;
    for (const buffer of [weights, range]) gpu.free(buffer);
  }
  loader.done();
  return { error, bound: 0 };
}

/** What a loader that uses buffers has made of a matrix. */
export const readWords = async (gpu: Gpu, weights: GPUBuffer): Promise<Uint32Array> =>
  new Uint32Array(await gpu.read(gpu.device.createCommandEncoder(), weights, weights.size));

class Patterns implements TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly bytes: readonly Uint8Array[];

  constructor(packing: Packing, columns: number) {
    this.bytes = packing.map((dtype, i) => {
      const length = ROWS[i] * columns;
      if (BYTES[dtype] === 2) return new Uint8Array(Uint16Array.from({ length }, (_, n) => n).buffer);
      return new Uint8Array(Uint32Array.from({ length }, (_, n) => Math.imul(n, 0x9e3779b9)).buffer);
    });
    const tensors = packing.map((dtype, i): [string, TensorInfo] => {
      const name = String(i);
      const shape = [ROWS[i], columns];
      return [name, { name, dtype, shape, file: 'patterns', begin: 0, end: this.bytes[i].length }];
    });
    this.tensors = new Map(tensors);
  }

  async readInto({ name }: TensorInfo, offset: number, target: Uint8Array): Promise<void> {
    target.set(this.bytes[Number(name)].subarray(offset, offset + target.length));
  }
}

/** The bits that a tensor's elements have in the matrix. */
function wordsOf(dtype: Dtype, bytes: Uint8Array, isF32: boolean): ArrayLike<number> {
  if (!isF32) return new Uint16Array(bytes.buffer);
  return new Uint32Array(toF32(dtype, bytes).buffer).map(oneNaN);
}

/** See shaders/weights.wgsl. */
function element(words: Uint32Array, columns: number, row: number, column: number, isF32: boolean): number {
  const block = (row >> 3) * Math.ceil(columns / 8) + (column >> 3);
  const at = column & 7;
  if (isF32) return oneNaN(words[(block * 16 + (at & 4) * 2 + (row & 7)) * 4 + (at & 3)]);
  const word = words[(block * 8 + (row & 7)) * 4 + (at & 3)];
  return at < 4 ? word & 0xffff : word >>> 16;
}
