import * as assert from 'uvu/assert';
import { parseConfigs } from '../../src/checkpoint/config.ts';
import { contentsOf } from '../../src/checkpoint/contents.ts';
import { listTensors, type StoredTensor } from '../../src/checkpoint/safetensors.ts';
import { test } from '../support/suite.ts';

/** Qwen2.5-7B-Instruct. */
const CONFIG = {
  architectures: ['Qwen2ForCausalLM'],
  attention_dropout: 0.0,
  bos_token_id: 151643,
  eos_token_id: 151645,
  hidden_act: 'silu',
  hidden_size: 3584,
  initializer_range: 0.02,
  intermediate_size: 18944,
  max_position_embeddings: 32768,
  max_window_layers: 28,
  model_type: 'qwen2',
  num_attention_heads: 28,
  num_hidden_layers: 28,
  num_key_value_heads: 4,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  sliding_window: 131072,
  tie_word_embeddings: false,
  torch_dtype: 'float16',
  use_cache: true,
  use_sliding_window: false,
  vocab_size: 152064,
};
const PARAMETERS = 7_615_616_512;

const gptq = (bits: number) => ({
  ...{ batch_size: 1, bits, block_name_to_quantize: null, cache_block_outputs: true, damp_percent: 0.01 },
  ...{
    dataset: null,
    desc_act: false,
    exllama_config: { version: 1 },
    group_size: 128,
    max_input_length: null,
  },
  ...{ model_seqlen: null, module_name_preceding_first_block: null, modules_in_block_to_quantize: null },
  ...{ pad_token_id: null, quant_method: 'gptq', sym: true, tokenizer: null, true_sequential: true },
  ...{ use_cuda_fp16: false, use_exllama: true },
});
const awq = {
  bits: 4,
  group_size: 128,
  modules_to_not_convert: null,
  quant_method: 'awq',
  version: 'gemm',
  zero_point: true,
};

type Shapes = Record<string, [dtype: string, ...shape: number[]]>;

/** The tensors of a quantised module besides its bias. */
const PARTS: Record<string, (rows: number, columns: number) => Shapes> = {
  'GPTQ-Int4': (rows, columns) => ({
    g_idx: ['I32', columns],
    qweight: ['I32', columns / 8, rows],
    qzeros: ['I32', columns / 128, rows / 8],
    scales: ['F16', columns / 128, rows],
  }),
  'GPTQ-Int8': (rows, columns) => ({
    g_idx: ['I32', columns],
    qweight: ['I32', columns / 4, rows],
    qzeros: ['I32', columns / 128, rows / 4],
    scales: ['F16', columns / 128, rows],
  }),
  AWQ: (rows, columns) => ({
    qweight: ['I32', columns, rows / 8],
    qzeros: ['I32', columns / 128, rows / 8],
    scales: ['F16', columns / 128, rows],
  }),
};

function headers(parts: (rows: number, columns: number) => Shapes): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  const add = (name: string, dtype: string, ...shape: number[]) => {
    const bytes = shape.reduce((n, m) => n * m, dtype === 'F16' ? 2 : 4);
    tensors.set(name, { name, dtype, shape, file: 'model.safetensors', begin: 0, end: bytes });
  };
  add('model.embed_tokens.weight', 'F16', 152064, 3584);
  add('lm_head.weight', 'F16', 152064, 3584);
  add('model.norm.weight', 'F16', 3584);
  for (let layer = 0; layer < 28; layer++) {
    const at = `model.layers.${layer}`;
    for (const norm of ['input_layernorm', 'post_attention_layernorm'])
      add(`${at}.${norm}.weight`, 'F16', 3584);
    const module = (name: string, rows: number, columns: number) => {
      for (const [part, shape] of Object.entries(parts(rows, columns)))
        add(`${at}.${name}.${part}`, ...shape);
      if (/[qkv]_proj/.test(name)) add(`${at}.${name}.bias`, 'F16', rows);
    };
    module('self_attn.q_proj', 3584, 3584);
    module('self_attn.k_proj', 512, 3584);
    module('self_attn.v_proj', 512, 3584);
    module('self_attn.o_proj', 3584, 3584);
    module('mlp.gate_proj', 18944, 3584);
    module('mlp.up_proj', 18944, 3584);
    module('mlp.down_proj', 3584, 18944);
  }
  return tensors;
}

for (const [release, quantization_config] of Object.entries({
  'GPTQ-Int4': gptq(4),
  'GPTQ-Int8': gptq(8),
  AWQ: awq,
})) {
  test(`the configuration and the tensors of Qwen2.5-7B-Instruct-${release} are read`, () => {
    const { config, quantization } = parseConfigs({ ...CONFIG, quantization_config }, 'config.json');
    const stored = headers(PARTS[release]);
    const { tensors, quantized, unexpected } = contentsOf(config, listTensors('f', [stored]), quantization);
    assert.equal(unexpected, []);
    assert.is(quantized.size, 28 * 7);
    const code = release === 'GPTQ-Int8' ? 'int8' : 'int4';
    let parameters = 0;
    let bytes = 0;
    for (const { shape } of quantized.values()) {
      const { code: found, group, rounding, hasZeros, hasOrder } = shape;
      assert.equal(
        [found, group, rounding, hasZeros, hasOrder],
        [code, 128, 'f16', release === 'AWQ', false],
      );
      parameters += shape.rows * shape.columns;
      bytes += shape.stored;
    }
    for (const { shape, begin, end } of tensors.values()) {
      parameters += shape.reduce((n, m) => n * m, 1);
      bytes += end - begin;
    }
    assert.is(parameters, PARAMETERS);
    assert.is(
      bytes,
      [...stored.values()].reduce((n, { end }) => n + end, 0),
    );
  });
}

test.run();
