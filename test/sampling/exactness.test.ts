import * as assert from 'uvu/assert';
import type { Decoding } from '../../src/sampling/chain.ts';
import type { CutLawName } from '../../src/sampling/cut-laws.ts';
import { decide } from '../../src/sampling/multiple-try.ts';
import { test } from '../support/suite.ts';
import {
  assertExact,
  decisionTree,
  distance,
  drive,
  enumerate,
  fourTries,
  metropolis,
  randomToy,
  respond,
  type Subject,
  TARGETS,
  type Toy,
  ways,
} from './exact.ts';
import { LAWS } from './toy.ts';

// What is driven: with one candidate, each law on each toy, with two α and τ by turns, one at horizon 5: a law sees no target, and a
// target no law. With two candidates, each pair of them for each law on the toy of horizon 3 and on the tree, for one law at
// horizon 4, and by Barker's rule. Everywhere else, and with four candidates, log ρ come from runs of the
// kernel, and the multisets of candidates are summed over here.

const SMALL = randomToy(3, 3, 1);
const TOYS: Record<string, Toy> = {
  'three tokens, horizon 4': randomToy(3, 4, 1),
  'three tokens, horizon 5': randomToy(3, 5, 1),
  'four tokens, horizon 3': randomToy(4, 3, 1),
  'a decision tree': decisionTree(0),
  'a decision tree with slips of 1e-6': decisionTree(1e-6),
};
const [FOUR, FIVE, WIDE, TREE] = Object.values(TOYS);

const subjects = (toy: Toy, law: CutLawName, targets = TARGETS): Subject[] =>
  targets.map((target) => ({ toy, law: toy.law(law), ...target }));
const label = ({ alpha, temperature }: Subject) => `α ${alpha}, τ ${temperature}`;

test('the toys have what the laws tell apart: lengths, positions on both sides of the gate, closed blocks', async () => {
  for (const toy of [SMALL, ...Object.values(TOYS)]) {
    const subject = subjects(toy, 'entropy-block')[0];
    const lengths = new Set(toy.states.map((x) => x.length));
    assert.ok(lengths.size > 2 && toy.states.length < 64);
    const mass = toy.pi(4).reduce((sum, p, i) => sum + (toy.states[i].length < toy.horizon ? p : 0), 0);
    assert.ok(mass > 0.05 && mass < 0.99, `${mass} of π ends early`);
    const gates = new Set<boolean>();
    let holds = 0;
    for (const x of toy.states) {
      const { entropy } = await respond(subject, x);
      for (const h of entropy) gates.add(h >= toy.gate);
      if (subject.law(entropy).reduce((a, b) => a + b) < 0.9) holds++;
    }
    assert.is(gates.size, 2);
    assert.ok(holds > 0);
  }
});

for (const [m, [toyName, toy]] of Object.entries(TOYS).entries()) {
  for (const [n, law] of LAWS.entries()) {
    test(`${toyName}, ${law}: the kernel, driven through every outcome of one candidate, is exact`, async () => {
      const two = [m + n, m + n + 2].map((i) => TARGETS[i % TARGETS.length]);
      for (const subject of subjects(toy, law, toy === FIVE ? two.slice(0, 1) : two)) {
        const { P, weighed } = await drive(subject);
        assertExact(P, subject, label(subject));
        // By the same log ρ:
        assertExact(enumerate(subject, weighed, 2, metropolis), subject, `two, ${label(subject)}`);
        const many = toy === FIVE || (toy === WIDE && subject.temperature !== 1 / 4); // thousands of triples a cut
        if (!many) assertExact(fourTries(subject, weighed), subject, `four, ${label(subject)}`);
      }
    });
  }
}

for (const [n, law] of LAWS.entries()) {
  test(`${law}: the kernel, driven through every pair of two candidates, is exact`, async () => {
    const cases = [...subjects(SMALL, law, [TARGETS[n % TARGETS.length]]), ...subjects(TREE, law)];
    if (law === 'entropy-jump') cases.push(...subjects(FOUR, law, [TARGETS[2]]));
    for (const subject of cases) {
      const { P, weighed } = await drive(subject, { tries: 2 });
      assertExact(P, subject, label(subject));
      const apart = distance(P, enumerate(subject, weighed, 2, metropolis));
      assert.ok(apart < 1e-12, `${label(subject)}: ${apart} from the sum over multisets`);
    }
  });

  test(`${law}: what the kernel decides of four candidates, over all multisets, is the closed form`, async () => {
    const [subject] = subjects(SMALL, law, [TARGETS[(n + 2) % TARGETS.length]]);
    const { weighed } = await drive(subject);
    const P = enumerate(subject, weighed, 4, (logRho) =>
      ways('metropolis', logRho).flatMap(({ probability, lots }) =>
        lots
          .map((numbers) => decide('metropolis', logRho, [true, true, true, true], numbers) as number)
          .filter((j) => j >= 0)
          .map((j) => ({ j, probability })),
      ),
    );
    const apart = distance(P, fourTries(subject, weighed));
    assert.ok(apart < 1e-12, `${label(subject)}: ${apart}`);
  });

  test(`${law}: by Barker's rule one and two candidates, driven, are exact`, async () => {
    const cases: [Subject, number][] = [
      [subjects(FOUR, law, [TARGETS[3]])[0], 1],
      [subjects(SMALL, law, [TARGETS[2]])[0], 2],
      [subjects(TREE, law, [TARGETS[n % TARGETS.length]])[0], 2],
    ];
    for (const [subject, tries] of cases) {
      const { P } = await drive({ ...subject, acceptance: 'barker' }, { tries });
      assertExact(P, subject, `${tries}, ${label(subject)}`);
    }
  });

  test(`${law}: candidates are abandoned, and the transition matrix is the same to the last bit`, async () => {
    // An early decision that is wrong is wrong next to a threshold of u first, but farther from the others there are more of them.
    const [one] = subjects(SMALL, law, [TARGETS[3]]);
    const [small] = subjects(SMALL, law, [TARGETS[n % TARGETS.length || 3]]);
    const [tree] = subjects(TREE, law, [TARGETS[3]]);
    const lazy = (n % 2 ? ['best-first', 'lockstep'] : ['lockstep', 'best-first']) satisfies Decoding[];
    const cases: [Subject, number, Decoding[]][] = [
      [tree, 1, lazy],
      [one, 1, lazy.slice(0, 1)],
      n % 2 ? [{ ...one, acceptance: 'barker' }, 1, lazy.slice(1)] : [small, 2, [lazy[n > 2 ? 0 : 1]]],
    ];
    for (const [subject, tries, decodings] of cases) {
      const eager = await drive(subject, { tries });
      assertExact(eager.P, subject, 'eager');
      for (const decoding of decodings) {
        const { P, abandoned } = await drive(
          { ...subject, decoding },
          { tries, within: true, known: eager.weighed },
        );
        assert.equal(P, eager.P);
        assert.ok(abandoned > 0);
      }
    }
  });
}

test('at other temperatures, also those below 1/α and above 1, the kernel is exact as well, decoded eagerly', async () => {
  for (const temperature of [0.1, 0.5, 1.5]) {
    for (const law of LAWS) {
      const [subject] = subjects(SMALL, law, [{ alpha: 4, temperature }]);
      const { P } = await drive(subject);
      assertExact(P, subject, label(subject));
    }
  }
});

test.run();
