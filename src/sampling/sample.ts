import type { LanguageModel } from '../engine/language-model.ts';
import { OptionError } from '../errors.ts';
import { Chain, type Hooks } from './chain.ts';
import { cutLaw } from './cut-laws.ts';
import { karanDu } from './karan-du.ts';
import { METROPOLIS, type SamplerOptions } from './options.ts';
import { powerChain } from './power-chain.ts';
import { randomSource } from './random.ts';
import type { Account, Trace } from './trace.ts';

export type { Hooks, Progress } from './chain.ts';
export type { CutLawName } from './cut-laws.ts';
export { DEFAULTS, resolveOptions, type SamplerName, type SamplerOptions } from './options.ts';
export type { Account, Step, Trace } from './trace.ts';

/** A response. The columns have one entry a token; logarithms and entropies in nats. */
export interface Sample {
  tokens: Uint32Array;
  /** log p under the base model at temperature 1. */
  logp: Float64Array;
  /** log Σ_v p(v | prefix)^α. */
  logZ: Float64Array;
  /** Entropy of the distribution the token was drawn from, at temperature 1. */
  entropy: Float64Array;
  /** The last token is EOS, or the response is `maxNewTokens` long. */
  finish: 'eos' | 'length';
  account: Account;
  trace: Trace;
}

/**
 * Draws a response to a prompt of token ids. The same options give the same response.
 * @param options from `resolveOptions`
 * @throws OptionError for a prompt that is empty, holds what is no token, or leaves too little of the context;
 * NonFiniteError for a model that returns NaN or infinity; the signal's reason
 */
export async function sample(
  model: LanguageModel,
  prompt: ArrayLike<number>,
  options: SamplerOptions,
  hooks: Hooks = {},
): Promise<Sample> {
  checkPrompt(model, prompt, options.maxNewTokens);
  hooks.signal?.throwIfAborted();
  const { sampler, alpha, proposalTemperature, temperature, topK, topP, seed, maxNewTokens } = options;
  const target = { alpha, temperature: proposalTemperature };
  const draw = { ...target, seed, chain: options.chain };
  if (sampler === 'greedy') draw.temperature = 0;
  if (sampler === 'sample') Object.assign(draw, { temperature, topK, topP });
  const random = randomSource(seed, options.chain);

  const chain = new Chain(model, await model.prefill(prompt), draw, hooks);
  try {
    switch (sampler) {
      case 'greedy':
      case 'sample':
        await chain.grow(maxNewTokens);
        break;
      case 'karan-du':
        await karanDu(chain, target, random, options);
        break;
      case 'metropolis':
      case 'egps': {
        const { tries, cutLaw: law } = sampler === 'metropolis' ? METROPOLIS : options;
        const kernel = { target, law: cutLaw(law, options.gate, options.blockSize), tries, random };
        await powerChain(chain, kernel, options);
        break;
      }
    }
    const { tokens, logp, logZ, entropy, finish } = chain.response;
    return { tokens, logp, logZ, entropy, finish, account: chain.account, trace: chain.trace };
  } finally {
    chain.free();
  }
}

function checkPrompt(model: LanguageModel, prompt: ArrayLike<number>, maxNewTokens: number): void {
  if (prompt.length === 0) throw new OptionError('the prompt is empty: at least one token');
  for (let i = 0; i < prompt.length; i++) {
    const token = prompt[i];
    if (!Number.isInteger(token) || token < 0 || token >= model.vocabSize) {
      throw new OptionError(`token ${i} of the prompt is ${token}: a whole number below ${model.vocabSize}`);
    }
  }
  const total = prompt.length + maxNewTokens;
  if (total > model.contextLength) {
    const sum = `${prompt.length} tokens of prompt and maxNewTokens ${maxNewTokens} make ${total}`;
    throw new OptionError(`${sum}: the model's context holds ${model.contextLength}`);
  }
}
