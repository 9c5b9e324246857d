import * as assert from 'uvu/assert';
import { CheckpointError } from '../../src/base/errors.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { failure, withFolder } from '../support/folder.ts';
import { inTemporaryFolder } from '../support/models.ts';
import { decodeSafetensors, encodeSafetensors, type TensorData } from '../support/safetensors-bytes.ts';
import { test } from '../support/suite.ts';
import { soundCheckpoint } from './sound.ts';

const sound = await inTemporaryFolder((dir) => soundCheckpoint(dir, false));
const bytesOf = (name: string) => sound.get(name) as Uint8Array;
const json = (name: string) => JSON.parse(new TextDecoder().decode(bytesOf(name)));
const TENSORS = decodeSafetensors(bytesOf('model.safetensors'));
const tensor = (name: string) => TENSORS.find((each) => each.name === name) as TensorData;
const EMBEDDING = tensor('model.embed_tokens.weight');
const HEAD = tensor('lm_head.weight');
const BODY = TENSORS.filter(({ name }) => name !== HEAD.name && name !== EMBEDDING.name);

interface Change {
  config?: object;
  tensors?: readonly TensorData[];
  files?: Record<string, object | string>;
  without?: readonly string[];
}

/** The sound checkpoint with these changes. */
function changed(
  { config, tensors = TENSORS, files, without = [] }: Change,
  use: (folder: ModelFolder) => unknown,
) {
  const all = {
    ...Object.fromEntries(sound),
    'config.json': { ...json('config.json'), ...config },
    'model.safetensors': encodeSafetensors(tensors),
    ...files,
  } as Record<string, object>;
  for (const name of without) delete all[name];
  return withFolder(all, async (dir) => {
    const folder = await ModelFolder.open(dir);
    try {
      await use(folder);
    } finally {
      await folder.close();
    }
  });
}
const tied = { tie_word_embeddings: true };
const named = (name: string, { dtype, shape, data }: TensorData): TensorData => ({
  name,
  dtype,
  shape,
  data,
});
const quiet = ({ warnings, unexpectedTensors }: ModelFolder) =>
  assert.equal([warnings, unexpectedTensors], [[], []]);

test('a sound checkpoint is opened in silence', async () => {
  await changed({}, (folder) => {
    quiet(folder);
    assert.is(folder.config.tieWordEmbeddings, false);
    assert.is(folder.tensors.size, TENSORS.length);
  });
});

test('a tied head beside the embedding is a copy where it is equal, in whatever dtype', async () => {
  const bits = new Uint16Array(EMBEDDING.data.buffer);
  const wide = new Uint8Array(Uint32Array.from(bits, (upper) => upper << 16).buffer); // f32 of the same values
  for (const head of [
    named(HEAD.name, EMBEDDING),
    { ...named(HEAD.name, EMBEDDING), dtype: 'F32' as const, data: wide },
  ]) {
    await changed({ config: tied, tensors: [EMBEDDING, ...BODY, head] }, (folder) => {
      quiet(folder);
      assert.is(folder.config.tieWordEmbeddings, true);
      assert.is(folder.tensors.has(HEAD.name), false);
    });
  }
});

test('another head beside tie_word_embeddings is used, untied, and that is said once', async () => {
  const last = EMBEDDING.data.slice();
  last[last.length - 1] ^= 1; // one value, the last one
  for (const head of [HEAD, { ...named(HEAD.name, EMBEDDING), data: last }]) {
    await changed({ config: tied, tensors: [EMBEDDING, ...BODY, head] }, (folder) => {
      assert.is(folder.config.tieWordEmbeddings, false);
      assert.is(folder.tensors.get(HEAD.name)?.name, HEAD.name);
      assert.equal(folder.unexpectedTensors, []);
      assert.is(folder.warnings.length, 1);
      assert.match(folder.warnings[0], /tie_word_embeddings is true, but lm_head.weight is not model.embed_/);
    });
  }
  const short = { ...HEAD, shape: [269, 16], data: HEAD.data.slice(32) };
  await failure(CheckpointError, /"lm_head.weight".*expected shape \[270,16\]/, () =>
    changed({ config: tied, tensors: [EMBEDDING, ...BODY, short] }, () => {}),
  );
});

test('a tied head without an embedding is the embedding', async () => {
  await changed({ config: tied, tensors: [...BODY, HEAD] }, async (folder) => {
    quiet(folder);
    assert.is(folder.config.tieWordEmbeddings, true);
    const embedding = folder.tensors.get(EMBEDDING.name);
    assert.ok(embedding);
    const read = new Uint8Array(HEAD.data.length);
    await folder.readInto(embedding, 0, read);
    assert.equal(read, HEAD.data);
  });
  await failure(CheckpointError, /"lm_head.weight".*is missing/, () =>
    changed({ tensors: [EMBEDDING, ...BODY] }, () => {}),
  );
});

test('what is computed anew is left out in silence, what is unknown with a warning', async () => {
  const spare = (name: string, dtype: string, length: number) =>
    ({ name, dtype, shape: [length], data: new Uint8Array(8) }) as unknown as TensorData;
  const derived = [
    spare('model.layers.0.self_attn.rotary_emb.inv_freq', 'F32', 2),
    spare('model.rotary_emb.inv_freq', 'F16', 4),
    spare('model.position_ids', 'I64', 1),
  ];
  await changed({ tensors: [...TENSORS, ...derived] }, quiet);
  await changed(
    { tensors: [spare('mask', 'BOOL', 8), ...TENSORS, spare('scale', 'F8_E4M3', 8)] },
    (folder) => {
      assert.equal(folder.unexpectedTensors, ['mask', 'scale']);
      assert.is(folder.warnings.length, 1);
      assert.match(folder.warnings[0], /has 2 tensor\(s\) that its config does not call for: mask, scale/);
    },
  );
  const needed = BODY.map((each) => (each.name === 'model.norm.weight' ? { ...each, dtype: 'I16' } : each));
  const { tensor: name } = await failure(CheckpointError, /dtype "I16" is not supported, only F32/, () =>
    changed({ tensors: [EMBEDDING, ...(needed as TensorData[]), HEAD] }, () => {}),
  );
  assert.is(name, 'model.norm.weight');
});

test('a key that stands twice is warned of, in each of the files', async () => {
  for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json']) {
    const text = new TextDecoder().decode(bytesOf(name));
    const key = JSON.stringify(Object.keys(JSON.parse(text))[0]);
    await changed({ files: { [name]: text.replace('{', `{${key}:0,`) } }, ({ warnings }) => {
      assert.is(warnings.length, 1);
      assert.match(warnings[0], new RegExp(`/${name}: the key ${key} stands twice in one object, the last`));
    });
  }
});

test('a tokenizer may have more ids than the embedding has rows', async () => {
  const tokenizer = json('tokenizer.json');
  for (let id = 262; id <= 270; id++) tokenizer.added_tokens.push({ id, content: `<${id}>`, special: true });
  await changed({ files: { 'tokenizer.json': tokenizer } }, (folder) => {
    quiet(folder);
    assert.is(folder.tokenizer?.vocabSize, 271);
  });
});

test('the EOS of the tokenizer counts where no other file has one', async () => {
  const { eos_token_id, ...config } = json('config.json');
  const files = { 'config.json': config, 'generation_config.json': {} };
  const eos = (change: Change, expected: number[]) =>
    changed({ without: ['special_tokens_map.json'], ...change }, (folder) => {
      quiet(folder);
      assert.equal(folder.config.eosTokens, expected);
    });
  await eos({ files }, [260]);
  await eos({ files: { ...files, 'config.json': { ...config, eos_token_id: null } } }, [260]);
  await eos({ files: { ...files, 'tokenizer_config.json': { eos_token: '<turn>' } } }, [261]);
  await eos({ files: { ...files, 'tokenizer_config.json': { eos_token: 'no token' } } }, []);
  await eos({ files: { ...files, 'tokenizer_config.json': { eos_token: null } } }, []);
  await eos({ files: { ...files, 'generation_config.json': { eos_token_id: 7 } } }, [7]);
  await eos({ files, without: ['tokenizer.json', 'tokenizer_config.json'] }, []);
  await eos({ files: { ...files, 'special_tokens_map.json': { eos_token: '<turn>' } }, without: [] }, [261]);
});

test.run();
