import { ROW } from '../model/rows.ts';
import type { Contents } from './subject.ts';

const FLOATS: readonly string[] = ['inverse_temperature', 'alpha', 'top_p'];

/** struct Row of shaders/row.wgsl. */
export type RowIn = Readonly<Record<(typeof ROW)[number], number>>;

export function rowsIn(contents: Contents): RowIn[] {
  const words = contents.u32('rows');
  const floats = contents.f32('rows');
  return Array.from({ length: words.length / ROW.length }, (_, row) => {
    const fields = ROW.map((name, i): [string, number] => {
      const at = row * ROW.length + i;
      return [name, FLOATS.includes(name) ? floats[at] : words[at]];
    });
    return Object.fromEntries(fields) as RowIn;
  });
}
