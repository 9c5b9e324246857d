import type { RngKey } from '../engine/language-model.ts';

// Every random number has an address (seed; chain, step, candidate, position, purpose), so no draw depends on what else was
// drawn, in which order, or beside whom.
const PURPOSE = { token: 0, cut: 1, accept: 2, select: 3 } as const;

function multiplyHigh(a: number, b: number): number {
  const low = (a & 0xffff) * (b & 0xffff);
  const middle = (a >>> 16) * (b & 0xffff) + (low >>> 16);
  const other = (a & 0xffff) * (b >>> 16) + (middle & 0xffff);
  return (a >>> 16) * (b >>> 16) + Math.floor(middle / 65536) + Math.floor(other / 65536);
}

/** Philox 4x32-10 (Salmon et al., 2011): four u32 out of a counter of four and a key of two. */
export function philox(counter: ArrayLike<number>, key: ArrayLike<number>): Uint32Array {
  const c = Uint32Array.from(counter);
  const k = Uint32Array.from(key);
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c[0]);
    const high1 = multiplyHigh(0xcd9e8d57, c[2]);
    const low0 = Math.imul(0xd2511f53, c[0]);
    const low1 = Math.imul(0xcd9e8d57, c[2]);
    c.set([high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]);
    k[0] += 0x9e3779b9;
    k[1] += 0xbb67ae85;
  }
  return c;
}

function bits(key: RngKey, position: number, purpose: number, v: number): number {
  const counter = [key.chain, key.step * 256 + key.candidate, position, purpose * 2 ** 28 + (v >>> 2)];
  const seed = [Number(key.seed & 0xffffffffn), Number(key.seed >> 32n)];
  return philox(counter, seed)[v & 3];
}

/** Uniform in the open interval (0, 1), from 32 random bits. */
export const uniform = (bits: number): number => (bits + 0.5) * 2 ** -32;

/** A standard Gumbel variate, −log E, from a uniform one by way of the exponential E = −log(1 − u). */
export const gumbel = (u: number): number => -Math.log(-Math.log1p(-u));

/** The Gumbel variate that token v competes with at an absolute position: the draw is the argmax of logit / τ + Gumbel. */
export const tokenGumbel = (key: RngKey, position: number, v: number): number =>
  gumbel(uniform(bits(key, position, PURPOSE.token, v)));

/** Where a step's own random outcomes come from; the tokens' are drawn by the model. */
export interface RandomSource {
  /** Uniform in (0, 1): picks the cut of the step. */
  cut(step: number): number;
  /** Uniform in (0, 1): decides acceptance. */
  accept(step: number): number;
  /** Standard Gumbel: the candidate's in the selection. */
  select(step: number, candidate: number): number;
}

/** The counter-based source of one chain. */
export function randomSource(seed: bigint, chain: number): RandomSource {
  const draw = (step: number, candidate: number, purpose: number) =>
    uniform(bits({ seed, chain, step, candidate }, 0, purpose, 0));
  return {
    cut: (step) => draw(step, 0, PURPOSE.cut),
    accept: (step) => draw(step, 0, PURPOSE.accept),
    select: (step, candidate) => gumbel(draw(step, candidate, PURPOSE.select)),
  };
}
