import { createHash } from 'node:crypto';
import type { AnswerShare } from '../answers/shares.ts';
import type { GenerativeModel } from '../api/generate.ts';
import { answerText } from '../api/text.ts';
import type { Sample, SamplerOptions } from '../sampling/sample.ts';
import { type Job, sampleEach } from '../sampling/sample-many.ts';
import { readAt } from './budgets.ts';
import type { Graders } from './graders/graders.ts';
import type { Grade, Item } from './item.ts';
import { gradePicks, picksOf } from './picks.ts';
import { keyOf, type Result, type Timing } from './result.ts';
import type { RunFolder } from './run-folder.ts';

/** A sampler, and the names of what is read off its chain. */
export interface Entry {
  readonly options: SamplerOptions;
  /**
   * Samplers that differ in the number of final steps alone, fewest first: the one chain passes through what all of them return.
   * The last takes all the steps.
   */
  readonly readings: readonly { readonly sampler: string; readonly finalSteps?: number }[];
}

/** An item with its prompt as the model is given it; null where it does not fit the context. */
export interface Prompted {
  readonly item: Item;
  readonly prompt: Uint32Array | null;
}

export interface Evaluation {
  readonly model: GenerativeModel;
  readonly items: readonly Prompted[];
  readonly entries: readonly Entry[];
  /** All items of the run, those of other shards too, have final answers to vote on. */
  readonly voting: boolean;
  readonly samples: number;
  readonly seed: bigint;
  readonly folder: RunFolder;
  readonly graders: Graders;
  /** Name of this process in its timings. */
  readonly process: string;
  /** Most chains side by side. */
  readonly concurrency: number;
  /**
   * Makes the page that replays a chain; without it there are none.
   * @param answers final answers with their estimated probabilities, where there are any
   */
  trace?(drawn: Sample, chain: Job, wallSeconds: number, answers: readonly AnswerShare[] | null): string;
  readonly signal?: AbortSignal;
  onProgress?(progress: EvaluationProgress): void;
}

export interface EvaluationProgress {
  /** Index of the entry, and its chains: on record, in all, of those on record what was there before. */
  readonly entry: number;
  readonly done: number;
  readonly total: number;
  readonly before: number;
  /** Share of right ones among the last states that the last reading of the entry has on record; NaN before the first. */
  readonly accuracy: number;
  /** Tokens drawn and seconds passed since the entry began. */
  readonly drawnTokens: number;
  readonly seconds: number;
}

/**
 * Draws and grades the responses that the folder does not have yet. One sampler after another, so that their wall times can be
 * compared; the chains of one sampler side by side.
 * @throws what the sampler and the graders throw; OutputError; the signal's reason. What is finished by then is on record.
 */
export async function evaluate(evaluation: Evaluation): Promise<void> {
  const { folder, signal } = evaluation;
  const stop = AbortSignal.any([folder.lost, ...(signal ? [signal] : [])]);
  const began = performance.now();
  const found = new Map(folder.record().results.map((result) => [keyOf(result), result]));
  const clock = () => (performance.now() - began) / 1000;
  for (const entry of evaluation.entries.keys()) {
    await evaluateEntry({ ...evaluation, signal: stop }, entry, found, clock);
  }
}

interface Chain extends Job {
  readonly item: Item;
  readonly sample: number;
}

async function evaluateEntry(
  {
    model,
    items,
    entries,
    voting,
    samples,
    seed,
    folder,
    graders,
    process,
    concurrency,
    trace,
    signal,
    onProgress,
  }: Evaluation,
  entry: number,
  found: ReadonlyMap<string, Result>,
  clock: () => number,
): Promise<void> {
  const { options, readings } = entries[entry];
  const picks = picksOf(options.sampler, voting);
  const last = readings[readings.length - 1].sampler;
  const chains: Chain[] = [];
  let done = 0;
  let graded = 0;
  let right = 0;
  const count = ({ verdict }: Pick<Result, 'verdict'>) => {
    done++;
    if (verdict !== 'too long') graded++;
    if (verdict === 'right') right++;
  };
  for (const { item, prompt } of items) {
    for (let sample = 0; sample < samples; sample++) {
      const rows = readings.flatMap(({ sampler }) =>
        picks.map((pick) => ({ item: item.id, sampler, pick, sample })),
      );
      if (rows.every((row) => found.has(keyOf(row)))) {
        const key = keyOf({ item: item.id, sampler: last, pick: 'last', sample });
        count(found.get(key) as Result);
      } else if (prompt) {
        const own = { ...options, seed: seedOf(seed, item), chain: sample };
        chains.push({ item, sample, prompt, options: own });
      } else {
        await folder.add(rows.map(tooLong), []);
        count({ verdict: 'too long' });
      }
    }
  }
  const before = done;
  const starts: number[] = [];
  /** Of each chain, when it had taken so many steps. */
  const passed: number[][] = chains.map(() => []);
  const drawnTokens = new Float64Array(chains.length);
  const first = clock();
  const report = () =>
    onProgress?.({
      entry,
      done,
      total: items.length * samples,
      before,
      accuracy: right / graded,
      drawnTokens: drawnTokens.reduce((a, b) => a + b, 0),
      seconds: clock() - first,
    });

  await sampleEach(model, chains, {
    signal,
    concurrency,
    onStart(i) {
      starts[i] = clock();
    },
    onProgress({ account, step }, i) {
      passed[i][step] ??= clock();
      drawnTokens[i] = account.drawnTokens;
      report();
    },
    async onSample(drawn, i, stop) {
      const { item, sample } = chains[i];
      const ended = clock();
      drawnTokens[i] = drawn.account.drawnTokens;
      const { results, read, answers } = await grade(drawn, chains[i], stop);
      const graded = clock() - ended;
      const timings = read.map(({ sampler, steps, costs }): Timing => {
        const at = sampler === last ? ended : (passed[i][steps] ?? ended);
        return { item: item.id, sampler, sample, process, began: starts[i], ended: at, graded, costs };
      });
      passed[i] = [];
      if (trace) {
        await folder.write(
          traceFile(item.id, last, sample),
          trace(drawn, chains[i], ended - starts[i], answers),
        );
      }
      await folder.add(results, timings);
      count(results.find((one) => one.sampler === last && one.pick === 'last') as Result);
      report();
    },
  });

  /** The results of a chain, graded, what it had taken up to each reading, and the final answers with their probabilities. */
  async function grade(drawn: Sample, { item, sample, options }: Chain, stop: AbortSignal) {
    const textOf = (tokens: Uint32Array) =>
      model.tokenizer ? answerText(model.tokenizer, tokens, model.eosTokens, []).text : '';
    const grades = new Map<string, Grade>();
    const judge = {
      async grade(tokens: Uint32Array) {
        const text = textOf(tokens);
        const basis = graders.basis(item, text);
        const grade = grades.get(basis) ?? (await graders.grade(item, text, stop));
        grades.set(basis, grade);
        return grade;
      },
      equal: (a: string, b: string) => graders.equal(item, a, b, stop),
    };
    const results: Result[] = [];
    const read = [];
    let answers: AnswerShare[] | null = null; // of the whole chain
    for (const { sampler, finalSteps } of readings) {
      const reading = readAt(drawn, options, finalSteps, model.eosTokens);
      const { proposed, accepted, held, ...costs } = reading.account;
      const moves = { proposed, accepted, held };
      read.push({ sampler, steps: reading.steps, costs });
      const graded = await gradePicks(reading, picks, options.sampler, item, judge);
      ({ answers } = graded);
      for (const { pick, response, grade, mass, overSteps } of graded.picked) {
        const { tokens, finish, logProbability: logp } = response;
        results.push({
          item: item.id,
          sampler,
          pick,
          sample,
          ...grade,
          text: textOf(tokens),
          tokens: tokens.length,
          finish: finish === 'eos' ? 'eos' : 'length',
          logp,
          mass,
          overSteps,
          moves,
          gate: reading.gate,
        });
      }
    }
    return { results, read, answers };
  }
}

/** The seed of an item's chains: its own whatever other items there are. */
function seedOf(seed: bigint, { id }: Item): bigint {
  return createHash('sha256').update(`${seed}/${id}`).digest().readBigUInt64LE();
}

function tooLong(row: Pick<Result, 'item' | 'sampler' | 'pick' | 'sample'>): Result {
  return {
    ...row,
    verdict: 'too long',
    answer: null,
    text: '',
    tokens: 0,
    finish: null,
    logp: null,
    mass: null,
    overSteps: null,
    moves: { proposed: 0, accepted: 0, held: 0 },
  };
}

/** Where the page of a chain stands in the folder of the run. @param sampler the last reading of the entry */
export function traceFile(item: string, sampler: string, sample: number): string {
  const name = [item, sampler, sample].join(' ');
  const digest = createHash('sha256').update(keyOf({ item, sampler, sample })).digest('hex').slice(0, 8);
  return `traces/${name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 80)}-${digest}.html`;
}
