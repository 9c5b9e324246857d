import { FetchError } from '../../base/errors.ts';
import type { OpenFile } from '../source.ts';
import type { KeptFile } from './kept.ts';
import { chunksOf, refusal, request } from './request.ts';

/** What is asked for first, to see what there is. */
export const HEAD: number = 1 << 16;
/** Bytes that are fetched, and kept, together. */
export const PIECE: number = 8 << 20;
/** Pieces in memory: tensors are not read in the order of the file. */
const MOST_HELD = 16;

/** What the server says of a file. */
export interface Version {
  readonly size: number;
  /** Another one is another file; undefined where the server does not tell. */
  readonly tag: string | undefined;
}

export interface FileHooks {
  readonly signal?: AbortSignal;
  /** Told of bytes as they come, and of as many less where they have to be fetched again. */
  onBytes(bytes: number): void;
}

/** A file that is read over HTTP in pieces, each of which is fetched once as a rule. */
export class RemoteFile implements OpenFile {
  readonly size: number;
  private readonly url: URL;
  private readonly version: Version;
  /** The beginning, of a small file all of it. */
  private readonly head: Uint8Array;
  private readonly hooks: FileHooks;
  private readonly kept: KeptFile | undefined;
  private readonly held = new Map<number, Promise<Uint8Array>>();
  /** Pieces that `onBytes` knows of. */
  private readonly counted = new Set<number>();

  constructor(url: URL, version: Version, head: Uint8Array, hooks: FileHooks, kept?: KeptFile) {
    this.url = url;
    this.version = version;
    this.size = version.size;
    this.head = head;
    this.hooks = hooks;
    this.kept = kept;
  }

  async read(position: number, target: Uint8Array): Promise<number> {
    const end = Math.min(this.size, position + target.length);
    if (end <= this.head.length) {
      target.set(this.head.subarray(position, end));
      return Math.max(0, end - position);
    }
    for (let at = position; at < end; ) {
      const piece = Math.floor(at / PIECE);
      const from = at - piece * PIECE;
      const bytes = (await this.piece(piece)).subarray(from, from + end - at);
      target.set(bytes, at - position);
      at += bytes.length;
    }
    return Math.max(0, end - position);
  }

  async close(): Promise<void> {
    await this.kept?.settle();
  }

  private piece(index: number): Promise<Uint8Array> {
    const piece = this.held.get(index) ?? this.get(index);
    piece.catch(() => this.held.delete(index));
    this.held.delete(index); // the one used last stands last
    this.held.set(index, piece);
    const [oldest] = this.held.keys();
    if (this.held.size > MOST_HELD) this.held.delete(oldest);
    return piece;
  }

  private async get(index: number): Promise<Uint8Array> {
    const from = index * PIECE;
    const to = Math.min(this.size, from + PIECE);
    const kept = await this.kept?.get(index);
    const bytes = kept?.length === to - from ? kept : await this.fetch(from, to, !this.counted.has(index));
    if (bytes === kept && !this.counted.has(index)) this.hooks.onBytes(bytes.length);
    this.counted.add(index);
    if (bytes !== kept) await this.kept?.put(index, bytes);
    return bytes;
  }

  private fetch(from: number, to: number, counts: boolean): Promise<Uint8Array> {
    const { url, hooks } = this;
    return request({ url, range: [from, to], signal: hooks.signal }, async (answer) => {
      const isRange = answer.status === 206;
      if (!isRange && answer.status !== 200) {
        await answer.body?.cancel();
        // What was there a moment ago is not, or is shorter.
        throw [404, 410, 412, 416].includes(answer.status) ? changed(url) : refusal(url, answer.status);
      }
      const { tag, size } = versionOf(answer);
      if (tag !== this.version.tag || (size !== undefined && size !== this.size)) {
        await answer.body?.cancel();
        throw changed(url, this.version.tag, tag);
      }
      const bytes = new Uint8Array(to - from);
      let at = isRange ? 0 : -from; // a whole file is read as far as it is needed
      let told = 0;
      try {
        for await (const chunk of chunksOf(answer)) {
          const part = chunk.subarray(Math.max(0, -at), Math.max(0, bytes.length - at));
          bytes.set(part, Math.max(0, at));
          at += chunk.length;
          if (counts) hooks.onBytes(part.length);
          told += part.length;
          if (!isRange && at >= bytes.length) break;
        }
        if (at !== bytes.length && (isRange || at < bytes.length))
          throw new FetchError(url.href, `the server sent ${at} bytes in place of ${bytes.length}`);
        return bytes;
      } catch (error) {
        if (counts) hooks.onBytes(-told);
        throw error;
      }
    });
  }
}

/** What the head of an answer tells of the whole file. A server elsewhere may hide some of it from the page. */
export function versionOf({ status, headers }: Response): {
  size: number | undefined;
  tag: string | undefined;
} {
  const tag = headers.get('etag') ?? headers.get('last-modified') ?? undefined;
  // Whether it is packed on the way is said in front of the hash or behind it.
  const plain = tag?.replace(/^W\//, '').replace(/-(gzip|br|zstd)"$/, '"');
  const [size] = /\d+$/.exec(headers.get('content-range') ?? '') ?? [];
  return { size: status === 200 || size === undefined ? undefined : Number(size), tag: plain };
}

function changed(url: URL, before?: string, after?: string): FetchError {
  const tags = after === undefined ? '' : ` (it was ${before}, it is ${after})`;
  return new FetchError(url.href, `the file has changed while it was being read${tags}: load the model anew`);
}
