import { likeliest, type Visit } from '../sampling/visits.ts';

/** A final answer, and its estimated probability under p^α. */
export interface AnswerShare {
  /** null: no answer. */
  readonly answer: string | null;
  /** From 0 to 1. */
  readonly probability: number;
}

/**
 * How probable each final answer is, most probable first: the weights of the responses that give it.
 * @param answers of the visits, one each
 * @internal
 */
export function shares(visits: readonly Visit[], answers: readonly (string | null)[]): AnswerShare[] {
  const sums = new Map<string | null, number>();
  for (const [i, { weight }] of visits.entries()) sums.set(answers[i], (sums.get(answers[i]) ?? 0) + weight);
  return Array.from(sums, ([answer, probability]) => ({ answer, probability }))
    .filter(({ probability }) => probability > 0)
    .sort((a, b) => b.probability - a.probability);
}

/**
 * The likeliest of the responses that give the most probable answer. It is no sample, and nor is the vote.
 * @returns undefined where no response has an answer
 * @internal
 */
export function voted(visits: readonly Visit[], answers: readonly (string | null)[]): Visit | undefined {
  const mode = shares(visits, answers).find(({ answer }) => answer !== null);
  return mode && likeliest(visits.filter((_, i) => answers[i] === mode.answer));
}
