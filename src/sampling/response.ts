import type { Distribution, Drawn } from '../tree/distribution.ts';

/**
 * How a walker came by the distribution that it drew a token from: it was known already; it was computed, and the walker waited; it had been
 * computed before anybody asked for it.
 * @internal
 */
export const ORIGIN = { free: 0, computed: 1, drafted: 2 } as const;
type Origin = (typeof ORIGIN)[keyof typeof ORIGIN];

/** How a response ends: with EOS; at its greatest length, also while it is being written; where its text came to a stop string. */
export type Finish = 'eos' | 'length' | 'stop';

/** A response and, for each of its tokens, what the distribution that it was drawn from says of it, in nats. Never changed in place. */
export interface Response {
  readonly tokens: Uint32Array;
  /** log p(token | prefix) under the base model at temperature 1 over the whole vocabulary. */
  readonly logp: Float64Array;
  /** log q(token | prefix) under the distribution really drawn from; 0 when greedy. */
  readonly logq: Float64Array;
  /** log Z_α = log Σ_v p(v | prefix)^α ≤ 0. */
  readonly logZ: Float64Array;
  /** Of p(· | prefix). */
  readonly entropy: Float64Array;
  /** An ORIGIN each. */
  readonly origins: Uint8Array;
  readonly finish: Finish;
}

const NOTHING = new Float64Array(0);

/** @internal */
export const EMPTY: Response = {
  tokens: new Uint32Array(0),
  logp: NOTHING,
  logq: NOTHING,
  logZ: NOTHING,
  entropy: NOTHING,
  origins: new Uint8Array(0),
  finish: 'length',
};

/** Whether nothing can follow on the responses of up to `horizon` tokens. @internal */
export const isFinished = ({ tokens, finish }: Response, horizon: number): boolean =>
  finish !== 'length' || tokens.length >= horizon;

/** log p of the tokens. @internal */
export const logProbability = ({ logp }: Pick<Response, 'logp'>): number => logp.reduce((a, b) => a + b, 0);

/** The first `length` tokens. @internal */
export function truncate(x: Response, length: number): Response {
  if (length === x.tokens.length) return x;
  return {
    tokens: x.tokens.slice(0, length),
    logp: x.logp.slice(0, length),
    logq: x.logq.slice(0, length),
    logZ: x.logZ.slice(0, length),
    entropy: x.entropy.slice(0, length),
    origins: x.origins.slice(0, length),
    finish: 'length',
  };
}

/** A token and the distribution that it was drawn from. @internal */
export interface Link {
  readonly drawn: Drawn;
  readonly distribution: Distribution;
  readonly origin: Origin;
}

/** The response with more tokens behind it, the last of which may be EOS. @internal */
export function append(x: Response, links: readonly Link[], finish: Finish): Response {
  const at = x.tokens.length;
  const tokens = new Uint32Array(at + links.length);
  tokens.set(x.tokens);
  const column = (before: Float64Array, value: (link: Link) => number): Float64Array => {
    const values = new Float64Array(at + links.length);
    values.set(before);
    for (let i = 0; i < links.length; i++) values[at + i] = value(links[i]);
    return values;
  };
  const origins = new Uint8Array(at + links.length);
  origins.set(x.origins);
  for (const [i, { drawn, origin }] of links.entries()) {
    tokens[at + i] = drawn.token;
    origins[at + i] = origin;
  }
  return {
    tokens,
    logp: column(x.logp, ({ distribution, drawn }) => distribution.logp(drawn)),
    logq: column(x.logq, ({ distribution, drawn }) => distribution.logq(drawn)),
    logZ: column(x.logZ, ({ distribution }) => distribution.logZ),
    entropy: column(x.entropy, ({ distribution }) => distribution.entropy),
    origins,
    finish,
  };
}
