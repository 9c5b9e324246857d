import { type ModelConfig, tensorShapes } from '../checkpoint/config.ts';
import type { Dtype, TensorInfo, TensorSource } from '../checkpoint/safetensors.ts';
import { type CodesForm, RandomCodes } from './random-codes.ts';

/** A prime, so that no two rows of a matrix are alike. */
const PERIOD = 65_521;

/** Bell-shaped whole numbers from −126 to 126, standard deviation 36. @param seed not 0 */
export function bellShaped(length: number, seed: number): Int8Array {
  let state = seed;
  return new Int8Array(length).map(() => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 63) + ((state >>> 8) & 63) + ((state >>> 16) & 63) + ((state >>> 24) & 63) - 126;
  });
}
const BYTES = { BF16: 2, F16: 2, F32: 4 } as const;

/**
 * The weights of a model, made as they are read; the same every time. Matrices hold whole numbers below 128 times a power of two,
 * which every dtype holds exactly, and are scaled by their fan-in: what comes out of them is about as large as what goes in.
 */
export class RandomTensors implements TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly quantized: ReadonlyMap<string, RandomCodes>;
  private readonly noise: Int8Array = bellShaped(PERIOD, 1);
  private readonly encoded = new Map<string, Uint8Array>();

  /** `formOf`: how it is stored, of a matrix perhaps as codes. */
  constructor(config: ModelConfig, formOf: (name: string) => Dtype | CodesForm) {
    const tensors: [string, TensorInfo][] = [];
    const quantized: [string, RandomCodes][] = [];
    for (const [name, shape] of tensorShapes(config)) {
      const dtype = formOf(name);
      if (typeof dtype !== 'string') {
        const start = startOf(name);
        quantized.push([name, new RandomCodes(shape, dtype, (i) => this.noise[(start + i) % PERIOD])]);
        continue;
      }
      const end = BYTES[dtype] * shape.reduce((a, b) => a * b);
      tensors.push([name, { name, dtype, shape, file: 'random', begin: 0, end }]);
    }
    this.tensors = new Map(tensors);
    this.quantized = new Map(quantized);
  }

  async readInto(tensor: TensorInfo, offset: number, target: Uint8Array): Promise<void> {
    const bytes = this.bytes(tensor);
    let at = (BYTES[tensor.dtype] * startOf(tensor.name) + offset) % bytes.length;
    for (let done = 0; done < target.length; at = 0) {
      const part = bytes.subarray(at, at + target.length - done);
      target.set(part, done);
      done += part.length;
    }
  }

  /** Row number `row` of a matrix, or with 0 a vector; zeros for a tensor that the model has not got. */
  row(name: string, row: number, width: number): Float64Array {
    const codes = this.quantized.get(name);
    if (codes) return codes.row(row);
    const tensor = this.tensors.get(name);
    if (!tensor) return new Float64Array(width);
    const start = startOf(name) + row * width;
    const value = entryOf(tensor);
    return new Float64Array(width).map((_, i) => value(this.noise[(start + i) % PERIOD]));
  }

  private bytes(tensor: TensorInfo): Uint8Array {
    const key = `${tensor.dtype} ${formOf(tensor)}`;
    let bytes = this.encoded.get(key);
    if (!bytes) {
      const values = new Float32Array(this.noise).map(entryOf(tensor));
      bytes = encode(values, tensor.dtype);
      this.encoded.set(key, bytes);
    }
    return bytes;
  }
}

/** What multiplies the noise: a power of two by its exponent; or 1 + noise / 1024, rounded, of a norm. */
function formOf({ name, shape, dtype }: TensorInfo): number | 'norm' {
  if (name.endsWith('norm.weight')) return 'norm';
  if (name.endsWith('bias')) return -6;
  if (dtype === 'F16' && name === 'lm_head.weight') return -17; // a part of them subnormal
  return Math.round(Math.log2((/embed_tokens|lm_head/.test(name) ? 2 : 1) / 36 / Math.sqrt(shape[1])));
}

function entryOf(tensor: TensorInfo): (noise: number) => number {
  const form = formOf(tensor);
  if (form === 'norm') return (n) => 1 + Math.round(n / 8) / 128;
  const scale = 2 ** form;
  return (n) => n * scale;
}

function encode(values: Float32Array<ArrayBuffer>, dtype: Dtype): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer);
  const bits = new Uint32Array(values.buffer);
  const half = dtype === 'BF16' ? (b: number) => b >>> 16 : halfOf;
  return new Uint8Array(new Uint16Array(bits.map(half)).buffer);
}

/** f16 of an f32 that it holds exactly. */
function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 255) - 112;
  const fraction = (bits >>> 13) & 1023;
  if (exponent > 0) return sign | (exponent << 10) | fraction;
  return exponent <= -11 ? sign : sign | ((1024 | fraction) >> (1 - exponent));
}

/** Where in the noise a tensor begins (FNV-1a of its name). */
function startOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % PERIOD;
}
