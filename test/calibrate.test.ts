import * as assert from 'uvu/assert';
import { TableModel } from '../reference/table-model.ts';
import { calibrate, fit } from '../src/api/calibrate.ts';
import { OptionError } from '../src/base/errors.ts';
import { PAGE } from '../src/cache/kv-cache.ts';
import { fitGate } from '../src/sampling/gate.ts';
import { resolveOptions } from '../src/sampling/sample.ts';
import { sampleMany } from '../src/sampling/sample-many.ts';
import { failure } from './support/folder.ts';
import { test } from './support/suite.ts';

const COIN = Math.LN2;
const close = (actual: number, expected: number, tolerance = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.abs(expected), `${actual} is not ${expected}`);

/** Entropy of one of two outcomes. */
const binary = (p: number) => -p * Math.log(p) - (1 - p) * Math.log(1 - p);

/** Two tokens without EOS. Every `period`-th position is a coin, the others are nearly certain. */
function coins(period: number, defaults = {}) {
  const model = new TableModel(2, [], ({ length }) => (length % period === 0 ? [1, 1] : [0.9999, 0.0001]));
  return Object.assign(model, { tokenizer: null, defaults });
}

test('a model whose decisions are known', async () => {
  const progress: { samples: number; of: number; tokens: number }[] = [];
  const fitted = await calibrate(coins(20), [[0]], {
    samples: 5,
    maxNewTokens: 200,
    onProgress: (at) => progress.push(at),
  });
  assert.is(fitted.gate, 0.69);
  assert.is(fitted.blockSize, 64); // three coins in 60 tokens
  assert.equal([fitted.samples, fitted.tokens, fitted.meanLength], [5, 1000, 200]);
  const noise = 0.95 * binary(0.9999);
  close(fitted.meanEntropy, 0.05 * COIN + noise);
  close(fitted.decisions.tokens, 0.05);
  close(fitted.decisions.entropy, (0.05 * COIN) / (0.05 * COIN + noise));
  assert.equal(
    fitted.quantiles.map(({ entropy }) => entropy > 0.5),
    [false, false, false, false, true],
  );
  assert.equal(progress.at(-1), { samples: 5, of: 5, tokens: 1000 });
  assert.ok(progress.some(({ samples, tokens }) => samples === 0 && tokens > 0));
});

test('samples are spread over the prompts, each a chain of its own, at temperature 1', async () => {
  // The prompt and the last token decide how sure the model is.
  const table = new TableModel(9, [], (tokens) => [
    9,
    1 + tokens[0] + (tokens.at(-1) ?? 0),
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  const model = Object.assign(table, { tokenizer: null, defaults: { maxNewTokens: 10 } });
  const plain = resolveOptions({ sampler: 'sample', temperature: 1, maxNewTokens: 10, seed: 7n });
  const prompts = Array.from({ length: 9 }, (_, first) => [first]);
  for (const [given, spread] of [
    [
      [[0], Uint32Array.of(1)],
      [[0], [0], [1], [1]],
    ],
    [prompts, [[0], [2], [4], [6]]],
  ] as const) {
    const drawn = await sampleMany(model, spread, plain);
    assert.is(new Set(drawn.map(({ entropy }) => entropy.join())).size, 4);
    const expected = fit(
      drawn.map(({ entropy }) => entropy),
      10,
    );
    assert.equal(await calibrate(model, given, { samples: 4, seed: 7n }), expected);
    assert.not.equal(await calibrate(model, given, { samples: 4, seed: 8n }), expected);
  }
});

test('samples are decoded side by side, which changes nothing', async () => {
  const run = async (rows: number) => {
    const model = Object.assign(coins(3), { rows });
    const fitted = await calibrate(model, [[0], [1]], { samples: 6, maxNewTokens: 9 });
    assert.is(model.live, 0);
    return { fitted, most: Math.max(...model.calls) };
  };
  const [one, many] = [await run(1), await run(64)];
  assert.is(one.most, 1);
  assert.ok(many.most > 1);
  assert.equal(one.fitted, many.fitted);
});

test('a signal ends it with its reason', async () => {
  const controller = new AbortController();
  const model = coins(2);
  const reason = new Error('enough');
  await failure(Error, /^enough$/, () =>
    calibrate(model, [[0]], {
      maxNewTokens: 50,
      signal: controller.signal,
      onProgress: ({ samples }) => samples > 2 && controller.abort(reason),
    }),
  );
  assert.is(model.live, 0);
});

test('what cannot be done is refused', async () => {
  const refuses = (message: RegExp, prompts: Parameters<typeof calibrate>[1], options = {}) =>
    failure(OptionError, message, () => calibrate(coins(2), prompts, options));
  await refuses(/no prompts/, []);
  await refuses(/samples is 0/, [[0]], { samples: 0 });
  await refuses(/samples is 1\.5/, [[0]], { samples: 1.5 });
  await refuses(/maxNewTokens is 0/, [[0]], { maxNewTokens: 0 });
  await refuses(/no tokenizer/, ['text']);
  await refuses(/empty/, [[]]);
  await refuses(/2/, [[2]], { maxNewTokens: 4 });
  const sure = Object.assign(new TableModel(2, [], () => [1, 0]), { tokenizer: null, defaults: {} });
  const none = /none of the 12 tokens .* 0\.01 nats; the highest has 0\.0: .* no choice/;
  await failure(OptionError, none, () => calibrate(sure, [[0]], { samples: 3, maxNewTokens: 4 }));
});

const column = (length: number, value: (i: number) => number) =>
  Float64Array.from({ length }, (_, i) => value(i));

test('two modes: the gate stands below the upper one, whatever the noise', () => {
  for (const noise of [0, 1e-7, 1e-4, 0.002, 0.0099]) {
    const { gate, blockSize } = fit(
      [column(3000, (i) => (i % 100 === 7 ? 0.7 + 0.1 * (i % 3) : noise))],
      3072,
    );
    assert.is(gate, 0.7);
    assert.is(blockSize, 304); // three decisions in 300 tokens
  }
});

/** Entropies of an exponential law of mean m. */
const exponential = (length: number, m: number) =>
  column(length, (i) => -m * Math.log(1 - (i + 0.5) / length));

test('a model that is sure of most tokens: the gate leaves 95 % of the entropy', () => {
  // Entropy of an exponential law is spread as Gamma(2), whose lower 5 % end at 0.3554 m.
  for (const m of [0.7, 1, 2]) {
    const unsure = exponential(5000, m);
    const { gate, decisions } = fit([column(20000, (i) => (i % 4 === 0 ? unsure[i / 4] : 0.001))], 3072);
    assert.ok(gate <= 0.3554 * m && gate > 0.3554 * m - 0.011, `${gate} for ${m}`);
    assert.ok(decisions.entropy >= 0.94 && decisions.entropy < 0.955, `${decisions.entropy}`);
    assert.ok(decisions.tokens < 0.2);
  }
});

test('a model that is unsure of most tokens: a fifth of them pass the gate', () => {
  for (const m of [0.3, 1, 3]) {
    const { gate, decisions } = fit([exponential(20000, m)], 3072);
    assert.ok(gate <= m * Math.log(5) && gate > m * Math.log(5) - 0.11, `${gate} for ${m}`);
    assert.ok(decisions.tokens >= 0.2 && decisions.tokens < 0.22, `${decisions.tokens}`);
  }
});

test('where the block of text is short the gate lets one token pass at least', () => {
  assert.is(fitGate(Float64Array.of(0.5)), 0.5);
  assert.is(fitGate(Float64Array.of(0.5, 1, 2)), 2);
  assert.is(fitGate(Float64Array.of(0.0001, 0.0002)), 0.0002);
  assert.is(fitGate(new Float64Array(5)), 0);
});

test('the gate is rounded down to two digits', () => {
  const gates = [0.0999, 0.1, 0.43, 0.694, 0.699, 1.25, 0.01, 0.012].map(
    (h) => fit([column(9, () => h)], 96).gate,
  );
  assert.equal(gates, [0.099, 0.1, 0.43, 0.69, 0.69, 1.2, 0.01, 0.012]);
});

test('a single token', () => {
  const { gate, blockSize, decisions, quantiles } = fit([Float64Array.of(0.5)], 384);
  assert.equal([gate, blockSize], [0.5, PAGE]);
  assert.equal(decisions, { tokens: 1, entropy: 1 });
  assert.ok(quantiles.every(({ entropy }) => entropy === 0.5));
});

test('the block', () => {
  const block = (length: number, period: number, maxNewTokens: number) =>
    fit([column(length, (i) => (i % period === 0 ? 1 : 0))], maxNewTokens).blockSize;
  assert.is(block(160, 16, 384), 48);
  assert.is(block(160, 2, 384), PAGE);
  assert.is(block(160, 2, 10), 10);
  assert.is(block(3000, 1000, 384), 384);
  assert.is(block(3072, 2, 3072), 192); // not more than 16 blocks a response
});

test('no entropy: nothing is proposed', async () => {
  const none = (columns: Float64Array[], message: RegExp) =>
    failure(OptionError, message, () => fit(columns, 384));
  await none([column(30, () => 0), column(10, () => 0)], /none of the 40 tokens/);
  await none([column(30, () => 0.0099)], /the highest has 0\.0099/);
  await none([], /none of the 0 tokens drawn has an entropy of 0.01 nats: /);
});

test('the histogram has shares of tokens and of entropy', () => {
  const { histogram, quantiles } = fit(
    [Float64Array.of(0, 0, 0.0005, 0.001), Float64Array.of(0.3, 0.5, 1.2, 7)],
    99,
  );
  const total = 0.0005 + 0.001 + 0.3 + 0.5 + 1.2 + 7;
  const expected = new Map([
    [0, [3, 0.0005]],
    [0.001, [1, 0.001]],
    [0.2, [1, 0.3]],
    [0.5, [1, 0.5]],
    [1, [1, 1.2]],
    [5, [1, 7]],
  ]);
  for (const { from, tokens, entropy } of histogram) {
    const [count, share] = expected.get(from) ?? [0, 0];
    close(tokens, count / 8);
    close(entropy, share / total);
  }
  assert.equal(quantiles[0], { share: 0.5, entropy: 0.001 });
  assert.equal(quantiles[1], { share: 0.8, entropy: 1.2 });
});

test.run();
