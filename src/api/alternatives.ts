import { OptionError } from '../base/errors.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';

/** What might have come in the place of a token. */
export interface Alternative {
  readonly token: number;
  /** The token on its own; null where the model has no tokenizer. */
  readonly text: string | null;
  /** log p under the base model at temperature 1, nats: in the same bits as where it is the token that is drawn. */
  readonly logProbability: number;
}

const MOST = 20;

/** @param sampler one that tells no alternatives @throws OptionError @internal */
export function checkTopLogprobs(topLogprobs: number, sampler?: string): void {
  if (!Number.isInteger(topLogprobs) || topLogprobs < 0 || topLogprobs > MOST) {
    throw new OptionError(`topLogprobs is ${topLogprobs}: a whole number from 0 to ${MOST}`);
  }
  if (sampler !== undefined) {
    throw new OptionError(`topLogprobs is ${topLogprobs}: the sampler ${sampler} does not use it`);
  }
}

/** @param likeliest of a distribution, the greedy token first @internal */
export function alternativesOf(
  tokenizer: Tokenizer | null | undefined,
  likeliest: readonly { readonly token: number; readonly logp: number }[],
): Alternative[] {
  return likeliest.map(({ token, logp }) => {
    return { token, text: tokenizer?.tokenText(token) ?? null, logProbability: logp };
  });
}
