import { FetchError, OptionError, OutOfMemoryError } from '../../base/errors.ts';
import { type ModelFiles, type OpenFile, refusePointer } from '../source.ts';
import { Kept } from './kept.ts';
import { type FileHooks, HEAD, PIECE, RemoteFile, versionOf } from './remote-file.ts';
import { chunksOf, refusal, request } from './request.ts';

export interface AddressHooks {
  readonly signal?: AbortSignal;
  /** Both count the files found so far; what is kept of an earlier visit counts as fetched. */
  onFetch?(fetchedBytes: number, totalBytes: number): void;
}

/** A model's files on a web server, below one address. */
export class Address implements ModelFiles {
  readonly place: string;
  /** What is doubtful about the server and the storage, a line each; grows while files are read. */
  readonly warnings: string[] = [];
  private readonly base: URL;
  private readonly hooks: AddressHooks;
  private readonly opened = new Map<string, Promise<OpenFile | undefined>>();
  /** By their names, of files that are not there. */
  private readonly reasons = new Map<string, string>();
  private readonly kept = Kept.open((message) => this.warnings.push(message));
  private saidWhole = false;
  private fetched = 0;
  private total = 0;

  /** @throws OptionError the address is none of HTTP */
  constructor(base: URL, hooks: AddressHooks = {}) {
    if (!/^https?:$/.test(base.protocol))
      throw new OptionError(`${base.href} is no address that begins with https:// or http://`);
    this.base = new URL(base);
    if (!base.pathname.endsWith('/')) this.base.pathname += '/';
    this.place = this.base.href;
    this.hooks = hooks;
  }

  path(name: string): string {
    return this.url(name).href;
  }

  /** @throws FetchError, CheckpointError, OutOfMemoryError */
  open(name: string): Promise<OpenFile | undefined> {
    const file = this.opened.get(name) ?? this.find(name);
    this.opened.set(name, file);
    return file;
  }

  why(name: string): string {
    const reason = this.reasons.get(name);
    return reason === undefined ? '' : `: ${reason}`;
  }

  private url(name: string): URL {
    const url = new URL(this.base);
    url.pathname += name.split('/').map(encodeURIComponent).join('/');
    return url;
  }

  private async find(name: string): Promise<OpenFile | undefined> {
    const url = this.url(name);
    const { signal } = this.hooks;
    const file = await request({ url, range: [0, HEAD], signal }, (answer) => this.look(name, url, answer));
    if (file === 'whole')
      return request({ url, signal }, (answer) => this.look(name, url, answer)) as Promise<OpenFile>;
    if (file) await refusePointer(url.href, file);
    return file;
  }

  /** What an answer to a request for the first bytes is of; 'whole' where nothing can be made of it but by asking for all of them. */
  private async look(name: string, url: URL, answer: Response): Promise<OpenFile | undefined | 'whole'> {
    const { status } = answer;
    const { size, tag } = versionOf(answer);
    const absent = async (reason: string) => {
      await answer.body?.cancel();
      this.reasons.set(name, reason);
      return undefined;
    };
    if (status === 404 || status === 410) return absent(`the server answers HTTP ${status}`);
    if (status === 416) {
      await answer.body?.cancel();
      return new RemoteFile(url, { size: 0, tag }, new Uint8Array(), this.hooksFor(0));
    }
    if (status !== 200 && status !== 206) {
      await answer.body?.cancel();
      throw refusal(url, status);
    }
    if (/^text\/html\b/.test(answer.headers.get('content-type') ?? ''))
      return absent('the server sends a page (HTML) in its place, as some do for what they have not got');
    if (status === 200) return this.whole(url, answer, tag);
    const head = await bytesOf(answer, HEAD);
    if (size === undefined && head.length === HEAD) return 'whole';
    const small = size === undefined || size === head.length;
    if (!small && head.length < HEAD)
      throw new FetchError(url.href, `the server sent ${head.length} bytes in place of ${HEAD}`);
    const hooks = this.hooksFor(size ?? head.length);
    if (small) hooks.onBytes(head.length);
    const kept = small || tag === undefined ? undefined : (await this.kept)?.file(url, tag);
    return new RemoteFile(url, { size: size ?? head.length, tag }, head, hooks, kept);
  }

  /** Of a server that knows no ranges: all of it comes, and stays in memory. */
  private async whole(url: URL, answer: Response, tag: string | undefined): Promise<OpenFile> {
    const packed = answer.headers.get('content-encoding') !== null;
    const told = packed ? 0 : Number(answer.headers.get('content-length') ?? 0);
    const kept = told <= HEAD || tag === undefined ? undefined : (await this.kept)?.file(url, tag);
    if (await kept?.has(Math.ceil(told / PIECE))) {
      await answer.body?.cancel();
      return new RemoteFile(url, { size: told, tag }, new Uint8Array(), this.hooksFor(told), kept);
    }
    const hooks = this.hooksFor(told);
    const bytes = await bytesOf(answer, told, hooks.onBytes).catch((error) => {
      this.total -= told; // it may be tried again
      throw error;
    });
    const size = bytes.length;
    this.total += size - told;
    if (size > HEAD) this.sayWhole();
    for (let i = 0; kept && i * PIECE < size; i++)
      await kept.put(i, bytes.subarray(i * PIECE, (i + 1) * PIECE));
    return new RemoteFile(url, { size, tag }, bytes, hooks, kept);
  }

  private sayWhole(): void {
    if (this.saidWhole) return;
    this.saidWhole = true;
    const { place } = this;
    this.warnings.push(
      `${place}: the server has no Range requests, or hides Content-Range from this page: files were downloaded whole, into memory`,
    );
  }

  private hooksFor(size: number): FileHooks {
    this.total += size;
    const { signal, onFetch } = this.hooks;
    const onBytes = (bytes: number) => {
      this.fetched += bytes;
      onFetch?.(this.fetched, Math.max(this.fetched, this.total));
    };
    return { signal, onBytes };
  }
}

/** All bytes of an answer, of which `size` are reckoned with. @throws OutOfMemoryError */
async function bytesOf(
  answer: Response,
  size: number,
  onBytes?: (bytes: number) => void,
): Promise<Uint8Array> {
  let [bytes, length] = [new Uint8Array(), 0];
  const grow = (room: number) => {
    try {
      const larger = new Uint8Array(room);
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new OutOfMemoryError(
        answer.url,
        room,
        undefined,
        'a server with Range requests sends it in pieces',
        { cause: error },
      );
    }
  };
  grow(size);
  try {
    for await (const chunk of chunksOf(answer)) {
      if (length + chunk.length > bytes.length) grow(Math.max(length + chunk.length, 2 * length));
      bytes.set(chunk, length);
      length += chunk.length;
      onBytes?.(chunk.length);
    }
    return bytes.subarray(0, length);
  } catch (error) {
    onBytes?.(-length);
    throw error;
  }
}
