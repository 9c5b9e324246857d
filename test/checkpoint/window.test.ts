import * as assert from 'uvu/assert';
import { CheckpointError, UnsupportedModelError } from '../../src/base/errors.ts';
import { parseWindow } from '../../src/checkpoint/window.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';

// Which layers slide is held against transformers in families.test.ts.

const LAYERS = 3;
const SLIDING = 'sliding_attention';
const FULL = 'full_attention';
const ON = { use_sliding_window: true, sliding_window: 100, max_window_layers: 1 };
const parse = (type: string, json: object) => parseWindow({ ...json }, type, LAYERS, 'f');
const wrong = (type: string, json: object, message: RegExp) =>
  failure(CheckpointError, message, () => parse(type, json));
const refused = async (type: string, json: object, key: string, value: unknown) => {
  const error = await failure(UnsupportedModelError, /supported is/, () => parse(type, json));
  assert.equal([error.key, error.value], [key, value]);
};

test('a window of no size is refused', async () => {
  for (const sliding_window of [0, -1, 1.5, 2 ** 31, 1e30, Number.POSITIVE_INFINITY, '100', true, []]) {
    const message = /sliding_window is .*: a whole number from 1 to 2147483647/;
    await wrong('qwen2', { ...ON, sliding_window }, message);
    await wrong('qwen3', { ...ON, sliding_window, layer_types: [FULL, FULL, SLIDING] }, message);
    await wrong('mistral', { sliding_window }, message);
  }
});

test('a window that no layer has is not looked at', () => {
  const odd = { ...ON, sliding_window: -1 };
  assert.is(parse('qwen2', { ...odd, use_sliding_window: false }), null);
  assert.is(parse('qwen2', { ...odd, max_window_layers: LAYERS }), null);
  assert.is(parse('qwen2', { ...odd, layer_types: [FULL, FULL, FULL] }), null);
  assert.is(parse('llama', { sliding_window: 0 }), null);
});

test('which layers slide must be told in whole numbers and known names', async () => {
  for (const first of [null, -1, 1.5, '1', 1e30])
    await wrong(
      'qwen2',
      { ...ON, max_window_layers: first },
      /max_window_layers is .*: a whole number from 0/,
    );
  for (const use of [1, 'yes', []])
    await wrong('qwen2', { ...ON, use_sliding_window: use }, /use_sliding_window is .*: true or false/);
  for (const types of [[], [SLIDING], [FULL, FULL, FULL, FULL], 'full_attention', {}, 3])
    for (const type of ['qwen2', 'qwen3', 'llama', 'mistral'])
      await wrong(
        type,
        { ...ON, layer_types: types },
        /layer_types is .*: a list of num_hidden_layers \(3\)/,
      );
  for (const other of ['chunked_attention', 'sliding', '', null, 3, {}])
    for (const type of ['qwen2', 'qwen3', 'llama', 'mistral'])
      await refused(type, { ...ON, layer_types: [FULL, SLIDING, other] }, 'layer_types', other);
  const none = { use_sliding_window: false, layer_types: [FULL, FULL, SLIDING] };
  await wrong('qwen2', none, /layer_types has "sliding_attention", but use_sliding_window is false/);
});

test('a family that has no such window is refused one', async () => {
  await refused('llama', ON, 'use_sliding_window', true);
  await refused('llama', { ...ON, layer_types: [FULL, FULL, SLIDING] }, 'layer_types', SLIDING);
  // Mistral's layers slide alike, whatever else is said.
  await refused('mistral', { layer_types: [SLIDING, SLIDING, FULL] }, 'layer_types', FULL);
  await refused(
    'mistral',
    { layer_types: [FULL, SLIDING, FULL], sliding_window: null },
    'layer_types',
    SLIDING,
  );
  await refused('mistral', { use_sliding_window: false }, 'use_sliding_window', false);
  assert.equal(parse('mistral', { layer_types: [SLIDING, SLIDING, SLIDING] }), { size: 4096, layers: 0 });
  assert.is(parse('mistral', { use_sliding_window: false, sliding_window: null }), null);
});

test('a config that claims two billion layers costs nothing', () => {
  const many = parseWindow({ ...ON }, 'qwen2', 2 ** 31 - 1, 'f');
  assert.equal(many, { size: 100, layers: 1 });
});

test.run();
