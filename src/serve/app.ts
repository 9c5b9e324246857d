import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { assetsOf, PAGE_POLICY, TRACE_POLICY } from './assets.ts';
import { readJson } from './body.ts';
import type { Env, Server } from './context.ts';
import { failureOf } from './failure.ts';
import { checkSource, isLoopback, keyCheck } from './guard.ts';
import type { Life } from './life.ts';
import { logLine } from './log.ts';
import { clientGone, Refusal, unknownModel } from './refusal.ts';
import { EVENTS, events, type Send } from './sse.ts';

/** What an endpoint gives: an object, or events one after another. */
export type Answering = { readonly json: object } | { readonly events: (send: Send) => Promise<void> };

/** Answers the JSON of a request. What it throws is told in OpenAI's shape. */
export type Endpoint = (server: Server, json: unknown, life: Life) => Promise<Answering>;

/** Everything that the server answers. @param endpoints by their paths */
export function createApp(server: Server, endpoints: Readonly<Record<string, Endpoint>>): Hono<Env> {
  const { settings, name, created, desk, metrics, lives } = server;
  const app = new Hono<Env>();

  app.use(async (c, next) => {
    c.set('life', lives.begin(c.req.raw.signal, settings.deadline));
    c.set('streaming', false);
    await next();
    if (!c.get('streaming')) end(c, c.res.status);
  });
  app.use(async (c, next) => {
    if (isLoopback(settings.host)) checkSource(c.req.raw, settings.cors);
    await next();
  });
  if (settings.cors.length > 0) {
    const origin = settings.cors.includes('*') ? '*' : [...settings.cors];
    app.use(cors({ origin, allowMethods: ['GET', 'POST'], exposeHeaders: ['retry-after'] }));
  }

  const assets = assetsOf({
    model: name,
    adapter: server.adapter,
    chat: server.model.tokenizer.hasChatTemplate,
    maxTokens: settings.maxTokens,
  });
  for (const [path, { type, body }] of Object.entries(assets)) {
    app.get(path, (c) => c.body(body, 200, { 'content-type': type, ...PAGE_HEADERS }));
  }
  // Their names cannot be guessed, and a link cannot show a key.
  app.get('/egps/traces/:id', (c) => {
    const page = server.traces.at(c.req.path);
    if (page === undefined) return c.notFound();
    return c.body(page, 200, {
      'content-type': 'text/html; charset=utf-8',
      ...PAGE_HEADERS,
      'content-security-policy': TRACE_POLICY,
    });
  });
  app.get('/health', (c) =>
    server.isDraining() ? c.json({ status: 'stopping' }, 503) : c.json({ status: 'ok' }),
  );

  if (settings.apiKey !== undefined) {
    const check = keyCheck(settings.apiKey);
    app.use(async (c, next) => {
      check(c.req.raw);
      await next();
    });
  }
  app.get('/metrics', (c) => c.body(metrics.text(), 200, { 'content-type': 'text/plain; version=0.0.4' }));
  const about = { id: name, object: 'model', created, owned_by: 'egps' };
  app.get('/v1/models', (c) => c.json({ object: 'list', data: [about] }));
  app.get('/v1/models/:name{.+}', (c) => {
    if (c.req.param('name') !== name) throw unknownModel(c.req.param('name'), name);
    return c.json(about);
  });
  for (const [path, endpoint] of Object.entries(endpoints)) app.post(path, (c) => answer(c, endpoint));

  const methods: Record<string, string> = { '/v1/models': 'GET', '/health': 'GET', '/metrics': 'GET' };
  for (const path of Object.keys(assets)) methods[path] = 'GET';
  for (const path of Object.keys(endpoints)) methods[path] = 'POST';
  app.notFound((c) => {
    const allow = methods[c.req.path];
    if (allow === undefined)
      return refuse(c, new Refusal(404, 'not-found', `there is no ${c.req.path.slice(0, 200)} here`));
    const message = `${c.req.path} takes ${allow}, not ${c.req.method}`;
    return refuse(c, new Refusal(405, 'method', message, { headers: { allow } }));
  });
  app.onError((error, c) => refuse(c, error));
  return app;

  async function answer(c: Context<Env>, endpoint: Endpoint): Promise<Response> {
    const life = c.get('life');
    // Before a large body is read. A small one is on its way: left unread it would cost its client the connection.
    if (!isSmall(c.req.raw)) desk.check();
    const { json, release } = await life.within((signal) => readJson(c.req.raw, server.body, signal));
    try {
      const answering = await endpoint(server, json, life);
      if ('json' in answering) return c.json(answering.json);
      const told = events(
        (send, hurry) =>
          life.within(async (signal) => {
            signal.addEventListener('abort', hurry); // who reads nothing holds nothing longer than it may
            if (signal.aborted) hurry();
            try {
              await answering.events(send);
            } catch (error) {
              life.failure = error;
              await send(JSON.stringify(failureOf(error).body));
            } finally {
              release();
              end(c, life.failure === undefined ? 200 : failureOf(life.failure).status);
            }
          }),
        () => life.abort(clientGone()),
      );
      c.set('streaming', true);
      return c.body(told, 200, EVENTS);
    } finally {
      if (!c.get('streaming')) release();
    }
  }

  function refuse(c: Context<Env>, error: unknown): Response {
    c.get('life').failure = error;
    const { status, headers, body } = failureOf(error);
    return Response.json(body, { status, headers });
  }

  /** Counts it, and writes its line of the log. */
  function end(c: Context<Env>, status: number): void {
    const life = c.get('life');
    life.end();
    const { path, method } = c.req;
    const route = path in methods ? path : 'other';
    metrics.request(route, status, life.seconds);
    metrics.used(life.usage.prompt, life.usage.completion);
    server.log(logLine(life, method, path, status, settings.logPrompts));
  }
}

const SMALL = 64 << 10;
const isSmall = ({ headers }: Request): boolean => Number(headers.get('content-length') ?? Infinity) <= SMALL;

const PAGE_HEADERS = {
  'content-security-policy': PAGE_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};
