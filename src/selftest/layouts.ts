// Where the buffers of a pass have what, as the shaders lay it out, in float64.
import { headWords, PAGE } from '../cache/kv-cache.ts';
import type { RowIn } from './rows-in.ts';
import type { Contents, Step, Subject } from './subject.ts';

export function range(length: number, first = 0): number[] {
  const all = new Array<number>(length);
  for (let i = 0; i < length; i++) all[i] = first + i;
  return all;
}

/** The place in the cache, counted in numbers, of number i of a head. */
type At = (page: number, head: number, slot: number, i: number) => number;

/** Where pages have keys, or values. */
export interface Region {
  readonly at: At;
  /** All numbers of a head, the padding too. */
  all(page: number, head: number, slot: number): number[];
}

/** What a page of the cache has where, see shaders/cache.wgsl. */
export function pages({ config: { numKeyValueHeads: kvHeads, headDim }, cache }: Subject): {
  /** Numbers a page. */
  readonly size: number;
  readonly keys: Region;
  readonly values: Region;
} {
  const aWord = cache.type === 'bf16' ? 2 : 1;
  const words = headWords(headDim, cache.type);
  const region = (wordAt: At): Region => ({
    at: (page, head, slot, i) => {
      const apart = headDim / aWord; // of the numbers of a word
      return aWord * wordAt(page, head, slot, i % apart) + Math.floor(i / apart);
    },
    all: (page, head, slot) => range(words).flatMap((i) => range(aWord, aWord * wordAt(page, head, slot, i))),
  });
  const start = (page: number, head: number) => (page * 2 * kvHeads + head) * PAGE * words;
  return {
    size: 2 * kvHeads * PAGE * words * aWord,
    keys: region((page, head, slot, i) => start(page, head) + ((i >> 2) * PAGE + slot) * 4 + (i & 3)),
    values: region((page, head, slot, i) => start(page, kvHeads + head) + slot * words + i),
  };
}

/** The numbers of the cache. */
export function cached({ cache }: Subject, contents: Contents): Float32Array {
  if (cache.type === 'f32') return contents.f32('cache');
  const halves = new Uint16Array(contents.u32('cache').buffer);
  return new Float32Array(new Uint32Array(halves).map((half) => half << 16).buffer);
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
  const { keys, values } = pages(subject);
  const tables = contents.u32('tables');
  const cache = cached(subject, contents);
  const length = (Math.min(to, position + 1) - from) * kvHeads * headDim;
  const of = ({ at }: Region) =>
    Float64Array.from({ length }, (_, n) => {
      const place = from + Math.floor(n / (kvHeads * headDim));
      const page = tables[table + Math.floor(place / PAGE)];
      return cache[at(page, Math.floor(n / headDim) % kvHeads, place % PAGE, n % headDim)];
    });
  return { keys: of(keys), values: of(values) };
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
