import {
  type ClientRequest,
  type IncomingMessage,
  request as overHttp,
  type RequestOptions,
} from 'node:http';
import { request as overHttps } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { OptionError } from '../base/errors.ts';
import { RUNTIME } from '../base/runtime.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface Asked {
  readonly method: 'HEAD' | 'GET';
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** An answer; its body must be read to the end or given up. */
export interface Reply {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  readonly body: AsyncIterable<Uint8Array>;
  /** What is left of the body is not wanted. */
  giveUp(): void;
}

/** One request; redirects are not followed. A browser would have one of its own. */
export type Transport = (url: URL, asked: Asked) => Promise<Reply>;

/**
 * Requests through the proxies that the environment names. Deno's fetch looks there itself; that of Node does not before version 24, and
 * takes twice the work a byte that Node's older interface does.
 */
export function transportFor(env: Environment = process.env): Transport {
  return RUNTIME === 'deno' ? overFetch : (url, asked) => overNode(proxyFor(url, env), url, asked);
}

async function overFetch(url: URL, asked: Asked): Promise<Reply> {
  const { status, headers, body } = await fetch(url, { ...asked, redirect: 'manual' });
  const giveUp = () => void body?.cancel().catch(() => {});
  return { status, headers, body: body ?? none(), giveUp };
}

async function* none(): AsyncGenerator<Uint8Array> {}

/** @throws OptionError the variable has no address of a proxy */
export function proxyFor({ protocol, hostname, port }: URL, env: Environment): URL | undefined {
  const name = protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const text = env[name] || env[name.toUpperCase()];
  if (!text || isExempt(hostname, port || (protocol === 'https:' ? '443' : '80'), env)) return undefined;
  const address = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw new OptionError(
      `${name.toUpperCase()} is not the address of an HTTP proxy, such as http://HOST:PORT`,
    );
  return new URL(address);
}

/** NO_PROXY lists hosts, each with all that ends with it behind a dot, or with a port; `*` is every host. */
function isExempt(hostname: string, port: string, env: Environment): boolean {
  const entries = (env.no_proxy || env.NO_PROXY || '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  return entries.some((entry) => {
    if (entry === '*' || hostname === `[${entry}]`) return true;
    const [, host, only] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
    const isHost = hostname === host || hostname.endsWith(`.${host}`);
    return isHost && (only === undefined || only === port);
  });
}

/** Plain HTTP is asked of the proxy with the whole address; HTTPS goes through a tunnel that the proxy opens. */
async function overNode(proxy: URL | undefined, url: URL, asked: Asked): Promise<Reply> {
  if (url.protocol === 'https:') {
    const through = proxy && { agent: false, createConnection: await tunnel(proxy, url, asked.signal) };
    return reply(overHttps(url, { ...asked, ...through }));
  }
  if (!proxy) return reply(overHttp(url, asked));
  const headers = { ...asked.headers, host: url.host, ...credentials(proxy) };
  return reply(askProxy(proxy, { ...asked, path: url.href, headers }));
}

/** The credentials in the proxy's address are none of the Hub's business: they must not become its Authorization. */
function askProxy({ protocol, hostname, port }: URL, options: RequestOptions): ClientRequest {
  const address = { hostname: hostname.replace(/^\[|\]$/g, ''), port };
  return (protocol === 'https:' ? overHttps : overHttp)({ ...address, ...options });
}

function credentials({ username, password }: URL): Record<string, string> {
  if (!username) return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** What connects to the host through the proxy. */
function tunnel(proxy: URL, { hostname, port }: URL, signal: AbortSignal): Promise<() => Socket> {
  const path = `${hostname}:${port || 443}`;
  const headers = { host: path, ...credentials(proxy) };
  const asked = askProxy(proxy, { method: 'CONNECT', path, headers, signal, agent: false });
  return new Promise((resolve, reject) => {
    asked.once('error', reject);
    asked.once('connect', ({ statusCode }: IncomingMessage, socket: Socket) => {
      const servername = isIP(hostname) ? '' : hostname;
      if (statusCode === 200) return resolve(() => connect({ socket, host: hostname, servername }));
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} answers ${statusCode}`));
    });
    asked.end();
  });
}

function reply(asked: ClientRequest): Promise<Reply> {
  return new Promise((resolve, reject) => {
    asked.once('error', reject);
    asked.once('response', (message: IncomingMessage) => {
      const get = (name: string) => message.headersDistinct[name]?.join(', ') ?? null;
      resolve({
        status: message.statusCode ?? 0,
        headers: { get },
        body: message,
        giveUp: () => void message.on('error', () => {}).destroy(),
      });
    });
    asked.end();
  });
}
