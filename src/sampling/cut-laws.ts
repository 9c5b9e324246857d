/** r(c | x) for every c < L(x), from the response's entropies. What is missing to 1 is the probability of a hold. */
export type CutLaw = (entropy: Float64Array) => Float64Array;

export type CutLawName = 'uniform' | 'entropy' | 'entropy-jump' | 'entropy-gate' | 'entropy-block';

/** What the gate and block laws leave to the uniform law: no position may be out of reach. */
const EPSILON = 0.05;
const JUMP_POWER = 4;

/**
 * The cut laws. H_c is the entropy of the distribution that token c was drawn from.
 * - uniform: 1 / L
 * - entropy: ∝ H_c
 * - entropy-jump: ∝ max(H_c − H_{c−1}, 0)^4, with H_{−1} = 0
 * - entropy-gate: ∝ H_c where H_c ≥ gate, position 0 at least gate; mixed with uniform
 * - entropy-block: a block of the response uniformly, then as the gate within it; a block below the gate holds; mixed with uniform
 * @param gate nats
 * @param blockSize positions a block
 */
export function cutLaw(name: CutLawName, gate: number, blockSize: number): CutLaw {
  switch (name) {
    case 'uniform':
      return (entropy) => new Float64Array(entropy.length).fill(1 / entropy.length);
    case 'entropy':
      return normalise;
    case 'entropy-jump':
      return (entropy) =>
        normalise(entropy.map((h, c) => Math.max(h - (c > 0 ? entropy[c - 1] : 0), 0) ** JUMP_POWER));
    case 'entropy-gate':
      return (entropy) => {
        const g = entropy.map(gated);
        g[0] = Math.max(g[0], gate);
        return withUniform(normalise(g));
      };
    case 'entropy-block':
      return (entropy) => {
        const r = entropy.map(gated);
        const blocks = Math.ceil(r.length / blockSize);
        for (let start = 0; start < r.length; start += blockSize) {
          const block = r.subarray(start, start + blockSize);
          const total = sum(block);
          if (total > 0) for (let c = 0; c < block.length; c++) block[c] /= blocks * total;
        }
        return withUniform(r);
      };
  }
  function gated(h: number): number {
    return h >= gate ? h : 0;
  }
}

/** The cut that a uniform u picks by the inverse of r's distribution function, or −1: hold. */
export function pickCut(r: Float64Array, u: number): number {
  let below = 0;
  return r.findIndex((probability) => {
    below += probability;
    return u < below;
  });
}

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

/** g / Σ g, or uniform where nothing has any weight. */
function normalise(g: Float64Array): Float64Array {
  const total = sum(g);
  return g.map((value) => (total > 0 ? value / total : 1 / g.length));
}

const withUniform = (r: Float64Array): Float64Array =>
  r.map((probability) => (1 - EPSILON) * probability + EPSILON / r.length);
