import { NonFiniteError } from '../base/errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Qwen2 } from '../model/qwen2.ts';
import { readAfter } from './activations.ts';
import type { RowState } from './write-rows.ts';

/**
 * Feeds one token again, a half layer more each time, until the stream holds a value that is not finite.
 * @returns an error that names the first layer that went wrong
 */
export async function firstBadLayer(
  gpu: Gpu,
  model: Qwen2,
  { token, position, sequence }: Pick<RowState, 'token' | 'position' | 'sequence'>,
  tied: boolean,
): Promise<NonFiniteError> {
  for (let stop = 0; stop <= 2 * model.numLayers; stop++) {
    // Counted as fed already, so that nothing is written.
    const fed = { table: sequence.table, length: position + 1 };
    const states = [{ sequence: fed, token, position, slot: 0, stride: 0 }];
    const stream = await readAfter(gpu, model, states, position + 1, stop, model.buffers.stream);
    if (stream.every(Number.isFinite)) continue;
    const layer = (stop - 1) >> 1;
    const name = stop % 2 === 1 ? `model.layers.${layer}.self_attn` : `model.layers.${layer}.mlp`;
    return new NonFiniteError(stop === 0 ? 'model.embed_tokens' : name, position);
  }
  return new NonFiniteError(tied ? 'model.embed_tokens (as lm_head)' : 'lm_head', position);
}
