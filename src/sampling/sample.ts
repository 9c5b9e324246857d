import { OptionError } from '../base/errors.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import { Forest } from '../tree/forest.ts';
import type { Tree } from '../tree/tree.ts';
import { Chain } from './chain.ts';
import { type GateUsed, gateUsed } from './gate.ts';
import { karanDu } from './karan-du.ts';
import type { SamplerOptions } from './options.ts';
import { powerChain } from './power-chain.ts';
import { randomSource } from './random.ts';
import { type Finish, logProbability, type Response } from './response.ts';
import { type Hooks, Rollout } from './rollout.ts';
import { type Particle, smc, weighted } from './smc.ts';
import type { Account, Trace } from './trace.ts';
import type { Visited } from './visits.ts';

export type { Decoding } from './chain.ts';
export type { CutLawName } from './cut-laws.ts';
export type { GateUsed } from './gate.ts';
export type { Acceptance } from './multiple-try.ts';
export { DEFAULTS, resolveOptions, type SamplerName, type SamplerOptions } from './options.ts';
export type { Finish } from './response.ts';
export type { DrawnToken, Hooks, Progress } from './rollout.ts';
export type { Account, Step, Trace } from './trace.ts';
export type { Pick, Visit, Visited } from './visits.ts';

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
  /** eos: the last token is EOS. length: the response is `maxNewTokens` long. stop: it was ended by `until`. */
  finish: Finish;
  /** log p of the response. */
  logProbability: number;
  /** log π of the response, up to a constant: α log p. */
  logTarget: number;
  /** The gate of the cut law; null where no step went by one. */
  gate: GateUsed | null;
  /** What the run has come by on the way. */
  visited: Visited;
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
  return sampleIn(new Forest(model, options), prompt, options, hooks);
}

/** As `sample`, side by side with others: what they have computed is found in the forest. @internal */
export async function sampleIn(
  forest: Forest,
  prompt: ArrayLike<number>,
  options: SamplerOptions,
  hooks: Hooks,
): Promise<Sample> {
  const tree = await forest.enter(prompt, options.maxNewTokens, hooks.signal);
  try {
    return await draw(forest, tree, options, hooks);
  } finally {
    forest.leave(tree);
  }
}

async function draw(forest: Forest, tree: Tree, options: SamplerOptions, hooks: Hooks): Promise<Sample> {
  const { sampler, alpha, proposalTemperature, temperature, topK, topP, seed, chain, maxNewTokens } = options;
  const target = { alpha, temperature: proposalTemperature };
  const plain = sampler === 'greedy' || sampler === 'sample' || sampler === 'best-of-n';
  const law = plain ? { alpha, temperature: sampler === 'greedy' ? 0 : temperature, topK, topP } : target;
  const random = randomSource(seed, chain);
  const { signal, onProgress, onToken, until } = hooks;
  const heard = plain
    ? { signal, onProgress, until, onToken: sampler === 'best-of-n' ? undefined : onToken }
    : { signal, onProgress };
  const rollout = new Rollout(forest, tree, { ...law, seed, chain }, random, heard, plain);
  if (sampler === 'smc') {
    const { particles, chosen, trace } = await smc(rollout, target, random, options);
    return result(chosen.response, alpha, rollout.account, trace, {
      particles: weighted(particles),
      states: [],
    });
  }

  const state = new Chain(rollout, options.lookAhead);
  let particles: Particle[] = [];
  rollout.visited = () => ({ particles: [], states: [...state.visited] });
  let gate: number | undefined;
  switch (sampler) {
    case 'greedy':
    case 'sample':
      await state.grow(maxNewTokens);
      break;
    case 'best-of-n':
      await state.grow(maxNewTokens, options.n, mostProbable);
      break;
    case 'karan-du':
      await karanDu(state, target, random, options);
      break;
    case 'metropolis':
    case 'entropy-cut':
    case 'egps': {
      const { tries, acceptance, decoding } = options;
      const kernel = { target, law: options, tries, acceptance, decoding, random };
      ({ particles, gate } = await powerChain(state, kernel, options));
      break;
    }
  }
  const visited = { particles: weighted(particles), states: state.visited };
  return result(state.response, alpha, rollout.account, state.trace, visited, gate);
}

/** Index of the response of highest log p. */
function mostProbable(responses: readonly Response[]): number {
  const logp = responses.map(logProbability);
  return logp.indexOf(Math.max(...logp));
}

function result(
  response: Response,
  alpha: number,
  account: Account,
  trace: Trace,
  visited: Visited,
  gate?: number,
): Sample {
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
    gate: gate === undefined ? null : gateUsed(gate, visited),
    visited,
    account,
    trace,
  };
}

/** @throws OptionError @internal */
export function checkPrompt(
  model: Pick<LanguageModel, 'vocabSize' | 'contextLength'>,
  prompt: ArrayLike<number>,
  maxNewTokens: number,
): void {
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
