import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { findModel } from '../../src/hub/find.ts';
import type { RemoteModel } from '../../src/hub/remote-model.ts';
import { TOKEN, withHub } from '../support/hub-server.ts';
import { test } from '../support/suite.ts';
import { smallModel } from './model.ts';

const TLS = 'test/fixtures/tls'; // of localhost: openssl req -x509 -newkey ec … -days 36500
const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** A proxy that forwards plain HTTP and opens tunnels, and what it was asked for. */
async function withProxy(use: (address: string, asked: string[]) => Promise<void>): Promise<void> {
  const asked: string[] = [];
  const proxy = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url} ${incoming.headers['proxy-authorization'] ?? ''}`);
    const { 'proxy-authorization': _, ...headers } = incoming.headers;
    const forwarded = request(incoming.url ?? '', { method: incoming.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    forwarded.end();
  });
  proxy.on('connect', ({ url = '' }: IncomingMessage, socket: Socket) => {
    asked.push(`CONNECT ${url}`);
    if (url.startsWith('forbidden')) return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const [host, port] = url.split(':');
    const there = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    there.pipe(socket).on('error', () => there.destroy());
    socket.pipe(there).on('error', () => socket.destroy());
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  try {
    await use(`127.0.0.1:${portOf(proxy)}`, asked);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

test('plain HTTP goes through the proxy of the environment, but for exempt hosts', () =>
  withHub({ 'org/m': smallModel() }, (hub) =>
    withProxy(async (proxy, asked) => {
      process.env.http_proxy = `http://me:pass%20word@${proxy}`;
      process.env.NO_PROXY = 'localhost';
      const found = (await findModel('org/m')) as RemoteModel;
      await found.fetch();
      assert.is(asked.length, hub.requests.filter(({ host }) => host === 'hub').length);
      const basic = Buffer.from('me:pass word').toString('base64');
      for (const each of asked)
        assert.ok(
          each.startsWith(`HEAD ${hub.endpoint}/org/m/`) || each.startsWith(`GET ${hub.endpoint}/`),
          each,
        );
      for (const each of asked) assert.ok(each.endsWith(`Basic ${basic}`), each);
      asked.length = 0;
      process.env.NO_PROXY = 'localhost,127.0.0.1';
      await findModel('org/m');
      assert.equal(asked, []);
    }),
  ));

test('HTTPS goes through a tunnel, whose end is the Hub itself', () =>
  withHub({ 'org/m': smallModel() }, (hub) =>
    withProxy(async (proxy, asked) => {
      const files = { key: readFileSync(`${TLS}/key.pem`), cert: readFileSync(`${TLS}/certificate.pem`) };
      const secure = createSecureServer(files, (incoming, response) => {
        const target = new URL(incoming.url ?? '', hub.endpoint);
        const inner = request(target, { method: incoming.method, headers: incoming.headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
        inner.end();
      });
      await once(secure.listen(0, '127.0.0.1'), 'listening');
      const run = async (env: Record<string, string>) => {
        const script = `const { findModel } = await import(process.argv[1]);
          console.log((await findModel('org/m')).name);`;
        const module = new URL('../../src/hub/find.js', import.meta.url).href;
        const child = spawn(process.execPath, ['--input-type=module', '-e', script, module], {
          env: {
            ...process.env,
            HTTPS_PROXY: proxy,
            HF_TOKEN: TOKEN,
            HF_ENDPOINT: `https://localhost:${portOf(secure)}`,
            ...env,
          },
        });
        let out = '';
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (text) => {
            out += text;
          });
        await once(child, 'close');
        return out;
      };
      try {
        const [told, untrusted, forbidden] = await Promise.all([
          run({ NODE_EXTRA_CA_CERTS: `${TLS}/certificate.pem` }),
          run({}),
          run({ HF_ENDPOINT: 'https://forbidden' }),
        ]);
        assert.match(told, /redirects model\.safetensors to http:/, 'no plain storage host for a secure Hub');
        assert.match(untrusted, /cannot be reached: .*certificate/);
        assert.match(forbidden, /cannot be reached: the proxy .* answers 403/);
        const tunnels = asked.filter((each) => each === `CONNECT localhost:${portOf(secure)}`);
        assert.ok(tunnels.length > 3);
        assert.equal([...new Set(asked)].sort(), ['CONNECT forbidden:443', tunnels[0]]);
      } finally {
        secure.closeAllConnections();
        secure.close();
      }
    }),
  ));

test.run();
