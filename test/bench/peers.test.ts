import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { RandomWeights, SHAPES } from '../../bench/random-model.ts';
import { float16 } from '../../bench/studies/peers/float16.ts';
import { writeGguf } from '../../bench/studies/peers/gguf.ts';
import { writeExpand, writeOnnx } from '../../bench/studies/peers/onnx.ts';
import { run } from '../../bench/studies/peers.ts';
import { toFloat64 } from '../../reference/weights.ts';
import { OptionError, UnsupportedModelError } from '../../src/base/errors.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { test } from '../support/suite.ts';

const LLAMA = SHAPES.tiny;
const QWEN2: ModelConfig = {
  ...LLAMA,
  modelType: 'qwen2',
  vocabSize: 96,
  hiddenSize: 64,
  numHiddenLayers: 2,
  headDim: 16,
  intermediateSize: 80,
  tieWordEmbeddings: false,
  attentionBias: true,
};
const folder = mkdtempSync(join(tmpdir(), 'egps-'));
test.after(() => rmSync(folder, { recursive: true }));

const WEIGHTS = new Map([LLAMA, QWEN2].map((config) => [config, new RandomWeights(config, 3)]));
const weightsOf = (config: ModelConfig) => WEIGHTS.get(config) ?? missing('model');

function missing(name: string): never {
  throw new Error(`there is no ${name}`);
}

// ---- f16

test('f16 is the nearest, ties go to even, subnormal and too large values included', () => {
  const cases: [number, number][] = [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [1 + 2 ** -10, 0x3c01],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [2 - 2 ** -12, 0x4000],
    [65504, 0x7bff],
    [65520, 0x7c00],
    [1e9, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -14 - 2 ** -26, 0x0400],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [2 ** -25 + 2 ** -40, 1],
    [3 * 2 ** -25, 2],
    [2 ** -30, 0],
  ];
  assert.equal(
    [...float16(Float32Array.from(cases, ([value]) => value))],
    cases.map(([, half]) => half),
  );
});

// ---- GGUF

class Gguf {
  readonly metadata = new Map<string, unknown>();
  readonly tensors = new Map<string, { shape: number[]; type: number; offset: number }>();
  readonly data: number;
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    assert.is(bytes.toString('latin1', 0, 4), 'GGUF');
    this.at = 4;
    assert.is(this.u32(), 3);
    const [tensors, entries] = [this.u64(), this.u64()];
    for (let i = 0; i < entries; i++) {
      const key = this.string();
      const type = this.u32();
      if (type === 8) this.metadata.set(key, this.string());
      else if (type === 4) this.metadata.set(key, this.u32());
      else if (type === 6) this.metadata.set(key, bytes.readFloatLE(this.take(4)));
      else throw new Error(`${key} is of type ${type}`);
    }
    for (let i = 0; i < tensors; i++) {
      const name = this.string();
      const shape = Array.from({ length: this.u32() }, () => this.u64());
      this.tensors.set(name, { shape, type: this.u32(), offset: this.u64() });
    }
    this.data = Math.ceil(this.at / 32) * 32;
  }

  values(name: string): Float64Array {
    const { shape, type, offset } = this.tensors.get(name) ?? missing(name);
    const size = shape.reduce((a, b) => a * b) * (type === 0 ? 4 : 2);
    const bytes = Uint8Array.from(this.bytes.subarray(this.data + offset, this.data + offset + size));
    assert.is(bytes.length, size);
    return toFloat64(bytes.buffer, type === 0 ? 'F32' : 'F16');
  }

  /** Goes on by `size` bytes; where they begin. */
  private take(size: number): number {
    const begin = this.at;
    this.at += size;
    return begin;
  }
  private u32 = () => this.bytes.readUInt32LE(this.take(4));
  private u64 = () => Number(this.bytes.readBigUInt64LE(this.take(8)));
  private string(): string {
    const size = this.u64();
    const begin = this.take(size);
    return this.bytes.toString('utf8', begin, begin + size);
  }
}

const PARTS: Record<string, string> = {
  'attn_norm.weight': 'input_layernorm.weight',
  'ffn_norm.weight': 'post_attention_layernorm.weight',
  'attn_output.weight': 'self_attn.o_proj.weight',
};
const original = (name: string): string => {
  if (name === 'token_embd.weight') return 'model.embed_tokens.weight';
  if (name === 'output_norm.weight') return 'model.norm.weight';
  if (name === 'output.weight') return 'lm_head.weight';
  const [, layer, part] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? missing(name);
  const known =
    PARTS[part] ??
    part.replace(/^attn_([qkv])\./, 'self_attn.$1_proj.').replace(/^ffn_(gate|up|down)\./, 'mlp.$1_proj.');
  return `model.layers.${layer}.${known}`;
};

/** Row pairs (2i, 2i + 1) of every head back to halves. */
function unpaired(values: Float64Array, columns: number, headDim: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let row = 0; row < values.length / columns; row++) {
    const [head, i] = [Math.floor(row / headDim), row % headDim];
    const to = head * headDim + (i % 2) * (headDim / 2) + Math.floor(i / 2);
    out.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}

for (const config of [LLAMA, QWEN2]) {
  test(`a GGUF file holds every weight of ${config.modelType}, exactly`, () => {
    const weights = weightsOf(config);
    const path = join(folder, 'model.gguf');
    writeGguf(path, config, weights);
    const bytes = readFileSync(path);
    const gguf = new Gguf(bytes);
    assert.is(gguf.metadata.get('general.architecture'), config.modelType);
    assert.is(gguf.metadata.get(`${config.modelType}.attention.head_count_kv`), config.numKeyValueHeads);
    assert.is(gguf.metadata.get(`${config.modelType}.rope.freq_base`), config.ropeTheta);
    assert.is(gguf.metadata.get(`${config.modelType}.vocab_size`), config.vocabSize);
    assert.equal([...gguf.tensors.keys()].map(original).sort(), [...weights.tensors.keys()].sort());

    let end = 0;
    for (const [name, { shape, type, offset }] of gguf.tensors) {
      assert.equal(shape.toReversed(), weights.tensors.get(original(name))?.shape, name);
      assert.is(type, shape.length === 2 ? 1 : 0, name);
      assert.is(offset, Math.ceil(end / 32) * 32, name);
      end = offset + shape.reduce((a, b) => a * b) * (type === 0 ? 4 : 2);
      const paired = config.modelType === 'llama' && /attn_[qk]\.weight$/.test(name);
      const values = gguf.values(name);
      const back = paired ? unpaired(values, shape[0], config.headDim) : values;
      assert.ok(same(back, weights.values(original(name))), name);
    }
    assert.is(bytes.length, gguf.data + Math.ceil(end / 32) * 32);
  });
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

// ---- ONNX

type Field = bigint | Buffer;

/** Fields of a protocol buffer message, by number. */
function fields(bytes: Buffer): Map<number, Field[]> {
  const all = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    let value: Field;
    if ((key & 7) === 0) value = varint();
    else {
      const size = (key & 7) === 5 ? 4 : Number(varint());
      value = bytes.subarray(at, at + size);
      assert.is(value.length, size);
      at += size;
    }
    all.set(key >> 3, [...(all.get(key >> 3) ?? []), value]);
  }
  return all;
}
const messages = (from: Map<number, Field[]>, field: number) =>
  (from.get(field) ?? []).map((value) => fields(value as Buffer));
const texts = (from: Map<number, Field[]>, field: number) => (from.get(field) ?? []).map(String);

for (const [config, precision] of [
  [LLAMA, 'f32'],
  [QWEN2, 'f16'],
] as const) {
  test(`an ONNX file is a graph without loose ends and holds the weights of ${config.modelType}, ${precision}`, () => {
    const weights = weightsOf(config);
    const path = join(folder, `model-${precision}`);
    writeOnnx(path, config, weights, precision);
    const [graph] = messages(fields(readFileSync(path)), 7);
    const data = readFileSync(`${path}.data`);

    const tensors = new Map<string, { shape: number[]; values: Float64Array }>();
    for (const tensor of messages(graph, 5)) {
      const [name] = texts(tensor, 8);
      if (name === 'last') continue;
      const shape = (tensor.get(1) ?? []).map(Number);
      const entries = messages(tensor, 13).map((entry) => [texts(entry, 1)[0], texts(entry, 2)[0]]);
      const { location, offset, length } = Object.fromEntries(entries);
      assert.is(location, `model-${precision}.data`);
      assert.is(Number(offset) % 4096, 0, name);
      const bytes = Uint8Array.from(data.subarray(Number(offset), Number(offset) + Number(length)));
      const values = toFloat64(bytes.buffer, precision === 'f32' ? 'F32' : 'F16');
      assert.is(
        values.length,
        shape.reduce((a, b) => a * b),
        name,
      );
      tensors.set(name, { shape, values });
    }

    const named = (field: number) => messages(graph, field).flatMap((value) => texts(value, 1));
    const known = new Set([...named(11), ...tensors.keys(), 'last', '']);
    for (const node of messages(graph, 1)) {
      for (const name of texts(node, 1)) assert.ok(known.has(name), `${texts(node, 4)} wants ${name}`);
      for (const name of texts(node, 2)) known.add(name);
    }
    for (const name of named(12)) assert.ok(known.has(name), name);
    assert.is(named(12).length, 1 + 2 * config.numHiddenLayers);

    /** Element [row][column] of what is stored as [column][row], from column `first` of the stored on. */
    const transposed = (name: string, part: string, first = 0) => {
      const { shape, values } = tensors.get(name) ?? missing(name);
      const expected = weights.values(part);
      const rows = expected.length / shape[0];
      const back = Float64Array.from(expected, (_, i) => {
        return values[(i % shape[0]) * shape[1] + first + Math.floor(i / shape[0])];
      });
      assert.ok(same(back, expected), part);
      return first + rows;
    };
    for (let i = 0; i < config.numHiddenLayers; i++) {
      const layer = `model.layers.${i}`;
      let first = 0;
      for (const p of ['q', 'k', 'v']) {
        first = transposed(`${layer}.self_attn.qkv_proj.T`, `${layer}.self_attn.${p}_proj.weight`, first);
      }
      for (const p of ['self_attn.o_proj', 'mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj']) {
        transposed(`${layer}.${p}.T`, `${layer}.${p}.weight`);
      }
      const norm = `${layer}.post_attention_layernorm.weight`;
      assert.ok(same(tensors.get(norm)?.values ?? [], weights.values(norm)));
      const bias = tensors.get(`${layer}.self_attn.qkv_proj.bias`)?.values ?? [];
      const parts = ['q', 'k', 'v'].map((p) => `${layer}.self_attn.${p}_proj.bias`);
      assert.ok(same(bias, config.attentionBias ? parts.flatMap((part) => [...weights.values(part)]) : []));
    }
    const head = config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    transposed('lm_head.T', head);
    const { shape, values } = tensors.get('sin') ?? missing('sin');
    assert.is(shape[1], config.headDim / 2);
    assert.ok(
      Math.abs(values[shape[1]] - Math.sin(1)) < 1e-3,
      'the first pair turns by one radian a position',
    );
  });
}

test('the graph that makes caches is one Expand', () => {
  const path = join(folder, 'expand');
  writeExpand(path, 'f16');
  const [graph] = messages(fields(readFileSync(path)), 7);
  assert.equal(
    messages(graph, 1).map((node) => [texts(node, 1), texts(node, 2), texts(node, 4)]),
    [[['input', 'shape'], ['output'], ['Expand']]],
  );
});

test('what the writers do not write down is refused by name, before a file is there', () => {
  const others: [Partial<ModelConfig>, string][] = [
    [{ modelType: 'mistral' }, 'model_type'],
    [{ modelType: 'qwen3', qkNorm: true }, 'model_type'],
    [{ ropeScaling: { type: 'linear', factor: 2 } }, 'rope_scaling'],
    [{ slidingWindow: { size: 9, layers: 0 } }, 'sliding_window'],
    [{ attentionBias: true, outputBias: true }, 'attention_bias'],
    [{ mlpBias: true }, 'mlp_bias'],
  ];
  for (const [change, key] of others) {
    const config = { ...LLAMA, ...change };
    const path = join(folder, 'refused');
    for (const write of [writeGguf, (...args: Parameters<typeof writeGguf>) => writeOnnx(...args, 'f32')]) {
      try {
        write(path, config, weightsOf(LLAMA));
        assert.unreachable(key);
      } catch (error) {
        assert.instance(error, UnsupportedModelError);
        assert.is((error as UnsupportedModelError).key, key);
      }
    }
    assert.not.ok(existsSync(path) || existsSync(`${path}.data`));
  }
});

// ---- Options

for (const [args, message] of [
  [[], /--shape is missing/],
  [['--shape', 'huge'], /--shape is "huge": one of tiny/],
  [['--shape', 'tiny', '--only', 'ours,ollama'], /--only has "ollama": of ours, llama-cpu/],
  [['--shape', 'tiny', '--rounds', '0'], /--rounds is 0: at least 1/],
] as const) {
  test(`refused: ${args.join(' ') || 'no options'}`, async () => {
    let error: unknown;
    await run([...args]).catch((e) => {
      error = e;
    });
    assert.instance(error, OptionError);
    assert.match((error as Error).message, message);
  });
}

test.run();
