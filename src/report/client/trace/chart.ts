import { minus } from '../../format.ts';
import { find, svg } from '../dom.ts';
import { linearTicks } from '../ticks.ts';
import { SHAPES } from './outcome-shape.ts';
import { outcomeOf, type Replay } from './replay.ts';

const HEIGHT = 240;
const MARGIN = { top: 24, right: 12, bottom: 40, left: 52 };
const BOTTOM = HEIGHT - MARGIN.bottom;

type Scale = (value: number) => number;

/** log p of the answer over the steps. */
export class ChainChart {
  readonly element: SVGSVGElement = find('chart');
  private readonly replay: Replay;
  private x: Scale = () => 0;
  private y: Scale = () => 0;
  /** Where log p may lie. */
  private readonly low: number;
  private readonly high: number;
  /** Marks the current step. */
  private readonly here = svg('g', { class: 'here' });

  /** @param go to the step that was clicked */
  constructor(replay: Replay, go: (step: number) => void) {
    this.replay = replay;
    const all = replay.steps.map(({ logp }) => logp);
    const pad = (Math.max(...all) - Math.min(...all)) * 0.08 || 1;
    this.low = Math.min(...all) - pad;
    this.high = Math.max(...all) + pad;
    this.here.append(svg('line', { x1: 0, x2: 0, y1: MARGIN.top, y2: BOTTOM }), svg('circle', { r: 8 }));
    this.element.addEventListener('click', ({ clientX }) => go(this.nearest(clientX)));
  }

  /** @param i the current step */
  draw(i: number): void {
    const width = this.element.clientWidth;
    if (width === 0) return;
    const { low, high } = this;
    const { last } = this.replay;
    const right = width - MARGIN.right;
    this.x = (step) => MARGIN.left + 8 + ((right - MARGIN.left - 16) * step) / Math.max(1, last);
    this.y = (logp) => BOTTOM - ((BOTTOM - MARGIN.top) * (logp - low)) / (high - low);
    this.element.style.height = `${HEIGHT}px`;
    this.element.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.element.replaceChildren(
      ...this.axes(width, right),
      ...(this.replay.data.particles ? this.endOfGrowth() : this.blocks()),
      this.path(),
      this.here,
      ...this.points(),
    );
    this.show(i);
  }

  /** Marks step i. */
  show(i: number): void {
    const x = this.x(i);
    this.here.firstElementChild?.setAttribute('transform', `translate(${x} 0)`);
    const y = this.y(this.replay.steps[i].logp);
    this.here.lastElementChild?.setAttribute('transform', `translate(${x} ${y})`);
  }

  private axes(width: number, right: number): SVGElement[] {
    const { refined, last, data } = this.replay;
    const parts: SVGElement[] = [];
    for (const tick of linearTicks(this.low, this.high, 4)) {
      const y = this.y(tick);
      parts.push(
        line(MARGIN.left, y, right, y, 'grid'),
        label(MARGIN.left - 8, y + 4, 'end', minus(String(tick))),
      );
    }
    for (const tick of linearTicks(0, Math.max(1, last), width / 80, 1)) {
      parts.push(label(this.x(tick), BOTTOM + 16, 'middle', String(tick)));
    }
    parts.push(label(right, HEIGHT - 6, 'end', 'step', 'axis'));
    const dashed = data.particles ? 'dashed: the growth ends' : 'dashed: a new block';
    if (refined || !data.particles)
      parts.push(label(MARGIN.left, HEIGHT - 6, 'start', dashed, 'axis blocks'));
    return parts;
  }

  /** Between two steps. */
  private boundary(before: number, after: number): { x: number; drawn: SVGElement } {
    const x = (this.x(before) + this.x(after)) / 2;
    return { x, drawn: line(x, MARGIN.top, x, BOTTOM, 'boundary') };
  }

  private endOfGrowth(): SVGElement[] {
    const grown = this.replay.steps.findIndex(({ kind }) => kind !== 'grow');
    return grown > 0 ? [this.boundary(grown - 1, grown).drawn] : [];
  }

  /** Where each begins, named where there is room. */
  private blocks(): SVGElement[] {
    const { steps } = this.replay;
    const parts: SVGElement[] = [];
    let labelled = -Infinity;
    for (const [s, { block }] of steps.entries()) {
      if (block === (s === 0 ? 0 : steps[s - 1].block)) continue;
      let x = MARGIN.left;
      if (s > 0) {
        const boundary = this.boundary(s - 1, s);
        x = boundary.x;
        parts.push(boundary.drawn);
      }
      if (x - labelled < 30) continue;
      parts.push(label(x + 3, MARGIN.top - 8, 'start', s === 0 ? `block ${block}` : String(block)));
      labelled = s === 0 ? x + 24 : x;
    }
    return parts;
  }

  private path(): SVGElement {
    const corners = this.replay.steps.map(({ logp }, s) =>
      s === 0 ? `M${this.x(s)} ${this.y(logp)}` : `H${this.x(s)}V${this.y(logp)}`,
    );
    return svg('path', { d: corners.join(''), class: 'path' });
  }

  private points(): SVGElement[] {
    const size = Math.min(1, Math.max(0.6, (this.x(1) - this.x(0)) / 10));
    return this.replay.steps.map((step, s) => {
      const outcome = outcomeOf(step);
      const at = `translate(${this.x(s)} ${this.y(step.logp)}) scale(${size})`;
      return svg('path', { d: SHAPES[outcome], class: `point ${outcome}`, transform: at });
    });
  }

  private nearest(clientX: number): number {
    const x = clientX - this.element.getBoundingClientRect().left;
    const distance = (step: number) => Math.abs(this.x(step) - x);
    return this.replay.steps.reduce((best, _, s) => (distance(s) < distance(best) ? s : best), 0);
  }
}

const line = (x1: number, y1: number, x2: number, y2: number, className: string): SVGElement =>
  svg('line', { x1, y1, x2, y2, class: className });

const label = (x: number, y: number, anchor: string, text: string, className = 'tick'): SVGElement =>
  svg('text', { x, y, 'text-anchor': anchor, class: className }, text);
