import type { Chain, Decoding } from './chain.ts';
import { type CutLaw, pickCut } from './cut-laws.ts';
import { type Acceptance, decide, mostPromising } from './multiple-try.ts';
import type { RandomSource } from './random.ts';
import type { Response } from './response.ts';
import { logWeight, type Target } from './target.ts';

/** A transition that leaves p^α invariant, whatever the law, the number of tries and the rule of acceptance. */
export interface Kernel {
  readonly target: Target;
  readonly law: CutLaw;
  readonly tries: number;
  readonly acceptance: Acceptance;
  readonly decoding: Decoding;
  readonly random: RandomSource;
}

/** How the response is grown before it is refined in full. */
export interface Schedule {
  readonly maxNewTokens: number;
  readonly blockSize: number;
  /** Refinement steps after each block. */
  readonly steps: number;
  /** Refinement steps at the full horizon, at the end. */
  readonly finalSteps: number;
}

/**
 * Power sampling: grow the response block by block with the proposal q, refine after each block on the responses of up to that
 * many tokens, and at last on those of up to `maxNewTokens`. An early EOS ends the growth, not the refinement.
 */
export async function powerChain(chain: Chain, kernel: Kernel, schedule: Schedule): Promise<void> {
  const { rollout } = chain;
  const { maxNewTokens, blockSize, steps, finalSteps } = schedule;
  rollout.blocks = Math.ceil(maxNewTokens / blockSize);
  rollout.steps = rollout.blocks * (1 + steps) + finalSteps;
  for (rollout.block = 1; ; rollout.block++) {
    const horizon = Math.min(rollout.block * blockSize, maxNewTokens);
    await chain.grow(horizon);
    for (let n = 0; n < steps; n++) await refine(chain, kernel, horizon);
    if (chain.response.finish === 'eos' || rollout.block === rollout.blocks) break;
  }
  rollout.blocks = rollout.block;
  rollout.steps = chain.step + finalSteps;
  for (let n = 0; n < finalSteps; n++) await refine(chain, kernel, maxNewTokens);
}

/** One step of Multiple-Try Metropolis on the responses that end within `horizon` tokens or are that long. */
export async function refine(chain: Chain, kernel: Kernel, horizon: number): Promise<void> {
  const { target, law, tries, acceptance, decoding, random } = kernel;
  const { step, response: x } = chain;
  const cut = pickCut(law(x.entropy), random.cut(step));
  if (cut < 0) return chain.hold();

  // The outcome's random numbers come before the candidates, which are abandoned once they cannot change it.
  const lots = {
    u: random.accept(step),
    gumbels: Array.from({ length: tries + 1 }, (_, j) => random.select(step, j)),
  };

  // Each further token can only lower a weight, so that of a candidate as far as it is decoded bounds its final one: every factor
  // p^α / q is at most 1 at the temperatures from 1/α to 1, and what the law normalises by only grows.
  const logW = (z: Response) => logWeight(target, z, cut) + Math.log(law(z.entropy)[cut]);
  const logWx = logW(x);
  const unstarted = Math.log(law(x.entropy.slice(0, cut + 1))[cut]) - logWx;
  await chain.propose(cut, horizon, tries, decoding, (candidates, finished) => {
    const logRho = candidates.map((y) => (y.tokens.length > cut ? logW(y) - logWx : unstarted));
    const outcome = decide(acceptance, logRho, finished, lots);
    return {
      logRho,
      outcome,
      next: outcome === undefined ? mostPromising(logRho, finished, lots) : undefined,
    };
  });
}
