import * as assert from 'uvu/assert';
import type { Reading } from '../../src/eval/budgets.ts';
import type { Grade, Verdict } from '../../src/eval/item.ts';
import { gradePicks, picksOf } from '../../src/eval/picks.ts';
import type { SamplerName } from '../../src/sampling/sample.ts';
import type { Visit } from '../../src/sampling/visits.ts';
import { test } from '../support/suite.ts';

type Said = [answer: string | null, weight: number, logProbability: number, verdict?: Verdict];

/** Grades what a run of these responses has come by; the last state is the first of them. */
async function graded(said: Said[], sampler: SamplerName = 'smc', states: number[] = []) {
  const visits = said.map(([, weight, logProbability], i): Visit => {
    return { tokens: Uint32Array.of(i), finish: 'eos', weight, logProbability };
  });
  const reading: Reading = {
    last: visits[0],
    visits,
    states: states.map((weight, i) => ({ ...visits[i], weight })),
    steps: 1,
    account: {} as Reading['account'],
  };
  const asked: string[] = [];
  const judge = {
    async grade([i]: Uint32Array): Promise<Grade> {
      const [answer, , , verdict = answer === null ? 'no answer' : answer[0] === 'r' ? 'right' : 'wrong'] =
        said[i];
      return { verdict, answer };
    },
    /** By the first letter. */
    async equal(a: string, b: string) {
      asked.push(`${a} ${b}`);
      return a[0] === b[0];
    },
  };
  const { picked, answers } = await gradePicks(
    reading,
    picksOf(sampler, true),
    sampler,
    { grader: 'math' },
    judge,
  );
  return {
    asked,
    mass: picked[0].mass,
    overSteps: picked[0].overSteps,
    shares: answers,
    answers: Object.fromEntries(picked.map(({ pick, grade }) => [pick, grade.answer])),
  };
}

test('the last, the likeliest, and the likeliest with the most probable answer', async () => {
  const { answers, mass, overSteps, shares } = await graded([
    ['a', 0.2, -3],
    ['r', 0.3, -2],
    ['b', 0.3, -4],
    ['a', 0.2, -2.5],
    ['c', 0, -1],
  ]);
  assert.equal(answers, { last: 'a', likeliest: 'c', vote: 'a' });
  assert.is(mass, 0.3);
  assert.is(overSteps, null);
  assert.equal(shares, [
    { answer: 'a', probability: 0.4 },
    { answer: 'r', probability: 0.3 },
    { answer: 'b', probability: 0.3 },
  ]);
  const steps = await graded(
    [
      ['r', 0.9, -1],
      ['a', 0.1, -1],
    ],
    'egps',
    [0.25, 0.75],
  );
  assert.equal([steps.mass, steps.overSteps], [0.9, 0.25]);
});

test('answers that are equal are one, right and wrong ones alike', async () => {
  const wrong: Said[] = [
    ['r1', 0.4, -1],
    ['a1', 0.25, -3],
    ['a2', 0.25, -2],
    ['b', 0.1, -5],
  ];
  const first = await graded(wrong);
  assert.is(first.answers.vote, 'a2');
  assert.equal(first.asked, ['a2 a1', 'b a1'], 'right ones need not be compared');
  assert.is(
    (await graded([...wrong.map(([a, w, l]): Said => [a, w / 2, l]), ['r2', 0.2, -9], ['r3', 0.1, -0.5]]))
      .answers.vote,
    'r3',
  );
});

test('what took too long stands for itself, and is compared with nothing', async () => {
  const { answers, asked } = await graded([
    ['a1', 0.3, -1, 'timed out'],
    ['a2', 0.3, -1, 'timed out'],
    ['a3', 0.4, -2],
  ]);
  assert.is(answers.vote, 'a3');
  assert.equal(asked, []);
});

test('responses without an answer do not vote', async () => {
  const none = await graded([
    [null, 0.9, -1],
    ['a', 0.1, -9],
  ]);
  assert.equal(none.answers, { last: null, likeliest: null, vote: 'a' });
  const all = await graded([
    [null, 0.5, -2],
    [null, 0.5, -1],
  ]);
  assert.equal(all.answers, { last: null, likeliest: null, vote: null });
  assert.is(all.mass, 0);
});

test('what draws from p has no estimate of p^α', async () => {
  const said: Said[] = [
    ['r', 0.5, -1],
    ['a', 0.5, -2],
  ];
  const { answers, mass, shares } = await graded(said, 'best-of-n');
  assert.equal(answers, { last: 'r', vote: 'r' });
  assert.equal([mass, shares], [null, null]);
  assert.equal((await graded(said, 'greedy')).answers, { last: 'r' });
  assert.equal(picksOf('egps', false), ['last', 'likeliest']);
});

test.run();
