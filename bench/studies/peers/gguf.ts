import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { ModelConfig } from '../../../src/checkpoint/config.ts';
import type { RandomWeights } from '../../random-model.ts';
import { float16 } from './float16.ts';
import { refuseOthers } from './plain.ts';

type Value = string | { u32: number } | { f32: number };

const ALIGNMENT = 32;
/** Numbers of the types of metadata values, and of tensors. */
const U32 = 4;
const F32 = 6;
const STRING = 8;
const TENSOR_F32 = 0;
const TENSOR_F16 = 1;

/** In the order llama.cpp goes by: [GGUF's name, the checkpoint's]. */
const LAYER = [
  ['attn_norm.weight', 'input_layernorm.weight'],
  ['attn_q.weight', 'self_attn.q_proj.weight'],
  ['attn_k.weight', 'self_attn.k_proj.weight'],
  ['attn_v.weight', 'self_attn.v_proj.weight'],
  ['attn_q.bias', 'self_attn.q_proj.bias'],
  ['attn_k.bias', 'self_attn.k_proj.bias'],
  ['attn_v.bias', 'self_attn.v_proj.bias'],
  ['attn_output.weight', 'self_attn.o_proj.weight'],
  ['ffn_norm.weight', 'post_attention_layernorm.weight'],
  ['ffn_gate.weight', 'mlp.gate_proj.weight'],
  ['ffn_up.weight', 'mlp.up_proj.weight'],
  ['ffn_down.weight', 'mlp.down_proj.weight'],
];

/**
 * A model file for llama.cpp: matrices in f16, vectors in f32, no tokenizer.
 * @throws RangeError for a weight that f16 does not hold exactly; UnsupportedModelError
 */
export function writeGguf(path: string, config: ModelConfig, weights: RandomWeights): void {
  refuseOthers(config);
  const names = [
    ['token_embd.weight', 'model.embed_tokens.weight'],
    ...Array.from({ length: config.numHiddenLayers }, (_, i) =>
      LAYER.map(([to, from]) => [`blk.${i}.${to}`, `model.layers.${i}.${from}`]),
    ).flat(),
    ['output_norm.weight', 'model.norm.weight'],
    ['output.weight', 'lm_head.weight'],
  ];
  let offset = 0;
  const tensors = names.flatMap(([to, from]) => {
    const info = weights.tensors.get(from);
    if (!info) return []; // biases, and a head that is the embedding
    const begin = offset;
    const matrix = info.shape.length === 2;
    offset += align(info.shape.reduce((a, b) => a * b) * (matrix ? 2 : 4));
    return [{ to, from, shape: info.shape, matrix, offset: begin }];
  });

  const head = new Bytes();
  head.raw(Buffer.from('GGUF'));
  head.u32(3);
  const values = Object.entries(metadata(config));
  head.u64(tensors.length);
  head.u64(values.length);
  for (const [key, value] of values) head.entry(key, value);
  for (const { to, shape, matrix, offset } of tensors) {
    head.string(to);
    head.u32(shape.length);
    for (const size of shape.toReversed()) head.u64(size);
    head.u32(matrix ? TENSOR_F16 : TENSOR_F32);
    head.u64(offset);
  }

  const file = openSync(path, 'w');
  try {
    const bytes = head.padded();
    writeAll(file, bytes, 0);
    for (const { from, matrix, shape, offset } of tensors) {
      const values = weights.values(from);
      const data = matrix ? float16(values) : values;
      const ordered =
        matrix && config.modelType === 'llama' ? pairedRows(config, from, shape[1], data) : data;
      writeAll(file, new Uint8Array(ordered.buffer), bytes.length + offset);
    }
    ftruncateSync(file, bytes.length + offset);
  } finally {
    closeSync(file);
  }
}

function metadata(config: ModelConfig): Record<string, Value> {
  const arch = config.modelType;
  return {
    'general.architecture': arch,
    'general.name': 'random weights',
    'general.file_type': { u32: 1 }, // mostly f16
    [`${arch}.vocab_size`]: { u32: config.vocabSize },
    [`${arch}.context_length`]: { u32: config.maxPositionEmbeddings },
    [`${arch}.embedding_length`]: { u32: config.hiddenSize },
    [`${arch}.block_count`]: { u32: config.numHiddenLayers },
    [`${arch}.feed_forward_length`]: { u32: config.intermediateSize },
    [`${arch}.attention.head_count`]: { u32: config.numAttentionHeads },
    [`${arch}.attention.head_count_kv`]: { u32: config.numKeyValueHeads },
    [`${arch}.attention.layer_norm_rms_epsilon`]: { f32: config.rmsNormEps },
    [`${arch}.rope.dimension_count`]: { u32: config.headDim },
    [`${arch}.rope.freq_base`]: { f32: config.ropeTheta },
    'tokenizer.ggml.model': 'none',
  };
}

/**
 * llama.cpp turns neighbouring pairs of a Llama's heads, checkpoints are for halves: row i of the first half goes to 2i, row i
 * of the second to 2i + 1. (For Qwen2 llama.cpp turns halves.)
 */
function pairedRows<T extends Uint16Array | Float32Array>(
  { headDim }: ModelConfig,
  name: string,
  columns: number,
  data: T,
): T {
  if (!/[qk]_proj\.weight$/.test(name)) return data;
  const paired = data.slice() as T;
  const half = headDim / 2;
  for (let row = 0; row < data.length / columns; row++) {
    const i = row % headDim;
    const to = row - i + (i < half ? 2 * i : 2 * (i - half) + 1);
    paired.set(data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return paired;
}

const align = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

/** One call writes at most 2 GiB. */
function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const size = Math.min(bytes.length - done, 1 << 30);
    done += writeSync(file, bytes, done, size, position + done);
  }
}

class Bytes {
  private readonly parts: Buffer[] = [];

  raw(bytes: Buffer): void {
    this.parts.push(bytes);
  }

  u32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.raw(bytes);
  }

  u64(value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.raw(bytes);
  }

  string(text: string): void {
    this.u64(Buffer.byteLength(text));
    this.raw(Buffer.from(text));
  }

  entry(key: string, value: Value): void {
    this.string(key);
    if (typeof value === 'string') {
      this.u32(STRING);
      this.string(value);
    } else if ('u32' in value) {
      this.u32(U32);
      this.u32(value.u32);
    } else {
      this.u32(F32);
      const bytes = Buffer.alloc(4);
      bytes.writeFloatLE(value.f32);
      this.raw(bytes);
    }
  }

  padded(): Buffer {
    const bytes = Buffer.concat(this.parts);
    return Buffer.concat([bytes, Buffer.alloc(align(bytes.length) - bytes.length)]);
  }
}
