/** A server of the embedded model in this process. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model } from '../../src/api/load-model.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { type Serving, serve } from '../../src/serve/serve.ts';
import { SERVE_DEFAULTS, type Settings } from '../../src/serve/settings.ts';

export type Speaking = Model & { readonly tokenizer: Tokenizer };

/** The embedded model, with a chat template that it was not trained on. */
export async function speakingModel(): Promise<Speaking> {
  const dir = mkdtempSync(join(tmpdir(), 'egps-serve-'));
  try {
    cpSync('models/abacus', dir, { recursive: true });
    const template = '{% for message in messages %}{{ message.content }}{{ "\\n" }}{% endfor %}';
    writeFileSync(join(dir, 'chat_template.jinja'), template);
    return (await loadModel(dir)) as Speaking;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export const PROBLEM = 'Mia has 28 coins. Mia finds 19. How many coins now?\n';

/** Of the problems that the embedded model was not trained on. */
export function problems(count: number): string[] {
  const items: { prompt: string }[] = JSON.parse(readFileSync('models/abacus/heldout.json', 'utf8'));
  return items.slice(0, count).map(({ prompt }) => prompt);
}

export interface Under extends Serving {
  readonly lines: string[];
}

export const COMPLETIONS = '/v1/completions';
export const CHAT = '/v1/chat/completions';

export async function withServer(
  model: Speaking,
  settings: Partial<Settings>,
  use: (server: Under) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const served = { model, name: 'abacus', adapter: model.adapter.description, version: '0' };
  const all = { ...SERVE_DEFAULTS, port: 0, maxTokens: 1024, cors: [], logPrompts: false, ...settings };
  const serving = await serve(served, all, (line) => lines.push(line));
  try {
    await use(Object.assign(serving, { lines }));
  } finally {
    await serving.close();
  }
}

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a client sees, field by field
  readonly json: any;
}

/** Posts JSON, or a body as it is. */
export async function post(url: string, path: string, body: unknown, init: RequestInit = {}): Promise<Told> {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(url + path, {
    method: 'POST',
    body: raw ? (body as BodyInit) : JSON.stringify(body),
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

/** The events of a stream, until it ends; the last one is [DONE] where it ended well. */
export async function* eventsOf(
  url: string,
  path: string,
  body: object,
  signal?: AbortSignal,
  // biome-ignore lint/suspicious/noExplicitAny: what a client sees, field by field
): AsyncGenerator<any> {
  const response = await fetch(url + path, {
    method: 'POST',
    body: JSON.stringify({ ...body, stream: path.startsWith('/v1') ? true : undefined }),
    headers: { 'content-type': 'application/json' },
    signal,
  });
  if (!response.body) throw new Error('no body');
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = text.slice('data: '.length, end);
      text = text.slice(end + 2);
      yield data === '[DONE]' ? data : JSON.parse(data);
    }
  }
}

/** A request with headers that fetch would not send. */
export function plainRequest(
  url: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const sent = request(url + path, { method: body === undefined ? 'GET' : 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        const given = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        const json = text.startsWith('{') ? JSON.parse(text) : text;
        resolve({
          status: response.statusCode ?? 0,
          headers: new Headers(given as [string, string][]),
          json,
        });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
