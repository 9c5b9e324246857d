/** Attention over contexts of several lengths, in a paged cache whose pages stand in any order. */

import { bytesPerPosition, PAGE } from '../../src/cache/kv-cache.ts';
import { SPAN, SPANS_BYTES, sizesOf } from '../../src/model/operations.ts';
import { tuningFor } from '../../src/model/tuning.ts';
import { compare } from '../../src/selftest/compare.ts';
import { attention } from '../../src/selftest/float64.ts';
import { readBack } from '../harness/device.ts';
import { progress } from '../harness/figures.ts';
import { SHAPES, type ShapeName } from '../random-model.ts';
import {
  type Candidate,
  contest,
  type Dispatch,
  type Figure,
  type Lab,
  measure,
  report,
  runOnce,
} from './measure.ts';
import { COPIES, Memory, noise, rowsOf } from './operands.ts';

/** Words after which keys and values repeat. A prime: no two pages are alike. */
const PERIOD = 1_048_573;
/** Rows and positions for which sizes of workgroups are compared. */
const CONTEST = { rows: 1, context: 2048 };

export async function measureAttention(lab: Lab, shape: ShapeName, contests: boolean): Promise<void> {
  const { bench, gpu, kernels, plan, skip } = lab;
  const { device } = bench;
  const config = SHAPES[shape];
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, vocabSize } = config;
  const tuning = tuningFor(gpu.adapter, vocabSize);
  const { share, team, attended: stride } = sizesOf(config, tuning);
  const spanBytes = heads * (headDim + 4) * 4;
  const slots = Math.floor(SPANS_BYTES / spanBytes);
  const pageWords = 2 * kvHeads * PAGE * headDim;
  const pages = Math.floor(Math.min(gpu.maxBinding, 2 * plan.cold) / (4 * pageWords));
  const most = Math.max(...plan.rows);
  const memory = new Memory(gpu);

  progress(`${shape} attention: keys and values`);
  const values = noise(PERIOD, 13);
  const pattern = memory.upload('noise', values);
  const cache = memory.buffer('cache', pages * pageWords);
  const encoder = device.createCommandEncoder();
  for (let at = 0; at < cache.size; at += pattern.size) {
    encoder.copyBufferToBuffer(pattern, 0, cache, at, Math.min(pattern.size, cache.size - at));
  }
  device.queue.submit([encoder.finish()]);
  const order = Uint32Array.from({ length: pages }, (_, i) => i);
  for (let i = pages - 1; i > 0; i--) {
    const j = (Math.imul(i, 2654435761) >>> 0) % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const tables = memory.upload('tables', order);
  const asked = noise(most * heads * headDim, 17).map((v) => 2 * v);
  const queries = memory.upload('queries', asked);
  const out = memory.buffer('out', most * stride);
  const spans = memory.buffer('spans', (slots * spanBytes) / 4);
  const dimensions = { Q_HEADS: heads, KV_HEADS: kvHeads, HEAD_DIM: headDim, OUT_STRIDE: stride };
  const sizes = { ...dimensions, PAGE, KV_BF16: false, SPAN, SHARE: share, WINDOW: 0 };

  /** The key or value of one head at one position of a context, from its first page on. */
  const gather = (
    first: number,
    context: number,
    offset: (head: number, slot: number, i: number) => number,
  ) =>
    Float64Array.from({ length: context * kvHeads * headDim }, (_, n) => {
      const [i, head] = [n % headDim, Math.floor(n / headDim) % kvHeads];
      const position = Math.floor(n / (headDim * kvHeads));
      const page = order[first + Math.floor(position / PAGE)] * pageWords;
      return values[(page + offset(head, position % PAGE, i)) % PERIOD];
    });

  /** Rows with a context each, or all with the same one. */
  const candidate = async (rows: number, context: number, own: boolean, threads: number, turn: Memory) => {
    const count = Math.ceil(context / SPAN);
    const perContext = context / PAGE;
    const held = Math.floor(pages / perContext);
    const contexts = own ? Math.min(held, rows) : 1;
    const firstPage = (copy: number, row: number) =>
      ((copy * contexts + (row % contexts)) % held) * perContext;
    // Teams of rows do the spans that they have in common first, as in src/model/qwen2.ts.
    const inTeams = own ? 0 : Math.floor(rows / team) * team;
    const teamSpans = team > 1 && inTeams > 0 ? Math.floor(context / SPAN) : 0;
    const whole = count === 1 && teamSpans === 0;
    const PARTS = Math.max(threads, Math.ceil(headDim / 8));
    const variant = (TEAM: number, WHOLE: boolean) =>
      kernels.compile([tuning.lanes, 'sizes', 'row', 'window', 'attention'], {
        ...sizes,
        THREADS: threads,
        PARTS,
        TEAM,
        WHOLE,
      });
    const [common, attend] = [await variant(team, false), await variant(1, whole)];
    const merge = await kernels.compile(['sizes', 'row', 'window', 'attention-merge'], sizes);
    const length = Math.max(1, Math.min(COPIES, Math.floor(held / contexts)));
    const copies = Array.from({ length }, (_, copy) => {
      const words = rowsOf(rows, (row) => ({
        position: context - 1,
        table: firstPage(copy, row),
        spans: row * count,
        teamSpans: row < inTeams ? teamSpans : 0,
      }));
      const state = turn.upload('rows', words);
      const group = kernels.bind(attend, [state, tables, cache, queries, out, spans]);
      const dispatches: Dispatch[] = [{ kernel: attend, group, size: [heads / share, rows, count] }];
      if (teamSpans > 0) {
        dispatches.unshift({ kernel: common, group, size: [heads / share, inTeams / team, teamSpans] });
      }
      if (!whole) {
        const group = kernels.bind(merge, [state, spans, out]);
        dispatches.push({ kernel: merge, group, size: [heads, rows, 1] });
      }
      return dispatches;
    });
    const check = async () => {
      const encoder = device.createCommandEncoder();
      encoder.clearBuffer(out);
      runOnce(encoder, copies[0]);
      const found = new Float32Array(await readBack(device, encoder, out, rows * stride * 4));
      const checked = [...new Set([0, rows - 1])];
      const expected = checked.map((row) => {
        const first = firstPage(0, row);
        const q = Float64Array.from(asked.subarray(row * heads * headDim, (row + 1) * heads * headDim));
        const k = gather(
          first,
          context,
          (head, slot, i) => (head * headDim + (i & ~3)) * PAGE + slot * 4 + (i & 3),
        );
        const v = gather(first, context, (head, slot, i) => ((kvHeads + head) * PAGE + slot) * headDim + i);
        return attention(q, k, v, kvHeads, headDim);
      });
      const ours = checked.map((row) => Float64Array.from(found.subarray(row * stride, (row + 1) * stride)));
      return compare(ours, expected, headDim + context);
    };
    const label = {
      shape,
      operation: 'attention',
      threads,
      tile: teamSpans > 0 ? team : 1,
      rows,
      context,
      contexts,
    } as const;
    const bytes = rows * context * bytesPerPosition(config, 'f32');
    return { label, bytes, flops: 4 * rows * context * heads * headDim, copies, check };
  };

  const figures: Figure[] = [];
  for (const context of plan.contexts) {
    for (const rows of plan.rows) {
      const atOnce = Math.floor(slots / Math.ceil(context / SPAN));
      if (rows > atOnce) {
        skip(
          `${shape} attention, ${rows} rows, ${context} positions: the model takes ${atOnce} rows at once`,
        );
        continue;
      }
      const turn = new Memory(gpu);
      const first = await candidate(rows, context, true, tuning.attentionThreads, turn);
      const shared = rows > 1 ? [await candidate(rows, context, false, tuning.attentionThreads, turn)] : [];
      figures.push(...(await measure(lab, [first, ...shared])));
      if (contests && context === CONTEST.context && rows === CONTEST.rows) {
        const others: Candidate[] = [];
        for (const threads of plan.quick ? [32] : [8, 16, 32, 64, 128]) {
          if (threads !== tuning.attentionThreads)
            others.push(await candidate(rows, context, true, threads, turn));
        }
        await contest(lab, [first, ...others]);
      }
      turn.free();
    }
  }
  lab.figures.push(...figures);
  report(lab, `${shape} attention: ${heads} heads of ${headDim}, ${kvHeads} of keys and values`, figures);
  memory.free();
}
