import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { abacusProblems } from '../../src/eval/tasks/abacus.ts';
import { critical } from '../sampling/chi-square.ts';
import { test } from '../support/suite.ts';

interface Read {
  readonly name: string;
  readonly thing: string;
  readonly verbs: readonly string[];
  /** The number before the first operation, and after each. */
  readonly totals: readonly number[];
  readonly operations: readonly { readonly sign: '+' | '-'; readonly b: number }[];
}

/** What a prompt says; the words it may have are those of the pattern. */
function read(prompt: string): Read {
  const whole =
    /^(Mia|Ben|Zoe|Tom|Ana|Sam|Lea|Max) has (\d+) (shells|coins|books|cards|beads|stamps)\.((?: \1 [a-z ]+ \d+\.){2,5}) How many \3 now\?$/.exec(
      prompt,
    );
  if (!whole) throw new Error(`not a problem: ${prompt}`);
  const totals = [Number(whole[2])];
  const operations: { sign: '+' | '-'; b: number }[] = [];
  const verbs: string[] = [];
  for (const [, verb, number] of whole[4].matchAll(/ [A-Z][a-z]+ ([a-z ]+) (\d+)\./g)) {
    if (!/^(finds|buys|gets|gives away|loses|sells)$/.test(verb)) throw new Error(`${verb} in ${prompt}`);
    const sign = /^(finds|buys|gets)$/.test(verb) ? '+' : '-';
    const b = Number(number);
    const total = totals[totals.length - 1];
    totals.push(sign === '+' ? total + b : total - b);
    operations.push({ sign, b });
    verbs.push(verb);
  }
  return { name: whole[1], thing: whole[3], verbs, totals, operations };
}

/** How often the addition x + y carries: each carry takes nine off the sum of digits. */
function carries(x: number, y: number): number {
  const digits = (n: number) => [...String(n)].reduce((sum, digit) => sum + Number(digit), 0);
  return (digits(x) + digits(y) - digits(x + y)) / 9;
}

/** Whether something is carried between columns that a or b has, or borrowed. */
function moves(a: number, b: number, sign: '+' | '-'): boolean {
  if (sign === '-') return carries(a - b, b) > 0;
  const longer = String(a + b).length > Math.max(String(a).length, String(b).length);
  return carries(a, b) > Number(longer);
}

/** A solution with every column written out, as the model's training data has it. */
function solution({ totals, operations }: Read): string {
  let text = '\n';
  for (const [i, { sign, b }] of operations.entries()) {
    const width = Math.max(String(totals[i]).length, String(b).length);
    const x = String(totals[i]).padStart(width, '0');
    const y = String(b).padStart(width, '0');
    let moved = false;
    const parts = [];
    for (let column = width - 1; column >= 0; column--) {
      const carry = moved ? ` ${sign} 1` : '';
      let top = Number(x[column]);
      if (sign === '+') {
        const sum: number = top + Number(y[column]) + Number(moved);
        moved = sum > 9 && column > 0;
        parts.push(`${top} + ${y[column]}${carry} = ${sum}, write ${moved ? `${sum - 10}, carry 1` : sum}`);
      } else {
        const taken: number = Number(y[column]) + Number(moved);
        moved = top < taken;
        if (moved) top += 10;
        const left = `${top} - ${y[column]}${carry} = ${top - taken}, write ${top - taken}`;
        parts.push(moved ? `${left}, borrow 1` : left);
      }
    }
    const equation = `${totals[i]} ${sign} ${b}`;
    text += `${equation}: ${parts.join('; ')}. So ${equation} = ${totals[i + 1]}.\n`;
  }
  return `${text}\\boxed{${totals[totals.length - 1]}}`;
}

const PROBLEMS = abacusProblems(1n, 1000);
const READ = PROBLEMS.map(({ prompt }) => read(prompt));

test('answers are what the prompts come to, and no number on the way leaves 0 to 999', () => {
  for (const [i, { totals, operations }] of READ.entries()) {
    assert.is(PROBLEMS[i].answer, String(totals[totals.length - 1]));
    assert.is(PROBLEMS[i].grader, 'exact');
    assert.is(PROBLEMS[i].id, `abacus-1-${i}`);
    for (const total of totals) assert.ok(total >= 0 && total <= 999, PROBLEMS[i].prompt);
    for (const b of [totals[0], ...operations.map(({ b }) => b)])
      assert.ok((b >= 3 && b <= 9) || (b >= 11 && b <= 399), PROBLEMS[i].prompt);
  }
});

test('every problem is held out and none comes twice', () => {
  for (const { prompt } of PROBLEMS)
    assert.ok(Number.parseInt(createHash('sha256').update(prompt).digest('hex').slice(0, 2), 16) < 3, prompt);
  assert.is(new Set(PROBLEMS.map(({ prompt }) => prompt)).size, PROBLEMS.length);
});

test('no solution is longer than 340 tokens, and some come close', async () => {
  const tokenizer = await Tokenizer.load('models/abacus');
  if (!tokenizer) throw new Error('no tokenizer');
  const lengths = READ.filter(({ operations }) => operations.length === 5).map(
    (problem) => tokenizer.encode(solution(problem)).length,
  );
  const longest = Math.max(...lengths);
  assert.ok(longest <= 340 && longest > 330, `the longest of ${lengths.length} has ${longest} tokens`);
});

/** Fails once in 10⁷ samples or less where `seen` has each of `values` with its probability, all the same unless told. */
function follows(seen: readonly unknown[], values: readonly unknown[], law?: readonly number[]): void {
  const counts = values.map((value) => seen.filter((each) => each === value).length);
  const n = counts.reduce((sum, count) => sum + count, 0);
  const expected = values.map((_, i) => n * (law?.[i] ?? 1 / values.length));
  const statistic = counts.reduce((sum, count, i) => sum + (count - expected[i]) ** 2 / expected[i], 0);
  assert.ok(statistic < critical(values.length - 1), `${values}: ${counts}, χ² ${statistic.toFixed(1)}`);
}

test('problems are distributed as those of train.py', () => {
  const digits = (n: number) => String(n).length;
  const operations = READ.flatMap(({ totals, operations }) =>
    operations.map(({ sign, b }, i) => ({ sign, digits: digits(b), moves: moves(totals[i], b, sign) })),
  );
  const counts = READ.map(({ operations }) => operations.length);
  const starts = READ.map(({ totals }) => digits(totals[0]));
  const verbs = READ.flatMap(({ verbs }) => verbs);
  // Frequencies among 300,000 problems of train.py, those too long left out.
  follows(counts, [2, 3, 4, 5], [0.5109, 0.3066, 0.1342, 0.0483]);
  follows(starts, [1, 2, 3], [0.0502, 0.8524, 0.0974]);
  const each = <K extends keyof (typeof operations)[number]>(key: K) => operations.map((op) => op[key]);
  follows(each('moves'), [true, false], [0.8742, 0.1258]);
  follows(each('sign'), ['+', '-'], [0.6158, 0.3842]);
  follows(each('digits'), [1, 2, 3], [0.0707, 0.8482, 0.0811]);
  follows(verbs, ['finds', 'buys', 'gets']);
  follows(verbs, ['gives away', 'loses', 'sells']);
  const names = READ.map(({ name }) => name);
  const things = READ.map(({ thing }) => thing);
  follows(names, ['Mia', 'Ben', 'Zoe', 'Tom', 'Ana', 'Sam', 'Lea', 'Max']);
  follows(things, ['shells', 'coins', 'books', 'cards', 'beads', 'stamps']);
});

test('the first problems do not depend on how many there are; other seeds have others', () => {
  assert.equal(abacusProblems(1n, 50), PROBLEMS.slice(0, 50));
  for (const seed of [0n, 1n << 32n, (1n << 64n) - 1n]) {
    const prompts = new Set(abacusProblems(seed, 50).map(({ prompt }) => prompt));
    assert.ok(PROBLEMS.slice(0, 50).filter(({ prompt }) => prompts.has(prompt)).length < 5);
  }
});

test('the first two problems of seed 0', () => {
  assert.equal(abacusProblems(0n, 2), [
    {
      id: 'abacus-0-0',
      prompt: 'Sam has 40 cards. Sam sells 30. Sam finds 41. How many cards now?',
      grader: 'exact',
      answer: '51',
    },
    {
      id: 'abacus-0-1',
      prompt: 'Tom has 87 coins. Tom finds 36. Tom sells 14. Tom gives away 59. How many coins now?',
      grader: 'exact',
      answer: '50',
    },
  ]);
});

test.run();
