// Which rows and outputs are checked.
import { range } from './layouts.ts';

/** Multiplications for one kernel. Where all rows or outputs would take more, some are checked. */
export const WORK: number = 2 ** 21;
const FEW_ROWS = 4;

/** All numbers below `count` or, of more than `most`, some with the first and the last. */
export function some(count: number, most: number): number[] {
  if (count <= most) return range(count);
  const some = Math.max(2, Math.floor(most));
  return [...new Set(range(some).map((i) => Math.round((i * (count - 1)) / (some - 1))))];
}

/** `work`: of one of them. */
export const someRows = (rows: number, work: number): number[] => some(rows, Math.max(FEW_ROWS, WORK / work));
