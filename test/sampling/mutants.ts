import type { Chain } from '../../src/sampling/chain.ts';
import type { CutLaw } from '../../src/sampling/cut-laws.ts';
import { type Kernel, refine } from '../../src/sampling/power-chain.ts';
import type { Rollout } from '../../src/sampling/rollout.ts';

// Broken kernels, made of the shipped one.

type Step = typeof refine;

/**
 * A step first asks the law for what it cuts by. It has cut when it draws the number that decides on acceptance; what it weighs by it
 * reads, or asks for, only then.
 */
function lawTwice(kernel: Kernel, first: CutLaw, then: CutLaw): Kernel {
  let cutsBy: Float64Array | undefined;
  let weighsBy = new Float64Array(0);
  return {
    ...kernel,
    law(entropy) {
      if (cutsBy) return then(entropy);
      cutsBy = Float64Array.from(first(entropy));
      weighsBy = Float64Array.from(then(entropy));
      return cutsBy;
    },
    random: {
      ...kernel.random,
      accept(step) {
        cutsBy?.set(weighsBy);
        return kernel.random.accept(step);
      },
    },
  };
}

/** Cuts by the law and weighs by another. */
export const weighingBy =
  (other: (law: CutLaw) => CutLaw): Step =>
  (chain, kernel, horizon) =>
    refine(chain, lawTwice(kernel, kernel.law, other(kernel.law)), horizon);

/** Cuts by another law and weighs by the law. */
export const cuttingBy =
  (other: (law: CutLaw) => CutLaw): Step =>
  (chain, kernel, horizon) =>
    refine(chain, lawTwice(kernel, other(kernel.law), kernel.law), horizon);

/** Sees the entropy after each token, not the one it was drawn with. */
export const oneLate =
  (law: CutLaw): CutLaw =>
  (entropy) =>
    law(entropy.map((_, c) => entropy[c + 1] ?? 0));

/** Takes the current length for the horizon. */
export const upToCurrentLength: Step = (chain: Chain, kernel: Kernel) =>
  refine(chain, kernel, chain.response.tokens.length);

/** Takes no step where the response's last block of two is below the gate on average. */
export const skipping =
  (gate: number): Step =>
  async (chain, kernel, horizon) => {
    const { entropy } = chain.response;
    const block = entropy.subarray(2 * Math.floor((entropy.length - 1) / 2));
    if (block.reduce((a, b) => a + b) / block.length < gate) {
      await chain.propose(() => undefined, horizon, kernel.tries, kernel.decoding);
    } else await refine(chain, kernel, horizon);
  };

/** Gives each token that is drawn the entropy of the one before; 0 to the first behind a cut. */
export function late(rollout: Rollout): void {
  const { advance } = rollout;
  rollout.advance = async (branches, ...rest) => {
    const starts = branches.map(({ response }) => response.tokens.length);
    await advance.call(rollout, branches, ...rest);
    for (const [i, branch] of branches.entries()) {
      const { entropy } = branch.response;
      const shifted = entropy.map((h, t) => (t < starts[i] ? h : t === starts[i] ? 0 : entropy[t - 1]));
      branch.response = { ...branch.response, entropy: shifted };
    }
  };
}

/** Draws what an earlier step has drawn at the same position again. */
export function reusing(rollout: Rollout): void {
  const { pick } = rollout;
  const drawn = new Map<number, number>();
  rollout.pick = (distribution, node, ...rest) => {
    const before = drawn.get(node.position);
    const found = before === undefined ? undefined : distribution.find(before);
    const picked = found ?? pick.call(rollout, distribution, node, ...rest);
    if (picked) drawn.set(node.position, picked.token);
    return picked;
  };
}
