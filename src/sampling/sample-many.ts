import type { LanguageModel, Sequence } from '../engine/language-model.ts';
import { OptionError } from '../errors.ts';
import type { SamplerOptions } from './options.ts';
import type { Progress } from './rollout.ts';
import { checkPrompt, type Sample, sampleFrom } from './sample.ts';

export interface ManyHooks {
  signal?: AbortSignal;
  /** Most chains at a time; as many as the model's cache is sure to hold, and at most 64, unless given. */
  concurrency?: number;
  /** Called as each is ready, not in order. */
  onSample?(sample: Sample, index: number): void;
  onProgress?(progress: Progress, index: number): void;
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
  { signal, concurrency, onSample, onProgress }: ManyHooks = {},
): Promise<Sample[]> {
  for (const prompt of prompts) checkPrompt(model, prompt, options.maxNewTokens);
  if (options.chain + prompts.length > 2 ** 32) {
    throw new OptionError(`chain is ${options.chain}: ${prompts.length} chains from there on pass 2^32 − 1`);
  }
  const longest = prompts.reduce((most, { length }) => Math.max(most, length), 0);
  const fitting = Math.floor(model.cachePositions / cachePositions(longest, options));
  const chains = concurrency ?? Math.max(1, Math.min(64, fitting));
  if (!Number.isInteger(chains) || chains < 1) {
    throw new OptionError(`concurrency is ${concurrency}: a whole number from 1 on`);
  }

  const cache = new PromptCache(model);
  const failure = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const samples: Sample[] = [];
  let next = 0;
  const worker = async () => {
    while (next < prompts.length) {
      const i = next++;
      const prompt = prompts[i];
      stop.throwIfAborted();
      const taken = cache.take(prompt);
      try {
        const sequence = await taken;
        samples[i] = await sampleFrom(
          model,
          sequence,
          { ...options, chain: options.chain + i },
          { signal: stop, onProgress: onProgress && ((progress) => onProgress(progress, i)) },
        );
        onSample?.(samples[i], i);
      } finally {
        await cache.release(prompt);
      }
    }
  };
  const fail = (error: unknown) => {
    failure.abort(error); // the first one counts
    next = prompts.length;
  };
  await Promise.all(Array.from({ length: Math.min(chains, prompts.length) }, () => worker().catch(fail)));
  stop.throwIfAborted();
  return samples;
}

const SLACK = 64;

/** Cache positions a chain takes at most: the prompt once, and a row for the response and one for each candidate. */
export function cachePositions(promptTokens: number, options: SamplerOptions): number {
  const { sampler, tries, n, maxNewTokens } = options;
  const rows = {
    greedy: 1,
    sample: 1,
    'best-of-n': n,
    metropolis: 2,
    'karan-du': 2,
    'entropy-cut': 2,
    egps: 1 + tries,
    smc: 2 * n,
  }[sampler];
  return promptTokens + rows * (maxNewTokens + SLACK);
}

/** Sequences of prompts, each kept as long as a chain uses it. */
class PromptCache {
  private readonly model: LanguageModel;
  private readonly entries = new Map<string, { sequence: Promise<Sequence>; uses: number }>();

  constructor(model: LanguageModel) {
    this.model = model;
  }

  take(prompt: ArrayLike<number>): Promise<Sequence> {
    const key = keyOf(prompt);
    const entry = this.entries.get(key) ?? { sequence: this.model.prefill(prompt), uses: 0 };
    entry.uses++;
    this.entries.set(key, entry);
    return entry.sequence;
  }

  async release(prompt: ArrayLike<number>): Promise<void> {
    const key = keyOf(prompt);
    const entry = this.entries.get(key);
    if (!entry || --entry.uses > 0) return;
    this.entries.delete(key);
    await entry.sequence.then(
      (sequence) => sequence.free(),
      () => undefined, // whoever took it knows
    );
  }
}

const keyOf = (prompt: ArrayLike<number>): string => Array.from(prompt).join();
