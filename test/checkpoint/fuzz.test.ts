import * as assert from 'uvu/assert';
import { test } from '../support/suite.ts';
import { KINDS, type Kind } from './damage.ts';
import { fuzz } from './fuzz.ts';

test('2000 damaged checkpoints load or are refused by a typed error, and nothing hangs or dies', async () => {
  const kinds = Object.keys(KINDS) as Kind[];
  const { outcomes, faults } = await fuzz({ cases: 2000, seed: 1, kinds });
  assert.equal(faults, []);
  assert.is(
    [...outcomes.values()].reduce((a, b) => a + b),
    2000,
  );
  for (const outcome of ['loads', 'CheckpointError', 'UnsupportedModelError'])
    assert.ok(outcomes.get(outcome));
});

test.run();
