import * as assert from 'uvu/assert';
import { CheckpointError } from '../../src/base/errors.ts';
import { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

/** The printable character that stands for each byte in a byte-level vocabulary. */
const BYTE_CHARS = (() => {
  const printable = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
})();
const bytesOf = (text: string) => Array.from(new TextEncoder().encode(text), (b) => BYTE_CHARS[b]);

/** Byte b has id b; then the merges; then the added tokens. */
const MERGES = [
  ['t', 'h'],
  ['th', 'e'],
  ['Ġ', 'the'],
  bytesOf('é'),
  [bytesOf('漢')[0], bytesOf('漢')[1]], // two of three bytes
];
const vocab = Object.fromEntries(BYTE_CHARS.map((c, id) => [c, id]));
for (const [a, b] of MERGES) vocab[a + b] = Object.keys(vocab).length;
const START = Object.keys(vocab).length;
const END = START + 1;
const THINK = START + 5; // ids between are no token
const added = (id: number, content: string, special: boolean) => ({
  id,
  content,
  special,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
});
const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
const TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [
    added(START, '<|start|>', true),
    added(END, '<|end|>', true),
    added(THINK, '<think>', false),
  ],
  normalizer: { type: 'NFC' },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: { Regex: ' ?\\p{L}+|\\s+|[^\\s\\p{L}]+' },
        behavior: 'Isolated',
        invert: false,
      },
      BYTE_LEVEL,
    ],
  },
  post_processor: BYTE_LEVEL,
  decoder: BYTE_LEVEL,
  model: { type: 'BPE', vocab, merges: MERGES, unk_token: null },
};
const CHAT = `{{ bos_token }}{% for m in messages %}<|start|>{{ m.role }}
{{ m.content }}<|end|>
{% endfor %}{% if add_generation_prompt %}<|start|>assistant
{% endif %}`;
const CONFIG = {
  clean_up_tokenization_spaces: true,
  chat_template: CHAT,
  bos_token: null,
  eos_token: { content: '<|end|>' },
};

const withTokenizer = (files: Record<string, object | string>, use: (tokenizer: Tokenizer) => unknown) =>
  withFolder(files, async (dir) => {
    const tokenizer = await Tokenizer.load(dir);
    assert.ok(tokenizer);
    await use(tokenizer);
  });
const FILES = { 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': CONFIG };

const TEXTS = [
  'the the',
  'é漢字 🙂 e\u0301?',
  'a , b . isn \'t "x"  \n\t ',
  '🙂',
  '\uFEFF bom',
  '\uFFFD replacement \uFFFD',
  '',
];
const streamed = (tokenizer: Tokenizer, ids: ArrayLike<number>) => {
  const stream = tokenizer.stream();
  return [...Array.from(ids, (id) => stream.push(id)), stream.end()];
};

test('text survives encoding and decoding to the byte', async () => {
  await withTokenizer(FILES, (tokenizer) => {
    assert.is(tokenizer.vocabSize, THINK + 1);
    assert.equal(tokenizer.encode('the the'), Uint32Array.of(257, 258));
    assert.equal(tokenizer.encode('é'), Uint32Array.of(259));
    assert.equal(tokenizer.encode('漢'), Uint32Array.of(260, 162));
    for (const text of TEXTS) assert.is(tokenizer.decode(tokenizer.encode(text)), text.normalize('NFC'));
    assert.is(tokenizer.decode([]), '');
  });
});

test('special tokens are ids in the text, and nothing in the decoded text', async () => {
  await withTokenizer(FILES, (tokenizer) => {
    const ids = tokenizer.encode('<|start|>the<think>é<|end|>');
    assert.equal(ids, Uint32Array.of(START, 257, THINK, 259, END));
    assert.is(tokenizer.decode(ids), 'the<think>é');
    assert.is(tokenizer.decode([START, END]), '');
    assert.is(tokenizer.decode([257, END + 1, 10_000, 257]), 'thethe');
  });
});

test('one token is shown by itself', async () => {
  await withTokenizer(FILES, (tokenizer) => {
    assert.is(tokenizer.tokenText(258), ' the');
    assert.is(tokenizer.tokenText(END), '<|end|>');
    assert.is(tokenizer.tokenText(THINK), '<think>');
    assert.is(tokenizer.tokenText(260), '\uFFFD');
    assert.is(tokenizer.tokenText(10_000), '[10000]');
  });
});

test('a stream gives whole characters only, and in sum what decode gives', async () => {
  await withTokenizer(FILES, (tokenizer) => {
    const smile = Array.from(new TextEncoder().encode('🙂'));
    assert.equal(streamed(tokenizer, [97, ...smile, 98]), ['a', '', '', '', '🙂', 'b', '']);
    assert.equal(streamed(tokenizer, [260, START, 162]), ['', '', '漢', '']);
    assert.equal(streamed(tokenizer, [260]), ['', '\uFFFD']);
    assert.equal(streamed(tokenizer, [260, 97]), ['', '\uFFFDa', '']);
    assert.equal(streamed(tokenizer, []), ['']);
    for (const text of TEXTS) {
      const ids = tokenizer.encode(text);
      assert.is(streamed(tokenizer, ids).join(''), tokenizer.decode(ids));
    }
    let state = 7;
    for (let round = 0; round < 500; round++) {
      // Any ids, most of them stray bytes
      const ids = Array.from({ length: 12 }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * (THINK + 2));
      });
      assert.is(streamed(tokenizer, ids).join(''), tokenizer.decode(ids), `ids ${ids}`);
    }
  });
});

test("a llama's BOS and byte tokens are kept to", async () => {
  const pieces = ['<unk>', '<s>', '</s>', '▁', 'a', '▁a', 'b'];
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
  const llama = {
    ...TOKENIZER,
    added_tokens: [added(0, '<unk>', true), added(1, '<s>', true), added(2, '</s>', true)],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries([...pieces, ...bytes].map((piece, id) => [piece, id])),
      merges: ['▁ a'],
      unk_token: '<unk>',
      byte_fallback: true,
    },
  };
  await withTokenizer({ 'tokenizer.json': llama }, (tokenizer) => {
    const ids = tokenizer.encode('a ab é');
    const [e1, e2] = new TextEncoder().encode('é');
    assert.equal(ids, Uint32Array.of(1, 5, 5, 6, 3, pieces.length + e1, pieces.length + e2));
    assert.equal(tokenizer.encode('a', false), Uint32Array.of(5));
    assert.is(tokenizer.decode(ids), 'a ab é');
    assert.equal(streamed(tokenizer, ids), ['', 'a', ' a', 'b', ' ', '', '', 'é']);
    assert.equal(streamed(tokenizer, [5, 2, 5]), ['a', '', ' a', '']);
    assert.is(tokenizer.tokenText(5), ' a');
    assert.is(tokenizer.tokenText(6), 'b');
    assert.is(tokenizer.tokenText(1), '<s>');
  });
});

test('a conversation becomes text through the chat template', async () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: '1+1?' },
  ];
  const expected = '<|start|>system\nBe brief.<|end|>\n<|start|>user\n1+1?<|end|>\n<|start|>assistant\n';
  await withTokenizer(FILES, (t) => assert.is(t.applyChatTemplate(messages), expected));
  const config = (change: object) => ({ ...FILES, 'tokenizer_config.json': { ...CONFIG, ...change } });
  await withTokenizer(config({ bos_token: '<s>' }), (t) =>
    assert.is(t.applyChatTemplate(messages), `<s>${expected}`),
  );
  const list = [
    { name: 'tool_use', template: 'tools' },
    { name: 'default', template: CHAT },
  ];
  await withTokenizer(config({ chat_template: list }), (t) =>
    assert.is(t.applyChatTemplate(messages), expected),
  );
  await withTokenizer({ ...config({ chat_template: 'old' }), 'chat_template.jinja': CHAT }, (t) =>
    assert.is(t.applyChatTemplate(messages), expected),
  );
  const refused = (template: unknown, message: RegExp) =>
    withTokenizer(config({ chat_template: template }), (t) =>
      failure(CheckpointError, message, () => t.applyChatTemplate(messages)),
    );
  await refused(undefined, /tokenizer.json: has no chat template/);
  await refused([{ name: 'tool_use', template: 'x' }], /has no chat template/);
  await refused('{{ raise_exception("no system role") }}', /chat template failed: no system role/);
  await refused('{% if %}', /chat template failed/);
});

test('a folder without a tokenizer has none, half a tokenizer is an error', async () => {
  await withFolder({}, async (dir) => assert.is(await Tokenizer.load(dir), null));
  await withTokenizer({ 'tokenizer.json': TOKENIZER }, (t) => assert.is(t.decode([97, 32, 46]), 'a .'));
  const refused = (files: Record<string, object | string>, message: RegExp) =>
    withFolder(files, async (dir) => {
      await failure(CheckpointError, message, () => Tokenizer.load(dir));
    });
  await refused({ 'tokenizer_config.json': CONFIG }, /tokenizer.json: is missing/);
  await refused({ 'tokenizer.json': '{' }, /tokenizer.json: not valid JSON/);
  await refused({ 'tokenizer.json': [] }, /not a JSON object/);
  await refused({ ...FILES, 'tokenizer_config.json': [] }, /tokenizer_config.json: is not a JSON object/);
  const changed = (change: object) => ({ 'tokenizer.json': { ...TOKENIZER, ...change } });
  const model = (change: object) => changed({ model: { ...TOKENIZER.model, ...change } });
  await refused(changed({ model: undefined }), /model.vocab is missing/);
  await refused(changed({ decoder: { type: 'Morse' } }), /cannot be used: .*Morse/);
  await refused(changed({ added_tokens: {} }), /added_tokens is not a list/);
  await refused(changed({ added_tokens: [added(300, '', true)] }), /an added token is/);
  await refused(
    changed({ added_tokens: [added(2 ** 31, '<x>', true)] }),
    /token "<x>" has the id 2147483648/,
  );
  await refused(model({ vocab: { a: -1 } }), /token "a" has the id -1/);
  await refused(model({ vocab: { a: 'b' } }), /token "a" has the id "b"/);
  await refused(model({ merges: 3 }), /cannot be used/);
});

test.run();
