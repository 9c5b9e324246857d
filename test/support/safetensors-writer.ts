import { writeFileSync } from 'node:fs';

export interface StoredTensor {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** Little-endian, row-major. */
  bytes: Uint8Array;
}

/** Writes a safetensors file: the header's length in 8 bytes, the JSON header padded to 8, the tensors' bytes in order. */
export function writeSafetensors(file: string, tensors: readonly StoredTensor[]): void {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(file, Buffer.concat([length, padded, ...tensors.map((tensor) => tensor.bytes)]));
}
