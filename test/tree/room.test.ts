import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { score } from '../../src/api/score.ts';
import { OutOfMemoryError } from '../../src/base/errors.ts';
import { philox, uniform } from '../../src/sampling/random.ts';
import { resolveOptions, type SamplerOptions, sample } from '../../src/sampling/sample.ts';
import { outcome } from '../sampling/outcome.ts';
import { test } from '../support/suite.ts';

// Calls that share a model with a small cache: all are answered, in the order in which they came.

const LENGTH = 24;
const TOKENS = 8;
const PAGE = 4;

const word = (counter: number[]) => philox([...counter, 0, 0, 0].slice(0, 4), [17, 19])[0];

function conditional(tokens: readonly number[]): number[] {
  const all = tokens.reduce((hash, v) => word([hash, v]), tokens.length);
  return Array.from({ length: TOKENS }, (_, v) => Math.exp(4 * uniform(word([all, v])) - (v === 0 ? 4 : 0)));
}

const language = (cachePositions: number) =>
  new TableModel(TOKENS, [0], conditional, { entries: 3, pageSize: PAGE, cachePositions });

const SETTINGS: Partial<SamplerOptions>[] = [
  { sampler: 'egps', particles: 6, finalSteps: 6, gate: 0.3, blockSize: 12 },
  { sampler: 'metropolis', blockSize: 12, steps: 2, finalSteps: 4, tree: 'off' },
  { sampler: 'smc', particles: 8 },
  { sampler: 'best-of-n', n: 4, tree: 'off' },
  { sampler: 'sample' },
];
const promptOf = (i: number) => Array.from({ length: 3 + (i % 5) }, (_, k) => 1 + ((i * 5 + k * 3) % 7));
const optionsOf = (i: number) =>
  resolveOptions({ maxNewTokens: LENGTH, seed: BigInt(i), alpha: 2, ...SETTINGS[i % SETTINGS.length] });
/** What the longest of the prompts takes. */
const LEAST = 7 + LENGTH + 2 * PAGE;

test('calls that do not fit side by side wait for each other', async () => {
  const calls = Array.from({ length: 15 }, (_, i) => i);
  const alone = await Promise.all(
    calls.map((i) => sample(language(Infinity), promptOf(i), optionsOf(i)).then(outcome)),
  );
  for (const cachePositions of [LEAST, LEAST + 3 * PAGE, 2 * LEAST + 5]) {
    const model = language(cachePositions);
    const ended: number[] = [];
    const drawn = await Promise.all(
      calls.map(async (i) => {
        const each = await sample(model, promptOf(i), optionsOf(i));
        ended.push(i);
        return outcome(each);
      }),
    );
    assert.equal(drawn, alone);
    if (cachePositions === LEAST) assert.equal(ended, calls);
    assert.equal([model.live, model.pages], [0, 0]);
  }
});

test('whatever is drafted and whenever others leave, nobody who could fit fails', async () => {
  const { now } = performance;
  try {
    for (let seed = 1; seed <= 6; seed++) {
      let time = 0; // passes that seem to take any time: what is drafted goes by their prices
      let calls = 0;
      performance.now = () => {
        time += 20 * uniform(word([seed, calls++])) ** 2;
        return time;
      };
      for (const cachePositions of [2 * LEAST + 5, 3 * LEAST]) {
        const model = language(cachePositions);
        await Promise.all(Array.from({ length: 15 }, (_, i) => sample(model, promptOf(i), optionsOf(i))));
        assert.equal([model.live, model.pages], [0, 0]);
      }
    }
  } finally {
    performance.now = now;
  }
});

test('scores wait as well, and are the same', async () => {
  const texts = Array.from({ length: 6 }, (_, i) => [...promptOf(i), ...promptOf(i + 3), ...promptOf(i + 1)]);
  const sharpening = { alpha: 2, temperature: 1 };
  const alone = await Promise.all(texts.map((text) => score(language(Infinity), text, sharpening)));
  for (const cachePositions of [LEAST, 2 * LEAST]) {
    const model = language(cachePositions);
    const both = texts.map(async (text, i) => {
      const [scored] = await Promise.all([
        score(model, text, sharpening),
        sample(model, promptOf(i), optionsOf(i)),
      ]);
      return scored;
    });
    assert.equal(await Promise.all(both), alone);
    assert.equal([model.live, model.pages], [0, 0]);
  }
});

test('what could never fit fails at once, while others wait', async () => {
  const model = language(LEAST);
  const ended: string[] = [];
  const first = sample(model, promptOf(4), optionsOf(0)).then(() => ended.push('first'));
  const second = sample(model, promptOf(4), optionsOf(1)).then(() => ended.push('second'));
  const never = [
    sample(model, promptOf(4), { ...optionsOf(2), maxNewTokens: LENGTH + 1 }),
    score(model, Array(LEAST + 2).fill(1), { alpha: 2, temperature: 1 }),
  ];
  for (const call of never) {
    const error = await call.catch((reason) => reason);
    assert.instance(error, OutOfMemoryError);
    assert.equal([error.available, ended], [LEAST, []]);
  }
  await Promise.all([first, second]);
  assert.equal(ended, ['first', 'second']);
});

test('who gives up while waiting leaves the queue', async () => {
  const model = language(LEAST);
  const given = new AbortController();
  const first = sample(model, promptOf(4), optionsOf(0));
  const second = sample(model, promptOf(4), optionsOf(1), { signal: given.signal });
  const third = sample(model, promptOf(4), optionsOf(2));
  await null;
  given.abort(new Error('given up'));
  assert.is((await second.catch((reason) => reason)).message, 'given up');
  const alone = language(Infinity);
  assert.equal(outcome(await first), outcome(await sample(alone, promptOf(4), optionsOf(0))));
  assert.equal(outcome(await third), outcome(await sample(alone, promptOf(4), optionsOf(2))));
  assert.equal([model.live, model.pages], [0, 0]);
});

test('who fails makes room for the next', async () => {
  const model = language(LEAST);
  const { prefill } = model;
  let calls = 0;
  model.prefill = async (tokens) => {
    if (++calls === 1) throw new Error('device lost');
    return prefill.call(model, tokens);
  };
  const first = sample(model, promptOf(4), optionsOf(0));
  const second = sample(model, promptOf(4), optionsOf(1));
  assert.is((await first.catch((reason) => reason)).message, 'device lost');
  assert.ok(await second);
  assert.equal([model.live, model.pages], [0, 0]);
});

test.run();
