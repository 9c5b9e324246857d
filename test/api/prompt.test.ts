import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { generate, generateMany } from '../../src/api/generate.ts';
import type { Prompt } from '../../src/api/prompt.ts';
import { score } from '../../src/api/score.ts';
import { stream } from '../../src/api/stream.ts';
import { OptionError } from '../../src/base/errors.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { failure } from '../support/folder.ts';
import { spelling } from '../support/spelling.ts';
import { test } from '../support/suite.ts';

const PIECES = ['a', 'b', 'c', '[', ']', 's', 'u'];
const TEMPLATE =
  '{% for m in messages %}[{% if m.role != "assistant" %}{{ m.role[0] }}{% endif %}{{ m.content }}]{% endfor %}' +
  '{% if add_generation_prompt %}[a{% endif %}';
let tokenizer: Tokenizer;
test.before(async () => {
  tokenizer = await spelling(PIECES, TEMPLATE);
});

const model = () =>
  Object.assign(new TableModel(8, [7], (tokens) => [3, 2, 1, 1, 1, 1, 1, tokens.length % 5]), { tokenizer });

const CONVERSATION: Prompt = [
  { role: 'system', content: 'cb' },
  { role: 'user', content: 'ab' },
  { role: 'assistant', content: 'c' },
  { role: 'user', content: '' },
];
const TEXT = '[scb][uab][c][u][a';

test('generate, generateMany, stream and score take a conversation, its text or its ids alike', async () => {
  const ids = tokenizer.encode(TEXT);
  assert.is(ids.length, TEXT.length);
  const options = { sampler: 'sample', maxNewTokens: 9, seed: 3n } as const;
  const answers = await Promise.all(
    [CONVERSATION, TEXT, ids, [...ids]].flatMap((prompt) => [
      generate(model(), prompt, options),
      generateMany(model(), [prompt], options).then(([answer]) => answer),
      (async () => {
        for await (const event of stream(model(), prompt, options)) {
          if (event.type === 'end') return event.answer;
        }
        throw new Error('there was no end');
      })(),
    ]),
  );
  for (const { promptTokens, tokens } of answers) {
    assert.equal(promptTokens, ids);
    assert.equal(tokens, answers[0].tokens);
  }
  const scored = await score(model(), CONVERSATION, { alpha: 2 });
  assert.equal(scored.tokens, ids);
  assert.equal(scored, await score(model(), ids, { alpha: 2 }));
  assert.equal(await score(model(), 'ab', { chat: true }), await score(model(), '[uab][a'));
});

test('other roles, other contents and tools are refused by name', async () => {
  const user = { role: 'user', content: 'a' };
  const cases: [unknown[], RegExp][] = [
    [
      [user, { role: 'tool', content: 'a' }],
      /^messages\[1\]\.role is "tool": one of system, user, assistant$/,
    ],
    [[{ role: 'function', content: 'a' }], /^messages\[0\]\.role is "function"/],
    [[{ content: 'a' }], /^messages\[0\]\.role is missing/],
    [[{ role: ['user'], content: 'a' }], /^messages\[0\]\.role is an array/],
    [[{ role: 'user' }], /^messages\[0\]\.content is missing: a string$/],
    [[{ role: 'user', content: [{ type: 'text' }] }], /^messages\[0\]\.content is an array: a string$/],
    [[{ role: 'user', content: 1n }], /^messages\[0\]\.content is 1: a string$/],
    [[{ role: 'assistant', content: null, tool_calls: [] }], /^messages\[0\]\.content is null/],
    [[{ role: 'assistant', content: 'a', tool_calls: [] }], /^messages\[0\]\.tool_calls is an array/],
    [[{ ...user, name: 'Mia' }], /^messages\[0\]\.name is "Mia": a message has role and content alone$/],
    [[user, 3], /^messages\[1\] is 3: \{role, content\}$/],
    [[3, user], /^messages\[0\] is 3/],
    [[], /^the prompt is empty/],
    [user as unknown as unknown[], /^the prompt is an object: a text, token ids or messages$/],
    [undefined as unknown as unknown[], /^the prompt is missing/],
  ];
  for (const [messages, message] of cases) {
    const prompt = messages as unknown as Prompt;
    await failure(OptionError, message, () => generate(model(), prompt, { sampler: 'greedy' }));
    await failure(OptionError, message, () => score(model(), prompt));
    await failure(OptionError, message, () => stream(model(), prompt).next());
  }
  // What clients send where there is nothing.
  const answered = { role: 'assistant', content: 'a', refusal: null, tool_calls: undefined };
  await generate(model(), [answered, user], { sampler: 'greedy', maxNewTokens: 1 });
});

test('a model without a tokenizer takes ids alone', async () => {
  const mute = new TableModel(8, [7], () => [1, 1, 1, 1, 1, 1, 1, 1]);
  const answer = await generate(mute, [1, 2], { sampler: 'greedy', maxNewTokens: 3 });
  assert.equal([answer.text, answer.stop, answer.tokens.length], [null, null, 3]);
  for (const prompt of ['a', CONVERSATION])
    await failure(OptionError, /no tokenizer/, () => generate(mute, prompt, { sampler: 'greedy' }));
  await failure(OptionError, /which is no token id/, () =>
    generate(mute, [1, undefined as unknown as number]),
  );
});

test('score tells the likeliest in the place of each token, by the bits that the token itself would have', async () => {
  const ids = [0, 1, 0, 2, 0, 0, 1];
  const { logp, alternatives } = await score(model(), ids, { topLogprobs: 4 });
  for (const [i, likeliest] of alternatives.entries()) {
    assert.is(likeliest.length, 4);
    assert.is(likeliest[0].text, tokenizer.tokenText(likeliest[0].token));
    const own = likeliest.find(({ token }) => token === ids[i + 1]);
    if (own) assert.is(own.logProbability, logp[i]);
  }
  const greedy = await score(model(), ids);
  assert.equal(
    greedy.alternatives.map(([{ token }, ...others]) => [token, others.length]),
    alternatives.map(([{ token }]) => [token, 0]),
  );
  await failure(OptionError, /no option "seed"/, () => score(model(), ids, { seed: 1n } as object));
  await failure(OptionError, /^topLogprobs is 21/, () => score(model(), ids, { topLogprobs: 21 }));
  const reason = new Error('enough');
  const stopped = score(model(), ids, { signal: AbortSignal.abort(reason) });
  assert.is(await stopped.catch((error) => error), reason);
});

test.run();
