import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { lastBoxed } from '../../src/answers/boxed.ts';
import { GraderError } from '../../src/base/errors.ts';
import { normalise } from '../../src/eval/graders/latex.ts';
import { equivalent, gradeMath } from '../../src/eval/graders/math.ts';
import { MathGrader } from '../../src/eval/graders/math-pool.ts';
import { test } from '../support/suite.ts';
import { pairs } from './math-pairs.ts';

const boxes: [text: string, content: string | null][] = [
  ['\\boxed{5}', '5'],
  ['first \\boxed{1}, then \\boxed{2}.', '2'],
  ['\\boxed {5}', '5'],
  ['\\\\boxed{42}', '42'],
  ['\\\\\\boxed{42}', '42'],
  ['\\\\fbox{42}', '42'],
  ['\\framebox{5}', '5'],
  ['\\framebox[2em]{5}', '5'],
  ['\\dboxed{5}', '5'],
  ['\\Boxed{5}', '5'],
  ['\\boxed[5]', '[5]'],
  ['\\boxed $5$', '5'],
  ['$\\boxed $ 3', null],
  ['\\boxed \\$5$', '\\$5'],
  ['\\fbox{5}', '5'],
  ['\\boxed{\\frac{1}{2}}', '\\frac{1}{2}'],
  ['\\boxed{\\{1,2\\}}', '\\{1,2\\}'],
  ['\\boxed{\\{1,2}', '\\{1,2'],
  ['\\boxed{a\\\\{b}}', 'a\\\\{b}'],
  ['\\boxed{{5}}', '{5}'],
  ['\\boxed{1} and \\boxed{\\frac{2}{3}', '1'],
  ['\\boxed{1} and \\boxed{2', '1'],
  ['\\boxed{\\boxed{7}}', '7'],
  ['a } stray brace \\boxed{3} }', '3'],
  ['a { stray brace \\boxed{3}', '3'],
  ['$\\boxed 5$ is it', '5'],
  ['$\\boxed5$', '5'],
  ['\\boxed \\frac12$', '\\frac12'],
  ['\\boxed{1} $\\boxed 2$', '2'],
  ['\\boxed 5\nnext line', '5'],
  ['\\boxed{ 5 }', '5'],
  ['\\boxed{', null],
  ['\\boxed{}', null],
  ['\\boxed{ }', null],
  ['\\boxed{{}}', null],
  ['\\boxed{1} \\boxed{}', null],
  ['\\boxedx{5}', null],
  ['boxed{5}', null],
  ['no box', null],
  ['', null],
];

test('the last box', () => {
  for (const [text, content] of boxes) assert.is(lastBoxed(text), content, text);
});

test('boxes take linear time', () => {
  assert.is(lastBoxed('\\boxed{'.repeat(300_000)), null);
  assert.is(lastBoxed('\\'.repeat(300_000)), null);
  assert.is(lastBoxed('\\boxed['.repeat(300_000)), '[');
  assert.is(lastBoxed(`${'\\boxed x '.repeat(300_000)}$`), 'x');
});

test('the table is large and balanced', () => {
  const equal = pairs.filter((pair) => pair.equal).length;
  assert.ok(equal >= 400 && pairs.length - equal >= 300, `${equal} of ${pairs.length}`);
});

for (const group of new Set(pairs.map((pair) => pair.group))) {
  test(`pairs: ${group}`, () => {
    for (const { given, right, equal } of pairs.filter((pair) => pair.group === group)) {
      assert.is(equivalent(given, right), equal, `${given} and ${right}`);
      assert.is(equivalent(right, given), equal, `${right} and ${given}`);
    }
  });
}

test('an answer equals itself, and its normal form', () => {
  for (const answer of pairs.flatMap(({ given, right }) => [given, right])) {
    const normal = normalise(answer);
    assert.is(equivalent(answer, answer), normal !== '', answer);
    assert.is(equivalent(answer, normal), normal !== '', `${answer} and ${normal}`);
    assert.is(normalise(normal), normal);
  }
});

const normals: [latex: string, normal: string][] = [
  ['\\left( 3, \\dfrac\\pi2 \\right).', '(3,\\frac{\\pi}{2})'],
  ['\\text{(C)}', 'C'],
  ['\\$32,\\!348', '32348'],
  ['15\\mbox{ cm}^2', '15'],
  ['1\\frac{4}{5}', '\\frac{9}{5}'],
  ['x \\in [-2,7]', '[-2,7]'],
  ['\\pi r', '\\pi r'],
  ['\\text{East}', 'east'],
  ['4210_{5}', '4210_5'],
  ['3, 500', '3, 500'],
  ['5\u200b', '5'],
  ['1\u00a0000', '1000'],
  ['`5`', '5'],
  ['x^{2}3', 'x^{2}3'],
  ['\\\\frac{1}{2}', '\\frac{1}{2}'],
  ['\\\\begin{pmatrix}1\\\\\\\\2\\\\end{pmatrix}', '\\begin{matrix}1\\\\2\\end{matrix}'],
];

test('normal forms', () => {
  for (const [latex, normal] of normals) assert.is(normalise(latex), normal);
});

test('long answers are compared as strings', () => {
  const sum = `1${'+1'.repeat(600)}`;
  assert.ok(equivalent(sum, ` ${sum} `));
  assert.not(equivalent(sum, '601'));
  assert.ok(equivalent(`1${'+1'.repeat(300)}`, '301'));
});

test('malformed and deeply nested answers are wrong, not errors', () => {
  for (const answer of [
    '\\frac{',
    '{'.repeat(900),
    '('.repeat(900),
    '\\frac'.repeat(190),
    '^_^',
    '\\',
    '9^{9^{9^9}}',
  ]) {
    assert.not(equivalent(answer, '7'), answer);
    assert.not(equivalent('7', answer), answer);
  }
});

test('grades', () => {
  assert.equal(gradeMath('so $\\boxed{\\frac12}$.', '0.5'), { verdict: 'right', answer: '\\frac{1}{2}' });
  assert.equal(gradeMath('\\boxed{{5}}', '5'), { verdict: 'right', answer: '5' });
  assert.equal(gradeMath('\\boxed{5} or \\boxed{6}', '5'), { verdict: 'wrong', answer: '6' });
  assert.equal(gradeMath('it is 5', '5'), { verdict: 'no answer', answer: null });
  assert.equal(gradeMath('\\boxed{}', '5'), { verdict: 'no answer', answer: null });
  assert.equal(gradeMath('\\boxed{$ $}', '5'), { verdict: 'no answer', answer: null });
});

/** A worker that grades all as right, hangs on `hang`, dies on `die`, and runs out of memory on `fill`. */
const stub = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    const born = String(Math.random());
    parentPort.on('message', ({ response }) => {
      if (response.includes('hang')) for (;;);
      if (response.includes('die')) throw new Error('died');
      if (response.includes('fill')) for (const all = []; ; ) all.push(new Array(1e5).fill(0.5));
      parentPort.postMessage({ verdict: 'right', answer: response.includes('who') ? born : response });
    });
    const until = Date.now() + 500;
    while (Date.now() < until);
    parentPort.postMessage('ready');`)}`,
);

test('the pool grades in order', async () => {
  const grader = new MathGrader();
  const answers = ['1', '\\frac{2}{4}', '3'];
  const finished: number[] = [];
  const grades = await Promise.all(
    answers.map(async (answer, k) => {
      const grade = await grader.grade(`\\boxed{${answer}}`, '0.5');
      finished.push(k);
      return grade.verdict;
    }),
  );
  assert.equal(grades, ['wrong', 'right', 'wrong']);
  assert.equal(finished, [0, 1, 2]);
  assert.equal(await grader.grade('none', '1'), { verdict: 'no answer', answer: null });
  await grader.close();
});

test('a hanging answer times out, those behind it do not', async () => {
  // Loading takes longer than the limit, and so does the wait of the second for the first.
  const grader = new MathGrader({ timeLimit: 300, url: stub });
  const grades = ['a', 'hang \\boxed{ 7 }', 'hang', 'b'].map((response) => grader.grade(response, ''));
  assert.equal(await Promise.all(grades), [
    { verdict: 'right', answer: 'a' },
    { verdict: 'timed out', answer: '7' },
    { verdict: 'timed out', answer: null },
    { verdict: 'right', answer: 'b' },
  ]);
  await grader.close();
});

test('a worker that dies counts as timed out and is replaced', async () => {
  const grader = new MathGrader({ url: stub });
  const first = await grader.grade('who', '');
  assert.equal(await grader.grade('who', ''), first);
  assert.equal(await grader.grade('die \\boxed{1}', ''), { verdict: 'timed out', answer: '1' });
  const second = await grader.grade('who', '');
  assert.is(second.verdict, 'right');
  assert.is.not(second.answer, first.answer);
  assert.is((await grader.grade('fill', '')).verdict, 'timed out');
  assert.is((await grader.grade('c', '')).verdict, 'right');
  await grader.close();
});

test('an aborted grade rejects with the reason, the next is graded', async () => {
  const grader = new MathGrader({ url: stub });
  const controller = new AbortController();
  const reason = new Error('enough');
  await grader.grade('a', '');
  const grades = [
    grader.grade('hang', '', controller.signal),
    grader.grade('b', '', controller.signal),
    grader.grade('c', ''),
  ];
  setTimeout(() => controller.abort(reason), 100);
  const [hung, queued, other] = await Promise.allSettled(grades);
  assert.is(hung.status === 'rejected' && hung.reason, reason);
  assert.is(queued.status === 'rejected' && queued.reason, reason);
  assert.equal(other.status === 'fulfilled' && other.value, { verdict: 'right', answer: 'c' });
  await grader.close();
});

test('closing waits for what is pending', async () => {
  const grader = new MathGrader({ url: stub });
  const grade = grader.grade('a', '');
  await grader.close();
  assert.equal(await Promise.race([grade, null]), { verdict: 'right', answer: 'a' });
  await new MathGrader().close();
});

test('a worker that does not start is an error', async () => {
  const grader = new MathGrader({ url: new URL('data:text/javascript,throw new Error("not today")') });
  for (let k = 0; k < 2; k++) {
    const error = await grader.grade('a', '').catch((error) => error);
    assert.instance(error, GraderError);
    assert.match(error.message, 'not today');
  }
  await grader.close();
});

test('an idle worker does not keep the process alive, a busy one does', () => {
  const pool = new URL('../../src/eval/graders/math-pool.js', import.meta.url);
  const program = `import(${JSON.stringify(pool.href)})
    .then(({ MathGrader }) => new MathGrader().grade('\\\\boxed{1}', '1'))
    .then(({ verdict }) => console.log(verdict))`;
  const { status, stdout } = spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.is(status, 0);
  assert.is(stdout, 'right\n');
});

test.run();
