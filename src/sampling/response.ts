import type { Column, Continuation, DecodeRow } from '../engine/language-model.ts';
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
    tokens: x.tokens.slice(0, length),
    logp: x.logp.slice(0, length),
    logq: x.logq.slice(0, length),
    logZ: x.logZ.slice(0, length),
    entropy: x.entropy.slice(0, length),
    finish: 'length',
  };
}

/**
 * The response with what is new of a continuation behind it.
 * @param from tokens of the continuation that the response has already
 * @param draw how it was drawn
 * @param first absolute position of the response's first token, for errors
 * @throws NonFiniteError, DistributionError
 */
export function append(
  x: Response,
  part: Continuation,
  from: number,
  draw: Pick<DecodeRow, 'alpha' | 'temperature' | 'topK' | 'topP'>,
  first: number,
): Response {
  const at = x.tokens.length;
  const length = at + part.tokens.length - from;
  for (let t = from; t < part.tokens.length; t++) check(part, t, draw, first + at + t - from);
  const join = (a: Float64Array, b: Column): Float64Array => {
    const values = new Float64Array(length);
    values.set(a);
    values.set(b.subarray(from), at);
    return values;
  };
  const tokens = new Uint32Array(length);
  tokens.set(x.tokens);
  tokens.set(part.tokens.subarray(from), at);
  return {
    tokens,
    logp: join(x.logp, part.logp),
    logq: join(x.logq, part.logq),
    // Beyond their range by rounding only; the cut laws and the weights rely on the signs.
    logZ: join(x.logZ, part.logZ).map((value) => Math.min(0, value)),
    entropy: join(x.entropy, part.entropy).map((value) => Math.max(0, value)),
    finish: part.finish === 'eos' ? 'eos' : 'length',
  };
}

/** In nats; logits of f32 leave less than a tenth of it. */
const ROUNDING = 1e-3;

const COLUMNS = ['logp', 'logq', 'logZ', 'entropy'] as const;

/**
 * What can be told of a distribution from the statistics of one token drawn from it. Most rows that do not sum to 1 contradict
 * themselves; a nearly flat one that sums to more cannot be told from a smaller vocabulary.
 */
function check(
  part: Continuation,
  t: number,
  { alpha, temperature, topK, topP }: Parameters<typeof append>[3],
  position: number,
): void {
  const [logp, logq, logZ, entropy] = COLUMNS.map((name) => part[name][t]);
  const refuse = (message: string): never => {
    throw new DistributionError(message, position);
  };
  if (logq === -Infinity && Number.isFinite(logp)) {
    refuse('the token is outside the support of the proposal: its log q is -Infinity');
  }
  for (const name of COLUMNS) {
    if (!Number.isFinite(part[name][t])) throw new NonFiniteError(`decode (${name})`, position);
  }
  if (logp > ROUNDING) refuse(`log p is ${logp}: at most 0`);
  if (logq > ROUNDING) refuse(`log q is ${logq}: at most 0`);
  if (logZ > ROUNDING) refuse(`log Z is ${logZ}: at most 0`);
  if (entropy < -ROUNDING) refuse(`the entropy is ${entropy}: at least 0`);
  // Rényi's entropies fall as α grows, and log Z holds p(token)^α: only of what sums to 1.
  const least = Math.max(-(alpha - 1) * entropy, alpha * logp);
  if (logZ < least - ROUNDING * Math.max(1, -least)) {
    refuse(
      `log Z is ${logZ}: a distribution with log p ${logp} and entropy ${entropy} has at least ${least}`,
    );
  }
  if (temperature === 1 / alpha && topK === undefined && topP === undefined) {
    const expected = alpha * logp - logZ;
    if (Math.abs(logq - expected) > ROUNDING * Math.max(1, -alpha * logp)) {
      refuse(`log q is ${logq}: log p ${logp} and log Z ${logZ} make it ${expected}`);
    }
  }
}
