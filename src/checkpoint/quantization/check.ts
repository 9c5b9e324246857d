import { CheckpointError } from '../../base/errors.ts';
import type { Contents } from '../contents.ts';
import { OF_ACTIVATIONS } from '../contents.ts';
import type { Listing, StoredTensor } from '../safetensors.ts';
import type { Quantization, ReadTensor } from './quantization.ts';

/** Reads all scales, zero points and orders of columns once, a matrix at a time. @throws CheckpointError one is wrong */
export async function checkParameters(
  { quantized }: Contents,
  read: ReadTensor,
  signal?: AbortSignal,
): Promise<void> {
  for (const { stored } of quantized.values()) {
    signal?.throwIfAborted();
    await stored.parameters(read);
  }
}

/**
 * Which of the tensors that are not called for are left, when those go that change no weight: biases and zero points that
 * are 0, which some libraries write for every module, and what is of activations.
 * @throws CheckpointError a zero point that is not computed with
 */
export async function withoutSpare(
  { quantized, unexpected }: Contents,
  listing: Listing,
  read: ReadTensor,
): Promise<string[]> {
  const left: string[] = [];
  for (const name of unexpected) {
    const part = /^(.*)\.(bias|weight_zero_point)$/.exec(name);
    const tensor = listing.tensors.get(name) ?? listing.others.get(name);
    if (!part || !tensor || !quantized.has(`${part[1]}.weight`)) left.push(name);
    else if (!(await isZero(tensor, read))) {
      if (part[2] === 'weight_zero_point')
        throw new CheckpointError(tensor.file, 'is not 0, but FP8 has no zero points', { tensor: name });
      left.push(name);
    }
  }
  return quantized.size > 0 ? left.filter((name) => !OF_ACTIVATIONS.test(name)) : left;
}

async function isZero(tensor: StoredTensor, read: ReadTensor): Promise<boolean> {
  const bytes = await read(tensor);
  const size = { F32: 4, F16: 2, BF16: 2 }[tensor.dtype] ?? 1;
  // −0 is 0 as well; the sign is in the last byte of a number.
  return bytes.every((byte, i) => (i % size === size - 1 ? byte & 0x7f : byte) === 0);
}

/** What is not computed as the configuration says, in one line; undefined where that is nothing. */
export function notEmulated(quantization: Quantization | null, { unexpected }: Contents): string | undefined {
  if (!quantization) return undefined;
  const parts = unexpected.flatMap((name) => OF_ACTIVATIONS.exec(name)?.[1] ?? []);
  const named = [...new Set([...quantization.ignored, ...parts])];
  if (named.length === 0) return undefined;
  return `${named.join(', ')}: not emulated. Weights are as quantised; activations, keys and values are not`;
}
