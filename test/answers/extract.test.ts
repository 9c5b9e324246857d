import * as assert from 'uvu/assert';
import { Extractor } from '../../src/answers/extract.ts';
import { OptionError } from '../../src/base/errors.ts';
import { test } from '../support/suite.ts';

test('boxed: the content of the last box', async () => {
  const extractor = new Extractor('boxed');
  assert.is(await extractor.answer('so \\boxed{7}, no: \\boxed{ \\frac{1}{2} }.'), '\\frac{1}{2}');
  assert.is(await extractor.answer('nothing'), null);
  assert.is(await extractor.answer('\\boxed{}'), null);
  assert.is(extractor.trouble, null);
});

test('letter: the one letter in the box', async () => {
  const extractor = new Extractor('letter');
  for (const text of [
    '\\boxed{B}',
    '\\boxed{(b)}',
    '\\boxed{\\text{B}}',
    '\\boxed{B) 42}',
    '\\boxed{B - as told}',
    '\\boxed{[B]}',
  ]) {
    assert.is(await extractor.answer(text), 'B', text);
  }
  for (const text of ['\\boxed{A, B}', '\\boxed{42}', 'B'])
    assert.is(await extractor.answer(text), null, text);
});

test('a regular expression: the first group of its last match, or the match', async () => {
  assert.is(await new Extractor(/=\s*(-?\d+)/).answer('1 = 1, 2 = -3; 4'), '-3');
  assert.is(await new Extractor(/\d+/g).answer('1, 22, 333.'), '333');
  assert.is(await new Extractor(/(x)|\d+/).answer('x, 22'), '22');
  assert.is(await new Extractor(/YES|NO/i).answer('no, Yes'), 'Yes');
  assert.is(await new Extractor(/\d+/).answer('none'), null);
  assert.is(await new Extractor(/\s*/).answer('all empty'), null);
  // The caller's own expression is left as it is.
  const sticky = /\d/g;
  sticky.lastIndex = 5;
  assert.is(await new Extractor(sticky).answer('1 2'), '2');
  assert.is(sticky.lastIndex, 5);
});

test('a function, which may take its time', async () => {
  assert.is(await new Extractor((text) => text.split('#')[1]).answer('a# b '), 'b');
  assert.is(await new Extractor((text) => text.split('#')[1]).answer('a'), null);
  assert.is(await new Extractor(() => null).answer('a'), null);
  assert.is(await new Extractor(async (text) => text.toUpperCase()).answer('a'), 'A');
});

test('what throws has no answer, and is told once; the others have theirs', async () => {
  let calls = 0;
  const extractor = new Extractor((text) => {
    calls++;
    if (text.length > 2) throw new Error(`no answer in ${text}`);
    return text;
  });
  const answers = [];
  for (const text of ['a', 'abc', 'b', 'abcd']) answers.push(await extractor.answer(text));
  assert.equal(answers, ['a', null, 'b', null]);
  assert.is(calls, 4);
  assert.match(extractor.trouble as string, /no answer in abc$/);

  const rejects = new Extractor(() => Promise.reject(new Error('later')));
  assert.is(await rejects.answer('a'), null);
  assert.match(rejects.trouble as string, /later/);

  const thrown = new Extractor(() => {
    throw 'a text';
  });
  assert.is(await thrown.answer('a'), null);
  assert.match(thrown.trouble as string, /a text/);

  const number = new Extractor((() => 7) as unknown as () => string);
  assert.is(await number.answer('a'), null);
  assert.match(number.trouble as string, /gave number, not a text/);
});

test('what hangs has no answer: a loop, a catastrophic expression, a promise that never comes', async () => {
  const cases: [string, ConstructorParameters<typeof Extractor>[0], string][] = [
    [
      'a loop',
      (text) => {
        while (text.length > 2);
        return text;
      },
      'endless',
    ],
    ['an expression', /^(\w+\s?)+$/, `${'a'.repeat(40)}!`],
    ['a promise', (text) => (text.length > 2 ? new Promise<string>(() => {}) : text), 'endless'],
  ];
  for (const [what, extract, text] of cases) {
    const extractor = new Extractor(extract);
    const began = performance.now();
    assert.is(await extractor.answer(text), null, what);
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds > 1.5 && seconds < 8, `${what}: ${seconds} s`);
    assert.match(extractor.trouble as string, /longer than 2 s/, what);
    // The next state has its answer.
    assert.is(await extractor.answer('ab'), 'ab', what);
  }
});

test('anything else is refused', () => {
  for (const extract of ['box', 7, null, {}] as unknown as 'boxed'[]) {
    assert.throws(
      () => new Extractor(extract),
      (error: Error) =>
        error instanceof OptionError && /extract is .*: boxed, letter, a regular/.test(error.message),
    );
  }
});

test.run();
