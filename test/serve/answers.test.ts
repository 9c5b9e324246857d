import * as assert from 'uvu/assert';
import { generate } from '../../src/api/generate.ts';
import { score } from '../../src/api/score.ts';
import type { SamplerOptions } from '../../src/sampling/options.ts';
import { Distribution } from '../../src/tree/distribution.ts';
import {
  CHAT,
  COMPLETIONS,
  eventsOf,
  PROBLEM,
  post,
  problems,
  type Speaking,
  speakingModel,
  withServer,
} from '../support/server.ts';
import { test } from '../support/suite.ts';

// What the server answers is what the library gives, in every bit, whatever else it answers beside.

let model: Speaking;
test.before(async () => {
  model = await speakingModel();
});
test.after(() => model.dispose());

const ask = (more: object) => ({ model: 'abacus', prompt: PROBLEM, max_tokens: 12, seed: 5, ...more });
const alone = (
  prompt: string | number[],
  more: Partial<SamplerOptions> = {},
  stop?: string[],
  extract?: 'boxed',
) =>
  generate(model, prompt, {
    sampler: 'sample',
    maxNewTokens: 12,
    seed: 5n,
    stop,
    extract,
    ...more,
  });

test('plain sampling, greedy, n choices and prompts of every form', () =>
  withServer(model, {}, async ({ url }) => {
    const { json } = await post(url, COMPLETIONS, ask({ n: 3 }));
    for (const chain of [0, 1, 2])
      assert.is(json.choices[chain].text, (await alone(PROBLEM, { chain })).text);
    assert.is(json.object, 'text_completion');
    assert.equal(Object.keys(json).sort(), [
      ...['choices', 'created', 'egps', 'id', 'model', 'object', 'system_fingerprint', 'usage'],
    ]);
    assert.is(json.usage.total_tokens, json.usage.prompt_tokens + json.usage.completion_tokens);

    const cold = await post(url, COMPLETIONS, ask({ temperature: 0 }));
    assert.is(cold.json.choices[0].text, (await alone(PROBLEM, { sampler: 'greedy' })).text);
    const warm = await post(url, COMPLETIONS, ask({ temperature: 0.7, top_p: 0.9 }));
    assert.is(warm.json.choices[0].text, (await alone(PROBLEM, { temperature: 0.7, topP: 0.9 })).text);

    const [one, other] = problems(2);
    const ids = [one, other].map((text) => [...model.tokenizer.encode(text)]);
    const texts = [(await alone(one)).text, (await alone(other)).text];
    for (const prompt of [[one, other], ids]) {
      const both = await post(url, COMPLETIONS, ask({ prompt }));
      assert.equal(
        both.json.choices.map(({ text }: { text: string }) => text),
        texts,
      );
    }
    assert.is((await post(url, COMPLETIONS, ask({ prompt: ids[1] }))).json.choices[0].text, texts[1]);
  }));

test('without logprobs no alternatives are worked out, and a whole answer takes the passes that the library takes', () =>
  withServer(model, {}, async ({ url }) => {
    const { alternatives } = Distribution.prototype;
    const { compute } = model;
    let [passes, lists] = [0, 0];
    model.compute = (feeds) => {
      passes++;
      return compute.call(model, feeds);
    };
    Distribution.prototype.alternatives = function (most) {
      lists++;
      return alternatives.call(this, most);
    };
    const counted = async (work: () => unknown): Promise<number[]> => {
      [passes, lists] = [0, 0];
      await work();
      return [passes, lists];
    };
    try {
      const library = await counted(() => alone(PROBLEM));
      assert.equal(await counted(() => post(url, COMPLETIONS, ask({}))), library);
      assert.is(library[1], 0);
      const [, listed] = await counted(async () => {
        for await (const _ of eventsOf(url, COMPLETIONS, ask({})));
      });
      assert.is(listed, 0);
      assert.ok((await counted(() => post(url, COMPLETIONS, ask({ logprobs: 1 }))))[1] > 0);
    } finally {
      model.compute = compute;
      Distribution.prototype.alternatives = alternatives;
    }
  }));

test('a seed that was not given is told, and gives the answer again', () =>
  withServer(model, {}, async ({ url }) => {
    const first = await post(url, COMPLETIONS, ask({ seed: undefined, max_tokens: 6 }));
    const again = await post(url, COMPLETIONS, ask({ seed: first.json.egps.seed, max_tokens: 6 }));
    assert.is(again.json.choices[0].text, first.json.choices[0].text);
    const other = await post(url, COMPLETIONS, ask({ seed: null, max_tokens: 1 }));
    assert.is.not(other.json.egps.seed, first.json.egps.seed);
    const negative = await post(url, COMPLETIONS, ask({ seed: -1 }));
    assert.is(negative.json.choices[0].text, (await alone(PROBLEM, { seed: 2n ** 64n - 1n })).text);
    assert.is(negative.json.egps.seed, -1);
  }));

test('a stop string ends the answer, which has no token behind it', () =>
  withServer(model, {}, async ({ url }) => {
    for (const stop of [['19 ='], '+', ['carry', '= 4', '47.\n']]) {
      const { json } = await post(url, COMPLETIONS, ask({ stop, logprobs: 1, temperature: 0 }));
      const stops = typeof stop === 'string' ? [stop] : stop;
      const drawn = await alone(PROBLEM, { sampler: 'greedy' }, stops);
      const [{ text, finish_reason: reason, logprobs }] = json.choices;
      assert.is(text, drawn.text);
      assert.is(reason, 'stop');
      assert.is(json.usage.completion_tokens, drawn.tokens.length);
      const written = logprobs.tokens.join('');
      assert.ok(written.startsWith(text) && written.length - text.length < 8, written);
      assert.ok(logprobs.text_offset.every((at: number) => at < PROBLEM.length + text.length));
    }
  }));

test('logprobs have the bits of the library, the greedy token among the likeliest always', () =>
  withServer(model, {}, async ({ url }) => {
    const drawn = await alone(PROBLEM);
    const greedy = await score(model, [...model.tokenizer.encode(PROBLEM), ...drawn.tokens], {
      topLogprobs: 5,
    });
    const first = greedy.tokens.length - drawn.tokens.length - 1;
    for (const k of [0, 1, 5]) {
      const { json } = await post(url, COMPLETIONS, ask({ logprobs: k }));
      const {
        tokens,
        token_logprobs: logprobs,
        top_logprobs: tops,
        text_offset: offsets,
      } = json.choices[0].logprobs;
      assert.equal(logprobs, [...drawn.logp]);
      assert.is(tokens.join(''), drawn.text);
      assert.is(offsets[0], PROBLEM.length);
      for (const [i, top] of tops.entries()) {
        const likeliest = greedy.alternatives[first + i].slice(0, Math.max(1, k));
        assert.is(top[tokens[i]], logprobs[i]);
        for (const { text, logProbability } of likeliest) assert.is(top[text as string], logProbability);
        assert.ok(Object.keys(top).length <= likeliest.length + 1);
      }
    }
  }));

test('echo scores a prompt as egps score does, with no token drawn and with one', () =>
  withServer(model, {}, async ({ url }) => {
    const text = `${PROBLEM}28 + 19 = 47.`;
    const ids = [...model.tokenizer.encode(text)];
    const { logp, alternatives } = await score(model, text);
    for (const prompt of [text, ids]) {
      for (const maxTokens of [0, 1]) {
        const { json } = await post(
          url,
          COMPLETIONS,
          ask({ prompt, echo: true, logprobs: 1, max_tokens: maxTokens }),
        );
        const [{ text: told, logprobs }] = json.choices;
        assert.equal(logprobs.token_logprobs.slice(0, ids.length), [null, ...logp]);
        assert.is(logprobs.tokens.length, ids.length + maxTokens);
        assert.ok(told.startsWith(text));
        assert.equal(logprobs.top_logprobs[0], null);
        for (const [i, top] of logprobs.top_logprobs.slice(1, ids.length).entries()) {
          assert.is(top[logprobs.tokens[i + 1]], logp[i]);
          assert.is(Math.max(...(Object.values(top) as number[])), alternatives[i][0].logProbability);
        }
      }
    }
    const silent = await post(url, COMPLETIONS, ask({ echo: true, max_tokens: 0 }));
    assert.is(silent.json.choices[0].text, PROBLEM);
    assert.is(silent.json.choices[0].logprobs, null);
  }));

test('a power sampler is chosen by egps, and tells of its answers and its costs', () =>
  withServer(model, {}, async ({ url }) => {
    const egps = { sampler: 'egps', alpha: 3, particles: 4, finalSteps: 2, extract: 'boxed', pick: 'vote' };
    const { alpha, particles, finalSteps } = egps;
    const drawn = await generate(model, PROBLEM, {
      ...{
        sampler: 'egps',
        alpha,
        particles,
        finalSteps,
        seed: 5n,
        maxNewTokens: 32,
        extract: 'boxed',
        pick: 'vote',
      },
    });
    const request = ask({ egps, max_tokens: 32, logprobs: 2 });
    const { json } = await post(url, COMPLETIONS, request);
    const [choice] = json.choices;
    assert.is(choice.text, drawn.text);
    assert.equal(choice.egps.answers, drawn.answers);
    assert.is(choice.egps.logProbability, drawn.picked.logProbability);
    assert.ok(choice.egps.account.computedRows > 0);
    const sum = choice.logprobs.token_logprobs.reduce((a: number, b: number) => a + b, 0);
    const eos = drawn.picked.finish === 'eos' ? 1 : 0;
    assert.is(choice.logprobs.tokens.length, drawn.picked.tokens.length - eos);
    if (!eos) assert.ok(Math.abs(sum - drawn.picked.logProbability) < 1e-9);

    // Streamed, its text comes once; before that pieces without text tell how far it is.
    const pieces = [];
    for await (const event of eventsOf(url, COMPLETIONS, request)) pieces.push(event);
    assert.is(pieces.pop(), '[DONE]');
    const written = pieces.filter(({ choices: [{ text }] }) => text !== '');
    assert.equal(
      written.map(({ choices: [{ text }] }) => text),
      [drawn.text],
    );
    assert.ok(pieces[0].choices[0].egps.steps >= pieces[0].choices[0].egps.step);
    assert.equal(pieces.at(-1).choices[0].egps.answers, drawn.answers);
    assert.equal(written[0].choices[0].logprobs, choice.logprobs);
  }));

test('a streamed answer is the whole one in pieces, for several choices too', () =>
  withServer(model, {}, async ({ url }) => {
    const request = ask({
      n: 2,
      logprobs: 1,
      stop: [' ='],
      stream_options: { include_usage: true },
      echo: true,
    });
    const { json } = await post(url, COMPLETIONS, request);
    const texts = ['', ''];
    const tokens: string[][] = [[], []];
    const reasons: string[] = [];
    const events = [];
    for await (const event of eventsOf(url, COMPLETIONS, request)) events.push(event);
    assert.is(events.pop(), '[DONE]');
    const last = events.pop();
    assert.equal([last.choices, last.usage], [[], json.usage]);
    for (const { choices, usage } of events) {
      assert.is(usage, null);
      const [{ index, text, logprobs, finish_reason: reason }] = choices;
      texts[index] += text;
      tokens[index].push(...(logprobs?.tokens ?? []));
      if (reason) reasons[index] = reason;
    }
    for (const { index, text, logprobs, finish_reason: reason } of json.choices) {
      assert.is(texts[index], text);
      assert.equal(tokens[index], logprobs.tokens);
      assert.is(reasons[index], reason);
    }
  }));

test('a conversation is put by the chat template, and answered in OpenAI’s fields', () =>
  withServer(model, {}, async ({ url }) => {
    const messages = [
      { role: 'developer', content: 'Mia has 28 coins.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Mia finds 19. ' },
          { type: 'text', text: 'How many coins now?' },
        ],
      },
    ];
    const request = {
      model: 'abacus',
      messages,
      seed: 5,
      max_tokens: 12,
      logprobs: true,
      top_logprobs: 2,
      n: 2,
    };
    const { json } = await post(url, CHAT, request);
    const drawn = await alone('Mia has 28 coins.\nMia finds 19. How many coins now?\n');
    const [{ message, logprobs, finish_reason: reason }] = json.choices;
    assert.equal(message, { role: 'assistant', content: drawn.text, refusal: null });
    assert.equal([json.object, reason], ['chat.completion', drawn.finish === 'eos' ? 'stop' : 'length']);
    assert.equal(
      logprobs.content.map(({ logprob }: { logprob: number }) => logprob),
      [...drawn.logp].slice(0, logprobs.content.length),
    );
    for (const { token, bytes, logprob, top_logprobs: tops } of logprobs.content) {
      assert.is(new TextDecoder().decode(Uint8Array.from(bytes)), token);
      assert.is(tops.length, 2);
      assert.ok(tops[0].logprob >= tops[1].logprob && tops[0].logprob >= logprob);
    }
    const texts = ['', ''];
    const roles = [];
    for await (const event of eventsOf(url, CHAT, request)) {
      if (event === '[DONE]') continue;
      const [{ index, delta }] = event.choices;
      assert.is(event.object, 'chat.completion.chunk');
      if (delta.role) roles.push(delta.role);
      texts[index] += delta.content ?? '';
    }
    assert.equal(
      texts,
      json.choices.map((choice: { message: { content: string } }) => choice.message.content),
    );
    assert.equal(roles, ['assistant', 'assistant']);
  }));

test('answers side by side are those given alone', () =>
  withServer(model, { concurrency: 16 }, async ({ url }) => {
    const prompts = problems(4);
    const kinds = [
      (prompt: string) => ask({ prompt, temperature: 0.8 }),
      (prompt: string) => ask({ prompt, egps: { sampler: 'smc', particles: 4 }, max_tokens: 8 }),
      (prompt: string) => ask({ prompt, echo: true, logprobs: 1, max_tokens: 1 }),
    ];
    const requests = prompts.flatMap((prompt) => kinds.map((kind) => kind(prompt)));
    const told = await Promise.all(requests.map((request) => post(url, COMPLETIONS, request)));
    for (const [i, request] of requests.entries()) {
      const { json } = await post(url, COMPLETIONS, request);
      const plain = ({ text, logprobs, finish_reason: reason }: Record<string, unknown>) => [
        text,
        logprobs,
        reason,
      ];
      assert.equal(told[i].json.choices.map(plain), json.choices.map(plain), `${i}`);
    }
  }));

test('the page gets what comes about, and the run as a page', () =>
  withServer(model, {}, async ({ url }) => {
    const drawn = await alone(PROBLEM);
    const events = [];
    const plain = { prompt: PROBLEM, max_tokens: 12, seed: 5 };
    for await (const event of eventsOf(url, '/egps/events', plain)) events.push(event);
    assert.equal(events[0], { type: 'start', seed: '5', promptTokens: drawn.promptTokens.length });
    const pieces = events.filter(({ type }) => type === 'token').map(({ piece }) => piece);
    assert.is(pieces.map(([text]) => text).join(''), drawn.text);
    assert.equal(
      pieces.map(([, entropy]) => entropy),
      Array.from(drawn.entropy, (entropy) => Number(entropy.toPrecision(5))),
    );
    const end = events.at(-1);
    assert.is(end.type, 'end');
    assert.equal(end.pieces, pieces);
    assert.match(await (await fetch(url + end.trace)).text(), /<\/html>/);
    assert.is((await fetch(`${url}/egps/traces/x`)).status, 404);
    const chain = [];
    const egps = { particles: 4, finalSteps: 2, extract: 'boxed' };
    for await (const event of eventsOf(url, '/egps/events', { prompt: PROBLEM, max_tokens: 40, egps }))
      chain.push(event);
    const states = chain.filter(({ type }) => type === 'state');
    assert.ok(states.some(({ answers, visits }) => answers.length > 0 && visits.length > 0));
    const texts = Object.assign({}, ...chain.map((event) => event.texts ?? {}));
    const last = chain.at(-1);
    assert.ok(last.answers.length > 0);
    const known = last.visits.flatMap(({ tokens }: { tokens: number[] }) => tokens);
    assert.ok(
      known.every((token: number) => texts[token] !== undefined),
      'the text of every token was told',
    );
  }));

test.run();
