import type { Account, Sample, SamplerOptions } from '../sampling/sample.ts';
import { type Visit, visitsAfter } from '../sampling/visits.ts';

/** Where a chain stood after some of its final steps, what it had come by, and what it had cost up to there. */
export interface Reading {
  /** The state. */
  readonly last: Pick<Visit, 'tokens' | 'finish' | 'logProbability'>;
  /** All responses, with their weights. */
  readonly visits: readonly Visit[];
  /** The same with the weights of the states after the steps at the full horizon, each counted alike; none without such steps. */
  readonly states: readonly Visit[];
  /** Steps taken, growth included. */
  readonly steps: number;
  readonly account: Readonly<Account>;
  /** The gate that was fitted for the steps up to there, nats. */
  readonly gate?: number;
}

/**
 * The chain after `finalSteps` of its final steps: what a run with so few would have returned, since step n draws the same random numbers
 * whatever is to follow. undefined: at its end.
 */
export function readAt(
  sample: Sample,
  options: SamplerOptions,
  finalSteps: number | undefined,
  eosTokens: ReadonlySet<number>,
): Reading {
  const { trace, visited } = sample;
  const left = finalSteps === undefined ? 0 : options.finalSteps - finalSteps;
  const taken = trace.steps.slice(0, trace.steps.length - left);
  const refined = taken.some(({ kind }) => kind !== 'grow');
  const fitted = options.gate === 'auto' && refined;
  const seen = visited.states.length - 1 - left;
  return {
    last: left > 0 ? stateAfter(taken, eosTokens) : sample,
    visits: visitsAfter(visited, seen),
    states: seen > 0 ? visitsAfter({ ...visited, particles: [] }, seen) : [],
    steps: taken.length,
    account: taken[taken.length - 1].account,
    gate: fitted ? sample.gate?.nats : undefined,
  };
}

/** Replays the steps. */
function stateAfter(steps: Sample['trace']['steps'], eosTokens: ReadonlySet<number>): Reading['last'] {
  let response: number[] = [];
  for (const { cut, outcome, tokens } of steps) {
    if (outcome >= 0) response = [...response.slice(0, cut), ...tokens];
  }
  const finish = eosTokens.has(response[response.length - 1]) ? 'eos' : 'length';
  return { tokens: Uint32Array.from(response), finish, logProbability: steps[steps.length - 1].logp };
}
