/** The largest deviation of a checked output from float64, and the largest allowed, in root mean squares of these outputs. */
export interface Check {
  error: number;
  bound: number;
}

/**
 * Rounding errors of a sum, and the sum itself, grow with the root of the number of terms: √terms · 2^-24 of the outputs' root mean
 * square is the scale of an error. 32 times that is allowed, of which the worst of millions of outputs and products of two sums take
 * half; one term left out or taken twice is off by 1 / √terms, hundreds of times as much.
 */
export function compare(
  ours: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
  terms: number,
): Check {
  let [square, count, error] = [0, 0, 0];
  for (const [i, right] of expected.entries()) {
    for (let j = 0; j < right.length; j++) {
      square += right[j] ** 2;
      count++;
      error = Math.max(error, Math.abs(ours[i][j] - right[j])); // NaN stays
    }
  }
  return { error: error / Math.sqrt(square / count), bound: 32 * Math.sqrt(terms) * 2 ** -24 };
}

/** How many words differ, of those that must be the same. */
export function exact(ours: ArrayLike<number>, expected: ArrayLike<number>): Check {
  let error = 0;
  for (let i = 0; i < expected.length; i++) if (ours[i] !== expected[i]) error++;
  return { error, bound: 0 };
}

export const isRight = ({ error, bound }: Check): boolean => error <= bound; // NaN is not

/** The check that comes closest to its bound, or goes furthest beyond it. */
export function worst(checks: readonly Check[]): Check {
  const share = (check: Check) => {
    if (isRight(check)) return check.bound > 0 ? check.error / check.bound : 0;
    return check.error / check.bound || Infinity;
  };
  return checks.reduce((a, b) => (share(b) > share(a) ? b : a));
}

/** Bits of an f32, the same for every NaN: what moves one may change its bits. */
export const oneNaN = (bits: number): number => ((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits);

/** The number nearest to `right` of those whose nearest bf16 is `rounded`. */
export function unrounded(rounded: number, right: number): number {
  const bits = new Uint32Array(Float32Array.of(Math.abs(rounded)).buffer)[0];
  const beside = (step: number) => new Float32Array(Uint32Array.of(bits + step).buffer)[0];
  const above = (Math.abs(rounded) + beside(0x10000)) / 2;
  const below = bits === 0 ? -above : (Math.abs(rounded) + beside(-0x10000)) / 2;
  const sign = rounded < 0 ? -1 : 1;
  return sign * Math.min(Math.max(sign * right, below), above);
}
