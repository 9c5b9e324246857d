import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Answer, generate, loadModel } from '../src/index.ts';
import { test } from './support/suite.ts';

const DIR = 'models/abacus';

/** What must be the same whatever is decoded of the candidates that are not taken. */
function outcome({ tokens, logp, logZ, entropy, block, finish, text, trace }: Answer) {
  const steps = trace.steps.map(({ lengths, abandoned, logRho, account, origins, ...rest }) => rest);
  return { tokens, logp, logZ, entropy, block, finish, text, steps, drawnAt: trace.drawnAt };
}

test('early termination on the GPU changes nothing but the cost', async () => {
  const model = await loadModel(DIR);
  const problems: { prompt: string }[] = JSON.parse(readFileSync(`${DIR}/heldout.json`, 'utf8'));
  const chains = [
    ...[0, 1, 3, 5].map((problem) => ({ problem, tries: 1 })),
    ...[0, 3].map((problem) => ({ problem, tries: 4 })),
  ];
  // All at once: what is decoded beside a row, and when it is abandoned, must not matter.
  const runs = await Promise.all(
    chains.map(({ problem, tries }) =>
      Promise.all(
        (['eager', 'lockstep', 'best-first'] as const).map((decoding) =>
          generate(model, problems[problem].prompt, {
            seed: 11n,
            finalSteps: 20,
            tries,
            decoding,
            growth: 'blocks',
            tree: 'off',
          }),
        ),
      ),
    ),
  );
  model.dispose();

  let proposed = 0;
  const saved = { lockstep: 0, 'best-first': 0 };
  for (const [eager, lockstep, bestFirst] of runs) {
    proposed += eager.account.proposed;
    for (const lazy of [lockstep, bestFirst]) {
      assert.equal(outcome(lazy), outcome(eager));
      let spared = 0;
      for (const [i, { kind, lengths, abandoned, logRho }] of lazy.trace.steps.entries()) {
        const full = eager.trace.steps[i];
        for (const [j, length] of lengths.entries()) {
          assert.is(abandoned[j], length < full.lengths[j]);
          spared += full.lengths[j] - length;
          if (kind !== 'propose') continue;
          assert.ok(abandoned[j] ? logRho[j] >= full.logRho[j] : logRho[j] === full.logRho[j]);
        }
      }
      assert.is(eager.account.drawnTokens - lazy.account.drawnTokens, spared);
      saved[lazy === lockstep ? 'lockstep' : 'best-first'] += spared;
    }
    assert.ok(lockstep.account.sequentialPasses <= eager.account.sequentialPasses);
  }
  assert.ok(proposed >= 100, `${proposed} steps`);
  assert.ok(saved.lockstep > 150, `${saved.lockstep} tokens saved`);
  assert.ok(saved['best-first'] > 1000, `${saved['best-first']} tokens saved`);
});

test.run();
