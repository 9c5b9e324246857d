/** The cost of an effective sample. */
import { pickCut } from '../../../src/sampling/cut-laws.ts';
import { mean, standardError } from '../../harness/figures.ts';
import { Kernel, type Outcome, type Sampler, stream } from './kernel.ts';
import type { Language } from './language.ts';
import { autocorrelationTime, confirm, standardised, transitions } from './relaxation.ts';

/** Steps whose cost is counted. */
export const STEPS = 20_000;
export interface Figure {
  value: number;
  standardError: number;
}

/** All but the length and the fractions per effective sample of log p. */
export interface Row {
  placement: string;
  added: number;
  length: number;
  sampler: string;
  /** Of the steps those that hold, of the others those that take a candidate. */
  held: number;
  accepted: number;
  /** Exact. */
  steps: number;
  /** Steps that do not hold. */
  proposals: number;
  eagerTokens: Figure;
  lockstepTokens: Figure;
  eagerSequential: Figure;
  lockstepSequential: Figure;
}

export function measure(language: Language, sampler: Sampler): Omit<Row, 'placement' | 'added'> {
  const { states, pi } = language;
  const kernel = new Kernel(language, sampler);
  const f = standardised(
    pi,
    states.map(({ logp }) => logp),
  );
  const P = transitions(kernel);
  const steps = autocorrelationTime(P, pi, f);
  const held = states.reduce(
    (sum, x, i) => sum + pi[i] * Math.max(0, 1 - kernel.lawOf(x).reduce((a, b) => a + b, 0)),
    0,
  );
  const dice = stream(1);
  const surprise: number[] = [];
  const outcomes = Array.from({ length: STEPS }, (_, step) => {
    const x = states[pickCut(pi, dice.cut(step))];
    const outcome = kernel.step(x, step, dice);
    surprise.push(Number(outcome.state !== x) - (1 - P[x.id][x.id]));
    return outcome;
  });
  confirm(P, pi, surprise);
  const figure = (of: (outcome: Outcome) => number): Figure => {
    const values = outcomes.map(of);
    return { value: steps * mean(values), standardError: steps * standardError(values) };
  };
  return {
    length: language.length,
    sampler: sampler.name,
    held,
    accepted: mean(outcomes.filter((outcome) => !outcome.held).map(({ accepted }) => Number(accepted))),
    steps,
    proposals: steps * (1 - held),
    eagerTokens: figure(({ eager }) => eager.decoded),
    lockstepTokens: figure(({ lockstep }) => lockstep.decoded),
    eagerSequential: figure(({ eager }) => eager.sequential),
    lockstepSequential: figure(({ lockstep }) => lockstep.sequential),
  };
}
