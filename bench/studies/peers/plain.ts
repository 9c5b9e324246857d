import { UnsupportedModelError } from '../../../src/base/errors.ts';
import type { ModelConfig } from '../../../src/checkpoint/config.ts';

/** The models that are written for the peers are Qwen2s, and Llamas without biases; neither with anything that changes with the length. */
export function refuseOthers(config: ModelConfig): void {
  const { modelType, ropeScaling, slidingWindow, attentionBias, mlpBias } = config;
  const refuse = (key: string, value: unknown, supported: string) => {
    throw new UnsupportedModelError(key, value, supported);
  };
  if (modelType !== 'qwen2' && modelType !== 'llama') refuse('model_type', modelType, '"qwen2" or "llama"');
  if (ropeScaling) refuse('rope_scaling', ropeScaling, 'none');
  if (slidingWindow) refuse('sliding_window', slidingWindow, 'none');
  if (modelType === 'llama' && attentionBias) refuse('attention_bias', true, 'false for llama');
  if (mlpBias) refuse('mlp_bias', true, 'false');
}
