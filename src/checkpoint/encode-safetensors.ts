import type { Dtype } from './safetensors.ts';

export interface TensorData {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  data: Uint8Array;
}

/** A safetensors file of these tensors, in this order. */
export function encodeSafetensors(
  tensors: readonly TensorData[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, data }) => {
    end += data.length;
    return [name, { dtype, shape, data_offsets: [end - data.length, end] }];
  });
  return withHeader(
    JSON.stringify({ ...(metadata && { __metadata__: metadata }), ...Object.fromEntries(entries) }),
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
