/** A small checkpoint in which nothing is wrong, with every file that one may have. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { QUANTIZED } from '../support/quantized.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../support/safetensors-bytes.ts';
import type { Files } from './damage.ts';

/** Between the two, every key that a family may have. */
const QWEN3: Partial<ModelConfig> = {
  modelType: 'qwen3',
  slidingWindow: { size: 5, layers: [true] },
  ropeScaling: {
    type: 'yarn',
    factor: 4,
    attentionFactor: 1.2,
    betaFast: 32,
    betaSlow: 1,
    truncate: false,
    originalPositions: 64,
  },
};
const LLAMA: Partial<ModelConfig> = {
  modelType: 'llama',
  attentionBias: true,
  mlpBias: true,
  ropeScaling: { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalPositions: 64 },
};

/** Writes it to folder `path`, in one file or in shards with an index, and returns its files. */
export function soundCheckpoint(path: string, sharded: boolean): Files {
  const sizes = {
    hiddenSize: 16,
    intermediateSize: 16,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    headDim: 8,
  };
  const speech = { numKeyValueHeads: 1, vocabSize: 270, eosTokens: [260] };
  randomCheckpoint(path, { ...sizes, ...speech, ...(sharded ? LLAMA : QWEN3) }, 1, 'BF16');
  if (sharded) shard(path);
  const write = (name: string, value: unknown) => writeFileSync(join(path, name), JSON.stringify(value));
  write('generation_config.json', { eos_token_id: [260, 261], do_sample: true, temperature: 0.7 });
  write('egps.json', { alpha: 4, steps: 3, cutLaw: 'uniform' });
  write('tokenizer.json', tokenizer());
  write('tokenizer_config.json', {
    bos_token: null,
    eos_token: { content: '<eos>', special: true },
    chat_template: [{ name: 'default', template: TEMPLATE }],
    clean_up_tokenization_spaces: true,
  });
  write('special_tokens_map.json', { eos_token: '<eos>' });
  writeFileSync(join(path, 'chat_template.jinja'), TEMPLATE);
  return filesOf(path);
}

/** The names of quantised checkpoints that make up every form of tensors. */
export const QUANTISED_SEEDS = [
  'gptq-v2-mixed',
  'awq-skip',
  'packed-mixed',
  'packed-g-idx',
  'int8-asym',
  'fp8-block',
];

/** Writes one of them to folder `path`. */
export function quantisedCheckpoint(path: string, name: string): Files {
  cpSync(join(QUANTIZED, name), path, { recursive: true });
  for (const file of ['expected.json', 'expected-40.f64']) rmSync(join(path, file));
  for (const file of ['generation_config.json', 'egps.json']) writeFileSync(join(path, file), '{}');
  return filesOf(path);
}

function filesOf(path: string): Files {
  return new Map(readdirSync(path).map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]));
}

const TEMPLATE = `{{ bos_token }}{% for m in messages %}<turn>{{ m.role }}
{{ m.content | trim }}<eos>
{% endfor %}{% if add_generation_prompt %}<turn>assistant
{% endif %}`;

function tokenizer(): unknown {
  const printable = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173);
  let next = 256;
  const bytes = Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
  const merges = ['t h', 'th e', 'Ġ the', 'c a'];
  const vocab = Object.fromEntries(
    [...bytes, ...merges.map((m) => m.replace(' ', ''))].map((t, id) => [t, id]),
  );
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  const pattern = { Regex: ' ?\\p{L}+|\\s+|[^\\s\\p{L}]+' };
  const split = { type: 'Split', pattern, behavior: 'Isolated', invert: false };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      { id: 260, content: '<eos>', special: true, ...flags },
      { id: 261, content: '<turn>', special: false, ...flags },
    ],
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }] },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<turn>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<turn>': { id: '<turn>', ids: [261], tokens: ['<turn>'] } },
    },
    decoder: byteLevel,
    model: { type: 'BPE', dropout: null, unk_token: null, byte_fallback: false, vocab, merges },
  };
}

/** model.safetensors as two files. */
function shard(path: string): void {
  const file = join(path, 'model.safetensors');
  const tensors = decodeSafetensors(readFileSync(file));
  const parts = { 'one.safetensors': tensors.slice(0, 5), 'two.safetensors': tensors.slice(5) };
  const weightMap: Record<string, string> = {};
  for (const [name, part] of Object.entries(parts)) {
    writeFileSync(join(path, name), encodeSafetensors(part));
    for (const tensor of part) weightMap[tensor.name] = name;
  }
  const index = { metadata: { total_size: 0 }, weight_map: weightMap };
  writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify(index));
  rmSync(file);
}
