import * as assert from 'uvu/assert';
import type { Decoding } from '../../src/sampling/chain.ts';
import type { CutLawName } from '../../src/sampling/cut-laws.ts';
import type { Acceptance } from '../../src/sampling/multiple-try.ts';
import { test } from '../support/suite.ts';
import { critical, detectable, gettingItRight } from './chi-square.ts';
import { randomToy } from './exact.ts';

const COUNT = 2500;
const toy = randomToy(3, 4, 1);
const target = { alpha: 2, temperature: 1 / 2 };

const COMBINATIONS: [CutLawName, number, Decoding, Acceptance][] = [
  ['uniform', 1, 'eager', 'metropolis'],
  ['uniform', 4, 'lockstep', 'metropolis'],
  ['entropy', 2, 'best-first', 'metropolis'],
  ['entropy-jump', 1, 'lockstep', 'barker'],
  ['entropy-jump', 3, 'best-first', 'metropolis'],
  ['entropy-gate', 4, 'lockstep', 'metropolis'],
  ['entropy-gate', 2, 'best-first', 'barker'],
  ['entropy-block', 4, 'best-first', 'metropolis'],
  ['entropy-block', 4, 'lockstep', 'barker'],
  ['entropy-block', 1, 'lockstep', 'metropolis'],
];

test('from exact draws of π, with its own random numbers, the kernel leaves π as it is', async () => {
  // Ten χ² tests, each of which fails falsely once in 10⁷ at most: 1e-6 in all. Each finds nine times in ten that 8 % of the mass
  // have moved from one state to another, be they the two likeliest; less elsewhere.
  for (const [law, tries, decoding, acceptance] of COMBINATIONS) {
    const subject = { toy, ...target, law: toy.law(law), decoding, acceptance };
    const { statistic, freedom, expected } = await gettingItRight(subject, { tries, steps: 3, count: COUNT });
    const most = critical(freedom);
    assert.ok(statistic < most, `${law}, ${tries}, ${decoding}, ${acceptance}: χ² ${statistic} of ${most}`);
    assert.ok(detectable(expected, COUNT) < 0.08);
  }
});

test('and so it does where most tokens of the vocabulary are not listed', async () => {
  // Two χ² tests, as above. A summary lists one token of three, or two of five; the rest is asked for.
  const wide = randomToy(4, 3, 2);
  for (const [subject, entries] of [
    [{ toy, ...target, law: toy.law('entropy-block'), decoding: 'eager' }, 1],
    [{ toy: wide, alpha: 2, temperature: 1, law: wide.law('entropy'), decoding: 'lockstep' }, 2],
  ] as const) {
    const { statistic, freedom, expected } = await gettingItRight(
      subject,
      { tries: 2, count: COUNT },
      { entries },
    );
    assert.ok(statistic < critical(freedom), `${entries} listed: χ² ${statistic} of ${critical(freedom)}`);
    assert.ok(detectable(expected, COUNT) < 0.09);
  }
});

test.run();
