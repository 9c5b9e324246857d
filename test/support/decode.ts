import * as assert from 'uvu/assert';
import type {
  LanguageModel,
  Reading,
  RngKey,
  Sequence,
  Sharpening,
} from '../../src/engine/language-model.ts';
import { randomSource } from '../../src/sampling/random.ts';
import { Distribution, type Law, suffices, summarise } from '../../src/tree/distribution.ts';

/** A token that was drawn, and what it was drawn from. */
export interface Step {
  readonly token: number;
  readonly reading: Reading;
}

export interface Row {
  /** Holds everything before `last`; grows by what is fed. */
  readonly sequence: Sequence;
  /** To be fed first. */
  readonly last: number;
  readonly key: RngKey;
  readonly tokens: number;
  readonly law: Law;
}

/**
 * Continues rows together, a token a pass, the way a walker does: up to `tokens` tokens, or EOS.
 * @param ahead tokens that the GPU draws ahead; where the CPU does not agree the row is taken back
 */
export async function decode(model: LanguageModel, rows: readonly Row[], ahead = 0): Promise<Step[][]> {
  const all = rows.map((): Step[] => []);
  const isDone = (i: number) => {
    const last = all[i].at(-1);
    return all[i].length === rows[i].tokens || (last !== undefined && model.eosTokens.has(last.token));
  };
  for (;;) {
    const open = rows.map((_, i) => i).filter((i) => !isDone(i));
    if (open.length === 0) return all;
    const feeds = open.map((i) => {
      const { sequence, last, key, tokens, law } = rows[i];
      const most = Math.min(ahead, tokens - all[i].length - 1);
      return {
        sequence,
        position: sequence.length,
        tokens: [all[i].at(-1)?.token ?? last],
        sharpening: law,
        ahead: ahead > 0 ? { most, key, topK: law.topK, topP: law.topP } : undefined,
      };
    });
    const read = await model.compute(feeds);
    for (const [n, i] of open.entries()) {
      const { sequence, key, law } = rows[i];
      const start = feeds[n].position;
      let kept = start;
      for (const [k, reading] of read[n].entries()) {
        if (reading.error) throw reading.error;
        if (k > 0 && reading.token !== all[i].at(-1)?.token) break; // the GPU went another way
        const token = await draw(model, reading, sequence, start + k, key, law);
        all[i].push({ token, reading });
        kept++;
        if (isDone(i)) break;
      }
      sequence.rollback(kept);
    }
  }
}

/** The token that the key draws after what was read at `position`; one of the tail is asked for. */
async function draw(
  model: LanguageModel,
  reading: Reading,
  sequence: Sequence,
  position: number,
  { seed, chain, step, candidate }: RngKey,
  law: Law,
): Promise<number> {
  const lots = randomSource(seed, chain).token(step, candidate, position + 1);
  const again = async (ask: 'logits' | { tail: number }) => {
    const fork = sequence.fork();
    const feed = { sequence: fork, position, tokens: [reading.token], sharpening: law, ask };
    const [[answer]] = await model.compute([feed]);
    fork.free();
    return answer;
  };
  let { summary } = reading;
  if (!suffices(summary, law)) summary = summarise((await again('logits')).logits ?? [], law);
  const drawn = new Distribution(summary, law, position + 1).draw(lots.u);
  if (drawn) return drawn.token;
  const { asked } = await again({ tail: lots.tail });
  if (!asked) throw new Error('a token of the tail was asked for, and there was no answer');
  return asked.token;
}

/** Everything of a step, for comparisons in every bit. */
export const bits = (steps: readonly Step[]): unknown[] =>
  steps.map(({ token, reading: { summary } }) => {
    const { ids, distances, base, mean, sharp, tempered } = summary;
    return [token, [...ids], [...distances], base, mean, sharp, tempered];
  });

/** A row of a new sequence: of the prompt all but the last token is filled in. */
export async function prompted(
  model: LanguageModel,
  prompt: readonly number[],
  key: RngKey,
  tokens: number,
  sharpening: Sharpening & Partial<Law> = { alpha: 4, temperature: 0.8 },
): Promise<Row> {
  const sequence = await model.prefill(prompt.slice(0, -1));
  return { sequence, last: prompt[prompt.length - 1], key, tokens, law: sharpening };
}

/** The normalised mean square error of logits, as f32 has it. @param expected begins with as many */
export function assertNear(logits: ArrayLike<number>, expected: ArrayLike<number>, position: number): void {
  let [error, power] = [0, 0];
  for (let v = 0; v < logits.length; v++) {
    error += (expected[v] - logits[v]) ** 2;
    power += expected[v] ** 2;
  }
  assert.ok(
    logits.length > 0 && error / power <= 1e-9,
    `position ${position}: normalised mean square error ${error / power} of ${logits.length} logits`,
  );
}
