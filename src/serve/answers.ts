import type { AnswerShare } from '../answers/shares.ts';
import type { StateEvent } from '../api/stream.ts';
import type { Account } from '../sampling/sample.ts';
import type { Outcome } from './choice.ts';
import type { Server } from './context.ts';
import type { Wants } from './wants.ts';

/** Tokens of a request, as OpenAI counts them. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export const usageOf = (prompt: number, completion: number): Usage => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});

/** The fields that begin every answer and every event of one. */
export function headOf({ name, fingerprint }: Server, prefix: string, object: string) {
  return {
    id: `${prefix}-${crypto.randomUUID().replaceAll('-', '')}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model: name,
    system_fingerprint: fingerprint,
  };
}

/** What a choice says beyond OpenAI's fields, where `egps` was asked for. */
interface ChoiceNotes {
  readonly chain: number;
  /** log p of the answer, nats. */
  readonly logProbability: number;
  /** Final answers with their probabilities; null where no `extract` was given. */
  readonly answers: readonly AnswerShare[] | null;
  readonly gate: unknown;
  readonly account: Account;
}

export function notesOf({ answer, chain }: Outcome): ChoiceNotes | undefined {
  if (!answer) return undefined;
  const { picked, answers, account, gate } = answer;
  return { chain, logProbability: picked.logProbability, answers, gate, account };
}

/** How far a chain is. What it has written it may take back: that is not told. */
export function progressOf({ step, steps, block, blocks, logProbability, account, answers }: StateEvent) {
  return { step, steps, block, blocks, logProbability, account, ...(answers && { answers }) };
}

/** What an answer as a whole says beyond OpenAI's fields: with this seed it comes again. */
export const originOf = ({ resolved }: Wants) => ({
  seed: Number(BigInt.asIntN(64, resolved.seed)),
  sampler: resolved.sampler,
});
