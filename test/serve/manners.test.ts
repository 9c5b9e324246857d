import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import * as assert from 'uvu/assert';
import { createApp, type Endpoint } from '../../src/serve/app.ts';
import { BodyBudget } from '../../src/serve/body.ts';
import type { Env, Server } from '../../src/serve/context.ts';
import { Desk } from '../../src/serve/desk.ts';
import { Life, Lives } from '../../src/serve/life.ts';
import { listen } from '../../src/serve/listen.ts';
import { Metrics } from '../../src/serve/metrics.ts';
import { reply, type Shape } from '../../src/serve/reply.ts';
import { SERVE_DEFAULTS } from '../../src/serve/settings.ts';
import { Traces } from '../../src/serve/traces.ts';
import type { Wants } from '../../src/serve/wants.ts';
import {
  COMPLETIONS,
  eventsOf,
  PROBLEM,
  post,
  type Speaking,
  speakingModel,
  type Under,
  withServer,
} from '../support/server.ts';
import { test } from '../support/suite.ts';

// How the server bears clients that are many, slow, gone, or too patient.

let model: Speaking;
test.before(async () => {
  model = await speakingModel();
});
test.after(() => model.dispose());

const SHORT = { model: 'abacus', prompt: PROBLEM, max_tokens: 4, seed: 1 };
/** Takes long enough for all that happens meanwhile. */
const LONG = { ...SHORT, max_tokens: 900, egps: { particles: 64, finalSteps: 200 } };

/** What /metrics says. */
async function metric({ url }: Under, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^egps_${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it did not come to pass');
}

const idle = async (server: Under) => (await metric(server, 'chains_running')) === 0;

/** Begins a request, which is given up by what this returns. */
function begin({ url }: Under, request: object = LONG): { leave(): Promise<void> } {
  const given = new AbortController();
  const told = post(url, COMPLETIONS, request, { signal: given.signal }).catch(() => {});
  return {
    async leave() {
      given.abort();
      await told;
    },
  };
}

const pagesFree = () => (model as unknown as { cache: { available: number } }).cache.available;

test('a client that goes away ends its chain, streamed or not, running or waiting, and its pages come back', () =>
  withServer(model, { concurrency: 2 }, async (server) => {
    const free = pagesFree();
    const whole = begin(server);
    const given = new AbortController();
    const events = eventsOf(server.url, COMPLETIONS, LONG, given.signal);
    await events.next();
    const waiting = begin(server);
    await until(async () => (await metric(server, 'chains_waiting')) === 1);
    await waiting.leave();
    await until(async () => (await metric(server, 'chains_waiting')) === 0);
    assert.is(await metric(server, 'chains_running'), 2);
    await whole.leave();
    given.abort();
    await events.next().catch(() => {});
    await until(() => idle(server));
    await until(() => pagesFree() === free);
    await until(() => server.lines.filter((line) => / 499 .* client-gone$/.test(line)).length === 3);
  }));

test('the queue has an end, and who finds no room is told when to come again', () =>
  withServer(model, { concurrency: 1, queue: 2 }, async (server) => {
    const first = begin(server);
    await until(async () => (await metric(server, 'chains_running')) === 1);
    const others = [begin(server), begin(server, SHORT)];
    await until(async () => (await metric(server, 'chains_waiting')) === 2);
    const told = await Promise.all(Array.from({ length: 50 }, () => post(server.url, COMPLETIONS, SHORT)));
    for (const { status, headers, json } of told) {
      assert.equal([status, json.error.code, json.error.type], [429, 'busy', 'rate_limit_error']);
      assert.ok(Number(headers.get('retry-after')) >= 1);
    }
    await others[0].leave();
    await until(async () => (await metric(server, 'chains_waiting')) === 1);
    const two = await post(server.url, COMPLETIONS, { ...SHORT, n: 2 });
    assert.is(two.status, 429); // both of its chains, or none
    const never = await post(server.url, COMPLETIONS, { ...SHORT, n: 4 });
    assert.equal([never.status, never.json.error.param], [400, 'n']);
    await first.leave();
    await until(() => idle(server));
    assert.is((await post(server.url, COMPLETIONS, SHORT)).status, 200);
    await Promise.all(others.map(({ leave }) => leave()));
  }));

test('whoever leaves at once, in whatever state of the request, leaves no place behind', () =>
  withServer(model, { concurrency: 2, queue: 6 }, async (server) => {
    const { url } = server;
    const talk = { model: 'abacus', messages: [{ role: 'user', content: PROBLEM }], max_tokens: 3, n: 2 };
    for (let i = 0; i < 60; i++) {
      const given = new AbortController();
      const chat = i % 2 === 0;
      const body = chat ? { ...talk, stream: i % 4 === 0 } : { ...SHORT, n: 2, stream: i % 4 === 1 };
      const told = fetch(url + (chat ? '/v1/chat/completions' : COMPLETIONS), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: given.signal,
      });
      setTimeout(() => given.abort(), i / 4);
      await told.then((response) => response.text()).catch(() => {});
    }
    await until(() => server.underWay === 0);
    const full = await Promise.all(Array.from({ length: 8 }, () => post(url, COMPLETIONS, SHORT)));
    assert.equal(
      full.map(({ status }) => status),
      Array(8).fill(200),
    );
  }));

test('a stream that nobody reads from the start gives its places back', async () => {
  const desk = new Desk(2, 0);
  const life = new Life(new AbortController().signal, 60, () => {});
  const server = { desk, name: 'm', fingerprint: 'f' } as unknown as Server;
  const shape = { id: 'x', answer: 'x', piece: 'x', first: () => ({}) } as unknown as Shape;
  const wants = { resolved: { seed: 0n, sampler: 'sample' } } as unknown as Wants;
  const never = () => Promise.reject(new Error('drawn for nobody'));
  const answering = await reply(server, life, shape, [never, never], wants, { stream: true });
  assert.throws(() => desk.check());
  const gone = () => {
    throw new Error('gone');
  };
  const failure = await ('events' in answering && answering.events(gone).catch(({ message }) => message));
  assert.is(failure, 'gone');
  desk.check(2);
  life.end();
});

test('a stream that its reader leaves unread waits, and no longer than the deadline', async () => {
  const lines: string[] = [];
  const lives = new Lives();
  const server = {
    ...{
      lives,
      name: 'm',
      adapter: 'a',
      desk: new Desk(1, 0),
      metrics: new Metrics({}),
      traces: new Traces(),
    },
    settings: { ...SERVE_DEFAULTS, deadline: 0.2, maxTokens: 1, cors: [], logPrompts: false },
    model: { tokenizer: { hasChatTemplate: false } },
    body: { most: 100, patience: 5, budget: new BodyBudget(100) },
    log: (line: string) => lines.push(line),
  } as unknown as Server;
  let sent = 0;
  const endless: Endpoint = async (_, __, life) => ({
    events: (send) =>
      life.within(async (signal) => {
        for (; ; sent++) {
          signal.throwIfAborted();
          await send('x');
          await new Promise(setImmediate);
        }
      }),
  });
  const app = createApp(server, { '/endless': endless });
  const post = { method: 'POST', headers: { host: 'localhost', 'content-type': 'application/json' } };
  const { body } = await app.request('http://localhost/endless', { ...post, body: '{}' });
  await until(() => lives.count === 0);
  assert.ok(sent < 10, `${sent} events for nobody`);
  assert.match(lines[0], / 504 .* deadline$/);
  const text = await new Response(body).text();
  assert.match(text, '"code":"deadline"');
});

test('a connection ends whose client asks and reads nothing', async () => {
  const size = 64 << 20; // more than systems keep for a reader
  const app = new Hono<Env>().get('/', (c) => c.body(new Uint8Array(size)));
  const { url, close } = await listen(app, '127.0.0.1', 0, 1, 0.1);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let read = 0;
  socket.on('data', (data: Buffer) => {
    read += data.length;
  });
  socket.on('error', () => {});
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  socket.resume();
  await once(socket, 'close');
  assert.ok(read < size, `${read} bytes`);
  await close();
});

test('an answer that takes longer than the deadline is given up', () =>
  withServer(model, { deadline: 0.2 }, async (server) => {
    const { status, json, headers } = await post(server.url, COMPLETIONS, LONG);
    assert.equal([status, json.error.code, headers.get('x-should-retry')], [504, 'deadline', 'false']);
    const events = [];
    for await (const event of eventsOf(server.url, COMPLETIONS, LONG)) events.push(event);
    assert.is(events.at(-1).error.code, 'deadline');
    await until(() => idle(server));
  }));

/** Opens a connection and writes the head of a request, and perhaps some of its body. */
async function socketTo({ url }: Under, body: string, length: number = body.length): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(
    `POST ${COMPLETIONS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`,
  );
  return socket;
}

test('a body that never comes is not waited for, a client that has said all is answered', () =>
  withServer(model, { patience: 0.3 }, async (server) => {
    const slow = await socketTo(server, '{"model": ', 1000);
    let text = '';
    slow.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const ended = once(slow, 'close');
    const drip = setInterval(() => slow.write(' '), 50);
    const { status } = await post(server.url, COMPLETIONS, SHORT);
    assert.is(status, 200);
    await ended;
    clearInterval(drip);
    assert.match(text, /^HTTP\/1.1 408 /);
    assert.match(text, 'body-too-slow');

    const broken = await socketTo(server, '{"model": ', 1000);
    broken.destroy();
    await until(() => server.underWay === 0);
  }));

test('a stream whose reader has closed one half, or reads nothing, holds nothing back', () =>
  withServer(model, { concurrency: 1, deadline: 5 }, async (server) => {
    const half = await socketTo(server, JSON.stringify({ ...LONG, stream: true }));
    half.end();
    await once(half, 'data');
    half.destroy();
    await until(() => idle(server));
    const deaf = await socketTo(server, JSON.stringify({ ...SHORT, stream: true }));
    deaf.pause();
    assert.is((await post(server.url, COMPLETIONS, SHORT)).status, 200);
    deaf.destroy();
  }));

test('a server that is stopped parts with each client by its next answer: who goes on asking does not keep it', () =>
  withServer(model, {}, async (server) => {
    const agent = new Agent({ keepAlive: true });
    const headers = { 'content-type': 'application/json' };
    const asked = request(server.url + COMPLETIONS, { method: 'POST', agent, headers });
    asked.end(JSON.stringify({ ...SHORT, max_tokens: 100 }));
    const answered = once(asked, 'response');
    await until(() => server.underWay === 1);
    const drained = server.drain();
    const [response] = await answered;
    assert.equal([response.statusCode, response.headers.connection], [200, 'close']);
    response.resume();
    await drained;
  }));

test('a server that is stopped takes no more and ends what is under way', async () => {
  let server: Under | undefined;
  await withServer(model, {}, async (under) => {
    server = under;
    const answered = post(under.url, COMPLETIONS, { ...SHORT, max_tokens: 100 });
    const streamed = eventsOf(under.url, COMPLETIONS, { ...SHORT, max_tokens: 100 });
    await streamed.next();
    const drained = under.drain();
    assert.is((await answered).status, 200);
    const events = [];
    for await (const event of streamed) events.push(event);
    assert.is(events.at(-1), '[DONE]');
    await drained;
    assert.is(await fetch(`${under.url}/health`).catch(() => 'refused'), 'refused');
  });
  await withServer(model, {}, async (under) => {
    const given = post(under.url, COMPLETIONS, LONG).catch(({ message }) => message);
    await until(async () => (await metric(under, 'chains_running')) === 1);
    await under.close();
    const told = await given;
    assert.ok(typeof told === 'string' || told.status === 503, `${told}`);
  });
  assert.is(server?.underWay, 0);
});

test('a line for each request, with prompts where they are asked for; metrics without what clients made up', () =>
  withServer(model, { logPrompts: true }, async ({ url, lines }) => {
    await post(url, COMPLETIONS, SHORT);
    await post(url, '/made/up', {});
    await until(() => lines.length === 2);
    assert.match(
      lines[0],
      /^\d{4}-\S+Z POST \/v1\/completions 200 \d+ ms 19 \+ 4 tokens "Mia has 28 coins\. .*"$/,
    );
    assert.match(lines[1], / POST \/made\/up 404 \d+ ms not-found$/);
    const text = await (await fetch(`${url}/metrics`)).text();
    assert.match(text, 'egps_requests_total{route="/v1/completions",status="200"} 1');
    assert.match(text, 'egps_requests_total{route="other",status="404"} 1');
    assert.match(text, 'egps_tokens_total{kind="completion"} 4');
    assert.not.match(text, 'made');
    await withServer(model, {}, async (silent) => {
      await post(silent.url, COMPLETIONS, SHORT);
      await until(() => silent.lines.length === 1);
      assert.not.match(silent.lines[0], 'Mia');
    });
  }));

test.run();
