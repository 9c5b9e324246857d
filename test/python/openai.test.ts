import * as assert from 'uvu/assert';
import { generate } from '../../src/api/generate.ts';
import { PROBLEM, type Speaking, speakingModel, withServer } from '../support/server.ts';
import { test } from '../support/suite.ts';
import { python } from './venv.ts';

// OpenAI's client for Python, which checks what it is told by its own types.

let model: Speaking;
test.before(async () => {
  model = await speakingModel();
});
test.after(() => model.dispose());

const SCRIPT = `
import json, os
from openai import OpenAI, BadRequestError
client = OpenAI(base_url=os.environ['URL'], api_key='any', max_retries=0)
asked = dict(model='abacus', prompt=os.environ['PROBLEM'], max_tokens=20, seed=5)
talk = dict(model='abacus', messages=[dict(role='user', content=os.environ['PROBLEM'].strip())], max_tokens=20, seed=5)
told = {'models': [model.id for model in client.models.list()]}
plain = client.completions.create(**asked, n=2, logprobs=1)
told['texts'] = [choice.text for choice in plain.choices]
told['logprobs'] = [choice.logprobs.token_logprobs for choice in plain.choices]
told['usage'] = plain.usage.completion_tokens
told['streamed'] = ''.join(piece.choices[0].text for piece in client.completions.create(**asked, stream=True))
chat = client.chat.completions.create(**talk, n=2, logprobs=True, top_logprobs=3)
told['chat'] = [choice.message.content for choice in chat.choices]
told['content'] = [token.logprob for token in chat.choices[0].logprobs.content]
told['tops'] = max(len(token.top_logprobs) for token in chat.choices[0].logprobs.content)
pieces = list(client.chat.completions.create(**talk, stream=True, stream_options=dict(include_usage=True)))
told['pieces'] = ''.join(piece.choices[0].delta.content or '' for piece in pieces if piece.choices)
told['counted'] = pieces[-1].usage.completion_tokens
power = client.completions.create(**asked, extra_body=dict(egps=dict(particles=4, finalSteps=1, extract='boxed')))
told['answers'] = len(power.choices[0].egps['answers'])
try:
    client.completions.create(**asked, temperature=3)
except BadRequestError as error:
    told['error'] = [error.status_code, error.code, error.param, error.type]
print(json.dumps(told))
`;

test('the client for Python: plain, streamed, with logprobs and with n', () =>
  withServer(model, {}, async ({ url }) => {
    const drawn = await Promise.all(
      [0, 1].map((chain) =>
        generate(model, PROBLEM, { sampler: 'sample', maxNewTokens: 20, seed: 5n, chain }),
      ),
    );
    const texts = drawn.map(({ text }) => text);
    const told = await python(SCRIPT, { ...process.env, URL: `${url}/v1`, PROBLEM });
    const { answers, ...rest } = told as Record<string, unknown>;
    assert.equal(rest, {
      models: ['abacus'],
      texts,
      logprobs: drawn.map(({ logp }) => [...logp]),
      usage: drawn.reduce((n, { tokens }) => n + tokens.length, 0),
      streamed: texts[0],
      chat: texts,
      content: [...drawn[0].logp],
      tops: 3,
      pieces: texts[0],
      counted: drawn[0].tokens.length,
      error: [400, 'option', 'temperature', 'invalid_request_error'],
    });
    assert.ok((answers as number) > 0);
  }));

test.run();
