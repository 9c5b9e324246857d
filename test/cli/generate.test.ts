import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { generate, withModelDefaults } from '../../src/api/generate.ts';
import { OptionError } from '../../src/base/errors.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { accountLines, bytes, json, seconds, shareLines } from '../../src/cli/format.ts';
import { answerJson, progressView } from '../../src/cli/generate.ts';
import { scoreTable, scoreTokens } from '../../src/cli/score.ts';
import { DEFAULTS } from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';

const EOS = 26;
/** Letters are tokens 0 to 25. */
const tokenizer = {
  encode: (text: string) => Uint32Array.from(text, (c) => c.charCodeAt(0) - 97),
  decode: (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids, (id) => id + 97)),
  tokenText: (id: number) => String.fromCharCode(id + 97),
  stream: () => ({ push: (id: number) => String.fromCharCode(id + 97), held: () => '', end: () => '' }),
  applyChatTemplate: ([{ role, content }]: { role: string; content: string }[]) => `${role}${content}`,
} as unknown as Tokenizer;

/** Goes through the alphabet, always with probability 0.9, and ends after `last`. */
function alphabet(last = 'z') {
  const next = (token: number) => (token === last.charCodeAt(0) - 97 ? EOS : (token + 1) % 26);
  const table = new TableModel(27, [EOS], (tokens) =>
    Array.from({ length: 27 }, (_, v) => (v === next(tokens[tokens.length - 1]) ? 0.9 : 0.1 / 26)),
  );
  return Object.assign(table, { tokenizer: tokenizer as Tokenizer | null, defaults: {} });
}

async function refuses(answer: Promise<unknown>, ...parts: string[]): Promise<void> {
  try {
    await answer;
  } catch (error) {
    assert.instance(error, OptionError);
    for (const part of parts) assert.ok((error as Error).message.includes(part), `${error} lacks ${part}`);
    return;
  }
  assert.unreachable(`nothing was thrown; expected ${parts}`);
}

test('a text prompt gives text; EOS stands in the tokens, not in the text', async () => {
  const model = alphabet('f');
  const answer = await generate(model, 'abc', { sampler: 'greedy', maxNewTokens: 10 });
  assert.is(answer.text, 'def');
  assert.equal([...answer.tokens], [3, 4, 5, EOS]);
  assert.equal([...answer.promptTokens], [0, 1, 2]);
  assert.is(answer.finish, 'eos');
  assert.is(answer.logp.length, 4);
  assert.is(model.live, 0);
});

test('token ids give the same; without a tokenizer the text is null', async () => {
  const model = alphabet('f');
  const options = { sampler: 'greedy', maxNewTokens: 10 } as const;
  assert.is((await generate(model, [0, 1, 2], options)).text, 'def');
  model.tokenizer = null;
  const answer = await generate(model, [0, 1, 2], options);
  assert.is(answer.text, null);
  assert.equal([...answer.tokens], [3, 4, 5, EOS]);
  await refuses(generate(model, 'abc', options), 'no tokenizer');
  await refuses(generate(model, [0], { ...options, stop: ['x'] }), 'stop');
});

test('the text ends before the first stop string, the tokens with it', async () => {
  const options = { sampler: 'greedy', maxNewTokens: 6 } as const;
  const answer = await generate(alphabet(), 'a', { ...options, stop: ['fg', 'de', 'zz'] });
  assert.equal([answer.text, answer.stop, answer.finish], ['bc', 'de', 'stop']);
  assert.is(tokenizer.decode(answer.tokens), 'bcde');
  assert.is((await generate(alphabet(), 'a', { ...options, stop: ['x'] })).text, 'bcdefg');
  for (const stop of [[''], 'x', [1], { length: 0 }])
    await refuses(generate(alphabet(), 'a', { ...options, stop: stop as string[] }), 'stop is');
});

test('chat wraps the prompt in the template', async () => {
  const answer = await generate(alphabet(), 'abc', { sampler: 'greedy', maxNewTokens: 2, chat: true });
  assert.equal([...answer.promptTokens], [...tokenizer.encode('userabc')]);
  await refuses(generate(alphabet(), [0], { chat: true }), 'chat');
});

test('bad prompts are refused', async () => {
  await refuses(generate(alphabet(), ''), 'empty');
  await refuses(generate(alphabet(), []), 'empty');
  for (const bad of [-1, 1.5, NaN, 2 ** 32]) await refuses(generate(alphabet(), [0, bad]), String(bad));
  await refuses(generate(alphabet(), [27], { maxNewTokens: 3 }), '27');
});

test('options come before the defaults of the model, those before DEFAULTS', () => {
  const defaults = { maxNewTokens: 48, blockSize: 12, steps: 10, gate: 0.3, cutLaw: 'entropy-gate' } as const;
  const egps = withModelDefaults(defaults, { steps: 2, seed: 5n, alpha: undefined });
  assert.equal(
    [egps.maxNewTokens, egps.blockSize, egps.steps, egps.gate, egps.cutLaw, egps.alpha, egps.seed],
    [48, 12, 2, 0.3, 'entropy-gate', DEFAULTS.alpha, 5n],
  );
  // What the sampler has no use for may stand in the model's defaults, not among the options.
  assert.is(withModelDefaults(defaults, { sampler: 'greedy' }).maxNewTokens, 48);
  assert.is(withModelDefaults(defaults, { cutLaw: 'entropy' }).cutLaw, 'entropy');
  assert.throws(() => withModelDefaults({}, { sampler: 'greedy', gate: 0.3 }), /gate is 0.3/);
});

test('the defaults of the model reach the sampler', async () => {
  const model = Object.assign(alphabet(), { defaults: { maxNewTokens: 5, gate: 0.3 } });
  assert.is((await generate(model, 'a', { sampler: 'greedy' })).tokens.length, 5);
  assert.is((await generate(model, 'a', { sampler: 'greedy', maxNewTokens: 3 })).tokens.length, 3);
});

test('a chain reports its progress and can be aborted', async () => {
  const options = {
    maxNewTokens: 8,
    blockSize: 4,
    steps: 3,
    finalSteps: 2,
    gate: 0,
    growth: 'blocks',
  } as const;
  const views: number[] = [];
  const onProgress = (p: Parameters<typeof progressView>[0]) => views.push(progressView(p, '', 8, 1).done);
  await generate(alphabet(), 'a', { ...options, onProgress });
  assert.ok(views.length >= 10);
  assert.is(views.at(-1), 1);

  const controller = new AbortController();
  const model = alphabet();
  let reason: unknown;
  await generate(model, 'a', {
    ...options,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  }).catch((error) => {
    reason = error;
  });
  assert.is(reason, controller.signal.reason);
  assert.is(model.live, 0);
});

const NOTHING = {
  drawnTokens: 0,
  computedRows: 0,
  draftedRows: 0,
  usedDrafts: 0,
  sequentialPasses: 0,
  proposed: 0,
  accepted: 0,
  held: 0,
  abandoned: 0,
};

test('progress of a chain is told in steps, of a single growth in tokens', () => {
  const account = { ...NOTHING, drawnTokens: 40, sequentialPasses: 20, proposed: 4, accepted: 1, held: 2 };
  const tokens = new Uint32Array(5);
  const chain = { block: 2, blocks: 3, step: 6, steps: 24, account, tokens, logp: -1 };
  assert.equal(progressView(chain, 'x', 20, 2), {
    text: 'x',
    done: 0.25,
    facts: ['block 2/3', 'step 6/24', '25 % accepted', '40 tokens', '20 tokens/s'],
  });
  const growth = { ...chain, block: 1, blocks: 1, step: 0, steps: 1, account: NOTHING };
  assert.equal(progressView(growth, 'x', 20, 2), {
    text: 'x',
    done: 0.25,
    facts: ['5 tokens', '2.5 tokens/s'],
  });
});

const adapter = {
  description: 'Some GPU',
  vendor: 'v',
  architecture: 'a',
  cpu: true,
  subgroups: true,
  features: ['subgroups'],
  limits: {},
};

test('the JSON has everything needed to repeat and to judge an answer', async () => {
  const given = { maxNewTokens: 8, blockSize: 4, seed: 2n ** 64n - 1n };
  const answer = await generate(alphabet(), 'a', given);
  const written = json(answerJson(answer, withModelDefaults({}, given), adapter, 1.5));
  assert.not.match(written, '\n');
  const read = JSON.parse(written);
  assert.equal(read.tokens, [...answer.tokens]);
  assert.equal(read.promptTokens, [0]);
  assert.is(read.text, answer.text);
  for (const column of ['logp', 'logZ', 'entropy', 'block'])
    assert.is(read[column].length, answer.tokens.length);
  assert.equal(read.logp, [...answer.logp]);
  assert.equal(read.account, answer.account);
  assert.is(read.options.gate, 'auto');
  assert.ok(read.gate.nats > 0.3);
  assert.equal(read.gate, answer.gate);
  assert.is(read.seed, '18446744073709551615');
  assert.is(read.options.sampler, 'egps');
  assert.is(read.options.blockSize, 4);
  assert.equal(read.adapter, { description: 'Some GPU', vendor: 'v', architecture: 'a', subgroups: true });
  assert.is(read.wallSeconds, 1.5);
  assert.is(read.finish, answer.finish);
  assert.is(read.logProbability, answer.logProbability);
  assert.is(read.logTarget, 4 * answer.logProbability);
});

test('the account tells cost, acceptance, log p and time', async () => {
  const drawn = await generate(alphabet('f'), 'abc', { sampler: 'greedy', maxNewTokens: 10 });
  assert.is(
    accountLines(drawn, 2),
    `4 tokens drawn · 4 computed in 4 passes
4 tokens · log p ${(4 * Math.log(0.9)).toFixed(3)} · 2.00 s`,
  );
  const account = {
    ...NOTHING,
    drawnTokens: 4000,
    computedRows: 1000,
    draftedRows: 300,
    usedDrafts: 200,
    sequentialPasses: 90,
    proposed: 10,
    accepted: 4,
    held: 3,
    abandoned: 7,
  };
  assert.is(
    accountLines({ ...drawn, finish: 'length', account }, 100).split(' · log p')[0],
    `4000 tokens drawn · 1000 computed in 90 passes · 200 of 300 guesses used · 40 % accepted (4 of 10 moves, 3 held) · 7 candidates abandoned early
4 tokens, cut at the horizon`,
  );
});

test('the first token is scored by nothing, the others by what precedes them', async () => {
  const model = alphabet();
  const scored = await scoreTokens(model, Uint32Array.from([0, 1, 5]), 4);
  assert.equal(scored[0], { id: 0, text: 'a', logp: null, entropy: null, logZ: null });
  assert.ok(Math.abs((scored[1].logp ?? 0) - Math.log(0.9)) < 1e-12);
  assert.ok(Math.abs((scored[2].logp ?? 0) - Math.log(0.1 / 26)) < 1e-12);
  const logZ = Math.log(0.9 ** 4 + 26 * (0.1 / 26) ** 4);
  assert.ok(Math.abs((scored[1].logZ ?? 0) - logZ) < 1e-12);
  assert.is(model.live, 0);
  model.tokenizer = null;
  assert.is((await scoreTokens(model, Uint32Array.from([0]), 4))[0].text, null);
  const total = Math.log(0.9) + Math.log(0.1 / 26);
  assert.is(scoreTable(scored).split('\n').at(-1), `log p of all: ${total.toFixed(4)}`);
});

test('final answers have shares, and pick says which response the text is of', async () => {
  const model = alphabet();
  const options = {
    maxNewTokens: 6,
    particles: 16,
    finalSteps: 4,
    alpha: 1,
    seed: 3n,
    extract: /.$/,
  } as const;
  const last = await generate(model, 'a', options);
  const total = (last.answers ?? []).reduce((sum, { probability }) => sum + probability, 0);
  assert.ok(Math.abs(total - 1) < 1e-9, `shares sum to ${total}`);
  assert.is(last.text, tokenizer.decode(last.tokens.filter((token) => token !== EOS)));
  assert.equal(last.picked.tokens, last.tokens);
  const best = await generate(model, 'a', { ...options, pick: 'likeliest' });
  assert.equal(best.tokens, last.tokens, 'the numbers stay those of the last state');
  const logp = last.visited.particles.map(({ response }) => response.logp.reduce((a, b) => a + b, 0));
  assert.ok(best.picked.logProbability >= Math.max(...logp));
  const vote = await generate(model, 'a', { ...options, pick: 'vote' });
  const mode = vote.answers?.find(({ answer }) => answer !== null);
  assert.is(vote.text?.at(-1), mode?.answer);
  assert.is(shareLines(last.answers ?? []).split(' · ').length, Math.min(5, (last.answers ?? []).length));
  await refuses(generate(model, 'a', { pick: 'vote' }), 'pick', 'extract');
  await refuses(generate(model, 'a', { pick: 'best' as 'vote' }), 'pick', 'best');
});

test('sizes and times', () => {
  assert.equal([0, 999, 1000, 1234567, 999999, 16e9].map(bytes), [
    '0 B',
    '999 B',
    '1 kB',
    '1.23 MB',
    '1 MB',
    '16 GB',
  ]);
  assert.equal([0.123, 12.34, 59.99, 61, 3599.9].map(seconds), [
    '0.12 s',
    '12.3 s',
    '60.0 s',
    '1 min 1 s',
    '60 min 0 s',
  ]);
});

test.run();
