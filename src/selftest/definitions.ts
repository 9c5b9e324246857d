// What each kernel of a pass computes, in float64 and from what it found in its buffers: so an error stays with the kernel that made it.
import { PAGE } from '../cache/kv-cache.ts';
import { SPAN } from '../model/operations.ts';
import { type Check, compare, exact, oneNaN, worst } from './compare.ts';
import { attention, matvec, rotary, siluGate } from './float64.ts';
import { attended, gather, normed, pages, places, queriesOf, range, streams, sum } from './layouts.ts';
import { type RowIn, rowsIn } from './rows-in.ts';
import {
  type Contents,
  type KernelName,
  positionsOf,
  type Step,
  type Subject,
  type Trial,
} from './subject.ts';
import { drawn, summarised } from './summaries.ts';

/** Multiplications for one kernel. Where all rows or outputs would take more, some are checked. */
const WORK = 2 ** 21;
const FEW_ROWS = 4;

type Definition = (subject: Subject, step: Step, trial: Trial) => Check;

export const DEFINITIONS: Readonly<Record<KernelName, Definition>> = {
  'copy-pages': (subject, { before, after }, { copies }) => {
    const { pageWords } = pages(subject);
    const expected = before.u32('cache').map(oneNaN);
    for (const { from, to } of copies) {
      expected.copyWithin(to * pageWords, from * pageWords, (from + 1) * pageWords);
    }
    return exact(after.u32('cache').map(oneNaN), expected);
  },

  embed: (subject, { before, after }) => {
    const width = subject.config.hiddenSize;
    const h = rowsIn(before).map(({ token }) =>
      subject.tensors.row('model.embed_tokens.weight', token, width),
    );
    return streamIs(subject, after, h, 'layers.0.input_layernorm', []);
  },

  qkv: (subject, { before, after }) => {
    const { config, tensors } = subject;
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, hiddenSize, ropeTheta } = config;
    const { keyAt, valueAt } = pages(subject);
    const rows = rowsIn(before);
    const tables = before.u32('tables');
    const queries = after.f32('queries');
    const cache = after.f32('cache');
    const checked = someRows(rows.length, (heads + 2 * kvHeads) * headDim * hiddenSize);
    const x = normed(subject, before, checked);
    const ours: number[][] = [];
    const expected: Float64Array[] = [];
    for (const head of some(heads + 2 * kvHeads, WORK / (headDim * hiddenSize * checked.length))) {
      const kind = head < heads ? 'q' : head < heads + kvHeads ? 'k' : 'v';
      const first = { q: head, k: head - heads, v: head - heads - kvHeads }[kind] * headDim;
      const name = `model.layers.0.self_attn.${kind}_proj`;
      const bias = tensors.row(`${name}.bias`, 0, first + headDim).subarray(first);
      const y = products(subject, name, range(headDim, first), x);
      for (const [m, row] of checked.entries()) {
        const { position, valid, table } = rows[row];
        const biased = y[m].map((value, i) => value + bias[i]);
        const turned = kind === 'v' ? biased : rotary(biased, position, headDim, ropeTheta);
        if (kind === 'q') {
          ours.push(range(headDim).map((i) => queries[(row * heads + head) * headDim + i]));
        } else if (position >= valid) {
          const page = tables[table + Math.floor(position / PAGE)];
          const at = kind === 'k' ? keyAt : valueAt;
          const places = range(headDim).map((i) => at(page, first / headDim, position % PAGE, i));
          ours.push(places.map((place) => cache[place]));
        } else continue;
        expected.push(turned);
      }
    }
    return worst([compare(ours, expected, hiddenSize), othersStay(subject, before, after, rows)]);
  },

  attention: (subject, step, trial) => {
    const { before, after } = step;
    const { numAttentionHeads: heads, headDim } = subject.config;
    const rows = rowsIn(before);
    const form = attentionForm(step, trial);
    const inCommon = form === 'spans in common';
    const checked = someRows(rows.length, 2 * heads * headDim * SPAN);
    if (form === 'one span') return attendedIs(subject, before, after, checked, rows);
    const stride = 4 + headDim;
    const spans = after.f32('spans');
    const [sums, expectedSums, means, expectedMeans]: Float64Array[][] = [[], [], [], []];
    for (const row of checked) {
      const { position, spans: slot, team_spans: common } = rows[row];
      const q = queriesOf(subject, before, row);
      const last = Math.floor(position / SPAN) + 1;
      for (let span = inCommon ? 0 : common; span < (inCommon ? common : last); span++) {
        const { keys, values } = gather(subject, before, rows[row], span * SPAN, (span + 1) * SPAN);
        const at = range(heads).map((head) => ((slot + span) * heads + head) * stride);
        // Of a span the kernel keeps the largest score, the sum of weights counted from it and the sum of weighted values.
        sums.push(Float64Array.from(at, (i) => spans[i] + Math.log(spans[i + 1])));
        expectedSums.push(logSums(q, keys, subject.config));
        means.push(
          Float64Array.from(q, (_, i) => {
            const start = at[Math.floor(i / headDim)];
            return spans[start + 4 + (i % headDim)] / spans[start + 1];
          }),
        );
        expectedMeans.push(attention(q, keys, values, subject.config.numKeyValueHeads, headDim));
      }
    }
    const terms = headDim + SPAN;
    return worst([compare(sums, expectedSums, terms), compare(means, expectedMeans, terms)]);
  },

  'attention-merge': (subject, { before, after }) => {
    const { numAttentionHeads: heads, headDim } = subject.config;
    const rows = rowsIn(before);
    const spans = before.f32('spans');
    const stride = 4 + headDim;
    const expected = rows.map(({ position, spans: slot }) => {
      const count = Math.floor(position / SPAN) + 1;
      const mixed = new Float64Array(heads * headDim);
      for (let head = 0; head < heads; head++) {
        const at = range(count).map((span) => ((slot + span) * heads + head) * stride);
        const largest = Math.max(...at.map((i) => spans[i]));
        const weights = at.map((i) => Math.exp(spans[i] - largest));
        const sum = at.reduce((total, i, span) => total + weights[span] * spans[i + 1], 0);
        for (let d = 0; d < headDim; d++) {
          const value = at.reduce((total, i, span) => total + weights[span] * spans[i + 4 + d], 0);
          mixed[head * headDim + d] = value / sum;
        }
      }
      return mixed;
    });
    return compare(attended(subject, after, range(rows.length)), expected, headDim);
  },

  project: (subject, { use, before, after }) => {
    const { config, model } = subject;
    const isDown = use === 'mlp.down_proj';
    const width = isDown ? config.intermediateSize : config.numAttentionHeads * config.headDim;
    const input = before.f32(isDown ? 'activation' : 'attention');
    const stride = isDown ? model.sizes.activated : model.sizes.attended;
    const count = rowsIn(before).length;
    const checked = someRows(count, config.hiddenSize * width);
    const outputs = some(config.hiddenSize, WORK / (width * checked.length));
    const x = checked.map((row) => Float64Array.from(input.subarray(row * stride, row * stride + width)));
    const y = products(subject, `model.layers.0.${use}`, outputs, x);
    const old = streams(subject, before, range(count));
    const now = streams(subject, after, range(count));
    const added = checked.map((row) => outputs.map((n) => now[row][n] - old[row][n]));
    const norm = isDown ? 'norm' : 'layers.0.post_attention_layernorm';
    return streamIs(subject, after, now, norm, [compare(added, y, width)]);
  },

  'gate-up': (subject, { before, after }) => {
    const { config, model } = subject;
    const { hiddenSize, intermediateSize } = config;
    const out = after.f32('activation');
    const checked = someRows(rowsIn(before).length, 2 * intermediateSize * hiddenSize);
    const outputs = some(intermediateSize, WORK / (2 * hiddenSize * checked.length));
    const x = normed(subject, before, checked);
    const gates = products(subject, 'model.layers.0.mlp.gate_proj', outputs, x);
    const ups = products(subject, 'model.layers.0.mlp.up_proj', outputs, x);
    const ours = checked.map((row) => outputs.map((n) => out[row * model.sizes.activated + n]));
    return compare(
      ours,
      gates.map((gate, m) => siluGate(gate, ups[m])),
      hiddenSize,
    );
  },

  'lm-head': (subject, { before, after }) => {
    const { hiddenSize, vocabSize, tieWordEmbeddings } = subject.config;
    const logits = after.f32('logits');
    const checked = someRows(rowsIn(before).length, vocabSize * hiddenSize);
    const outputs = some(vocabSize, WORK / (hiddenSize * checked.length));
    const name = tieWordEmbeddings ? 'model.embed_tokens' : 'lm_head';
    const expected = products(subject, name, outputs, normed(subject, before, checked));
    const ours = checked.map((row) => outputs.map((n) => logits[row * vocabSize + n]));
    return compare(ours, expected, hiddenSize);
  },

  summarise: summarised,
  draw: drawn,
};

/** All numbers below `count` or, of more than `most`, some with the first and the last. */
function some(count: number, most: number): number[] {
  if (count <= most) return range(count);
  const some = Math.max(2, Math.floor(most));
  return [...new Set(range(some).map((i) => Math.round((i * (count - 1)) / (some - 1))))];
}

/** `work`: of one of them. */
const someRows = (rows: number, work: number): number[] => some(rows, Math.max(FEW_ROWS, WORK / work));

/** Rows of a matrix times each of x: [x][outputs]. */
function products(
  { tensors }: Subject,
  name: string,
  outputs: readonly number[],
  x: readonly Float64Array[],
): Float64Array[] {
  const y = x.map(() => new Float64Array(outputs.length));
  for (const [n, output] of outputs.entries()) {
    const w = tensors.row(`${name}.weight`, output, x[0].length);
    for (const [m, each] of x.entries()) y[m][n] = matvec(w, each)[0];
  }
  return y;
}

/** Whether the stream holds h and what belongs to it for the norm that follows. */
function streamIs(
  subject: Subject,
  contents: Contents,
  h: readonly Float64Array[],
  norm: string,
  more: readonly Check[],
): Check {
  const stream = contents.f32('stream');
  const width = subject.config.hiddenSize;
  const g = subject.tensors.row(`model.${norm}.weight`, 0, width);
  const at = h.map((_, row) => places(subject, row));
  const scaled = at.map(({ scaled }) => stream.subarray(scaled, scaled + width));
  const squares = at.map(({ squares, end }) => sum(stream.subarray(squares, end)));
  return worst([
    compare(streams(subject, contents, range(h.length)), h, 1),
    compare(
      scaled,
      h.map((row) => row.map((value, i) => value * g[i])),
      1,
    ),
    compare([squares], [h.map((row) => row.reduce((total, value) => total + value * value, 0))], width),
    ...more,
  ]);
}

/** log Σ e^score of each head. */
function logSums(q: Float64Array, keys: Float64Array, { numKeyValueHeads, headDim }: Subject['config']) {
  const heads = q.length / headDim;
  const positions = keys.length / (numKeyValueHeads * headDim);
  return Float64Array.from({ length: heads }, (_, head) => {
    const kvHead = Math.floor((head * numKeyValueHeads) / heads);
    const query = q.subarray(head * headDim, (head + 1) * headDim);
    let total = 0;
    for (let position = 0; position < positions; position++) {
      const at = (position * numKeyValueHeads + kvHead) * headDim;
      total += Math.exp(matvec(keys.subarray(at, at + headDim), query)[0] / Math.sqrt(headDim));
    }
    return Math.log(total);
  });
}

function attendedIs(
  subject: Subject,
  before: Contents,
  after: Contents,
  checked: readonly number[],
  rows: readonly RowIn[],
): Check {
  const { numKeyValueHeads, headDim } = subject.config;
  const expected = checked.map((row) => {
    const { keys, values } = gather(subject, before, rows[row], 0, SPAN);
    return attention(queriesOf(subject, before, row), keys, values, numKeyValueHeads, headDim);
  });
  return compare(attended(subject, after, checked), expected, headDim + SPAN);
}

/** Whether the cache holds what it held at all positions but those that these rows write. */
function othersStay(subject: Subject, before: Contents, after: Contents, rows: readonly RowIn[]): Check {
  const { numKeyValueHeads: kvHeads, headDim } = subject.config;
  const { keyAt, valueAt } = pages(subject);
  const tables = before.u32('tables');
  const [old, now] = [before.u32('cache').map(oneNaN), after.u32('cache').map(oneNaN)];
  for (const { position, valid, table } of rows) {
    if (position < valid) continue;
    const page = tables[table + Math.floor(position / PAGE)];
    for (let head = 0; head < kvHeads; head++) {
      for (let i = 0; i < headDim; i++) {
        for (const at of [keyAt, valueAt]) {
          const place = at(page, head, position % PAGE, i);
          old[place] = now[place];
        }
      }
    }
  }
  return exact(now, old);
}

/** Which of its forms the attention is run in. */
export function attentionForm({ use, before }: Step, trial: Trial): 'one span' | 'spans' | 'spans in common' {
  if (use !== 'self_attn') return 'spans in common';
  const isShared = rowsIn(before).some(({ team_spans }) => team_spans > 0);
  return isShared || positionsOf(trial) > SPAN ? 'spans' : 'one span';
}
