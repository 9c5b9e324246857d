import { type CachedSequence, PAGE } from '../cache/kv-cache.ts';
import type { Gpu } from '../gpu/device.ts';
import { SPAN } from '../model/operations.ts';
import type { Qwen2 } from '../model/qwen2.ts';
import { packRows, type RowFields } from '../model/rows.ts';

/** What a row is to do; the rest follows from its sequence and from the other rows. */
export interface RowState
  extends Pick<
    RowFields,
    | 'token'
    | 'position'
    | 'ask'
    | 'word'
    | 'alpha'
    | 'temperature'
    | 'key'
    | 'topK'
    | 'topP'
    | 'slot'
    | 'stride'
  > {
  readonly sequence: Pick<CachedSequence, 'table' | 'length'>;
  /** One past its position unless it draws for itself. */
  readonly limit?: number;
}

/**
 * Writes rows and block tables for the next submission.
 * @returns the most leading spans that a team of rows has in common
 */
export function writeRows(gpu: Gpu, model: Qwen2, states: readonly RowState[]): number {
  const shared = sharedSpans(model, states);
  const tables: number[] = [];
  const starts = new Map<RowState['sequence'], number>();
  const rows = states.map(({ sequence, limit, ...state }, i): RowFields => {
    let table = starts.get(sequence);
    if (table === undefined) {
      table = tables.length;
      starts.set(sequence, table);
      for (const page of sequence.table.view()) tables.push(page);
    }
    const spans = i * Math.floor(model.buffers.slots / states.length);
    const { position } = state;
    return {
      ...state,
      table,
      valid: sequence.length,
      limit: limit ?? position + 1,
      spans,
      teamSpans: shared[i],
    };
  });
  gpu.device.queue.writeBuffer(model.buffers.rows, 0, packRows(rows, model.rowMultiple));
  if (tables.length > 0) gpu.device.queue.writeBuffer(model.buffers.tables, 0, new Uint32Array(tables));
  return Math.max(...shared);
}

/** For each row, the leading spans that it has in common with all rows of its team: the same pages, attended to in full by each. */
function sharedSpans({ sizes: { team } }: Qwen2, states: readonly RowState[]): number[] {
  const shared = states.map(() => 0);
  if (team === 1) return shared;
  for (let first = 0; first + team <= states.length; first += team) {
    const rows = states.slice(first, first + team);
    const pages = rows[0].sequence.table;
    let common = Math.floor((Math.min(...rows.map(({ position }) => position)) + 1) / PAGE);
    for (const { sequence } of rows) {
      if (sequence === rows[0].sequence) continue;
      let same = 0;
      while (same < common && sequence.table.at(same) === pages.at(same)) same++;
      common = same;
    }
    shared.fill(Math.floor((common * PAGE) / SPAN), first, first + team);
  }
  return shared;
}
