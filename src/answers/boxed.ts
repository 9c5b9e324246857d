/**
 * The content of the last balanced `\boxed{…}` or `\fbox{…}` (the one that starts last), or of `\boxed …` without braces up to
 * the next `$` or the end of the line. Null if there is none or if it is empty. One pass, whatever the text.
 */
export function lastBoxed(text: string): string | null {
  // Where the content of each open brace starts if it is a box's, else −1.
  const open: number[] = [];
  let start = -1;
  let end = 0;
  const token = /\\(?:boxed|fbox)(?![A-Za-z])\s*(\{?)|\\[\s\S]|[{}]/g;
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
  const content = end === Infinity ? text.slice(start).replace(/[$\n][\s\S]*/, '') : text.slice(start, end);
  return /^[\s{}]*$/.test(content) ? null : content.trim();
}

/** "B", "(b)", "\text{B}", "B) 42" and "B. Because …" → "B", and "A, B", "A or B" and "a = 5" → undefined. */
export function choice(boxed: string | null): string | undefined {
  const bare = (boxed ?? '').replace(/\\(?:text|math)[a-z]*(?=\s*\{)|\\[()]|[${}\s]+/g, ' ').trim();
  const found = /^\(?\s*([A-Za-z])\s*(?:$|[).:](?=\s|$))/.exec(bare);
  return found?.[1].toUpperCase();
}
