import { type Extract, Extractor } from '../answers/extract.ts';
import { type AnswerShare, shares, voted } from '../answers/shares.ts';
import { OptionError } from '../base/errors.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import type { ModelDefaults } from '../sampling/options.ts';
import {
  type Progress,
  resolveOptions,
  type Sample,
  type SamplerOptions,
  sample,
} from '../sampling/sample.ts';
import { type ManyHooks, sampleMany } from '../sampling/sample-many.ts';
import { likeliest, type Pick as PickName, type Visit, visitsAfter } from '../sampling/visits.ts';

export interface GenerateOptions extends Partial<SamplerOptions> {
  /** Wrap a text prompt in the model's chat template, as a message of the user's. */
  chat?: boolean;
  /** The text ends before the first of these; tokens and their numbers stay whole. */
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
  readonly tokenizer: Tokenizer | null;
  readonly defaults: ModelDefaults;
}

/**
 * Answers a prompt, given as text or as token ids. Options not given come from the model's own egps.json, then from
 * DEFAULTS.
 * @throws OptionError; what the model's engine throws; the signal's reason when it is aborted.
 */
export async function generate(
  model: GenerativeModel,
  prompt: string | ArrayLike<number>,
  options: GenerateOptions = {},
): Promise<Answer> {
  const { chat, stop = [], extract, pick, signal, onProgress, ...given } = options;
  const { tokenizer } = model;
  const finish = finisher(model, stop, extract, pick);
  const resolved = withModelDefaults(model.defaults, given);
  const promptTokens = encodePrompt(tokenizer, prompt, chat);
  const drawn = await sample(model, promptTokens, resolved, { signal, onProgress });
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
  prompts: readonly (string | ArrayLike<number>)[],
  options: GenerateManyOptions = {},
): Promise<Answer[]> {
  const { chat, stop = [], extract, pick, signal, concurrency, onProgress, onAnswer, ...given } = options;
  const { tokenizer } = model;
  const finish = finisher(model, stop, extract, pick);
  const resolved = withModelDefaults(model.defaults, given);
  const promptTokens = prompts.map((prompt) => encodePrompt(tokenizer, prompt, chat));
  const answers: Answer[] = [];
  const onSample = async (drawn: Sample, i: number) => {
    answers[i] = await finish(drawn, promptTokens[i]);
    onAnswer?.(answers[i], i);
  };
  await sampleMany(model, promptTokens, resolved, { signal, concurrency, onProgress, onSample });
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
  const textOf = (tokens: Uint32Array) => tokenizer && answerText(tokenizer, tokens, eosTokens, stop);
  return async (drawn, promptTokens) => {
    const visits = visitsAfter(drawn.visited);
    const found: (string | null)[] = [];
    if (extractor) for (const { tokens } of visits) found.push(await extractor.answer(textOf(tokens) ?? ''));
    const picked = pick === 'last' ? drawn : (pick === 'vote' && voted(visits, found)) || likeliest(visits);
    return {
      ...drawn,
      text: textOf(picked.tokens),
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
export function withModelDefaults(defaults: ModelDefaults, options: Partial<SamplerOptions>): SamplerOptions {
  return resolveOptions(options, defaults);
}

/**
 * The token ids of a prompt.
 * @throws OptionError for text where there is no tokenizer, and for an empty prompt.
 * @internal
 */
export function encodePrompt(
  tokenizer: Tokenizer | null,
  prompt: string | ArrayLike<number>,
  chat = false,
): Uint32Array {
  if (typeof prompt !== 'string' && chat)
    throw new OptionError('chat needs a prompt of text, not of token ids');
  if (prompt.length === 0) throw new OptionError('the prompt is empty: at least one token is needed');
  if (typeof prompt !== 'string') {
    const bad = Array.from(prompt).find((id) => !Number.isInteger(id) || id < 0 || id > 0xffffffff);
    if (bad !== undefined) throw new OptionError(`the prompt has ${bad} in it, which is no token id`);
    return Uint32Array.from(prompt);
  }
  if (!tokenizer) throw new OptionError('the model has no tokenizer: give the prompt as token ids');
  if (!chat) return tokenizer.encode(prompt);
  return tokenizer.encode(tokenizer.applyChatTemplate([{ role: 'user', content: prompt }]), false);
}

/** The text of an answer: without its EOS, up to the first stop string. @internal */
export function answerText(
  tokenizer: Tokenizer,
  tokens: Uint32Array,
  eosTokens: ReadonlySet<number>,
  stop: readonly string[],
): string {
  const ended = tokens.length > 0 && eosTokens.has(tokens[tokens.length - 1]);
  const text = tokenizer.decode(ended ? tokens.subarray(0, -1) : tokens);
  const ends = stop.map((word) => text.indexOf(word)).filter((at) => at >= 0);
  return text.slice(0, Math.min(text.length, ...ends));
}

/** @throws OptionError for stop strings that could never end a text @internal */
export function checkStop(tokenizer: Tokenizer | null, stop: readonly string[]): void {
  if (stop.length > 0 && !tokenizer) throw new OptionError('stop needs a model with a tokenizer');
  if (stop.includes('')) throw new OptionError('stop is "": a stop string has at least one character');
}
