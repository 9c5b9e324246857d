import type { Chain, Response } from './chain.ts';
import { type CutLaw, pickCut } from './cut-laws.ts';
import { multipleTry } from './multiple-try.ts';
import type { RandomSource } from './random.ts';
import { logWeight, type Target } from './target.ts';

/** A transition that leaves p^α invariant, whatever the law and the number of tries. */
export interface Kernel {
  readonly target: Target;
  readonly law: CutLaw;
  readonly tries: number;
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
  const { maxNewTokens, blockSize, steps, finalSteps } = schedule;
  chain.blocks = Math.ceil(maxNewTokens / blockSize);
  chain.steps = chain.blocks * (1 + steps) + finalSteps;
  for (let block = 1; block <= chain.blocks; block++) {
    chain.block = block;
    const horizon = Math.min(block * blockSize, maxNewTokens);
    await chain.grow(horizon);
    for (let n = 0; n < steps; n++) await refine(chain, kernel, horizon);
    if (chain.response.finish === 'eos') break;
  }
  chain.block = chain.blocks;
  chain.steps = chain.step + finalSteps;
  for (let n = 0; n < finalSteps; n++) await refine(chain, kernel, maxNewTokens);
}

/** One step of Multiple-Try Metropolis on the responses that end within `horizon` tokens or are that long. */
export async function refine(chain: Chain, kernel: Kernel, horizon: number): Promise<void> {
  const { target, law, tries, random } = kernel;
  const { step, response: x } = chain;
  const cut = pickCut(law(x.entropy), random.cut(step));
  if (cut < 0) return chain.hold();

  // The outcome's random numbers come before the candidates, which could be abandoned once they cannot change it.
  const u = random.accept(step);
  const gumbels = Array.from({ length: tries }, (_, j) => random.select(step, j));

  const logW = (z: Response) => logWeight(target, z, cut) + Math.log(law(z.entropy)[cut]);
  const logWx = logW(x);
  await chain.propose(cut, horizon, tries, (candidates) => {
    const logRho = candidates.map((y) => logW(y) - logWx);
    return { logRho, outcome: multipleTry(logRho, u, gumbels) };
  });
}
