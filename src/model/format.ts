import type { QuantizedShape } from '../checkpoint/quantized.ts';
import type { Dtype, TensorInfo } from '../checkpoint/safetensors.ts';
import type { Constants, ShaderName } from '../gpu/kernel.ts';

/** How a weight matrix is kept on the GPU. */
export type Format = Plain | Quantized;

interface Plain {
  readonly code: 'f32' | 'bf16' | 'f16';
}

/** As codes: w = round((code − zero) · scale). */
export interface Quantized extends Pick<QuantizedShape, 'code' | 'group' | 'rounding' | 'hasZeros'> {}

export const isQuantized = (format: Format): format is Quantized => 'group' in format;

const PLAIN = { F32: 'f32', BF16: 'bf16', F16: 'f16' } as const;

/** Of a matrix made of these. What they do not have in common is undone: it is f32. */
export function commonFormat(parts: readonly (TensorInfo | QuantizedShape)[]): Format {
  const [first, ...others] = parts.map(formatOf);
  const key = JSON.stringify(first);
  return others.every((format) => JSON.stringify(format) === key) ? first : { code: 'f32' };
}

function formatOf(part: TensorInfo | QuantizedShape): Format {
  if ('dtype' in part) return { code: PLAIN[part.dtype] };
  const { code, group, rounding, hasZeros } = part;
  return { code, group, rounding, hasZeros };
}

/** What holds the words of a matrix on the GPU. */
export type Holder = 'buffer' | 'texture';

/** The files of shaders/ that read the format. */
export const filesOf = (format: Format, holder: Holder): ShaderName[] => [
  `in-${holder}`,
  'weights',
  ...(isQuantized(format) ? (['quantized'] as const) : []),
  format.code,
];

/** Texels of a line of a texture that holds a matrix, 16 bytes each; the last line is filled up. */
export const LINE = 1024;

const ROUNDINGS = { f32: 0, f16: 1, bf16: 2 } as const;

export const constantsOf = (format: Format): Constants =>
  isQuantized(format)
    ? { GROUP: format.group, ZEROS: format.hasZeros, ROUNDING: ROUNDINGS[format.rounding] }
    : {};

/** Whether 32 columns from a multiple of 32 on always share a scale. */
export const isInChunks = (format: Format, columns: number): format is Quantized =>
  isQuantized(format) && (format.group % 32 === 0 || format.group >= columns);

export const BITS = { f32: 32, bf16: 16, f16: 16, int8: 8, int4: 4, fp8: 8 } as const;
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = { BF16: 2, F16: 2, F32: 4 };

/** Bytes of eight rows, interleaved. */
export function eightRows(format: Format, columns: number): number {
  if (!isQuantized(format)) return Math.ceil(columns / 8) * 8 * BITS[format.code];
  const quads = Math.ceil(Math.ceil(columns / format.group) / 4);
  return 8 * 4 * (Math.ceil(columns / 32) * BITS[format.code] + (format.hasZeros ? 5 : 4) * quads);
}
