import { glyph, svg } from '../dom.ts';
import type { Outcome } from './replay.ts';

/** Each drawn around 0, 0, within 5 pixels. */
export const SHAPES: Readonly<Record<Outcome, string>> = {
  grown: 'M0-5 5 4H-5Z',
  accepted: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z',
  rejected: 'M-3.5-3.5 3.5 3.5M3.5-3.5-3.5 3.5',
  held: 'M-3-3H3V3H-3Z',
};

export const shape = (outcome: Outcome): SVGElement =>
  glyph('shape', svg('path', { d: SHAPES[outcome], class: outcome }));
