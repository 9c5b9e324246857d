import type { QuantizedShape } from '../checkpoint/quantized.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';
import { WeightLoader } from '../model/weights.ts';
import { type Check, exact } from './compare.ts';
import { readWords } from './packing.ts';
import { type CodesForm, RandomCodes } from './random-codes.ts';
import { bellShaped } from './random-tensors.ts';

type Shape = Pick<QuantizedShape, 'rows' | 'columns' | 'code' | 'group' | 'hasZeros'>;

/** Signed codes but for FP8, whose bits they are; scales and zero points of each group. */
interface CodesOfRow {
  readonly codes: Int32Array;
  readonly scales: Float32Array;
  /** Empty where there are none. */
  readonly zeros: Uint8Array;
}

/** A row as shaders/quantized.wgsl has it: signed codes, those of FP8 as they are; scales; zero points. */
export function rowOf(
  words: Uint32Array,
  row: number,
  { columns, code, group, hasZeros }: Shape,
): CodesOfRow {
  const bits = code === 'int4' ? 4 : 8;
  const chunks = Math.ceil(columns / 32);
  const groups = Math.ceil(columns / group);
  const zeroWords = hasZeros ? Math.ceil(groups / 4) : 0;
  const quads = Math.ceil(groups / 4);
  const start = (row >> 3) * 8 * (bits * chunks + 4 * quads + zeroWords);
  const scaleStart = start + 8 * bits * chunks;
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const zeroStart = scaleStart + 32 * quads + (row & 7);
  return {
    codes: Int32Array.from({ length: columns }, (_, column) => {
      const i = Math.floor((column * bits) / 32); // of the words of the row
      const word = words[start + (i >> 2) * 32 + (row & 7) * 4 + (i & 3)];
      const low = word >>> ((column * bits) % 32);
      return code === 'fp8' ? low & 255 : (low << (32 - bits)) >> (32 - bits);
    }),
    scales: Float32Array.from(
      { length: groups },
      (_, g) => floats[scaleStart + ((g >> 2) * 8 + (row & 7)) * 4 + (g & 3)],
    ),
    zeros: Uint8Array.from({ length: hasZeros ? groups : 0 }, (_, g) => {
      return words[zeroStart + 8 * (g >> 2)] >>> (8 * (g & 3));
    }),
  };
}

const NAME = 'a.weight';
const SHAPE = [21, 149];
const MIDDLE = { int4: 8, int8: 128, fp8: 0 } as const;

/** Holds what pack-codes.wgsl leaves against the codes of a checkpoint. */
export async function checkPackingCodes(gpu: Gpu, kernels: Kernels, form: CodesForm): Promise<Check> {
  const noise = bellShaped(SHAPE[0] * SHAPE[1], 9);
  const matrix = new RandomCodes(SHAPE, form, (i) => noise[i]);
  const source = { tensors: new Map(), quantized: new Map([[NAME, matrix]]), readInto: async () => {} };
  const loader = new WeightLoader(gpu, kernels, source, () => {});
  const [{ weights, range, order }] = (await loader.stacked([NAME], 1)).slabs;
  loader.done();
  const words = await readWords(gpu, weights as GPUBuffer);
  for (const buffer of [weights, range, order]) if (buffer) gpu.free(buffer);
  const { codes, scales, zeros = new Uint8Array() } = await matrix.read();
  const { columns, group } = matrix;
  const groups = Math.ceil(columns / group);
  let error = 0;
  for (let row = 0; row < matrix.rows; row++) {
    const found = rowOf(words, row, matrix);
    const signed = Int32Array.from(codes.subarray(row * columns, (row + 1) * columns), (code) => {
      return code - MIDDLE[form.code];
    });
    error += exact(found.codes, signed).error;
    error += exact(found.scales, scales.subarray(row * groups, (row + 1) * groups)).error;
    error += exact(found.zeros, zeros.subarray(row * groups, (row + 1) * groups)).error;
  }
  return { error, bound: 0 };
}
