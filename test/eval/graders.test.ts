import * as assert from 'uvu/assert';
import { choice } from '../../src/answers/boxed.ts';
import { GraderError } from '../../src/base/errors.ts';
import { openGraders } from '../../src/eval/graders/graders.ts';
import type { Item } from '../../src/eval/item.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';

test('a choice is one letter, whatever is around it', () => {
  for (const boxed of [
    'B',
    'b',
    ' (B) ',
    'B)',
    'B.',
    'B: 42',
    '(b) 42',
    '\\text{B}',
    '\\mathbf{\\text{(B)}}',
    '$B$',
    '{B}',
    '\\(B\\)',
    'B. Because a = 5',
    'B - because',
    'B – because',
    'B — because',
    'B -- because',
    'Answer: B',
    '{Answer: B}',
    '[B]',
    '{[B]}',
    'Option B',
    'option (B)',
    'Choice B',
    '(B) text',
    '[B] text',
    '**B**',
    '\\textbf{B}',
    '\\boldsymbol{B}',
    '\\bm{B}',
    '\\text{Option B}',
    'The answer is B',
    'the correct answer is (B)',
    'The correct option is B.',
    'Answer = B',
    'LETTER: B',
    '$LETTER = B',
    'Ｂ',
    '𝐁',
    'Ⓑ',
    '\\mathrm{B}',
    '\\text B',
    '\\mathrm B',
    '\\textbf{B}. text',
    '\\textbf{(B)} 42',
    "'B'",
    '"B"',
    '`B`',
    '<B>',
    '\\{B\\}',
    '\\left(B\\right)',
    '\\left[B\\right]',
    'B\\text{ because x}',
    'B because x',
    'B, because x',
    'B since x',
    'B.\\ text',
    'B.~text',
    '\\text{B. }42',
    'B)\\ 42',
    '\\text{B) } 10^{-5}',
    '(B): 42',
    '(B). text',
    '\\mathbf B',
    '{\\bf B}',
    '\\rm{B}',
    'Answer: Option B',
    'Answer: (B)',
    'Final Answer: B',
    'answer is **B**',
    'B:',
    'B;',
    'B,',
    '(B)\\quad 3.2',
    'B.\\; 3',
    '\\textbf{B:} 3',
    'B\\)',
    '\\fbox{B}',
    '\\boxed{B}',
    '\\Large B',
    '\\color{red}B',
    '\\underline{B}',
    'Answer is: B',
    '(B).',
    'B !',
    '\\texttt{B}',
    '\\textsf{B}',
    'B\\\\',
    '\\mathcal{B}',
    '\\mathbb{B}',
    '（B）',
    '【B】',
    'B、',
    'B：42',
    '(B) - because',
    '[B]: text',
    '(B) k',
    '(B) x = 5',
    '(B) A solution',
  ]) {
    assert.is(choice(boxed), 'B', boxed);
  }
  assert.is(choice('\\(B\\)'), 'B');
  assert.is(choice('B. Because a = 5'), 'B');
  for (const boxed of [
    null,
    '',
    '42',
    'A, B',
    'A or B',
    'A and B',
    'A/B',
    'A^2',
    'a = 5',
    'A.5',
    'Both',
    '\\alpha',
    'AB',
    '(A) or (B)',
    '(A), (B)',
    'A) or B)',
    'A) and B)',
    '(A) and (C)',
    '(A)/(B)',
    'A & B',
    'A - B',
    'A-B',
    'A: or B',
    'A to C',
    '(A)(B)',
    'Not A',
    'None',
    'A B',
    'A = B',
    'A_1',
    'A(1)',
    'A is wrong',
    'the',
    'Answer: 42',
    'option',
    'A, B, C',
    'A; B',
    'A\\text{ or }B',
    '\\text{A or B}',
    'A book',
    'E=mc^2',
    'A–C',
    'neither A nor B',
    'A, C - because',
    'A or (B)',
    '(A) or B - because',
    'A.B',
    'A) B)',
    'A. B.',
  ]) {
    assert.is(choice(boxed), undefined, `${boxed}`);
  }
});

test('a grade depends on nothing but its basis', async () => {
  const item = (grader: Item['grader']): Item => ({ id: 'i', prompt: 'p', grader, answer: '2' });
  const items = (['math', 'exact', 'choice'] as const).map(item);
  const graders = await openGraders(items, { allowCodeExecution: false });
  for (const one of items) {
    const same = ['so \\boxed{2}', 'no \\boxed{2}', 'first \\boxed{1}, then \\boxed{2}'];
    const texts = [...same, '\\boxed{1}', 'nothing'];
    const basis = texts.map((text) => graders.basis(one, text));
    assert.is(new Set(basis.slice(0, same.length)).size, 1, one.grader);
    assert.is(new Set(basis).size, 3, one.grader);
    const grades = await Promise.all(texts.map((text) => graders.grade(one, text)));
    for (const grade of grades.slice(1, same.length)) assert.equal(grade, grades[0]);
  }
  assert.is(graders.basis(item('code'), 'x = 1 # \\boxed{2}'), 'x = 1 # \\boxed{2}');
  await graders.close();
});

test('each item is graded as it says', async () => {
  const item = (grader: Item['grader'], answer: string): Item => ({ id: 'i', prompt: 'p', grader, answer });
  const exact = item('exact', '12');
  const letter = item('choice', 'B');
  const math = item('math', '\\frac{1}{2}');
  const graders = await openGraders([exact, letter, math], { allowCodeExecution: false });
  const grade = (item: Item, response: string) => graders.grade(item, response);
  assert.equal(await grade(exact, 'so \\boxed{ 12 }'), { verdict: 'right', answer: '12' });
  assert.equal(await grade(exact, 'so \\boxed{12.0}'), { verdict: 'wrong', answer: '12.0' });
  assert.equal(await grade(exact, 'so 12'), { verdict: 'no answer', answer: null });
  assert.equal(await grade(letter, '\\boxed{A} no, \\boxed{(b)}'), { verdict: 'right', answer: 'B' });
  assert.equal(await grade(letter, '\\boxed{A or B}'), { verdict: 'no answer', answer: null });
  assert.is((await grade(math, '\\boxed{0.5}')).verdict, 'right');
  const same = (item: Item, a: string, b: string) => graders.equal(item, a, b);
  assert.equal(
    await Promise.all([same(math, '0.5', '\\frac{2}{4}'), same(math, '0.5', '0.25'), same(math, '{', '2')]),
    [true, false, false],
  );
  assert.equal(await Promise.all([same(exact, '12', '12.0'), same(letter, 'B', 'B')]), [false, true]);
  assert.equal(graders.unconfined, []);
  await graders.close();
  await failure(GraderError, /--allow-code-execution/, () =>
    openGraders([item('code', 'check()')], { allowCodeExecution: false }),
  );
});

test.run();
