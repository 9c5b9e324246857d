import { parseMethod, ready } from '#runtime/checkpoint/quantization/methods';
import { CheckpointError } from '../../base/errors.ts';
import { isObject } from '../json.ts';
import type { Quantization } from './quantization.ts';

/** To be waited for before either of them parses a file that says that weights are quantised. */
export { ready };

/** Whether config.json says that weights are quantised. */
export const saysQuantized = (json: unknown): boolean =>
  isObject(json) && (json.quantization_config != null || json.compression_config != null);

/**
 * How config.json says that weights are quantised; null where it says nothing. `file` is for messages.
 * @throws CheckpointError, UnsupportedModelError
 */
export function parseQuantization(json: unknown, file: string): Quantization | null {
  if (!isObject(json)) return null;
  const { quantization_config: config, compression_config: older } = json;
  if (config != null && older != null)
    throw new CheckpointError(file, 'has both a quantization_config and a compression_config');
  if (config != null) return parseMethod('quantization_config', config, json, file);
  return older == null ? null : parseMethod('compression_config', older, json, file, 'compressed-tensors');
}

/** What AutoGPTQ writes into a file of its own. @throws CheckpointError, UnsupportedModelError */
export function parseQuantizeConfig(json: unknown, file: string): Quantization {
  return parseMethod('quantize_config', json, {}, file, 'gptq');
}
