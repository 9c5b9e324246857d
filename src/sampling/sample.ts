import type { LanguageModel, Sequence } from '../engine/language-model.ts';
import { OptionError } from '../errors.ts';
import { Chain } from './chain.ts';
import { cutLaw } from './cut-laws.ts';
import { karanDu } from './karan-du.ts';
import { type SamplerOptions, SPECIAL_CASES } from './options.ts';
import { powerChain } from './power-chain.ts';
import { randomSource } from './random.ts';
import { logProbability, type Response } from './response.ts';
import { type Hooks, Rollout } from './rollout.ts';
import { smc } from './smc.ts';
import type { Account, Trace } from './trace.ts';

export type { Decoding } from './chain.ts';
export type { CutLawName } from './cut-laws.ts';
export type { Acceptance } from './multiple-try.ts';
export { DEFAULTS, resolveOptions, SAMPLERS, type SamplerName, type SamplerOptions } from './options.ts';
export type { Hooks, Progress } from './rollout.ts';
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
  /** The block, from 1, up to which the response had been grown when the token was last changed. */
  block: Uint32Array;
  /** The last token is EOS, or the response is `maxNewTokens` long. */
  finish: 'eos' | 'length';
  /** log p of the response. */
  logProbability: number;
  /** log π of the response, up to a constant: α log p. */
  logTarget: number;
  account: Account;
  trace: Trace;
}

/**
 * Draws a response to a prompt of token ids. The same options give the same response.
 * @param options from `resolveOptions`
 * @throws OptionError for a prompt that is empty, holds what is no token, or leaves too little of the context;
 * NonFiniteError for a model that returns NaN or infinity, DistributionError for one whose numbers are not those of a
 * distribution; the signal's reason
 */
export async function sample(
  model: LanguageModel,
  prompt: ArrayLike<number>,
  options: SamplerOptions,
  hooks: Hooks = {},
): Promise<Sample> {
  checkPrompt(model, prompt, options.maxNewTokens);
  hooks.signal?.throwIfAborted();
  const sequence = await model.prefill(prompt);
  try {
    return await sampleFrom(model, sequence, options, hooks);
  } finally {
    sequence.free();
  }
}

/** As `sample`, from a sequence that holds the prompt, and still does afterwards. */
export async function sampleFrom(
  model: LanguageModel,
  prompt: Sequence,
  options: SamplerOptions,
  hooks: Hooks,
): Promise<Sample> {
  const { sampler, alpha, proposalTemperature, temperature, topK, topP, seed, chain, maxNewTokens } = options;
  const target = { alpha, temperature: proposalTemperature };
  const draw = { ...target, seed, chain };
  if (sampler === 'greedy') draw.temperature = 0;
  if (sampler === 'sample' || sampler === 'best-of-n') Object.assign(draw, { temperature, topK, topP });
  const random = randomSource(seed, chain);
  const rollout = new Rollout(model, prompt, draw, hooks);
  if (sampler === 'smc') {
    const { response, trace } = await smc(rollout, target, random, options);
    return result(response, alpha, rollout.account, trace);
  }

  const state = new Chain(rollout);
  try {
    switch (sampler) {
      case 'greedy':
      case 'sample':
        await state.grow(maxNewTokens);
        break;
      case 'best-of-n':
        await state.grow(maxNewTokens, options.n, likeliest);
        break;
      case 'karan-du':
        await karanDu(state, target, random, options);
        break;
      case 'metropolis':
      case 'entropy-cut':
      case 'egps': {
        const {
          cutLaw: name,
          gate,
          blockSize,
          tries,
          acceptance,
          decoding,
        } = {
          ...options,
          ...SPECIAL_CASES[sampler],
        };
        const law = cutLaw(name, gate, blockSize);
        await powerChain(state, { target, law, tries, acceptance, decoding, random }, options);
        break;
      }
    }
    return result(state.response, alpha, rollout.account, state.trace);
  } finally {
    state.free();
  }
}

/** Index of the response of highest log p. */
function likeliest(responses: readonly Response[]): number {
  const logp = responses.map(logProbability);
  return logp.indexOf(Math.max(...logp));
}

function result(response: Response, alpha: number, account: Account, trace: Trace): Sample {
  const { tokens, logp, logZ, entropy, finish } = response;
  const total = logProbability(response);
  const block = trace.drawnAt.map((step) => trace.steps[step].block);
  return {
    tokens,
    logp,
    logZ,
    entropy,
    block,
    finish,
    logProbability: total,
    logTarget: alpha * total,
    account,
    trace,
  };
}

/** @throws OptionError */
export function checkPrompt(model: LanguageModel, prompt: ArrayLike<number>, maxNewTokens: number): void {
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
