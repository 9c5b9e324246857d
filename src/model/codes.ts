// Matrices that a checkpoint stores as codes, on their way to the GPU.
import type { QuantizedShape, QuantizedValues } from '../checkpoint/quantized.ts';

const groupsOf = ({ columns, group }: QuantizedShape): number => Math.ceil(columns / group);

/** Bytes of a row for shaders/pack-codes.wgsl. */
export function rowBytes(shape: QuantizedShape): number {
  const zeros = shape.hasZeros ? Math.ceil(groupsOf(shape) / 4) : 0;
  return 4 * (Math.ceil(shape.columns / 4) + groupsOf(shape) + zeros);
}

/** Rows from `first` on, as many as `target` holds: codes, scales, zero points. */
export function writeRows(
  shape: QuantizedShape,
  { codes, scales, zeros }: QuantizedValues,
  first: number,
  target: Uint8Array,
): void {
  const { columns } = shape;
  const groups = groupsOf(shape);
  const scaleBytes = new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength);
  for (let at = 0, row = first; at < target.length; at += rowBytes(shape), row++) {
    target.set(codes.subarray(row * columns, (row + 1) * columns), at);
    const behind = at + 4 * Math.ceil(columns / 4);
    target.set(scaleBytes.subarray(4 * row * groups, 4 * (row + 1) * groups), behind);
    if (zeros) target.set(zeros.subarray(row * groups, (row + 1) * groups), behind + 4 * groups);
  }
}

const MIDDLE = { int4: 8, int8: 128, fp8: 0 } as const;

/** The weights of the same rows, in the order of the model. */
export function dequantize(
  shape: QuantizedShape,
  { codes, scales, zeros, order }: QuantizedValues,
  first: number,
  target: Float32Array,
): void {
  const { columns, group, code } = shape;
  const groups = groupsOf(shape);
  const round = ROUND[shape.rounding];
  for (let at = 0, row = first; at < target.length; at += columns, row++) {
    for (let j = 0; j < columns; j++) {
      const place = order ? order[j] : j;
      const g = row * groups + Math.floor(place / group);
      const bits = codes[row * columns + place];
      const value = code === 'fp8' ? fp8(bits) : bits - (zeros ? zeros[g] : MIDDLE[code]);
      target[at + j] = round(Math.fround(value * scales[g]));
    }
  }
}

/** E4M3 FN but for its NaN. */
function fp8(bits: number): number {
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  const size = exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10);
  return bits & 128 ? -size : size;
}

/** To so many bits of fraction, ties to even; below `least` to multiples of the least step. */
function rounder(bits: number, least: number): (value: number) => number {
  return (value) => {
    const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), least) - bits);
    const steps = value / step;
    const whole = Math.round(steps);
    return (Math.abs(steps % 1) === 0.5 && whole % 2 !== 0 ? whole - 1 : whole) * step || 0;
  };
}

const ROUND = { f32: Math.fround, f16: rounder(10, -14), bf16: rounder(7, -126) } as const;
