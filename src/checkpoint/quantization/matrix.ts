import type { QuantizedMatrix, QuantizedShape } from '../quantized.ts';
import type { StoredTensor } from '../safetensors.ts';
import type { ReadTensor, StoredMatrix, Weight } from './quantization.ts';

/** Reads bytes of a tensor, from byte `offset` within it on. */
export type ReadInto = (tensor: StoredTensor, offset: number, target: Uint8Array) => Promise<void>;

export function shapeOf({ rows, columns }: Weight, stored: StoredMatrix): QuantizedShape {
  const { code, group, rounding, hasZeros, hasOrder, tensors } = stored;
  const bytes = tensors.reduce((n, { begin, end }) => n + end - begin, 0);
  return { rows, columns, code, group, rounding, hasZeros, hasOrder, stored: bytes };
}

export function matrixOf(shape: QuantizedShape, stored: StoredMatrix, readInto: ReadInto): QuantizedMatrix {
  const read = readerOf(readInto);
  return {
    ...shape,
    async read() {
      const parameters = await stored.parameters(read);
      return { ...parameters, codes: await stored.codes(read, parameters.order) };
    },
  };
}

export function readerOf(readInto: ReadInto): ReadTensor {
  return async (tensor) => {
    const bytes = new Uint8Array(tensor.end - tensor.begin);
    await readInto(tensor, 0, bytes);
    return bytes;
  };
}
