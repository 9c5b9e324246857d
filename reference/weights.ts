import { ModelFolder } from '../src/checkpoint/model-folder.ts';
import { dequantise } from './dequantise.ts';
import type { Weights } from './oracle.ts';

/** Every tensor that the model in folder `dir` calls for, in float64: exactly as stored, or as its codes stand for it. */
export async function loadWeights(dir: string): Promise<Weights> {
  const folder = await ModelFolder.open(dir);
  try {
    const weights: Weights = new Map();
    for (const [name, tensor] of folder.tensors) {
      const bytes = new Uint8Array(tensor.end - tensor.begin);
      await folder.readInto(tensor, 0, bytes);
      weights.set(name, toFloat64(bytes.buffer, tensor.dtype));
    }
    for (const [name, matrix] of folder.quantized)
      weights.set(name, Float64Array.from(await dequantise(matrix)));
    return weights;
  } finally {
    await folder.close();
  }
}

/** Little-endian values as float64; nothing is rounded. */
export function toFloat64(bytes: ArrayBuffer, dtype: 'F32' | 'F16' | 'BF16'): Float64Array {
  if (dtype === 'F32') return Float64Array.from(new Float32Array(bytes));
  const bits = new Uint16Array(bytes);
  if (dtype === 'F16') return Float64Array.from(bits, float16);
  // bf16 is the upper half of an f32.
  return Float64Array.from(new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer));
}

function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}

/** The nearest bf16 of each, ties to even, as they are stored. No NaN. */
export function nearestBf16s(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) halves[i] = (words[i] + 0x7fff + ((words[i] >>> 16) & 1)) >>> 16;
  return halves;
}

/** The nearest bf16. */
export function nearestBf16(value: number): number {
  if (Number.isNaN(value)) return value;
  return new Float32Array(Uint32Array.of(nearestBf16s([value])[0] << 16).buffer)[0];
}
