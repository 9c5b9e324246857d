import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { type RunningScriptOptions, Script } from 'node:vm';
import * as assert from 'uvu/assert';
import { CheckpointError } from '../../src/base/errors.ts';
import { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

const MODEL = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] };
const NO_COMPONENTS = {
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  added_tokens: [],
};
const added = (id: unknown, content: unknown, more = {}) => ({ id, content, special: true, ...more });

const load = (json: object, files: Record<string, object | string> = {}) => withLoaded(json, files, () => {});

async function withLoaded(
  json: object,
  files: Record<string, object | string>,
  use: (tokenizer: Tokenizer, warnings: string[]) => unknown,
) {
  await withFolder(
    { 'tokenizer.json': { ...NO_COMPONENTS, model: MODEL, ...json }, ...files },
    async (dir) => {
      const warnings: string[] = [];
      const tokenizer = await Tokenizer.load(dir, (message) => warnings.push(message));
      await use(tokenizer as Tokenizer, warnings);
    },
  );
}

const refused = (json: object, message: RegExp, files: Record<string, object | string> = {}) =>
  failure(CheckpointError, message, () => load(json, files));
const model = (change: object) => ({ model: { ...MODEL, ...change } });
test('tokens that contradict each other are refused', async () => {
  await refused(model({ vocab: { a: 0, b: 1, ab: 1 } }), /token "ab" has the id 1, as has "b"/);
  await refused({ added_tokens: [added(1, 'x')] }, /token "x" has the id 1, as has "b"/);
  await refused({ added_tokens: [added(3, 'b')] }, /token "b" has the id 3, and 1 as well/);
  await refused({ added_tokens: [added(3, 'x'), added(4, 'x')] }, /token "x" has the id 4, and 3 as well/);
  await refused(model({ merges: ['a b', 'b a'] }), /the merge "b a" \(number 1\), but no token "ba"/);
  await refused(model({ merges: [['a', 'c']] }), /no token "c"/);
  await refused(model({ merges: ['a b c'] }), /two tokens belong there/);
  await refused(model({ merges: [{ toString: 0 }] }), /the merge an object \(number 0\)/);
  await withLoaded(model({ unk_token: 'u' }), {}, async (tokenizer) => {
    assert.equal(tokenizer.encode('ab'), Uint32Array.of(2));
    await failure(CheckpointError, /no unk_token for "x": "u" is no token/, () => tokenizer.encode('abx'));
  });
  await load(model({ merges: ['#version: 0.2', 'a b'] }));
  const bert = { type: 'BertProcessing', cls: ['c', 9], sep: ['a', 0] };
  await refused({ post_processor: bert }, /adds the id 9, which is no token/);
  // Not even the merge of two tokens may make an added one
  await refused({ ...model({ vocab: { a: 0, b: 1 } }), added_tokens: [added(2, 'ab')] }, /no token "ab"/);
});

test('holes in the ids are warned of', async () => {
  await withLoaded({ added_tokens: [added(5, 'x')] }, {}, (tokenizer, warnings) => {
    assert.is(tokenizer.vocabSize, 6);
    assert.is(warnings.length, 1);
    assert.match(warnings[0], /tokenizer.json: 2 ids below 6 are no token, the first is 3/);
  });
  await withLoaded({}, {}, (_, warnings) => assert.equal(warnings, []));
});

test('what is of the wrong kind is refused at loading', async () => {
  const split = { type: 'Split', pattern: { String: 'x' }, behavior: 'Isolated', invert: false };
  const wrong = { toString: 0 };
  const with_ = (change: object) => ({ pre_tokenizer: { ...split, ...change } });
  await refused(with_({ behavior: 9 }), /pre_tokenizer.behavior cannot be used: it is 9, one of Removed/);
  await refused(with_({ behavior: 'removed' }), /it is "removed", one of/);
  await refused(with_({ behavior: wrong }), /it is an object/);
  await refused(with_({ pattern: 'x' }), /pre_tokenizer.pattern cannot be used: it is "x", an object/);
  await refused(
    with_({ pattern: { Regex: wrong } }),
    /pattern.Regex cannot be used: it is an object, a string/,
  );
  await refused(with_({ pattern: { Regex: 'a', String: 'a' } }), /pattern .* has both String and Regex/);
  await refused(with_({ pattern: { Regex: '(' } }), /pattern cannot be used: it is "\("/);
  await refused(with_({ invert: 1 }), /invert cannot be used: it is 1, true or false/);
  for (const key of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    await refused({ [key]: 3 }, new RegExp(`${key} cannot be used: it is 3, an object`));
    await refused({ [key]: [] }, new RegExp(`${key} cannot be used: it is an array, an object`));
    await refused({ [key]: { type: wrong } }, new RegExp(`${key}.type cannot be used: it is an object`));
    await refused({ [key]: {} }, new RegExp(`${key}.type cannot be used: it is missing`));
    await refused({ [key]: { type: 'toString' } }, new RegExp(`${key} cannot be used: it is "toString"`));
  }
  await refused({ decoder: { type: 'Sequence', decoders: [null] } }, /decoder.decoders\[0\] .* it is null/);
  await refused({ normalizer: { type: 'Prepend', prepend: wrong } }, /normalizer.prepend .* it is an object/);
  await refused({ added_tokens: [added(3, wrong)] }, /added_tokens\[0\].content .* it is an object/);
  await refused({ added_tokens: [added(wrong, 'x')] }, /token "x" has the id an object/);
  await refused({ added_tokens: [added(3, 'x', { lstrip: 'no' })] }, /lstrip .* it is "no"/);
  await refused({ added_tokens: [null] }, /added_tokens\[0\] cannot be used: it is null/);
  await refused(model({ type: wrong }), /model.type cannot be used: it is an object/);
  await refused(model({ vocab: { a: wrong } }), /token "a" has the id an object/);
  await refused(model({ vocab: 3 }), /model.vocab cannot be used: it is 3/);
  await refused(model({ byte_fallback: 'yes' }), /byte_fallback .* it is "yes"/);
  const config = (change: object) => ({ 'tokenizer_config.json': change });
  await refused({}, /tokenizer_config.json: eos_token is an object/, config({ eos_token: wrong }));
  await refused({}, /bos_token is an object/, config({ bos_token: { content: wrong } }));
  await refused({}, /chat_template is an object/, config({ chat_template: wrong }));
  await refused(
    {},
    /chat_template is an array|chat_template is 3/,
    config({ chat_template: [{ name: 'default', template: 3 }] }),
  );
  await refused({}, /special_tokens_map.json: is not a JSON object/, { 'special_tokens_map.json': '[]' });
});

test('a pattern, a token or a text too long for a regular expression is an error that is not longer itself', async () => {
  const long = 'ab'.repeat(30_000);
  const split = (pattern: object) => ({
    pre_tokenizer: { type: 'Split', pattern, behavior: 'Isolated', invert: false },
  });
  const short = (error: Error) => assert.ok(error.message.length < 600, `${error.message.length} characters`);
  short(
    await refused(
      split({ Regex: long }),
      /pattern cannot be used: it is "abab.*, which cannot be used: Reg[a-z ]+ large$/,
    ),
  );
  short(await refused(split({ Regex: `(${long}` }), /which cannot be used: Unterminated group$/));
  short(
    await refused(
      { added_tokens: [added(3, long)] },
      /the added tokens cannot be looked for: Reg[a-z ]+ large$/,
    ),
  );
  await withLoaded(split({ String: long }), {}, (tokenizer) => {
    assert.equal(tokenizer.encode(`ab${long}a`).length, 1 + long.length / 2 + 1);
  });
  await withLoaded(split({ Regex: '((((((((a))))))))*' }), {}, async (tokenizer) => {
    const tooMuch = /cannot take 2000000 characters at once: Max/;
    short(await failure(CheckpointError, tooMuch, () => tokenizer.encode('a'.repeat(2e6))));
    assert.equal(tokenizer.encode('ab'), Uint32Array.of(0, 1));
  });
  const replace = { type: 'Replace', pattern: { String: 'b' }, content: long };
  await withLoaded({ normalizer: replace, decoder: replace }, {}, async (tokenizer) => {
    const text = 'b'.repeat(10_000);
    short(
      await failure(CheckpointError, /cannot take 10000 characters at once: Inv/, () =>
        tokenizer.encode(text),
      ),
    );
    const tokens = new Uint32Array(10_000).fill(1);
    short(
      await failure(CheckpointError, /cannot take 10000 tokens at once: Inv/, () => tokenizer.decode(tokens)),
    );
    assert.is(tokenizer.decode([1]), long);
  });
});

test('an empty pattern is found between all characters, and half a character nowhere', async () => {
  // As Python's tokenizers has it
  for (const pattern of [{ String: '' }, { Regex: '' }]) {
    const pre_tokenizer = { type: 'Split', pattern, behavior: 'Isolated', invert: false };
    await withLoaded({ pre_tokenizer }, {}, (tokenizer) => {
      assert.equal(tokenizer.encode('abba'), Uint32Array.of(0, 1, 1, 0));
    });
    const normalizer = { type: 'Replace', pattern, content: 'b' };
    await withLoaded({ normalizer }, {}, (tokenizer) => {
      assert.equal(tokenizer.encode('aa'), Uint32Array.of(1, 2, 2));
    });
  }
  const half = { type: 'Replace', pattern: { String: '\ud83d' }, content: 'b' };
  await refused(
    { normalizer: half },
    /normalizer.pattern cannot be used: it is .*, which has half a character/,
  );
});

test('nesting of any depth is an error, not a crash', async () => {
  // As text: JSON.stringify has no stack for these
  const text = (key: string, open: string, close: string) =>
    `{"model":${JSON.stringify(MODEL)},"${key}":${open.repeat(20_000)}null${close.repeat(20_000)}}`;
  const refusedText = (json: string) =>
    withFolder({ 'tokenizer.json': json }, async (dir) => {
      await failure(CheckpointError, /nested|cannot be used/, () => Tokenizer.load(dir));
    });
  await refusedText(text('decoder', '{"type":"Sequence","decoders":[', ']}'));
  await refusedText(text('pre_tokenizer', '{"type":"Sequence","pretokenizers":[', ']}'));
  await refusedText(text('normalizer', '{"type":"Sequence","normalizers":[', ']}'));
  await refusedText(text('post_processor', '{"type":"Sequence","processors":[', ']}'));
  await refusedText(text('decoder', '[', ']'));
  await refusedText(text('added_tokens', '[', ']'));
});

test('components that would give other tokens are refused by name', async () => {
  for (const type of ['Precompiled', 'BertNormalizer', 'Nmt', 'ByteLevel'])
    await refused({ normalizer: { type } }, new RegExp(`"${type}", a normalizer that is not supported`));
  for (const type of ['BertPreTokenizer', 'UnicodeScripts', 'CharDelimiterSplit', 'FixedLength', 'Replace'])
    await refused({ pre_tokenizer: { type } }, new RegExp(`"${type}", a pre-tokenizer that is not`));
  for (const type of ['WordPiece', 'CTC', 'BPEDecoder'])
    await refused({ decoder: { type } }, new RegExp(`"${type}", a decoder that is not supported`));
  for (const type of ['WordPiece', 'Unigram', 'WordLevel'])
    await refused(model({ type }), new RegExp(`model cannot be used: it is "${type}": supported is BPE`));
  await refused(model({ dropout: 0.1 }), /has the dropout 0.1: supported is none/);
  await refused(model({ end_of_word_suffix: '</w>' }), /has the end_of_word_suffix "<\/w>"/);
  await refused(model({ continuing_subword_prefix: '##' }), /has the continuing_subword_prefix "##"/);
});

test('special_tokens_map.json counts where the configuration lists no added tokens', async () => {
  const files = {
    'special_tokens_map.json': { bos_token: { content: '<s>' }, eos_token: 'b' },
    'chat_template.jinja': '{{ bos_token }}.{{ eos_token }}',
  };
  const said = (config: object, expected: string, eos: number | undefined) =>
    withLoaded({}, { ...files, 'tokenizer_config.json': config }, (tokenizer) => {
      assert.is(tokenizer.applyChatTemplate([]), expected);
      assert.is(tokenizer.eosToken, eos);
    });
  await said({ eos_token: 'a' }, '<s>.b', 1);
  await said({ eos_token: 'a', added_tokens_decoder: {} }, '.a', 0);
  await said({ eos_token: 'none', added_tokens_decoder: {} }, '.none', undefined);
  await withLoaded({}, files, (tokenizer) => assert.is(tokenizer.applyChatTemplate([]), '<s>.b'));
});

const ENDLESS = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
const TEXT = `${'a'.repeat(60)}b`;

/** Ends what does not end ten times as soon. Those who load a file are told of three seconds at the least. */
function hurried<T>(work: () => T): T {
  const { runInContext } = Script.prototype;
  Script.prototype.runInContext = function (context, options) {
    const { timeout = 0, ...rest } = options as RunningScriptOptions;
    assert.ok(timeout >= 3000, `a limit of ${timeout} ms`);
    return runInContext.call(this, context, { ...rest, timeout: Math.ceil(timeout / 10) });
  };
  try {
    return work();
  } finally {
    Script.prototype.runInContext = runInContext;
  }
}

test('a regular expression and a template that do not end are stopped', async () => {
  await withLoaded({ pre_tokenizer: ENDLESS }, {}, async (tokenizer) => {
    await failure(CheckpointError, /tokenizer.json: a regular expression did not end within \d+ ms/, () =>
      hurried(() => tokenizer.encode(TEXT)),
    );
    assert.equal(tokenizer.encode('ab'), Uint32Array.of(2)); // it goes on
  });
  const loops = '{% for i in range(100000) %}'.repeat(3) + '{% endfor %}'.repeat(3);
  await withLoaded({}, { 'chat_template.jinja': loops }, (tokenizer) =>
    failure(CheckpointError, /its chat template did not end within \d+ ms/, () =>
      hurried(() => tokenizer.applyChatTemplate([])),
    ),
  );
});

test('Ctrl-C stops a regular expression', async () => {
  await withFolder({ 'tokenizer.json': { model: MODEL, pre_tokenizer: ENDLESS } }, async (dir) => {
    const module = pathToFileURL('dist/src/checkpoint/tokenizer.js').href;
    const run = (listen: string) =>
      new Promise<{ output: string; signal: string | null }>((resolve) => {
        const script = `import { Tokenizer } from ${JSON.stringify(module)};
          const tokenizer = await Tokenizer.load(${JSON.stringify(dir)});
          ${listen}
          process.stdout.write('ready;', () => {
            try { tokenizer.encode('${TEXT}'); } catch (error) { process.stdout.write(error.message); }
          });`;
        const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
        let output = '';
        child.stdout.on('data', (data) => {
          output += data;
          if (output === 'ready;') setTimeout(() => child.kill('SIGINT'), 300);
        });
        child.on('close', (_, signal) => resolve({ output, signal }));
      });
    const heard = await run("process.once('SIGINT', () => process.stdout.write('heard;'));");
    assert.match(heard.output, /^ready;heard;.*a regular expression was interrupted$/);
    assert.is((await run('')).signal, 'SIGINT');
  });
});

test.run();
