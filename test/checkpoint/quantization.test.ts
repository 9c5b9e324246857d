import * as assert from 'uvu/assert';
import { dequantise } from '../../reference/dequantise.ts';
import { CheckpointError, UnsupportedModelError } from '../../src/base/errors.ts';
import type { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { failure } from '../support/folder.ts';
import { bytes, changed, type Draft, halves, reshape, words } from '../support/quantized.ts';
import { test } from '../support/suite.ts';

const LAYER = 'model.layers.0';
const DOWN = `${LAYER}.mlp.down_proj`;
const Q = `${LAYER}.self_attn.q_proj`;

type Settings = Record<string, unknown>;
const says = (settings: Settings) => (draft: Draft) => void Object.assign(draft.settings, settings);

/** A key of the quantization_config, refused with its value. */
async function unsupported(name: string, settings: Settings, key: string, value: unknown): Promise<void> {
  const error = await failure(UnsupportedModelError, /^config key "quantization_config/, () =>
    changed(name, says(settings)),
  );
  assert.equal([error.key, error.value], [`quantization_config.${key}`, value]);
}

/** A checkpoint whose tensors, or whose config, are not what they should be. */
async function wrong(
  name: string,
  change: (draft: Draft) => void,
  message: RegExp,
  tensor?: string,
): Promise<void> {
  const error = await failure(CheckpointError, message, () => changed(name, change));
  assert.is(error.tensor, tensor);
}

/** The weights of the first group, or what else is in CT's config. */
const weights = (draft: Draft, change: Settings) => {
  const groups = draft.settings.config_groups as Record<string, { weights: Settings }>;
  Object.assign(groups.group_0.weights, change);
};

test('methods, formats and bits that are not read are refused by key and value', async () => {
  for (const method of ['bitsandbytes', 'hqq', 'fbgemm_fp8', 'toString'])
    await unsupported('gptq-int4', { quant_method: method }, 'quant_method', method);
  for (const bits of [2, 3, 5, 16, '4', 4.5]) await unsupported('gptq-int4', { bits }, 'bits', bits);
  await unsupported('gptq-int4', { bits: null }, 'bits', null);
  await unsupported('gptq-int4', { checkpoint_format: 'marlin' }, 'checkpoint_format', 'marlin');
  await unsupported('gptq-int4', { pack_dtype: 'int16' }, 'pack_dtype', 'int16');
  await unsupported('gptq-int4', { is_marlin_format: true }, 'is_marlin_format', true);
  await unsupported('gptq-int4', { adapter: { type: 'lora' } }, 'adapter', { type: 'lora' });
  await unsupported('awq-int4', { version: 'gemv' }, 'version', 'gemv');
  await unsupported('awq-int4', { bits: 8 }, 'bits', 8);
  await unsupported('fp8-block', { fmt: 'e5m2' }, 'fmt', 'e5m2');
  await unsupported('fp8-block', { scale_fmt: 'ue8m0' }, 'scale_fmt', 'ue8m0');
  await unsupported('packed-int4', { format: 'nvfp4-pack-quantized' }, 'format', 'nvfp4-pack-quantized');
  await unsupported('packed-int4', { quantization_status: 'frozen' }, 'quantization_status', 'frozen');
  const transform = { config_groups: { R1: { type: 'hadamard' } } };
  await unsupported('packed-int4', { transform_config: transform }, 'transform_config', transform);
  const sparse = { format: 'sparse-24-bitmask' };
  await unsupported('packed-int4', { sparsity_config: sparse }, 'sparsity_config', sparse);
  await changed('packed-int4', says({ sparsity_config: { format: 'dense' }, transform_config: {} }));
});

test('schemes of compressed-tensors that are not read are refused by key and value', async () => {
  const refused = async (change: Settings, key: string) => {
    const error = await failure(UnsupportedModelError, /config_groups\.group_0\.weights/, () =>
      changed('packed-int4', (draft) => weights(draft, change)),
    );
    assert.is(error.key, `quantization_config.config_groups.group_0.weights.${key}`);
  };
  for (const bits of [2, 3, 6, 16]) await refused({ num_bits: bits }, 'num_bits');
  await refused({ type: 'float', num_bits: 4 }, 'num_bits'); // FP4
  await refused({ type: 'float', num_bits: 8 }, 'type');
  await refused({ strategy: 'tensor_group' }, 'strategy');
  await refused({ dynamic: true }, 'dynamic');
  await refused({ actorder: 'random' }, 'actorder');
  await refused({ strategy: 'channel', group_size: null, actorder: 'group' }, 'actorder');
  const mxfp4 = { group_0: { targets: ['Linear'], format: 'mxfp4-pack-quantized', weights: {} } };
  await unsupported(
    'packed-int4',
    { config_groups: mxfp4 },
    'config_groups.group_0.format',
    'mxfp4-pack-quantized',
  );
});

test('values of the wrong kind or out of range are named', async () => {
  const settings = (name: string, change: Settings, message: RegExp) => wrong(name, says(change), message);
  for (const size of [0, -2, 1.5, '32', 2 ** 31])
    await settings('gptq-int4', { group_size: size }, /quantization_config.group_size is .*: a whole number/);
  await settings('gptq-int4', { sym: 1 }, /quantization_config.sym is 1: true or false/);
  await settings('gptq-int4', { dynamic: [] }, /quantization_config.dynamic is \[\]: an object/);
  await settings('gptq-int4', { modules_in_block_to_quantize: [[1]] }, /modules_in_block.*a list of lists/);
  await settings('awq-int4', { modules_to_not_convert: 'lm_head' }, /modules_to_not_convert is .*a list of/);
  for (const block of [[0, 128], [128], '128x128', [1.5, 2]])
    await settings('fp8-block', { weight_block_size: block }, /weight_block_size is .*: two whole numbers/);
  await settings('packed-int4', { config_groups: null }, /config_groups is null: an object/);
  await settings('packed-int4', { config_groups: { a: { targets: [1], weights: {} } } }, /targets is \[1\]/);
  await wrong(
    'packed-int4',
    ({ config, settings }) => Object.assign(config, { compression_config: settings }),
    /both/,
  );
});

test('a config that contradicts the tensors is refused, with the tensor', async () => {
  const at = (part: string, module = Q) => `${module}.${part}`;
  await wrong(
    'gptq-int4',
    says({ bits: 8 }),
    /says GPTQ, 8 bits .*expected I32 \[16,64\], found "I32" \[8,64\]/,
    at('qweight'),
  );
  await wrong(
    'gptq-int4',
    says({ group_size: 64 }),
    /groups of 64.*expected I32 \[1,8\], found "I32" \[2,8\]/,
    at('qzeros'),
  );
  await wrong('gptq-int8', says({ bits: 4 }), /4 bits/, at('qweight'));
  await wrong('awq-int4', says({ group_size: 16 }), /groups of 16/, at('qzeros'));
  await wrong('awq-int4', says({ quant_method: 'gptq' }), /says GPTQ/, at('qweight'));
  await wrong('gptq-int4', says({ quant_method: 'awq' }), /says AWQ/, at('qweight'));
  await wrong(
    'packed-int4',
    (draft) => weights(draft, { group_size: 16 }),
    /groups of 16/,
    at('weight_scale'),
  );
  await wrong(
    'packed-int4',
    (draft) => weights(draft, { symmetric: false }),
    /is missing/,
    at('weight_zero_point'),
  );
  await wrong(
    'packed-int4',
    (draft) => weights(draft, { actorder: 'group' }),
    /is missing/,
    at('weight_g_idx'),
  );
  await wrong(
    'fp8-block',
    says({ weight_block_size: [64, 64] }),
    /blocks of 64 × 64/,
    at('weight_scale_inv'),
  );
  await wrong('fp8-block', says({ weight_block_size: null }), /FP8/, at('weight_scale_inv'));
  // What is said to be plain is quantised, and the other way round.
  await wrong('gptq-int4', says({ dynamic: { '-:.*q_proj': {} } }), /is missing/, at('weight'));
  await wrong('gptq-int4', untied, /says GPTQ.* of lm_head/, 'lm_head.qzeros');
  await wrong(
    'gptq-v2-mixed',
    says({ dynamic: null }),
    /expected I32 \[2,4\], found "I32" \[1,4\]/,
    at('qzeros', `${LAYER}.self_attn.k_proj`),
  );
  await wrong(
    'awq-skip',
    says({ modules_to_not_convert: null }),
    /is missing/,
    `${LAYER}.self_attn.v_proj.qweight`,
  );
  await wrong(
    'awq-int4',
    says({ modules_to_not_convert: [Q] }),
    /is quantised, but .*modules_to_not_convert/,
    at('qweight'),
  );
  await wrong('packed-int4', says({ ignore: ['lm_head', 're:.*q_proj'] }), /is missing/, at('weight'));
  await wrong('fp8-whole', says({ modules_to_not_convert: [] }), /expected F8_E4M3/, `${DOWN}.weight`);
  await wrong(
    'gptq-int4',
    ({ config }) => {
      config.quantization_config = null;
    },
    /is missing/,
    at('weight'),
  );
});

function untied({ config, settings }: Draft): void {
  config.tie_word_embeddings = false;
  settings.lm_head = true;
}

test('sizes that do not divide are refused, with the numbers', async () => {
  await wrong(
    'gptq-int4',
    says({ group_size: 48 }),
    /48 must divide the 64 columns of .*q_proj/,
    `${Q}.scales`,
  );
  await wrong('awq-int4', says({ group_size: 128 }), /128 must divide the 64 columns/, `${Q}.scales`);
  await wrong(
    'packed-int4',
    (draft) => weights(draft, { group_size: 24 }),
    /24 must divide the 64/,
    `${Q}.weight_scale`,
  );
  // Words hold eight codes: 62 columns are no whole number of them, nor are 60 rows.
  const sizes = (change: Settings) => (draft: Draft) => {
    Object.assign(draft.config, change);
    const width = (draft.config.hidden_size ?? 64) as number;
    reshape(draft, 'model.embed_tokens.weight', 'F16', [67, width]);
    reshape(draft, `${LAYER}.input_layernorm.weight`, 'F16', [width]);
  };
  await wrong('gptq-rows', sizes({ hidden_size: 62 }), /8 must divide the 62 columns/, `${Q}.qweight`);
  const odd = sizes({ head_dim: 12, num_attention_heads: 5, num_key_value_heads: 5 });
  await wrong('awq-int4', odd, /8 must divide the 60 rows/, `${Q}.qweight`);
  await wrong('gptq-int4', odd, /8 must divide the 60 rows/, `${Q}.qzeros`);
});

test('tensors of the wrong dtype or of too few bytes are refused', async () => {
  await wrong(
    'gptq-int4',
    (draft) => reshape(draft, `${Q}.qweight`, 'F32', [8, 64]),
    /found "F32"/,
    `${Q}.qweight`,
  );
  await wrong(
    'gptq-int4',
    (draft) => reshape(draft, `${Q}.scales`, 'I8', [2, 64]),
    /found "I8"/,
    `${Q}.scales`,
  );
  await wrong('gptq-int4', ({ tensors }) => void tensors.delete(`${Q}.qzeros`), /is missing/, `${Q}.qzeros`);
  await wrong(
    'gptq-desc-act',
    ({ tensors }) => void tensors.delete(`${Q}.g_idx`),
    /is missing/,
    `${Q}.g_idx`,
  );
  await wrong(
    'fp8-block',
    (draft) => reshape(draft, `${Q}.weight`, 'F8_E5M2', [64, 64]),
    /E5M2/,
    `${Q}.weight`,
  );
  const short = (draft: Draft) => {
    const { name, dtype, shape, data } = draft.tensors.get(`${Q}.qweight`) as never;
    draft.tensors.set(`${Q}.qweight`, { name, dtype, shape, data: (data as Uint8Array).subarray(0, 100) });
  };
  await wrong('gptq-int4', short, /is 2048 bytes, the file has 100/, `${Q}.qweight`);
});

test('values that no library could mean are refused when a folder is opened, with their place', async () => {
  const put = (name: string, at: number, word: number) => (draft: Draft) => {
    words(draft, name)[at] = word;
  };
  const g = `${Q}.g_idx`;
  await wrong('gptq-desc-act', put(g, 3, 2), /at \[3\] group 2 of a column: there are 2 groups/, g);
  await wrong('gptq-desc-act', put(g, 3, -1), /at \[3\] group -1 of a column/, g);
  await wrong(
    'gptq-desc-act',
    (draft) => void words(draft, g).fill(1),
    /at \[32\] group 1 has more than 32/,
    g,
  );
  await wrong(
    'gptq-int4',
    (draft) => void words(draft, g).reverse(),
    /not in the order .* desc_act is false/,
    g,
  );
  await wrong('packed-g-idx', put(`${Q}.weight_g_idx`, 0, 7), /at \[0\] group 7/, `${Q}.weight_g_idx`);
  // The second of a word's zero points: 15 stored means 16.
  const zeros = `${Q}.qzeros`;
  await wrong(
    'gptq-desc-act',
    (draft) => {
      words(draft, zeros)[9] |= 0xf0;
    },
    /at \[1,1\] the zero point is 16: at most 15/,
    zeros,
  );
  await wrong('gptq-int8-asym', put(zeros, 2, 0xff000000), /at \[0,2\] the zero point is 256/, zeros);
  await changed('gptq-v2-mixed', (draft) => {
    words(draft, zeros)[0] = -1;
  }); // 15 is 15 there
  await wrong('gptq-int4', put(zeros, 0, 0x77777776), /the zero point is 7: 8, since sym is true/, zeros);
  const whole = `${LAYER}.mlp.up_proj.weight_zero_point`;
  await wrong(
    'packed-mixed',
    (draft) => {
      draft.tensors.set(whole, { name: whole, dtype: 'I8' as never, shape: [1], data: Uint8Array.of(8) });
    },
    /at \[0\] 8 is beyond the 4 bits of a code/,
    whole,
  );
  for (const [name, part, bits] of [
    ['gptq-int4', 'scales', 0x7c00],
    ['awq-int4', 'scales', 0xfe00],
    ['packed-int4', 'weight_scale', 0x7fc0],
    ['float8-block', 'weight_scale', 0xff80],
    ['fp8-block', 'weight_scale_inv', 0x7f80],
  ] as const) {
    const tensor = `${DOWN}.${part}`;
    await wrong(
      name,
      (draft) => {
        halves(draft, tensor)[1] = bits;
      },
      /at \[0,1\] the scale is (-?Inf|NaN)/,
      tensor,
    );
  }
  await wrong(
    'packed-int4',
    put(`${Q}.weight_shape`, 2, 63),
    /the size is 63: the model has 64/,
    `${Q}.weight_shape`,
  );
});

test('codes that stand for no weight are refused when they are read', async () => {
  const read = (name: string, change: (draft: Draft) => void, message: RegExp) =>
    failure(CheckpointError, message, () =>
      changed(name, change, (folder: ModelFolder) => folder.quantized.get(`${Q}.weight`)?.read()),
    );
  for (const nan of [0x7f, 0xff])
    await read(
      'fp8-block',
      (draft) => {
        bytes(draft, `${Q}.weight`)[70] = nan;
      },
      /at \[1,6\] the weight is NaN/,
    );
  const four = (draft: Draft) => weights(draft, { num_bits: 4 });
  await read('int8-channel', four, /is beyond the 4 bits of a code/);
});

test('what is not emulated is said once; biases of 0 are not said at all', async () => {
  const warnings = async (name: string, change: (draft: Draft) => void = () => {}) => {
    let said: readonly string[] = [];
    await changed(name, change, (folder) => {
      said = folder.warnings;
    });
    return said.map((line) => line.replace(/^\S+ /, ''));
  };
  for (const name of ['gptq-int4', 'gptq-int8', 'awq-int4', 'packed-int4', 'packed-g-idx'])
    assert.equal(await warnings(name), [], name);
  const rest = ': not emulated. Weights are as quantised; activations, keys and values are not';
  assert.equal(await warnings('fp8-block'), [`activation_scheme${rest}`]);
  assert.equal(await warnings('float8-tensor'), [`input_activations, input_scale${rest}`]);
  const cache = says({ kv_cache_scheme: { num_bits: 8 } });
  assert.equal(await warnings('packed-int4', cache), [`kv_cache_scheme${rest}`]);
  const [bias] = await warnings('gptq-int4', (draft) => {
    halves(draft, `${DOWN}.bias`)[0] = 1;
  });
  assert.match(
    bias,
    /has 1 tensor\(s\) that its config does not call for: model.layers.0.mlp.down_proj.bias/,
  );
});

test('FP8 with weight_scale, of rows or of the whole, is what compressed-tensors makes of the same tensors', async () => {
  const weightsOf = async (folder: ModelFolder) => {
    const all: Float32Array[] = [];
    for (const matrix of folder.quantized.values()) all.push(await dequantise(matrix));
    return all;
  };
  const fp8 = ({ config }: Draft) => {
    config.quantization_config = {
      quant_method: 'fp8',
      activation_scheme: 'static',
      ignored_layers: ['lm_head'],
    };
  };
  for (const name of ['float8-channel', 'float8-tensor']) {
    let expected: Float32Array[] = [];
    await changed(
      name,
      () => {},
      async (folder) => {
        expected = await weightsOf(folder);
      },
    );
    await changed(name, fp8, async (folder) => {
      assert.equal(await weightsOf(folder), expected);
      assert.equal(folder.unexpectedTensors, []);
    });
  }
});

test('zero points of FP8 may be there as long as they are 0', async () => {
  const name = `${Q}.weight_zero_point`;
  const zero = (value: number) => (draft: Draft) => {
    const data = new Uint8Array(64).fill(value);
    draft.tensors.set(name, { name, dtype: 'F8_E4M3' as never, shape: [64, 1], data });
  };
  await changed('float8-channel', zero(0), ({ unexpectedTensors }) => assert.equal(unexpectedTensors, []));
  await wrong('float8-channel', zero(1), /is not 0, but FP8 has no zero points/, name);
});

test('a quantised head beside tied embeddings is used, and that is said once', async () => {
  const tied = ({ config }: Draft) => {
    config.tie_word_embeddings = true;
  };
  await changed('int8-channel', tied, ({ config, quantized, unexpectedTensors, warnings }) => {
    assert.is(config.tieWordEmbeddings, false);
    assert.ok(quantized.has('lm_head.weight'));
    assert.equal(unexpectedTensors, []);
    assert.is(warnings.filter((line) => /tie_word_embeddings is true, but/.test(line)).length, 1);
  });
});

test('dynamic: the first pattern that matches counts, by Python’s re.match', async () => {
  const patterns = (dynamic: object) => says({ dynamic });
  const mixed = {
    '-:.*\\.o_proj': {},
    '+:.*(?:down|gate)_proj$': { bits: 8 },
    '.*gate_proj': { bits: 4 },
    '.*k_proj': { group_size: 64, sym: true },
  };
  await wrong('gptq-v2-mixed', patterns(mixed), /GPTQ, 8 bits/, `${LAYER}.mlp.gate_proj.qweight`);
  const { '+:.*(?:down|gate)_proj$': _, ...others } = mixed;
  await changed('gptq-v2-mixed', patterns({ ...others, 'model.*down': { bits: 8 } }));
  for (const pattern of ['(', 'a**', '(?i)x', '\\1', '[', '(?<=a)b', 'x{2,1}'])
    await unsupported('gptq-int4', { dynamic: { [pattern]: {} } }, 'dynamic', pattern);
  await unsupported('gptq-int4', { dynamic: { '.*': { bits: 3 } } }, 'dynamic..*.bits', 3);
});

test.run();
