/**
 * The content of the last balanced `\boxed{…}` or `\fbox{…}` (the one that starts last), or of `\boxed …` without braces up to
 * the next `$` or the end of the line; it may have more than one backslash, as in the text of a program. Null if there is none or if
 * it is empty. One pass, whatever the text.
 */
export function lastBoxed(text: string): string | null {
  // Where the content of each open brace starts if it is a box's, else −1.
  const open: number[] = [];
  let start = -1;
  let end = 0;
  const token =
    /\\\\?(?:d?[bB]oxed|f(?:rame)?box)(?![A-Za-z])\s*(?:\[[^\]{}\n]{0,30}\]\s*(?=\{))?(\{?)|\\[\s\S]|[{}]/g;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [symbol, brace] = match;
    if (symbol === '{') open.push(-1);
    else if (brace) open.push(token.lastIndex);
    else if (brace === '') [start, end] = [token.lastIndex, Infinity];
    else if (symbol === '}') {
      const opened = open.pop() ?? -1;
      if (opened > start) [start, end] = [opened, match.index];
    }
  }
  if (start < 0) return null;
  const content =
    end === Infinity
      ? text
          .slice(start)
          .replace(/^\$(?=[^$\n]+\$)/, '')
          .replace(/(?<!\\)[$\n][\s\S]*/, '')
      : text.slice(start, end);
  return /^[\s{}]*$/.test(content) ? null : content.trim();
}

const LEAD = /^(?:(?:the|final|correct|right|best|my|answer|option|choice|letter|is)\b[\s:=]*)+/i;

/** A letter, in brackets or not, and what parts it from a text that follows. */
const LETTER =
  /^(?:[([<]\s*([A-Z])\s*[)\]>]|([A-Z])(?=\W|$))\s*(?:[,;!]?$|:|[.)](?=\s|$)|[-–—]+(?=\s|$)|,?\s*(?=(?:because|since)\b))/i;
/** A letter in brackets, after which any text may follow. */
const BRACKETED = /^[([]\s*([A-Z])\s*[)\]](?=[\s:.])/i;
/** A choice more, which makes it none. */
const ANOTHER = /^\W*(?:(?:or|and|nor)\b\W*|[&/,]\s*\(?)[A-Z]\b|^[\s\-–(]*[A-Z][\s).]*$/;

/**
 * "B", "(b)", "[B]", "\text{B}", "Option B", "Answer: B", "B) 42", "(B) 42", "B - 42" and "B. Because …" → "B", and "A, B", "A or B"
 * and "a = 5" → undefined.
 */
export function choice(boxed: string | null): string | undefined {
  const bare = (boxed ?? '')
    .normalize('NFKC')
    .replace(/\\(?:text)?color\s*\{\w*\}|\\(?:d?boxed|[fm]box)(?![A-Za-z])/g, ' ')
    .replace(
      /\\(?:text|math|operatorname|boldsymbol|bm|bf|rm|left|right|displaystyle|underline|emph|large|huge)[a-z]*/gi,
      ' ',
    )
    .replace(/\\q?quad(?![A-Za-z])|\\[\s()[\],;:!\\]|["'“”‘’`*]/g, ' ')
    .replace(/\\?[${}~\s]+/g, ' ')
    .replace(/[【】、]/g, (bracket) => '[],'['【】、'.indexOf(bracket)])
    .trim()
    .replace(LEAD, '');
  const found = LETTER.exec(bare) ?? BRACKETED.exec(bare);
  if (!found || ANOTHER.test(bare.slice(found[0].length))) return undefined;
  return (found[1] ?? found[2]).toUpperCase();
}
