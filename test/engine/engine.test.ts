import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Continuation, DecodeRow, RngKey, Sequence } from '../../src/engine/language-model.ts';
import type { Model } from '../../src/load-model.ts';
import { tokenGumbel } from '../../src/sampling/random.ts';
import { deviceWithoutSubgroups, inTemporaryFolder, randomModel, withGpuKernels } from '../support/models.ts';
import { statistics } from '../support/oracle.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';

// A vocabulary without EOS within reach keeps lengths fixed; 1 is drawn rarely enough.
const SHAPE = { vocabSize: 203, eosTokens: [1], hiddenSize: 64, headDim: 16, maxPositionEmbeddings: 512 };
const PROMPT = Array.from({ length: 45 }, (_, i) => 2 + ((i * 29) % 200));

let model: Model;
test.before(async () => {
  model = await randomModel(SHAPE);
});
test.after(() => model.dispose());

const key = (chain: number): RngKey => ({ seed: 0x123456789abcdefn, chain, step: 3, candidate: 2 });
const row = (
  sequence: Sequence,
  chain: number,
  maxTokens: number,
  more: Partial<DecodeRow> = {},
): DecodeRow => ({
  sequence,
  maxTokens,
  temperature: 0.8,
  alpha: 4,
  key: key(chain),
  ...more,
});

/** Bit for bit, but for columns that were cut short. */
function same(a: Continuation, b: Continuation, what: string, length = a.tokens.length): void {
  for (const column of ['tokens', 'logp', 'logq', 'logZ', 'entropy'] as const) {
    assert.equal(
      Array.from(a[column].slice(0, length)),
      Array.from(b[column].slice(0, length)),
      `${what}: ${column}`,
    );
  }
}

async function straight(m: Model, prompt: number[], chain: number, maxTokens: number): Promise<Continuation> {
  const sequence = await m.prefill(prompt);
  const [out] = await m.decode([row(sequence, chain, maxTokens)]);
  sequence.free();
  return out;
}

test('a row does not depend on the rows beside it', async () => {
  const lone = await Promise.all(
    Array.from({ length: 33 }, (_, i) => straight(model, PROMPT.slice(0, 12 + i), i, 20)),
  );
  for (const count of [2, 4, 8, 16, 33]) {
    const sequences = await Promise.all(
      lone.slice(0, count).map((_, i) => model.prefill(PROMPT.slice(0, 12 + i))),
    );
    const out = await model.decode(sequences.map((s, i) => row(s, i, 20)));
    out.forEach((o, i) => {
      same(o, lone[i], `row ${i} of ${count}`);
    });
    for (const s of sequences) s.free();
  }
});

test('forks of a long prefix, which is read once for several of them, decode what each decodes alone', async () => {
  const long = Array.from({ length: 400 }, (_, i) => 2 + ((i * 31) % 200));
  for (const length of [127, 128, 129, 256, 390]) {
    const prefix = await model.prefill(long.slice(0, length));
    const alone: Continuation[] = [];
    for (let i = 0; i < 5; i++) {
      const fork = prefix.fork();
      alone.push((await model.decode([row(fork, i, 18)]))[0]);
      fork.free();
    }
    const forks = alone.map(() => prefix.fork());
    const other = await model.prefill(long.slice(7, 200)); // a row with another prefix in the middle of them
    const rows = forks.map((s, i) => row(s, i, 18));
    rows.splice(3, 0, row(other, 9, 18));
    const out = await model.decode(rows);
    out.splice(3, 1);
    out.forEach((o, i) => {
      same(o, alone[i], `fork ${i} of ${length} tokens`);
    });
    for (const s of [...forks, other, prefix]) s.free();
  }
});

test('kernels for GPUs: rows do not depend on each other, and prompts agree with decoding within 1e-4', async () => {
  await inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, SHAPE, 1, 'BF16');
    const m = await withGpuKernels(dir);
    const prompt = Array.from({ length: 200 }, (_, i) => 2 + ((i * 29) % 200));
    const lone: Continuation[] = [];
    for (let i = 0; i < 9; i++) {
      const sequence = await m.prefill(prompt.slice(0, 120 + i));
      lone.push((await m.decode([row(sequence, i, 12)]))[0]);
      sequence.free();
    }
    for (const count of [2, 3, 8, 9]) {
      const sequences = await Promise.all(
        lone.slice(0, count).map((_, i) => m.prefill(prompt.slice(0, 120 + i))),
      );
      const out = await m.decode(sequences.map((s, i) => row(s, i, 12)));
      out.forEach((o, i) => {
        same(o, lone[i], `row ${i} of ${count}`);
      });
      for (const s of sequences) s.free();
    }
    const fed = await m.prefill(prompt.slice(0, 1));
    await m.score(fed, prompt.slice(1), { temperature: 1, alpha: 4 });
    const filled = await m.prefill(prompt);
    const [a, b] = await m.decode([
      row(fed, 1, 1, { temperature: 0 }),
      row(filled, 1, 1, { temperature: 0 }),
    ]);
    assert.is(a.tokens[0], b.tokens[0]);
    for (const column of ['logp', 'logZ', 'entropy'] as const) {
      assert.ok(Math.abs(a[column][0] - b[column][0]) < 1e-4, `${column}: ${a[column][0]}, ${b[column][0]}`);
    }
    m.dispose();
  });
});

test('rows of concurrent calls share the machine and nothing else', async () => {
  const [a, b] = [await straight(model, PROMPT, 1, 40), await straight(model, PROMPT.slice(3), 2, 25)];
  const [one, two] = [await model.prefill(PROMPT), await model.prefill(PROMPT.slice(3))];
  const [[c], [d]] = await Promise.all([model.decode([row(one, 1, 40)]), model.decode([row(two, 2, 25)])]);
  same(a, c, 'first call');
  same(b, d, 'second call');
  one.free();
  two.free();
});

test('rollback and replay, fork, and straight decode agree in every bit', async () => {
  const whole = await straight(model, PROMPT, 5, 60);
  for (const cut of [1, 2, 3, 18, 19, 20, 35, 59]) {
    const sequence = await model.prefill(PROMPT);
    await model.decode([row(sequence, 5, 60)]);
    const before = sequence.fork();
    const fork = sequence.fork();
    fork.rollback(PROMPT.length + cut);
    sequence.rollback(PROMPT.length + cut);
    // Two branches write into what was one page; one of them goes another way.
    const [replayed, forked, other] = await model.decode([
      row(sequence, 5, 60 - cut),
      row(fork, 5, 60 - cut),
      row(before, 9, 30),
    ]);
    const rest = { ...whole, tokens: whole.tokens.slice(cut) } as Continuation;
    for (const column of ['logp', 'logq', 'logZ', 'entropy'] as const)
      rest[column] = whole[column].slice(cut);
    same(rest, replayed, `rollback to ${cut}`);
    same(rest, forked, `fork at ${cut}`);
    before.rollback(PROMPT.length + 60);
    const [again] = await model.decode([row(before, 9, 30)]);
    same(other, again, 'the other branch');
    for (const s of [sequence, fork, before]) s.free();
  }
});

test('prefill in any chunks, and one token at a time, agree in every bit', async () => {
  const whole = await straight(model, PROMPT, 5, 20);
  for (const cut of [1, 2, 15, 16, 17, 31, 44]) {
    const sequence = await model.prefill(PROMPT.slice(0, cut));
    await model.score(sequence, PROMPT.slice(cut), { temperature: 1, alpha: 4 });
    const [out] = await model.decode([row(sequence, 5, 20)]);
    same(whole, out, `cut at ${cut}`);
    sequence.free();
  }
  const sequence = await model.prefill(PROMPT.slice(0, 1));
  for (const token of PROMPT.slice(1)) await model.score(sequence, [token], { temperature: 1, alpha: 4 });
  const [out] = await model.decode([row(sequence, 5, 20)]);
  same(whole, out, 'one at a time');
  sequence.free();
});

test('score gives what decode gave', async () => {
  const whole = await straight(model, PROMPT, 6, 40);
  const sequence = await model.prefill(PROMPT);
  const scored = await model.score(sequence, whole.tokens, { temperature: 0.8, alpha: 4 });
  same(whole, scored, 'scored');
  assert.is(sequence.length, PROMPT.length + 40);
  sequence.free();
});

test('the page layout does not matter, and slots never written are never read', async () => {
  const expected = await straight(model, PROMPT, 7, 40);
  const poisoned = await randomModel(SHAPE);
  const cache = (poisoned as unknown as { cache: { layers: GPUBuffer[] } }).cache;
  const { device } = (poisoned as unknown as { gpu: { device: GPUDevice } }).gpu;
  for (const layer of cache.layers)
    device.queue.writeBuffer(layer, 0, new Float32Array(layer.size / 4).fill(Number.NaN));
  // Sequences of odd lengths, freed out of order, scatter the free pages.
  const clutter = await Promise.all([5, 40, 17, 33, 2, 64].map((n) => poisoned.prefill(Array(n).fill(3))));
  for (const i of [4, 0, 3, 1]) clutter[i].free();
  same(expected, await straight(poisoned, PROMPT, 7, 40), 'scattered pages');
  poisoned.dispose();
});

test('the statistics and the draw are those of the logits', async () => {
  for (const [m, name] of [
    [model, 'own kernels'],
    [await randomModel(SHAPE, 1, 'BF16', { device: await deviceWithoutSubgroups() }), 'portable kernels'],
  ] as const) {
    const sequence = await m.prefill(PROMPT);
    const [out] = await m.decode([row(sequence, 11, 64)]);
    const logits = await m.logits([...PROMPT, ...out.tokens]);
    out.tokens.forEach((token, i) => {
      const at = (PROMPT.length + i - 1) * m.vocabSize;
      const l = Float64Array.from(logits.subarray(at, at + m.vocabSize));
      const expected = statistics(l, token, { temperature: 0.8, alpha: 4 });
      for (const column of ['logp', 'logq', 'logZ', 'entropy'] as const) {
        const difference = Math.abs(out[column][i] - expected[column]);
        assert.ok(
          difference <= 4e-6 * (1 + Math.abs(expected[column])),
          `${name} ${column} at ${i}: ${difference}`,
        );
      }
      // The draw is the argmax of l/τ + Gumbel noise; WGSL's log leaves ties to within 1e-4 open.
      const scores = Array.from(l, (value, v) => value / 0.8 + tokenGumbel(key(11), PROMPT.length + i, v));
      assert.ok(Math.max(...scores) - scores[token] < 1e-4, `${name}: token ${i} is not the argmax`);
    });
    sequence.free();
    if (m !== model) m.dispose();
  }
});

test('greedy takes the most likely token', async () => {
  const sequence = await model.prefill(PROMPT);
  const [out] = await model.decode([row(sequence, 0, 30, { temperature: 0 })]);
  const logits = await model.logits([...PROMPT, ...out.tokens]);
  out.tokens.forEach((token, i) => {
    const at = (PROMPT.length + i - 1) * model.vocabSize;
    const l = logits.subarray(at, at + model.vocabSize);
    assert.is(l[token], Math.max(...l));
    assert.is(out.logq[i], 0);
  });
  sequence.free();
});

test('top-k and top-p draw from the tokens they keep, and leave other rows alone', async () => {
  const plain = await straight(model, PROMPT, 1, 30);
  const sequences = await Promise.all([0, 1, 2, 3].map(() => model.prefill(PROMPT)));
  const out = await model.decode([
    row(sequences[0], 1, 30, { topK: 5 }),
    row(sequences[1], 1, 30, { topP: 0.5 }),
    row(sequences[2], 1, 30, { topK: 9, topP: 0.7, temperature: 1.5 }),
    row(sequences[3], 1, 30),
  ]);
  same(plain, out[3], 'the row without either');
  for (const [i, { topK = Number.POSITIVE_INFINITY, topP = 1, temperature = 0.8 }] of [
    { topK: 5 },
    { topP: 0.5 },
    { topK: 9, topP: 0.7, temperature: 1.5 },
  ].entries()) {
    const logits = await model.logits([...PROMPT, ...out[i].tokens]);
    out[i].tokens.forEach((token, t) => {
      const at = (PROMPT.length + t - 1) * model.vocabSize;
      const l = Array.from(logits.subarray(at, at + model.vocabSize));
      const order = l.map((_, v) => v).sort((a, b) => l[b] - l[a]);
      let kept = order.slice(0, topK);
      const mass = (tokens: number[]) =>
        tokens.reduce((sum, v) => sum + Math.exp((l[v] - l[order[0]]) / temperature), 0);
      const whole = mass(kept);
      if (topP < 1)
        kept = kept.slice(0, kept.findIndex((_, n) => mass(kept.slice(0, n + 1)) >= topP * whole) + 1);
      assert.ok(kept.includes(token), `row ${i}: token ${t} is not among the ${kept.length} kept`);
      const logq = (l[token] - l[order[0]]) / temperature - Math.log(mass(kept));
      assert.ok(Math.abs(logq - out[i].logq[t]) < 1e-5, `row ${i}: log q of token ${t}`);
    });
  }
  for (const s of sequences) s.free();
});

test('decoding stops at EOS, at maxTokens, and where keepGoing says so', async () => {
  const small = await randomModel({ vocabSize: 6, eosTokens: [2, 4] });
  let ended = 0;
  for (let chain = 0; chain < 8; chain++) {
    const sequence = await small.prefill([0, 1]);
    const [out] = await small.decode([row(sequence, chain, 50, { temperature: 1 })]);
    const first = out.tokens.findIndex((t) => t === 2 || t === 4);
    assert.is(out.finish, first < 0 ? 'length' : 'eos');
    assert.is(out.tokens.length, first < 0 ? 50 : first + 1);
    assert.is(sequence.length, 2 + out.tokens.length);
    ended += first < 0 ? 0 : 1;
    sequence.free();
  }
  assert.ok(ended > 0);
  small.dispose();

  const sequence = await model.prefill(PROMPT);
  const seen: string[] = [];
  const brief = await model.prefill(PROMPT);
  const keepGoing = (soFar: readonly Continuation[]) => {
    seen.push(soFar.map(({ tokens }) => tokens.length).join());
    return seen.length < 3;
  };
  const rows = [row(sequence, 1, 100), row(brief, 2, 5)];
  const [out, other] = await model.decode(rows, undefined, keepGoing);
  assert.equal([out.finish, other.finish], ['abandoned', 'length']);
  assert.equal(seen, ['4,4', '8,5', '16,5']);
  assert.is(out.tokens.length, 16);
  same(out, await straight(model, PROMPT, 1, 16), 'what was decoded before');
  const [rest] = await model.decode([row(sequence, 1, 8)]); // and goes on from there
  const whole = await straight(model, PROMPT, 1, 24);
  assert.equal([...rest.tokens], [...whole.tokens.subarray(16)]);
  assert.equal([...rest.logp], [...whole.logp.subarray(16)]);
  sequence.free();
  brief.free();
});

test('an aborted call rejects with the reason, and its rows are as they were', async () => {
  const sequence = await model.prefill(PROMPT);
  const abort = new AbortController();
  let chunks = 0;
  const keepGoing = () => {
    if (++chunks === 2) abort.abort(new Error('enough'));
    return true;
  };
  await model.decode([row(sequence, 1, 300)], abort.signal, keepGoing).then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'enough'),
  );
  assert.is(chunks, 2);
  assert.is(sequence.length, PROMPT.length);
  same(await straight(model, PROMPT, 1, 20), (await model.decode([row(sequence, 1, 20)]))[0], 'afterwards');
  sequence.free();
});

test('rows that had ended before the call failed are as they were, too', async () => {
  const [short, long] = [await model.prefill(PROMPT), await model.prefill(PROMPT)];
  const abort = new AbortController();
  let chunks = 0;
  const keepGoing = () => {
    assert.throws(() => short.free(), /being decoded/);
    if (++chunks === 2) abort.abort(new Error('enough'));
    return true;
  };
  const call = model.decode([row(short, 1, 5), row(long, 2, 300)], abort.signal, keepGoing);
  assert.is(await call.catch(({ message }) => message), 'enough');
  assert.is(chunks, 2);
  for (const s of [short, long]) {
    assert.is(s.length, PROMPT.length);
    s.free();
  }
});

test('a callback that throws fails its own call only', async () => {
  const [a, b] = [await model.prefill(PROMPT), await model.prefill(PROMPT)];
  const keepGoing = () => {
    throw new Error('mine');
  };
  const [failed, fine] = await Promise.allSettled([
    model.decode([row(a, 1, 40)], undefined, keepGoing),
    model.decode([row(b, 1, 40)]),
  ]);
  assert.is(failed.status === 'rejected' && failed.reason.message, 'mine');
  assert.is(fine.status, 'fulfilled');
  a.free();
  b.free();
});

test('forks share pages, and freed pages come back', async () => {
  const cache = (model as unknown as { cache: { available: number } }).cache;
  const before = cache.available;
  const sequence = await model.prefill(PROMPT); // 44 keys: 3 pages
  assert.is(cache.available, before - 3);
  const forks = Array.from({ length: 4 }, () => sequence.fork());
  assert.is(cache.available, before - 3);
  await model.decode(forks.map((s, i) => row(s, i, 20))); // keys to 64: a copied page and one more each
  assert.is(cache.available, before - 3 - 4 * 2);
  for (const s of forks) s.rollback(PROMPT.length);
  assert.is(cache.available, before - 3 - 4);
  for (const s of [sequence, ...forks]) s.free();
  assert.is(cache.available, before);
});

test('a row that ends before its time gives back what was set aside for it', async () => {
  const cache = (model as unknown as { cache: { available: number } }).cache;
  const before = cache.available;
  const sequence = await model.prefill(PROMPT);
  await model.decode([row(sequence, 1, 300)], undefined, () => false);
  const abort = AbortSignal.abort(new Error('never begun'));
  await model.decode([row(sequence, 1, 300)], abort).catch(() => {});
  sequence.free();
  assert.is(cache.available, before);
});

test('bad input is refused by name and number', async () => {
  const refused = async (what: Promise<unknown>, name: string, message: RegExp) => {
    const error = await what.then(
      () => undefined,
      (e) => e,
    );
    assert.ok(error, `not refused: ${message}`);
    assert.is(error.name, name, error.message);
    assert.match(error.message, message);
  };
  await refused(model.prefill([]), 'OptionError', /empty/);
  await refused(model.prefill([5, 203]), 'OptionError', /token 1 is 203: ids run from 0 to 202/);
  await refused(model.prefill([5, -1]), 'OptionError', /token 1 is -1/);
  await refused(model.prefill([1.5]), 'OptionError', /token 0 is 1.5/);
  await refused(model.prefill(Array(513).fill(2)), 'OptionError', /513 tokens .* 512/);
  const s = await model.prefill(PROMPT);
  await refused(model.decode([row(s, 0, 468)]), 'OptionError', /513 tokens .* 512/);
  await refused(model.decode([row(s, 0, 0)]), 'OptionError', /maxTokens is 0/);
  await refused(model.decode([row(s, 0, 5, { temperature: -1 })]), 'OptionError', /temperature is -1/);
  await refused(model.decode([row(s, 0, 5, { temperature: 1e-35 })]), 'OptionError', /temperature is 1e-35/);
  await refused(model.decode([row(s, 0, 5, { alpha: 0.5 })]), 'OptionError', /alpha is 0.5/);
  const seed = 1 as unknown as bigint;
  await refused(
    model.decode([row(s, 0, 5, { key: { ...key(0), seed } })]),
    'OptionError',
    /seed is 1: a bigint/,
  );
  await refused(model.decode([row(s, 0, 5, { topK: 0 })]), 'OptionError', /topK is 0/);
  await refused(model.decode([row(s, 0, 5, { topP: 1.5 })]), 'OptionError', /topP is 1.5/);
  await refused(model.decode([row(s, 0, 5), row(s, 1, 5)]), 'OptionError', /two rows/);
  const running = model.decode([row(s, 0, 30)]);
  await refused(model.decode([row(s, 0, 5)]), 'OptionError', /being decoded/);
  assert.throws(() => s.free(), /being decoded/);
  await running;
  assert.throws(() => s.rollback(0), /length 0/);
  assert.throws(() => s.rollback(1000), /length 1000/);
  s.free();
  await refused(model.decode([row(s, 0, 5)]), 'OptionError', /freed/);
});

test('too few pages is said before any work, in bytes', async () => {
  const tight = await randomModel(SHAPE, 1, 'BF16', { cachePositions: 64 });
  const s = await tight.prefill(PROMPT); // 3 of 4 pages
  const forks = [s.fork(), s.fork()];
  const error = await tight.decode(forks.map((f, i) => row(f, i, 10))).catch((e) => e);
  assert.is(error.name, 'OutOfMemoryError');
  // Each fork can need a copy of the shared page and one more. A page: 16 positions × 2 × 2 heads × 16 × 4 bytes × 2 layers.
  assert.is(error.needed, 4 * 16 * 2 * 2 * 16 * 4 * 2);
  assert.is(error.available, 16 * 2 * 2 * 16 * 4 * 2);
  assert.is(s.length, PROMPT.length);
  for (const f of forks) f.free();
  same(
    await straight(model, PROMPT, 1, 19),
    (await tight.decode([row(s, 1, 19)]))[0],
    'it still fits one row',
  );
  tight.dispose();
  const huge = await randomModel(SHAPE, 1, 'BF16', { cachePositions: 2 ** 30 }).catch((e) => e);
  assert.is(huge.name, 'OutOfMemoryError');
});

test('dispose rejects what is pending', async () => {
  const other = await randomModel(SHAPE);
  const s = await other.prefill(PROMPT);
  const pending = other.decode([row(s, 0, 200)]).catch((e) => e);
  other.dispose();
  assert.is((await pending).name, 'DeviceLostError');
  assert.is((await other.prefill(PROMPT).catch((e) => e)).name, 'DeviceLostError');
});

test.run();
