import { fixed } from '../../format.ts';
import type { ResponseTree } from '../../response-tree.ts';
import { find, svg } from '../dom.ts';
import { outcomeOf, type Replay } from './replay.ts';
import { count } from './sentences.ts';
import type { Tooltip } from './tooltip.ts';
import { arrange, fitted, fitWidths, type Measure } from './tree-layout.ts';
import { placeIn, type Segment, segmentsOf, xIn } from './tree-segments.ts';
import { onOneLine } from './visible.ts';

/** Answers that are drawn at first. */
const FEW = 16;
/** Pixels: of a row, right of a line for its counts, and of the narrowest drawing. */
const ROW = 28;
const TOP = 24;
const COUNTS = 150;
const NARROWEST = 640;

const rowY = (row: number): number => TOP + row * ROW;

/** The tree of the answers met. */
export class TreeView {
  readonly box: HTMLElement = find('tree-box');
  private readonly element = find<SVGSVGElement>('tree');
  private readonly replay: Replay;
  private readonly tree: ResponseTree;
  private readonly tooltip: Tooltip;
  /** What each line tells. */
  private readonly tellers = new Map<Element | null, () => void>();
  private readonly marks = svg('g', {});
  private byRun: ReadonlyMap<number, Segment> = new Map();
  private few = true;
  private step = -1;
  /** Pixels that it was drawn for. */
  private room = 0;

  constructor(replay: Replay, tooltip: Tooltip) {
    this.replay = replay;
    this.tree = replay.data.tree;
    this.tooltip = tooltip;
    find('tree-section').hidden = this.tree.leaves.length < 2;
    find('place-key').hidden = replay.last === 0;
    this.showSize();
    find('tree-more').addEventListener('click', () => {
      this.few = !this.few;
      this.showSize();
      this.draw();
    });
    this.listen();
  }

  /** Where its room has changed: to draw anew takes the focus away. */
  resize(): void {
    if (this.box.clientWidth !== this.room) this.draw();
  }

  draw(): void {
    this.room = this.box.clientWidth;
    if (this.tree.leaves.length < 2 || this.room === 0) return;
    const measure = measureIn(`12px ${getComputedStyle(this.element).fontFamily}`);
    const segments = segmentsOf(this.tree, this.leavesShown());
    this.byRun = segments.byRun;
    const width = fitWidths(segments, Math.max(NARROWEST, this.room) - COUNTS, measure) + COUNTS;
    const { inOrder, rows } = arrange(segments.root);
    const height = rowY(rows - 1) + 12;
    this.tellers.clear();
    const drawn = inOrder.map((segment) => this.line(segment, measure));
    drawn[0].setAttribute('tabindex', '0');
    this.element.style.width = `${width}px`;
    this.element.style.height = `${height}px`;
    this.element.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.element.replaceChildren(...drawn, this.marks);
    if (this.step >= 0) this.show(this.step);
  }

  /** Marks where the answer stands after step i, and where the step cut it. */
  show(i: number): void {
    this.step = i;
    this.marks.replaceChildren();
    const now = this.placeAfter(i);
    if (!now) return;
    const step = this.replay.steps[i];
    const before = step.kind === 'propose' && i > 0 ? this.placeAfter(i - 1) : undefined;
    if (before) {
      let at: Segment = before.segment;
      while (at.before && at.start > step.cut) at = at.before;
      const x = xIn(at, Math.min(step.cut, before.position));
      const y = rowY(at.row);
      this.marks.append(svg('line', { x1: x, x2: x, y1: y - 9, y2: y + 9, class: `now ${outcomeOf(step)}` }));
    }
    const { segment, position } = now;
    this.marks.append(
      svg('circle', { cx: xIn(segment, position), cy: rowY(segment.row), r: 5, class: 'place' }),
    );
  }

  private leavesShown(): number {
    const { length } = this.tree.leaves;
    return this.few ? Math.min(FEW, length) : length;
  }

  private placeAfter(i: number) {
    return placeIn(this.tree, this.byRun, this.tree.places[i]);
  }

  private line(segment: Segment, measure: Measure): SVGElement {
    const { x, width, row, text, passed, best, before, after } = segment;
    const isFinal = best === 0;
    const y = rowY(row);
    const thickness = 1.5 + 7 * Math.sqrt(passed / Math.max(1, this.tree.total));
    const parts = before?.row !== row;
    const start = parts ? `M${x} ${rowY(before?.row ?? 0)}V${y - 6}Q${x} ${y} ${x + 6} ${y}` : `M${x} ${y}`;
    const inset = parts ? 9 : 3;
    const label = fitted(onOneLine(text).trimStart(), width - inset - 5, measure);
    const group = svg('g', { class: isFinal ? 'segment final' : 'segment', tabindex: -1 });
    group.append(
      svg('path', {
        d: `${start}H${x + width}`,
        class: isFinal ? 'run final' : 'run',
        'stroke-width': thickness.toFixed(2),
      }),
      svg('rect', { x, y: y - 19, width, height: 25, class: 'touch' }),
      svg('text', { x: x + inset, y: y - thickness / 2 - 4 }, label),
    );
    if (after.length === 0) {
      const counts = this.countsOf(best).join(' · ');
      group.append(svg('text', { x: x + width + 10, y: y + 4, class: 'count' }, counts));
    }
    const tell = () => this.tooltip.tell(group, text, this.factsOf(segment));
    this.tellers.set(group, tell);
    group.addEventListener('pointerenter', tell);
    group.addEventListener('focus', tell);
    return group;
  }

  private factsOf({ start, length, passed, best, after }: Segment): [name: string, value: string][] {
    const facts: [string, string][] = [
      ['positions', `${start} to ${start + length - 1}`],
      ['came this way', `${passed} of ${this.tree.total}`],
    ];
    if (after.length > 0) return facts;
    return [
      ...facts,
      ['ends there', this.countsOf(best).join(', ') || 'not counted'],
      ['log p', `${fixed(this.tree.leaves[best].logp, 2)} nats`],
    ];
  }

  private countsOf(leaf: number): string[] {
    const { particles, weight, steps } = this.tree.leaves[leaf];
    const said: string[] = [];
    if (particles > 0) said.push(count(particles, 'particle'), `${(100 * weight).toPrecision(2)} %`);
    if (steps > 0) said.push(count(steps, 'step'));
    return said;
  }

  private showSize(): void {
    const { leaves, leftOut } = this.tree;
    const answers = leaves.length + leftOut;
    const missing = answers - this.leavesShown();
    find('tree-size').textContent = `${answers} different answers`;
    const said = missing > 0 ? `${missing} that the fewest came by are not drawn. ` : '';
    find('tree-note').textContent = said + this.replay.data.treeNote;
    const more = find('tree-more');
    more.hidden = leaves.length <= FEW;
    more.textContent = this.few ? `Draw ${leaves.length} answers` : `Draw ${FEW} answers only`;
  }

  private listen(): void {
    this.tooltip.addTeller((focused) => {
      const tell = this.tellers.get(focused);
      tell?.();
      return tell !== undefined;
    });
    this.element.addEventListener('pointerleave', () => this.tooltip.tellFocused());
    this.element.addEventListener('focusout', () => this.tooltip.hide());
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.tooltip.hide();
      const move = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      const all = Array.from(this.element.querySelectorAll<SVGGElement>('.segment'));
      all[all.indexOf(document.activeElement as SVGGElement) + move]?.focus();
    });
  }
}

export function measureIn(font: string): Measure {
  const pen = document.createElement('canvas').getContext('2d');
  if (!pen) return (text) => 7 * text.length;
  pen.font = font;
  return (text) => pen.measureText(text).width;
}
