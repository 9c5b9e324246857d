import { ComputeEngine } from '@cortex-js/compute-engine';
import { lastBoxed } from '../../answers/boxed.ts';
import type { Grade } from '../item.ts';
import {
  binomials,
  bracketed,
  isBalanced,
  isText,
  LONGEST,
  leftSide,
  normalise,
  split,
  tidy,
} from './latex.ts';

/** An expression as the parser gives it (MathJSON). */
type Tree = number | string | { readonly num: string } | readonly [string, ...Tree[]];

/** A rational number, in lowest terms and d > 0. */
interface Exact {
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
type Value = Exact | Approximate | null;
type Complex = readonly [re: number, im: number];
type Point = ReadonlyMap<string, Exact>;

/** Larger rationals than this go on as doubles. */
const LARGEST_BITS = 1 << 14;
const POINTS = 48;
/** Of the points, so many must decide for an equality in variables. */
const ENOUGH = 4;

const bits = (n: bigint): number => 4 * n.toString(16).length;

function exact(n: bigint, d: bigint): Value {
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

function approximate(re: number, im: number, error = 0): Value {
  const size = Math.hypot(re, im);
  const rounding = error + 2 ** -52 * size;
  return Number.isFinite(size) && rounding <= 1e-9 * Math.max(1, size) ? { re, im, error: rounding } : null;
}

/** A decimal such as `-0.5` or `1e30` as what it says. */
function decimal(text: string): Value {
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
function lift(f: (...z: Complex[]) => Complex | null, ...values: Value[]): Value {
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

function add(a: Value, b: Value): Value {
  if (isExact(a) && isExact(b)) return exact(a.n * b.d + b.n * a.d, a.d * b.d);
  return lift((x, y) => [x[0] + y[0], x[1] + y[1]], a, b);
}

function multiply(a: Value, b: Value): Value {
  if (isExact(a) && isExact(b)) return exact(a.n * b.n, a.d * b.d);
  return lift((x, y) => [x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]], a, b);
}

function divide(a: Value, b: Value): Value {
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
const logOf =
  (real: boolean) =>
  ([re, im]: Complex): Complex | null =>
    real && (im !== 0 || re <= 0) ? null : [Math.log(Math.hypot(re, im)), Math.atan2(im, re)];

function power(a: Value, b: Value, real: boolean): Value {
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

const FUNCTIONS: Readonly<Record<string, (a: Value) => Value>> = {
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

const GREEK = /^(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|phi|psi|rho|sigma|tau|omega|ell)$/;
/** Letters in which the parser sees a constant, and that are variables in answers. */
const LETTERS = new Set(['CatalanConstant', 'EulerGamma', 'GoldenRatio']);
const CONSTANTS: Readonly<Record<string, Value>> = {
  Pi: approximate(Math.PI, 0),
  e: approximate(Math.E, 0),
  i: { re: 0, im: 1, error: 0 },
};

const isVariable = (symbol: string): boolean =>
  /^[A-Za-z](?:_\w+)?$/.test(symbol) || GREEK.test(symbol) || LETTERS.has(symbol);

function variables(tree: Tree, found = new Set<string>()): Set<string> {
  if (typeof tree === 'string' && !(tree in CONSTANTS) && isVariable(tree)) found.add(tree);
  if (Array.isArray(tree)) for (const part of tree.slice(1)) variables(part, found);
  return found;
}

function product(parts: readonly Tree[], at: Point): Value {
  let result: Value = { n: 1n, d: 1n };
  for (let k = 0; k < parts.length; k++) {
    // The parser leaves \exp x as two factors.
    const factor =
      parts[k] === 'Exp' && k + 1 < parts.length
        ? FUNCTIONS.Exp(evaluate(parts[++k], at))
        : evaluate(parts[k], at);
    result = multiply(result, factor);
  }
  return result;
}

/** The value of a parsed expression; whatever is not known here (an error of the parser, too) has none. */
function evaluate(tree: Tree, at: Point): Value {
  if (typeof tree === 'number') return decimal(String(tree));
  if (typeof tree === 'string') return at.get(tree) ?? CONSTANTS[tree] ?? null;
  if ('num' in tree) return decimal(tree.num);
  const [head, ...parts] = tree;
  const real = () => variables(parts[0]).size > 0;
  const value = (k: number) => evaluate(parts[k], at);
  if (head === 'InvisibleOperator' || head === 'Multiply') return product(parts, at);
  if (head === 'Add') return parts.map((part) => evaluate(part, at)).reduce(add);
  if (parts.length === 1) {
    if (head === 'Delimiter') return value(0);
    if (head === 'Sqrt') return power(value(0), { n: 1n, d: 2n }, real());
    if (head === 'Ln') return lift(logOf(real()), value(0));
    if (head === 'Lb') return divide(lift(logOf(real()), value(0)), approximate(Math.LN2, 0));
    if (head === 'Log') return divide(lift(logOf(real()), value(0)), approximate(Math.LN10, 0));
    return Object.hasOwn(FUNCTIONS, head) ? FUNCTIONS[head](value(0)) : null;
  }
  if (parts.length !== 2) return null;
  if (head === 'Divide') return divide(value(0), value(1));
  if (head === 'Power') return power(value(0), value(1), real());
  if (head === 'Root') return power(value(0), divide({ n: 1n, d: 1n }, value(1)), real());
  if (head === 'Log') return divide(lift(logOf(real()), value(0)), lift(logOf(true), value(1)));
  if (head === 'Apply' && Array.isArray(parts[0]) && parts[0][0] === 'InverseFunction') {
    const name = `Arc${String(parts[0][1]).toLowerCase()}`;
    return Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name](value(1)) : null;
  }
  return null;
}

/** Fixed points: small whole numbers first, for what is defined only there, then fractions from ±1/16 to ±100. */
function point(names: ReadonlySet<string>, index: number): Point {
  let state = index * 7919 + 17;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  random();
  const at = new Map<string, Exact>();
  for (const name of [...names].sort()) {
    const size = index < 12 ? 16 * Math.ceil(12 * random()) : Math.ceil(1600 ** random());
    at.set(name, exact(BigInt(index >= 12 && random() < 0.5 ? -size : size), 16n) as Exact);
  }
  return at;
}

/** Null where undecided. */
function sameValue(a: Value, b: Value): boolean | null {
  if (a === null || b === null) return null;
  if (isExact(a) && isExact(b)) return a.n === b.n && a.d === b.d;
  const [x, y] = [toComplex(a), toComplex(b)];
  return Math.hypot(x[0] - y[0], x[1] - y[1]) <= 16 * (errorOf(a) + errorOf(b));
}

/** Whether two expressions agree, wherever both are defined, at fixed points. */
function sameFunction(a: Tree, b: Tree): boolean {
  const names = variables(a);
  variables(b, names);
  let agreed = 0;
  for (let index = 0; index < (names.size ? POINTS : 1); index++) {
    const at = point(names, index);
    const same = sameValue(evaluate(a, at), evaluate(b, at));
    if (same === false) return false;
    if (same) agreed++;
  }
  return agreed >= (names.size ? ENOUGH : 1);
}

const engine = new ComputeEngine();

/** The parse of an expression without commas and relations, or null for words and what is not an expression. */
function parse(s: string): Tree | null {
  // Unbalanced and square brackets cost the parser exponential time, and it would join digits over a space.
  const unclear = !isBalanced(s) || /(?<!_)\d \d|(?<!\\sqrt)\[/.test(s);
  // Capitals alone are names or an order, not a product.
  if (s === '' || unclear || isText(s) || /^[A-Z]{2,}$/.test(s)) return null;
  const source = binomials(s)
    .replace(/(\d*)\.(\d*)\\overline\{(\d+)\}/g, (_, whole: string, fixed: string, repeated: string) => {
      const n = BigInt(whole + fixed + repeated) - BigInt(whole + fixed);
      return `(\\frac{${n}}{${'9'.repeat(repeated.length)}${'0'.repeat(fixed.length)}})`;
    })
    .replace(/(?<!\\[A-Za-z]*)([A-Za-z])_(?:(\w)|\{(\w+)\})/g, '\\mathrm{$1_$2$3}')
    // Not 2·10^5.
    .replace(/(\d)([eE])/g, '$1{$2}');
  return engine.parse(source, { canonical: false }).json as Tree;
}

/** Every ± as + and as −. */
const signs = (s: string): string[] =>
  /\\(?:pm|mp)(?![A-Za-z])/.test(s)
    ? ['+-', '-+'].map(([upper, lower]) =>
        s.replace(/\\pm(?![A-Za-z]) ?/g, upper).replace(/\\mp(?![A-Za-z]) ?/g, lower),
      )
    : [s];

const elements = (inside: string): string[] =>
  inside === '' ? [] : split(inside, /,/y).flatMap((element) => signs(element));

function sameMultiset(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  const left = [...b];
  return a.every((element) => {
    const at = left.findIndex((other) => same(element, other));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

const sameSequence = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((element, k) => same(element, b[k]));

const RELATIONS: Readonly<Record<string, string>> = {
  '=': '=',
  '<': '>',
  '>': '<',
  '\\le': '\\ge',
  '\\ge': '\\le',
  '\\ne': '\\ne',
  '\\in': '',
};
const RELATION = /[=<>]|\\(?:le|ge|ne|in)(?![A-Za-z]) ?/y;

/** Sides and signs of a chain such as `a<b\le c`, or null. */
function relation(s: string): { sides: string[]; signs: string[] } | null {
  const sides = split(s, RELATION);
  if (sides.length === 1) return null;
  const found: string[] = [];
  let at = 0;
  for (const side of sides.slice(0, -1)) {
    at += side.length;
    RELATION.lastIndex = at;
    const [symbol] = RELATION.exec(s) ?? [''];
    found.push(symbol.trim());
    at += symbol.length;
  }
  return { sides, signs: found };
}

function sameRelation(a: string, b: string): boolean {
  const [x, y] = [relation(a), relation(b)];
  if (!x || !y || x.signs.length !== y.signs.length) return false;
  const straight = x.signs.every((sign, k) => sign === y.signs[k]);
  if (straight && sameSequence(x.sides, y.sides)) return true;
  const turned = x.signs.every((sign, k) => sign === RELATIONS[y.signs[y.signs.length - 1 - k]]);
  if (turned && sameSequence(x.sides, y.sides.toReversed())) return true;
  if (x.signs.join() !== '=' || y.signs.join() !== '=') return false;
  // Terms may have changed sides; a multiple of an equation is another one.
  const [p, q, r, t] = [...x.sides, ...y.sides].map(parse);
  if (p === null || q === null || r === null || t === null) return false;
  const left: Tree = ['Add', p, ['Negate', q]];
  return sameFunction(left, ['Add', r, ['Negate', t]]) || sameFunction(left, ['Add', t, ['Negate', r]]);
}

function sameMatrix(a: string, b: string): boolean {
  const [p, q] = [a, b].map((s) => /^\\begin\{([a-zA-Z]+)\}(.*)\\end\{\1\}$/s.exec(s));
  if (!p || !q || p[1] !== q[1]) return false;
  const [x, y] = [p, q].map(([, , inside]) =>
    split(inside.replace(/\\\\\s*$/, ''), /\\\\\s*/y).map((row) => split(row, /&/y)),
  );
  return x.length === y.length && x.every((row, k) => sameSequence(row, y[k]));
}

/** Of two answers, or of two elements of such. */
function same(given: string, right: string): boolean {
  const [wholeA, wholeB] = [given, right].map(tidy);
  if (wholeA === wholeB) return wholeA !== '';
  const [leftA, leftB] = [wholeA, wholeB].map(leftSide);
  // x=5 is 5 and f(x)=x is x, but x=5 is not y=5, and y=x is x-y=0.
  const differ = leftA?.variable && leftB?.variable && leftA.variable !== leftB.variable;
  if (differ || (leftA && !leftB && relation(wholeB)) || (leftB && !leftA && relation(wholeA))) {
    return sameRelation(wholeA, wholeB);
  }
  const [a, b] = [leftA?.rest ?? wholeA, leftB?.rest ?? wholeB];
  if (a === '' || b === '' || a === b) return a === b;
  if (a.includes('\\begin') || b.includes('\\begin')) return sameMatrix(a, b);
  const [unionA, unionB] = [a, b].map((s) => split(s, /\\cup(?![A-Za-z]) ?/y));
  if (unionA.length > 1 || unionB.length > 1) return sameMultiset(unionA, unionB);

  const isSet = (s: string) => bracketed(s)?.open === '\\{' && bracketed(s)?.close === '\\}';
  const [listA, listB] = [a, b].map((s) => elements(isSet(s) ? s.slice(2, -2) : s));
  if (isSet(a) !== isSet(b) && listA.length === 1 && listB.length === 1) return false;
  if (listA.length > 1 || listB.length > 1 || isSet(a)) return sameMultiset(listA, listB);

  const [inA, inB] = [bracketed(a), bracketed(b)];
  const [partsA, partsB] = [inA, inB].map((s) => (s ? split(s.inside, /,/y) : []));
  if (partsA.length > 1 || partsB.length > 1) {
    return inA?.open === inB?.open && inA?.close === inB?.close && sameSequence(partsA, partsB);
  }
  if (relation(a) || relation(b)) return sameRelation(a, b);

  const [x, y] = [decimal(a), decimal(b)];
  if (x && y) return sameValue(x, y) === true;
  const [treeA, treeB] = [parse(a), parse(b)];
  return treeA !== null && treeB !== null && sameFunction(treeA, treeB);
}

/**
 * Whether two answers in LaTeX are the same: as normalised strings, element by element (tuples and intervals in order and with
 * their brackets, sets and lists in any order, unions, matrices, equations up to terms that changed sides), as numbers, or as
 * functions of their variables at fixed points. Decimals are exact, to some 14 digits: 0.333 is not
 * 1/3, and 3.14 is not π. What cannot be parsed
 * or decided is not equal.
 */
export function equivalent(given: string, right: string): boolean {
  if (given.trim().length > LONGEST || right.trim().length > LONGEST) {
    return normalise(given) === normalise(right);
  }
  try {
    return same(given, right);
  } catch {
    // The parser throws on some malformed input, and nesting can exhaust the stack.
    return false;
  }
}

/** Grades the last box of a response; see `equivalent`. */
export function gradeMath(response: string, right: string): Grade {
  const boxed = lastBoxed(response);
  const answer = boxed === null ? '' : normalise(boxed);
  if (boxed === null || answer === '') return { verdict: 'no answer', answer: null };
  return { verdict: equivalent(boxed, right) ? 'right' : 'wrong', answer };
}
