/** A rational number, in lowest terms and d > 0. */
export interface Exact {
  readonly n: bigint;
  readonly d: bigint;
}
/** A complex number in doubles, with an estimate of its rounding error. */
interface Approximate {
  readonly re: number;
  readonly im: number;
  readonly error: number;
}
/** Null: undefined at this point, or not computed with enough digits to decide anything. */
export type Value = Exact | Approximate | null;
type Complex = readonly [re: number, im: number];
/** Larger rationals than this go on as doubles. */
const LARGEST_BITS = 1 << 14;

const bits = (n: bigint): number => 4 * n.toString(16).length;

export function exact(n: bigint, d: bigint): Value {
  if (d === 0n) return null;
  let [a, b] = [n < 0n ? -n : n, d < 0n ? -d : d];
  if (bits(a) + bits(b) > 2 * LARGEST_BITS) return approximate(quotient(n, d), 0);
  while (b) [a, b] = [b, a % b];
  const divisor = d < 0n ? -a : a;
  return { n: n / divisor, d: d / divisor };
}

function quotient(n: bigint, d: bigint): number {
  const shift = BigInt(Math.max(0, Math.min(bits(n), bits(d)) - 200));
  return Number(n >> shift) / Number(d >> shift);
}

export function approximate(re: number, im: number, error = 0): Value {
  const size = Math.hypot(re, im);
  const rounding = error + 2 ** -52 * size;
  return Number.isFinite(size) && rounding <= 1e-9 * Math.max(1, size) ? { re, im, error: rounding } : null;
}

/** A decimal such as `-0.5` or `1e30` as what it says. */
export function decimal(text: string): Value {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const power = Number(exponent) - fraction.length;
  if (whole === undefined || Math.abs(power) > 4000) return null;
  const n = BigInt(sign + whole + fraction);
  return power < 0 ? exact(n, 10n ** BigInt(-power)) : exact(n * 10n ** BigInt(power), 1n);
}

const isExact = (value: Value): value is Exact => value !== null && 'n' in value;

function toComplex(value: Exact | Approximate): Complex {
  return isExact(value) ? [quotient(value.n, value.d), 0] : [value.re, value.im];
}

function errorOf(value: Exact | Approximate): number {
  return isExact(value) ? 2 ** -53 * Math.abs(quotient(value.n, value.d)) : value.error;
}

/** f in doubles; its error is what the arguments' errors make of it. */
export function lift(f: (...z: Complex[]) => Complex | null, ...values: Value[]): Value {
  if (values.some((value) => value === null)) return null;
  const given = values as (Exact | Approximate)[];
  const z = given.map(toComplex);
  const result = f(...z);
  if (!result) return null;
  let error = 2 ** -51 * Math.hypot(...result);
  for (let k = 0; k < z.length; k++) {
    const e = errorOf(given[k]);
    const moved = f(
      ...z.map(([re, im], j): Complex => (j === k ? [re + e, im === 0 ? 0 : im + e] : [re, im])),
    );
    if (!moved) return null;
    error += Math.hypot(moved[0] - result[0], moved[1] - result[1]);
  }
  return approximate(result[0], result[1], error);
}

export function add(a: Value, b: Value): Value {
  if (isExact(a) && isExact(b)) return exact(a.n * b.d + b.n * a.d, a.d * b.d);
  return lift((x, y) => [x[0] + y[0], x[1] + y[1]], a, b);
}

export function multiply(a: Value, b: Value): Value {
  if (isExact(a) && isExact(b)) return exact(a.n * b.n, a.d * b.d);
  return lift((x, y) => [x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]], a, b);
}

export function divide(a: Value, b: Value): Value {
  if (isExact(b)) return multiply(a, exact(b.d, b.n));
  const inverse = lift(([re, im]) => {
    const square = re * re + im * im;
    return square === 0 ? null : [re / square, -im / square];
  }, b);
  return multiply(a, inverse);
}

const negate = (a: Value): Value => multiply(a, { n: -1n, d: 1n });

const expOf = ([re, im]: Complex): Complex => [Math.exp(re) * Math.cos(im), Math.exp(re) * Math.sin(im)];

/** The logarithm, and powers below, of a negative number are undefined where variables are in it: a real function is meant. */
export const logOf =
  (real: boolean) =>
  ([re, im]: Complex): Complex | null =>
    real && (im !== 0 || re <= 0) ? null : [Math.log(Math.hypot(re, im)), Math.atan2(im, re)];

export function power(a: Value, b: Value, real: boolean): Value {
  if (a === null || b === null) return null;
  if (isExact(b) && b.d === 1n) {
    const size = b.n < 0n ? -b.n : b.n;
    if (isExact(a) && BigInt(bits(a.n) + bits(a.d)) * size <= BigInt(LARGEST_BITS)) {
      return b.n < 0n ? exact(a.d ** size, a.n ** size) : exact(a.n ** size, a.d ** size);
    }
    if (!isExact(a) && a.im !== 0 && size <= 64n) {
      let result: Value = { n: 1n, d: 1n };
      for (let k = 0n; k < size; k++) result = multiply(result, a);
      return b.n < 0n ? divide({ n: 1n, d: 1n }, result) : result;
    }
  }
  // An odd root of a negative number is the real one.
  const odd = isExact(b) && b.d % 2n === 1n;
  const sign = isExact(b) && b.n % 2n !== 0n ? -1 : 1;
  return lift(
    (x, y) => {
      if (x[1] === 0 && y[1] === 0) {
        if (x[0] >= 0) return [x[0] ** y[0], 0];
        if (odd) return [sign * (-x[0]) ** y[0], 0];
      }
      const log = logOf(real)(x);
      return log && expOf([log[0] * y[0] - log[1] * y[1], log[0] * y[1] + log[1] * y[0]]);
    },
    a,
    // Moving an exact exponent would be wrong for odd roots; its error is far below the result's.
    isExact(b) ? approximate(...toComplex(b)) : b,
  );
}

function factorial(a: Value): Value {
  if (!isExact(a) || a.d !== 1n || a.n < 0n || a.n > 1500n) return null;
  let n = 1n;
  for (let k = 2n; k <= a.n; k++) n *= k;
  return { n, d: 1n };
}

function floor(a: Value): Value {
  if (!isExact(a)) return null;
  const whole = a.n / a.d;
  return { n: a.n < 0n && whole * a.d !== a.n ? whole - 1n : whole, d: 1n };
}

const realOnly =
  (f: (x: number) => number) =>
  ([re, im]: Complex): Complex | null =>
    im === 0 ? [f(re), 0] : null;

export const FUNCTIONS: Readonly<Record<string, (a: Value) => Value>> = {
  Negate: negate,
  Factorial: factorial,
  Floor: floor,
  Ceil: (a) => negate(floor(negate(a))),
  Abs: (a) => (isExact(a) ? exact(a.n < 0n ? -a.n : a.n, a.d) : lift((z) => [Math.hypot(...z), 0], a)),
  Degrees: (a) => multiply(a, approximate(Math.PI / 180, 0)),
  Exp: (a) => lift(expOf, a),
  Sin: (a) => lift(([x, y]) => [Math.sin(x) * Math.cosh(y), y === 0 ? 0 : Math.cos(x) * Math.sinh(y)], a),
  Cos: (a) => lift(([x, y]) => [Math.cos(x) * Math.cosh(y), y === 0 ? 0 : -Math.sin(x) * Math.sinh(y)], a),
  Tan: (a) => divide(FUNCTIONS.Sin(a), FUNCTIONS.Cos(a)),
  Cot: (a) => divide(FUNCTIONS.Cos(a), FUNCTIONS.Sin(a)),
  Sec: (a) => divide({ n: 1n, d: 1n }, FUNCTIONS.Cos(a)),
  Csc: (a) => divide({ n: 1n, d: 1n }, FUNCTIONS.Sin(a)),
  Arcsin: (a) => lift(realOnly(Math.asin), a),
  Arccos: (a) => lift(realOnly(Math.acos), a),
  Arctan: (a) => lift(realOnly(Math.atan), a),
  Sinh: (a) => lift(realOnly(Math.sinh), a),
  Cosh: (a) => lift(realOnly(Math.cosh), a),
  Tanh: (a) => lift(realOnly(Math.tanh), a),
};

/** Null where undecided. */
export function sameValue(a: Value, b: Value): boolean | null {
  if (a === null || b === null) return null;
  if (isExact(a) && isExact(b)) return a.n === b.n && a.d === b.d;
  const [x, y] = [toComplex(a), toComplex(b)];
  return Math.hypot(x[0] - y[0], x[1] - y[1]) <= 16 * (errorOf(a) + errorOf(b));
}
