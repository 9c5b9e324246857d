import { BASE } from './page-style.ts';

interface Page {
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
${scripts.map((script) => `<script>\n${embedded(script)}\n</script>\n`).join('')}</html>
`;
}

/** Code that cannot end the element that holds it, or hide its end. In a literal the escape is as good; nowhere else is there such a "<". */
const embedded = (script: string): string => script.replace(/<(?=\/script|!--)/gi, '\\x3c');
