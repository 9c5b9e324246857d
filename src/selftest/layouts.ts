// Where the buffers of a pass have what, as the shaders lay it out, in float64.
import { PAGE } from '../cache/kv-cache.ts';
import type { RowIn } from './rows-in.ts';
import type { Contents, Step, Subject } from './subject.ts';

export const range = (length: number, first = 0): number[] => Array.from({ length }, (_, i) => first + i);

/** The word of the cache that has number i of a head. */
export type At = (page: number, head: number, slot: number, i: number) => number;

/** Where a page of the cache has keys and values, see shaders/qkv.wgsl. */
export function pages({ config: { numKeyValueHeads: kvHeads, headDim } }: Pick<Subject, 'config'>): {
  pageWords: number;
  keyAt: At;
  valueAt: At;
} {
  const pageWords = 2 * kvHeads * PAGE * headDim;
  const keyAt: At = (page, head, slot, i) =>
    page * pageWords + head * PAGE * headDim + ((i >> 2) * PAGE + slot) * 4 + (i & 3);
  const valueAt: At = (page, head, slot, i) =>
    page * pageWords + ((kvHeads + head) * PAGE + slot) * headDim + i;
  return { pageWords, keyAt, valueAt };
}

interface Places {
  readonly h: number;
  readonly scaled: number;
  readonly squares: number;
  readonly end: number;
  readonly width: number;
}

/** Where a row of shaders/stream.wgsl has h, g∘h and the sums of squares. */
export function places({ config, model }: Subject, row: number): Places {
  const { hidden, squares } = model.sizes;
  const h = row * (2 * hidden + squares);
  return {
    h,
    scaled: h + hidden,
    squares: h + 2 * hidden,
    end: h + 2 * hidden + squares,
    width: config.hiddenSize,
  };
}

export function streams(subject: Subject, contents: Contents, rows: readonly number[]): Float64Array[] {
  const stream = contents.f32('stream');
  return rows.map((row) => {
    const { h, width } = places(subject, row);
    return Float64Array.from(stream.subarray(h, h + width));
  });
}

export const sum = (values: Float32Array | Float64Array): number => {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
};

/** h / rms(h) ∘ g as the stream gives it: g∘h and the squares of h. */
export function normed(subject: Subject, contents: Contents, rows: readonly number[]): Float64Array[] {
  const stream = contents.f32('stream');
  return rows.map((row) => {
    const { scaled, squares, end, width } = places(subject, row);
    const factor = 1 / Math.sqrt(sum(stream.subarray(squares, end)) / width + subject.config.rmsNormEps);
    return Float64Array.from(stream.subarray(scaled, scaled + width), (value) => value * factor);
  });
}

export function queriesOf({ config }: Subject, contents: Contents, row: number): Float64Array {
  const width = config.numAttentionHeads * config.headDim;
  return Float64Array.from(contents.f32('queries').subarray(row * width, (row + 1) * width));
}

/** What operations of a layer that slides are run for. */
export const SLIDING = 'self_attn, sliding';

/** The first position that a row at this one attends to. */
export function firstSeen({ config }: Subject, { use }: Step, position: number): number {
  return use === SLIDING && config.slidingWindow ? Math.max(0, position + 1 - config.slidingWindow.size) : 0;
}

/** Keys and values [positions, kvHeads, headDim] that a row attends to, of these positions. */
export function gather(
  subject: Subject,
  contents: Contents,
  { position, table }: RowIn,
  from: number,
  to: number,
): { keys: Float64Array; values: Float64Array } {
  const { numKeyValueHeads: kvHeads, headDim } = subject.config;
  const { keyAt, valueAt } = pages(subject);
  const tables = contents.u32('tables');
  const cache = contents.f32('cache');
  const length = (Math.min(to, position + 1) - from) * kvHeads * headDim;
  const of = (at: At) =>
    Float64Array.from({ length }, (_, n) => {
      const place = from + Math.floor(n / (kvHeads * headDim));
      const page = tables[table + Math.floor(place / PAGE)];
      return cache[at(page, Math.floor(n / headDim) % kvHeads, place % PAGE, n % headDim)];
    });
  return { keys: of(keyAt), values: of(valueAt) };
}

export function attended(
  { config, model }: Subject,
  contents: Contents,
  rows: readonly number[],
): Float32Array[] {
  const out = contents.f32('attention');
  const stride = model.sizes.attended;
  const width = config.numAttentionHeads * config.headDim;
  return rows.map((row) => out.subarray(row * stride, row * stride + width));
}
