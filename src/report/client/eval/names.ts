import { element, glyph, svg } from '../dom.ts';
import type { Samplers } from './samplers.ts';

export function icon(samplers: Samplers, family: string): SVGElement {
  const { color, shape } = samplers.lookOf(family);
  const path = svg('path', { d: shape.path, 'stroke-width': '2.4' });
  path.style.fill = path.style.stroke = `var(${color})`;
  return glyph('icon', path);
}

/** A sampler's name, which may wrap behind a colon. */
export function nameOf(samplers: Samplers, i: number): HTMLElement {
  const { name, family } = samplers.all[i];
  const parts = name.split(/(?<=:)/);
  const text = element(
    'span',
    '',
    ...parts.flatMap((part, at) => (at > 0 ? [element('wbr'), part] : [part])),
  );
  return element('span', 'name', icon(samplers, family), element('b', '', samplers.letters[i]), text);
}
