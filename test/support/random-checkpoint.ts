import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensorShapes } from '../../reference/tensors.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import type { RopeScaling } from '../../src/checkpoint/rope.ts';
import { encodeSafetensors, type TensorData } from './safetensors-bytes.ts';

export const SMALL: ModelConfig = {
  modelType: 'qwen2',
  vocabSize: 97,
  hiddenSize: 48,
  intermediateSize: 100,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 12,
  rmsNormEps: 1e-6,
  ropeTheta: 10000,
  ropeScaling: null,
  maxPositionEmbeddings: 256,
  slidingWindow: null,
  tieWordEmbeddings: false,
  attentionBias: true,
  outputBias: false,
  mlpBias: false,
  qkNorm: false,
  eosTokens: [96],
};

/**
 * Writes config.json and model.safetensors of a random model to folder `dir` and returns its config: a small Qwen2
 * but for `overrides`; the biases of the attention are those that the type has, unless they are among these. The same seed gives the same bytes. Weights
 * are scaled by their fan-in, so that logits keep a spread of about 2 at any shape.
 */
export function randomCheckpoint(
  dir: string,
  overrides: Partial<Omit<ModelConfig, 'outputBias' | 'qkNorm'>>,
  seed: number,
  dtype: 'F32' | 'BF16' = 'F32',
): ModelConfig {
  const { modelType = 'qwen2', attentionBias = modelType === 'qwen2' } = overrides;
  const outputBias = attentionBias && modelType !== 'qwen2';
  const config = { ...SMALL, ...overrides, attentionBias, outputBias, qkNorm: modelType === 'qwen3' };
  const normal = normals(seed);
  const tensors = Array.from(tensorShapes(config), ([name, shape]): TensorData => {
    const [mean, deviation] = spread(name, shape);
    const size = shape.reduce((a, b) => a * b);
    const values = Float32Array.from({ length: size }, () => mean + deviation * normal());
    return { name, dtype, shape, data: dtype === 'F32' ? new Uint8Array(values.buffer) : toBF16(values) };
  });

  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'model.safetensors'), encodeSafetensors(tensors));
  writeFileSync(join(dir, 'config.json'), JSON.stringify(configJson(config, dtype), null, 2));
  return config;
}

/** Mean and standard deviation of a tensor's entries. */
function spread(name: string, [, columns]: readonly number[]): [number, number] {
  if (name.endsWith('norm.weight')) return [1, 0.2];
  if (name.endsWith('bias')) return [0, 0.5];
  return [0, (/embed_tokens|lm_head/.test(name) ? 2 : 1) / Math.sqrt(columns)];
}

/** Gives every entry of a tensor of an F32 checkpoint this value. */
export function overwrite(dir: string, tensor: string, value: number): void {
  const file = join(dir, 'model.safetensors');
  const bytes = readFileSync(file);
  const header = Number(bytes.readBigUInt64LE());
  const [from, to] = JSON.parse(bytes.toString('utf8', 8, 8 + header))[tensor].data_offsets;
  for (let at = 8 + header + from; at < 8 + header + to; at += 4) bytes.writeFloatLE(value, at);
  writeFileSync(file, bytes);
}

export function configJson(config: ModelConfig, dtype: 'F32' | 'BF16'): Record<string, unknown> {
  const { modelType } = config;
  const names = { qwen2: 'Qwen2', qwen3: 'Qwen3', llama: 'Llama', mistral: 'Mistral' };
  return {
    architectures: [`${names[modelType]}ForCausalLM`],
    model_type: modelType,
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    num_key_value_heads: config.numKeyValueHeads,
    head_dim: config.headDim,
    hidden_act: 'silu',
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    rope_scaling: config.ropeScaling && ropeJson(config.ropeScaling),
    max_position_embeddings: config.maxPositionEmbeddings,
    tie_word_embeddings: config.tieWordEmbeddings,
    attention_bias: config.attentionBias,
    mlp_bias: config.mlpBias,
    ...windowJson(config),
    eos_token_id: config.eosTokens,
    torch_dtype: dtype === 'F32' ? 'float32' : 'bfloat16',
  };
}

function ropeJson({ type, ...scaling }: RopeScaling): Record<string, unknown> {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const named = Object.entries(scaling).map(([name, value]) => [
    name === 'originalPositions' ? 'original_max_position_embeddings' : snake(name),
    value,
  ]);
  return { rope_type: type, ...Object.fromEntries(named) };
}

function windowJson({ modelType, slidingWindow, numHiddenLayers }: ModelConfig): Record<string, unknown> {
  if (modelType === 'llama') return {};
  if (modelType === 'mistral') return { sliding_window: slidingWindow?.size ?? null };
  if (!slidingWindow) return { use_sliding_window: false };
  const { size, layers } = slidingWindow;
  const on = { use_sliding_window: true, sliding_window: size };
  if (typeof layers === 'number') return { ...on, max_window_layers: layers };
  const types = Array.from({ length: numHiddenLayers }, (_, i) => (layers[i] ? 'sliding' : 'full'));
  return { ...on, layer_types: types.map((type) => `${type}_attention`) };
}

/** The upper halves of the values, rounded to nearest, ties to even. */
function toBF16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16).buffer);
}

/** Standard normals: Box–Muller on splitmix32. */
function normals(seed: number): () => number {
  let state = seed | 0;
  /** In (0, 1]. */
  const uniform = () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (((z ^ (z >>> 16)) >>> 0) + 1) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
