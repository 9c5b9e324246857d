import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GraderError } from '../../src/errors.ts';
import { choice, openGraders } from '../../src/eval/graders/graders.ts';
import type { Item } from '../../src/eval/item.ts';
import { failure } from '../support/folder.ts';

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
  ]) {
    assert.is(choice(boxed), undefined, `${boxed}`);
  }
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
  assert.equal(graders.unconfined, []);
  await graders.close();
  await failure(GraderError, /--allow-code-execution/, () =>
    openGraders([item('code', 'check()')], { allowCodeExecution: false }),
  );
});

test.run();
