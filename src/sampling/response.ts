import type { Column, Continuation } from '../engine/language-model.ts';
import { DistributionError, NonFiniteError } from '../errors.ts';

/** A response and, for each of its tokens, the statistics of the pass that drew it; see Continuation. Never changed in place. */
export interface Response {
  readonly tokens: Uint32Array;
  readonly logp: Float64Array;
  readonly logq: Float64Array;
  readonly logZ: Float64Array;
  readonly entropy: Float64Array;
  /** `length` also while it is being decoded. */
  readonly finish: 'eos' | 'length';
}

const NOTHING = new Float64Array(0);

export const EMPTY: Response = {
  tokens: new Uint32Array(0),
  logp: NOTHING,
  logq: NOTHING,
  logZ: NOTHING,
  entropy: NOTHING,
  finish: 'length',
};

/** Whether nothing can follow on the responses of up to `horizon` tokens. */
export const isFinished = ({ tokens, finish }: Response, horizon: number): boolean =>
  finish === 'eos' || tokens.length >= horizon;

/** log p of the tokens. */
export const logProbability = ({ logp }: Pick<Response, 'logp'>): number => logp.reduce((a, b) => a + b, 0);

/** The first `length` tokens. */
export function truncate(x: Response, length: number): Response {
  if (length === x.tokens.length) return x;
  return {
    tokens: x.tokens.subarray(0, length),
    logp: x.logp.subarray(0, length),
    logq: x.logq.subarray(0, length),
    logZ: x.logZ.subarray(0, length),
    entropy: x.entropy.subarray(0, length),
    finish: 'length',
  };
}

/**
 * The response with a continuation behind it.
 * @param alpha of log Z
 * @param first absolute position of the response's first token, for errors
 * @throws NonFiniteError, DistributionError
 */
export function append(x: Response, part: Continuation, alpha: number, first: number): Response {
  const at = x.tokens.length;
  check(part, alpha, first + at);
  const join = (a: Float64Array, b: Column): Float64Array => {
    const values = new Float64Array(at + b.length);
    values.set(a);
    values.set(b, at);
    return values;
  };
  const tokens = new Uint32Array(at + part.tokens.length);
  tokens.set(x.tokens);
  tokens.set(part.tokens, at);
  return {
    tokens,
    logp: join(x.logp, part.logp),
    logq: join(x.logq, part.logq),
    // Beyond their range by rounding only; the cut laws and the weights rely on the signs.
    logZ: join(
      x.logZ,
      part.logZ.map((value) => Math.min(0, value)),
    ),
    entropy: join(
      x.entropy,
      part.entropy.map((value) => Math.max(0, value)),
    ),
    finish: part.finish === 'eos' ? 'eos' : 'length',
  };
}

/** In nats; logits of f32 leave less than a tenth of it. */
const ROUNDING = 1e-3;

/** What can be told of a distribution from its statistics: that it is one. */
function check({ logp, logq, logZ, entropy }: Continuation, alpha: number, first: number): void {
  for (let t = 0; t < logp.length; t++) {
    const position = first + t;
    const refuse = (message: string): never => {
      throw new DistributionError(message, position);
    };
    if (logq[t] === -Infinity && Number.isFinite(logp[t])) {
      refuse('the token is outside the support of the proposal: its log q is -Infinity');
    }
    for (const [name, column] of Object.entries({ logp, logq, logZ, entropy })) {
      if (!Number.isFinite(column[t])) throw new NonFiniteError(`decode (${name})`, position);
    }
    if (logp[t] > ROUNDING) refuse(`log p is ${logp[t]}: at most 0`);
    if (logq[t] > ROUNDING) refuse(`log q is ${logq[t]}: at most 0`);
    if (logZ[t] > ROUNDING) refuse(`log Z is ${logZ[t]}: at most 0`);
    if (entropy[t] < -ROUNDING) refuse(`the entropy is ${entropy[t]}: at least 0`);
    // Rényi's entropies fall as α grows, and log Z holds p(token)^α: only of what sums to 1.
    const least = Math.max(-(alpha - 1) * entropy[t], alpha * logp[t]);
    const slack = ROUNDING * Math.max(1, -least);
    if (logZ[t] < least - slack) {
      refuse(
        `log Z is ${logZ[t]}: a distribution with log p ${logp[t]} and entropy ${entropy[t]} has at least ${least}`,
      );
    }
  }
}
