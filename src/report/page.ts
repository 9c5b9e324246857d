/** What every page has in common: colours in light and in dark, and the width of the text. */
const BASE = `
:root {
  --paper: #faf9f7;
  --card: #ffffff;
  --ink: #1d1c1a;
  --soft: #625e57;
  --line: #e5e1d9;
  --accent: #1d5fc4;
  --no: #b23a2e;
  font: 16px/1.55 system-ui, sans-serif;
  color: var(--ink);
  background: var(--paper);
  accent-color: var(--accent);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131315;
    --card: #1b1b1e;
    --ink: #ebe8e2;
    --soft: #a8a49c;
    --line: #333338;
    --accent: #84b0ff;
    --no: #ff9387;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.5rem; }
ul { margin: 0; padding: 0; list-style: none; }
section { min-width: 0; }
.aside, .note { color: var(--soft); font-size: 0.85rem; font-variant-numeric: tabular-nums; }
`;

export interface Page {
  /** Plain text without markup. */
  readonly title: string;
  readonly style: string;
  /** The body element. */
  readonly body: string;
  /** What the scripts read, as JSON, from the element `run`. */
  readonly data: unknown;
  /** One script element each, in order. */
  readonly scripts: readonly string[];
}

/** One self-contained HTML document. It loads nothing and sends nothing. */
export function htmlPage({ title, style, body, data, scripts }: Page): string {
  // In JSON a "<" occurs in strings alone, where an escape is as good; "</script>" would end the element.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>
${BASE}${style}</style>
</head>
${body}
<script type="application/json" id="run">${json}</script>
${scripts.map((script) => `<script>\n${script}\n</script>\n`).join('')}</html>
`;
}
