import type { Feed, LanguageModel, Sharpening } from '../engine/language-model.ts';
import { Distribution } from './distribution.ts';
import { Room } from './room.ts';

/** What a model says of given tokens, one entry each; logarithms and entropies in nats. */
export interface Scores {
  readonly logp: Float64Array;
  readonly logq: Float64Array;
  readonly logZ: Float64Array;
  readonly entropy: Float64Array;
}

/** Tokens of the tail that are asked for at a time, at most: each takes a page. */
const ASKED = 8;

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
  const room = Room.of(model);
  const pages = Math.floor((model.cachePositions - count) / model.pageSize);
  const together = Math.max(1, Math.min(ASKED, pages));
  const positions = count + together * model.pageSize;
  await room.enter(positions, `the score of ${given.length} tokens`);
  const sequence = await model.prefill([]);
  try {
    const all: Feed = { sequence, position: 0, tokens: given.slice(0, -1), sharpening };
    const [readings] = await room.within(() => model.compute([all]));
    const tail: number[] = []; // positions after which comes what is not listed
    const distributions = readings.map(({ summary, error }, i) => {
      if (error) throw error;
      const distribution = new Distribution(summary, sharpening, i + 1);
      const listed = distribution.find(given[i + 1]);
      if (listed) put(i, distribution, listed);
      else tail.push(i);
      return distribution;
    });
    for (let first = 0; first < tail.length; first += together) {
      const feeds = tail.slice(first, first + together).map((i): Feed => {
        return {
          sequence: sequence.fork(),
          position: i,
          tokens: [given[i]],
          sharpening,
          ask: { token: given[i + 1] },
        };
      });
      try {
        const asked = await room.within(() => model.compute(feeds));
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
    room.leave(positions);
  }
  return { logp, logq, logZ, entropy };

  function put(i: number, distribution: Distribution, drawn: { token: number; distance: number }): void {
    logp[i] = distribution.logp(drawn);
    logq[i] = distribution.logq(drawn);
    logZ[i] = distribution.logZ;
    entropy[i] = distribution.entropy;
  }
}
