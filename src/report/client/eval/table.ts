import { percent } from '../../format.ts';
import { element } from '../dom.ts';
import { bounds } from './format.ts';
import { nameOf } from './names.ts';
import type { Samplers } from './samplers.ts';

export const bodyOf = (table: HTMLElement): Element => table.querySelector('tbody') as Element;

export function fillHead(table: HTMLElement, titles: readonly string[]): void {
  const cells = titles.map((title) => {
    // Above a bar.
    const cell = element('th', /accuracy|majority/.test(title) ? 'start' : '', title);
    cell.scope = 'col';
    return cell;
  });
  (table.querySelector('thead') as Element).replaceChildren(element('tr', '', ...cells));
}

/** A sampler's. */
export function row(samplers: Samplers, i: number, ...cells: HTMLElement[]): HTMLElement {
  const head = element('th', '', nameOf(samplers, i));
  head.scope = 'row';
  return element('tr', '', head, ...cells);
}

/** An interval and a value in it, in shares of the track's width. */
export function track(low: number, high: number, at: number, zero?: number): HTMLElement {
  const place = (className: string, from: number, width?: number) => {
    const made = element('i', className);
    made.style.left = `${(100 * from).toFixed(2)}%`;
    if (width !== undefined) made.style.width = `${(100 * width).toFixed(2)}%`;
    return made;
  };
  const made = element('span', 'track', place('span', low, high - low));
  if (zero !== undefined) made.append(place('zero', zero));
  made.append(place('at', at));
  made.setAttribute('aria-hidden', 'true');
  return made;
}

/** A track beside its numbers. */
export const range = (drawn: HTMLElement, value: string, interval: readonly [number, number]): HTMLElement =>
  element('div', 'range', drawn, element('span', '', value, element('small', '', bounds(interval))));

export function rangeCell(value: number | null, interval: readonly [number, number] | null): HTMLElement {
  if (value === null || interval === null) return element('td', '', '–');
  const [low, high] = interval;
  return element('td', '', range(track(low, high, value), percent(value), interval));
}
