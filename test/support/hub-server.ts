/** A Hub on 127.0.0.1, with its storage host on another port. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A content, as it is or made on demand. */
export type Content =
  | Uint8Array
  | { readonly size: number; readonly sha256: string; at(from: number, to: number): Uint8Array };

export interface HubModel {
  readonly commit: string;
  /** Branches and tags of the commit beside main. */
  readonly revisions?: readonly string[];
  files: Record<string, Content | string>;
  gated?: boolean;
  private?: boolean;
}

/** A request as it came. */
export interface Request {
  readonly host: 'hub' | 'storage' | 'proxy';
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** The file asked for. */
  readonly file: string;
  /** The first byte that was asked for. */
  readonly from: number;
  /** Bytes of the body that were sent. */
  sent: number;
}

/** What a test makes of a request; undefined leaves it to the server. */
export interface Fault {
  status?: number;
  headers?: Record<string, string>;
  /** The connection ends after so many bytes of the body. */
  cutAfter?: number;
  /** Nothing comes after so many bytes of the body. */
  stopAfter?: number;
  /** One bit of what is sent is another. */
  corrupt?: boolean;
  /** What is said of the range that comes. */
  contentRange?: string;
  /** The range is ignored. */
  whole?: boolean;
  /** Nothing is answered. */
  silent?: boolean;
}

export const TOKEN = 'hf_atoken';
const PART = 1 << 14; // what waits in this process counts as sent
const sha = (name: string, ...parts: (string | Uint8Array)[]) => {
  const hash = createHash(name);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

export class HubServer {
  readonly models: Record<string, HubModel> = {};
  /** Old ids by which models are still found. */
  readonly renamed: Record<string, string> = {};
  readonly requests: Request[] = [];
  fault: (request: Request) => Fault | undefined = () => undefined;
  /** Told whenever bytes of a body were sent. */
  onSent: () => void = () => {};
  /** Bytes a second that the storage sends, all connections together. */
  rate = Number.POSITIVE_INFINITY;
  private readonly hub: Server;
  private readonly storage: Server;
  private free = 0; // when all is sent that was asked for

  private constructor() {
    this.hub = createServer((request, response) => void this.answer('hub', request, response));
    this.storage = createServer((request, response) => void this.answer('storage', request, response));
  }

  static async open(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.hub, server.storage]) await once(each.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.hub.address() as AddressInfo).port}`;
  }

  private get storageHost(): string {
    return `http://localhost:${(this.storage.address() as AddressInfo).port}`;
  }

  /** Bytes of weights that were sent. */
  sentOf(pattern: RegExp): number {
    return this.requests.filter(({ file }) => pattern.test(file)).reduce((n, { sent }) => n + sent, 0);
  }

  /** Ends all connections, as a dead client does. */
  cut(): void {
    for (const each of [this.hub, this.storage]) each.closeAllConnections();
  }

  async close(): Promise<void> {
    this.cut();
    for (const each of [this.hub, this.storage]) await new Promise((resolve) => each.close(resolve));
  }

  private async answer(
    host: 'hub' | 'storage',
    { method = '', url = '', headers }: IncomingMessage,
    response: ServerResponse,
  ) {
    const [path] = url.split('?');
    const parts = path.slice(1).split('/').map(decodeURIComponent);
    const at = parts.indexOf('resolve');
    const file = host === 'storage' ? parts.slice(1).join('/') : parts.slice(at + 2).join('/');
    const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    const request: Request = { host, method, path, headers, file, from, sent: 0 };
    this.requests.push(request);
    const fault = this.fault(request);
    if (fault?.silent) return;
    if (fault?.status) return void response.writeHead(fault.status, fault.headers).end();
    if (host === 'storage') {
      const content = this.byHash(parts[0]);
      if (!content || headers.authorization) return void response.writeHead(400).end();
      return this.send(request, response, content, {}, fault);
    }
    if (parts[0] === 'api') return this.tell(parts, response, headers);
    const id = parts.slice(0, at).join('/');
    if (this.renamed[id])
      return void response.writeHead(307, { location: url.replace(id, this.renamed[id]) }).end();
    const model = this.permitted(id, headers, response);
    if (!model) return;
    const error = (status: number, code: string) =>
      void response.writeHead(status, { 'x-error-code': code, 'x-repo-commit': model.commit }).end();
    if (!isRevision(model, parts[at + 1])) return error(404, 'RevisionNotFound');
    const content = contentOf(model, file);
    if (!content) return error(404, 'EntryNotFound');
    const common = {
      'x-repo-commit': model.commit,
      'x-xet-hash': 'f'.repeat(64),
      link: '</xet>; rel="xet-auth"',
    };
    if (!isLarge(file))
      return this.send(request, response, content, { ...common, etag: `"${etagOf(file, content)}"` }, fault);
    const size = content instanceof Uint8Array ? content.length : content.size;
    const told = {
      'x-linked-etag': `"${etagOf(file, content)}"`,
      'x-linked-size': String(size),
      etag: '"0f0f"',
    };
    const location = `${this.storageHost}/${etagOf(file, content)}/${file}?signed=1`;
    response
      .writeHead(302, { ...common, ...told, location, 'content-length': '9' })
      .end(method === 'HEAD' ? '' : 'redirect.');
  }

  /** What Python's snapshot_download asks for. */
  private tell(
    parts: readonly string[],
    response: ServerResponse,
    headers: IncomingMessage['headers'],
  ): void {
    const at = parts.findIndex((part) => part === 'revision' || part === 'tree');
    const id = parts.slice(2, at).join('/');
    const model = this.permitted(id, headers, response);
    if (!model) return;
    const files = Object.keys(model.files).map((path) => {
      const content = contentOf(model, path) as Content;
      const size = content instanceof Uint8Array ? content.length : content.size;
      const oid = etagOf(path, content);
      return {
        type: 'file',
        path,
        oid,
        size,
        ...(isLarge(path) && { lfs: { oid, size, pointerSize: 130 } }),
      };
    });
    const siblings = files.map(({ path }) => ({ rfilename: path }));
    const body = parts[at] === 'tree' ? files : { id, modelId: id, sha: model.commit, siblings };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  private permitted(
    id: string,
    { authorization }: IncomingMessage['headers'],
    response: ServerResponse,
  ): HubModel | undefined {
    const refuse = (status: number, code: string, message = '') =>
      void response.writeHead(status, { 'x-error-code': code, 'x-error-message': message }).end();
    const isKnown = authorization === `Bearer ${TOKEN}`;
    if (authorization && !isKnown) return refuse(401, '', 'Invalid credentials in Authorization header');
    const model = this.models[id];
    if (!model || (model.private && !isKnown))
      return refuse(isKnown ? 404 : 401, 'RepoNotFound', 'Repository not found');
    if (model.gated) return refuse(isKnown ? 403 : 401, 'GatedRepo', 'Access to this model is restricted');
    return model;
  }

  private async send(
    request: Request,
    response: ServerResponse,
    content: Content,
    headers: Record<string, string>,
    fault: Fault | undefined,
  ): Promise<void> {
    const size = content instanceof Uint8Array ? content.length : content.size;
    const range = fault?.whole ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Math.min(size, Number(range[2]) + 1) : size;
    if (range && from >= size) return void response.writeHead(416).end();
    const length = { 'content-length': String(to - from) };
    response.writeHead(range ? 206 : 200, {
      ...headers,
      ...length,
      ...(range && { 'content-range': fault?.contentRange ?? `bytes ${from}-${to - 1}/${size}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    const end = Math.min(to, from + (fault?.cutAfter ?? fault?.stopAfter ?? Number.POSITIVE_INFINITY));
    for (let at = from; at < end && !response.destroyed; at += PART) {
      let part = bytesOf(content, at, Math.min(end, at + PART));
      if (fault?.corrupt) part = part.with(0, part[0] ^ 1);
      await this.pace(part.length);
      if (response.destroyed) return;
      const isTaken = response.write(part);
      request.sent += part.length;
      this.onSent();
      if (!isTaken) await taken(response);
    }
    if (fault?.stopAfter) return;
    if (end < to) {
      await new Promise((resolve) => setTimeout(resolve, 20)); // what was sent gets there first
      response.destroy();
    } else response.end();
  }

  private async pace(bytes: number): Promise<void> {
    if (this.rate === Number.POSITIVE_INFINITY) return;
    const now = performance.now();
    this.free = Math.max(now, this.free) + (1000 * bytes) / this.rate;
    if (this.free - now > 5) await new Promise((resolve) => setTimeout(resolve, this.free - now));
  }

  private byHash(hash: string): Content | undefined {
    for (const model of Object.values(this.models)) {
      for (const path of Object.keys(model.files)) {
        const content = contentOf(model, path) as Content;
        if (isLarge(path) && etagOf(path, content) === hash) return content;
      }
    }
    return undefined;
  }
}

/** Until more can be written, or nothing any more. */
async function taken(response: ServerResponse): Promise<void> {
  const one = new AbortController();
  const events = ['drain', 'close'].map((event) => once(response, event, { signal: one.signal }));
  await Promise.race(events).catch(() => {});
  one.abort();
  await Promise.allSettled(events);
}

function isRevision({ commit, revisions = [] }: HubModel, revision: string): boolean {
  return ['main', commit, ...revisions].includes(revision);
}

function contentOf({ files }: HubModel, path: string): Content | undefined {
  const content = Object.hasOwn(files, path) ? files[path] : undefined;
  return typeof content === 'string' ? new TextEncoder().encode(content) : content;
}

/** Whether a file is kept by Git LFS. */
const isLarge = (path: string) => /\.safetensors$|^tokenizer\.json$/.test(path);

const etags = new WeakMap<object, string>();

/** SHA-256 of a large file, what git calls the others by. */
export function etagOf(path: string, content: Content): string {
  if (!(content instanceof Uint8Array)) return content.sha256;
  const known = etags.get(content);
  if (known) return known;
  const etag = isLarge(path) ? sha('sha256', content) : sha('sha1', `blob ${content.length}\0`, content);
  etags.set(content, etag);
  return etag;
}

function bytesOf(content: Content, from: number, to: number): Uint8Array {
  return content instanceof Uint8Array ? content.subarray(from, to) : content.at(from, to);
}

const VARIABLES =
  /^(HF_.*|HUGGING_?FACE_.*|TRANSFORMERS_OFFLINE|XDG_CACHE_HOME|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)$/;

/** Runs `use` with a Hub and an empty cache that the environment names, and puts everything back. */
export async function withHub(
  models: Record<string, HubModel>,
  use: (hub: HubServer, home: string) => Promise<void>,
): Promise<void> {
  const hub = await HubServer.open();
  Object.assign(hub.models, models);
  const home = await mkdtemp(join(tmpdir(), 'egps-hub-'));
  const before = Object.entries(process.env).filter(([name]) => VARIABLES.test(name));
  for (const [name] of before) delete process.env[name];
  Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: hub.endpoint });
  try {
    await use(hub, home);
  } finally {
    for (const name of Object.keys(process.env)) if (VARIABLES.test(name)) delete process.env[name];
    Object.assign(process.env, Object.fromEntries(before));
    await hub.close();
    await rm(home, { recursive: true, force: true });
  }
}
