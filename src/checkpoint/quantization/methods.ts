import { UnsupportedModelError } from '../../base/errors.ts';
import { show } from '../../base/show.ts';
import { isObject } from '../json.ts';
import type { QuantizedShape } from '../quantized.ts';
import { parseAwq } from './awq.ts';
import { parseCompressedTensors } from './compressed-tensors.ts';
import { parseFp8 } from './fp8.ts';
import { parseGptq } from './gptq.ts';
import type { Quantization } from './quantization.ts';
import { Settings } from './settings.ts';

type Parse = (settings: Settings, dtype: QuantizedShape['rounding'] | undefined) => Quantization;

const METHODS: Readonly<Record<string, Parse>> = {
  gptq: parseGptq,
  awq: parseAwq,
  'compressed-tensors': parseCompressedTensors,
  fp8: parseFp8,
};
const NAMES = Object.keys(METHODS).map(show).join(', ');
const DTYPES = new Map<unknown, QuantizedShape['rounding']>([
  ['bfloat16', 'bf16'],
  ['float16', 'f16'],
  ['float32', 'f32'],
]);

/** @param otherwise the method where none is named @throws CheckpointError, UnsupportedModelError */
export function parseMethod(
  key: string,
  value: unknown,
  json: Record<string, unknown>,
  file: string,
  otherwise?: string,
): Quantization {
  const method = (isObject(value) ? (value.quant_method ?? value.method) : undefined) ?? otherwise;
  const supported = `none, or an object with a quant_method of ${NAMES}`;
  if (!isObject(value) || method === undefined) throw new UnsupportedModelError(key, value, supported);
  if (typeof method !== 'string' || !Object.hasOwn(METHODS, method))
    throw new UnsupportedModelError(`${key}.quant_method`, method, NAMES);
  return METHODS[method](new Settings(file, key, value), DTYPES.get(json.dtype ?? json.torch_dtype));
}

/** To be waited for before it is used: a browser fetches it. */
export const ready = async (): Promise<void> => {};
