import { OptionError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import { type Scores, scoreTokens } from '../tree/score.ts';
import { type Alternative, alternativesOf, checkTopLogprobs } from './alternatives.ts';
import { type GenerativeModel, withModelDefaults } from './generate.ts';
import { encodePrompt, type Prompt } from './prompt.ts';

/** How a text is scored. */
export interface ScoreOptions {
  /** Power of log Z, at least 1; the model's own default unless given. */
  alpha?: number;
  /** Of the distribution that `logq` is of; 1 unless given. */
  temperature?: number;
  /** Wrap a text in the model's chat template, as a message of the user's. Messages are wrapped in any case. */
  chat?: boolean;
  /** Alternatives told of each token, 0 to 20. The greedy token is among them even with 0, which is the default. */
  topLogprobs?: number;
  /** Stops the run between two passes. */
  signal?: AbortSignal;
}

/** What a model says of a text. Entry i of each column is of token i + 1: nothing precedes the first token, which has no numbers. */
export interface Scored extends Scores {
  /** The token ids that the text came to. */
  readonly tokens: Uint32Array;
  /** The likeliest tokens in the place of each, the greedy one first. */
  readonly alternatives: readonly (readonly Alternative[])[];
}

/**
 * How likely a model finds a text, given as text, as token ids or as messages: the numbers of every token but the first, given those
 * before it, the same in every bit as where it is drawn.
 * @throws OptionError, NonFiniteError, DistributionError, what the model's engine throws; the signal's reason
 */
export async function score(
  model: LanguageModel & Pick<GenerativeModel, 'tokenizer' | 'defaults'>,
  prompt: Prompt,
  options: ScoreOptions = {},
): Promise<Scored> {
  const { chat, topLogprobs = 0, temperature = 1, alpha: power, signal, ...others } = options;
  for (const name in others) throw new OptionError(`there is no option ${show(name)}`);
  checkTopLogprobs(topLogprobs);
  const { alpha } = withModelDefaults(model.defaults, { alpha: power });
  const tokens = encodePrompt(model.tokenizer, prompt, chat);
  const most = Math.max(1, topLogprobs);
  const { likeliest, ...scores } = await scoreTokens(model, tokens, { alpha, temperature }, most, signal);
  const alternatives = likeliest.map((each) => alternativesOf(model.tokenizer, each));
  return { ...scores, tokens, alternatives };
}
