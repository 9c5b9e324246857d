import { createHash } from 'node:crypto';
import { answerText, type GenerativeModel } from '../generate.ts';
import type { Sample, SamplerOptions } from '../sampling/sample.ts';
import { cachePositions, type Job, sampleEach } from '../sampling/sample-many.ts';
import { readAt } from './budgets.ts';
import type { Graders } from './graders/graders.ts';
import type { Grade, Item } from './item.ts';
import { keyOf, type Result } from './result.ts';
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
  readonly samples: number;
  readonly seed: bigint;
  readonly folder: RunFolder;
  readonly graders: Graders;
  /** Name of this process in its timings. */
  readonly process: string;
  /** Most chains side by side; fewer of a sampler whose chains are too large for the model's cache. */
  readonly concurrency: number;
  /** Makes the page that replays a chain; without it there are none. */
  trace?(drawn: Sample, chain: Job, wallSeconds: number): string;
  readonly signal?: AbortSignal;
  onProgress?(progress: EvaluationProgress): void;
}

export interface EvaluationProgress {
  /** Index of the entry, and its chains: on record, in all, of those on record what was there before. */
  readonly entry: number;
  readonly done: number;
  readonly total: number;
  readonly before: number;
  /** Share of right ones among what the last reading of the entry has on record; NaN before the first. */
  readonly accuracy: number;
  /** Tokens drawn and seconds passed since the entry began. */
  readonly decodedTokens: number;
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
      const key = ({ sampler }: { sampler: string }) => keyOf({ item: item.id, sampler, sample });
      if (readings.every((reading) => found.has(key(reading)))) {
        count(found.get(key({ sampler: last })) as Result);
      } else if (prompt) {
        const own = { ...options, seed: seedOf(seed, item), chain: sample };
        chains.push({ item, sample, prompt, options: own });
      } else {
        await folder.add(
          readings.map(({ sampler }) => tooLong(item, sampler, sample)),
          [],
        );
        count({ verdict: 'too long' });
      }
    }
  }
  const before = done;
  const largest = chains.reduce(
    (n, { prompt, options }) => Math.max(n, cachePositions(prompt.length, options)),
    1,
  );
  const fitting = Math.max(1, Math.floor(model.cachePositions / largest));
  const starts: number[] = [];
  const decoded = new Float64Array(chains.length);
  const first = clock();
  const report = () =>
    onProgress?.({
      entry,
      done,
      total: items.length * samples,
      before,
      accuracy: right / graded,
      decodedTokens: decoded.reduce((a, b) => a + b, 0),
      seconds: clock() - first,
    });

  await sampleEach(model, chains, {
    signal,
    concurrency: Math.min(concurrency, fitting),
    onStart(i) {
      starts[i] = clock();
    },
    onProgress({ account }, i) {
      decoded[i] = account.decodedTokens;
      report();
    },
    async onSample(drawn, i, stop) {
      const { item, sample } = chains[i];
      const ended = clock();
      decoded[i] = drawn.account.decodedTokens;
      const results = await read(drawn, chains[i], stop);
      const timing = {
        item: item.id,
        sampler: last,
        sample,
        process,
        began: starts[i],
        ended,
        graded: clock() - ended,
      };
      if (trace) {
        await folder.write(traceFile(item.id, last, sample), trace(drawn, chains[i], ended - starts[i]));
      }
      await folder.add(results, [timing]);
      count(results[results.length - 1]);
      report();
    },
  });

  /** The results of a chain, graded. */
  async function read(drawn: Sample, { item, sample, options }: Chain, stop: AbortSignal): Promise<Result[]> {
    const grades = new Map<string, Grade>();
    const results: Result[] = [];
    for (const { sampler, finalSteps } of readings) {
      const { response, logp, account } = readAt(drawn, options, finalSteps);
      const text = model.tokenizer ? answerText(model.tokenizer, response, model.eosTokens, []) : '';
      const grade = grades.get(text) ?? (await graders.grade(item, text, stop));
      grades.set(text, grade);
      const finish = model.eosTokens.has(response[response.length - 1]) ? 'eos' : 'length';
      const tokens = response.length;
      results.push({ item: item.id, sampler, sample, ...grade, text, tokens, finish, logp, account });
    }
    return results;
  }
}

/** The seed of an item's chains: its own whatever other items there are. */
function seedOf(seed: bigint, { id }: Item): bigint {
  return createHash('sha256').update(`${seed}/${id}`).digest().readBigUInt64LE();
}

function tooLong(item: Item, sampler: string, sample: number): Result {
  const account = { decodedTokens: 0, sequentialSteps: 0, proposed: 0, accepted: 0, held: 0, abandoned: 0 };
  const nothing = { answer: null, text: '', tokens: 0, finish: null, logp: null, account };
  return { item: item.id, sampler, sample, verdict: 'too long', ...nothing };
}

/** Where the page of a chain stands in the folder of the run. @param sampler the last reading of the entry */
export function traceFile(item: string, sampler: string, sample: number): string {
  const name = [item, sampler, sample].join(' ');
  const digest = createHash('sha256').update(keyOf({ item, sampler, sample })).digest('hex').slice(0, 8);
  return `traces/${name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 80)}-${digest}.html`;
}
