import * as assert from 'uvu/assert';
import type { Verdict } from '../../src/eval/item.ts';
import { rowName } from '../../src/eval/picks.ts';
import { distinct, type Result, type RunCosts, type Timing } from '../../src/eval/result.ts';
import { bootstrap, wilson } from '../../src/eval/statistics.ts';
import { type RunInfo, type SamplerSummary, summarise } from '../../src/eval/summary.ts';
import type { Pick as PickName } from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';

const run = (items: number, samples = 1): RunInfo => ({
  task: 'sums',
  model: 'toy',
  adapters: ['A quick adapter'],
  concurrency: [32],
  versions: { egps: '1.2.3' },
  seed: '7',
  samples,
  items,
  promptStyle: 'completion',
  badLines: 0,
});

const COSTS: RunCosts = {
  drawnTokens: 10,
  computedRows: 8,
  draftedRows: 4,
  usedDrafts: 2,
  sequentialPasses: 5,
  abandoned: 0,
};

function result(sampler: string, item: string, verdict: Verdict, part: Partial<Result> = {}): Result {
  const drawn = verdict !== 'too long';
  return {
    item,
    sampler,
    pick: 'last',
    sample: 0,
    verdict,
    answer: verdict === 'right' ? '4' : null,
    text: '',
    tokens: drawn ? 10 : 0,
    finish: drawn ? 'eos' : null,
    logp: drawn ? -2 : null,
    mass: null,
    overSteps: null,
    moves: { proposed: 0, accepted: 0, held: 0 },
    ...part,
  };
}

const timing = (item: string, process: string, began: number, ended: number, part = {}): Timing => ({
  item,
  sampler: 'greedy',
  sample: 0,
  process,
  began,
  ended,
  graded: 0,
  costs: COSTS,
  ...part,
});

/** A sampler's verdicts in a row, one an item: r right, w wrong, n no answer, t timed out, l too long, space not yet. */
function row(sampler: string, verdicts: string, part: Partial<Result> = {}): Result[] {
  const names: Record<string, Verdict> = {
    r: 'right',
    w: 'wrong',
    n: 'no answer',
    t: 'timed out',
    l: 'too long',
  };
  return [...verdicts].flatMap((letter, i) =>
    letter === ' ' ? [] : [result(sampler, `item ${i}`, names[letter], part)],
  );
}

const named = (...samplers: string[]) =>
  samplers.map((sampler) => ({ sampler, options: {}, chain: sampler, picks: ['last'] as PickName[] }));

test('counts, accuracy and means', () => {
  const results = row('greedy', 'rrwntl');
  const moves = { proposed: 8, accepted: 2, held: 5 };
  results[0] = { ...results[0], tokens: 30, finish: 'length', logp: -8, moves, mass: 0.5, overSteps: 0.25 };
  results[1] = { ...results[1], moves: { proposed: 2, accepted: 2, held: 0 }, mass: 1, overSteps: 0.75 };
  // Of item 2 nobody knows what it cost.
  const timings = [
    timing('item 0', 'p', 0, 2, { costs: { ...COSTS, drawnTokens: 90, computedRows: 40, abandoned: 8 } }),
    timing('item 1', 'p', 2, 4, { costs: { ...COSTS, sequentialPasses: 9, draftedRows: 0, usedDrafts: 0 } }),
    timing('item 3', 'p', 4, 5),
    timing('item 4', 'p', 5, 8),
  ];
  const summary = summarise(
    run(6),
    [{ ...named('greedy')[0], options: { seed: 7n, topP: Infinity, n: 3 } }],
    results,
    timings,
  );
  assert.ok(summary.complete);
  assert.equal(summary.samplers, [
    {
      name: 'greedy',
      sampler: 'greedy',
      pick: 'last',
      family: 'greedy',
      options: { seed: '7', topP: 'Infinity', n: 3 },
      items: 5,
      responses: 5,
      tooLong: 1,
      noAnswer: 1,
      timedOut: 1,
      right: 2,
      accuracy: 0.4,
      interval: wilson(2, 5),
      passAt: [],
      majority: null,
      logp: -16 / 5,
      length: 14,
      lengths: lengthsOf([10, 10, 10, 10, 30], summary.lengthEdges),
      cutAtHorizon: 0.2,
      mass: 0.75,
      overSteps: 0.5,
      drawnTokens: 30,
      computedRows: 16,
      draftedRows: 3,
      usedDrafts: 1.5,
      sequentialPasses: 6,
      wallSeconds: 2,
      acceptance: 0.4,
      held: 1,
      abandoned: 2,
      frontier: { passes: true, rows: true, wall: true },
    },
  ] satisfies SamplerSummary[]);
  assert.equal(JSON.parse(JSON.stringify(summary)), summary);
});

/** By the definition of the bins. */
function lengthsOf(lengths: readonly number[], edges: readonly number[]): number[] {
  return edges
    .slice(1)
    .map(
      (upper, i) => lengths.filter((length) => length > (i === 0 ? -1 : edges[i]) && length <= upper).length,
    );
}

test('bins of lengths are common, and hold every response', () => {
  for (const longest of [1, 2, 24, 25, 31, 512, 1000, 1024, 1025]) {
    const lengths = [0, 1, 2, 15, 16, 17, 511, longest].filter((length) => length <= longest);
    const results = lengths.map((tokens, i) => result('a', `item ${i}`, 'wrong', { tokens }));
    const { lengthEdges, samplers } = summarise(
      run(9),
      named('a', 'b'),
      [...results, ...row('b', 'w', { tokens: 1 })],
      [],
    );
    assert.ok(lengthEdges.length <= 25, `${longest}: ${lengthEdges.length} edges`);
    assert.equal(samplers[0].lengths, lengthsOf(lengths, lengthEdges), `${longest}`);
    assert.equal(samplers[1].lengths, lengthsOf([1], lengthEdges));
    assert.ok((lengthEdges.at(-2) as number) < longest && longest <= (lengthEdges.at(-1) as number));
  }
});

test('several samples: accuracy, pass@k and the vote', () => {
  const responses = (item: string, answers: (string | null)[], right: string) =>
    answers.map((answer, sample) =>
      result('sample', item, answer === right ? 'right' : answer === null ? 'no answer' : 'wrong', {
        sample,
        answer,
      }),
    );
  const results = [
    ...responses('a', ['1', '2', '2'], '1'),
    ...responses('b', ['5', null, '5'], '5'),
    ...responses('c', [null, null, null], '0'),
    ...responses('d', ['8', '9', null], '8'),
    // Not whole yet: counted among the responses, but not graded.
    ...responses('e', ['3'], '3'),
  ];
  const [one] = summarise(run(5, 3), named('sample'), results, []).samplers;
  assert.is(one.items, 4);
  assert.is(one.responses, 13);
  assert.is(one.right, 4);
  assert.is(one.accuracy, 4 / 12);
  assert.equal(one.interval, wilson(4 / 3, 4));
  assert.is(one.noAnswer, 5);
  // pass@2 of c right ones of 3 is 0, 2/3, 1, 1.
  assert.equal(
    one.passAt.map(({ k, value }) => [k, Number(value.toFixed(12))]),
    [
      [1, Number((1 / 3).toFixed(12))],
      [2, Number(((2 / 3 + 1 + 0 + 2 / 3) / 4).toFixed(12))],
      [3, 0.75],
    ],
  );
  assert.equal(one.majority, { right: 2, accuracy: 0.5, interval: wilson(2, 4) });
});

test('wall time is the union of the intervals, process by process', () => {
  const results = row('greedy', 'rwrwr');
  const timings = [
    timing('item 1', 'p', 2, 5),
    timing('item 0', 'p', 0, 3),
    timing('item 2', 'p', 7, 8),
    timing('item 3', 'q', 1, 4),
    // The same response once more, one of another sampler, one that nobody drew, one sampler that is not in the run.
    timing('item 3', 'q', 10, 90),
    timing('item 0', 'p', 20, 90, { sampler: 'other' }),
    timing('item 9', 'p', 20, 90),
  ];
  const [greedy, none] = summarise(run(5), named('greedy', 'none'), results, timings).samplers;
  assert.is(greedy.wallSeconds, (5 + 1 + 3) / 4);
  assert.is(none.wallSeconds, null);
  const nested = [timing('item 0', 'p', 0, 9), timing('item 1', 'p', 1, 2), timing('item 2', 'p', 8, 10)];
  assert.is(summarise(run(5), named('greedy'), results, nested).samplers[0].wallSeconds, 10 / 3);
});

test('the wall time of a reading is its part of what its chains shared', () => {
  const samplers = ['few', 'all'].map((sampler) => ({ ...named(sampler)[0], chain: 'all' }));
  const results = samplers.flatMap(({ sampler }) => row(sampler, 'rw'));
  const at = (item: string, sampler: string, began: number, ended: number) =>
    timing(item, 'p', began, ended, { sampler });
  // From 0 to 2 the first is alone, from 2 to 6 there are two, from 6 to 8 the second is alone.
  const whole = [at('item 0', 'all', 0, 6), at('item 1', 'all', 2, 8)];
  const seconds = (...few: Timing[]) =>
    summarise(run(2), samplers, results, [...few, ...whole]).samplers.map(({ wallSeconds }) => wallSeconds);
  assert.equal(seconds(at('item 0', 'few', 0, 3), at('item 1', 'few', 2, 7)), [(2.5 + 3) / 2, 8 / 2]);
  assert.equal(seconds(at('item 0', 'few', 0, 0), at('item 1', 'few', 2, 2)), [0, 4]);
  assert.equal(seconds(), [null, 4]);
});

test('comparisons', () => {
  const a = row('a', 'rrrrwwl nr');
  const b = row('b', 'rwwwrwrr w');
  const { comparisons } = summarise(run(10), named('a', 'b', 'c'), [...a, ...b], []);
  assert.equal(
    comparisons.map((pair) => [pair.a, pair.b]),
    [
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'c'],
    ],
  );
  // In common are items 0 to 5 and 9.
  assert.equal(comparisons[0], {
    a: 'a',
    b: 'b',
    items: 7,
    both: 1,
    onlyA: 4,
    onlyB: 1,
    neither: 1,
    p: 0.375,
    difference: 3 / 7,
    interval: bootstrap([[0, 1, 1, 1, -1, 0, 1]], 7n)[0],
  });
  const nothing = {
    items: 0,
    both: 0,
    onlyA: 0,
    onlyB: 0,
    neither: 0,
    p: null,
    difference: null,
    interval: null,
  };
  assert.equal(comparisons[1], { a: 'a', b: 'c', ...nothing });
});

test('comparisons of several samples: the first ones in pairs, all in the difference', () => {
  const results = [
    result('a', 'x', 'right', { sample: 1 }),
    result('a', 'x', 'wrong'),
    result('b', 'x', 'right'),
    result('b', 'x', 'right', { sample: 1 }),
    result('a', 'y', 'right'),
    result('a', 'y', 'right', { sample: 1 }),
    result('b', 'y', 'right'),
    result('b', 'y', 'wrong', { sample: 1 }),
  ];
  const [{ both, onlyA, onlyB, difference, interval }] = summarise(
    run(2, 2),
    named('a', 'b'),
    results,
    [],
  ).comparisons;
  assert.equal({ both, onlyA, onlyB, difference }, { both: 1, onlyA: 0, onlyB: 1, difference: 0 });
  assert.equal(interval, [-0.5, 0.5]);
});

test('frontier: beaten by none in both', () => {
  const costs = { cheap: [10, 10], twin: [12, 10], dear: [100, 100], worse: [9, 11], best: [200, 100] };
  const verdicts = { cheap: 'rwww', twin: 'wrww', dear: 'rrww', worse: 'rwww', best: 'rrrw' };
  const results = Object.entries(verdicts).flatMap(([name, letters]) => row(name, letters));
  const timings = Object.entries(costs).flatMap(([sampler, [sequentialPasses, computedRows]]) =>
    [0, 1, 2, 3].map((i) =>
      timing(`item ${i}`, 'p', 0, 1, { sampler, costs: { ...COSTS, sequentialPasses, computedRows } }),
    ),
  );
  const names = [...Object.keys(costs), 'absent'];
  const { samplers } = summarise(run(4), named(...names), results, timings);
  const on = (key: 'passes' | 'rows' | 'wall') =>
    samplers.filter(({ frontier }) => frontier[key]).map(({ sampler }) => sampler);
  assert.equal(on('rows'), ['cheap', 'twin', 'best']);
  assert.equal(on('passes'), ['dear', 'worse', 'best']);
  assert.equal(on('wall'), ['best']);
});

test('picks are rows of their own that share their costs', () => {
  const picks: PickName[] = ['last', 'likeliest', 'vote'];
  const samplers = [
    { sampler: 'egps:final-steps=1', options: {}, chain: 'egps:final-steps=2', picks },
    { sampler: 'egps:final-steps=2', options: {}, chain: 'egps:final-steps=2', picks },
    { ...named('best-of-n:n=4')[0], picks: ['last', 'vote'] as PickName[] },
    ...named('greedy'),
  ];
  const results = samplers.flatMap(({ sampler, picks }) =>
    picks.flatMap((pick, i) => row(sampler, ['rw', 'wr', 'rr'][i], { pick, mass: i === 0 ? 0.5 : null })),
  );
  const timings = ['egps:final-steps=1', 'egps:final-steps=2'].flatMap((sampler, i) =>
    row(sampler, 'rw').map(({ item }) =>
      timing(item, 'p', 0, 4 + 4 * i, { sampler, costs: { ...COSTS, drawnTokens: 100 * (i + 1) } }),
    ),
  );
  const summary = summarise(run(2), samplers, results, timings);
  assert.ok(summary.complete);
  assert.equal(
    summary.samplers.map((one) => [one.name, one.family, one.accuracy, one.mass, one.drawnTokens]),
    [
      ['egps:final-steps=1', 'egps', 0.5, 0.5, 100],
      ['egps:final-steps=1 · likeliest', 'egps · likeliest', 0.5, null, 100],
      ['egps:final-steps=1 · vote', 'egps · vote', 1, null, 100],
      ['egps:final-steps=2', 'egps', 0.5, 0.5, 200],
      ['egps:final-steps=2 · likeliest', 'egps · likeliest', 0.5, null, 200],
      ['egps:final-steps=2 · vote', 'egps · vote', 1, null, 200],
      ['best-of-n:n=4', 'best-of-n', 0.5, 0.5, null],
      ['best-of-n:n=4 · vote', 'best-of-n · vote', 0.5, null, null],
      ['greedy', 'greedy', 0.5, 0.5, null],
    ],
  );
  for (const { sampler, pick, name } of summary.samplers) assert.is(rowName(sampler, pick), name);
  const [one, two] = ['egps:final-steps=1', 'egps:final-steps=2'];
  const likeliest = (sampler: string) => `${sampler} · likeliest`;
  const vote = (sampler: string) => `${sampler} · vote`;
  assert.equal(
    summary.comparisons.map(({ a, b }) => [a, b]),
    [
      [one, likeliest(one)],
      [one, vote(one)],
      [one, two],
      [one, 'best-of-n:n=4'],
      [one, 'greedy'],
      [likeliest(one), vote(one)],
      [likeliest(one), 'best-of-n:n=4'],
      [two, likeliest(two)],
      [two, vote(two)],
      [two, 'best-of-n:n=4'],
      [two, 'greedy'],
      [likeliest(two), vote(two)],
      [likeliest(two), 'best-of-n:n=4'],
      ['best-of-n:n=4', vote('best-of-n:n=4')],
      ['best-of-n:n=4', 'greedy'],
    ],
  );
  assert.not.ok(summarise(run(2), samplers, results.slice(1), timings).complete, 'a pick is missing');
  const stranger = results.map((one, i) => (i === 0 ? { ...one, item: 'stranger' } : one));
  assert.not.ok(summarise(run(2), samplers, stranger, timings).complete, 'one is of another item');
});

test('the first of equal lines counts, and what is not of the run does not', () => {
  const results = [
    ...row('a', 'rw'),
    ...row('a', 'wr'),
    ...row('stranger', 'rr'),
    result('a', 'item 0', 'wrong', { sample: 1 }),
  ];
  assert.is(distinct(results).length, 5);
  const summary = summarise(run(2), named('a'), results, []);
  assert.ok(summary.complete);
  assert.is(summary.samplers.length, 1);
  assert.is(summary.samplers[0].responses, 2);
  assert.is(summary.samplers[0].accuracy, 0.5);
});

test('the order of the lines is of no account', () => {
  const results = [...row('a', 'rwrwnwrl'), ...row('b', 'wrwwrrrr')].map((one, i) => ({
    ...one,
    logp: -1 / (i + 3),
  }));
  const timings = results.map(({ item, sampler }, i) =>
    timing(item, 'p', i / 7, i / 3, { sampler, costs: { ...COSTS, computedRows: 1 / (i + 3) } }),
  );
  const [names, info] = [named('a', 'b'), run(8)];
  const turned = summarise(info, names, results.toReversed(), timings.toReversed());
  assert.equal(turned, summarise(info, names, results, timings));
});

test('a run that has just begun', () => {
  const empty = summarise(run(5), named('a', 'b'), [], []);
  assert.not.ok(empty.complete);
  assert.not.match(JSON.stringify(empty), /NaN/);
  const [{ accuracy, interval, length, acceptance, frontier }] = empty.samplers;
  assert.equal([accuracy, interval, length, acceptance], [null, null, null, null]);
  assert.equal(frontier, { passes: false, rows: false, wall: false });
  assert.equal(JSON.parse(JSON.stringify(empty)), empty);
  const partial = summarise(run(5), named('a', 'b'), [...row('a', 'rwrwr'), ...row('b', 'rr')], []);
  assert.not.ok(partial.complete);
  assert.is(partial.samplers[1].accuracy, 1);
  assert.is(partial.comparisons[0].items, 2);
  const tooLong = summarise(run(2), named('a'), row('a', 'll'), []);
  assert.ok(tooLong.complete);
  assert.is(tooLong.samplers[0].accuracy, null);
});

test.run();
