import * as assert from 'uvu/assert';
import { UnsupportedModelError } from '../../src/base/errors.ts';
import { namePattern, namePatterns } from '../../src/checkpoint/quantization/patterns.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';

const NAMES = [
  'lm_head',
  'model.embed_tokens',
  ...[0, 1, 10, 27].flatMap((layer) =>
    ['self_attn.q_proj', 'self_attn.o_proj', 'mlp.gate_proj', 'mlp.down_proj'].map(
      (module) => `model.layers.${layer}.${module}`,
    ),
  ),
];

test('a pattern matches the names that Python’s re.match matches', () => {
  // All of them mean in JavaScript what they mean in Python.
  for (const pattern of [
    '',
    '.*lm_head',
    'lm_head$',
    '^lm',
    'head',
    'model\\.layers\\.1',
    'model.layers.[0-9].mlp',
    'model\\.layers\\.\\d+\\.mlp\\.(?:gate|up|down)_proj$',
    '.*\\.(q|k|v)_proj$',
    '.*\\.1[0-9]?\\..*o_proj',
    '^(?!.*mlp).*_proj',
    '(?=.*self_attn)model',
    '(model|lm)[._].*',
    '[^m]',
    '[\\d\\w]+_\\D+$',
    '.{7}$',
    '.{8,}',
    'm.{2,4}l',
    '.*?q_proj',
    '((?:m|o)*|[a-z_.]*)*\\d{2}',
    '\\S*\\s?mlp|\\W',
    'a{',
    '[.]|a{,2}',
    'lm_head|model.*27.*gate',
  ]) {
    const matches = namePattern(pattern, 'key');
    const expected = NAMES.filter((name) => new RegExp(`^(?:${pattern})`).test(name));
    assert.equal(NAMES.filter(matches), expected, pattern);
  }
  assert.equal(NAMES.filter(namePattern('(?P<head>lm_head)\\Z', 'key')), ['lm_head']);
});

test('no pattern takes long', () => {
  const name = `${'a'.repeat(60)}.b`;
  const nested = (n: number, repeat: string) => `${'('.repeat(n)}a${`${repeat})`.repeat(n)}c`;
  for (const pattern of [
    '(a+)+c',
    '(a|a)*c',
    '(.*)*(.*)*(.*)*c',
    ...['*', '+', '{0,999}', '{99,}'].map((repeat) => nested(7, repeat)),
    `${'(a|a|.)?'.repeat(60)}c`,
    `${'((a*)*b?)*'.repeat(49)}c`,
    '(?!(a*)*)',
  ])
    assert.is(namePattern(pattern, 'key')(name), false, pattern);
});

test('what is not read is refused with its key', async () => {
  const odd = [
    '(',
    ')',
    'a)',
    '[',
    '[]',
    '*',
    'a**',
    'a++',
    '\\1',
    '\\b',
    '\\',
    '(?i)a',
    '(?<=a)b',
    '(?P=a)',
    '(?#a)',
    'a{3,2}',
    'a{1001}',
    'a'.repeat(501),
    '(?:',
    'a(?!b)',
    '('.repeat(8) + ')'.repeat(8),
  ];
  for (const pattern of odd) {
    const error = await failure(UnsupportedModelError, /regular expression without flags/, () =>
      namePattern(pattern, 'the.key'),
    );
    assert.equal([error.key, error.value], ['the.key', pattern]);
  }
  await failure(UnsupportedModelError, /at most 20000 characters together/, () =>
    namePatterns(Array(201).fill('a'.repeat(100)), 'the.key'),
  );
});

test.run();
