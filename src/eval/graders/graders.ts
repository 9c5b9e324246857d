import { choice, lastBoxed } from '../../answers/boxed.ts';
import { GraderError } from '../../base/errors.ts';
import type { Grade, Item } from '../item.ts';
import { MathGrader } from './math-pool.ts';
import { PythonGrader } from './python.ts';

/** What decides whether a response is right. */
export interface Graders {
  /** What the system does not keep the model's code from. */
  readonly unconfined: readonly string[];
  grade(item: Item, response: string, signal?: AbortSignal): Promise<Grade>;
  /** What of a response its grade depends on. */
  basis(item: Item, response: string): string;
  /** Whether two answers, of grades for the item, are the same. */
  equal(item: Item, a: string, b: string, signal?: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * What the items need, opened: a worker for mathematics, a sandbox for code.
 * @throws GraderError where items are graded by running code and that is not allowed, or python3 is not there
 */
export async function openGraders(
  items: readonly Item[],
  { allowCodeExecution }: { allowCodeExecution: boolean },
): Promise<Graders> {
  const needs = (grader: Item['grader']) => items.some((item) => item.grader === grader);
  if (needs('code') && !allowCodeExecution) {
    throw new GraderError(
      'this task runs code that the model writes: --allow-code-execution says that it may',
    );
  }
  const python = needs('code') ? await PythonGrader.open() : undefined;
  const math = needs('math') ? new MathGrader() : undefined;
  const isolation = Object.entries(python?.isolation ?? {});
  return {
    unconfined: isolation.filter(([, confined]) => !confined).map(([what]) => what),
    async grade(item, response, signal) {
      switch (item.grader) {
        case 'exact':
          return compare(lastBoxed(response)?.trim(), item.answer.trim());
        case 'choice':
          return compare(choice(lastBoxed(response)), item.answer);
        case 'math':
          return (math as MathGrader).grade(response, item.answer, signal);
        case 'code':
          return (python as PythonGrader).grade(item, response, signal);
      }
    },
    basis: ({ grader }, response) => (grader === 'code' ? response : (lastBoxed(response) ?? '')),
    async equal({ grader }, a, b, signal) {
      if (grader !== 'math') return a === b;
      return (await (math as MathGrader).grade(`\\boxed{${a}}`, b, signal)).verdict === 'right';
    },
    async close() {
      await Promise.all([math?.close(), python?.close()]);
    },
  };
}

function compare(answer: string | undefined, right: string): Grade {
  if (!answer) return { verdict: 'no answer', answer: null };
  return { verdict: answer === right ? 'right' : 'wrong', answer };
}
