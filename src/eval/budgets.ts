import type { Sample, SamplerOptions } from '../sampling/sample.ts';
import type { Result } from './result.ts';

/** Where a chain stood after some of its final steps, and what it had cost up to there. */
export type Reading = Pick<Result, 'logp' | 'account'> & { readonly response: Uint32Array };

/**
 * The chain after `finalSteps` of its final steps: what a run with so few would have returned, since step n draws the same random numbers
 * whatever is to follow. undefined: at its end.
 */
export function readAt(sample: Sample, options: SamplerOptions, finalSteps: number | undefined): Reading {
  const { trace, account, tokens, logProbability } = sample;
  if (finalSteps === undefined || finalSteps === options.finalSteps) {
    const { decodedTokens, sequentialSteps, proposed, accepted, held, abandoned } = account;
    const sums = { decodedTokens, sequentialSteps, proposed, accepted, held, abandoned };
    return { response: tokens, logp: logProbability, account: sums };
  }
  const taken = trace.steps.slice(0, trace.steps.length - options.finalSteps + finalSteps);
  let response: number[] = [];
  const sums = { decodedTokens: 0, sequentialSteps: 0, proposed: 0, accepted: 0, held: 0, abandoned: 0 };
  for (const { kind, cut, lengths, abandoned, outcome, tokens } of taken) {
    if (outcome >= 0) response = [...response.slice(0, cut), ...tokens];
    const drawn = lengths.map((length) => length - cut);
    const total = drawn.reduce((a, b) => a + b, 0);
    sums.decodedTokens += total;
    sums.sequentialSteps += options.decoding === 'best-first' ? total : Math.max(0, ...drawn);
    if (kind === 'hold') sums.held++;
    if (kind === 'propose') {
      sums.proposed++;
      if (outcome >= 0) sums.accepted++;
      sums.abandoned += abandoned.filter(Boolean).length;
    }
  }
  return { response: Uint32Array.from(response), logp: taken[taken.length - 1].logp, account: sums };
}
