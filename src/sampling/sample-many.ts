import { OptionError } from '../base/errors.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import { Forest } from '../tree/forest.ts';
import type { SamplerOptions } from './options.ts';
import type { Hooks, Progress } from './rollout.ts';
import { checkPrompt, type Sample, sampleIn } from './sample.ts';

export interface ManyHooks extends Pick<Hooks, 'until'> {
  signal?: AbortSignal;
  /** Most chains at a time; 64 unless given. */
  concurrency?: number;
  /** Called when the chain begins. */
  onStart?(index: number): void;
  /**
   * Called as each is ready, not in order; a promise is waited for before another chain begins in its place.
   * @param stop aborted when the chains are given up
   */
  onSample?(sample: Sample, index: number, stop: AbortSignal): unknown;
  onProgress?(progress: Progress, index: number): void;
}

/** A chain to be drawn. @internal */
export interface Job {
  readonly prompt: ArrayLike<number>;
  /** From `resolveOptions`. */
  readonly options: SamplerOptions;
}

/**
 * Draws a response to each prompt by a chain of its own, in the same decode batches; a new chain begins where one ends. Response i
 * is, bit for bit, what `sample` gives for prompt i with `chain: options.chain + i`. Equal prompts that are answered side by
 * side are computed once.
 * @param options from `resolveOptions`
 * @throws what `sample` throws, of any of them; the others are then given up
 */
export async function sampleMany(
  model: LanguageModel,
  prompts: readonly ArrayLike<number>[],
  options: SamplerOptions,
  hooks: ManyHooks = {},
): Promise<Sample[]> {
  if (options.chain + prompts.length > 2 ** 32) {
    throw new OptionError(`chain is ${options.chain}: ${prompts.length} chains from there on pass 2^32 − 1`);
  }
  const samples: Sample[] = [];
  const jobs = prompts.map((prompt, i) => ({ prompt, options: { ...options, chain: options.chain + i } }));
  await sampleEach(model, jobs, {
    ...hooks,
    onSample(sample, i, stop) {
      samples[i] = sample;
      return hooks.onSample?.(sample, i, stop);
    },
  });
  return samples;
}

/**
 * Draws a response for each job, in the same decode batches, and keeps none: each goes to `onSample`. Response i is, bit for bit, what
 * `sample` gives for job i.
 * @throws what `sample` throws, of any of them, and what the hooks throw; the others are then given up
 * @internal
 */
export async function sampleEach(
  model: LanguageModel,
  jobs: readonly Job[],
  { signal, concurrency, onStart, onSample, onProgress, until }: ManyHooks,
): Promise<void> {
  for (const { prompt, options } of jobs) checkPrompt(model, prompt, options.maxNewTokens);
  const chains = concurrency ?? 64;
  if (!Number.isInteger(chains) || chains < 1) {
    throw new OptionError(`concurrency is ${concurrency}: a whole number from 1 on`);
  }

  const forests = new Map<string, Forest>();
  const forestFor = (options: SamplerOptions) => {
    const { tree, draft, treeNodes } = options;
    const key = `${tree} ${draft} ${treeNodes}`;
    const forest = forests.get(key) ?? new Forest(model, options);
    forests.set(key, forest);
    return forest;
  };
  const failure = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const i = next++;
      const { prompt, options } = jobs[i];
      stop.throwIfAborted();
      onStart?.(i);
      const drawn = await sampleIn(forestFor(options), prompt, options, {
        signal: stop,
        until,
        onProgress: onProgress && ((progress) => onProgress(progress, i)),
      });
      await onSample?.(drawn, i, stop);
    }
  };
  const fail = (error: unknown) => {
    failure.abort(error); // the first one counts
    next = jobs.length;
  };
  await Promise.all(Array.from({ length: Math.min(chains, jobs.length) }, () => worker().catch(fail)));
  stop.throwIfAborted();
}
