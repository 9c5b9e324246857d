import * as assert from 'uvu/assert';
import { test } from '../support/suite.ts';
import { critical, gettingItRight } from './chi-square.ts';
import { assertExact, type Driven, defects, drive, randomToy, type Subject, TARGETS } from './exact.ts';
import { cuttingBy, late, oneLate, reusing, skipping, upToCurrentLength, weighingBy } from './mutants.ts';
import { LAWS } from './toy.ts';

const TOY = randomToy(3, 4, 1);
const SMALL = randomToy(3, 3, 1);
const AS_IS = { alpha: 1, temperature: 1 };

/** |πP − π| that a mutant must have at least: a billion times what the kernel itself may have. */
const CAUGHT = 1e-3;

/** Drives the kernel and its mutant alike: the one is exact, the other is caught. */
async function caught(subject: Subject, mutant: Partial<Subject>, driven?: Driven): Promise<void> {
  const kernel = await drive(subject, driven);
  assertExact(kernel.P, subject, 'the kernel itself');
  const { P } = await drive({ ...subject, ...mutant }, driven);
  const { invariance } = defects(P, subject);
  assert.ok(invariance > CAUGHT, `|πP − π| ${invariance}`);
}

const constant = () => (entropy: Float64Array) => new Float64Array(entropy.length).fill(1);

for (const law of LAWS) {
  const subject: Subject = { toy: TOY, law: TOY.law(law), alpha: 2, temperature: 1 / 2 };
  const ratio = law === 'uniform' ? 'lengths' : 'normalisers';

  test(`${law}: weights without the ratio of the ${ratio} are caught`, async () => {
    await caught(subject, { step: weighingBy(constant) });
  });

  test(`${law}: the current length as horizon is caught`, async () => {
    await caught(subject, { step: upToCurrentLength });
  });

  test(`${law}: a block that is skipped for the entropies it has now is caught`, async () => {
    await caught(subject, { step: skipping(TOY.gate) });
  });

  if (law === 'uniform') continue;
  test(`${law}: entropies of the pass before, late by one behind each cut, are caught`, async () => {
    await caught({ ...subject, ...AS_IS }, { change: late });
    await caught(subject, { change: late });
  });
}

test('entropy-block: weights without the ratio of the numbers of blocks are caught', async () => {
  const blocks = (entropy: Float64Array) => Math.ceil(entropy.length / TOY.blockSize);
  const step = weighingBy((law) => (entropy) => law(entropy).map((r) => r * blocks(entropy)));
  await caught({ toy: TOY, law: TOY.law('entropy-block'), ...TARGETS[1] }, { step });
});

test('entropies that are late by one for the cut or for the weights alone are caught', async () => {
  for (const law of ['entropy-gate', 'entropy-block'] as const) {
    const subject = { toy: TOY, law: TOY.law(law), ...TARGETS[1] };
    await caught(subject, { step: cuttingBy(oneLate) });
    await caught(subject, { step: weighingBy(oneLate) });
    // For both they make another law, which is as good: that the check is one of exactness, not of a formula.
    const other = { ...subject, law: oneLate(subject.law) };
    assertExact((await drive(other)).P, other, 'another law');
  }
});

test('candidates that are used again in the next step are caught over two steps', async () => {
  for (const law of ['uniform', 'entropy-block'] as const) {
    const subject = { toy: SMALL, law: SMALL.law(law), ...TARGETS[1] };
    await caught(subject, { change: reusing }, { steps: 2 });
  }
});

test('candidates that are abandoned by a bound which does not hold are caught', async () => {
  // At τ above 1 a factor p^α / q can be greater than 1.
  const subject = { toy: SMALL, law: SMALL.law('entropy'), alpha: 1, temperature: 2 };
  await caught(subject, { decoding: 'lockstep' });
  await caught(subject, { decoding: 'best-first' });
});

test('the χ² test from exact draws finds missing ratios of normalisers as well', async () => {
  for (const law of ['uniform', 'entropy', 'entropy-block'] as const) {
    const subject = { toy: TOY, law: TOY.law(law), ...TARGETS[1], step: weighingBy(constant) };
    const { statistic, freedom } = await gettingItRight(subject, { tries: 2, steps: 3, count: 4000 });
    assert.ok(statistic > 2 * critical(freedom), `${law}: χ² ${statistic} of ${critical(freedom)}`);
  }
});

test.run();
