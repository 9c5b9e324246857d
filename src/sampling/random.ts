// Every random number has an address (seed; chain, step, candidate, position, purpose), so no draw depends on what else was
// drawn, in which order, or beside whom.
const PURPOSE = { token: 0, cut: 1, accept: 2, select: 3 } as const;

function multiplyHigh(a: number, b: number): number {
  const low = (a & 0xffff) * (b & 0xffff);
  const middle = (a >>> 16) * (b & 0xffff) + (low >>> 16);
  const other = (a & 0xffff) * (b >>> 16) + (middle & 0xffff);
  return (a >>> 16) * (b >>> 16) + Math.floor(middle / 65536) + Math.floor(other / 65536);
}

/** Philox 4x32-10 (Salmon et al., 2011): four u32 out of a counter of four and a key of two. In plain arrays: it is called for every token. */
export function philox(counter: ArrayLike<number>, key: ArrayLike<number>): number[] {
  let c0 = counter[0];
  let c1 = counter[1];
  let c2 = counter[2];
  let c3 = counter[3];
  let k0 = key[0];
  let k1 = key[1];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Uniform in the open interval (0, 1), from 32 random bits. */
export const uniform = (bits: number): number => (bits + 0.5) * 2 ** -32;

/** A standard Gumbel variate, −log E, from a uniform one by way of the exponential E = −log(1 − u). */
export const gumbel = (u: number): number => -Math.log(-Math.log1p(-u));

/** Where a run's random outcomes come from. */
export interface RandomSource {
  /** For the token at an absolute position: a uniform number of 53 bits in (0, 1], and a word that picks one of the tail. */
  token(step: number, candidate: number, position: number): { u: number; tail: number };
  /** Uniform in (0, 1): picks the cut of the step. */
  cut(step: number): number;
  /** Uniform in (0, 1): decides acceptance. */
  accept(step: number): number;
  /** Standard Gumbel: the candidate's in the selection. */
  select(step: number, candidate: number): number;
}

/** The counter-based source of one chain. */
export function randomSource(seed: bigint, chain: number): RandomSource {
  const key = [Number(seed & 0xffffffffn), Number(seed >> 32n)];
  const block = (step: number, candidate: number, position: number, purpose: number) =>
    philox([chain, step * 256 + candidate, position, purpose * 2 ** 28], key);
  const draw = (step: number, candidate: number, purpose: number) =>
    uniform(block(step, candidate, 0, purpose)[0]);
  return {
    token(step, candidate, position) {
      const words = block(step, candidate, position, PURPOSE.token);
      return { u: (words[0] * 2 ** 21 + (words[1] >>> 11) + 0.5) * 2 ** -53, tail: words[2] };
    },
    cut: (step) => draw(step, 0, PURPOSE.cut),
    accept: (step) => draw(step, 0, PURPOSE.accept),
    select: (step, candidate) => gumbel(draw(step, candidate, PURPOSE.select)),
  };
}
