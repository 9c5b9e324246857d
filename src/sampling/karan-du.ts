import type { Chain, Toss } from './chain.ts';
import type { Schedule } from './power-chain.ts';
import type { RandomSource } from './random.ts';
import type { Response } from './response.ts';
import { logWeight, type Target } from './target.ts';

/**
 * Power sampling as Karan & Du published it (arXiv 2510.14901). Not exact: the acceptance leaves out the ratio of lengths that
 * uniform cuts call for, a candidate may not grow beyond the current response, the current response is scored only as far as the
 * candidate goes, and the first EOS to outlast its block's steps ends the run.
 */
export async function karanDu(
  chain: Chain,
  target: Target,
  random: RandomSource,
  schedule: Pick<Schedule, 'maxNewTokens' | 'blockSize' | 'steps'>,
): Promise<void> {
  const { rollout } = chain;
  const { maxNewTokens, blockSize, steps } = schedule;
  rollout.blocks = Math.ceil(maxNewTokens / blockSize);
  rollout.steps = rollout.blocks * (1 + steps);
  for (rollout.block = 1; ; rollout.block++) {
    await chain.grow(Math.min(rollout.block * blockSize, maxNewTokens));
    for (let n = 0; n < steps; n++) {
      const { response: x } = chain;
      const toss = (step: number): Toss => {
        const cut = Math.floor(random.cut(step) * x.tokens.length);
        const u = random.accept(step);
        const judge = ([y]: readonly Response[], [finished]: readonly boolean[]) => {
          if (!finished) return { logRho: [Infinity], outcome: undefined };
          const logRho = logWeight(target, y, cut) - logWeight(target, x, cut, y.tokens.length);
          return { logRho: [logRho], outcome: u < Math.exp(logRho) ? 0 : -1 };
        };
        return { cut, judge };
      };
      await chain.propose(toss, x.tokens.length, 1, 'eager');
    }
    if (chain.response.finish === 'eos' || rollout.block === rollout.blocks) return;
  }
}
