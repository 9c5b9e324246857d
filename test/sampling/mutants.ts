import type { Chain } from '../../src/sampling/chain.ts';
import type { CutLaw } from '../../src/sampling/cut-laws.ts';
import { type Kernel, refine } from '../../src/sampling/power-chain.ts';
import { TableModel } from '../support/table-model.ts';

// Broken kernels, made of the shipped one.

type Step = typeof refine;

/** A step asks the law for the cut first, and then for the weights. */
const lawTwice = (first: CutLaw, then: CutLaw): CutLaw => {
  let asked = false;
  return (entropy) => {
    const law = asked ? then : first;
    asked = true;
    return law(entropy);
  };
};

/** Cuts by the law and weighs by another. */
export const weighingBy =
  (other: (law: CutLaw) => CutLaw): Step =>
  (chain, kernel, horizon) =>
    refine(chain, { ...kernel, law: lawTwice(kernel.law, other(kernel.law)) }, horizon);

/** Cuts by another law and weighs by the law. */
export const cuttingBy =
  (other: (law: CutLaw) => CutLaw): Step =>
  (chain, kernel, horizon) =>
    refine(chain, { ...kernel, law: lawTwice(other(kernel.law), kernel.law) }, horizon);

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
    if (block.reduce((a, b) => a + b) / block.length < gate) chain.hold();
    else await refine(chain, kernel, horizon);
  };

/** Gives each token the entropy of the pass before its own; 0 to the first of a call. */
export class LateModel extends TableModel {
  override async decode(...args: Parameters<TableModel['decode']>) {
    const parts = await super.decode(...args);
    return parts.map((part) => ({ ...part, entropy: part.entropy.map((_, t, all) => all[t - 1] ?? 0) }));
  }
}

/** Draws what an earlier step has drawn at the same position again. */
export class ReusingModel extends TableModel {
  private readonly drawn = new Map<number, number>();

  override async decode(...args: Parameters<TableModel['decode']>) {
    const { draw } = this;
    this.draw = (logq, key, position) => {
      const token = this.drawn.get(position) ?? draw?.(logq, key, position) ?? 0;
      this.drawn.set(position, token);
      return token;
    };
    try {
      return await super.decode(...args);
    } finally {
      this.draw = draw;
    }
  }
}
