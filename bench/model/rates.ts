/** Tokens a second. */
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Sequence } from '../../src/engine/language-model.ts';
import { runAhead } from '../ahead.ts';
import type { Counts } from '../harness/counts.ts';
import { type Summary, short, summarise, summariseEach, timed } from '../harness/figures.ts';
import type { Options } from '../model.ts';
import { SHAPES } from '../random-model.ts';

/** Most tokens a row decodes in one call, so that a context stays about as long as it is said to be. */
export const MOST_STEPS = 128;
/** A long repetition is one that takes at least so many seconds: then there are three, else five. */
const LONG = 10;

export interface Prefill {
  tokens: number;
  tokensPerSecond: Summary;
  cpuMsPerToken: Summary;
}

/** Of all rows together; the last two: CPU time of a token's share in recording the commands, and in handing them over. */
type Measured = 'tokensPerSecond' | 'cpuMsPerToken' | 'encodeMsPerToken' | 'submitMsPerToken';

export interface Decode extends Record<Measured, Summary> {
  rows: number;
  /** Tokens before the first that is decoded. */
  context: number;
  /** Whether every row has a context of its own, or all share one. */
  own: boolean;
  /** Whether the context's keys and values are random numbers rather than computed. */
  synthetic: boolean;
  /** Tokens a row and call. */
  steps: number;
  dispatchesPerStep: number;
}

export function tokensOf({ vocabSize }: ModelConfig, length: number, salt = 0): Uint32Array {
  return Uint32Array.from({ length }, (_, i) => (i * 2654435761 + salt * 40503 + 7) % vocabSize);
}

export async function measurePrefill(
  model: Engine,
  tokens: number,
  shorter: Prefill | undefined,
  { quick, shape, prefillLimit }: Options,
): Promise<Prefill | string> {
  const estimate = shorter ? tokens / shorter.tokensPerSecond.median : 0;
  if (estimate > prefillLimit) return `prefill of ${tokens} tokens: it would take ${short(estimate)} s`;
  const prompt = tokensOf(SHAPES[shape], tokens);
  const rates: number[] = [];
  const cpu: number[] = [];
  const once = async () => {
    const { seconds, cpuMs } = await timed(async () => (await model.prefill(prompt)).free());
    rates.push(tokens / seconds);
    cpu.push(cpuMs / tokens);
    return seconds;
  };
  if (!shorter) {
    await once(); // the driver compiles a kernel when it is first used
    rates.length = cpu.length = 0;
  }
  const seconds = await once();
  const n = quick ? 2 : seconds > prefillLimit / 5 ? 1 : seconds > LONG ? 3 : 5;
  while (rates.length < n) await once();
  return { tokens, tokensPerSecond: summarise(rates), cpuMsPerToken: summarise(cpu) };
}

/** Decodes forks of `prompts`, one a row. */
export async function measureDecode(
  model: Engine,
  prompts: readonly Sequence[],
  counts: () => Counts,
  quick: boolean,
) {
  const decode = async (steps: number) => {
    const rows = prompts.map((prompt) => prompt.fork());
    await runAhead(model, rows, steps);
    for (const row of rows) row.free();
  };
  await decode(1);
  const step = (await timed(() => decode(2))).seconds / 2;
  // Two seconds and sixteen tokens at least; fewer tokens where those would take long.
  const budget = quick ? 0.2 : 2;
  const longest = quick ? 1 : 2 * LONG;
  const least = 16 * step > longest ? Math.max(4, Math.floor(longest / step)) : 16;
  const steps = Math.min(MOST_STEPS, Math.max(least, Math.ceil(budget / step)));
  const calls = Math.max(1, Math.ceil(budget / (steps * step)));
  const tokens = calls * steps * prompts.length;
  const all: Record<Measured, number>[] = [];
  const n = quick ? 2 : steps * step > LONG ? 3 : 5;
  let dispatches = 0; // as many each time
  while (all.length < n) {
    const before = counts();
    const { seconds, cpuMs } = await timed(async () => {
      for (let i = 0; i < calls; i++) await decode(steps);
    });
    const after = counts();
    dispatches = after.dispatches - before.dispatches;
    all.push({
      tokensPerSecond: tokens / seconds,
      cpuMsPerToken: cpuMs / tokens,
      encodeMsPerToken: (after.encodeMs - before.encodeMs) / tokens,
      submitMsPerToken: (after.submitMs - before.submitMs) / tokens,
    });
  }
  const dispatchesPerStep = dispatches / (calls * steps);
  const { tokensPerSecond, cpuMsPerToken, ...recording } = summariseEach(all);
  const context = prompts[0].length;
  return {
    rows: prompts.length,
    context,
    steps,
    tokensPerSecond,
    cpuMsPerToken,
    dispatchesPerStep,
    ...recording,
  };
}
