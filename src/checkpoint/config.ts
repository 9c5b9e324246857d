import { dirname, join } from 'node:path';
import { CheckpointError, UnsupportedModelError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import { isObject, readJson } from './json.ts';
import type { Checkpoint } from './safetensors.ts';

/** A decoder-only transformer of the Qwen2 graph; a llama without biases is the same graph. */
export interface ModelConfig {
  readonly modelType: 'qwen2' | 'llama';
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Divides numAttentionHeads. */
  readonly numKeyValueHeads: number;
  /** A multiple of 4; numAttentionHeads · headDim need not be hiddenSize. */
  readonly headDim: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly maxPositionEmbeddings: number;
  /** The output projection is the embedding: there is no lm_head.weight. */
  readonly tieWordEmbeddings: boolean;
  /** q, k and v have biases (qwen2). */
  readonly attentionBias: boolean;
  /** Ascending, the union of config.json's and generation_config.json's. */
  readonly eosTokens: readonly number[];
}

/** Keys that change what a model computes, with the one value at which they do not; null and absence do not either. */
const INERT: readonly (readonly [key: string, value: unknown])[] = [
  ['hidden_act', 'silu'],
  ['mlp_bias', false],
  ['partial_rotary_factor', 1],
  ['quantization_config', null],
  ['compression_config', null],
  ['is_causal', true],
  ['is_encoder_decoder', false],
  ['use_mrope', false],
  ['use_qk_norm', false],
  ['attn_logit_softcapping', null],
  ['final_logit_softcapping', null],
];
const ARCHITECTURES = { qwen2: /^Qwen2ForCausalLM$/, llama: /^L[Ll]a[Mm][Aa]ForCausalLM$/ };
const INT32_MAX = 2 ** 31 - 1;
const F32_MAX = (2 - 2 ** -23) * 2 ** 127;
const POSITIVE = 'a positive number within the range of f32';

/**
 * Reads a Hugging Face configuration, in the form of transformers 4 or 5. Of `generationConfig` only the EOS tokens
 * are used. `file` is for messages.
 * @throws CheckpointError a required key is missing, or a value is of the wrong kind or out of range
 * @throws UnsupportedModelError a key asks for something that is not computed
 * @internal
 */
export function parseConfig(json: unknown, file: string, generationConfig?: unknown): ModelConfig {
  if (!isObject(json)) throw new CheckpointError(file, 'is not a JSON object');
  const wrong = (key: string, allowed: string) =>
    new CheckpointError(file, `${key} is ${show(json[key])}: ${allowed}`);
  const required = (key: string): unknown => {
    if (json[key] == null)
      throw new CheckpointError(file, `the required key ${JSON.stringify(key)} is missing`);
    return json[key];
  };
  const size = (key: string): number => {
    const value = required(key);
    if (!isCount(value) || value === 0) throw wrong(key, `a whole number from 1 to ${INT32_MAX}`);
    return value;
  };
  const flag = (key: string): boolean => {
    const value = json[key] ?? false;
    if (typeof value !== 'boolean') throw wrong(key, 'true or false');
    return value;
  };

  const modelType = required('model_type');
  if (typeof modelType !== 'string') throw wrong('model_type', 'a string');
  if (modelType !== 'qwen2' && modelType !== 'llama')
    throw new UnsupportedModelError('model_type', modelType, '"qwen2" or "llama"');
  for (const [key, value] of INERT)
    if (json[key] != null && json[key] !== value)
      throw new UnsupportedModelError(key, json[key], value === null ? 'none' : JSON.stringify(value));
  const attentionBias = modelType === 'qwen2';
  if (json.attention_bias != null && json.attention_bias !== attentionBias)
    throw new UnsupportedModelError(
      'attention_bias',
      json.attention_bias,
      `${attentionBias} for ${modelType}`,
    );
  const architectures = json.architectures ?? [];
  if (!Array.isArray(architectures)) throw wrong('architectures', 'a list');
  if (!architectures.every((name) => typeof name === 'string' && ARCHITECTURES[modelType].test(name)))
    throw new UnsupportedModelError('architectures', architectures, 'a ForCausalLM of the model_type');

  const vocabSize = size('vocab_size');
  const hiddenSize = size('hidden_size');
  const numHiddenLayers = size('num_hidden_layers');
  checkAttentionSpan(json, numHiddenLayers, wrong);
  const numAttentionHeads = size('num_attention_heads');
  const numKeyValueHeads = json.num_key_value_heads == null ? numAttentionHeads : size('num_key_value_heads');
  if (numAttentionHeads % numKeyValueHeads !== 0)
    throw wrong('num_key_value_heads', `it must divide num_attention_heads, ${numAttentionHeads}`);
  const headDim = json.head_dim == null ? hiddenSize / numAttentionHeads : size('head_dim');
  if (!Number.isInteger(headDim))
    throw wrong('hidden_size', `without head_dim, num_attention_heads (${numAttentionHeads}) must divide it`);
  if (headDim % 4 !== 0) throw new UnsupportedModelError('head_dim', headDim, 'a multiple of 4');
  const rmsNormEps = required('rms_norm_eps');
  if (!isPositive(rmsNormEps)) throw wrong('rms_norm_eps', POSITIVE);

  let tokens = eosTokens(json.eos_token_id, vocabSize, file);
  if (generationConfig !== undefined) {
    const generationFile = join(dirname(file), 'generation_config.json');
    if (!isObject(generationConfig)) throw new CheckpointError(generationFile, 'is not a JSON object');
    tokens = tokens.concat(eosTokens(generationConfig.eos_token_id, vocabSize, generationFile));
  }
  return {
    modelType,
    vocabSize,
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps,
    ropeTheta: ropeTheta(json, modelType, file),
    maxPositionEmbeddings: size('max_position_embeddings'),
    tieWordEmbeddings: flag('tie_word_embeddings'),
    attentionBias,
    eosTokens: [...new Set(tokens)].sort((a, b) => a - b),
  };
}

/** Every layer must attend to the whole prefix. */
function checkAttentionSpan(
  json: Record<string, unknown>,
  layers: number,
  wrong: (key: string, allowed: string) => CheckpointError,
): void {
  const { layer_types: layerTypes, use_sliding_window: sliding, max_window_layers: firstSliding } = json;
  if (layerTypes != null) {
    if (!Array.isArray(layerTypes) || layerTypes.length !== layers)
      throw wrong('layer_types', `a list of num_hidden_layers (${layers}) entries`);
    const other = layerTypes.find((type) => type !== 'full_attention');
    if (other !== undefined) throw new UnsupportedModelError('layer_types', other, '"full_attention" alone');
  } else if (sliding != null && sliding !== false) {
    // Layers below max_window_layers do not slide.
    const slides = json.sliding_window !== null && !(isCount(firstSliding) && firstSliding >= layers);
    if (slides) throw new UnsupportedModelError('use_sliding_window', sliding, 'false');
  }
}

/** transformers 4 has rope_theta and rope_scaling, transformers 5 rope_parameters. */
function ropeTheta(json: Record<string, unknown>, modelType: string, file: string): number {
  const thetas = new Set([json.rope_theta]);
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const rope = json[key] ?? {};
    if (!isObject(rope)) throw new CheckpointError(file, `${key} is ${show(rope)}: an object`);
    const { rope_type: type = 'default', type: oldType = 'default', rope_theta: theta, ...rest } = rope;
    if (type !== 'default') throw new UnsupportedModelError(`${key}.rope_type`, type, '"default"');
    if (oldType !== 'default') throw new UnsupportedModelError(`${key}.type`, oldType, '"default"');
    for (const [name, value] of Object.entries(rest)) {
      if (value === null || (name === 'partial_rotary_factor' && value === 1)) continue;
      throw new UnsupportedModelError(`${key}.${name}`, value, 'plain rotary embeddings of whole heads');
    }
    thetas.add(theta);
  }
  thetas.delete(undefined);
  thetas.delete(null);
  if (thetas.size === 0 && modelType === 'llama') return 10000; // the first llamas do not write it down
  if (thetas.size === 0) throw new CheckpointError(file, 'the required key "rope_theta" is missing');
  const [theta] = thetas;
  if (thetas.size > 1)
    throw new CheckpointError(file, `rope_theta has two values, ${[...thetas].map(show).join(' and ')}`);
  if (!isPositive(theta)) throw new CheckpointError(file, `rope_theta is ${show(theta)}: ${POSITIVE}`);
  return theta;
}

function eosTokens(value: unknown, vocabSize: number, file: string): number[] {
  if (value == null) return [];
  const tokens = Array.isArray(value) ? value : [value];
  if (tokens.every((token) => isCount(token) && token < vocabSize)) return tokens;
  const allowed = `token ids below vocab_size, ${vocabSize}`;
  throw new CheckpointError(file, `eos_token_id is ${show(value)}: ${allowed}`);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= INT32_MAX;
}

/** As an f32, which is what the GPU is given; it takes nothing beyond the largest, not even what would round to it. */
function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Math.fround(value) > 0 && value <= F32_MAX;
}

/**
 * Reads config.json and, where there is one, generation_config.json; `warn` is told what is doubtful in them.
 * @throws CheckpointError, UnsupportedModelError
 * @internal
 */
export async function loadConfig(dir: string, warn?: (message: string) => void): Promise<ModelConfig> {
  const file = join(dir, 'config.json');
  const json = await readJson(file, warn);
  if (json === undefined) throw new CheckpointError(file, 'the file is missing');
  return parseConfig(json, file, await readJson(join(dir, 'generation_config.json'), warn));
}

/** Every tensor the configuration calls for, with its shape; weight matrices are [outputs, inputs]. @internal */
export function tensorShapes(config: ModelConfig): Map<string, number[]> {
  return new Map(calledFor(config));
}

function* calledFor(config: ModelConfig): Generator<[name: string, shape: number[]]> {
  const { vocabSize, hiddenSize, intermediateSize, headDim } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  yield ['model.embed_tokens.weight', [vocabSize, hiddenSize]];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = `model.layers.${i}`;
    yield [`${layer}.input_layernorm.weight`, [hiddenSize]];
    for (const [name, outputs] of [['q', queries] as const, ['k', keys] as const, ['v', keys] as const]) {
      yield [`${layer}.self_attn.${name}_proj.weight`, [outputs, hiddenSize]];
      if (config.attentionBias) yield [`${layer}.self_attn.${name}_proj.bias`, [outputs]];
    }
    yield [`${layer}.self_attn.o_proj.weight`, [hiddenSize, queries]];
    yield [`${layer}.post_attention_layernorm.weight`, [hiddenSize]];
    yield [`${layer}.mlp.gate_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${layer}.mlp.up_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${layer}.mlp.down_proj.weight`, [hiddenSize, intermediateSize]];
  }
  yield ['model.norm.weight', [hiddenSize]];
  if (!config.tieWordEmbeddings) yield ['lm_head.weight', [vocabSize, hiddenSize]];
}

/**
 * Checks that every tensor the configuration calls for is there in its shape. Returns the names of those it does not
 * call for.
 * @throws CheckpointError
 * @internal
 */
export function checkTensors(
  config: ModelConfig,
  checkpoint: Pick<Checkpoint, 'file' | 'tensors' | 'others'>,
): string[] {
  const unexpected = new Set([...checkpoint.tensors.keys(), ...checkpoint.others.keys()]);
  for (const [name, shape] of calledFor(config)) {
    const found = checkpoint.tensors.get(name);
    const other = checkpoint.others.get(name);
    if (other) {
      const message = `dtype ${show(other.dtype)} is not supported, only F32, F16 and BF16 are`;
      throw new CheckpointError(other.file, message, { tensor: name });
    }
    if (!found)
      throw new CheckpointError(checkpoint.file, `is missing: expected shape [${shape}]`, { tensor: name });
    if (String(found.shape) !== String(shape)) {
      const message = `expected shape [${shape}], found ${show(found.shape)}`;
      throw new CheckpointError(found.file, message, { tensor: name });
    }
    unexpected.delete(name);
  }
  return [...unexpected];
}
