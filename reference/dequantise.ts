import type { QuantizedMatrix, QuantizedShape, QuantizedValues } from '../src/checkpoint/quantized.ts';

/** The weights [rows][columns] that a quantised matrix stands for, each rounded as its own library rounds it. */
export async function dequantise(matrix: QuantizedMatrix): Promise<Float32Array> {
  return weightsOf(matrix, await matrix.read());
}

export function weightsOf(
  shape: QuantizedShape,
  { codes, scales, zeros, order }: QuantizedValues,
): Float32Array {
  const { rows, columns, code, group } = shape;
  const groups = Math.ceil(columns / group);
  const round = { f32: Math.fround, f16, bf16 }[shape.rounding];
  const middle = code === 'int4' ? 8 : 128;
  const weights = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = order ? order[column] : column;
      const at = row * groups + Math.floor(place / group);
      const byte = codes[row * columns + place];
      const value = code === 'fp8' ? e4m3(byte) : byte - (zeros ? zeros[at] : middle);
      weights[row * columns + column] = round(Math.fround(value * scales[at]));
    }
  }
  return weights;
}

/** Four bits of exponent about 7, three of fraction; no infinities. */
export function e4m3(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = (byte >> 3) & 15;
  const fraction = byte & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10));
}

/** To nearest, ties to even. */
export function bf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0];
}

/** To nearest, ties to even; beyond the largest to infinity. */
export function f16(value: number): number {
  const size = Math.abs(value);
  if (!(size > 0 && size < Number.POSITIVE_INFINITY)) return value;
  const unit = 2 ** Math.max(-24, Math.floor(Math.log2(size)) - 10);
  const steps = size / unit;
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor) * unit;
  return Math.sign(value) * (rounded > 65504 ? Number.POSITIVE_INFINITY : rounded);
}
