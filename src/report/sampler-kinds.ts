import { CUT_LAWS, type CutLawUse } from '../sampling/cut-laws.ts';
import type { SamplerOptions } from '../sampling/sample.ts';

/** Chains refine an answer; smc has their target, but grows several. */
export const isChain = ({ sampler }: SamplerOptions): boolean =>
  ['metropolis', 'karan-du', 'entropy-cut', 'egps'].includes(sampler);
export const isPower = (options: SamplerOptions): boolean => isChain(options) || options.sampler === 'smc';
/** Whether the cut law goes by it. */
export const lawUses = ({ sampler, cutLaw }: SamplerOptions, what: CutLawUse): boolean =>
  ['metropolis', 'entropy-cut', 'egps'].includes(sampler) && CUT_LAWS[cutLaw].uses.includes(what);
