import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { generate } from '../../src/api/generate.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import {
  carryOut,
  drawProblems,
  mostTelling,
  type Outcome,
  type Pair,
  type Problem,
  pairsOf,
  type Run,
} from '../../src/cli/demo-runs.ts';
import { demoTable } from '../../src/cli/demo-table.ts';
import { calls, definitions, inFull, nextSteps, scoreLine } from '../../src/cli/demo-text.ts';
import { cut, textWidth } from '../../src/cli/terminal.ts';
import { test } from '../support/suite.ts';

const EOS = 0;
/** Tokens are the codes of their characters. */
const tokenizer = {
  encode: (text: string) => Uint32Array.from(text, (c) => c.charCodeAt(0)),
  decode: (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids)),
} as unknown as Tokenizer;

/** Writes \boxed{5} or, with probability 0.45, \boxed{4}. To a z it writes nothing, to a y nothing with probability 0.6. */
function speaker() {
  const written = '\\boxed{5}';
  const model = new TableModel(128, [EOS], (tokens) => {
    const start = tokens.indexOf(63) + 1; // behind the question mark
    const at = tokens.length - start;
    const silent = tokens.slice(0, start).includes(122);
    const next = silent || at === written.length ? EOS : written.charCodeAt(at);
    return Array.from({ length: 128 }, (_, v) => {
      const of = (other: number, share: number) => (v === next ? 1 - share : v === other ? share : 0);
      const hesitant = at === 0 && !silent && tokens.includes(121);
      const p = next === 53 ? of(52, 0.45) : hesitant ? of(EOS, 0.6) : of(-1, 0);
      return p * (1 - 128e-9) + 1e-9;
    });
  });
  const defaults = { maxNewTokens: 16, particles: 32, finalSteps: 2, blockSize: 8 };
  return Object.assign(model, { tokenizer, defaults });
}

const problems: Problem[] = ['a?', 'ab?', 'abc?', 'abz?', 'aby?', 'ay?'].map((prompt) => ({
  prompt,
  answer: '5',
}));

test('the seed draws the problems, all alike and none twice', () => {
  const all = Array.from({ length: 10 }, (_, i) => ({ prompt: `${i}`, answer: '' }));
  const seeds = Array.from({ length: 2000 }, (_, i) => BigInt(i) * 0x9e3779b97f4a7c15n);
  const drawn = seeds.map((seed) => drawProblems(all, 3, seed & ((1n << 64n) - 1n)));
  for (const some of drawn) assert.is(new Set(some).size, 3);
  for (const problem of all) {
    const first = drawn.filter((some) => some[0] === problem).length;
    const times = drawn.filter((some) => some.includes(problem)).length;
    assert.ok(Math.abs(times - 600) < 120 && Math.abs(first - 200) < 80, `${times} times, ${first} first`);
  }
  assert.equal(drawProblems(all, 3, 5n), drawProblems(all, 3, 5n));
  assert.not.equal(drawProblems(all, 10, 1n), drawProblems(all, 10, 1n + (1n << 32n)));
  assert.is(drawProblems(all, 20, 1n).length, 10);
});

test('both runs give what each gives by itself, and egps answers what is most probable', async () => {
  const model = speaker();
  const pairs = pairsOf(problems, 3n, model.defaults);
  const complete: number[] = [];
  let heard = 0;
  await carryOut(model, pairs, {
    onPair: (i) => complete.push(i),
    onProgress: () => heard++,
  });
  assert.equal(complete.sort(), [0, 1, 2, 3, 4, 5]);
  assert.ok(heard > 0);
  assert.is(model.live, 0);
  const extract = 'boxed' as const;
  for (const [chain, { problem, plain, egps }] of pairs.entries()) {
    const sampled = { sampler: 'sample', temperature: 1, seed: 3n, chain, extract } as const;
    const drawn = { sampler: 'egps', seed: 3n, chain, extract, pick: 'vote' } as const;
    const alone = [
      await generate(model, problem.prompt, sampled),
      await generate(model, problem.prompt, drawn),
    ];
    for (const [i, run] of [plain, egps].entries()) {
      const { text, tokens, logp, answers } = alone[i];
      const { answer, final } = run.outcome as Outcome;
      assert.equal([answer.text, answer.tokens, answer.logp, answer.answers], [text, tokens, logp, answers]);
      const share = answers?.find((other) => other.answer === final.answer)?.probability;
      assert.is(final.probability, share);
      assert.is(text, final.answer === null ? '' : `\\boxed{${final.answer}}`);
      assert.ok(run.passes > 0);
      assert.is(run.done, 1);
    }
    assert.is(egps.outcome?.final.answer === null, problem.prompt === 'abz?');
  }
  const runs = pairs.map(({ egps }) => (egps.outcome as Outcome).answer);
  assert.ok(runs.some(({ picked, tokens }) => picked.tokens.join() !== tokens.join()));
  assert.ok(runs.some(({ answers, text }) => answers?.[0].answer === null && text !== ''));
  const again = pairsOf(problems, 3n, model.defaults);
  await carryOut(model, again, {});
  const finals = (all: readonly Pair[]) => all.map(({ plain, egps }) => [plain, egps].map(finalIn));
  assert.equal(finals(again), finals(pairs));
});

const finalIn = (run: Run) => run.outcome?.final;

/** A run that is over, or going on. */
function run(answer?: string | null, passes = 7, probability = 0.75, text = 'so it is'): Run {
  const [{ plain }] = pairsOf([{ prompt: '?' }], 1n, {});
  const over = { answer: { text, answers: [] }, final: { answer, probability }, wallSeconds: 1 };
  return {
    ...plain,
    passes,
    outcome: answer === undefined ? undefined : (over as unknown as Run['outcome']),
  };
}
const pair = (plain?: string | null, egps?: string | null, prompt = 'How many cards now?'): Pair => {
  return { problem: { prompt, answer: '57' }, plain: run(plain), egps: run(egps, 73) };
};

test('the problem told in full is one that only one got right, else one answered differently', () => {
  const [same, both, apart, worse] = [pair('57', '57'), pair('1', '2'), pair('47', '57'), pair('57', null)];
  assert.is(mostTelling([same, both, apart]), apart);
  assert.is(mostTelling([same, worse, apart]), worse);
  assert.is(mostTelling([same, both]), both);
  assert.is(mostTelling([same, pair('57', '57')]), same);
});

test('the score counts what is right', () => {
  const pairs = [pair('57', '57'), pair('47', '57'), pair(null, '57'), pair('57', '157'), pair('5', '57')];
  assert.is(scoreLine(pairs), 'plain 2 of 5 right, egps 4 of 5.');
});

test('a table fills while the runs go on', () => {
  const pairs = [pair('47', '57'), pair(undefined, '157'), pair(null, null, 'How\nmany\x1b[2J'), pair()];
  const { head, row } = demoTable(
    pairs.map(({ problem }) => problem),
    100,
  );
  assert.is(head, '#  problem              answer  plain         passes  egps  share         passes');
  assert.equal(pairs.map(row), [
    '1  How many cards now?      57     47  wrong       7    57   75 %  right      73',
    '2  How many cards now?      57                     7   157   75 %  wrong      73',
    '3  How many\ufffd[2J             57   none  wrong       7  none         wrong      73',
    '4  How many cards now?      57                     7                          73',
  ]);
});

test('a table is never wider than it may be, and says what matters most where that is little', () => {
  const long = pair('47', '57', `Ana has 44 cards. ${'世界'.repeat(50)}`);
  const problems = Array(10).fill(long.problem);
  const at = (width: number) => {
    const { head, row } = demoTable(problems, width);
    return [head, row(long, 9), row(pair(`5${'7'.repeat(50)}`, '1'), 0)];
  };
  for (let width = 1; width < 200; width++) {
    for (const line of at(width)) assert.ok(textWidth(line) <= width, `${width}: ${line}`);
  }
  assert.is(at(79)[1], '10  Ana has 44 cards…      57     47  wrong       7    57   75 %  right      73');
  assert.is(at(59)[1], '10  Ana has 44 c…      57     47  wrong    57   75 %  right');
  assert.is(at(44)[1], '10      57     47  wrong    57   75 %  right');
  assert.is(at(43)[1], '10     57    47 wrong   57  75 % right');
  assert.is(at(44)[2], ' 1      57  5777…  wrong     1   75 %  wrong');
});

test('a line is cut by its cells', () => {
  assert.is(cut('abcd', 4), 'abcd');
  assert.is(cut('abcde', 4), 'abc…');
  assert.is(cut('世界世', 5), '世界…');
  assert.is(cut('世界世', 4), '世…');
});

test('both answers stand beside each other where there is room', () => {
  const told = pair('47', '57');
  const wide = inFull(told, 100).split('\n');
  assert.match(wide[0], /^plain: 47, wrong {5,}egps: 57 \(75 % of the probability\), right$/);
  assert.match(wide[2], /^so it is {10,}so it is$/);
  assert.is(
    inFull(told, 0),
    'plain: 47, wrong\n\nso it is\n\negps: 57 (75 % of the probability), right\n\nso it is',
  );
  for (const line of inFull(told, 20).split('\n')) assert.ok(line.length <= 20);
  const own = { ...pair('47', null), problem: { prompt: '?' } };
  assert.match(inFull(own, 0), /^plain: 47, 7 passes\n.*\negps: no final answer, 73 passes\n/s);
});

test('words are explained within the line, and commands are those that work here', () => {
  for (const width of [24, 39, 79, 140]) {
    for (const line of definitions(width).split('\n')) assert.ok(line.length <= width, line);
  }
  const npm = calls({ npm_lifecycle_event: 'start' }, false);
  assert.match(
    nextSteps(false, npm),
    /\n {2}npm start -- "Mia .*\?"\n.*\n {2}node dist\/.* generate --model Qwen\/Qwen2\.5-0\.5B "/,
  );
  assert.match(nextSteps(true, npm), /\n {2}npm start\n/);
  assert.match(nextSteps(false, calls({}, true)), '  deno task start "');
  assert.match(nextSteps(false, calls({}, true)), '  deno task egps generate --model '); // which may fetch
  assert.match(nextSteps(true, calls({}, false)), '  egps demo\n');
});

test.run();
