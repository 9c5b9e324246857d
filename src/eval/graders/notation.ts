const SYMBOLS: Readonly<Record<string, string>> = {
  '∙': '\\cdot ',
  '•': '\\cdot ',
  '·': '\\cdot ',
  '⋅': '\\cdot ',
  '∗': '\\cdot ',
  '×': '\\times ',
  '÷': '\\div ',
  '∕': '/',
  '⁄': '/',
  '∶': ':',
  '∞': '\\infty ',
  '±': '\\pm ',
  '∓': '\\mp ',
  '∪': '\\cup ',
  '∩': '\\cap ',
  '∖': '\\setminus ',
  '∈': '\\in ',
  '∉': '\\notin ',
  '≤': '\\le ',
  '⩽': '\\le ',
  '≦': '\\le ',
  '≥': '\\ge ',
  '⩾': '\\ge ',
  '≧': '\\ge ',
  '≠': '\\ne ',
  '√': '\\sqrt ',
  '∛': '\\sqrt[3] ',
  '∜': '\\sqrt[4] ',
  '°': '^\\circ ',
  '∘': '\\circ ',
  '∅': '\\emptyset ',
  '∨': '\\lor ',
  '′': "'",
  '’': "'",
  '∣': '|',
  '⌊': '\\lfloor ',
  '⌋': '\\rfloor ',
  '⌈': '\\lceil ',
  '⌉': '\\rceil ',
  '⟨': '\\langle ',
  '⟩': '\\rangle ',
  '、': ',',
  '。': '.',
};
for (const pair of (
  'α alpha β beta γ gamma δ delta ε epsilon ζ zeta η eta θ theta κ kappa λ lambda μ mu ν nu ξ xi π pi ρ rho σ sigma τ tau ' +
  'φ phi χ chi ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Π Pi Σ Sigma Φ Phi Ψ Psi Ω Omega'
).matchAll(/(\S) (\S+)/g)) {
  (SYMBOLS as Record<string, string>)[pair[1]] = `\\${pair[2]} `;
}
const SYMBOL = new RegExp(`[${Object.keys(SYMBOLS).join('')}]`, 'g');

/** The value of a decimal digit of any script: Unicode has them in runs of ten from 0 on. */
function digit(symbol: string): string {
  let zero = symbol.codePointAt(0) as number;
  const code = zero;
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return String(code - zero);
}

/** Symbols that mean what a command of LaTeX or an ASCII character does, as that. */
export function fromUnicode(s: string): string {
  if (/^[\0-\x7f]*$/.test(s)) return s;
  return (
    s
      .replace(/\p{Cf}|\p{Variation_Selector}/gu, '')
      // What the compatibility form would lose or merge with its neighbours.
      .replace(/([√^]?)\s*([¼-¾⅐-⅞↉])/g, (_, before, one: string) => {
        const fraction = one.normalize('NFKC').replace(/(\d+)⁄(\d+)/, '\\frac{$1}{$2}');
        return before ? `${before}{${fraction}}` : ` ${fraction}`;
      })
      .replace(/[⁰¹²³⁴-⁹⁺⁻⁽⁾ⁿⁱˣʸ]+/g, (run) => `^{${run.normalize('NFKC')}}`)
      .replace(/[₀-₉₊₋₍₎ₐₑₒₓₕ-ₜ]+/g, (run) => `_{${run.normalize('NFKC')}}`)
      .replace(/[ℂℕℙℚℝℤ]/g, (letter) => `\\mathbb{${letter.normalize('NFKC')}}`)
      .replace(/…/g, '\\ldots ')
      .replace(/[º˚]/g, '°')
      .replace(/^\s*[øØ⌀]\s*$/, '∅')
      .normalize('NFKC')
      .replace(/\p{Nd}/gu, digit)
      .replace(/[‐-―−]/g, '-')
      .replace(/[“”„«»]/g, '"')
      .replace(/[〈〈]/g, '⟨')
      .replace(/[〉〉]/g, '⟩')
      .replace(SYMBOL, (symbol) => SYMBOLS[symbol])
  );
}

/** The end of the group that the bracket at `start` opens (after its closing bracket), or −1. */
export function groupEnd(s: string, start: number): number {
  const [open, close] = s[start] === '(' ? '()' : '{}';
  let depth = 0;
  for (let at = start; at < s.length; at++) {
    if (s[at] === '\\') at++;
    else if (s[at] === open) depth++;
    else if (s[at] === close && --depth === 0) return at + 1;
  }
  return -1;
}

/** `before(…)` with its parentheses, which may hold others, as `left…right`. */
function rewriteGroups(s: string, before: RegExp, left: string, right: string): string {
  for (let from = 0; ; ) {
    const match = before.exec(s.slice(from));
    if (!match) return s;
    const start = from + match.index;
    const open = start + match[0].length - 1;
    const end = groupEnd(s, open);
    from = start + left.length;
    if (end < 0) from = open + 1;
    else s = `${s.slice(0, start)}${left}${s.slice(open + 1, end - 1)}${right}${s.slice(end)}`;
  }
}

const FUNCTIONS =
  'arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|ln|log|exp'; /* longest first */
const GREEK = 'alpha|beta|gamma|delta|epsilon|theta|lambda|sigma|omega|phi';
const NAMES = new RegExp(
  `(?<![\\\\A-Za-z])(?:(${FUNCTIONS}|sqrt|${GREEK}|infty)(?![A-Za-z])|(${FUNCTIONS})(?=[xyt](?![A-Za-z])))`,
  'g',
);
const TEXT_NAMES = new RegExp(`\\\\text\\{\\s*(${FUNCTIONS})\\s*\\}`, 'g');

/** Mathematics as it is typed without LaTeX, `2*sqrt(3) >= x**2`, in LaTeX. */
export function fromPlain(s: string): string {
  s = s
    .replace(/\.{3}|\\[cd]?dots(?![A-Za-z])/g, '\\ldots ')
    .replace(/\^\s*-\s*(\d+|[A-Za-z])/g, '^{-$1}')
    .replace(/(?<![\\A-Za-z])log(\d+)(?=\s*\()/g, '\\log_{$1}')
    .replace(/>=/g, '\\ge ')
    .replace(/<=(?!>)/g, '\\le ')
    .replace(/!=|=\/=|<>/g, '\\ne ')
    .replace(/==/g, '=')
    .replace(/\+\s*\/\s*-/g, '\\pm ')
    .replace(/\*\*/g, '^')
    .replace(/(?<![\\A-Za-z])([dt]?frac|[dt]?binom)(?=\s*\{)/g, '\\$1')
    .replace(TEXT_NAMES, '\\$1 ')
    .replace(/(?<![\\A-Za-z])a(sin|cos|tan)(?=\s*\()/g, '\\arc$1')
    .replace(/(?<![\\A-Za-z])(?:[Ii]nfinity|inf)(?![A-Za-z])/g, '\\infty ')
    .replace(/(?<![\\A-Za-z])(?:pi|Pi|PI)(?![A-Za-z])/g, '\\pi ')
    .replace(NAMES, (_, name, glued) => `\\${name ?? glued} `)
    .replace(/(?<=[\])}]\s*)(?:U|union)(?=\s*[[({\\])/g, '\\cup ')
    .replace(/(?<=^[A-Za-z]\s+)in(?=\s*[[({\\])/g, '\\in ');
  s = rewriteGroups(s, /(?<![\\A-Za-z])cbrt\s*\(/, '\\sqrt[3]{', '}');
  s = rewriteGroups(s, /(?<![\\A-Za-z])abs\s*\(/, '|', '|');
  s = rewriteGroups(s, /(?<=\\sqrt\s*(?:\[[^\]]*\]\s*)?)\(/, '{', '}');
  return rewriteGroups(s, /\^\s*\(/, '^{', '}');
}
