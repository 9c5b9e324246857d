import type { SamplerOptions } from '../sampling/sample.ts';

/** Chains refine an answer; smc has their target, but grows several. */
export const isChain = ({ sampler }: SamplerOptions): boolean =>
  ['metropolis', 'karan-du', 'entropy-cut', 'egps'].includes(sampler);
export const isPower = (options: SamplerOptions): boolean => isChain(options) || options.sampler === 'smc';
