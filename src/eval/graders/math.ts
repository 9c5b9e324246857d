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
import {
  add,
  approximate,
  decimal,
  divide,
  type Exact,
  exact,
  FUNCTIONS,
  lift,
  logOf,
  multiply,
  power,
  sameValue,
  type Value,
} from './values.ts';

/** An expression as the parser gives it (MathJSON). */
type Tree = number | string | { readonly num: string } | readonly [string, ...Tree[]];

type Point = ReadonlyMap<string, Exact>;

const POINTS = 48;
/** Of the points, so many must decide for an equality in variables. */
const ENOUGH = 4;

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
