import type { Dtype } from './safetensors.ts';

/** The values of a tensor's bytes; exact. */
export function toF32(dtype: Dtype, bytes: Uint8Array): Float32Array {
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  if (dtype === 'BF16') return new Float32Array(Uint32Array.from(halves, (h) => h << 16).buffer);
  f16 ??= Float32Array.from({ length: 1 << 16 }, (_, h) => fromHalf(h));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = f16[halves[i]];
  return values;
}

/** All values of f16, by their bits. */
let f16: Float32Array | undefined;

function fromHalf(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
