import type { ModelConfig } from '../src/checkpoint/config.ts';

/** The shape of every tensor that a checkpoint of this config has, by its Hugging Face name, in the order of the layers. */
export function tensorShapes(config: ModelConfig): Map<string, number[]> {
  const { vocabSize, hiddenSize, intermediateSize, headDim } = config;
  const [q, kv] = [config.numAttentionHeads * headDim, config.numKeyValueHeads * headDim];
  const shapes = new Map([['model.embed_tokens.weight', [vocabSize, hiddenSize]]]);
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = (name: string, shape: number[]) => shapes.set(`model.layers.${i}.${name}`, shape);
    layer('input_layernorm.weight', [hiddenSize]);
    for (const [name, rows] of [
      ['q', q],
      ['k', kv],
      ['v', kv],
    ] as const) {
      layer(`self_attn.${name}_proj.weight`, [rows, hiddenSize]);
      if (config.attentionBias) layer(`self_attn.${name}_proj.bias`, [rows]);
    }
    if (config.qkNorm) for (const name of ['q', 'k']) layer(`self_attn.${name}_norm.weight`, [headDim]);
    layer('self_attn.o_proj.weight', [hiddenSize, q]);
    if (config.outputBias) layer('self_attn.o_proj.bias', [hiddenSize]);
    layer('post_attention_layernorm.weight', [hiddenSize]);
    for (const [name, rows, columns] of [
      ['gate', intermediateSize, hiddenSize],
      ['up', intermediateSize, hiddenSize],
      ['down', hiddenSize, intermediateSize],
    ] as const) {
      layer(`mlp.${name}_proj.weight`, [rows, columns]);
      if (config.mlpBias) layer(`mlp.${name}_proj.bias`, [rows]);
    }
  }
  shapes.set('model.norm.weight', [hiddenSize]);
  if (!config.tieWordEmbeddings) shapes.set('lm_head.weight', [vocabSize, hiddenSize]);
  return shapes;
}
