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
 * is, bit for bit, what `sample` gives for prompt i with `chain: options.chain + i`. Equal prompts are computed once.
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

  const cache = new PromptCache(model, prompts);
  const failure = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const samples: Sample[] = [];
  let next = 0;
  const worker = async () => {
    while (next < prompts.length) {
      const i = next++;
      const prompt = prompts[i];
      try {
        stop.throwIfAborted();
        const sequence = await cache.take(prompt);
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
  await cache.clear();
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

/** Sequences of prompts, each computed once and kept until its last chain has ended. */
class PromptCache {
  private readonly model: LanguageModel;
  private readonly uses = new Map<string, number>();
  private readonly sequences = new Map<string, Promise<Sequence>>();

  constructor(model: LanguageModel, prompts: readonly ArrayLike<number>[]) {
    this.model = model;
    for (const prompt of prompts) {
      const key = keyOf(prompt);
      this.uses.set(key, (this.uses.get(key) ?? 0) + 1);
    }
  }

  take(prompt: ArrayLike<number>): Promise<Sequence> {
    const key = keyOf(prompt);
    let sequence = this.sequences.get(key);
    if (!sequence) {
      sequence = this.model.prefill(prompt);
      this.sequences.set(key, sequence);
    }
    return sequence;
  }

  async release(prompt: ArrayLike<number>): Promise<void> {
    const key = keyOf(prompt);
    const left = (this.uses.get(key) as number) - 1;
    this.uses.set(key, left);
    if (left === 0) await this.free(key);
  }

  async clear(): Promise<void> {
    for (const key of this.sequences.keys()) await this.free(key);
  }

  private async free(key: string): Promise<void> {
    const sequence = this.sequences.get(key);
    this.sequences.delete(key);
    await sequence?.then(
      (prefilled) => prefilled.free(),
      () => undefined, // whoever took it knows
    );
  }
}

const keyOf = (prompt: ArrayLike<number>): string => Array.from(prompt).join();
