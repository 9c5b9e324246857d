import type { LanguageModel, Sequence } from '../src/engine/language-model.ts';

/** Tokens between two readbacks. */
const CHUNK = 16;

/**
 * Continues sequences together with tokens that the GPU draws for itself, as plain sampling does where no draw disagrees. An EOS is
 * overwritten, so that rows stay equally long. Positions are not taken back.
 */
export async function runAhead(
  model: LanguageModel,
  sequences: readonly Sequence[],
  tokens: number,
): Promise<void> {
  const next = sequences.map(() => 0);
  for (let left = tokens; left > 0; ) {
    const most = Math.min(CHUNK, left) - 1;
    const feeds = sequences.map((sequence, chain) => ({
      sequence,
      position: sequence.length,
      tokens: [next[chain]],
      sharpening: { alpha: 4, temperature: 1 },
      ahead: { most, key: { seed: 0n, chain, step: 0, candidate: 0 } },
    }));
    const readings = await model.compute(feeds);
    for (const [i, row] of readings.entries()) next[i] = row[row.length - 1].token;
    left -= most + 1;
  }
}
