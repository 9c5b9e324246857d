import * as assert from 'uvu/assert';
import { generate } from '../../src/api/generate.ts';
import { type OpenAI, openai } from '../support/openai.ts';
import { PROBLEM, type Speaking, speakingModel, withServer } from '../support/server.ts';
import { test } from '../support/suite.ts';

// OpenAI's own client, which knows nothing of egps.

const { OpenAI: Client, BadRequestError, NotFoundError, AuthenticationError } = openai();

let model: Speaking;
test.before(async () => {
  model = await speakingModel();
});
test.after(() => model.dispose());

const withClient = (use: (client: OpenAI) => Promise<void>, options: object = {}) =>
  withServer(model, { apiKey: 'key' }, ({ url }) =>
    use(new Client({ baseURL: `${url}/v1`, apiKey: 'key', maxRetries: 0, ...options })),
  );
const ASKED = { model: 'abacus', prompt: PROBLEM, max_tokens: 12, seed: 5 };
const TALK = {
  model: 'abacus',
  messages: [{ role: 'user', content: PROBLEM.trim() }],
  max_tokens: 12,
  seed: 5,
};
const alone = (chain = 0) =>
  generate(model, PROBLEM, { sampler: 'sample', maxNewTokens: 12, seed: 5n, chain });

test('models, completions and chats, with n and logprobs', () =>
  withClient(async (client) => {
    const names = [];
    for await (const { id } of client.models.list()) names.push(id);
    assert.equal(names, ['abacus']);
    assert.is((await client.models.retrieve('abacus')).object, 'model');

    const completion = await client.completions.create({ ...ASKED, n: 2, logprobs: 1 });
    for (const [chain, { text, logprobs }] of completion.choices.entries()) {
      const { text: expected, logp } = await alone(chain);
      assert.is(text, expected);
      assert.equal(logprobs.token_logprobs, [...logp]);
    }
    const chat = await client.chat.completions.create({ ...TALK, n: 2, logprobs: true, top_logprobs: 2 });
    assert.is(chat.choices[1].message.content, completion.choices[1].text);
    assert.is(chat.choices[0].logprobs.content[0].top_logprobs.length, 2);
    assert.is(chat.usage.completion_tokens, completion.usage.completion_tokens);
    const power = await client.completions.create({
      ...ASKED,
      egps: { particles: 4, finalSteps: 1, extract: 'boxed' },
    });
    assert.ok(power.choices[0].egps.answers.length > 0);
  }));

test('streams of both, with usage, the client’s own helper, and a client that breaks off', () =>
  withClient(async (client) => {
    let text = '';
    let usage: { completion_tokens: number } | undefined;
    const options = { stream: true, stream_options: { include_usage: true } };
    for await (const piece of await client.completions.create({ ...ASKED, ...options })) {
      text += piece.choices[0]?.text ?? '';
      usage = piece.usage ?? usage;
    }
    const { text: expected, tokens } = await alone();
    assert.equal([text, usage?.completion_tokens], [expected, tokens.length]);

    const runner = client.chat.completions.stream({ ...TALK, ...options, logprobs: true });
    const final = await runner.finalChatCompletion();
    assert.is(final.choices[0].message.content, expected);
    assert.is(final.choices[0].logprobs.content.length, tokens.length);
    assert.is(final.usage.completion_tokens, tokens.length);

    const broken = await client.completions.create({ ...ASKED, max_tokens: 500, stream: true });
    for await (const _ of broken) break;
  }));

test('errors are those that the client has classes for', () =>
  withClient(async (client) => {
    const refusal = (request: object) => client.completions.create(request).catch((error: unknown) => error);
    const bad = await refusal({ ...ASKED, temperature: 3 });
    assert.instance(bad, BadRequestError);
    assert.equal(
      [bad.status, bad.param, bad.code, bad.type],
      [400, 'temperature', 'option', 'invalid_request_error'],
    );
    assert.instance(await refusal({ ...ASKED, model: 'gpt-4' }), NotFoundError);
    const stranger = new Client({ baseURL: client.baseURL, apiKey: 'other', maxRetries: 0 });
    assert.instance(await stranger.models.list().catch((error: unknown) => error), AuthenticationError);
  }));

test.run();
