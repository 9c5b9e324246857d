import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readAt } from '../../src/eval/budgets.ts';
import { resolveOptions, type SamplerOptions, sample } from '../../src/sampling/sample.ts';
import { TableModel } from '../support/table-model.ts';

/** Six tokens, EOS 0; what comes next depends on the last two tokens. */
const model = new TableModel(6, [0], (x) =>
  [0.3, 1, 2, 3, 1, 2].map((w, v) => w ** ((x.at(-1) ?? 0) + (x.at(-2) ?? 0) * v) + v),
);

test('a chain read after some of its final steps is the chain that takes no more of them', async () => {
  const given: Partial<SamplerOptions>[] = [
    { sampler: 'metropolis' },
    { sampler: 'entropy-cut' },
    { sampler: 'egps' },
    { sampler: 'egps', gate: 1.5, decoding: 'best-first' },
    { sampler: 'egps', decoding: 'eager', steps: 0 },
  ];
  let moved = 0;
  for (const part of given) {
    for (let seed = 0n; seed < 10n; seed++) {
      const common = { alpha: 2, maxNewTokens: 20, blockSize: 6, steps: 1, seed, ...part };
      const options = resolveOptions({ ...common, finalSteps: 7 });
      const whole = await sample(model, [1, 2], options);
      const end = readAt(whole, options, 7);
      for (const finalSteps of [0, 1, 4, 7, undefined]) {
        const reading = readAt(whole, options, finalSteps);
        const few = await sample(model, [1, 2], { ...options, finalSteps: finalSteps ?? 7 });
        const { rowsPerStep, savedTokens, ...account } = few.account;
        assert.equal(reading, { response: few.tokens, logp: few.logProbability, account });
        if (String(reading.response) !== String(end.response)) moved++;
      }
    }
  }
  assert.ok(moved > 20, `only ${moved} readings differ from the end`);
});

test('a sampler without final steps is read at its end', async () => {
  for (const sampler of ['greedy', 'best-of-n', 'karan-du', 'smc'] as const) {
    const options = resolveOptions({ sampler, maxNewTokens: 12 });
    const whole = await sample(model, [1, 2], options);
    const { response, logp, account } = readAt(whole, options, undefined);
    assert.equal(response, whole.tokens);
    assert.is(logp, whole.logProbability);
    assert.is(account.decodedTokens, whole.account.decodedTokens);
  }
});

test.run();
