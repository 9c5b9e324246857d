import type { TensorData } from '../../src/checkpoint/encode-safetensors.ts';

export { encodeSafetensors, type TensorData, withHeader } from '../../src/checkpoint/encode-safetensors.ts';

/** The tensors of a sound file, in the order of its header. */
export function decodeSafetensors(file: Uint8Array): TensorData[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const end = 8 + Number(bytes.readBigUInt64LE());
  type Entry = Pick<TensorData, 'dtype' | 'shape'> & { data_offsets: [number, number] };
  const { __metadata__, ...header }: Record<string, Entry> = JSON.parse(bytes.toString('utf8', 8, end));
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
