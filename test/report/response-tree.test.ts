import * as assert from 'uvu/assert';
import { type ResponseTree, responseTree } from '../../src/report/response-tree.ts';
import type { Response } from '../../src/sampling/response.ts';
import type { Sample } from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';
import { arithmetic } from './example.ts';

const END = 9;
const LETTERS = 'abcdefghi∎';
const letter = (id: number): string => LETTERS[id];

/** "abc∎" as a response whose every token has log p = −1. */
function response(text: string): Response {
  const tokens = Uint32Array.from(text, (character) => LETTERS.indexOf(character));
  const ones = new Float64Array(tokens.length).fill(-1);
  const finish = tokens.at(-1) === END ? 'eos' : 'length';
  const origins = new Uint8Array(tokens.length);
  return { tokens, logp: ones, logq: ones, logZ: ones, entropy: ones, origins, finish };
}

/** A run of a chain on `first`, which then takes what follows, where it is not empty; particles come with their weights. */
function run(
  first: string,
  then: readonly string[] = [],
  particles: readonly [string, number][] = [],
): Sample {
  const states = [first];
  const template = arithmetic.sample.trace.steps[0];
  const step = (text: string, kind: 'grow' | 'propose') => {
    const { tokens, logp } = response(text);
    const grown = kind === 'grow' && particles.length > 0;
    const lengths = grown ? particles.map(([each]) => each.length) : [text.length];
    return {
      ...template,
      kind,
      cut: 0,
      lengths,
      outcome: text ? 0 : -1,
      tokens,
      logp: logp.reduce((a, b) => a + b, 0),
    };
  };
  for (const text of then) states.push(text || states[states.length - 1]);
  const last = response(states[states.length - 1]);
  return {
    ...arithmetic.sample,
    tokens: last.tokens,
    logProbability: -last.tokens.length,
    visited: {
      particles: particles.map(([text, weight]) => ({ response: response(text), weight })),
      states: states.map((text) => [{ response: response(text), weight: 1 }]),
    },
    trace: {
      steps: [step(first, 'grow'), ...then.map((text) => step(text, 'propose'))],
      drawnAt: new Uint32Array(last.tokens.length),
    },
  };
}

/** The text of the way to a run. */
function wayTo(tree: ResponseTree, run: number): string {
  return run < 0 ? '' : wayTo(tree, tree.runs[run].parent) + tree.runs[run].text;
}

test('runs end where responses part, and count who passed', () => {
  const particles: [string, number][] = [
    ['abc∎', 0.5],
    ['abc∎', 0.2],
    ['abd∎', 0.2],
    ['e∎', 0.1],
  ];
  const tree = responseTree(run('abd∎', ['', 'abdf∎'], particles), letter);
  assert.equal(
    tree.runs.map(({ parent, start, length, passed, text }) => [parent, start, length, passed, text]),
    [
      [-1, 0, 2, 5, 'ab'],
      [0, 2, 1, 3, 'd'],
      [1, 3, 2, 1, 'f∎'],
      [1, 3, 1, 2, '∎'],
      [0, 2, 2, 2, 'c∎'],
      [-1, 0, 2, 1, 'e∎'],
    ],
  );
  assert.equal(
    tree.leaves.map(({ run, particles, weight, steps, logp }) => [
      wayTo(tree, run),
      particles,
      weight,
      steps,
      logp,
    ]),
    [
      ['abdf∎', 0, 0, 1, -5],
      ['abc∎', 2, 0.7, 0, -4],
      ['abd∎', 1, 0.2, 1, -4],
      ['e∎', 1, 0.1, 0, -2],
    ],
    'the final one, then by how many passed, then by weight',
  );
  assert.is(tree.total, 6);
  assert.is(tree.leftOut, 0);
  assert.equal(tree.places, [
    [3, 1],
    [3, 1],
    [2, 2],
  ]);
});

test('a beginning of another response is no answer of its own, but passes', () => {
  const tree = responseTree(run('ab', ['abc', 'abc∎']), letter);
  assert.equal(tree.runs, [{ parent: -1, start: 0, length: 4, passed: 3, text: 'abc∎' }]);
  assert.is(tree.leaves.length, 1);
  assert.equal(tree.places, [
    [0, 2],
    [0, 3],
    [0, 4],
  ]);
});

test('what is left out still counts where it passes', () => {
  const particles = ['aab∎', 'aac∎', 'aad∎', 'be∎', 'bf∎'].map((text): [string, number] => [text, 0.2]);
  const tree = responseTree(run('aac∎', ['aad∎'], particles), letter, 2);
  assert.is(tree.leftOut, 3);
  assert.equal(
    tree.leaves.map(({ run }) => wayTo(tree, run)),
    ['aad∎', 'be∎'],
  );
  assert.equal(
    tree.runs.map(({ text, passed }) => [text, passed]),
    [
      ['aad∎', 4],
      ['be∎', 2],
    ],
  );
  assert.equal(
    tree.places,
    [
      [0, 2],
      [0, 4],
    ],
    'it leaves the tree after two tokens',
  );
});

test('the text of a long run is cut short', () => {
  const tree = responseTree(run(`${'abcde'.repeat(200)}∎`), letter);
  assert.is(tree.runs[0].length, 1001);
  assert.match(tree.runs[0].text, /^abcde.{230,240}…$/);
});

test('random responses, by the definitions', () => {
  let seed = 1;
  const random = (n: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % n;
  };
  for (let round = 0; round < 50; round++) {
    const texts = Array.from({ length: 1 + random(30) }, () => {
      return `${Array.from({ length: 1 + random(6) }, () => LETTERS[random(2)]).join('')}∎`;
    });
    const particles = texts.map((text): [string, number] => [text, 1 / texts.length]);
    const first = texts[random(texts.length)];
    const tree = responseTree(run(first, [], particles), letter);
    const distinct = [...new Set(texts)].sort();
    assert.equal(tree.leaves.map(({ run }) => wayTo(tree, run)).sort(), distinct);
    assert.is(wayTo(tree, tree.leaves[0].run), first);
    for (const [i, { parent, passed, start, length }] of tree.runs.entries()) {
      const way = wayTo(tree, i);
      assert.is(way.length, start + length);
      assert.is(passed, texts.filter((text) => text.startsWith(way.slice(0, start + 1))).length, way);
      assert.ok(parent < i);
      const children = tree.runs.filter((run) => run.parent === i).length;
      assert.not.equal(children, 1, 'a run ends only where responses part');
    }
  }
});

test.run();
