import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { type Reading, readAt } from '../../src/eval/budgets.ts';
import type { Grade } from '../../src/eval/item.ts';
import { gradePicks, picksOf } from '../../src/eval/picks.ts';
import { resolveOptions, type Sample, type SamplerOptions, sample } from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';

/** Six tokens, EOS 0; what comes next depends on the last two tokens. */
const model = new TableModel(6, [0], (x) =>
  [0.3, 1, 2, 3, 1, 2].map((w, v) => w ** ((x.at(-1) ?? 0) + (x.at(-2) ?? 0) * v) + v),
);

const read = (whole: Sample, options: SamplerOptions, finalSteps?: number) =>
  readAt(whole, options, finalSteps, model.eosTokens);

/** A response's answer is its last token but one, and right if that is even; some have none. */
const judge = {
  async grade(tokens: Uint32Array): Promise<Grade> {
    const answer = tokens.at(-2);
    if (answer === undefined) return { verdict: 'no answer', answer: null };
    return { verdict: answer % 2 ? 'wrong' : 'right', answer: String(answer) };
  },
  equal: async () => false,
};

/** What depends on the seed alone. */
async function told(reading: Reading, { sampler }: SamplerOptions) {
  const { proposed, accepted, held } = reading.account;
  const picks = picksOf(sampler, true);
  const { picked, answers } = await gradePicks(reading, picks, sampler, { grader: 'exact' }, judge);
  const { visits, states, steps } = reading;
  return {
    answers,
    picks: picked.map(({ response: { tokens, finish, logProbability }, ...one }) => {
      return { ...one, tokens, finish, logProbability };
    }),
    visits,
    states,
    steps,
    moves: { proposed, accepted, held },
  };
}

test('a chain read after some of its final steps is the chain that takes no more of them', async () => {
  const given: Partial<SamplerOptions>[] = [
    { sampler: 'metropolis', steps: 1 },
    { sampler: 'entropy-cut', steps: 1 },
    { sampler: 'egps', particles: 6 },
    { sampler: 'egps', growth: 'blocks', steps: 1 },
    { sampler: 'egps', growth: 'blocks', gate: 1.5, decoding: 'best-first', steps: 2 },
    { sampler: 'egps', growth: 'blocks', decoding: 'eager', steps: 0 },
  ];
  let moved = 0;
  let picked = 0;
  for (const part of given) {
    for (let seed = 0n; seed < 3n; seed++) {
      const common = { alpha: 2, maxNewTokens: 20, blockSize: 6, seed, ...part };
      const options = resolveOptions({ ...common, finalSteps: 7 });
      const whole = await sample(model, [1, 2], options);
      assert.is(whole.trace.steps.at(-1)?.account.computedRows, whole.account.computedRows);
      const end = await told(read(whole, options), options);
      for (const finalSteps of [0, 1, 4, 7]) {
        const few = await sample(model, [1, 2], { ...options, finalSteps });
        const own = await told(read(few, { ...options, finalSteps }), options);
        const reading = await told(read(whole, options, finalSteps), options);
        assert.equal(reading, own, `${part.sampler} ${seed} ${finalSteps}`);
        assert.is(own.picks[0].logProbability, few.logProbability);
        const fitted = options.gate === 'auto' ? few.gate?.nats : undefined;
        assert.is(read(whole, options, finalSteps).gate, fitted, `${part.sampler} ${seed} ${finalSteps}`);
        if (String(own.picks[0].tokens) !== String(end.picks[0].tokens)) moved++;
        if (String(own.picks[0].tokens) !== String(own.picks[1].tokens)) picked++;
      }
    }
  }
  assert.ok(moved > 10, `only ${moved} readings differ from the end`);
  assert.ok(picked > 10, `only ${picked} readings have another likeliest than the last`);
});

test('the account of a reading is that of the run when it stood there', async () => {
  const options = resolveOptions({
    sampler: 'egps',
    alpha: 2,
    maxNewTokens: 20,
    particles: 8,
    finalSteps: 6,
  });
  const seen = new Map<number, unknown>();
  const whole = await sample(model, [1, 2], options, {
    onProgress: ({ step, account }) => seen.has(step) || seen.set(step, { ...account }),
  });
  for (const finalSteps of [0, 2, 6]) {
    const { account, steps } = read(whole, options, finalSteps);
    assert.equal(account, seen.get(steps), `${finalSteps}`);
  }
  assert.equal(read(whole, options).account, whole.account);
  const rows = [0, 2, 6].map((finalSteps) => read(whole, options, finalSteps).account.drawnTokens);
  assert.ok(rows[0] < rows[1] && rows[1] < rows[2], `${rows}`);
});

test('a sampler without final steps is read at its end', async () => {
  for (const sampler of ['greedy', 'best-of-n', 'karan-du', 'smc'] as const) {
    const options = resolveOptions({ sampler, maxNewTokens: 12 });
    const whole = await sample(model, [1, 2], options);
    const { last, account, visits } = read(whole, options);
    assert.equal(last.tokens, whole.tokens);
    assert.is(last.logProbability, whole.logProbability);
    assert.equal(account, whole.account);
    const weight = visits.reduce((sum, visit) => sum + visit.weight, 0);
    assert.ok(Math.abs(weight - 1) < 1e-12, `${sampler}: ${weight}`);
  }
});

test.run();
