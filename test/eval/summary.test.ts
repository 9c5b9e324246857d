import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Verdict } from '../../src/eval/item.ts';
import { distinct, type Result, type Timing } from '../../src/eval/result.ts';
import { bootstrap, wilson } from '../../src/eval/statistics.ts';
import { type RunInfo, type SamplerSummary, summarise } from '../../src/eval/summary.ts';

const run = (items: number, samples = 1): RunInfo => ({
  task: 'sums',
  model: 'toy',
  adapters: ['A quick adapter'],
  versions: { egps: '1.2.3' },
  seed: '7',
  samples,
  items,
  promptStyle: 'completion',
  badLines: 0,
});

const ACCOUNT = {
  decodedTokens: 10,
  sequentialSteps: 10,
  proposed: 0,
  accepted: 0,
  held: 0,
  abandoned: 0,
};

function result(sampler: string, item: string, verdict: Verdict, part: Partial<Result> = {}): Result {
  const drawn = verdict !== 'too long';
  return {
    item,
    sampler,
    sample: 0,
    verdict,
    answer: verdict === 'right' ? '4' : null,
    text: '',
    tokens: drawn ? 10 : 0,
    finish: drawn ? 'eos' : null,
    logp: drawn ? -2 : null,
    account: ACCOUNT,
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

const named = (...samplers: string[]) => samplers.map((sampler) => ({ sampler, options: {} }));

test('counts, accuracy and means', () => {
  const results = row('greedy', 'rrwntl');
  results[0] = {
    ...results[0],
    tokens: 30,
    finish: 'length',
    logp: -8,
    account: { decodedTokens: 90, sequentialSteps: 50, proposed: 8, accepted: 2, held: 5, abandoned: 10 },
  };
  results[1] = { ...results[1], account: { ...ACCOUNT, proposed: 2, accepted: 2 } };
  const summary = summarise(
    run(6),
    [{ sampler: 'greedy', options: { seed: 7n, topP: Infinity, n: 3 } }],
    results,
    [],
  );
  assert.ok(summary.complete);
  assert.equal(summary.samplers, [
    {
      sampler: 'greedy',
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
      decodedTokens: 26,
      sequentialSteps: 18,
      wallSeconds: null,
      acceptance: 0.4,
      held: 1,
      abandoned: 2,
      frontier: { decoded: true, sequential: true, wall: false },
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
  const cost = (decodedTokens: number, sequentialSteps: number) => ({
    account: { ...ACCOUNT, decodedTokens, sequentialSteps },
  });
  const results = [
    ...row('cheap', 'rwww', cost(10, 10)),
    ...row('twin', 'wrww', cost(10, 12)),
    ...row('dear', 'rrww', cost(100, 100)),
    ...row('worse', 'rwww', cost(11, 9)),
    ...row('best', 'rrrw', cost(100, 200)),
  ];
  const names = ['cheap', 'twin', 'dear', 'worse', 'best', 'absent'];
  const { samplers } = summarise(run(4), named(...names), results, []);
  const on = (key: 'decoded' | 'sequential' | 'wall') =>
    samplers.filter(({ frontier }) => frontier[key]).map(({ sampler }) => sampler);
  assert.equal(on('decoded'), ['cheap', 'twin', 'best']);
  assert.equal(on('sequential'), ['dear', 'worse', 'best']);
  assert.equal(on('wall'), []);
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
  const names = named('a', 'b');
  assert.equal(summarise(run(8), names, results.toReversed(), []), summarise(run(8), names, results, []));
});

test('a run that has just begun', () => {
  const empty = summarise(run(5), named('a', 'b'), [], []);
  assert.not.ok(empty.complete);
  assert.not.match(JSON.stringify(empty), /NaN/);
  const [{ accuracy, interval, length, acceptance, frontier }] = empty.samplers;
  assert.equal([accuracy, interval, length, acceptance], [null, null, null, null]);
  assert.equal(frontier, { decoded: false, sequential: false, wall: false });
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
