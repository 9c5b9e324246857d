import type { ResponseTree } from '../../response-tree.ts';

/** Runs without a parting between them, as far as the tree is shown: one line of the drawing. */
export interface Segment {
  start: number;
  length: number;
  passed: number;
  text: string;
  /** The best leaf below: an index. */
  best: number;
  before: Segment | null;
  /** The one that goes on in the same row, then the others. */
  after: Segment[];
  x: number;
  width: number;
  row: number;
}

export interface Segments {
  /** Stands before those that begin a response; nothing of it is drawn. */
  root: Segment;
  /** By run, those that are shown. */
  byRun: Map<number, Segment>;
}

/** Joins runs where nothing that is shown parts from them. @param shown leaves */
export function segmentsOf({ runs, leaves, total }: ResponseTree, shown: number): Segments {
  const best = new Map<number, number>();
  for (let leaf = shown - 1; leaf >= 0; leaf--) {
    for (let run = leaves[leaf].run; run >= 0; run = runs[run].parent) best.set(run, leaf);
  }
  const below = new Map<number, number[]>();
  for (const run of best.keys()) below.set(runs[run].parent, [...(below.get(runs[run].parent) ?? []), run]);
  const root = newSegment(null, 0, total, 0);
  const byRun = new Map<number, Segment>();
  const grow = (before: Segment, children: readonly number[]) => {
    for (const child of children) {
      const { start, passed } = runs[child];
      const segment = newSegment(before, start, passed, best.get(child) as number);
      before.after.push(segment);
      let run = child;
      let next: readonly number[] = [];
      for (;;) {
        byRun.set(run, segment);
        segment.length += runs[run].length;
        if (!segment.text.endsWith('…')) segment.text += runs[run].text;
        next = below.get(run) ?? [];
        if (next.length !== 1) break;
        run = next[0];
      }
      grow(segment, next);
    }
    before.after.sort(
      (a, b) => Number(b.best === 0) - Number(a.best === 0) || b.passed - a.passed || a.best - b.best,
    );
  };
  grow(root, below.get(-1) ?? []);
  return { root, byRun };
}

const newSegment = (before: Segment | null, start: number, passed: number, best: number): Segment => ({
  start,
  length: 0,
  passed,
  text: '',
  best,
  before,
  after: [],
  x: 0,
  width: 0,
  row: 0,
});

/** Where a response leaves what is shown. @param place run and how many of its tokens, as in the tree's `places` */
export function placeIn(
  { runs }: ResponseTree,
  byRun: ReadonlyMap<number, Segment>,
  [run, tokens]: readonly [number, number],
): { segment: Segment; position: number } | undefined {
  if (run < 0) return undefined;
  let position = runs[run].start + tokens;
  while (run >= 0 && !byRun.has(run)) {
    position = runs[run].start;
    run = runs[run].parent;
  }
  const segment = byRun.get(run);
  return segment && { segment, position };
}

/** Where a position of the response lies on a segment's line. */
export const xIn = ({ x, width, start, length }: Segment, position: number): number =>
  x + (length > 0 ? (width * Math.max(0, Math.min(length, position - start))) / length : 0);
