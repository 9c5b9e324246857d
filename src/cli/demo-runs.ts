import type { AnswerShare } from '../answers/shares.ts';
import { type Answer, finisher, type GenerativeModel, withModelDefaults } from '../api/generate.ts';
import { encodePrompt } from '../api/prompt.ts';
import type { ModelDefaults } from '../sampling/options.ts';
import { philox } from '../sampling/random.ts';
import type { SamplerOptions } from '../sampling/sample.ts';
import { sampleEach } from '../sampling/sample-many.ts';

export interface Problem {
  readonly prompt: string;
  /** The right one; undefined where nobody knows it. */
  readonly answer?: string;
}

/** One sampler's run on a problem. */
export interface Run {
  readonly options: SamplerOptions;
  /** Passes that it has waited for, up to now. */
  passes: number;
  /** How much of it is done, 0 to 1. */
  done: number;
  /** When it is over. */
  outcome?: Outcome;
}

export interface Outcome {
  readonly answer: Answer;
  /** The final answer of the text that is shown, and its share of the probability. */
  readonly final: AnswerShare;
  /** Since the runs began. */
  readonly wallSeconds: number;
}

/** A problem, answered in two ways. */
export interface Pair {
  readonly problem: Problem;
  readonly plain: Run;
  readonly egps: Run;
}

/** Random words of the choice: a last word of the counter that no draw of a sampler has. */
const CHOICE = 0xfffffffe;

/** So many of the problems, or all if there are fewer, in an order that the seed decides too. */
export function drawProblems(problems: readonly Problem[], count: number, seed: bigint): Problem[] {
  const key = [Number(seed & 0xffffffffn), Number(seed >> 32n)];
  return problems
    .map((problem, i) => ({ problem, lot: philox([i, 0, 0, CHOICE], key)[0] }))
    .sort((a, b) => a.lot - b.lot)
    .slice(0, count)
    .map(({ problem }) => problem);
}

/** Both runs of problem i are chain i of the seed. */
export function pairsOf(problems: readonly Problem[], seed: bigint, defaults: ModelDefaults): Pair[] {
  const run = (options: Partial<SamplerOptions>): Run => ({
    options: withModelDefaults(defaults, options),
    passes: 0,
    done: 0,
  });
  return problems.map((problem, chain) => ({
    problem,
    plain: run({ sampler: 'sample', temperature: 1, seed, chain }),
    egps: run({ sampler: 'egps', seed, chain }),
  }));
}

interface RunHooks {
  readonly signal?: AbortSignal;
  /** Called now and then. */
  onProgress?(): void;
  /** Called when both runs of a problem are over. */
  onPair?(index: number): void;
}

/** Carries all runs out at once, on one tree. What egps answers is the final answer that is most probable by its run. */
export async function carryOut(
  model: GenerativeModel,
  pairs: readonly Pair[],
  { signal, onProgress, onPair }: RunHooks,
): Promise<void> {
  const finish = [finisher(model, [], 'boxed'), finisher(model, [], 'boxed', 'vote')];
  const jobs = pairs.flatMap(({ problem, plain, egps }) => {
    const prompt = encodePrompt(model.tokenizer, problem.prompt);
    return [plain, egps].map((run) => ({ run, prompt, options: run.options }));
  });
  const began = performance.now();
  await sampleEach(model, jobs, {
    signal,
    onProgress:
      onProgress &&
      (({ account, step, steps }, j) => {
        Object.assign(jobs[j].run, { passes: account.sequentialPasses, done: step / steps });
        onProgress();
      }),
    async onSample(sample, j) {
      const { run, prompt } = jobs[j];
      const answer = await finish[j % 2](sample, prompt);
      const answers = answer.answers as AnswerShare[]; // asked for
      const final = answers.find((share) => share.answer !== null) ?? answers[0];
      const outcome = { answer, final, wallSeconds: (performance.now() - began) / 1000 };
      Object.assign(run, { passes: answer.account.sequentialPasses, done: 1, outcome });
      const { plain, egps } = pairs[j >> 1];
      if (plain.outcome && egps.outcome) onPair?.(j >> 1);
    },
  });
}

/** undefined while the run goes on, and where the right answer is not known. */
export function isRight({ answer }: Problem, { outcome }: Run): boolean | undefined {
  return outcome && answer !== undefined ? outcome.final.answer === answer : undefined;
}

/** The first problem that one got right and the other did not, or the first that they answer differently, or the first. */
export function mostTelling(pairs: readonly Pair[]): Pair {
  const apart = ({ problem, plain, egps }: Pair) => isRight(problem, plain) !== isRight(problem, egps);
  const differ = ({ plain, egps }: Pair) => plain.outcome?.final.answer !== egps.outcome?.final.answer;
  return pairs.find(apart) ?? pairs.find(differ) ?? pairs[0];
}
