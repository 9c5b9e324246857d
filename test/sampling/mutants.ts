import type { Chain } from '../../src/sampling/chain.ts';
import type { CutLaw } from '../../src/sampling/cut-laws.ts';
import { type Kernel, refine } from '../../src/sampling/power-chain.ts';

/** Cuts by the law, and weighs by another. */
export const weighingBy =
  (other: (law: CutLaw) => CutLaw) =>
  (chain: Chain, kernel: Kernel, horizon: number): Promise<void> =>
    refine(chain, { ...kernel, law: firstBy(kernel.law, other(kernel.law)) }, horizon);

/** Cuts by another law, and weighs by the law. */
export const cuttingBy =
  (other: (law: CutLaw) => CutLaw) =>
  (chain: Chain, kernel: Kernel, horizon: number): Promise<void> =>
    refine(chain, { ...kernel, law: firstBy(other(kernel.law), kernel.law) }, horizon);

/** A step asks the law for the cut, and then for the weights. */
function firstBy(first: CutLaw, then: CutLaw): CutLaw {
  let asked = false;
  return (entropy) => {
    const law = asked ? then : first;
    asked = true;
    return law(entropy);
  };
}
