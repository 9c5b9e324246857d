import type { Feed, LanguageModel, Sharpening } from '../engine/language-model.ts';
import { Distribution } from './distribution.ts';
import { Room } from './room.ts';

/** A token of a distribution and its log p. @internal */
interface Likely {
  readonly token: number;
  readonly logp: number;
}

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
 * @param most tokens of each distribution that are told, the likeliest first
 * @throws NonFiniteError, DistributionError, what the model throws; the signal's reason
 * @internal
 */
export async function scoreTokens(
  model: LanguageModel,
  tokens: ArrayLike<number>,
  sharpening: Sharpening,
  most = 0,
  signal?: AbortSignal,
): Promise<Scores & { readonly likeliest: readonly (readonly Likely[])[] }> {
  const given = Array.from(tokens);
  const count = Math.max(0, given.length - 1);
  const columns = Array.from({ length: 4 }, () => new Float64Array(count));
  const [logp, logq, logZ, entropy] = columns;
  const likeliest: Likely[][] = [];
  if (count === 0) return { logp, logq, logZ, entropy, likeliest };
  const room = Room.of(model);
  const pages = Math.floor((model.cachePositions - count) / model.pageSize);
  const together = Math.max(1, Math.min(ASKED, pages));
  const positions = count + together * model.pageSize;
  await room.enter(positions, `the score of ${given.length} tokens`, signal);
  const sequence = await model.prefill([]);
  try {
    const tail: number[] = []; // positions after which comes what is not listed
    const distributions: Distribution[] = [];
    while (distributions.length < count) {
      signal?.throwIfAborted();
      const position = distributions.length;
      const feed = {
        sequence,
        position,
        tokens: given.slice(position, Math.min(count, position + model.rows)),
        sharpening,
      };
      const [readings] = await room.within(() => model.compute([feed]));
      if (readings.length === 0) throw new Error('tokens were fed and none was read');
      for (const { summary, error } of readings) {
        const i = distributions.length;
        if (error) throw error;
        const distribution = new Distribution(summary, sharpening, i + 1);
        const listed = distribution.find(given[i + 1]);
        if (listed) put(i, distribution, listed);
        else tail.push(i);
        distributions.push(distribution);
        likeliest.push(distribution.alternatives(most));
      }
    }
    for (let first = 0; first < tail.length; first += together) {
      signal?.throwIfAborted();
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
  return { logp, logq, logZ, entropy, likeliest };

  function put(i: number, distribution: Distribution, drawn: { token: number; distance: number }): void {
    logp[i] = distribution.logp(drawn);
    logq[i] = distribution.logq(drawn);
    logZ[i] = distribution.logZ;
    entropy[i] = distribution.entropy;
  }
}
