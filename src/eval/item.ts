export type GraderName = 'math' | 'exact' | 'choice' | 'code';

/** A problem of a task. */
export interface Item {
  /** Unique within its task. */
  readonly id: string;
  /** What the model is asked, as a text to be continued or, with prompt style `chat`, as a user's message. */
  readonly prompt: string;
  readonly grader: GraderName;
  /** The right answer; for `code` a Python program that raises unless the function before it is right. */
  readonly answer: string;
  /** For `code`: the function that is asked for. */
  readonly entryPoint?: string;
}

/**
 * - right, wrong
 * - no answer: the response has none in the form that the grader looks for
 * - timed out: the grader was stopped; counts as wrong
 * - too long: the prompt and the longest answer do not fit the model's context; nothing was drawn, and accuracy leaves it out
 */
export type Verdict = 'right' | 'wrong' | 'no answer' | 'timed out' | 'too long';

export interface Grade {
  readonly verdict: Verdict;
  /** What the response says, in a form in which equal answers are mostly equal strings; null where it says nothing. */
  readonly answer: string | null;
}
