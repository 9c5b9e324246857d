import { tensorShapes } from '../reference/tensors.ts';
import { OptionError } from '../src/base/errors.ts';
import type { ModelConfig } from '../src/checkpoint/config.ts';
import type { TensorInfo, TensorSource } from '../src/checkpoint/safetensors.ts';
import { bellShaped } from '../src/selftest/random-tensors.ts';

const shape = (
  [vocabSize, hiddenSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, intermediateSize]: number[],
  modelType: 'llama' | 'qwen2',
  tieWordEmbeddings: boolean,
): ModelConfig => ({
  modelType,
  vocabSize,
  hiddenSize,
  intermediateSize,
  numHiddenLayers,
  numAttentionHeads,
  numKeyValueHeads,
  headDim: hiddenSize / numAttentionHeads,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  ropeScaling: null,
  maxPositionEmbeddings: 16_384,
  slidingWindow: null,
  tieWordEmbeddings,
  attentionBias: modelType === 'qwen2',
  outputBias: false,
  mlpBias: false,
  qkNorm: false,
  eosTokens: [],
});

/** Shapes people run: a toy, SmolLM2-135M, and Qwen2.5 at 0.5B, 1.5B and 7B. No token ends a sequence. */
export const SHAPES = {
  tiny: shape([512, 128, 4, 4, 2, 384], 'llama', true),
  '135m': shape([49_152, 576, 30, 9, 3, 1536], 'llama', true),
  '0.5b': shape([151_936, 896, 24, 14, 2, 4864], 'qwen2', true),
  '1.5b': shape([151_936, 1536, 28, 12, 2, 8960], 'qwen2', true),
  '7b': shape([152_064, 3584, 28, 28, 4, 18_944], 'qwen2', false),
} satisfies Record<string, ModelConfig>;
export type ShapeName = keyof typeof SHAPES;

/** Of the weights that are measured. */
export const SEED = 1;

/** @throws OptionError naming the shapes */
export function shapeNamed(name: string | undefined): ShapeName {
  const names = Object.keys(SHAPES);
  if (name === undefined || !names.includes(name)) {
    throw new OptionError(`--shape is ${JSON.stringify(name) ?? 'missing'}: one of ${names.join(', ')}`);
  }
  return name as ShapeName;
}

/** A prime, so that no two rows of a matrix are alike. */
const PERIOD = 1_048_573;

/**
 * Weights of a model, bf16, made as they are read: the same seed gives the same bytes. Every weight is a whole number below
 * 128 times a power of two, so bf16, f16 and f32 hold it exactly. Matrices are scaled by their fan-in; logits spread by about 2.
 */
export class RandomWeights implements TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly seed: number;
  private readonly noise: Int8Array;
  /** By exponent: bf16 of noise · 2^exponent; under 'norm': of 1 + noise / 1024, rounded. */
  private readonly tables = new Map<number | 'norm', Uint16Array>();

  constructor(config: ModelConfig, seed: number) {
    this.seed = seed;
    this.noise = bellShaped(PERIOD, seed >>> 0 || 1);
    let begin = 0;
    this.tensors = new Map(
      Array.from(tensorShapes(config), ([name, shape]) => {
        const end = begin + 2 * shape.reduce((a, b) => a * b);
        const tensor: TensorInfo = { name, dtype: 'BF16', shape, file: 'random', begin, end };
        begin = end;
        return [name, tensor];
      }),
    );
  }

  async readInto(tensor: TensorInfo, offset: number, target: Uint8Array): Promise<void> {
    const table = this.table(tensor);
    const bytes = new Uint8Array(table.buffer);
    let at = (2 * this.start(tensor.name) + offset) % bytes.length;
    for (let done = 0; done < target.length; ) {
      const part = bytes.subarray(at, at + target.length - done);
      target.set(part, done);
      done += part.length;
      at = 0;
    }
  }

  /** A whole tensor, row-major. */
  values(name: string): Float32Array {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new RangeError(`there is no tensor ${name}`);
    const table = this.table(tensor);
    const bits = new Uint32Array(tensor.shape.reduce((a, b) => a * b));
    const start = this.start(name);
    for (let i = 0; i < bits.length; i++) bits[i] = table[(start + i) % PERIOD] << 16;
    return new Float32Array(bits.buffer);
  }

  private table({ name, shape }: TensorInfo): Uint16Array {
    const spread = /embed_tokens|lm_head/.test(name) ? 2 : 1;
    const key = name.endsWith('norm.weight')
      ? 'norm'
      : Math.round(Math.log2(spread / 36 / Math.sqrt(shape[1] ?? 64)));
    let table = this.tables.get(key);
    if (!table) {
      const values = Float32Array.from(this.noise, (n) =>
        key === 'norm' ? 1 + Math.round(n / 8) / 128 : n * 2 ** key,
      );
      table = Uint16Array.from(new Uint32Array(values.buffer), (b) => b >>> 16);
      this.tables.set(key, table);
    }
    return table;
  }

  /** Where in the table a tensor begins (FNV-1a of its name). */
  private start(name: string): number {
    let hash = 0x811c9dc5 ^ this.seed;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    return (hash >>> 0) % PERIOD;
  }
}
