import * as assert from 'uvu/assert';
import { CheckpointError, UnsupportedModelError } from '../../src/base/errors.ts';
import {
  checkTensors,
  loadConfig,
  type ModelConfig,
  parseConfig,
  tensorShapes,
} from '../../src/checkpoint/config.ts';
import { Checkpoint } from '../../src/checkpoint/safetensors.ts';
import { failure, withFolder } from '../support/folder.ts';
import { encodeSafetensors } from '../support/safetensors-bytes.ts';
import { test } from '../support/suite.ts';

/** As transformers 4 writes it. */
const OLD = {
  architectures: ['Qwen2ForCausalLM'],
  attention_dropout: 0.0,
  bos_token_id: 151643,
  eos_token_id: 151645,
  hidden_act: 'silu',
  hidden_size: 896,
  initializer_range: 0.02,
  intermediate_size: 4864,
  max_position_embeddings: 32768,
  max_window_layers: 21,
  model_type: 'qwen2',
  num_attention_heads: 14,
  num_hidden_layers: 24,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  sliding_window: 32768,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_cache: true,
  use_sliding_window: false,
  vocab_size: 151936,
};
const { rope_theta, torch_dtype, ...common } = OLD;
/** The same model as transformers 5 writes it. */
const NEW = {
  ...common,
  dtype: torch_dtype,
  layer_types: Array(24).fill('full_attention'),
  rope_parameters: { rope_theta, rope_type: 'default' },
  sliding_window: null,
};
const LLAMA = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  eos_token_id: 2,
  hidden_act: 'silu',
  hidden_size: 64,
  intermediate_size: 96,
  max_position_embeddings: 128,
  mlp_bias: false,
  model_type: 'llama',
  num_attention_heads: 8,
  num_hidden_layers: 2,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  vocab_size: 100,
};
const MISTRAL = {
  ...LLAMA,
  architectures: ['MistralForCausalLM'],
  model_type: 'mistral',
  num_key_value_heads: 2,
};
const without = (json: object, key: string) =>
  Object.fromEntries(Object.entries(json).filter(([k]) => k !== key));

test('both forms of a Qwen2 configuration mean the same', () => {
  const expected: ModelConfig = {
    modelType: 'qwen2',
    vocabSize: 151936,
    hiddenSize: 896,
    intermediateSize: 4864,
    numHiddenLayers: 24,
    numAttentionHeads: 14,
    numKeyValueHeads: 2,
    headDim: 64,
    rmsNormEps: 1e-6,
    ropeTheta: 1e6,
    ropeScaling: null,
    maxPositionEmbeddings: 32768,
    slidingWindow: null,
    tieWordEmbeddings: true,
    attentionBias: true,
    outputBias: false,
    mlpBias: false,
    qkNorm: false,
    eosTokens: [151645],
  };
  assert.equal(parseConfig(OLD, 'config.json'), expected);
  assert.equal(parseConfig(NEW, 'config.json'), expected);
});

test('a llama loads', () => {
  const config = parseConfig(LLAMA, 'config.json');
  assert.equal(
    [
      config.modelType,
      config.attentionBias,
      config.tieWordEmbeddings,
      config.numKeyValueHeads,
      config.headDim,
    ],
    ['llama', false, false, 8, 8],
  );
  assert.is(config.ropeTheta, 10000);
  const wide = parseConfig({ ...LLAMA, head_dim: 16, num_key_value_heads: 2 }, 'config.json');
  assert.equal(tensorShapes(wide).get('model.layers.1.self_attn.q_proj.weight'), [128, 64]);
  assert.equal(tensorShapes(wide).get('model.layers.1.self_attn.v_proj.weight'), [32, 64]);
  assert.equal(tensorShapes(wide).get('model.layers.1.self_attn.o_proj.weight'), [64, 128]);
});

test('what changes nothing is accepted', () => {
  const same = (change: object) =>
    assert.equal(parseConfig({ ...OLD, ...change }, 'f'), parseConfig(OLD, 'f'));
  same({ head_dim: null });
  same({ rope_scaling: null });
  same({ rope_scaling: { type: 'default' } });
  same({ rope_scaling: { rope_type: 'default' } });
  same({ rope_parameters: { rope_type: 'default', rope_theta: 1e6, partial_rotary_factor: 1 } });
  same({ partial_rotary_factor: 1 });
  same({ quantization_config: null });
  same({ use_mrope: false });
});

test('EOS tokens are the union of both files', () => {
  const eos = (a: unknown, b?: unknown) => parseConfig({ ...OLD, eos_token_id: a }, 'f', b).eosTokens;
  assert.equal(eos([7, 3]), [3, 7]);
  assert.equal(eos(null), []);
  assert.equal(eos(undefined, { eos_token_id: 5, top_k: 20, top_p: 0.8 }), [5]);
  assert.equal(eos(9, { eos_token_id: [5, 9] }), [5, 9]);
  assert.equal(eos(9, { do_sample: true }), [9]);
});

test('what is not computed is refused by key and value', async () => {
  const refused = async (base: object, change: object, key: string, value: unknown) => {
    const error = await failure(UnsupportedModelError, /supported is/, () =>
      parseConfig({ ...base, ...change }, 'f'),
    );
    assert.equal([error.key, error.value], [key, value]);
  };
  await refused(OLD, { model_type: 'mixtral' }, 'model_type', 'mixtral');
  await refused(OLD, { model_type: 'toString' }, 'model_type', 'toString');
  await refused(OLD, { hidden_act: 'gelu' }, 'hidden_act', 'gelu');
  await refused(OLD, { partial_rotary_factor: 0.5 }, 'partial_rotary_factor', 0.5);
  await refused(OLD, { attention_bias: false }, 'attention_bias', false);
  await refused(OLD, { mlp_bias: true }, 'mlp_bias', true);
  await refused(MISTRAL, { attention_bias: true }, 'attention_bias', true);
  await refused(MISTRAL, { mlp_bias: true }, 'mlp_bias', true);
  await refused(OLD, { quantization_config: { bits: 4 } }, 'quantization_config', { bits: 4 });
  await refused(LLAMA, { head_dim: 6 }, 'head_dim', 6);
  await refused(LLAMA, { num_attention_heads: 32 }, 'head_dim', 2);
  const head = ['Qwen2ForSequenceClassification'];
  await refused(OLD, { architectures: head }, 'architectures', head);
  await refused(MISTRAL, { architectures: ['LlamaForCausalLM'] }, 'architectures', ['LlamaForCausalLM']);
  await refused(OLD, { is_causal: false }, 'is_causal', false);
});

test('a missing key is named', async () => {
  const always = ['model_type', 'vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers'];
  for (const key of [
    ...always,
    'num_attention_heads',
    'rms_norm_eps',
    'rope_theta',
    'max_position_embeddings',
  ]) {
    const missing = new RegExp(`some.json: the required key "${key}" is missing`);
    await failure(CheckpointError, missing, () => parseConfig(without(OLD, key), 'some.json'));
  }
  await failure(CheckpointError, /"rope_theta" is missing/, () =>
    parseConfig({ ...NEW, rope_parameters: { rope_type: 'default' } }, 'f'),
  );
});

test('a value of the wrong kind or range is named', async () => {
  const wrong = (change: object, message: RegExp) =>
    failure(CheckpointError, message, () => parseConfig({ ...OLD, ...change }, 'f'));
  for (const value of [0, -1, 1.5, '896', true, [], 2 ** 31])
    await wrong({ hidden_size: value }, /hidden_size is .*: a whole number from 1/);
  await wrong({ num_hidden_layers: 0 }, /num_hidden_layers is 0/);
  await wrong({ num_key_value_heads: 4 }, /num_key_value_heads is 4: it must divide num_attention_heads, 14/);
  await wrong({ num_key_value_heads: 0 }, /num_key_value_heads is 0/);
  await wrong({ hidden_size: 900 }, /hidden_size is 900.*\(14\) must divide it/);
  await wrong({ rms_norm_eps: 0 }, /rms_norm_eps is 0/);
  await wrong({ rms_norm_eps: '1e-6' }, /rms_norm_eps is "1e-6"/);
  await wrong({ rope_theta: -1 }, /rope_theta is -1/);
  // Beyond f32, above and below, there is no such number on the GPU.
  for (const value of [1e39, 3.5e38, 3.4028235677973362e38, 1e-46]) {
    await wrong({ rms_norm_eps: value }, /rms_norm_eps is \S+: a positive number within the range of f32/);
    await wrong({ rope_theta: value }, /rope_theta is \S+: a positive number within the range of f32/);
  }
  // No string can be made of this; and more than a call takes arguments.
  const odd = { toString: 0 };
  await wrong({ rope_theta: odd }, /rope_theta is \{"toString":0\}/);
  await wrong({ rope_parameters: { rope_theta: odd } }, /two values, 1000000 and \{"toString":0\}/);
  await wrong({ model_type: odd }, /model_type is \{"toString":0\}/);
  await failure(UnsupportedModelError, /"architectures" is \[\{"toString":0\}\]/, () =>
    parseConfig({ ...OLD, architectures: [odd] }, 'f'),
  );
  const many = parseConfig(OLD, 'dir/config.json', { eos_token_id: Array(200_000).fill(7) });
  assert.equal(many.eosTokens, [7, 151645]);
  const long = await wrong(
    { eos_token_id: Array(200_000).fill('x') },
    /eos_token_id is \["x",.*…: token ids/,
  );
  assert.ok(long.message.length < 400);
  const bits = { quantization_config: Array(200_000).fill(4) };
  const other = await failure(UnsupportedModelError, /…: supported is none/, () =>
    parseConfig({ ...OLD, ...bits }, 'f'),
  );
  assert.ok(other.message.length < 400);
  await wrong({ rope_parameters: { rope_theta: 5 } }, /two values, 1000000 and 5/);
  await wrong({ rope_scaling: 'linear' }, /rope_scaling is "linear"/);
  await wrong({ tie_word_embeddings: 1 }, /tie_word_embeddings is 1/);
  await wrong({ eos_token_id: 151936 }, /eos_token_id is 151936: token ids below vocab_size, 151936/);
  await wrong({ eos_token_id: [1, -1] }, /eos_token_id is \[1,-1\]/);
  await wrong({ num_key_value_heads: undefined }, /num_key_value_heads is 32: it must divide/);
  await wrong({ model_type: 2 }, /model_type is 2/);
  await wrong({ architectures: 'Qwen2ForCausalLM' }, /architectures/);
  await failure(CheckpointError, /not a JSON object/, () => parseConfig([], 'f'));
  await failure(CheckpointError, /dir.generation_config.json: eos_token_id is "x"/, () =>
    parseConfig(OLD, 'dir/config.json', { eos_token_id: 'x' }),
  );
  await failure(CheckpointError, /generation_config.json/, () => parseConfig(OLD, 'dir/config.json', null));
});

test('the files of a folder are read', async () => {
  const generation = { eos_token_id: [151645, 151643], temperature: 0.7 };
  await withFolder({ 'config.json': OLD, 'generation_config.json': generation }, async (dir) => {
    assert.equal((await loadConfig(dir)).eosTokens, [151643, 151645]);
  });
  await withFolder({ 'config.json': NEW }, async (dir) => {
    assert.equal((await loadConfig(dir)).eosTokens, [151645]);
  });
  await withFolder({}, async (dir) => {
    await failure(CheckpointError, /config.json: the file is missing/, () => loadConfig(dir));
  });
});

test('config.json is read as Python reads it: the last of two equal keys, NaN where nobody looks', async () => {
  const twice = JSON.stringify(OLD).replace('{', '{"vocab_size":1,"unread":[NaN,-Infinity,"NaN"],');
  await withFolder({ 'config.json': twice }, async (dir) => {
    const warnings: string[] = [];
    assert.equal(await loadConfig(dir, (message) => warnings.push(message)), parseConfig(OLD, 'f'));
    assert.is(warnings.length, 1);
    assert.match(warnings[0], /config.json: the key "vocab_size" stands twice in one object, the last one/);
  });
  for (const word of ['NaN', 'Infinity', '-Infinity']) {
    const json = JSON.stringify({ ...OLD, rms_norm_eps: 'here', name: 'NaN"here' }).replace('"here"', word);
    await withFolder({ 'config.json': json }, async (dir) => {
      await failure(CheckpointError, /rms_norm_eps is -?Infinity: a positive number/, () => loadConfig(dir));
    });
  }
  await withFolder({ 'config.json': '{"a":Nan}' }, async (dir) => {
    await failure(CheckpointError, /not valid JSON/, () => loadConfig(dir));
  });
});

test('the tensors called for have the names and shapes of the format', () => {
  const shapes = tensorShapes(parseConfig({ ...OLD, num_hidden_layers: 1 }, 'f'));
  assert.equal(Object.fromEntries(shapes), {
    'model.embed_tokens.weight': [151936, 896],
    'model.layers.0.input_layernorm.weight': [896],
    'model.layers.0.self_attn.q_proj.weight': [896, 896],
    'model.layers.0.self_attn.q_proj.bias': [896],
    'model.layers.0.self_attn.k_proj.weight': [128, 896],
    'model.layers.0.self_attn.k_proj.bias': [128],
    'model.layers.0.self_attn.v_proj.weight': [128, 896],
    'model.layers.0.self_attn.v_proj.bias': [128],
    'model.layers.0.self_attn.o_proj.weight': [896, 896],
    'model.layers.0.post_attention_layernorm.weight': [896],
    'model.layers.0.mlp.gate_proj.weight': [4864, 896],
    'model.layers.0.mlp.up_proj.weight': [4864, 896],
    'model.layers.0.mlp.down_proj.weight': [896, 4864],
    'model.norm.weight': [896],
  });
  const untied = tensorShapes(parseConfig(LLAMA, 'f'));
  assert.equal(untied.get('lm_head.weight'), [100, 64]);
  assert.is(untied.size, 1 + 2 * 9 + 2);
});

test('tensors are checked against the configuration', async () => {
  const config = parseConfig({ ...LLAMA, tie_word_embeddings: true }, 'f');
  const open = (shapes: Map<string, number[]>, use: (checkpoint: Checkpoint) => Promise<void>) => {
    const tensors = [...shapes].map(([name, shape]) => {
      const data = new Uint8Array(2 * shape.reduce((a, b) => a * b, 1));
      return { name, dtype: 'BF16' as const, shape, data };
    });
    return withFolder({ 'model.safetensors': encodeSafetensors(tensors) }, async (dir) => {
      const checkpoint = await Checkpoint.open(dir);
      await use(checkpoint);
      await checkpoint.close();
    });
  };
  const shapes = tensorShapes(config);
  await open(shapes, async (checkpoint) => {
    assert.equal(checkTensors(config, checkpoint), []);
    const untied = { ...config, tieWordEmbeddings: false };
    const error = await failure(CheckpointError, /is missing: expected shape \[100,64\]/, () =>
      checkTensors(untied, checkpoint),
    );
    assert.is(error.tensor, 'lm_head.weight');
    // However many layers a configuration claims, the first that is not there ends the search.
    await failure(CheckpointError, /model.layers.2.input_layernorm/, () =>
      checkTensors({ ...config, numHiddenLayers: 2 ** 31 - 1 }, checkpoint),
    );
  });
  await open(new Map([...shapes, ['model.norm.bias', [64]]]), async (checkpoint) => {
    assert.equal(checkTensors(config, checkpoint), ['model.norm.bias']);
  });
  const name = 'model.layers.1.mlp.up_proj.weight';
  await open(new Map([...shapes, [name, [64, 96]]]), async (checkpoint) => {
    const error = await failure(CheckpointError, /expected shape \[96,64\], found \[64,96\]/, () =>
      checkTensors(config, checkpoint),
    );
    assert.is(error.tensor, name);
  });
});

test.run();
