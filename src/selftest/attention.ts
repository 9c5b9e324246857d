// What the kernels of the attention compute, in float64.
import { SPAN } from '../model/operations.ts';
import { type Check, compare, worst } from './compare.ts';
import { attention, matvec } from './float64.ts';
import { attended, firstSeen, gather, queriesOf, range, SLIDING } from './layouts.ts';
import { type RowIn, rowsIn } from './rows-in.ts';
import { someRows } from './some.ts';
import { type Contents, positionsOf, type Step, type Subject, type Trial } from './subject.ts';

export function attends(subject: Subject, step: Step, trial: Trial): Check {
  const { before, after } = step;
  const { numAttentionHeads: heads, headDim } = subject.config;
  const rows = rowsIn(before);
  const form = attentionForm(step, trial);
  const inCommon = form === 'spans in common';
  const slides = form === 'spans of a window';
  const checked = someRows(rows.length, 2 * heads * headDim * SPAN);
  if (form === 'one span') return attendedIs(subject, before, after, checked, rows);
  const stride = 4 + headDim;
  const spans = after.f32('spans');
  const [sums, expectedSums, means, expectedMeans]: Float64Array[][] = [[], [], [], []];
  for (const row of checked) {
    const { position, spans: slot, team_spans: common } = rows[row];
    const q = queriesOf(subject, before, row);
    const seen = firstSeen(subject, step, position);
    const first = Math.floor(seen / SPAN);
    const last = Math.floor(position / SPAN) + 1;
    for (let span = inCommon ? 0 : slides ? first : common; span < (inCommon ? common : last); span++) {
      const from = Math.max(seen, span * SPAN);
      const { keys, values } = gather(subject, before, rows[row], from, (span + 1) * SPAN);
      const at = range(heads).map((head) => ((slot + span - first) * heads + head) * stride);
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
}

export function merges(subject: Subject, step: Step): Check {
  const { before, after } = step;
  const { numAttentionHeads: heads, headDim } = subject.config;
  const rows = rowsIn(before);
  const spans = before.f32('spans');
  const stride = 4 + headDim;
  const expected = rows.map(({ position, spans: slot }) => {
    const first = Math.floor(firstSeen(subject, step, position) / SPAN);
    const count = Math.floor(position / SPAN) + 1 - first;
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

/** Which of its forms the attention is run in. */
export function attentionForm(
  { use, before }: Step,
  trial: Trial,
): 'one span' | 'spans' | 'spans in common' | 'spans of a window' {
  if (use === SLIDING) return 'spans of a window';
  if (use !== 'self_attn') return 'spans in common';
  const isShared = rowsIn(before).some(({ team_spans }) => team_spans > 0);
  return isShared || positionsOf(trial) > SPAN ? 'spans' : 'one span';
}
