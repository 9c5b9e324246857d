import { type Extract, Extractor } from '../answers/extract.ts';
import { type AnswerShare, shares, voted } from '../answers/shares.ts';
import { OptionError } from '../base/errors.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import type { ModelDefaults } from '../sampling/options.ts';
import {
  type Hooks,
  type Progress,
  resolveOptions,
  type Sample,
  type SamplerOptions,
  sample,
} from '../sampling/sample.ts';
import { type ManyHooks, sampleMany } from '../sampling/sample-many.ts';
import { likeliest, type Pick as PickName, type Visit, visitsAfter } from '../sampling/visits.ts';
import { encodePrompt, type Prompt } from './prompt.ts';
import { answerText, checkStop, Writer } from './text.ts';

export interface GenerateOptions extends Partial<SamplerOptions> {
  /** Wrap a text prompt in the model's chat template, as a message of the user's. Messages are wrapped in any case. */
  chat?: boolean;
  /**
   * The text ends before the first of these. greedy, sample and best-of-n stop writing there: the last token is the one that completes the
   * stop string, and all up to it is what it would be without. The other samplers weigh whole responses: theirs are written to their
   * ends, and only the text is cut afterwards.
   */
  stop?: readonly string[];
  /** What the final answer of a response is; gives `answers`. */
  extract?: Extract;
  /**
   * Which response `text` is of. last: the last state, the only one that is a sample of p^α. likeliest: of all that the run has come by the
   * one of highest log p. vote: the likeliest with the most probable final answer, which needs `extract`.
   */
  pick?: PickName;
  signal?: AbortSignal;
  onProgress?(progress: Progress): void;
}

export interface Answer extends Sample {
  /** null where the model has no tokenizer. */
  text: string | null;
  /** The stop string that `text` was ended before, if there was one. */
  stop: string | null;
  promptTokens: Uint32Array;
  /** The response that `pick` names, which `text` is of; the numbers beside it are those of the last state. */
  picked: Pick<Visit, 'tokens' | 'finish' | 'logProbability'>;
  /** Final answers with their estimated probabilities under p^α, most probable first; null without `extract`. */
  answers: AnswerShare[] | null;
  /** The first case in which `extract` failed, if it did. */
  extractTrouble: string | null;
}

/** What `generate` needs of a model; see `loadModel`. */
export interface GenerativeModel extends LanguageModel {
  /** Where there is none the model speaks token ids only. */
  readonly tokenizer?: Tokenizer | null;
  /** In place of DEFAULTS. */
  readonly defaults?: ModelDefaults;
}

/**
 * Answers a prompt, given as text, as token ids or as messages. Options not given come from the model's own egps.json, then from
 * DEFAULTS.
 * @throws OptionError; what the model's engine throws; the signal's reason when it is aborted.
 */
export async function generate(
  model: GenerativeModel,
  prompt: Prompt,
  options: GenerateOptions = {},
): Promise<Answer> {
  const { chat, stop = [], extract, pick, signal, onProgress, ...given } = options;
  const finish = finisher(model, stop, extract, pick);
  const resolved = withModelDefaults(model.defaults, given);
  const promptTokens = encodePrompt(model.tokenizer, prompt, chat);
  const until = untilStop(model.tokenizer, stop);
  const drawn = await sample(model, promptTokens, resolved, { signal, onProgress, until });
  return finish(drawn, promptTokens);
}

export interface GenerateManyOptions
  extends Omit<GenerateOptions, 'onProgress'>,
    Pick<ManyHooks, 'concurrency' | 'onProgress'> {
  /** Called as each is ready, not in order. */
  onAnswer?(answer: Answer, index: number): void;
}

/**
 * Answers each of many prompts by a chain of its own, in the same decode batches: answer i is, bit for bit, what `generate` gives
 * for prompt i with `chain: options.chain + i`. For several answers to one prompt give it several times.
 * @throws what `generate` throws, for any of them
 */
export async function generateMany(
  model: GenerativeModel,
  prompts: readonly Prompt[],
  options: GenerateManyOptions = {},
): Promise<Answer[]> {
  const { chat, stop = [], extract, pick, signal, concurrency, onProgress, onAnswer, ...given } = options;
  const { tokenizer } = model;
  const finish = finisher(model, stop, extract, pick);
  const resolved = withModelDefaults(model.defaults, given);
  const promptTokens = prompts.map((prompt) => encodePrompt(tokenizer, prompt, chat));
  const until = untilStop(tokenizer, stop);
  const answers: Answer[] = [];
  const onSample = async (drawn: Sample, i: number) => {
    answers[i] = await finish(drawn, promptTokens[i]);
    onAnswer?.(answers[i], i);
  };
  await sampleMany(model, promptTokens, resolved, { signal, concurrency, onProgress, onSample, until });
  return answers;
}

/**
 * Makes an answer of what was drawn.
 * @throws OptionError
 * @internal
 */
export function finisher(
  { tokenizer, eosTokens }: GenerativeModel,
  stop: readonly string[],
  extract: Extract | undefined,
  pick: PickName = 'last',
): (drawn: Sample, promptTokens: Uint32Array) => Promise<Answer> {
  checkStop(tokenizer, stop);
  if (!PICKS.includes(pick))
    throw new OptionError(`pick is ${JSON.stringify(pick)}: one of ${PICKS.join(', ')}`);
  if (extract !== undefined && !tokenizer) throw new OptionError('extract needs a model with a tokenizer');
  if (pick === 'vote' && extract === undefined) {
    throw new OptionError(
      'pick is "vote": it needs extract, which says what the final answer of a response is',
    );
  }
  const extractor = extract === undefined ? undefined : new Extractor(extract);
  const textOf = (tokens: Uint32Array) =>
    tokenizer ? answerText(tokenizer, tokens, eosTokens, stop) : { text: null, stop: null };
  return async (drawn, promptTokens) => {
    const visits = visitsAfter(drawn.visited);
    const found: (string | null)[] = [];
    if (extractor)
      for (const { tokens } of visits) found.push(await extractor.answer(textOf(tokens).text ?? ''));
    const picked = pick === 'last' ? drawn : (pick === 'vote' && voted(visits, found)) || likeliest(visits);
    return {
      ...drawn,
      ...textOf(picked.tokens),
      promptTokens,
      picked: { tokens: picked.tokens, finish: picked.finish, logProbability: picked.logProbability },
      answers: extractor ? shares(visits, found) : null,
      extractTrouble: extractor?.trouble ?? null,
    };
  };
}

const PICKS: readonly PickName[] = ['last', 'likeliest', 'vote'];

/**
 * DEFAULTS, overridden by the model's own, overridden by `options`.
 * @throws OptionError
 * @internal
 */
export function withModelDefaults(
  defaults: ModelDefaults | undefined,
  options: Partial<SamplerOptions>,
): SamplerOptions {
  return resolveOptions(options, defaults);
}

/** Ends a response where its text comes to a stop string. @internal */
export function untilStop(tokenizer: Tokenizer | null | undefined, stop: readonly string[]): Hooks['until'] {
  if (!tokenizer || stop.length === 0) return undefined;
  return () => {
    const writer = new Writer(tokenizer, stop);
    return (token) => {
      writer.push(token);
      return writer.stopped;
    };
  };
}
