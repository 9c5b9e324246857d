import type { Dtype } from '../../src/checkpoint/safetensors.ts';

export interface TensorData {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  data: Uint8Array;
}

/** A safetensors file of these tensors, in this order. */
export function encodeSafetensors(tensors: readonly TensorData[]): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, data }) => {
    end += data.length;
    return [name, { dtype, shape, data_offsets: [end - data.length, end] }];
  });
  return withHeader(
    JSON.stringify(Object.fromEntries(entries)),
    tensors.map(({ data }) => data),
  );
}

/** A file with any header at all, padded with spaces to a multiple of 8 bytes when it is text. */
export function withHeader(header: string | Uint8Array, data: readonly Uint8Array[] = []): Uint8Array {
  let bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  if (typeof header === 'string') {
    const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8).fill(0x20);
    padded.set(bytes);
    bytes = padded;
  }
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(bytes.length), true);
  return new Uint8Array(Buffer.concat([prefix, bytes, ...data])); // whose slice copies, unlike a Buffer's
}

/** The tensors of a sound file, in the order of its header. */
export function decodeSafetensors(file: Uint8Array): TensorData[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const end = 8 + Number(bytes.readBigUInt64LE());
  type Entry = Pick<TensorData, 'dtype' | 'shape'> & { data_offsets: [number, number] };
  const header: Record<string, Entry> = JSON.parse(bytes.toString('utf8', 8, end));
  return Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      return { name, dtype, shape, data: new Uint8Array(bytes.subarray(end + from, end + to)) };
    },
  );
}
