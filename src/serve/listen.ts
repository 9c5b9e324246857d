import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { OutputError } from '../base/errors.ts';
import type { Env } from './context.ts';
import { failureOf } from './failure.ts';
import { Refusal } from './refusal.ts';

/** Connections beyond the requests that are taken: those that are told to come again, and idle ones. */
const SPARE_CONNECTIONS = 256;
/** Milliseconds for the head of a request, and for all of it. */
const HEAD_PATIENCE = 10_000;
const WHOLE_PATIENCE = 60_000;
/** How long the last answers may stay unread when the server ends. */
const LAST_PATIENCE = 5_000;
/** How long an idle connection is kept: longer than clients keep theirs, so that none is closed while a request is on its way. */
const IDLE_PATIENCE = 30_000;

/** A server that listens. */
export interface Listening {
  /** http://HOST:PORT */
  readonly url: string;
  /** Takes no more connections, and ends those that there are: idle ones at once, others with their next answer. */
  stopListening(): void;
  /** Waits until what has been answered is on its way, but for readers that take nothing. */
  sent(): Promise<void>;
  /** Ends all connections. Settles when they are closed. */
  close(): Promise<void>;
}

/**
 * Node's own server under Node, Deno and Bun.
 * @param requests that are taken at a time
 * @param silence seconds, longer than any answer takes, after which a connection is ended on which nothing moves: its client reads nothing
 * @throws OutputError where the address is not to be had
 */
export async function listen(
  app: Hono<Env>,
  host: string,
  port: number,
  requests: number,
  silence: number,
): Promise<Listening> {
  const answer = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: () => {
      const { status, body } = failureOf(
        new Refusal(400, 'bad-request', 'the request has no valid address or host'),
      );
      return Response.json(body, { status });
    },
  });
  const server: HttpServer = createServer(
    {
      headersTimeout: HEAD_PATIENCE,
      requestTimeout: WHOLE_PATIENCE,
      keepAliveTimeout: IDLE_PATIENCE,
      connectionsCheckingInterval: 1000,
    },
    answer,
  );
  const unsent = new Set<ServerResponse>();
  let onSent = () => {};
  let stopping = false;
  // Its client may ask for more as long as its connection stays.
  const makeLast = (response: ServerResponse) => {
    if (!response.headersSent) response.setHeader('connection', 'close');
  };
  server.prependListener('request', (_, response) => {
    if (stopping) makeLast(response);
    unsent.add(response);
    response.once('close', () => {
      unsent.delete(response);
      if (unsent.size === 0) onSent();
    });
  });
  server.maxConnections = requests + SPARE_CONNECTIONS;
  server.timeout = 1000 * silence;
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ message }) =>
      reject(new OutputError(`${host}:${port}`, `cannot listen: ${message}`)),
    );
    server.listen(port, host, resolve);
  });
  const { address, port: found } = server.address() as AddressInfo;
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${found}`,
    stopListening() {
      stopping = true;
      for (const response of unsent) makeLast(response);
      server.close();
      server.closeIdleConnections?.();
    },
    async sent() {
      if (unsent.size === 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LAST_PATIENCE);
        onSent = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    close() {
      server.close();
      server.closeAllConnections?.();
      return closed;
    },
  };
}
