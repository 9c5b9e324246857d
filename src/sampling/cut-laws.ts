/** r(c | x) for every c < L(x), from the response's entropies. What is missing to 1 is the probability of a hold. @internal */
export type CutLaw = (entropy: Float64Array) => Float64Array;

/** What a law goes by. */
interface CutLawParameters {
  /** nats; from there on an entropy is a decision. */
  readonly gate: number;
  /** Positions a block. */
  readonly blockSize: number;
}

/** @internal */
export type CutLawUse = 'entropy' | keyof CutLawParameters;

/** A cut law as options, help and pages speak of it. */
interface CutLawEntry {
  /** Completes "cuts …". */
  readonly cuts: string;
  /** What the law makes use of; an option that it does not use is refused. */
  readonly uses: readonly CutLawUse[];
  readonly law: (parameters: CutLawParameters) => CutLaw;
}

/** Where a step cuts: `SamplerOptions.cutLaw`. */
export type CutLawName = 'uniform' | 'entropy' | 'entropy-jump' | 'entropy-gate' | 'entropy-block';

/** What the gate and block laws leave to the uniform law. */
const EPSILON = 0.05;
const JUMP_POWER = 4;

/**
 * Every cut law there is: types, options, help, pages and tests go by this table. H_c is the entropy of the distribution that token c
 * was drawn from. The kernel is exact for any law, and relies on this of each:
 * - r is a function of the entropies alone, has no entry below 0, and sums to 1 at most.
 * - r(c) > 0 at the first c with H_c > 0. What stands before it could not be otherwise, and a cut there draws all of the rest anew: so
 *   every response is in reach of every other.
 * - r(c) never rises as entropies are put behind those up to c, not even by rounding. For then r(c) of a candidate as far as it is
 *   written, times the factors p^α / q ≤ 1 of its tokens so far, bounds the weight that it will have at its end, and a step is
 *   decided, and its candidates are given up, as soon as the bounds allow but one outcome. A law that rises would give up
 *   candidates that were to be taken: another distribution than p^α, unless decoding is eager. What is normalised by a sum
 *   over the response does not rise, as long as the entries before normalisation stay as they are.
 * @internal
 */
export const CUT_LAWS: Readonly<Record<CutLawName, CutLawEntry>> = {
  uniform: {
    cuts: 'anywhere alike',
    uses: [],
    law: () => (entropy) => new Float64Array(entropy.length).fill(1 / entropy.length),
  },
  entropy: {
    cuts: 'by the entropy H',
    uses: ['entropy'],
    law: () => normalise,
  },
  'entropy-jump': {
    // H before the first token counts as 0.
    cuts: 'by the 4th power of what H rises by from token to token',
    uses: ['entropy'],
    law: () => (entropy) =>
      normalise(entropy.map((h, c) => Math.max(h - (c > 0 ? entropy[c - 1] : 0), 0) ** JUMP_POWER)),
  },
  'entropy-gate': {
    // Position 0 counts as much as the gate at least.
    cuts: 'by H where it is at the gate or above, at times anywhere',
    uses: ['entropy', 'gate'],
    law:
      ({ gate }) =>
      (entropy) => {
        const g = gated(entropy, gate);
        g[0] = Math.max(g[0], gate);
        return withUniform(normalise(g));
      },
  },
  'entropy-block': {
    cuts: 'as entropy-gate in a block of them, none if it is below',
    uses: ['entropy', 'gate', 'blockSize'],
    law:
      ({ gate, blockSize }) =>
      (entropy) => {
        const r = gated(entropy, gate);
        const blocks = Math.ceil(r.length / blockSize);
        for (let start = 0; start < r.length; start += blockSize) {
          const block = r.subarray(start, start + blockSize);
          const total = sum(block);
          if (total > 0) for (let c = 0; c < block.length; c++) block[c] /= blocks * total;
        }
        return withUniform(r);
      },
  },
};

/** @internal */
export const CUT_LAW_NAMES = Object.keys(CUT_LAWS) as readonly CutLawName[];

/** @param gate nats; @param blockSize positions @internal */
export const cutLaw = (name: CutLawName, gate: number, blockSize: number): CutLaw =>
  CUT_LAWS[name].law({ gate, blockSize });

/** The cut that a uniform u picks by the inverse of r's distribution function, or −1: hold. @internal */
export function pickCut(r: Float64Array, u: number): number {
  let below = 0;
  return r.findIndex((probability) => {
    below += probability;
    return u < below;
  });
}

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

const gated = (entropy: Float64Array, gate: number): Float64Array => entropy.map((h) => (h >= gate ? h : 0));

/** g / Σ g, or uniform where nothing has any weight. */
function normalise(g: Float64Array): Float64Array {
  const total = sum(g);
  return g.map((value) => (total > 0 ? value / total : 1 / g.length));
}

const withUniform = (r: Float64Array): Float64Array =>
  r.map((probability) => (1 - EPSILON) * probability + EPSILON / r.length);
