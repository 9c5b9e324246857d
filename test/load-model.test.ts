import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { generate } from '../src/api/generate.ts';
import { loadModel, type Model } from '../src/api/load-model.ts';
import {
  CheckpointError,
  DeviceLostError,
  HubError,
  NonFiniteError,
  OptionError,
  UnsupportedModelError,
} from '../src/base/errors.ts';
import { smallModel } from './hub/model.ts';
import { failure } from './support/folder.ts';
import { withHub } from './support/hub-server.ts';
import { inTemporaryFolder, kernelSets, OWN_DEVICE, randomModel, SHAPE } from './support/models.ts';
import { overwrite, randomCheckpoint } from './support/random-checkpoint.ts';
import { test } from './support/suite.ts';

const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6];
const { 'the adapter’s own kernels': loadShared } = kernelSets;

async function computeOnce(model: Model): Promise<void> {
  const sequence = await model.prefill(PROMPT.slice(0, -1));
  try {
    const sharpening = { temperature: 1, alpha: 4 };
    const [[{ error }]] = await model.compute([
      { sequence, position: PROMPT.length - 1, tokens: PROMPT.slice(-1), sharpening },
    ]);
    if (error) throw error;
  } finally {
    sequence.free();
  }
}

for (const [tensor, layer] of [
  ['model.embed_tokens.weight', 'model.embed_tokens'],
  ['model.layers.0.self_attn.v_proj.weight', 'model.layers.0.self_attn'],
  ['model.layers.0.mlp.down_proj.weight', 'model.layers.0.mlp'],
  ['model.layers.1.self_attn.k_proj.bias', 'model.layers.1.self_attn'],
  ['model.layers.1.mlp.gate_proj.weight', 'model.layers.1.mlp'],
  ['lm_head.weight', 'lm_head'],
]) {
  test(`a NaN in ${tensor} is blamed on ${layer}`, () =>
    inTemporaryFolder(async (dir) => {
      randomCheckpoint(dir, {}, 1);
      overwrite(dir, tensor, Number.NaN);
      const model = await loadShared(dir);
      const error = await failure(NonFiniteError, /non-finite/, () => computeOnce(model));
      assert.is(error.layer, layer);
      assert.is(error.position, PROMPT.length - 1);
      model.dispose();
    }));
}

test('an overflow to infinity is found as well, and other calls go on', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, {}, 1);
    overwrite(dir, 'model.layers.1.mlp.up_proj.weight', 1e38);
    const model = await loadShared(dir);
    const error = await failure(NonFiniteError, /non-finite/, () => computeOnce(model));
    assert.is(error.layer, 'model.layers.1.mlp');
    await failure(NonFiniteError, /non-finite/, () => computeOnce(model));
    model.dispose();
  }));

test('a tokenizer with more ids than the embedding has rows does, as long as none of them occurs', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, { vocabSize: 40, eosTokens: [0] }, 1);
    const vocab = Object.fromEntries(Array.from({ length: 41 }, (_, i) => [String.fromCharCode(97 + i), i]));
    const model = { type: 'BPE', vocab, merges: [] };
    const none = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify({ model, added_tokens: [], ...none }));
    writeFileSync(join(dir, 'tokenizer_config.json'), '{}');
    const loaded = await loadModel(dir);
    const greedy = { sampler: 'greedy', maxNewTokens: 4 } as const;
    assert.ok((await generate(loaded, 'abc', greedy)).tokens.every((id) => id < 40));
    const beyond = `a${String.fromCharCode(97 + 40)}`;
    await failure(OptionError, /token 1 of the prompt is 40/, () => generate(loaded, beyond, greedy));
    loaded.dispose();
  }));

test('a head that is not the embedding is the one that is computed with, whatever the config ties', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, { numHiddenLayers: 1 }, 1);
    const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'));
    const logits: Float32Array[] = [];
    for (const tie of [false, true]) {
      writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, tie_word_embeddings: tie }));
      const model = await loadShared(dir);
      logits.push(await model.logits(PROMPT));
      assert.is(model.warnings.length, tie ? 1 : 0);
      assert.is(model.config.tieWordEmbeddings, false);
      model.dispose();
    }
    assert.equal(logits[1], logits[0]);
  }));

test('tensors that the configuration does not call for are reported, not refused', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, { numHiddenLayers: 2 }, 1);
    const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'));
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 1 }));
    const model = await loadModel(dir);
    assert.is(model.unexpectedTensors.length, 12);
    assert.ok(model.unexpectedTensors.every((name) => name.startsWith('model.layers.1.')));
    model.dispose();
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 3 }));
    await failure(CheckpointError, /model\.layers\.2\./, () => loadModel(dir));
  }));

test('a folder that is not there, and numbers that cannot be, are refused', () =>
  inTemporaryFolder(async (dir) => {
    await failure(CheckpointError, /nowhere/, () => loadModel(join(dir, 'nowhere')));
    randomCheckpoint(dir, {}, 1);
    await failure(OptionError, /cachePositions is 0/, () => loadModel(dir, { cachePositions: 0 }));
    randomCheckpoint(dir, { headDim: 132 }, 1);
    await failure(UnsupportedModelError, /"head_dim" is 132/, () => loadModel(dir));
  }));

test('progress is told in bytes and ends at the whole; an aborted load stops', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, {}, 1);
    const seen: [number, number][] = [];
    (await loadModel(dir, { onProgress: (...bytes) => seen.push(bytes) })).dispose();
    const [loaded, total] = seen[seen.length - 1];
    assert.is(loaded, total);
    assert.ok(seen.length > 10 && seen.every(([n], i) => i === 0 || n > seen[i - 1][0]));
    await failure(Error, /no more/, () =>
      loadModel(dir, { signal: AbortSignal.abort(new Error('no more')) }),
    );
  }));

test('without an adapter the error says what to install, and the process ends by itself', () => {
  const url = new URL('../src/gpu/device.js', import.meta.url).href;
  const script = `
    const { Gpu } = await import(${JSON.stringify(url)});
    await Gpu.open().catch(({ name, message }) => console.log(name, message));`;
  // Neither a Vulkan driver nor anything else is found there.
  const env = { ...process.env, VK_DRIVER_FILES: '/nonexistent.json', VK_ICD_FILENAMES: '/nonexistent.json' };
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.is(run.status, 0, run.stderr);
  assert.match(run.stdout, /^AdapterError no WebGPU adapter found .* mesa-vulkan-drivers/);
});

test('a model is loaded by its name on the Hub, and how far it is fetched is told', () =>
  withHub({ 'org/m': smallModel() }, async () => {
    const seen: [number, number][] = [];
    const model = await loadModel('org/m', { onFetch: (...bytes) => seen.push(bytes) });
    model.dispose();
    const [bytes, size] = seen[seen.length - 1];
    assert.is(bytes, size);
    await failure(HubError, /org\/n@main: is no folder here and no model at/, () => loadModel('org/n'));
    await failure(OptionError, /more than one "\/"/, () => loadModel('org/m/n'));
    const late = { signal: AbortSignal.abort(new Error('no more')) };
    await failure(Error, /^no more$/, () => loadModel('org/n', late));
  }));

test('a model ends with its block; a second time nothing happens, and what is pending rejects', async () => {
  let escaped: Model;
  {
    await using model = await randomModel(SHAPE, 1, 'BF16', OWN_DEVICE);
    escaped = model;
    await computeOnce(model);
  }
  await failure(DeviceLostError, /disposed/, () => computeOnce(escaped));
  escaped.dispose();
  await escaped[Symbol.asyncDispose]();

  let pending: Promise<void>;
  {
    using model = await randomModel(SHAPE, 1, 'BF16', OWN_DEVICE);
    pending = computeOnce(model);
    pending.catch(() => {});
  }
  await failure(DeviceLostError, /disposed/, () => pending);
});

test.run();
