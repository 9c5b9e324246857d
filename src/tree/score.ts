import type { Feed, LanguageModel, Sharpening } from '../engine/language-model.ts';
import { Distribution } from './distribution.ts';

/** What a model says of given tokens, one entry each; logarithms and entropies in nats. */
export interface Scores {
  readonly logp: Float64Array;
  readonly logq: Float64Array;
  readonly logZ: Float64Array;
  readonly entropy: Float64Array;
}

/**
 * The numbers of every token but the first, given those before it: the same in every bit as where they are drawn.
 * @throws NonFiniteError, DistributionError, what the model throws
 */
export async function score(
  model: LanguageModel,
  tokens: ArrayLike<number>,
  sharpening: Sharpening,
): Promise<Scores> {
  const given = Array.from(tokens);
  const count = Math.max(0, given.length - 1);
  const columns = Array.from({ length: 4 }, () => new Float64Array(count));
  const [logp, logq, logZ, entropy] = columns;
  if (count === 0) return { logp, logq, logZ, entropy };
  const sequence = await model.prefill([]);
  try {
    const [readings] = await model.compute([
      { sequence, position: 0, tokens: given.slice(0, -1), sharpening },
    ]);
    const tail: number[] = []; // positions after which comes what is not listed
    const distributions = readings.map(({ summary, error }, i) => {
      if (error) throw error;
      const distribution = new Distribution(summary, sharpening, i + 1);
      const listed = distribution.find(given[i + 1]);
      if (listed) put(i, distribution, listed);
      else tail.push(i);
      return distribution;
    });
    for (let first = 0; first < tail.length; first += model.rows) {
      const feeds = tail.slice(first, first + model.rows).map((i): Feed => {
        return {
          sequence: sequence.fork(),
          position: i,
          tokens: [given[i]],
          sharpening,
          ask: { token: given[i + 1] },
        };
      });
      try {
        const asked = await model.compute(feeds);
        for (const [k, [reading]] of asked.entries()) {
          if (!reading.asked) throw new Error('a row was asked for a token and did not answer');
          put(tail[first + k], distributions[tail[first + k]], reading.asked);
        }
      } finally {
        for (const feed of feeds) feed.sequence.free();
      }
    }
  } finally {
    sequence.free();
  }
  return { logp, logq, logZ, entropy };

  function put(i: number, distribution: Distribution, drawn: { token: number; distance: number }): void {
    logp[i] = distribution.logp(drawn);
    logq[i] = distribution.logq(drawn);
    logZ[i] = distribution.logZ;
    entropy[i] = distribution.entropy;
  }
}
