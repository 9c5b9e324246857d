import type { AnswerShare } from '../answers/shares.ts';
import type { StateEvent } from '../api/stream.ts';
import type { Account, GateUsed, SamplerName } from '../sampling/sample.ts';
import type { Outcome } from './choice.ts';
import type { Wants } from './wants.ts';

/** Tokens of a request, as OpenAI counts them. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** `egps` of a choice: what it says beyond OpenAI's fields. */
interface Notes {
  readonly chain: number;
  /** log p of the answer, nats. */
  readonly logProbability: number;
  /** Final answers with their probabilities; null where no `extract` was given. */
  readonly answers: readonly AnswerShare[] | null;
  readonly gate: GateUsed | null;
  readonly account: Account;
}

export function notesOf({ answer, chain }: Outcome): Notes | undefined {
  if (!answer) return undefined;
  const { picked, answers, account, gate } = answer;
  return { chain, logProbability: picked.logProbability, answers, gate, account };
}

/** `egps` of an empty piece: how far a chain is. What it has written so far it may take back, so that it is not told. */
export function progressOf({
  step,
  steps,
  block,
  blocks,
  logProbability,
  account,
  answers,
}: StateEvent): Omit<StateEvent, 'type' | 'tokens' | 'entropy' | 'text' | 'visits'> {
  return { step, steps, block, blocks, logProbability, account, ...(answers && { answers }) };
}

/** `egps` of an answer as a whole: with this seed it comes again. */
export function originOf({ resolved: { seed, sampler } }: Wants): { seed: number; sampler: SamplerName } {
  return { seed: Number(BigInt.asIntN(64, seed)), sampler };
}
