import { fromPlain, fromUnicode, groupEnd } from './notation.ts';

/** Longer answers are compared as strings without looking inside. */
export const LONGEST = 1000;

const UNITS = [
  'degrees?|radians?|rad|percent|dollars?|cents?|units?|square|cubic|sq|per|mph|kph',
  '[ckm]m|(?:centi|kilo|milli)?met(?:er|re)s?|inch(?:es)?|feet|foot|ft|yards?|yd|miles?|mi',
  'pounds?|lbs?|ounces?|oz|(?:kilo|milli)?grams?|[km]g|(?:milli)?lit(?:er|re)s?|ml|gallons?|quarts?|pints?',
  'seconds?|sec|minutes?|min|hours?|hrs?|days?|weeks?|months?|years?|m/s|km/h|per cent|USD|euros?|EUR|people|students|ways',
].join('|');
const BARE_UNIT = new RegExp(`^(.*[\\d})\\s])\\s*/?\\s*(?:${UNITS})\\.?(?:\\^\\{?\\d\\}?)?$`, 'is');
const TEXT_UNIT = /^(.*[\w)}\]!.])\s*\\text\{([^{}]*[A-Za-z][^{}]*)\}(?:\^\{?-?\d+\}?)?$/s;

/** Words that change a value, or say that it is none. */
const NO_UNIT =
  /\b(?:or|hundreds?|thousands?|[mbtr]+illions?|dozens?|pairs?|more|less|fewer|above|below|not|no|is|are|grid|base|mod|squared|cubed|factorial|half|halves|(?:thir|four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths?|thirds?)\b/i;

const GREEK = 'alpha|beta|gamma|delta|theta|lambda|mu|phi|omega';
const VARIABLE = `(?:[A-Za-z]|\\\\(?:${GREEK})(?![A-Za-z]))(?:_\\w|_\\{\\w+\\})?`;
/** `x`, `f(x)`, a tuple of variables, or what a figure calls a length or an angle. */
const LEFT_SIDE = new RegExp(
  `^((?:m?\\\\angle ?)?[A-Z]{2,3}|\\(${VARIABLE}(?:,${VARIABLE})+\\)|${VARIABLE})(\\([A-Za-z]\\))?(=|\\\\in(?![A-Za-z]))`,
);

const CLOSES: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

/** The argument of a command from `start` on, without its braces, and where it ends. */
function argument(s: string, start: number, pattern: RegExp): { text: string; end: number } | null {
  const from = start + s.slice(start).search(/\S|$/);
  if (s[from] === '{') {
    const end = groupEnd(s, from);
    return end < 0 ? null : { text: s.slice(from + 1, end - 1), end };
  }
  const token = pattern.exec(s.slice(from))?.[0];
  return token ? { text: token, end: from + token.length } : null;
}

/** `\frac12` and `\sqrt3` with braces, and the sign of a fraction before it. */
function braceArguments(s: string): string {
  const command = /\\(frac|binom|sqrt)(?![A-Za-z])/g;
  let out = '';
  let done = 0;
  for (let match = command.exec(s); match; match = command.exec(s)) {
    const name = match[1];
    let at = command.lastIndex;
    let degree = '';
    if (name === 'sqrt') {
      degree = /^\s*\[[^\]]*\]/.exec(s.slice(at))?.[0] ?? '';
      at += degree.length;
    }
    // Strictly, \sqrt13 has only the 1 under its root, but nobody means that.
    const first = argument(
      s,
      at,
      name === 'sqrt' ? /^(?:\d+(?:\.\d+)?|\\[A-Za-z]+|[A-Za-z])/ : /^(?:\\[A-Za-z]+|\w)/,
    );
    const second = first && name !== 'sqrt' ? argument(s, first.end, /^(?:\\[A-Za-z]+|\w)/) : first;
    if (!first || !second) continue;
    let [top, bottom] = [braceArguments(first.text), braceArguments(second.text)];
    out += s.slice(done, match.index);
    if (name === 'frac') {
      const negative = [top, bottom].filter((text) => /^\s*-\s*[\w.]+\s*$/.test(text)).length;
      [top, bottom] = [top, bottom].map((text) => text.replace(/^\s*-\s*([\w.]+)\s*$/, '$1'));
      const sign = negative === 1 && /(?:^|[(,[{=&\\])\s*$/.test(out) ? '-' : '';
      if (negative === 1 && !sign) top = `-${top}`;
      out += `${sign}\\frac{${top}}{${bottom}}`;
    } else if (name === 'binom') out += `\\binom{${top}}{${bottom}}`;
    else out += `\\sqrt${degree.trim()}{${top}}`;
    done = second.end;
    command.lastIndex = done;
  }
  return out + s.slice(done);
}

/** What brackets are open before each place: round, square and `\{`, in which a comma separates. */
function bracketDepth(s: string, end: number): number {
  let depth = 0;
  for (const bracket of s.slice(0, end).match(/\\[{}]|[()[\]]/g) ?? [])
    depth += /[([{]/.test(bracket) ? 1 : -1;
  return depth;
}

/** Inside brackets, and before a space, a comma always separates elements. */
const thousands = (s: string): string =>
  s
    .replace(/(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?!\d|,\d)/g, (number, at: number) =>
      bracketDepth(s, at) > 0 ? number : number.replaceAll(',', ''),
    )
    .replace(/(?<![\d.,]\s*)[1-9]\d{0,2}(?: \d{3})+(?!\s*[\d.,])/g, (number) => number.replaceAll(' ', ''));

function withoutUnits(s: string): string {
  for (;;) {
    const [, value, unit] = TEXT_UNIT.exec(s) ?? BARE_UNIT.exec(s) ?? [];
    // Without a value there is no unit, and 5 a.m. is not 5 p.m.
    if (!value || !/[\d\\]|^\s*[A-Za-z]\s*$/.test(value.replace(/\\text\{[^{}]*\}/g, ''))) return s;
    if (/^[\sap.]*m\.?\s*$/i.test(unit ?? '') && /[ap]/i.test(unit)) return s;
    if (NO_UNIT.test(unit ?? '')) return s;
    s = value.trim();
  }
}

/** Whether letters are words and not a product of variables. */
export function isText(s: string): boolean {
  const letters = s.replace(/\\[A-Za-z]+/g, ' ');
  return /[A-Za-z]{4}/.test(letters) || (/^[A-Za-z]{2,}$/.test(s) && /[eiou]/i.test(s));
}

/** The variable of a left side `x=`, `f(x)=` or `x\in` of a tidied answer, and the answer without it. */
export function leftSide(s: string): { variable: string; rest: string } | null {
  const left = LEFT_SIDE.exec(s);
  if (!left) return null;
  const rest = s.slice(left[0].length).replaceAll(`,${left[0]}`, ',');
  if (!rest || /[=<>]|\\(?:in|le|ge|ne)(?![A-Za-z])/.test(rest)) return null;
  return { variable: left[2] ? '' : left[1], rest };
}

/** Commands of style, before a group or one token. */
const STYLE =
  /\\(?:(?:text(?:bf|it|rm|sf|tt|sc|normal)?|math(?:rm|bf|it|sf|tt|normal)|operatorname\*?|boldsymbol|bm|emph|pmb|rm|bf)\s*(\{)|(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf|tt)|boldsymbol|bm|rm|bf)\s+(\\?[A-Za-z]+|\d+))/;

/** Groups of a style are text, and mathematics where commands are in them. */
function styles(s: string): string {
  let out = '';
  for (let match = STYLE.exec(s); match; match = STYLE.exec(s)) {
    const [whole, brace, token] = match;
    out += s.slice(0, match.index);
    s = s.slice(match.index + whole.length);
    if (!brace) out += `\\text{${token}}`;
    else out += /^[^{}]*[\\{]/.test(s) ? '{' : '\\text{';
  }
  return out + s;
}

function unwrapped(s: string): string {
  while (s.startsWith('{') && groupEnd(s, 0) === s.length) s = s.slice(1, -1);
  return s;
}

/** Backslashes that are all doubled, as in the text of a program, as single ones. */
const singleBackslashes = (s: string): string =>
  /(?<!\\)(?:\\\\)*\\(?!\\)/.test(s) ? s : s.replaceAll('\\\\', '\\');

/** Letters whose face says what they are. */
const letters = (command: string, letter: string): string =>
  `\\${/bb/i.test(command) ? 'mathbb' : command.includes('cal') ? 'mathcal' : 'mathfrak'}{${letter}}`;

const MATRIX = '(?:small|[pb]small|[pb])?matrix\\*?';

/** Rows without what only sets them apart, and one form for matrices; outside of these a row ends nothing. */
function rows(s: string): string {
  if (!s.includes('\\begin')) return s.replace(/\\\\(?=[A-Za-z{}$%,;!])/g, '\\').replace(/\\\\/g, ' ');
  const length = '-?\\s*[\\d.]*\\s*(?:[a-z]{2}|\\\\[A-Za-z]+)';
  return s
    .replace(/\\(?:cr|newline|tabularnewline)(?![A-Za-z])/g, '\\\\')
    .replace(/\\(?:hline|[ch]line\s*\{[^{}]*\}|(?:top|mid|bottom)rule)(?![A-Za-z])/g, '')
    .replace(new RegExp(`\\\\\\\\\\*?\\s*\\[\\s*${length}\\s*\\]|\\\\\\\\\\*`, 'g'), '\\\\')
    .replace(/(?:\\\\\s*){2,}/g, '\\\\ ')
    .replace(new RegExp(`\\\\begin\\s*\\{${MATRIX}\\}(?:\\s*\\[[lcr|\\s]+\\])?`, 'g'), '\\begin{matrix}')
    .replace(new RegExp(`\\\\end\\s*\\{${MATRIX}\\}`, 'g'), '\\end{matrix}')
    .replace(/\\begin\s*\{array\}\s*(?:\[\w\]\s*)?\{[^{}]*\}/g, '\\begin{matrix}')
    .replace(/\\end\s*\{array\}/g, '\\end{matrix}')
    .replace(/\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])/g, '')
    .replace(/([([])\s*(\\begin\{matrix\}[\s\S]*?\\end\{matrix\})\s*[)\]]/g, '$2')
    .replace(/\|\s*\\begin\{matrix\}([\s\S]*?)\\end\{matrix\}\s*\|/g, '\\begin{vmatrix}$1\\end{vmatrix}');
}

/** `]0,1[` as `(0,1)`. */
const openIntervals = (s: string): string =>
  s
    .split(/(\\cup )/)
    .map((part) =>
      part.replace(
        /^\s*([[\]])([^[\]()]+,[^[\]()]+)([[\]])\s*$/,
        (_, open, inside, close) => `${open === ']' ? '(' : '['}${inside}${close === '[' ? ')' : ']'}`,
      ),
    )
    .join('');

/** All of `normalise` but dropping a left side. */
export function tidy(latex: string): string {
  let s = latex.trim();
  if (s.length > LONGEST) return s.replace(/\s+/g, ' ');
  s = rows(singleBackslashes(fromUnicode(s)).replace(/^\s*(\*\*?|["'`])(.+)\1\s*$/s, '$2'))
    .replace(/["`]/g, '')
    .replace(/\\(?:d?boxed|[fm]box|hbox|ensuremath|underline|textcolor\s*\{\w*\})(?=\s*\{)/g, (name) =>
      /[mh]box/.test(name) ? '\\text' : '',
    )
    .replace(/\\color\s*\{\w*\}|\\(?:[hv]?phantom|[hv]space\*?)\s*\{[^{}]*\}|\\hfill?(?![A-Za-z])/g, '')
    .replace(/\\(?:tiny|small|normalsize|large|Large|LARGE|huge|Huge)(?![A-Za-z])/g, '')
    .replace(/(\d)(?:\s*,\s*\\!\s*|\{,\}|')(?=\d{3}(?!\d))/g, '$1')
    .replaceAll('{,}', ',')
    .replace(/(?<!\\)\\[!()[\]]/g, '')
    .replace(/\\\$|[$€£¥₹¢]|\\?%|^USD(?=\s*\d)/g, '')
    .replace(/(?<!\\)\\[,;: ]|\\q?quad(?![A-Za-z])|[~\u00a0]/g, ' ')
    .replace(/\\(?:left|right|middle|[bB]igg?[lr]?|(?:display|text|script)style)(?![A-Za-z])/g, '')
    .replace(/\\(?:[dtc](?=frac|binom)|s(?=frac)|nice(?=frac))(frac|binom)(?![A-Za-z])/g, '\\$1')
    .replace(/\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}/g, '\\binom{$1}{$2}')
    .replace(/\\(?:mathbb|Bbb|mathcal|mathfrak)\s*\{?\s*([A-Za-z])(?:\s*\})?/g, letters)
    .replace(/\\([RNZQC])(?![A-Za-z])/g, '\\mathbb{$1}')
    .replace(/\\leq(?:q|slant)?(?![A-Za-z])/g, '\\le ')
    .replace(/\\geq(?:q|slant)?(?![A-Za-z])/g, '\\ge ')
    .replace(/\\neq(?![A-Za-z])|\\not\s*=/g, '\\ne ')
    .replace(/\\not\s*\\in(?![A-Za-z])/g, '\\notin ')
    .replace(/\\lt(?![A-Za-z])/g, '<')
    .replace(/\\gt(?![A-Za-z])/g, '>')
    .replace(/\\lbrace(?![A-Za-z])/g, '\\{')
    .replace(/\\rbrace(?![A-Za-z])/g, '\\}')
    .replace(/\\lbrack(?![A-Za-z])/g, '[')
    .replace(/\\rbrack(?![A-Za-z])/g, ']')
    .replace(/\\langle(?![A-Za-z])([^()]*)\\rangle(?![A-Za-z])/g, '($1)')
    .replace(/\\(?:[lr]?(?:vert|Vert)|mid)(?![A-Za-z])/g, '|')
    .replace(/\\var(?=(?:phi|epsilon|theta|rho|sigma)(?![A-Za-z]))/g, '\\')
    .replace(/\\backslash(?![A-Za-z])/g, '\\setminus ')
    .replace(/\\bigcup(?![A-Za-z])/g, '\\cup ')
    .replace(/\\varnothing(?![A-Za-z])|\\\{\s*\\\}/g, '\\emptyset ')
    .replace(/\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\(?:degree|deg)(?![A-Za-z])/g, '^\\circ ')
    .replace(/(?<=\d)\s*(?:\{\})?(?:\^\{o\}|\^o(?![A-Za-z])|\\circ(?![A-Za-z]))/g, '^\\circ ')
    .replace(/(\^\\circ )\s*(?:\\text\{\s*[CF]\s*\}|[CF](?![A-Za-z]))/g, '$1')
    .replace(/(0?\.\d*)\\(?:bar|dot|overline)\s*(?:\{(\d+)\}|(\d))/g, '$1\\overline{$2$3}');
  s = unwrapped(fromPlain(styles(s)).trim())
    .replace(/\\times(?![A-Za-z])|\*/g, '\\cdot ')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/(?<![\\.])[.,;]$/, '')
    .replace(/^\\text\{(\s*[-+.\d][^{}]*)\}$/, '$1')
    .replace(
      /^(?:\\text\{\s*)?(?:the\s+)?(?:final\s+)?answer\b(?:\s+is\b)?\s*[:=]?\s*(\})?/i,
      (whole, close) => (/^\\text/.test(whole) && !close ? '\\text{' : ''),
    )
    .replace(/^\\text\{\s*\(([A-Za-z])\)\s*\}$/, (_, letter) => letter.toUpperCase());
  if (!s.includes(',')) s = s.replace(/;/g, ',');
  s = openIntervals(s);
  // Lists in words.
  s = s
    .replace(
      /\\text\{\s*,?\s*(?:and|or)\s*\}|\\(?:lor|vee)(?![A-Za-z])|\\&|(?<![\\A-Za-z]),?\s+(?:and|or)\s+/g,
      ',',
    )
    .replace(/,\s*,/g, ',');
  s = s.replace(/(\w),?\s+(?:and|or)\s+(?=\w)/g, '$1,');
  s = s.replace(/\\text\{\s*([a-z])\s*\}/g, (whole, letter) => (/[mgshl]/.test(letter) ? whole : letter));
  s = withoutUnits(s);
  if (!/\\(?:sin|cos|tan|cot|sec|csc)/.test(s)) s = s.replace(/\^\\circ ?/g, '');
  s = s
    .replace(/\\text\{([^{}]*)\}/g, '$1')
    .trim()
    .replace(/\.$/, '');
  s = thousands(s)
    .replace(/(^|[^\d\s])(\s*)\.(?=\d)/g, '$1$20.')
    .replace(/(?<![\w.}\])])(\d+)\s+(\d+)\s*\/\s*(\d+)(?![\w.^!({])/g, '$1\\frac{$2}{$3}')
    .replace(/(?<![\w.}\])/^]\s*)(\d+)\s*\/\s*(\d+)(?!\s*[\d.^!_/])/g, '\\frac{$1}{$2}');
  s = braceArguments(s)
    .replace(/([\^_])(\d\d+)/g, '$1{$2}')
    .replace(/([\^_])\{\s*(\w)\s*\}(?!\s*\d)/g, '$1$2')
    // Spaces count only where something else would become of the text without them.
    .replace(/(\\[A-Za-z]+)\s+(?=[A-Za-z])/g, '$1\u0000')
    .replace(/(?<![\\A-Za-z])p\s+(?=i)/g, 'p\u0000')
    .replace(/(\d)\s+(?=\d)/g, '$1\u0000')
    .replace(/(\d,)\s+(?=\d{3}(?!\d))/g, '$1\u0000')
    .replace(/(\\\\)\s+(?=[A-Za-z])/g, '$1\u0000')
    .replace(/\s/g, '')
    .replaceAll('\u0000', ' ')
    .replace(/(^|[([,={])\+/g, '$1');
  s = s.replace(/(?<![\w.}\])^_])(\d+)\\frac\{(\d+)\}\{(\d+)\}/g, (whole, units, top, bottom) => {
    const [n, a, b] = [units, top, bottom].map(BigInt);
    return a < b ? `\\frac{${n * b + a}}{${b}}` : whole;
  });
  s = unwrapped(s)
    .replace(/^\(([A-Z])\)$/, '$1')
    .replace(/^\((\w+)\)_/, '$1_');
  return /^[A-Za-z,'-]+$/.test(s) && isText(s) ? s.toLowerCase() : s;
}

/**
 * An answer without what does not change it: spacing, `\left` and `\right`, units, degrees, `$`, `\%` (50\% is 50, not 0.5),
 * thousands separators (`10,000` outside brackets, and not `10, 000`), `\text`, a left side `x=`, and with one form for
 * fractions, roots, mixed numbers and matrices. Words become lower case. Idempotent on the usual answers.
 */
export function normalise(latex: string): string {
  const s = tidy(latex);
  return leftSide(s)?.rest ?? s;
}

/** The parts between separators (a sticky pattern) that are inside no bracket, brace or environment. */
export function split(s: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  const token = /\\begin\{|\\end\{|\\[A-Za-z]+|\\[\s\S]|[\s\S]/y;
  while (token.lastIndex < s.length) {
    separator.lastIndex = token.lastIndex;
    const found = depth === 0 && separator.exec(s);
    if (found) {
      parts.push(s.slice(start, found.index));
      start = separator.lastIndex;
      token.lastIndex = start;
      continue;
    }
    const symbol = token.exec(s)?.[0] ?? '';
    // The brace that \begin{ and \end{ open is closed by itself.
    if (symbol === '\\begin{') depth += 2;
    else if (symbol === '\\end{') depth += 0;
    else if (/^(?:\\\{|[([{])$/.test(symbol)) depth++;
    else if (/^(?:\\\}|[)\]}])$/.test(symbol)) depth--;
  }
  parts.push(s.slice(start));
  return parts;
}

/** Whether every bracket and brace closes one of its kind. */
export function isBalanced(s: string): boolean {
  const open: string[] = [];
  for (const token of s.match(/\\[\s\S]|[()[\]{}]/g) ?? []) {
    const bracket = token.at(-1) ?? '';
    if ('([{'.includes(bracket)) open.push(token);
    else if (')]}'.includes(bracket) && open.pop() !== token.replace(bracket, CLOSES[bracket])) return false;
  }
  return open.length === 0;
}

/** An answer in one pair of brackets (which need not match: `[0,1)`), or null. */
export function bracketed(s: string): { open: string; close: string; inside: string } | null {
  const [open] = /^(?:\\\{|[([])/.exec(s) ?? [];
  const [close] = /(?:\\\}|[)\]])$/.exec(s) ?? [];
  if (!open || !close || s.length < open.length + close.length) return null;
  const inside = s.slice(open.length, s.length - close.length);
  let depth = 0;
  for (const bracket of inside.match(/\\[{}]|[()[\]]/g) ?? []) {
    depth += /[([{]/.test(bracket) ? 1 : -1;
    if (depth < 0) return null;
  }
  return depth === 0 ? { open, close, inside } : null;
}

/** `\binom{n}{k}` in factorials. */
export function binomials(s: string): string {
  const at = s.lastIndexOf('\\binom{');
  if (at < 0) return s;
  const middle = groupEnd(s, at + 6);
  const end = groupEnd(s, middle);
  if (middle < 0 || end < 0) return s;
  const [n, k] = [s.slice(at + 7, middle - 1), s.slice(middle + 1, end - 1)];
  return binomials(`${s.slice(0, at)}\\frac{(${n})!}{(${k})!(${n}-(${k}))!}${s.slice(end)}`);
}
