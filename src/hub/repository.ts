import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, OptionError, OutputError } from '../base/errors.ts';
import { refusal, waitOf } from './answers.ts';
import { isCommit, type ModelName, show } from './name.ts';
import type { Settings } from './settings.ts';
import { type Reply, transportFor } from './transport.ts';

/** A file of a model, as the Hub tells of it. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Of a large file its SHA-256. Names its content in the cache. */
  readonly etag: string;
}

/** What is told of a file before it is fetched. */
type Head = { readonly commit: string } & ({ readonly file: HubFile } | { readonly file: undefined });

const TRIES = 5;
const PAUSE = 250; // before the second try; doubled before each further one
const LONGEST_WAIT = 60; // seconds that the Hub may ask for
const SILENCE = 30_000; // after which a connection counts as dead
const MOST_REDIRECTS = 10;
const MOST_REST = 65536; // bytes of a body of no use that are read
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const PASSING = new Set([408, 429, 500, 502, 503, 504]);

interface Asked {
  readonly method: 'HEAD' | 'GET';
  readonly revision: string;
  readonly range?: readonly [from: number, to: number | undefined];
  readonly tries?: number;
}

/** An answer whose body is coming. */
export type Answer = Reply;

/** Errors that a further try does not mend. */
export const isFinal = (error: unknown): boolean =>
  error instanceof HubError || error instanceof OptionError || error instanceof OutputError;

/** The files of one model on the Hub, or wherever HF_ENDPOINT points. */
export class Repository {
  readonly name: ModelName;
  readonly settings: Settings;
  private readonly signal: AbortSignal | undefined;
  private readonly transport = transportFor();
  /** Where files were last redirected to: parts of one are many requests, and the Hub counts those to itself. */
  private readonly places = new Map<string, URL>();

  constructor(name: ModelName, settings: Settings, signal?: AbortSignal) {
    this.name = name;
    this.settings = settings;
    this.signal = signal;
  }

  /** The same, ended by another signal. */
  until(signal: AbortSignal): Repository {
    return new Repository(this.name, this.settings, signal);
  }

  /** The file, undefined where there is none, and the commit that the revision stands for. @throws HubError */
  async head(path: string, revision: string, tries?: number): Promise<Head> {
    const { headers, status } = await this.ask(path, { method: 'HEAD', revision, tries });
    const told = headers.get('x-repo-commit');
    if (status === 404) return { commit: told ?? revision, file: undefined };
    const wrong = (what: string) => {
      const hint = `${this.settings.endpoint} does not answer as a Hub does: check HF_ENDPOINT and the proxy`;
      return new HubError(show(this.name), `${what} of ${path} is missing or malformed; ${hint}`, { status });
    };
    const commit = told ?? revision;
    if (!isCommit(commit)) throw wrong('the commit');
    const etag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(/^(W\/)?"|"$/g, '');
    if (!/^\w[\w.-]{0,127}$/.test(etag)) throw wrong('the etag'); // it becomes the name of a file
    const length = headers.get('x-linked-size') ?? (status < 300 ? headers.get('content-length') : null);
    const size = length === null ? await this.measure(path, revision) : Number(length);
    if (!Number.isSafeInteger(size) || size < 0) throw wrong('the size');
    return { commit, file: { path, size, etag } };
  }

  /** Bytes of a file whose head does not tell. */
  private async measure(path: string, revision: string): Promise<number> {
    const { headers, body } = await this.open(path, revision, 0, 1);
    const [, total] = /\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
    let bytes = 0;
    for await (const chunk of body) bytes += chunk.length;
    return total === undefined ? bytes : Number(total);
  }

  /** Bytes `from` to `to`, the latter not included. @throws HubError */
  async read({ path, size }: HubFile, revision: string, from: number, to: number): Promise<Uint8Array> {
    if (from === to) return new Uint8Array();
    return this.repeat(TRIES, async () => {
      const { status, body } = await this.open(path, revision, from, to, size);
      const bytes = new Uint8Array(to - from);
      let at = status === 206 ? 0 : -from;
      for await (const chunk of body) {
        if (at + chunk.length > 0)
          bytes.set(chunk.subarray(Math.max(0, -at), Math.max(0, bytes.length - at)), Math.max(0, at));
        at += chunk.length;
        if (at >= bytes.length) break;
      }
      if (at < bytes.length) throw new Error(`${path} ended ${bytes.length - at} bytes early`);
      return bytes;
    });
  }

  /** Asks for a file from byte `from` on; an answer of status 200 begins at byte 0 all the same. @throws HubError */
  async open(path: string, revision: string, from: number, to?: number, size?: number): Promise<Answer> {
    const range = from > 0 || to !== undefined ? ([from, to] as const) : undefined;
    const answer = await this.ask(path, { method: 'GET', revision, range });
    if (answer.status !== 206) return answer;
    const told = answer.headers.get('content-range') ?? '';
    const [, begin, of] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(told) ?? [];
    if (Number(begin) === from && (size === undefined || of === '*' || Number(of) === size)) return answer;
    answer.giveUp();
    const asked = `byte ${from}${size === undefined ? '' : ` of the ${size}`} of ${path} was asked for`;
    throw new HubError(show(this.name), `${asked}, "content-range: ${told}" came`);
  }

  /** Repeats what a broken connection ends, each time after a longer pause. */
  private async repeat<T>(tries: number, work: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await work();
      } catch (error) {
        if (isFinal(error) || this.signal?.aborted || tried >= tries) throw this.told(error);
      }
      await this.pause(tried);
    }
  }

  /** Before a further try. */
  async pause(tried: number, milliseconds: number = PAUSE * 2 ** (tried - 1)): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.signal }).catch((error) => {
      throw this.told(error);
    });
  }

  /** What ended a request. */
  told(error: unknown): unknown {
    if (this.signal?.aborted) return this.signal.reason;
    if (isFinal(error)) return error;
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    const why = cause?.message || cause?.code || message;
    return new HubError(show(this.name), `${this.settings.endpoint} cannot be reached: ${why}`, {
      cause: error,
    });
  }

  private async ask(path: string, asked: Asked): Promise<Answer> {
    const { tries = TRIES } = asked;
    for (let tried = 1; ; tried++) {
      const answer = await this.repeat(tries, () => this.once(path, asked));
      const { status, headers } = answer;
      if (status < 400) return answer;
      // A plain server says no more than 404; that the commit is there is known by then.
      const code = headers.get('x-error-code') ?? (isCommit(asked.revision) ? 'EntryNotFound' : undefined);
      const isMissing = status === 404 && code === 'EntryNotFound';
      if (isMissing && asked.method === 'HEAD') return answer;
      const wait = waitOf(headers);
      if (!PASSING.has(status) || tried >= tries || (wait ?? 0) > LONGEST_WAIT)
        throw refusal(this.name, path, answer, this.settings);
      await this.pause(tried, wait === undefined ? undefined : 1000 * wait);
    }
  }

  /**
   * One request with its redirects. The token goes to the Hub's own origin alone; and of a file's head a redirect to
   * another host is the answer, since the Hub tells of the file there. A place that was good for an earlier part is asked first.
   */
  private async once(path: string, { method, revision, range }: Asked): Promise<Answer> {
    const { endpoint, token } = this.settings;
    const file = path.split('/').map(encodeURIComponent).join('/');
    const home = new URL(endpoint).origin;
    const first = new URL(`${endpoint}/${this.name.id}/resolve/${encodeURIComponent(revision)}/${file}`);
    let known = method === 'GET' ? this.places.get(path) : undefined;
    let url = known ?? first;
    this.places.delete(path);
    const watch = new Watch(this.signal);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'egps' };
      if (range) headers.range = `bytes=${range[0]}-${range[1] === undefined ? '' : range[1] - 1}`;
      if (token && url.origin === home) headers.authorization = `Bearer ${token}`;
      const reply = await watch.over(this.transport(url, { method, headers, signal: watch.signal }));
      const location = REDIRECTS.has(reply.status) ? reply.headers.get('location') : null;
      const target = location === null ? undefined : new URL(location, url);
      const isAnswer = target ? method === 'HEAD' && target.origin !== home : reply.status < 400;
      if (isAnswer && method === 'GET') {
        if (url !== first) this.places.set(path, url);
        return { ...reply, body: watch.chunks(reply.body) };
      }
      await watch.rest(method, reply);
      if (known) {
        [known, url] = [undefined, first]; // its signature has expired, or it has moved
        continue;
      }
      if (isAnswer || !target) return reply;
      if (!/^https?:$/.test(target.protocol) || (url.protocol === 'https:' && target.protocol === 'http:'))
        throw new HubError(
          show(this.name),
          `${url.origin} redirects ${path} to ${target.protocol}, which is not safe`,
        );
      url = target;
    }
    throw new HubError(show(this.name), `${path} is redirected more than ${MOST_REDIRECTS} times`);
  }
}

/** Ends a request that is silent for too long. */
class Watch {
  readonly signal: AbortSignal;
  private readonly silence = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal ? AbortSignal.any([signal, this.silence.signal]) : this.silence.signal;
  }

  /** Waits for a sign of life. */
  async over<T>(coming: Promise<T>): Promise<T> {
    const late = () => this.silence.abort(new Error(`no answer for ${SILENCE / 1000} s`));
    this.timer = setTimeout(late, SILENCE);
    try {
      return await coming;
    } finally {
      clearTimeout(this.timer);
    }
  }

  /** Reads a body of no use, so that the connection serves again; a large one is not worth it. */
  async rest(method: string, { headers, body, giveUp }: Reply): Promise<void> {
    const bytes = method === 'HEAD' ? 0 : Number(headers.get('content-length') ?? Number.POSITIVE_INFINITY);
    if (bytes > MOST_REST) return giveUp();
    for await (const _ of this.chunks(body));
  }

  async *chunks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const iterator = body[Symbol.asyncIterator]();
    let isRead = false;
    try {
      for (;;) {
        const { done, value } = await this.over(iterator.next());
        isRead = done === true;
        if (done) return;
        yield value;
      }
    } finally {
      if (!isRead) iterator.return?.().catch(() => {}); // ends the connection
    }
  }
}
