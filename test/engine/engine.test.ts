import * as assert from 'uvu/assert';
import { loadModel, type Model } from '../../src/api/load-model.ts';
import { OptionError } from '../../src/base/errors.ts';
import type { Feed, LanguageModel, Reading, RngKey, Sequence } from '../../src/engine/language-model.ts';
import { Distribution, summarise } from '../../src/tree/distribution.ts';
import { bits, decode, prompted, type Step } from '../support/decode.ts';
import { failure } from '../support/folder.ts';
import {
  deviceWithoutSubgroups,
  inTemporaryFolder,
  OWN_DEVICE,
  randomModel,
  SHAPE,
  withGpuKernels,
} from '../support/models.ts';
import { overwrite, randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

// A vocabulary without EOS within reach keeps lengths fixed; 1 is drawn rarely enough.
const PROMPT = Array.from({ length: 45 }, (_, i) => 2 + ((i * 29) % 200));
const LONG = Array.from({ length: 400 }, (_, i) => 2 + ((i * 31) % 200));
const SHARPENING = { alpha: 4, temperature: 0.8 };

let model: Model;
test.before(async () => {
  model = await randomModel(SHAPE);
});
test.after(() => model.dispose());

const key = (chain: number): RngKey => ({ seed: 0x123456789abcdefn, chain, step: 3, candidate: 2 });

async function straight(
  m: LanguageModel,
  prompt: number[],
  chain: number,
  tokens: number,
  ahead = 0,
): Promise<Step[]> {
  const row = await prompted(m, prompt, key(chain), tokens);
  const [steps] = await decode(m, [row], ahead);
  row.sequence.free();
  return steps;
}

/** Bit for bit, one after another. */
function same(a: readonly Step[], b: readonly Step[], what: string): void {
  assert.equal(bits(a), bits(b), what);
}

const feed = (sequence: Sequence, tokens: number[], more: Partial<Feed> = {}): Feed => ({
  sequence,
  position: sequence.length,
  tokens,
  sharpening: SHARPENING,
  ...more,
});

async function read(m: LanguageModel, one: Feed): Promise<Reading[]> {
  const [readings] = await m.compute([one]);
  return readings;
}

test('a row does not depend on the rows beside it', async () => {
  const lone: Step[][] = [];
  for (let i = 0; i < 33; i++) lone.push(await straight(model, PROMPT.slice(0, 12 + i), i, 8));
  for (const count of [2, 4, 8, 16, 33]) {
    const rows = await Promise.all(
      lone.slice(0, count).map((_, i) => prompted(model, PROMPT.slice(0, 12 + i), key(i), 8)),
    );
    for (const [i, steps] of (await decode(model, rows)).entries())
      same(steps, lone[i], `row ${i} of ${count}`);
    for (const { sequence } of rows) sequence.free();
  }
});

test('forks of a long prefix, which is read once for several of them, give what each gives alone', async () => {
  for (const length of [127, 128, 129, 256, 390]) {
    const prefix = await model.prefill(LONG.slice(0, length));
    const row = (i: number) => ({
      sequence: prefix.fork(),
      last: 7,
      key: key(i),
      tokens: 6,
      law: SHARPENING,
    });
    const alone: Step[][] = [];
    for (let i = 0; i < 5; i++) {
      const one = row(i);
      alone.push((await decode(model, [one]))[0]);
      one.sequence.free();
    }
    const rows = alone.map((_, i) => row(i));
    const other = await prompted(model, LONG.slice(7, 200), key(9), 6); // with another prefix, in the middle of them
    rows.splice(3, 0, other);
    const found = await decode(model, rows);
    found.splice(3, 1);
    for (const [i, steps] of found.entries()) same(steps, alone[i], `fork ${i} of ${length} tokens`);
    for (const { sequence } of rows) sequence.free();
    prefix.free();
  }
});

test('kernels for GPUs: rows do not depend on each other, and prompts agree with decoding within 1e-4', async () => {
  await inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, SHAPE, 1, 'BF16');
    const m = await withGpuKernels(dir);
    const lone: Step[][] = [];
    for (let i = 0; i < 9; i++) lone.push(await straight(m, LONG.slice(0, 120 + i), i, 6));
    for (const count of [2, 3, 8, 9]) {
      const rows = await Promise.all(
        lone.slice(0, count).map((_, i) => prompted(m, LONG.slice(0, 120 + i), key(i), 6)),
      );
      for (const [i, steps] of (await decode(m, rows)).entries())
        same(steps, lone[i], `row ${i} of ${count}`);
      for (const { sequence } of rows) sequence.free();
    }
    same(await straight(m, LONG.slice(0, 120), 0, 6, 5), lone[0], 'drawn ahead');
    const fed = await m.prefill([]);
    const decoded = (await read(m, feed(fed, LONG.slice(0, 200)))).at(-1) as Reading;
    const filled = await m.prefill(LONG.slice(0, 199));
    const [prefilled] = await read(m, feed(filled, [LONG[199]]));
    const [a, b] = [decoded, prefilled].map(({ summary }) => new Distribution(summary, SHARPENING, 0));
    for (const column of ['logZ', 'entropy'] as const) {
      assert.ok(Math.abs(a[column] - b[column]) < 1e-4, `${column}: ${a[column]}, ${b[column]}`);
    }
    m.dispose();
  });
});

test('concurrent calls share the machine and nothing else', async () => {
  const [a, b] = [await straight(model, PROMPT, 1, 12), await straight(model, PROMPT.slice(3), 2, 9, 4)];
  const [c, d] = await Promise.all([
    straight(model, PROMPT, 1, 12),
    straight(model, PROMPT.slice(3), 2, 9, 4),
  ]);
  same(a, c, 'first call');
  same(b, d, 'second call');
});

test('rollback and replay, fork, and straight decoding agree in every bit', async () => {
  const whole = await straight(model, PROMPT, 5, 40, 15);
  const tokens = whole.map(({ token }) => token);
  for (const cut of [1, 3, 18, 19, 35, 39]) {
    const { sequence, last } = await prompted(model, PROMPT, key(5), 40);
    await read(model, feed(sequence, [last, ...tokens]));
    const [fork, other] = [sequence.fork(), sequence.fork()];
    for (const s of [sequence, fork]) s.rollback(PROMPT.length + cut - 1);
    // Two branches write into what was one page; a third goes another way.
    const row = (s: Sequence, chain: number, from: number, count: number) => {
      return { sequence: s, last: tokens[from - 1], key: key(chain), tokens: count, law: SHARPENING };
    };
    const rows = [row(sequence, 5, cut, 40 - cut), row(fork, 5, cut, 40 - cut), row(other, 9, 40, 20)];
    other.rollback(PROMPT.length + 39);
    const [replayed, forked, elsewhere] = await decode(model, rows);
    same(whole.slice(cut), replayed, `rollback to ${cut}`);
    same(whole.slice(cut), forked, `fork at ${cut}`);
    other.rollback(PROMPT.length + 39);
    same(elsewhere, (await decode(model, [rows[2]]))[0], 'the other branch');
    for (const s of [sequence, fork, other]) s.free();
  }
});

test('tokens fed all at once, in any parts, one at a time, and a second time agree in every bit', async () => {
  const tokens = (await straight(model, PROMPT, 6, 40)).map(({ token }) => token);
  const fresh = () => model.prefill(PROMPT);
  const sequence = await fresh();
  const whole = await read(model, feed(sequence, tokens));
  for (const parts of [[1, 39], [2, 15, 23], [16, 17, 7], Array(40).fill(1)]) {
    const s = await fresh();
    const readings: Reading[] = [];
    let at = 0;
    for (const n of parts) {
      readings.push(...(await read(model, feed(s, tokens.slice(at, at + n)))));
      at += n;
    }
    assert.equal(readings, whole, `parts of ${parts}`);
    s.free();
  }
  for (const i of [0, 1, 17, 39]) {
    const fork = sequence.fork();
    const [again] = await read(model, feed(fork, [tokens[i]], { position: PROMPT.length + i }));
    assert.equal(again, whole[i], `token ${i} read again`);
    assert.is(fork.length, sequence.length);
    fork.free();
  }
  sequence.free();
});

test('what the GPU draws ahead is what the CPU draws', async () => {
  for (const law of [
    SHARPENING,
    { alpha: 4, temperature: 0.25 },
    { alpha: 1, temperature: 1 },
    { alpha: 2, temperature: 0 },
  ]) {
    for (const truncation of law.temperature > 0
      ? [{}, { topK: 5 }, { topP: 0.5 }, { topK: 9, topP: 0.7 }]
      : [{}]) {
      const at = { ...law, ...truncation };
      const rows = async () => Promise.all([0, 1].map((i) => prompted(model, PROMPT, key(i), 24, at)));
      const [slow, fast] = [await rows(), await rows()];
      const calls: number[] = [];
      const counting = Object.assign(Object.create(model) as LanguageModel, {
        compute(feeds: readonly Feed[]) {
          calls.push(feeds.length);
          return model.compute(feeds);
        },
      });
      const expected = await decode(model, slow);
      const found = await decode(counting, fast, 15);
      for (const [i, steps] of found.entries()) same(steps, expected[i], `${JSON.stringify(at)}, row ${i}`);
      // 24 tokens of two rows in two calls, but for tokens of the tail that are asked for and what top-k and top-p need the row for.
      if (law.temperature === 0.25)
        assert.ok(calls.length <= 3, `${JSON.stringify(at)}: ${calls.length} calls`);
      for (const { sequence } of [...slow, ...fast]) sequence.free();
    }
  }
});

test('drawing ahead stops at EOS', async () => {
  const small = await randomModel({ vocabSize: 6, eosTokens: [2, 4] });
  let ended = 0;
  for (let chain = 0; chain < 8; chain++) {
    const row = await prompted(small, [0, 1], key(chain), 30, { alpha: 2, temperature: 1 });
    const [readings] = await small.compute([
      feed(row.sequence, [row.last], { ahead: { most: 15, key: row.key }, sharpening: row.law }),
    ]);
    assert.ok(readings.every(({ token }) => token !== 2 && token !== 4));
    assert.is(row.sequence.length, 1 + readings.length);
    if (readings.length < 16) ended++;
    row.sequence.free();
  }
  assert.ok(ended > 0);
  small.dispose();
});

test('the page layout does not matter, and slots never written are never read', async () => {
  const expected = await straight(model, PROMPT, 7, 30);
  const poisoned = await randomModel(SHAPE);
  const cache = (poisoned as unknown as { cache: { layers: GPUBuffer[] } }).cache;
  const { device } = (poisoned as unknown as { gpu: { device: GPUDevice } }).gpu;
  for (const layer of cache.layers)
    device.queue.writeBuffer(layer, 0, new Float32Array(layer.size / 4).fill(Number.NaN));
  // Sequences of odd lengths, freed out of order, scatter the free pages.
  const clutter = await Promise.all([5, 40, 17, 33, 2, 64].map((n) => poisoned.prefill(Array(n).fill(3))));
  for (const i of [4, 0, 3, 1]) clutter[i].free();
  same(expected, await straight(poisoned, PROMPT, 7, 30), 'scattered pages');
  poisoned.dispose();
});

/** What was read, against the logits themselves in f64. */
function checkSummary({ summary }: Reading, logits: Float32Array, what: string): void {
  const expected = new Distribution(summarise(logits, SHARPENING), SHARPENING, 0);
  const found = new Distribution(summary, SHARPENING, 0);
  const most = Math.max(...logits);
  for (const [i, id] of summary.ids.entries()) {
    assert.is(summary.distances[i], Math.fround(logits[id] - most), `${what}: d of token ${id}`);
  }
  const least = Math.min(...summary.distances);
  const unlisted = [...logits.keys()].filter((v) => !summary.ids.includes(v));
  const highest = Math.max(...unlisted.map((v) => logits[v] - most));
  if (summary.ids.length > 1) assert.ok(highest < least, `${what}: ${highest} is not listed, ${least} is`);
  assert.ok(summary.ids.length <= 64);
  for (const column of ['logZ', 'entropy'] as const) {
    const difference = Math.abs(found[column] - expected[column]);
    assert.ok(
      difference <= 4e-6 * (1 + Math.abs(expected[column])),
      `${what}: ${column} off by ${difference}`,
    );
  }
  const top = { token: summary.ids[0], distance: summary.distances[0] };
  for (const column of ['logp', 'logq'] as const) {
    const difference = Math.abs(found[column](top) - expected[column](top));
    assert.ok(
      difference <= 4e-6 * (1 + Math.abs(expected[column](top))),
      `${what}: ${column} off by ${difference}`,
    );
  }
}

test('a summary is that of the logits, in one slice and in several, with every set of kernels', async () => {
  const large = { ...SHAPE, vocabSize: 9001 }; // three slices, the last one short
  for (const [m, name] of [
    [model, 'own kernels'],
    [await randomModel(SHAPE, 1, 'BF16', { device: await deviceWithoutSubgroups() }), 'portable kernels'],
    [await randomModel(large), 'a larger vocabulary'],
  ] as const) {
    const sequence = await m.prefill([]);
    const readings = await read(m, feed(sequence, PROMPT));
    const logits = await m.logits(PROMPT);
    for (const [i, reading] of readings.entries()) {
      const row = logits.subarray(i * m.vocabSize, (i + 1) * m.vocabSize);
      checkSummary(reading, row, `${name}, row ${i}`);
      const [again] = await read(m, feed(sequence, [PROMPT[i]], { position: i, ask: 'logits' }));
      assert.equal(again.logits, row, `${name}: all logits of row ${i}`);
    }
    sequence.free();
    if (m !== model) m.dispose();
  }
});

test('of a flat row the lowest id is listed, and nothing else', async () => {
  for (const vocabSize of [203, 9001]) {
    await inTemporaryFolder(async (dir) => {
      randomCheckpoint(dir, { ...SHAPE, vocabSize }, 1);
      overwrite(dir, 'lm_head.weight', 0);
      const m = await loadModel(dir);
      const sequence = await m.prefill([]);
      const [{ summary }] = await read(m, feed(sequence, [5]));
      assert.equal([...summary.ids], [0]);
      assert.is(summary.base, vocabSize - 1);
      assert.is(summary.mean, 0);
      const [{ asked }] = await read(m, feed(sequence, [5], { position: 0, ask: { tail: 2 ** 31 } }));
      assert.ok(Math.abs((asked?.token ?? 0) - vocabSize / 2) < 2, `the middle of the tail: ${asked?.token}`);
      m.dispose();
    });
  }
});

test('a token is asked for by its id, and one of the tail by a random word', async () => {
  for (const m of [model, await randomModel({ ...SHAPE, vocabSize: 9001 })]) {
    const sequence = await m.prefill(PROMPT.slice(0, -1));
    const sharpening = { alpha: 2, temperature: 1.5 };
    const [{ summary }] = await read(m, feed(sequence, PROMPT.slice(-1), { sharpening }));
    const row = (await m.logits(PROMPT)).subarray((PROMPT.length - 1) * m.vocabSize);
    const most = Math.max(...row);
    const ask = async (what: Feed['ask']) => {
      const fork = sequence.fork();
      const one = feed(fork, PROMPT.slice(-1), { position: PROMPT.length - 1, sharpening, ask: what });
      const [{ asked }] = await read(m, one);
      fork.free();
      return asked as { token: number; distance: number };
    };
    for (const token of [0, 7, m.vocabSize - 1]) {
      assert.equal(await ask({ token }), { token, distance: Math.fround(row[token] - most) });
    }
    const tail = [...row.keys()].filter((v) => !summary.ids.includes(v));
    const mass = tail.map((v) => Math.exp((row[v] - most) / 1.5));
    const total = mass.reduce((a, b) => a + b);
    assert.ok(Math.abs(total - summary.tempered) < 1e-5 * total);
    // The inverse distribution function: what lies below a token, and with it, must enclose the number up to f32.
    for (let i = 0; i < 40; i++) {
      const word = i === 0 ? 0 : i === 39 ? 2 ** 32 - 1 : (i * 0x9e3779b1) >>> 0;
      const { token, distance } = await ask({ tail: word });
      const at = tail.indexOf(token);
      assert.ok(at >= 0, `${token} is of the tail`);
      assert.is(distance, Math.fround(row[token] - most));
      const below = mass.slice(0, at).reduce((a, b) => a + b, 0) / total;
      const u = word / 2 ** 32;
      assert.ok(below - 1e-5 <= u && u <= below + mass[at] / total + 1e-5, `${u} falls on ${token}`);
    }
    sequence.free();
    if (m !== model) m.dispose();
  }
});

test('a call that fails leaves its sequences as they were', async () => {
  const sequence = await model.prefill(PROMPT);
  const fork = sequence.fork();
  const gpu = (model as unknown as { gpu: { read: unknown } }).gpu;
  const { read: before } = gpu;
  gpu.read = () => Promise.reject(new Error('no answer'));
  const calls = [model.compute([feed(sequence, [5, 6])]), model.compute([feed(fork, [7])])];
  assert.throws(() => fork.free(), /being computed/);
  for (const call of calls) await failure(Error, /no answer/, () => call);
  gpu.read = before;
  for (const s of [sequence, fork]) assert.is(s.length, PROMPT.length);
  assert.is((await read(model, feed(sequence, [5]))).length, 1);
  for (const s of [sequence, fork]) s.free();
});

test('more rows than a pass takes go through several', async () => {
  const rows = Array.from({ length: model.rows + 30 }, (_, i) => 2 + (i % 200));
  const sequence = await model.prefill([]);
  const readings = await read(model, feed(sequence, rows.slice(0, 400)));
  assert.is(readings.length, Math.min(400, rows.length));
  const short = await model.prefill([]);
  assert.equal((await read(model, feed(short, rows.slice(0, 20))))[19], readings[19]);
  const again = await read(model, feed(short, rows.slice(20, 400)));
  assert.equal(again.at(-1), readings.at(-1));
  for (const s of [sequence, short]) s.free();
});

test('forks share pages, and freed pages come back', async () => {
  const cache = (model as unknown as { cache: { available: number } }).cache;
  const before = cache.available;
  const sequence = await model.prefill(PROMPT.slice(1)); // 44 keys: 3 pages
  assert.is(cache.available, before - 3);
  const forks = Array.from({ length: 4 }, () => sequence.fork());
  assert.is(cache.available, before - 3);
  await model.compute(forks.map((s) => feed(s, LONG.slice(0, 20)))); // keys to 64: a copied page and one more each
  assert.is(cache.available, before - 3 - 4 * 2);
  for (const s of forks) s.rollback(44);
  assert.is(cache.available, before - 3 - 4);
  for (const s of forks) s.rollback(32);
  assert.is(cache.available, before - 3);
  const brief = feed(forks[0], [5], { ahead: { most: 15, key: key(1) } });
  const [readings] = await model.compute([brief]);
  assert.is(forks[0].length, 32 + readings.length);
  for (const s of [sequence, ...forks]) s.free();
  assert.is(cache.available, before);
});

test('bad input is refused by name and number', async () => {
  const refused = (what: () => unknown, message: RegExp) => failure(OptionError, message, what);
  await refused(() => model.prefill([5, 203]), /token 1 is 203: ids run from 0 to 202/);
  await refused(() => model.prefill([5, -1]), /token 1 is -1/);
  await refused(() => model.prefill([1.5]), /token 0 is 1.5/);
  await refused(() => model.prefill(Array(513).fill(2)), /513 tokens .* 512/);
  const s = await model.prefill(PROMPT);
  const computed = (tokens: number[], more: Partial<Feed> = {}) => model.compute([feed(s, tokens, more)]);
  await refused(() => computed(Array(468).fill(2)), /513 tokens .* 512/);
  await refused(() => computed([]), /at least one/);
  await refused(() => computed([203]), /token 0 is 203/);
  await refused(() => computed([2], { position: 46 }), /position is 46: a whole number up to 45/);
  await refused(() => computed([2], { ask: { token: 203 } }), /token 0 is 203/);
  for (const temperature of [-1, 1e-35, Number.NaN]) {
    await refused(() => computed([2], { sharpening: { alpha: 4, temperature } }), /temperature is/);
  }
  await refused(() => computed([2], { sharpening: { alpha: 0.5, temperature: 1 } }), /alpha is 0.5/);
  const ahead = (more: object) => computed([2], { ahead: { most: 3, key: key(0), ...more } });
  await refused(() => ahead({ most: 16 }), /ahead.most is 16/);
  await refused(() => ahead({ key: { ...key(0), chain: -1 } }), /chain is -1/);
  await refused(() => ahead({ key: { ...key(0), step: 2 ** 24 } }), /step is 16777216/);
  await refused(() => ahead({ key: { ...key(0), candidate: 256 } }), /candidate is 256/);
  await refused(() => computed([2, 3], { ahead: { most: 3, key: key(0) } }), /tokens is 2/);
  await refused(() => model.compute([feed(s, [2]), feed(s, [3])]), /two feeds/);
  const running = computed([2]);
  await refused(() => computed([2]), /being computed/);
  assert.throws(() => s.free(), /being computed/);
  await running;
  assert.throws(() => s.rollback(-1), /length -1/);
  assert.throws(() => s.rollback(1000), /length 1000/);
  s.free();
  await refused(() => computed([2]), /freed/);
});

test('too few pages is said before any work, in bytes', async () => {
  const tight = await randomModel(SHAPE, 1, 'BF16', { cachePositions: 64, ...OWN_DEVICE }); // and two pages
  const s = await tight.prefill(PROMPT.slice(1)); // 3 of 6 pages
  const forks = [s.fork(), s.fork()];
  const error = await tight.compute(forks.map((f) => feed(f, LONG.slice(0, 10)))).catch((e) => e);
  assert.is(error.name, 'OutOfMemoryError');
  // Each fork can need a copy of the shared page and one more. A page: 16 positions × 2 × 2 heads × 12 × 4 bytes × 2 layers.
  const page = 16 * 2 * 2 * 12 * 4 * 2;
  assert.is(error.needed, 4 * page);
  assert.is(error.available, 3 * page);
  for (const f of [s, ...forks]) assert.is(f.length, 44);
  for (const f of forks) f.free();
  assert.is((await read(tight, feed(s, LONG.slice(0, 20)))).length, 20, 'one still fits');
  tight.dispose();
  const huge = await randomModel(SHAPE, 1, 'BF16', { cachePositions: 2 ** 30, ...OWN_DEVICE }).catch(
    (e) => e,
  );
  assert.is(huge.name, 'OutOfMemoryError');
});

test('dispose rejects what is pending', async () => {
  const other = await randomModel(SHAPE, 1, 'BF16', OWN_DEVICE);
  const s = await other.prefill(PROMPT);
  const pending = other.compute([feed(s, LONG.slice(0, 200))]).catch((e) => e);
  other.dispose();
  assert.is((await pending).name, 'DeviceLostError');
  assert.is((await other.prefill(PROMPT).catch((e) => e)).name, 'DeviceLostError');
});

test.run();
