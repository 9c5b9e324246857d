/** A web server as models are loaded from, with the faults of real ones. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
};

/** What a test makes of a request; undefined leaves it to the server. */
export interface Fault {
  status?: number;
  /** The connection ends after so many bytes of the body. */
  cutAfter?: number;
  /** The range is ignored. */
  whole?: boolean;
  /** What the answer has not got. */
  without?: readonly string[];
}

export interface Asked {
  readonly path: string;
  readonly range: string | undefined;
  readonly accept: string | undefined;
}

export class WebServer {
  /** By their paths. */
  readonly files: Record<string, Uint8Array> = {};
  readonly etags: Record<string, string> = {};
  readonly requests: Asked[] = [];
  /** Sent in place of a file that is not there, with status 200. */
  page: string | undefined;
  fault: (asked: Asked) => Fault | undefined = () => undefined;
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => this.answer(request, response));
  }

  static async open(files: Record<string, Uint8Array> = {}): Promise<WebServer> {
    const server = new WebServer();
    Object.assign(server.files, files);
    await once(server.server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  /** Serves a folder, with all below it, at a path that ends with a slash. */
  add(path: string, dir: string): void {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const at = join(dir, entry.name);
      if (entry.isDirectory()) this.add(`${path}${entry.name}/`, at);
      else this.files[path + entry.name] = readFileSync(at);
    }
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(url.split('?')[0].slice(1)) || 'index.html';
    const asked = { path, range: headers.range, accept: headers.accept };
    this.requests.push(asked);
    const fault = this.fault(asked) ?? {};
    if (fault.status) return void response.writeHead(fault.status).end();
    const isThere = Object.hasOwn(this.files, path);
    if (!isThere && this.page === undefined) return void response.writeHead(404).end();
    const content = isThere ? this.files[path] : new TextEncoder().encode(this.page);
    const range = fault.whole ? null : /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '');
    const [from, to] = range
      ? [Number(range[1]), Math.min(content.length, Number(range[2]) + 1)]
      : [0, content.length];
    const told: Record<string, string> = {
      'content-type': TYPES[isThere ? extname(path) : '.html'] ?? 'application/octet-stream',
      etag: this.etags[path] ?? `"${content.length}"`,
      'content-range': range ? `bytes ${from}-${to - 1}/${content.length}` : '',
      'content-length': String(to - from),
    };
    for (const name of [...(fault.without ?? []), ...(range ? [] : ['content-range'])]) delete told[name];
    if (range && from >= content.length)
      return void response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    response.writeHead(range ? 206 : 200, told);
    const body = content.subarray(from, to);
    if (fault.cutAfter === undefined) return void response.end(body);
    response.write(body.subarray(0, fault.cutAfter));
    setTimeout(() => response.destroy(), 10); // what was sent gets there first
  }
}

/** Runs `use` with a server that ends with it. */
export async function withServer(
  files: Record<string, Uint8Array>,
  use: (server: WebServer) => Promise<void>,
): Promise<void> {
  const server = await WebServer.open(files);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}
