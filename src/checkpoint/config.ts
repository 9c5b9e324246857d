import { filesIn } from '#runtime/checkpoint/files';
import { CheckpointError, UnsupportedModelError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import { isObject, readJson } from './json.ts';
import { parseQuantization, ready, saysQuantized } from './quantization/parse.ts';
import type { Quantization } from './quantization/quantization.ts';
import { INT32_MAX, isCount, isPositive, POSITIVE } from './ranges.ts';
import { parseRope, type RopeScaling } from './rope.ts';
import type { Checkpoint } from './safetensors.ts';
import type { ModelFiles } from './source.ts';
import { parseWindow, type SlidingWindow } from './window.ts';

/** A decoder-only transformer of the Qwen2 graph, which llama, mistral and qwen3 differ from in little. */
export interface ModelConfig {
  /** The family. */
  readonly modelType: 'qwen2' | 'qwen3' | 'llama' | 'mistral';
  /** Tokens, with those that have no text. */
  readonly vocabSize: number;
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  /** Width of the feed-forward layers. */
  readonly intermediateSize: number;
  /** Layers. */
  readonly numHiddenLayers: number;
  /** Heads of attention. */
  readonly numAttentionHeads: number;
  /** Divides numAttentionHeads. */
  readonly numKeyValueHeads: number;
  /** A multiple of 4; numAttentionHeads · headDim need not be hiddenSize. */
  readonly headDim: number;
  /** Added to the mean square in norms. */
  readonly rmsNormEps: number;
  /** Base of the rotary embeddings. */
  readonly ropeTheta: number;
  /** null: plain rotary embeddings. */
  readonly ropeScaling: RopeScaling | null;
  /** Positions that the model was made for. */
  readonly maxPositionEmbeddings: number;
  /** null: every layer attends to the whole prefix. */
  readonly slidingWindow: SlidingWindow | null;
  /** The output projection is the embedding: there is no lm_head.weight. */
  readonly tieWordEmbeddings: boolean;
  /** q, k and v have biases. */
  readonly attentionBias: boolean;
  /** o has one. */
  readonly outputBias: boolean;
  /** gate, up and down have biases. */
  readonly mlpBias: boolean;
  /** Each head of the queries and keys is normed (qwen3). */
  readonly qkNorm: boolean;
  /** Ascending, the union of config.json's and generation_config.json's. */
  readonly eosTokens: readonly number[];
}

/** Keys that change what a model computes, with the one value at which they do not; null and absence do not either. */
const INERT: readonly (readonly [key: string, value: unknown])[] = [
  ['hidden_act', 'silu'],
  ['partial_rotary_factor', 1],
  ['is_causal', true],
  ['is_encoder_decoder', false],
  ['use_mrope', false],
  ['use_qk_norm', false],
  ['attn_logit_softcapping', null],
  ['final_logit_softcapping', null],
];

/** What a family has that others do not: fixed values, and what transformers takes where the key is absent. */
interface Family {
  readonly architecture: RegExp;
  readonly keyValueHeads?: number;
  readonly headDim?: number;
  readonly ropeTheta?: number;
  /** Of those that cannot be told by a key. */
  readonly attentionBias?: boolean;
  readonly mlpBias?: boolean;
}
const FAMILIES: Readonly<Record<ModelConfig['modelType'], Family>> = {
  qwen2: { architecture: /^Qwen2ForCausalLM$/, keyValueHeads: 32, attentionBias: true, mlpBias: false },
  qwen3: { architecture: /^Qwen3ForCausalLM$/, keyValueHeads: 32, headDim: 128, mlpBias: false },
  // The first of these do not write theta down.
  llama: { architecture: /^L[Ll]a[Mm][Aa]ForCausalLM$/, ropeTheta: 10000 },
  mistral: {
    architecture: /^MistralForCausalLM$/,
    keyValueHeads: 8,
    ropeTheta: 10000,
    attentionBias: false,
    mlpBias: false,
  },
};
const NAMES = Object.keys(FAMILIES).map(show).join(', ');
const isFamily = (name: string): name is ModelConfig['modelType'] => Object.hasOwn(FAMILIES, name);

/** What config.json says of a model. */
interface Configs {
  readonly config: ModelConfig;
  /** How its weights are quantised; null: not at all, as far as this file says. */
  readonly quantization: Quantization | null;
}

/**
 * Reads a Hugging Face configuration, in the form of transformers 4 or 5. Of `generationConfig` only the EOS tokens
 * are used. `file` is for messages.
 * @throws CheckpointError a required key is missing, or a value is of the wrong kind or out of range
 * @throws UnsupportedModelError a key asks for something that is not computed
 * @internal
 */
export function parseConfigs(json: unknown, file: string, generationConfig?: unknown): Configs {
  if (!isObject(json)) throw new CheckpointError(file, 'is not a JSON object');
  const wrong = (key: string, allowed: string) =>
    new CheckpointError(file, `${key} is ${show(json[key])}: ${allowed}`);
  const required = (key: string): unknown => {
    if (json[key] == null)
      throw new CheckpointError(file, `the required key ${JSON.stringify(key)} is missing`);
    return json[key];
  };
  const size = (key: string, value = required(key)): number => {
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
  if (!isFamily(modelType)) throw new UnsupportedModelError('model_type', modelType, NAMES);
  const family = FAMILIES[modelType];
  for (const [key, value] of INERT)
    if (json[key] != null && json[key] !== value)
      throw new UnsupportedModelError(key, json[key], value === null ? 'none' : JSON.stringify(value));
  const biased = (key: string, fixed: boolean | undefined): boolean => {
    if (fixed === undefined) return flag(key);
    if (json[key] != null && json[key] !== fixed)
      throw new UnsupportedModelError(key, json[key], `${fixed} for ${modelType}`);
    return fixed;
  };
  const attentionBias = biased('attention_bias', family.attentionBias);
  const mlpBias = biased('mlp_bias', family.mlpBias);
  const architectures = json.architectures ?? [];
  if (!Array.isArray(architectures)) throw wrong('architectures', 'a list');
  if (!architectures.every((name) => typeof name === 'string' && family.architecture.test(name)))
    throw new UnsupportedModelError('architectures', architectures, 'a ForCausalLM of the model_type');

  const vocabSize = size('vocab_size');
  const hiddenSize = size('hidden_size');
  const numHiddenLayers = size('num_hidden_layers');
  const slidingWindow = parseWindow(json, modelType, numHiddenLayers, file);
  const numAttentionHeads = size('num_attention_heads');
  const { num_key_value_heads: givenHeads = family.keyValueHeads } = json; // null is not absent
  const numKeyValueHeads = givenHeads == null ? numAttentionHeads : size('num_key_value_heads', givenHeads);
  if (numAttentionHeads % numKeyValueHeads !== 0)
    throw new CheckpointError(
      file,
      `num_key_value_heads is ${numKeyValueHeads}: it must divide num_attention_heads, ${numAttentionHeads}`,
    );
  const headDim =
    json.head_dim == null ? (family.headDim ?? hiddenSize / numAttentionHeads) : size('head_dim');
  if (!Number.isInteger(headDim))
    throw wrong('hidden_size', `without head_dim, num_attention_heads (${numAttentionHeads}) must divide it`);
  if (headDim % 4 !== 0) throw new UnsupportedModelError('head_dim', headDim, 'a multiple of 4');
  const rmsNormEps = required('rms_norm_eps');
  if (!isPositive(rmsNormEps)) throw wrong('rms_norm_eps', POSITIVE);

  const { theta, scaling, positions } = parseRope(
    json,
    family.ropeTheta,
    size('max_position_embeddings'),
    file,
  );

  let tokens = eosTokens(json.eos_token_id, vocabSize, file);
  if (generationConfig !== undefined) {
    const generationFile = file.replace(/[^/\\]*$/, 'generation_config.json');
    if (!isObject(generationConfig)) throw new CheckpointError(generationFile, 'is not a JSON object');
    tokens = tokens.concat(eosTokens(generationConfig.eos_token_id, vocabSize, generationFile));
  }
  const config: ModelConfig = {
    modelType,
    vocabSize,
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps,
    ropeTheta: theta,
    ropeScaling: scaling,
    maxPositionEmbeddings: positions,
    slidingWindow,
    tieWordEmbeddings: flag('tie_word_embeddings'),
    attentionBias,
    outputBias: attentionBias && modelType !== 'qwen2',
    mlpBias,
    qkNorm: modelType === 'qwen3',
    eosTokens: [...new Set(tokens)].sort((a, b) => a - b),
  };
  return { config, quantization: parseQuantization(json, file) };
}

/** The same without how weights are stored. @throws CheckpointError, UnsupportedModelError @internal */
export function parseConfig(json: unknown, file: string, generationConfig?: unknown): ModelConfig {
  return parseConfigs(json, file, generationConfig).config;
}

function eosTokens(value: unknown, vocabSize: number, file: string): number[] {
  if (value == null) return [];
  const tokens = Array.isArray(value) ? value : [value];
  if (tokens.every((token) => isCount(token) && token < vocabSize)) return tokens;
  const allowed = `token ids below vocab_size, ${vocabSize}`;
  throw new CheckpointError(file, `eos_token_id is ${show(value)}: ${allowed}`);
}

/**
 * Reads config.json and, where there is one, generation_config.json; `warn` is told what is doubtful in them.
 * @throws CheckpointError, UnsupportedModelError
 * @internal
 */
export async function loadConfigs(
  dir: string | ModelFiles,
  warn?: (message: string) => void,
): Promise<Configs> {
  const files = filesIn(dir);
  const name = 'config.json';
  const file = files.path(name);
  const json = await readJson(files, name, warn);
  if (json === undefined) throw new CheckpointError(file, `the file is missing${files.why(name)}`);
  if (saysQuantized(json)) await ready();
  return parseConfigs(json, file, await readJson(files, 'generation_config.json', warn));
}

/** The same without how weights are stored. @throws CheckpointError, UnsupportedModelError @internal */
export async function loadConfig(
  dir: string | ModelFiles,
  warn?: (message: string) => void,
): Promise<ModelConfig> {
  return (await loadConfigs(dir, warn)).config;
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
    if (config.qkNorm)
      for (const name of ['q', 'k']) yield [`${layer}.self_attn.${name}_norm.weight`, [headDim]];
    yield [`${layer}.self_attn.o_proj.weight`, [hiddenSize, queries]];
    if (config.outputBias) yield [`${layer}.self_attn.o_proj.bias`, [hiddenSize]];
    yield [`${layer}.post_attention_layernorm.weight`, [hiddenSize]];
    for (const name of ['gate', 'up']) {
      yield [`${layer}.mlp.${name}_proj.weight`, [intermediateSize, hiddenSize]];
      if (config.mlpBias) yield [`${layer}.mlp.${name}_proj.bias`, [intermediateSize]];
    }
    yield [`${layer}.mlp.down_proj.weight`, [hiddenSize, intermediateSize]];
    if (config.mlpBias) yield [`${layer}.mlp.down_proj.bias`, [hiddenSize]];
  }
  yield ['model.norm.weight', [hiddenSize]];
  if (!config.tieWordEmbeddings) yield ['lm_head.weight', [vocabSize, hiddenSize]];
}

/**
 * Checks that every tensor the configuration calls for is there in its shape. Returns the names of those it does not
 * call for.
 * @param quantized the names of the tensors that a weight is stored as, undefined where it is a plain tensor
 * @throws CheckpointError
 * @internal
 */
export function checkTensors(
  config: ModelConfig,
  checkpoint: Pick<Checkpoint, 'file' | 'tensors' | 'others'>,
  quantized: (name: string, shape: readonly number[]) => readonly string[] | undefined = () => undefined,
): string[] {
  const unexpected = new Set([...checkpoint.tensors.keys(), ...checkpoint.others.keys()]);
  for (const [name, shape] of calledFor(config)) {
    for (const part of quantized(name, shape) ?? [plain(checkpoint, name, shape)]) unexpected.delete(part);
  }
  return [...unexpected];
}

function plain(
  { file, tensors, others }: Pick<Checkpoint, 'file' | 'tensors' | 'others'>,
  name: string,
  shape: readonly number[],
): string {
  const found = tensors.get(name);
  const other = others.get(name);
  if (other) {
    const message = `dtype ${show(other.dtype)} is not supported, only F32, F16 and BF16 are`;
    throw new CheckpointError(other.file, message, { tensor: name });
  }
  if (!found) throw new CheckpointError(file, `is missing: expected shape [${shape}]`, { tensor: name });
  if (String(found.shape) !== String(shape)) {
    const message = `expected shape [${shape}], found ${show(found.shape)}`;
    throw new CheckpointError(found.file, message, { tensor: name });
  }
  return name;
}
