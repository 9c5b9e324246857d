import { CheckpointError } from '../../base/errors.ts';
import type { Dtype, StoredTensor } from '../safetensors.ts';
import { toF32 } from '../values.ts';
import type { ReadTensor } from './quantization.ts';

type Floats = Float32Array<ArrayBuffer>;

/** Dtypes that scales may have. */
export const FLOATS = ['F16', 'BF16', 'F32'] as const;

/** What a product with scales of a dtype is rounded to where a library computes in that dtype. */
export function roundingOf({ dtype }: StoredTensor): 'f32' | 'f16' | 'bf16' {
  return dtype === 'F16' ? 'f16' : dtype === 'BF16' ? 'bf16' : 'f32';
}

/** @throws CheckpointError one is no finite number */
export async function readScales(tensor: StoredTensor, read: ReadTensor): Promise<Floats> {
  const scales = toF32(tensor.dtype as Dtype, await read(tensor)) as Floats;
  for (let i = 0; i < scales.length; i++)
    if (!Number.isFinite(scales[i])) throw wrong(tensor, i, `the scale is ${scales[i]}`);
  return scales;
}

/**
 * From the group of each column to the places of columns sorted by group. Each group must have `size` columns.
 * @throws CheckpointError
 */
export async function readOrder(
  tensor: StoredTensor,
  read: ReadTensor,
  groups: number,
  size: number,
): Promise<Uint32Array<ArrayBuffer>> {
  const bytes = await read(tensor);
  const indices = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const filled = new Uint32Array(groups);
  const order = new Uint32Array(indices.length);
  for (const [column, group] of indices.entries()) {
    if (group < 0 || group >= groups)
      throw wrong(tensor, column, `group ${group} of a column: there are ${groups} groups`);
    if (filled[group] === size) throw wrong(tensor, column, `group ${group} has more than ${size} columns`);
    order[column] = group * size + filled[group]++;
  }
  return order;
}

/** Whether columns stand in the order of their groups already. */
export function isSorted(order: Uint32Array): boolean {
  return order.every((place, column) => place === column);
}

/** Of the value at an index of a tensor. */
export function wrong(tensor: StoredTensor, index: number, message: string): CheckpointError {
  const { file, name, shape } = tensor;
  const at: number[] = [];
  let rest = index;
  for (const length of [...shape].reverse()) {
    at.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return new CheckpointError(file, `at [${at}] ${message}`, { tensor: name });
}
