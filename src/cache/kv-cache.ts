import { OptionError, OutOfMemoryError } from '../base/errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { KvType } from './kv-type.ts';

/** Positions a page holds. */
export const PAGE = 16;

/** Words of 32 bits of a head's key or value: one for each number, or two of them, padded to a multiple of four. */
export const headWords = (headDim: number, type: KvType): number =>
  type === 'f32' ? headDim : 4 * Math.ceil(headDim / 8);

/** One layer's keys and values of one position. */
export function bytesPerPosition(shape: { numKeyValueHeads: number; headDim: number }, type: KvType): number {
  return 2 * shape.numKeyValueHeads * headWords(shape.headDim, type) * 4;
}

/** Page `to` is to become a copy of page `from`, in every layer. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

/** Whole numbers below 2^32 that grow and shrink at the end. To copy them is to copy memory: forks are frequent and contexts long. */
class Numbers {
  length = 0;
  private data: Uint32Array<ArrayBuffer>;

  constructor(values: ArrayLike<number>) {
    this.data = new Uint32Array(values); // from() would go through an iterator
    this.length = values.length;
  }

  at(i: number): number {
    return this.data[i];
  }

  push(value: number): void {
    if (this.length === this.data.length) {
      const data = new Uint32Array(2 * this.length + 16);
      data.set(this.data);
      this.data = data;
    }
    this.data[this.length++] = value;
  }

  pop(): number {
    return this.data[--this.length];
  }

  set(i: number, value: number): void {
    this.data[i] = value;
  }

  /** Valid until the next change. */
  view(): Uint32Array<ArrayBuffer> {
    return this.data.subarray(0, this.length);
  }
}

/**
 * A fixed pool of pages with reference counts, shared by all sequences: page n is the n-th part of every layer's buffer.
 * Sequences hold block tables; forking shares pages, and the first write to a shared page copies it.
 */
export class KvCache {
  readonly type: KvType;
  /** One buffer a layer, see shaders/cache.wgsl. */
  readonly layers: readonly GPUBuffer[];
  readonly pages: number;
  /** Bytes of a page in one layer. */
  readonly pageBytes: number;
  private readonly references: Uint32Array;
  private readonly free: number[];
  private reserved = 0;

  constructor(
    gpu: Gpu,
    shape: { numHiddenLayers: number; numKeyValueHeads: number; headDim: number },
    positions: number,
    type: KvType,
  ) {
    this.type = type;
    this.pages = Math.ceil(positions / PAGE);
    this.pageBytes = PAGE * bytesPerPosition(shape, type);
    const bytes = this.pages * this.pageBytes;
    if (bytes > gpu.maxBinding) {
      throw new OutOfMemoryError(
        `a cache of ${positions} positions (a layer)`,
        bytes,
        gpu.maxBinding,
        'ask for fewer positions',
      );
    }
    this.layers = Array.from({ length: shape.numHiddenLayers }, (_, i) => gpu.buffer(`cache ${i}`, bytes));
    this.references = new Uint32Array(this.pages);
    this.free = Array.from({ length: this.pages }, (_, i) => this.pages - 1 - i);
  }

  /** Bytes of all layers. */
  get bytes(): number {
    return this.pages * this.pageBytes * this.layers.length;
  }

  /** Pages neither held by a sequence nor promised to one. */
  get available(): number {
    return this.free.length - this.reserved;
  }

  /** A new sequence, of no tokens. */
  sequence(): CachedSequence {
    return new CachedSequence(this, new Numbers([]), 0);
  }

  /** Sets pages aside. @throws OutOfMemoryError before anything has changed. */
  reserve(pages: number, what: string): void {
    if (pages > this.available) {
      const size = this.pageBytes * this.layers.length;
      const hint = 'free sequences, or load the model with more cachePositions';
      throw new OutOfMemoryError(what, pages * size, this.available * size, hint);
    }
    this.reserved += pages;
  }

  /** Gives back what `reserve` set aside and was not taken. */
  unreserve(pages: number): void {
    this.reserved -= pages;
  }

  /** Takes one reserved page. */
  take(): number {
    const page = this.free.pop();
    if (page === undefined) throw new Error('a page was taken that was not reserved');
    this.reserved--;
    this.references[page] = 1;
    return page;
  }

  retain(pages: Uint32Array): void {
    for (let i = 0; i < pages.length; i++) this.references[pages[i]]++;
  }

  release(page: number): void {
    if (--this.references[page] === 0) this.free.push(page);
  }

  isShared(page: number): boolean {
    return this.references[page] > 1;
  }
}

/** Tokens that have been fed: the pages that hold their keys and values. */
export class CachedSequence {
  readonly cache: KvCache;
  /** Page numbers; entry i holds positions PAGE·i … PAGE·i + PAGE − 1. */
  readonly table: Numbers;
  /** True while a call of the engine is extending it. */
  busy = false;
  private tokens: number;
  private freed = false;

  constructor(cache: KvCache, table: Numbers, length: number) {
    this.cache = cache;
    this.table = table;
    this.tokens = length;
  }

  /** Positions whose keys and values are in the cache. */
  get length(): number {
    return this.tokens;
  }

  fork(): CachedSequence {
    this.check();
    const copy = new CachedSequence(this.cache, new Numbers(this.table.view()), this.tokens);
    this.cache.retain(copy.table.view());
    return copy;
  }

  rollback(length: number): void {
    this.check();
    if (!Number.isInteger(length) || length < 0 || length > this.tokens) {
      throw new OptionError(`rollback to length ${length}: the sequence has ${this.tokens} tokens`);
    }
    this.tokens = length;
    while (this.table.length * PAGE >= length + PAGE) this.cache.release(this.table.pop());
  }

  free(): void {
    if (this.busy) throw new OptionError('a sequence was freed while it was being computed');
    if (this.freed) return;
    this.freed = true;
    while (this.table.length > 0) this.cache.release(this.table.pop());
  }

  /** Throws if the sequence cannot be used now. */
  check(): void {
    if (this.freed) throw new OptionError('a sequence was used after it had been freed');
    if (this.busy) throw new OptionError('a sequence was used while it was being computed');
  }

  /** The most pages that writing keys up to position `end` (exclusive) can take. */
  pagesNeeded(end: number): number {
    const held = this.table.length;
    const copied = this.tokens < Math.min(end, held * PAGE) && this.cache.isShared(this.table.at(held - 1));
    return Math.max(0, Math.ceil(end / PAGE) - held) + (copied ? 1 : 0);
  }

  /**
   * Makes the positions from the end of the sequence to `end` writable: takes pages, and in place of a shared last page a new one, to
   * be made a copy by what it adds to `copies`. Returns how many reserved pages it took.
   */
  makeWritable(end: number, copies: PageCopy[]): number {
    let taken = 0;
    const last = this.table.length - 1;
    if (this.tokens < Math.min(end, (last + 1) * PAGE) && this.cache.isShared(this.table.at(last))) {
      const from = this.table.at(last);
      const to = this.cache.take();
      taken++;
      copies.push({ from, to });
      this.cache.release(from);
      this.table.set(last, to);
    }
    while (this.table.length * PAGE < end) {
      this.table.push(this.cache.take());
      taken++;
    }
    return taken;
  }

  /** Says that keys up to position `length` have been written; pages beyond are given back. */
  settle(length: number): void {
    this.tokens = length;
    while (this.table.length * PAGE >= length + PAGE) this.cache.release(this.table.pop());
  }
}
