import type { ModelConfig } from '../checkpoint/config.ts';
import type { Matrix, WeightLayout } from './weight-layout.ts';

export interface Layer {
  /** g of the norm before attention, and of the one before the feed-forward. */
  readonly norms: readonly [GPUBuffer, GPUBuffer]; // [hiddenSize]
  readonly qkv: Matrix; // [(heads + 2 kvHeads) * headDim, hiddenSize]
  readonly bias: GPUBuffer; // [(heads + 2 kvHeads) * headDim]
  readonly qkNorms?: GPUBuffer; // [2, headDim]
  readonly output: Matrix; // [hiddenSize, heads * headDim]
  readonly outputBias?: GPUBuffer; // [hiddenSize]
  readonly gateUp: Matrix; // 2 × [intermediateSize, hiddenSize]
  readonly gateUpBias?: GPUBuffer; // [2, intermediateSize]
  readonly down: Matrix; // [hiddenSize, intermediateSize]
  readonly downBias?: GPUBuffer; // [hiddenSize]
}

export interface Weights {
  readonly embedding: Matrix; // [vocabSize, hiddenSize]
  readonly layers: readonly Layer[];
  readonly norm: GPUBuffer; // [hiddenSize]
  readonly head: Matrix; // [vocabSize, hiddenSize], the embedding where they are tied
}

/** `part`: logits of a workgroup of the LM head, whose slabs are cut at multiples of it. */
export async function loadWeights(loader: WeightLayout, config: ModelConfig, part: number): Promise<Weights> {
  const { headDim, attentionBias, outputBias, mlpBias, qkNorm, tieWordEmbeddings } = config;
  const heads = config.numAttentionHeads + 2 * config.numKeyValueHeads;
  const vector = (...names: string[]) => loader.vector(names[0], names);
  const embedding = await loader.stacked(['model.embed_tokens.weight'], 1, part);
  const layers: Layer[] = [];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const of = (name: string) => `model.layers.${i}.${name}`;
    const qkv = ['q_proj', 'k_proj', 'v_proj'].map((name) => of(`self_attn.${name}`));
    const biases = attentionBias ? qkv.map((name) => `${name}.bias`) : [heads * headDim];
    layers.push({
      norms: [
        await vector(of('input_layernorm.weight')),
        await vector(of('post_attention_layernorm.weight')),
      ],
      qkv: await loader.stacked(
        qkv.map((name) => `${name}.weight`),
        headDim,
      ),
      bias: await loader.vector(`${qkv[0]}.bias`, biases),
      ...(qkNorm && {
        qkNorms: await vector(of('self_attn.q_norm.weight'), of('self_attn.k_norm.weight')),
      }),
      output: await loader.stacked([of('self_attn.o_proj.weight')], 1, 32),
      ...(outputBias && { outputBias: await vector(of('self_attn.o_proj.bias')) }),
      gateUp: await loader.paired(of('mlp.gate_proj.weight'), of('mlp.up_proj.weight')),
      down: await loader.stacked([of('mlp.down_proj.weight')], 1, 32),
      ...(mlpBias && {
        gateUpBias: await vector(of('mlp.gate_proj.bias'), of('mlp.up_proj.bias')),
        downBias: await vector(of('mlp.down_proj.bias')),
      }),
    });
  }
  const norm = await vector('model.norm.weight');
  const head = tieWordEmbeddings ? embedding : await loader.stacked(['lm_head.weight'], 1, part);
  return { embedding, layers, norm, head };
}
