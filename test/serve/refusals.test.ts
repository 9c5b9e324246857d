import * as assert from 'uvu/assert';
import {
  CHAT,
  COMPLETIONS,
  PROBLEM,
  plainRequest,
  post,
  type Speaking,
  speakingModel,
  type Told,
  withServer,
} from '../support/server.ts';
import { test } from '../support/suite.ts';

// Whatever is sent, the answer has OpenAI's shape and names the field, and nothing else changes.

let model: Speaking;
test.before(async () => {
  model = await speakingModel();
});
test.after(() => model.dispose());

const GOOD = { model: 'abacus', prompt: 'Mia has 2 coins.\n', max_tokens: 2, seed: 1 };
const TALK = { model: 'abacus', messages: [{ role: 'user', content: 'Mia has 2 coins.' }], max_tokens: 2 };

function refused({ status, json }: Told, expected: number, param: string | null, code?: string): void {
  const { error } = json;
  assert.equal(Object.keys(json), ['error']);
  assert.equal(Object.keys(error).sort(), ['code', 'message', 'param', 'type'], JSON.stringify(json));
  assert.equal([status, error.param], [expected, param], error.message);
  assert.ok(error.message.length > 10 && error.message.length < 1000);
  assert.type(error.code, 'string');
  if (code) assert.is(error.code, code);
}

/** Fields of both endpoints with values that are refused. */
const BOTH: [string, ...unknown[]][] = [
  ['model', undefined, null, 3, ['abacus']],
  ['temperature', -1, 2.1, 1e308, '1', {}, true],
  ['top_p', -0.1, 1.1, 'x', []],
  ['n', 0, -1, 1.5, 129, 1e300, '2'],
  ['max_tokens', -1, 1.5, 1e300, '5', 4096, {}],
  ['seed', 1.5, 'x', 2 ** 53, -1e300, {}],
  ['stop', '', [''], 5, {}, Array(1000).fill('x'), 'x'.repeat(5000), [['x']]],
  ['stream', 'yes', 1],
  ['stream_options', 'x', { include_usage: 1 }, { other: true }, []],
  ['frequency_penalty', 0.5, '0'],
  ['presence_penalty', -2],
  ['logit_bias', { 5: 1 }, 3],
  ['egps', 'egps', [], 4],
];
const OWN: Record<string, [string, ...unknown[]][]> = {
  [COMPLETIONS]: [
    [
      'prompt',
      undefined,
      null,
      5,
      {},
      '',
      [],
      [[]],
      [1.5],
      [-1],
      [1e300],
      [400],
      ['a', 1],
      [['a']],
      'x'.repeat(50_000),
    ],
    ['logprobs', 6, -1, true, '1', 1e9],
    ['echo', 1],
    ['suffix', 'x', 3],
    ['best_of', 2, 0],
    ['messages', []],
  ],
  [CHAT]: [
    ['messages', undefined, null, [], 'x', {}, [3], [{ role: 'user' }], [{ role: 'tool', content: 'x' }]],
    ['messages', [{ role: 'user', content: 5 }], [{ role: 'user', content: 'x', tool_calls: [{}] }]],
    ['messages', [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }], [{ content: 'x' }]],
    ['messages', [{ role: 'user', content: 'x'.repeat(50_000) }]],
    ['top_logprobs', 2, 21, -1],
    ['logprobs', 2],
    ['max_completion_tokens', 0, -1],
    ['tools', [{ type: 'function' }]],
    ['tool_choice', 'required', {}],
    ['response_format', { type: 'json_object' }, 'text'],
    ['reasoning_effort', 'high'],
    ['prompt', 'x'],
  ],
};

test('fields that are wrong are refused by name', () =>
  withServer(model, {}, async ({ url }) => {
    for (const [path, good] of [
      [COMPLETIONS, GOOD],
      [CHAT, TALK],
    ] as const) {
      for (const [field, ...values] of [...BOTH, ...OWN[path]]) {
        for (const value of values) {
          const told = await post(url, path, { ...good, [field]: value });
          const { param } = told.json.error ?? {};
          const within = typeof param === 'string' && new RegExp(`^${field}\\b`).test(param);
          const name = field === 'max_tokens' && value === 4096 ? /max_tokens|prompt|messages/ : undefined;
          assert.ok(
            within || name?.test(param),
            `${path} ${field} ${JSON.stringify(value)?.slice(0, 50)}: ${param}`,
          );
          refused(told, 400, param);
          assert.match(told.json.error.message, param.split('.')[0].replace(/\[.*/, ''));
        }
      }
      refused(await post(url, path, { ...good, temprature: 1 }), 400, 'temprature', 'unknown-field');
      refused(await post(url, path, { ...good, model: 'gpt-4' }), 404, 'model', 'model_not_found');
    }
    refused(
      await post(url, CHAT, { ...TALK, messages: [{ role: 'user', content: '' }], max_tokens: 1024 }),
      400,
      'messages',
      'context_length_exceeded',
    );
  }));

test('what egps says is checked by the table of options', () =>
  withServer(model, {}, async ({ url }) => {
    const cases: [string, unknown][] = [
      ['steps', -1],
      ['alpha', 0.5],
      ['alpha', '4'],
      ['tries', 1e9],
      ['particles', 1.5],
      ['sampler', 'best'],
      ['pick', 'first'],
      ['cutLaw', {}],
      ['extract', '(a+)+$'],
      ['n', 3],
      ['seed', 3],
      ['maxNewTokens', 3],
      ['temperature', 1],
      ['treeNodes', 3],
      ['tree', 'off'],
      ['stepz', 3],
      ['__proto__', 3],
      ['constructor', 3],
      ['chain', 2 ** 32],
    ];
    for (const [key, value] of cases) {
      const egps = JSON.parse(`{${JSON.stringify(key)}: ${JSON.stringify(value)}}`);
      const told = await post(url, COMPLETIONS, { ...GOOD, egps });
      refused(told, 400, `egps.${key}`);
      assert.match(told.json.error.message, key.replaceAll('_', ''));
    }
    for (const field of [{ temperature: 0.5 }, { top_p: 0.5 }, { temperature: 0 }])
      refused(await post(url, COMPLETIONS, { ...GOOD, ...field, egps: {} }), 400, Object.keys(field)[0]);
    refused(await post(url, COMPLETIONS, { ...GOOD, egps: { pick: 'vote' } }), 400, 'egps.pick');
  }));

test('fields that change nothing pass at the values with which they do not', () =>
  withServer(model, {}, async ({ url }) => {
    const neutral = {
      ...{
        frequency_penalty: 0,
        presence_penalty: 0,
        logit_bias: {},
        user: 'me',
        temperature: 1,
        top_p: 1,
        n: 1,
      },
      ...{ stop: null, stream: false, stream_options: null, seed: 1, egps: null },
    };
    const plain = await post(url, COMPLETIONS, GOOD);
    const same = await post(url, COMPLETIONS, {
      ...GOOD,
      ...neutral,
      suffix: null,
      best_of: 1,
      echo: false,
      logprobs: null,
    });
    assert.equal(same.json.choices, plain.json.choices);
    const talk = {
      ...{
        tools: [],
        tool_choice: 'none',
        response_format: { type: 'text' },
        store: false,
        metadata: { a: 'b' },
      },
      ...{
        parallel_tool_calls: true,
        modalities: ['text'],
        logprobs: false,
        top_logprobs: 0,
        service_tier: 'auto',
      },
    };
    const told = await post(url, CHAT, { ...TALK, ...neutral, ...talk });
    assert.is(told.status, 200, JSON.stringify(told.json));
    const history = [...TALK.messages, told.json.choices[0].message, ...TALK.messages];
    assert.is((await post(url, CHAT, { ...TALK, messages: history })).status, 200);
  }));

test('bodies that are no JSON, no UTF-8, too large, or of another type', () =>
  withServer(model, {}, async ({ url }) => {
    for (const body of [
      '',
      '{',
      '[1',
      'null',
      '[]',
      '3',
      '"x"',
      '{"model": "abacus", "prompt": NaN}',
      '['.repeat(1e6),
    ])
      assert.is((await post(url, COMPLETIONS, body)).status, 400, body.slice(0, 20));
    refused(await post(url, COMPLETIONS, '{'), 400, null, 'not-json');
    refused(await post(url, COMPLETIONS, Uint8Array.of(0x22, 0xff, 0x22)), 400, null, 'not-utf8');
    const large = JSON.stringify({ ...GOOD, prompt: 'x'.repeat(10 << 20) });
    refused(await post(url, COMPLETIONS, large), 413, null, 'body-too-large');
    const chunks = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(1 << 20).fill(0x20));
      },
    });
    const endless = post(url, COMPLETIONS, '', { body: chunks, duplex: 'half' } as RequestInit);
    const told = await endless.catch(() => undefined); // the connection may be closed before the answer is read
    if (told) refused(told, 413, null, 'body-too-large');
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
      '',
    ]) {
      const headers = { 'content-type': type };
      refused(await post(url, COMPLETIONS, GOOD, { headers }), 415, 'content-type', 'content-type');
    }
    assert.is(
      (await post(url, COMPLETIONS, GOOD, { headers: { 'content-type': 'application/json; charset=UTF-8' } }))
        .status,
      200,
    );
  }));

test('paths and methods that are not there', () =>
  withServer(model, {}, async ({ url }) => {
    refused(await post(url, '/v1/embeddings', GOOD), 404, null, 'not-found');
    const wrong = await fetch(url + COMPLETIONS);
    assert.equal([wrong.status, wrong.headers.get('allow')], [405, 'POST']);
    assert.is((await fetch(`${url}/v1/models/abacus`)).status, 200);
    assert.is((await fetch(`${url}/v1/models/other`)).status, 404);
    assert.is((await plainRequest(url, '/health', { host: 'a b' })).status, 400);
    assert.is((await plainRequest(url, '//health/../x', {})).status, 404);
  }));

test('what a page of another origin sends is refused, and what a name that was pointed here', () =>
  withServer(model, {}, async ({ url }) => {
    const { port } = new URL(url);
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify(GOOD);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      '169.254.169.254',
      'localhost.evil',
    ])
      refused(await plainRequest(url, COMPLETIONS, { host, ...json }, body), 403, 'host', 'foreign-host');
    refused(await plainRequest(url, '/health', { host: 'evil.example' }), 403, 'host');
    for (const origin of ['https://evil.example', 'null', 'http://localhost:1', `https://127.0.0.1:${port}`])
      refused(
        await plainRequest(url, COMPLETIONS, { origin, ...json }, body),
        403,
        'origin',
        'foreign-origin',
      );
    for (const host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      const told = await plainRequest(url, COMPLETIONS, { host, origin: `http://${host}`, ...json }, body);
      assert.is(told.status, 200, host);
      assert.is(told.headers.get('access-control-allow-origin'), null);
    }
  }));

test('other origins call where they are allowed to', () =>
  withServer(model, { cors: ['https://page.example'] }, async ({ url }) => {
    const headers = { origin: 'https://page.example' };
    const preflight = await plainRequest(url, '/v1/models', { ...headers });
    assert.is(preflight.headers.get('access-control-allow-origin'), headers.origin);
    assert.is((await plainRequest(url, '/v1/models', { origin: 'https://evil.example' })).status, 403);
  }));

test('a key is asked for where there is one', () =>
  withServer(model, { apiKey: 'secret' }, async ({ url }) => {
    for (const authorization of ['', 'Bearer', 'Bearer ', 'Bearer secre', 'Bearer secret2', 'Basic secret'])
      refused(
        await post(url, COMPLETIONS, GOOD, { headers: { authorization } }),
        401,
        null,
        'invalid_api_key',
      );
    for (const path of ['/v1/models', '/metrics']) assert.is((await fetch(url + path)).status, 401);
    for (const path of ['/', '/health']) assert.is((await fetch(url + path)).status, 200);
    const headers = { authorization: 'Bearer secret' };
    assert.is((await post(url, COMPLETIONS, GOOD, { headers })).status, 200);
  }));

test('refusals change nothing of an answer that is under way', () =>
  withServer(model, {}, async ({ url }) => {
    const request = { ...GOOD, prompt: PROBLEM, max_tokens: 40 };
    const alone = await post(url, COMPLETIONS, request);
    const bad = ['{', { ...GOOD, n: -1 }, { ...GOOD, prompt: [1, 2, 999] }, 'x'.repeat(5 << 20)];
    const [again, ...told] = await Promise.all([
      post(url, COMPLETIONS, request),
      ...Array.from({ length: 12 }, (_, i) => post(url, COMPLETIONS, bad[i % bad.length])),
    ]);
    assert.equal(again.json.choices, alone.json.choices);
    for (const { status } of told) assert.ok([400, 413].includes(status));
  }));

test.run();
