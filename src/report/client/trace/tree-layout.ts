import type { Segment, Segments } from './tree-segments.ts';
import { onOneLine } from './visible.ts';

/** Pixels that a text takes. */
export type Measure = (text: string) => number;

/** Widths: the least of a segment, the most of one that goes on and of one that ends, and what a text has around it. */
const LEAST = 30;
const INNER = 200;
const LAST = 90;
const PADDING = 14;

/** Widths that keep the longest way within `room` pixels, where that can be. @returns the length of that way */
export function fitWidths({ root, byRun }: Segments, room: number, measure: Measure): number {
  const all = [...new Set(byRun.values())]; // those before others come first
  const natural = all.map(({ text }) => measure(onOneLine(text)) + PADDING);
  const spread = (share: number): number => {
    let longest = 0;
    for (const [i, segment] of all.entries()) {
      const before = segment.before ?? root;
      const most = segment.after.length > 0 ? LEAST + share * INNER : LAST;
      segment.x = before.x + before.width;
      segment.width = Math.max(LEAST, Math.min(natural[i], most));
      longest = Math.max(longest, segment.x + segment.width);
    }
    return longest;
  };
  const longest = Math.max(room, spread(largestShare((share) => spread(share) <= room)));
  for (const [i, segment] of all.entries()) {
    if (segment.after.length > 0) continue;
    segment.width = Math.max(segment.width, Math.min(natural[i], longest - segment.x));
  }
  return longest;
}

/** The largest share that fits, to 2⁻¹²; 0 where none does. */
function largestShare(fits: (share: number) => boolean): number {
  if (fits(1)) return 1;
  let [low, high] = [0, 1];
  for (let n = 0; n < 12; n++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Gives each segment its row: what goes on stays in it. @returns the segments in the order of the rows, and how many these are */
export function arrange(root: Segment): { inOrder: Segment[]; rows: number } {
  const inOrder: Segment[] = [];
  let rows = 0;
  const place = (first: Segment) => {
    const line: Segment[] = [];
    for (let at: Segment | undefined = first; at; at = at.after[0]) line.push(at);
    for (const segment of line) segment.row = rows;
    inOrder.push(...line.filter(({ before }) => before !== null));
    rows++;
    // Those that part last lie next to the row, so that no line crosses another.
    for (const { after } of line.reverse()) for (const segment of after.slice(1)) place(segment);
  };
  place(root);
  return { inOrder, rows };
}

/** As much of a text as is `width` pixels wide. */
export function fitted(text: string, width: number, measure: Measure): string {
  if (measure(text) <= width) return text;
  const all = Array.from(text);
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(`${all.slice(0, middle).join('')}…`) <= width) low = middle;
    else high = middle - 1;
  }
  return low > 0 ? `${all.slice(0, low).join('')}…` : '';
}
