import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import type { ModelConfig } from '../../../src/checkpoint/config.ts';
import type { RandomWeights } from '../../random-model.ts';
import { float16 } from './float16.ts';
import { refuseOthers } from './plain.ts';
import { Message } from './protobuf.ts';

export type Precision = 'f32' | 'f16';

/** Numbers of ONNX's element types. */
const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const FLOAT16 = 10;

/** Positions that the rotary tables hold. */
const POSITIONS = 4096;
const CONTRIB = 'com.microsoft';
/** Offsets of weights in their file are multiples of it, so that they can be mapped. */
const ALIGNMENT = 4096;

/**
 * A decoder for ONNX Runtime, PATH and its weights in PATH.data: fused operators as onnxruntime-genai's models have them, q, k
 * and v in one matrix, logits of the last position only. Inputs: input_ids [rows, tokens] int64, seqlens_k [rows] int32 (length
 * after these tokens − 1), total_sequence_length [] int32, and of each layer i past_key.i and past_value.i [rows, kvHeads,
 * positions, headDim]. Outputs: logits [rows, 1, vocabSize], present_key.i, present_value.i.
 * @throws UnsupportedModelError
 */
export function writeOnnx(
  path: string,
  config: ModelConfig,
  weights: RandomWeights,
  precision: Precision,
): void {
  refuseOthers(config);
  const { numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim, vocabSize } = config;
  const type = precision === 'f16' ? FLOAT16 : FLOAT;
  const nodes: Message[] = [];
  const initializers: Message[] = [];
  const inputs: Message[] = [];
  const outputs: Message[] = [];
  const file = openSync(`${path}.data`, 'w');
  let end = 0;

  const store = (name: string, shape: number[], values: Float32Array): string => {
    const data = precision === 'f16' ? float16(values) : values;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const begin = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(file, bytes, done, Math.min(bytes.length - done, 1 << 30), begin + done);
    }
    end = begin + bytes.length;
    const tensor = new Message();
    for (const size of shape) tensor.int(1, size);
    tensor.int(2, type).string(8, name);
    const where = {
      location: `${path.slice(path.lastIndexOf('/') + 1)}.data`,
      offset: begin,
      length: bytes.length,
    };
    for (const [key, value] of Object.entries(where)) {
      tensor.message(13, new Message().string(1, key).string(2, String(value)));
    }
    initializers.push(tensor.int(14, 1));
    return name;
  };
  const stored = (name: string): string =>
    store(name, [...tensor(weights, name).shape], weights.values(name));
  /** Matrices [rows, columns], one below the other, stored as [columns, rows]: MatMul takes them from the right. */
  const linear = (name: string, parts: readonly string[]): string => {
    const rows = parts.map((part) => tensor(weights, part).shape[0]);
    const columns = tensor(weights, parts[0]).shape[1];
    const total = rows.reduce((a, b) => a + b);
    const values = new Float32Array(total * columns);
    let first = 0;
    for (const [i, part] of parts.entries()) {
      transpose(weights.values(part), rows[i], columns, values, first, total);
      first += rows[i];
    }
    return store(name, [columns, total], values);
  };
  const node = (
    op: string,
    from: string[],
    to: string[],
    attributes: Attributes = {},
    domain = '',
  ): string => {
    const message = new Message();
    for (const name of from) message.string(1, name);
    for (const name of to) message.string(2, name);
    message.string(3, to[0]).string(4, op);
    for (const [name, value] of Object.entries(attributes)) message.message(5, attribute(name, value));
    nodes.push(domain ? message.string(7, domain) : message);
    return to[0];
  };

  const epsilon = { float: config.rmsNormEps };
  let sum = node('Gather', [stored('model.embed_tokens.weight'), 'input_ids'], ['embedded']);
  /** What is still to be added to the sum; nothing at the first norm. */
  let added: string | undefined;
  const norm = (weight: string): string => {
    const out = `${weight}.out`;
    const gamma = stored(weight);
    if (!added) {
      return node('SimplifiedLayerNormalization', [sum, gamma], [out], { axis: -1, epsilon, stash_type: 1 });
    }
    node(
      'SkipSimplifiedLayerNormalization',
      [sum, added, gamma],
      [out, '', '', `${weight}.sum`],
      { epsilon },
      CONTRIB,
    );
    sum = `${weight}.sum`;
    return out;
  };
  store('cos', [POSITIONS, headDim / 2], angles(config, Math.cos));
  store('sin', [POSITIONS, headDim / 2], angles(config, Math.sin));
  const heads = { num_heads: numAttentionHeads, kv_num_heads: numKeyValueHeads };
  const cache = ['rows', numKeyValueHeads, 'positions', headDim];
  inputs.push(valueInfo('input_ids', INT64, ['rows', 'tokens']));
  inputs.push(valueInfo('seqlens_k', INT32, ['rows']), valueInfo('total_sequence_length', INT32, []));
  outputs.push(valueInfo('logits', type, ['rows', 1, vocabSize]));

  for (let i = 0; i < numHiddenLayers; i++) {
    const layer = `model.layers.${i}`;
    const attention = `${layer}.self_attn`;
    const matmul = (x: string, name: string, parts = [`${name}.weight`]): string =>
      node('MatMul', [x, linear(`${name}.T`, parts)], [`${name}.out`]);

    const projections = ['q', 'k', 'v'].map((p) => `${attention}.${p}_proj`);
    let qkv = matmul(
      norm(`${layer}.input_layernorm.weight`),
      `${attention}.qkv_proj`,
      projections.map((p) => `${p}.weight`),
    );
    if (config.attentionBias) {
      const bias = projections.flatMap((p) => [...weights.values(`${p}.bias`)]);
      const name = store(`${attention}.qkv_proj.bias`, [bias.length], Float32Array.from(bias));
      qkv = node('Add', [qkv, name], [`${attention}.qkv_biased`]);
    }
    const mixed = node(
      'GroupQueryAttention',
      [qkv, '', '', `past_key.${i}`, `past_value.${i}`, 'seqlens_k', 'total_sequence_length', 'cos', 'sin'],
      [`${attention}.out`, `present_key.${i}`, `present_value.${i}`],
      { ...heads, scale: { float: 1 / Math.sqrt(headDim) }, do_rotary: 1, rotary_interleaved: 0 },
      CONTRIB,
    );
    added = matmul(mixed, `${attention}.o_proj`);
    const m = norm(`${layer}.post_attention_layernorm.weight`);
    const gate = matmul(m, `${layer}.mlp.gate_proj`);
    const up = matmul(m, `${layer}.mlp.up_proj`);
    const sigmoid = node('Sigmoid', [gate], [`${layer}.mlp.sigmoid`]);
    const silu = node('Mul', [gate, sigmoid], [`${layer}.mlp.silu`]);
    added = matmul(node('Mul', [silu, up], [`${layer}.mlp.gated`]), `${layer}.mlp.down_proj`);
    for (const kind of ['key', 'value']) {
      inputs.push(valueInfo(`past_${kind}.${i}`, type, cache));
      outputs.push(valueInfo(`present_${kind}.${i}`, type, cache));
    }
  }

  const last = new Message().int(1, 1).int(2, INT64).string(8, 'last').bytes(9, new Uint8Array(8).fill(0xff)); // −1
  initializers.push(last);
  const final = node('Gather', [norm('model.norm.weight'), 'last'], ['final'], { axis: 1 });
  const head = config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  node('MatMul', [final, linear('lm_head.T', [head])], ['logits']);
  closeSync(file);

  writeModel(path, nodes, initializers, inputs, outputs);
}

/** One operator: `output` is `input`, each size of 1 as large as `shape` says. For making and copying caches where they are. */
export function writeExpand(path: string, precision: Precision): void {
  const type = precision === 'f16' ? FLOAT16 : FLOAT;
  const node = new Message().string(1, 'input').string(1, 'shape').string(2, 'output').string(4, 'Expand');
  const inputs = [valueInfo('input', type, ['a', 'b', 'c', 'd']), valueInfo('shape', INT64, [4])];
  writeModel(path, [node], [], inputs, [valueInfo('output', type, ['e', 'f', 'g', 'h'])]);
}

function writeModel(
  path: string,
  nodes: Message[],
  initializers: Message[],
  inputs: Message[],
  outputs: Message[],
): void {
  const graph = new Message();
  for (const n of nodes) graph.message(1, n);
  graph.string(2, 'decoder');
  for (const i of initializers) graph.message(5, i);
  for (const i of inputs) graph.message(11, i);
  for (const o of outputs) graph.message(12, o);
  const model = new Message().int(1, 8).message(7, graph); // the format's version 8
  model.message(8, new Message().string(1, '').int(2, 17)); // operators as of set 17
  model.message(8, new Message().string(1, CONTRIB).int(2, 1));
  writeFileSync(path, model.finish());
}

type Attributes = Record<string, number | { float: number }>;

/** A whole number is an integer attribute. */
function attribute(name: string, value: number | { float: number }): Message {
  const message = new Message().string(1, name);
  if (typeof value === 'number') return message.int(3, value).int(20, 2);
  return message.float(2, value.float).int(20, 1);
}

function valueInfo(name: string, type: number, shape: readonly (number | string)[]): Message {
  const dimensions = new Message();
  for (const size of shape) {
    const dimension = new Message();
    dimensions.message(1, typeof size === 'number' ? dimension.int(1, size) : dimension.string(2, size));
  }
  const tensor = new Message().int(1, type).message(2, dimensions);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}

function tensor(weights: RandomWeights, name: string) {
  const info = weights.tensors.get(name);
  if (!info) throw new RangeError(`there is no tensor ${name}`);
  return info;
}

/** [rows, columns] → columns `first` to `first + rows` of [columns, width], in blocks that a cache holds. */
function transpose(
  from: Float32Array,
  rows: number,
  columns: number,
  to: Float32Array,
  first: number,
  width: number,
): void {
  const BLOCK = 32;
  for (let r0 = 0; r0 < rows; r0 += BLOCK) {
    const r1 = Math.min(rows, r0 + BLOCK);
    for (let c = 0; c < columns; c++) {
      for (let r = r0; r < r1; r++) to[c * width + first + r] = from[r * columns + c];
    }
  }
}

/** cos or sin of position · theta^(−2i/headDim): [POSITIONS, headDim / 2]. */
function angles({ headDim, ropeTheta }: ModelConfig, turn: (angle: number) => number): Float32Array {
  const half = headDim / 2;
  return Float32Array.from({ length: POSITIONS * half }, (_, at) =>
    turn(Math.floor(at / half) * ropeTheta ** (-(at % half) / half)),
  );
}
