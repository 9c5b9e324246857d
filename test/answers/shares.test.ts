import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { shares, voted } from '../../src/answers/shares.ts';
import { generate, generateMany } from '../../src/api/generate.ts';
import { OptionError } from '../../src/base/errors.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { likeliest, type Visit, visitsAfter } from '../../src/sampling/visits.ts';
import { test } from '../support/suite.ts';

const visit = (tokens: number[], weight: number, logProbability: number): Visit => ({
  tokens: Uint32Array.from(tokens),
  finish: 'eos',
  logProbability,
  weight,
});

test('an answer is as probable as the responses that give it, most probable first', () => {
  const visits = [
    visit([1], 0.3, -4),
    visit([2], 0.25, -1),
    visit([3], 0.2, -2),
    visit([4], 0.25, -9),
    visit([5], 0, -0.1),
  ];
  const answers = ['a', 'b', 'a', null, 'c'];
  assert.equal(shares(visits, answers), [
    { answer: 'a', probability: 0.5 },
    { answer: 'b', probability: 0.25 },
    { answer: null, probability: 0.25 },
  ]);
  // c was met and has no weight. Of those that say a, the likeliest.
  assert.is(voted(visits, answers), visits[2]);
  assert.is(likeliest(visits), visits[4]);
});

test('no answer is never elected, however probable', () => {
  const visits = [visit([1], 0.9, -1), visit([2], 0.1, -5)];
  assert.is(voted(visits, [null, 'b']), visits[1]);
  assert.is(voted(visits, [null, null]), undefined);
  assert.is(voted([], []), undefined);
});

const EOS = 26;
/** Letters are tokens 0 to 25. */
const tokenizer = {
  encode: (text: string) => Uint32Array.from(text, (c) => c.charCodeAt(0) - 97),
  decode: (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids, (id) => id + 97)),
} as unknown as Tokenizer;

/** Says one of the letters b, c, d, then one of x, y, then ends: six responses, of which cy is the likeliest under p^2. */
function letters() {
  const weights: Record<number, number> = { 1: 0.3, 2: 0.36, 3: 0.34 };
  const table = new TableModel(27, [EOS], (tokens) =>
    Array.from({ length: 27 }, (_, v) => {
      const last = tokens[tokens.length - 1];
      if (last === 0) return weights[v] ?? 0;
      if (last >= 23) return v === EOS ? 1 : 0;
      const x = last === 2 ? 0.5 : 0.9;
      return v === 23 ? x : v === 24 ? 1 - x : 0;
    }),
  );
  return Object.assign(table, { tokenizer: tokenizer as Tokenizer | null, defaults: {} });
}
/** p^2 of what the first letter is. */
const P = [0.3 ** 2 * 0.82, 0.36 ** 2 * 0.5, 0.34 ** 2 * 0.82].map(
  (w, _, all) => w / all.reduce((a, b) => a + b),
);

const options = { alpha: 2, maxNewTokens: 4, extract: (text: string) => text[0] } as const;

async function refuses(work: Promise<unknown>, pattern: RegExp): Promise<void> {
  const error = await work.then(
    () => assert.unreachable('was taken'),
    (reason) => reason,
  );
  assert.instance(error, OptionError);
  assert.match(error.message, pattern);
}

test('what makes no sense is refused before anything is computed', async () => {
  const model = letters();
  await refuses(generate(model, 'a', { pick: 'vote' }), /pick is "vote": it needs extract/);
  await refuses(generateMany(model, ['a'], { pick: 'vote' }), /pick is "vote": it needs extract/);
  await refuses(
    generate(model, 'a', { pick: 'best' as 'vote' }),
    /pick is "best": one of last, likeliest, vote/,
  );
  await refuses(generate(model, 'a', { extract: 'box' as 'boxed' }), /extract is "box"/);
  model.tokenizer = null;
  await refuses(generate(model, [0], { extract: 'boxed' }), /extract needs a model with a tokenizer/);
  assert.is(model.calls.length, 0);
});

test('each pick is of the run that the last one ends', async () => {
  const model = letters();
  let parted = 0;
  for (let seed = 0n; seed < 12n; seed++) {
    const given = { ...options, seed, particles: 8 };
    const last = await generate(model, 'a', given);
    const best = await generate(model, 'a', { ...given, pick: 'likeliest' });
    const vote = await generate(model, 'a', { ...given, pick: 'vote' });
    for (const other of [best, vote]) {
      assert.equal([other.tokens, other.logp, other.answers], [last.tokens, last.logp, last.answers]);
    }
    assert.equal(last.picked.tokens, last.tokens);
    assert.is(last.text, tokenizer.decode(last.tokens.subarray(0, -1)));
    const visits = visitsAfter(last.visited);
    assert.equal(best.picked.tokens, likeliest(visits).tokens);
    assert.ok(best.picked.logProbability >= last.logProbability);
    assert.is(best.text, tokenizer.decode(best.picked.tokens.subarray(0, -1)));
    assert.is(vote.text?.[0], vote.answers?.[0].answer);
    const total = last.answers?.reduce((sum, { probability }) => sum + probability, 0) ?? 0;
    assert.ok(Math.abs(total - 1) < 1e-12);
    if (new Set([last.text, best.text, vote.text]).size > 1) parted++;
  }
  assert.ok(parted > 3, `${parted}`);
});

test('probabilities of answers come close to those under p^α', async () => {
  // By particles, by waste recycling, by states, in this order. 5 standard errors of the mean over the runs.
  for (const given of [
    { sampler: 'smc', particles: 64 },
    { sampler: 'egps', particles: 64 },
    { sampler: 'egps', growth: 'blocks', decoding: 'eager', finalSteps: 200, cutLaw: 'uniform' },
    { sampler: 'egps', growth: 'blocks', finalSteps: 200, cutLaw: 'uniform' },
  ] as const) {
    const answers = await generateMany(letters(), Array(40).fill('a'), { ...options, ...given });
    for (const [v, letter] of ['b', 'c', 'd'].entries()) {
      const found = answers.map(
        ({ answers }) => answers?.find(({ answer }) => answer === letter)?.probability ?? 0,
      );
      const mean = found.reduce((a, b) => a + b) / found.length;
      const variance = found.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (found.length - 1);
      const error = Math.sqrt(variance / found.length);
      assert.ok(
        error < 0.03 && Math.abs(mean - P[v]) < 5 * error + 0.003,
        `${letter}: ${mean} ± ${error} of ${P[v]}`,
      );
    }
  }
});

test('an extractor that fails on some responses leaves the others their answers, and says so', async () => {
  const answer = await generate(letters(), 'a', {
    ...options,
    particles: 32,
    pick: 'vote',
    extract: (text) => {
      if (text.startsWith('c')) throw new Error(`what is ${text}?`);
      return text[0];
    },
  });
  const found = answer.answers?.map(({ answer }) => answer) ?? [];
  assert.ok(found.includes(null) && found.includes('d') && !found.includes('c'));
  assert.match(answer.extractTrouble as string, /what is c[xy]\?/);
  assert.is(answer.text?.[0], answer.answers?.find(({ answer }) => answer !== null)?.answer);
  // Where nothing has an answer, the likeliest.
  const none = await generate(letters(), 'a', { ...options, pick: 'vote', extract: () => null });
  assert.equal(none.picked.tokens, likeliest(visitsAfter(none.visited)).tokens);
  assert.equal(none.answers, [{ answer: null, probability: none.answers?.[0].probability ?? 0 }]);
  assert.is(none.extractTrouble, null);
});

test.run();
