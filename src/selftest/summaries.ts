// What summarise.wgsl and draw.wgsl make of a row of logits, in float64 and by the definitions of summary.wgsl and pick.wgsl.

import { SLICE as SLICE_LOGITS } from '../model/operations.ts';
import { ASK, LIST, SLICE, SLICE_BYTES, unpackResult } from '../model/rows.ts';
import { philox } from '../sampling/random.ts';
import { type Check, compare, exact, worst } from './compare.ts';
import { type RowIn, rowsIn } from './rows-in.ts';
import type { Contents, Step, Subject } from './subject.ts';

/** A quarter of a nat each; what lies beyond the last is never listed. */
const BUCKETS = 64;
/** Of a random word these bits tell a token, see pick.wgsl. */
const BITS = 24;

/** Which logits are listed, and the sums over all the others. */
interface Split {
  readonly ids: number[];
  readonly sums: Float64Array;
}

const bucketOf = (d: number): number => Math.floor(Math.min(-4 * d, BUCKETS));
const indexOfLargest = (logits: Float32Array): number =>
  logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));

/** The most buckets up to `most` that have no more than LIST logits together. */
function wholeBuckets(logits: Float32Array, most: number): number {
  const largest = logits[indexOfLargest(logits)];
  const counts = new Uint32Array(BUCKETS + 1);
  for (const logit of logits) counts[bucketOf(Math.fround(logit - largest))]++;
  let whole = 0;
  for (let total = counts[0]; whole < most && total <= LIST; total += counts[whole]) whole++;
  return whole;
}

/** Lists what stands in the first `whole` buckets and the largest one. */
function split(logits: Float32Array, whole: number, row: RowIn): Split {
  const top = indexOfLargest(logits);
  const ids: number[] = [];
  const sums = new Float64Array(4);
  for (const [id, logit] of logits.entries()) {
    const d = Math.fround(logit - logits[top]);
    if (bucketOf(d) < whole || id === top) {
      ids.push(id);
      continue;
    }
    sums[0] += Math.exp(d);
    sums[1] += d * Math.exp(d);
    sums[2] += Math.exp(row.alpha * d);
    sums[3] += Math.exp(row.inverse_temperature * d);
  }
  return { ids, sums };
}

/** Each of four sums by its own measure; where nothing is left to sum up they are 0. */
function sumsAre(ours: readonly Float64Array[], expected: readonly Float64Array[], terms: number): Check {
  const checks = [0, 1, 2, 3].map((i) => {
    const [a, b] = [ours.map((sums) => sums[i]), expected.map((sums) => sums[i])];
    return b.every((sum) => sum === 0) ? exact(a, b) : compare([a], [b], terms);
  });
  return worst(checks);
}

/** The slices of all rows, each with the logits that it is of. */
function slicesIn(contents: Contents, { config, model }: Subject) {
  const count = model.sizes.slices;
  const [words, floats, logits] = [contents.u32('slices'), contents.f32('slices'), contents.f32('logits')];
  return rowsIn(contents).flatMap((row, r) =>
    Array.from({ length: count }, (_, s) => {
      const at = ((r * count + s) * SLICE_BYTES) / 4;
      const member = (name: (typeof SLICE)[number]) => at + SLICE.indexOf(name);
      const listed = Math.min(words[member('count')], LIST);
      const entries = Array.from({ length: listed }, (_, i) => at + SLICE.length + 2 * i);
      const first = s * SLICE_LOGITS;
      return {
        row,
        r,
        first,
        logits: logits.subarray(
          r * config.vocabSize + first,
          r * config.vocabSize + Math.min(config.vocabSize, first + SLICE_LOGITS),
        ),
        maximum: floats[member('maximum')],
        top: words[member('top')],
        bad: words[member('bad')],
        buckets: words[member('buckets')],
        count: words[member('count')],
        sums: Float64Array.from(floats.subarray(member('base'), member('base') + 4)),
        ids: entries.map((entry) => words[entry]),
        values: entries.map((entry) => floats[entry + 1]),
      };
    }),
  );
}

export function summarised(subject: Subject, { after }: Step): Check {
  const [facts, expectedFacts]: number[][] = [[], []];
  const [sums, expectedSums]: Float64Array[][] = [[], []];
  for (const slice of slicesIn(after, subject)) {
    const { row, first, logits } = slice;
    const top = indexOfLargest(logits);
    const whole = wholeBuckets(logits, BUCKETS);
    const { ids, sums: others } = split(logits, whole, row);
    facts.push(
      slice.maximum,
      slice.top,
      slice.bad,
      slice.buckets,
      slice.count,
      ...slice.ids,
      ...slice.values,
    );
    expectedFacts.push(logits[top], first + top, 0, whole, ids.length);
    expectedFacts.push(...ids.map((id) => first + id), ...ids.map((id) => logits[id]));
    sums.push(slice.sums);
    expectedSums.push(others);
  }
  return worst([exact(facts, expectedFacts), sumsAre(sums, expectedSums, SLICE_LOGITS)]);
}

export function drawn(subject: Subject, { before, after }: Step): Check {
  const { vocabSize } = subject.config;
  const logits = before.f32('logits');
  const slices = slicesIn(before, subject);
  const results = new DataView(after.u32('results').buffer);
  const [facts, expectedFacts]: number[][] = [[], []];
  const [sums, expectedSums]: Float64Array[][] = [[], []];
  const checks: Check[] = [];
  const now = rowsIn(after);
  for (const [r, row] of rowsIn(before).entries()) {
    const own = logits.subarray(r * vocabSize, (r + 1) * vocabSize);
    const top = indexOfLargest(own);
    // A slice that could not list all says how far its list reaches.
    const most = slices
      .filter((slice) => slice.r === r && slice.buckets < BUCKETS)
      .map((slice) => bucketOf(Math.fround(slice.maximum - own[top])) + slice.buckets);
    const whole = wholeBuckets(own, Math.min(BUCKETS, ...most));
    const { ids, sums: others } = split(own, whole, row);
    const { token, distance, bad, summary } = unpackResult(results, row.slot);
    const d = (id: number) => Math.fround(own[id] - own[top]);
    facts.push(Number(bad), distance, ...summary.ids, ...summary.distances);
    expectedFacts.push(0, d(token), ...ids, ...ids.map(d));
    sums.push(Float64Array.of(summary.base, summary.mean, summary.sharp, summary.tempered));
    expectedSums.push(others);
    facts.push(now[r].position, now[r].slot, now[r].token);
    expectedFacts.push(row.position + 1, row.slot + row.stride, row.ask === ASK.draw ? token : row.token);
    checks.push(tokenIs(token, own, ids, row));
  }
  return worst([exact(facts, expectedFacts), sumsAre(sums, expectedSums, vocabSize), ...checks]);
}

/** Whether a token is the one that a row asks for. */
function tokenIs(token: number, logits: Float32Array, ids: readonly number[], row: RowIn): Check {
  const top = indexOfLargest(logits);
  const listed = new Set(ids);
  const weights = Float64Array.from(logits, (logit) =>
    Math.exp(row.inverse_temperature * (logit - logits[top])),
  );
  const tail = weights.map((weight, id) => (listed.has(id) ? 0 : weight));
  if (row.ask === ASK.tail) return fallsOn(token, tail, row.word);
  if (row.ask !== ASK.draw || row.inverse_temperature === 0) {
    return exact([token], [row.ask === ASK.given ? row.word : top]);
  }
  const words = philox([row.chain, row.step_candidate, row.position + 1, 0], [row.seed_low, row.seed_high]);
  const kept = keptOf(logits, ids, weights, row);
  const all = kept.map((weight, id) => (row.top_k > 0 || row.top_p < 1 ? weight : weight + tail[id]));
  // The tail comes behind the list, and another word tells which of it.
  if (listed.has(token)) return fallsOn(token, all, words[0], ids);
  return worst([fallsOn(undefined, all, words[0], ids), fallsOn(token, tail, words[2])]);
}

/** Weights of the list's tokens; 0 for those that top-k and then top-p leave out. */
function keptOf(
  logits: Float32Array,
  ids: readonly number[],
  weights: Float64Array,
  row: RowIn,
): Float64Array {
  const above = (id: number) => ids.filter((other) => logits[other] > logits[id]);
  const first = ids.filter((id) => row.top_k === 0 || above(id).length < row.top_k);
  const mass = (of: readonly number[]) => of.reduce((total, id) => total + weights[id], 0);
  const kept = first.filter((id) => row.top_p >= 1 || mass(above(id)) < row.top_p * mass(first));
  const result = new Float64Array(logits.length);
  for (const id of kept) result[id] = weights[id];
  return result;
}

/**
 * How far a random word, as a share of all weights, is from those that fall on the token: by inverse distribution function in the order
 * of ids, or of `order` and then everything else, of which no token (undefined) stands for any.
 */
function fallsOn(
  token: number | undefined,
  weights: Float64Array,
  word: number,
  order: readonly number[] = Array.from(weights.keys()),
): Check {
  const total = weights.reduce((a, b) => a + b, 0);
  const u = ((word >>> (32 - BITS)) + 0.5) * 2 ** -BITS;
  let [from, to] = [0, 0];
  for (const id of order) {
    from = to;
    to += weights[id] / total;
    if (id === token) break;
  }
  if (token === undefined) [from, to] = [to, 1];
  const possible = token === undefined || weights[token] > 0;
  const error = possible ? Math.max(0, from - u, u - to) : 1;
  return { error, bound: 32 * Math.sqrt(weights.length) * 2 ** -BITS };
}
