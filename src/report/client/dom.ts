/** The page that a script runs in. Whatever comes from a run enters it as text, never as markup. */

/** What the page was made of, see ../page.ts. */
export const pageData = <T>(): T => JSON.parse(find('run').textContent ?? '');

export const find = <E extends Element = HTMLElement>(id: string): E =>
  document.getElementById(id) as unknown as E;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className = '',
  ...content: (string | Node)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

export function svg(name: string, attributes: Record<string, string | number>, text = ''): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/** A path around 0, 0, within 6, that stands in a line of text. */
export function glyph(className: string, path: SVGElement): SVGElement {
  const made = svg('svg', { viewBox: '-6 -6 12 12', class: className, 'aria-hidden': 'true' });
  made.append(path);
  return made;
}

/** Names and values, to stand in a `dl`. */
export const definitions = (rows: readonly (readonly [name: string, value: string])[]): HTMLElement[] =>
  rows.map(([name, value]) => element('div', '', element('dt', '', name), element('dd', '', value)));

export function options(
  target: HTMLSelectElement,
  choices: readonly (readonly [value: string, text: string])[],
): void {
  for (const [value, text] of choices) target.append(new Option(text, value));
}
