import type { PointStyle } from 'chart.js';
import type { SamplerSummary } from '../../../eval/summary.ts';

/** A shape as Chart.js draws the point style, and around 0, 0, within 6. */
interface Shape {
  readonly style: PointStyle;
  readonly path: string;
  /** Degrees. */
  readonly rotation: number;
}

const SHAPES: readonly Shape[] = [
  { style: 'circle', path: 'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z', rotation: 0 },
  { style: 'triangle', path: 'M0-5.5 5.2 4H-5.2Z', rotation: 0 },
  { style: 'rect', path: 'M-4.2-4.2H4.2V4.2H-4.2Z', rotation: 0 },
  { style: 'rectRot', path: 'M0-5.6 5.6 0 0 5.6-5.6 0Z', rotation: 0 },
  { style: 'triangle', path: 'M0 5.5 5.2-4H-5.2Z', rotation: 180 },
  { style: 'crossRot', path: 'M-4-4 4 4M4-4-4 4', rotation: 0 },
  { style: 'star', path: 'M-4-4 4 4M4-4-4 4M0-5.5V5.5M-5.5 0H5.5', rotation: 0 },
  { style: 'cross', path: 'M0-5.5V5.5M-5.5 0H5.5', rotation: 0 },
];
const PICKS = ['last', 'likeliest', 'vote'] as const;

/** Of the last states, whose picks go by other shapes. */
const baseOf = (family: string): string => family.replace(/ · (likeliest|vote)$/, '');

/** A to Z, then AA. */
const letterOf = (i: number): string =>
  (i < 26 ? '' : String.fromCharCode(64 + Math.floor(i / 26))) + String.fromCharCode(65 + (i % 26));

/** Samplers and their picks, and how they are told apart: a letter each, a shape for each family, and a colour that picks have in common. */
export class Samplers {
  readonly all: readonly SamplerSummary[];
  readonly letters: readonly string[];
  readonly families: readonly string[];
  private readonly bases: readonly string[];

  constructor(all: readonly SamplerSummary[]) {
    this.all = all;
    this.letters = all.map((_, i) => letterOf(i));
    this.families = [...new Set(all.map(({ family }) => family))];
    this.bases = [...new Set(this.families.map(baseOf))];
  }

  /** Indices. */
  membersOf(family: string): number[] {
    return this.all.flatMap((sampler, i) => (sampler.family === family ? [i] : []));
  }

  /** Name of a colour of the style sheet, and a shape. */
  lookOf(family: string): { color: string; shape: Shape } {
    const i = this.bases.indexOf(baseOf(family));
    const [own] = this.membersOf(family);
    // With more than eight families the pairings change, so that no two look alike before the 64th, or the 25th where there are picks.
    const shape = i + Math.floor(i / 8) + 3 * PICKS.indexOf(this.all[own].pick);
    return { color: `--c${i % 8}`, shape: SHAPES[shape % 8] };
  }

  lettered(i: number): string {
    return `${this.letters[i]} ${this.all[i].name}`;
  }

  /** What sets a sampler apart within its family. */
  shortName(i: number): string {
    const { name, family } = this.all[i];
    const partsOf = (name: string) => name.split(':').slice(1);
    const others = this.membersOf(family).filter((other) => this.all[other].name.includes(':'));
    const own = partsOf(name).filter(
      (part) => !others.every((other) => partsOf(this.all[other].name).includes(part)),
    );
    const text = others.length > 1 && name.includes(':') && own.length > 0 ? own.join(':') : name;
    return text.length > 24 ? `${text.slice(0, 23)}…` : text;
  }
}
