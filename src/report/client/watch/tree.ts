import { type Met, treeOfMet } from '../../response-tree.ts';
import type { WatchState } from '../../watch-data.ts';
import { find, svg } from '../dom.ts';
import { measureIn } from '../trace/tree.ts';
import { arrange, fitted, fitWidths } from '../trace/tree-layout.ts';
import { type Segment, segmentsOf } from '../trace/tree-segments.ts';
import { onOneLine } from '../trace/visible.ts';

/** Answers that are kept, and that are drawn. */
const KEPT = 400;
const DRAWN = 14;
const ROW = 28;
const TOP = 24;
const NARROWEST = 560;

const rowY = (row: number): number => TOP + row * ROW;

/** All that a run has come by so far, as a tree of their beginnings. */
export class GrowingTree {
  private readonly section = find('tree-section');
  private readonly box = find('tree-box');
  private readonly drawing = find<SVGSVGElement>('tree');
  private readonly texts = new Map<number, string>();
  private met = new Map<string, Met>();
  private latest = new Uint32Array(0);

  clear(): void {
    this.texts.clear();
    this.met.clear();
    this.section.hidden = true;
  }

  take({ visits, texts }: WatchState): void {
    for (const [id, text] of Object.entries(texts)) this.texts.set(Number(id), text);
    const now = new Map<string, Met>();
    for (const { tokens, logp, weight } of visits) {
      if (tokens.length === 0) continue;
      const alive = weight > 0 ? 1 : 0;
      now.set(tokens.join(), {
        tokens: Uint32Array.from(tokens),
        logp,
        passed: 1,
        particles: alive,
        weight,
        steps: 0,
      });
    }
    // Those that the run has left behind stay, thin; the oldest go when there are too many.
    const left = [...this.met].filter(([key]) => !now.has(key));
    for (const [, gone] of left) Object.assign(gone, { passed: 0, particles: 0, weight: 0 });
    this.met = new Map([...left.slice(-Math.max(1, KEPT - now.size)), ...now]);
    const best = [...now.values()].reduce<Met | undefined>(
      (a, b) => (a && a.weight >= b.weight ? a : b),
      undefined,
    );
    if (best) this.latest = best.tokens as Uint32Array<ArrayBuffer>;
    this.draw();
  }

  draw(): void {
    const tree = treeOfMet([...this.met.values()], this.latest, [], (id) => this.texts.get(id) ?? '', DRAWN);
    this.section.hidden = tree.leaves.length < 2;
    const room = this.box.clientWidth;
    if (tree.leaves.length < 2 || room === 0) return;
    const measure = measureIn(`12px ${getComputedStyle(this.drawing).fontFamily}`);
    const segments = segmentsOf(tree, tree.leaves.length);
    const width = fitWidths(segments, Math.max(NARROWEST, room), measure);
    const { inOrder, rows } = arrange(segments.root);
    const height = rowY(rows - 1) + 12;
    this.drawing.style.width = `${width}px`;
    this.drawing.style.height = `${height}px`;
    this.drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.drawing.replaceChildren(...inOrder.map((segment) => line(segment, tree.total, measure)));
    const { length } = tree.leaves;
    find('tree-size').textContent = `${length + tree.leftOut} answers and beginnings met, ${length} drawn`;
  }
}

function line(segment: Segment, total: number, measure: (text: string) => number): SVGElement {
  const { x, width, row, text, passed, best, before } = segment;
  const y = rowY(row);
  const thickness = 1.5 + 7 * Math.sqrt(passed / Math.max(1, total));
  const parts = before?.row !== row;
  const start = parts ? `M${x} ${rowY(before?.row ?? 0)}V${y - 6}Q${x} ${y} ${x + 6} ${y}` : `M${x} ${y}`;
  const inset = parts ? 9 : 3;
  const kind = best === 0 ? ' final' : '';
  const group = svg('g', { class: `segment${kind}` });
  group.append(
    svg('path', { d: `${start}H${x + width}`, class: `run${kind}`, 'stroke-width': thickness.toFixed(2) }),
    svg(
      'text',
      { x: x + inset, y: y - thickness / 2 - 4 },
      fitted(onOneLine(text).trimStart(), width - inset - 5, measure),
    ),
  );
  return group;
}
