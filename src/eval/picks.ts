import { type AnswerShare, shares, voted } from '../answers/shares.ts';
import type { Pick as PickName, SamplerName } from '../sampling/sample.ts';
import { likeliest } from '../sampling/visits.ts';
import type { Reading } from './budgets.ts';
import type { Grade, GraderName, Item, Verdict } from './item.ts';
import type { Result } from './result.ts';

/** Whether the grader reads a final answer, which can be voted on; a program has none. */
export const hasAnswers = (grader: GraderName): boolean => grader !== 'code';

/**
 * What of a run is graded. greedy and sample come by one response alone. best-of-n returns the likeliest of its own as the last, and its
 * vote counts all alike, for they are drawn from p.
 * @param voting all items of the run have final answers
 */
export function picksOf(sampler: SamplerName, voting: boolean): PickName[] {
  if (sampler === 'greedy' || sampler === 'sample') return ['last'];
  const own: PickName[] = sampler === 'best-of-n' ? ['last', 'vote'] : ['last', 'likeliest', 'vote'];
  return own.filter((pick) => voting || pick !== 'vote');
}

/** Samplers whose weights estimate p^α. */
const isPower = (sampler: SamplerName): boolean => !['greedy', 'sample', 'best-of-n'].includes(sampler);

/** What of a sampler's runs stands in one row: the command line's name, with the pick where it is another than the last state. */
export const rowName = (sampler: string, pick: PickName): string =>
  pick === 'last' ? sampler : `${sampler} · ${pick}`;

/** How one response of a run did. */
type Picked = Pick<Result, 'pick' | 'mass' | 'overSteps'> & {
  readonly response: Reading['last'];
  readonly grade: Grade;
};

/** Grades responses of one run. */
export interface Judge {
  /** Of the same tokens always the same. */
  grade(tokens: Uint32Array): Promise<Grade>;
  /** Whether two answers are the same. */
  equal(a: string, b: string): Promise<boolean>;
}

/**
 * Grades what of the reading is asked for.
 * @returns beside it the final answers with their estimated probabilities under p^α, most probable first; null as `mass` is
 */
export async function gradePicks(
  { last, visits, states }: Reading,
  picks: readonly PickName[],
  sampler: SamplerName,
  { grader }: Pick<Item, 'grader'>,
  judge: Judge,
): Promise<{ picked: Picked[]; answers: AnswerShare[] | null }> {
  // Beyond the picks only where a grade costs next to nothing.
  const all = hasAnswers(grader) && sampler !== 'greedy' && sampler !== 'sample';
  const grades: Grade[] = [];
  if (all) for (const { tokens } of visits) grades.push(await judge.grade(tokens));
  const answers = await merged(grades, judge);
  const verdicts = new Map(visits.map(({ tokens }, i) => [tokens.join(), grades[i]?.verdict]));
  const weighed = all && isPower(sampler);
  const mass = weighed ? rightShare(visits, verdicts) : null;
  const overSteps = weighed && states.length > 0 ? rightShare(states, verdicts) : null;

  const picked: Picked[] = [];
  for (const pick of picks) {
    let response = last;
    if (pick === 'likeliest') response = likeliest(visits);
    if (pick === 'vote') response = voted(visits, answers) ?? likeliest(visits);
    const own = pick === 'last' ? { mass, overSteps } : { mass: null, overSteps: null };
    picked.push({ pick, response, grade: await judge.grade(response.tokens), ...own });
  }
  return { picked, answers: weighed ? shares(visits, answers) : null };
}

/** Weight of the responses that are right. */
function rightShare(visits: Reading['visits'], verdicts: ReadonlyMap<string, Verdict | undefined>): number {
  const right = visits.filter(({ tokens }) => verdicts.get(tokens.join()) === 'right');
  return Math.min(
    1,
    right.reduce((sum, { weight }) => sum + weight, 0),
  );
}

/**
 * The answers, those that are the same under one name. Right ones are the same, and are none of the others: only these are compared with
 * each other. What took too long to grade stands for itself.
 */
async function merged(grades: readonly Grade[], { equal }: Judge): Promise<(string | null)[]> {
  const names = new Map<string, string>();
  const wrong: string[] = [];
  let right: string | undefined;
  for (const { verdict, answer } of grades) {
    if (answer === null || names.has(answer)) continue;
    let name = answer;
    if (verdict === 'right') {
      right ??= answer;
      name = right;
    }
    if (verdict === 'wrong') {
      for (const other of wrong) {
        if (name === answer && (await equal(answer, other))) name = other;
      }
      if (name === answer) wrong.push(answer);
    }
    names.set(answer, name);
  }
  return grades.map(({ answer }) => (answer === null ? null : (names.get(answer) as string)));
}
