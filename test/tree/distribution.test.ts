import * as assert from 'uvu/assert';
import { distribution, TableModel } from '../../reference/table-model.ts';
import { DistributionError } from '../../src/base/errors.ts';
import { philox, randomSource, uniform } from '../../src/sampling/random.ts';
import { Distribution, type Law, suffices, summarise } from '../../src/tree/distribution.ts';
import { critical } from '../sampling/chi-square.ts';
import { test } from '../support/suite.ts';

/** Logits of so many tokens at random, spread over `spread`. */
const row = (tokens: number, spread: number, seed: number): number[] =>
  Array.from({ length: tokens }, (_, v) => spread * uniform(philox([v, seed, 0, 0], [5, 5])[0]));

const close = (a: number, b: number, what: string, tolerance = 1e-13) =>
  assert.ok(Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b)), `${what}: ${a} and ${b}`);

/** The token that u and the word draw; a model is asked for one of the tail. */
async function draw(model: TableModel, law: Law, u: number, tail: number) {
  const sequence = await model.prefill([]);
  const feed = { sequence, position: 0, tokens: [1], sharpening: law, ask: { tail } };
  const [[{ summary, asked }]] = await model.compute([feed]);
  sequence.free();
  const at = new Distribution(summary, law, 1);
  const listed = at.draw(u);
  const drawn = listed ?? asked;
  if (!drawn) throw new Error('no token of the tail');
  return { drawn, at, listed: listed !== undefined };
}

test('however many entries are listed, what is said of a token is what the whole row says', async () => {
  for (const [n, spread] of [1, 6, 40, 800].entries()) {
    const logits = row(12, spread, n);
    for (const law of [
      { alpha: 1, temperature: 1 },
      { alpha: 4, temperature: 1 / 4 },
      { alpha: 2, temperature: 3 },
      { alpha: 4, temperature: 0 },
    ]) {
      const whole = distribution(logits, law.alpha, law.temperature);
      const most = Math.max(...logits);
      for (const entries of [1, 2, 5, 11, 12, Infinity]) {
        const summary = summarise(logits, law, entries);
        assert.is(summary.ids.length, Math.min(entries, 12));
        const at = new Distribution(summary, law, 0);
        const label = `${entries} of 12 listed, α ${law.alpha}, τ ${law.temperature}`;
        close(at.logZ, whole.logZ, `log Z, ${label}`);
        close(at.entropy, whole.entropy, `H, ${label}`);
        for (const [v, l] of logits.entries()) {
          const drawn = at.find(v) ?? { token: v, distance: l - most };
          close(at.logp(drawn), whole.logp[v], `log p ${v}, ${label}`);
          close(at.logq(drawn), whole.logq[v], `log q ${v}, ${label}`);
        }
      }
    }
  }
});

test('a token that is nearly certain keeps the relative precision of what it lacks to certainty', () => {
  for (const gap of [20, 36, 60, 300]) {
    for (const entries of [1, 2]) {
      const law = { alpha: 4, temperature: 1 };
      const at = new Distribution(summarise([0, -gap, -Infinity], law, entries), law, 0);
      const e = Math.exp(-gap);
      const relative = (actual: number, expected: number) =>
        assert.ok(Math.abs(actual - expected) <= 1e-14 * Math.abs(expected), `${actual} and ${expected}`);
      relative(at.logp({ token: 0, distance: 0 }), -Math.log1p(e));
      relative(at.logZ, Math.log1p(Math.exp(-4 * gap)) - 4 * Math.log1p(e));
      relative(at.entropy, Math.log1p(e) + (gap * e) / (1 + e));
    }
  }
});

test('u falls on tokens in the order of ids, to the last bit; what is not listed comes last', () => {
  // Probabilities are multiples of 1/16, so that thresholds are exact.
  const weights = [3, 1, 5, 0, 2, 4, 1];
  const law = { alpha: 1, temperature: 1 };
  const logits = weights.map(Math.log);
  for (const entries of [Infinity, 4, 3, 2, 1]) {
    const summary = summarise(logits, law, entries);
    const at = new Distribution(summary, law, 0);
    let below = 0;
    const seen: (number | undefined)[] = [];
    for (const v of summary.ids) {
      below += weights[v] / 16;
      // The threshold is the upper end; logarithms of the weights have been rounded.
      for (const [u, token] of [
        [below - 1e-12, v],
        [below - weights[v] / 16 + 1e-12, v],
      ]) {
        assert.is(at.draw(u)?.token, token, `u = ${u} of ${entries}`);
      }
    }
    for (let i = 0; i < 4096; i++) seen.push(at.draw((i + 0.5) / 4096)?.token);
    for (const [v, weight] of weights.entries()) {
      const expected = summary.ids.includes(v) ? weight * 256 : 0;
      assert.ok(
        Math.abs(seen.filter((token) => token === v).length - expected) <= 1,
        `token ${v} of ${entries}`,
      );
    }
    const rest = seen.filter((token) => token === undefined).length;
    assert.ok(Math.abs(rest - 4096 * (1 - below)) <= 1);
  }
});

test('the ends: no u draws what has no weight, nor what is not listed where the rest is 0', () => {
  const ends = [2 ** -54, 2 ** -33, 0.5, 1 - 2 ** -53, 1];
  const law = { alpha: 1, temperature: 1 };
  for (const logits of [
    [-Infinity, 0, -Infinity],
    [-800, -1, 0, -800, -900], // e^−800 is 0
    [0, -800],
    [-800, 0, -1, -2, -3, -0.5, -800],
  ]) {
    for (const entries of [1, 2, Infinity]) {
      const summary = summarise(logits, law, entries);
      const at = new Distribution({ ...summary, tempered: 0 }, law, 0);
      for (const u of ends) {
        const drawn = at.draw(u);
        assert.ok(drawn && drawn.distance > -100, `${u} draws ${drawn?.token} of ${logits}`);
      }
    }
  }
  // Greedy: the lowest id of the largest.
  const greedy = { alpha: 1, temperature: 0 };
  for (const entries of [1, Infinity]) {
    const at = new Distribution(summarise([1, 3, 2, 3], greedy, entries), greedy, 0);
    for (const u of ends) assert.equal(at.draw(u), { token: 1, distance: 0 });
  }
});

test('draws, tails among them, have the frequencies of q', async () => {
  // Two of eight tokens are listed. Nine χ² tests, each of which fails falsely once in 10⁷ runs at most.
  const COUNT = 20_000;
  for (const spread of [0.5, 2, 5]) {
    const logits = row(8, spread, 9);
    const model = new TableModel(8, [], () => logits.map(Math.exp), { entries: 2 });
    for (const temperature of [0.5, 1, 2]) {
      const law = { alpha: 2, temperature };
      const expected = distribution(logits, 2, temperature).logq.map((l) => COUNT * Math.exp(l));
      const seen = expected.map(() => 0);
      const random = randomSource(BigInt(1000 * spread), 10 * temperature);
      let tails = 0;
      for (let n = 0; n < COUNT; n++) {
        const { u, tail } = random.token(n >> 8, n & 255, 1);
        const { drawn, listed, at } = await draw(model, law, u, tail);
        seen[drawn.token]++;
        if (listed) continue;
        tails++;
        close(at.logq(drawn), distribution(logits, 2, temperature).logq[drawn.token], 'log q of the tail');
      }
      assert.ok(tails > 0);
      let rare = [0, 0];
      let statistic = 0;
      let bins = 0;
      for (const [v, e] of expected.entries()) {
        if (e < 5) rare = [rare[0] + e, rare[1] + seen[v]];
        else {
          statistic += (seen[v] - e) ** 2 / e;
          bins++;
        }
      }
      if (rare[0] >= 5) {
        statistic += (rare[1] - rare[0]) ** 2 / rare[0];
        bins++;
      }
      assert.ok(
        statistic < critical(bins - 1),
        `spread ${spread}, τ ${temperature}: χ² ${statistic} of ${bins} bins`,
      );
    }
  }
});

const TRUNCATIONS: Pick<Law, 'topK' | 'topP'>[] = [
  { topK: 1 },
  { topK: 2 },
  { topK: 5 },
  { topK: 7 },
  { topK: 8 },
  { topK: 100 },
  { topP: 0.05 },
  { topP: 0.5 },
  { topP: 0.9 },
  { topP: 0.999 },
  { topP: 1 },
  { topK: 3, topP: 0.7 },
  { topK: 6, topP: 0.95 },
];

test('top-k and top-p keep what the whole row says, or the list is known to be too short', () => {
  const rows = [row(8, 1, 1), row(8, 4, 2), row(8, 12, 3), [0, 0, 0, -1, -1, -2, -2, -9]]; // the last with ties
  let enough = 0;
  let short = 0;
  for (const logits of rows) {
    for (const truncation of TRUNCATIONS) {
      for (const temperature of [0.5, 1]) {
        const law = { alpha: 2, temperature, ...truncation };
        const whole = distribution(logits, 2, temperature, truncation);
        for (const entries of [1, 2, 3, 4, 6, 7, 8]) {
          const summary = summarise(logits, law, entries);
          if (!suffices(summary, law)) {
            short++;
            continue;
          }
          enough++;
          const at = new Distribution(summary, law, 0);
          const label = `${JSON.stringify(truncation)}, ${summary.ids.length} of ${logits.map((l) => l.toFixed(2))}`;
          const kept = new Set<number>();
          for (let i = 0; i < 2048; i++) {
            const drawn = at.draw((i + 0.5) / 2048);
            if (!drawn) {
              // Only where nothing is cut off.
              assert.ok(whole.logq.every(Number.isFinite), label);
              continue;
            }
            kept.add(drawn.token);
            close(at.logq(drawn), whole.logq[drawn.token], `log q ${drawn.token}, ${label}`);
            close(at.logp(drawn), whole.logp[drawn.token], `log p, ${label}`);
          }
          for (const [v, logq] of whole.logq.entries()) {
            if (logq === -Infinity) assert.not(kept.has(v), `${v} was cut off: ${label}`);
            else if (logq > Math.log(2 / 2048) && at.find(v))
              assert.ok(kept.has(v), `${v} is kept: ${label}`);
          }
          close(at.logZ, whole.logZ, `log Z, ${label}`); // of p, all of it
        }
      }
    }
  }
  assert.ok(enough > 200 && short > 100, `${enough} lists were long enough, ${short} too short`);
  // Whole rows always do.
  for (const truncation of TRUNCATIONS) {
    const law = { alpha: 2, temperature: 1, ...truncation };
    for (const logits of rows) assert.ok(suffices(summarise(logits, law), law));
  }
});

test('a list is as long as it must be, and not refused where it is', () => {
  const logits = [0, -1, -2, -3, -4, -5, -6, -7];
  const enough = (entries: number, truncation: Pick<Law, 'topK' | 'topP'>, temperature = 1) => {
    const law = { alpha: 2, temperature, ...truncation };
    return suffices(summarise(logits, law, entries), law);
  };
  assert.ok(enough(1, {}));
  // What is kept must be followed by something that is not: a tie could stand there.
  assert.equal([enough(3, { topK: 3 }), enough(4, { topK: 3 })], [false, true]);
  // 0.632, 0.865, 0.950, … of the mass
  assert.equal([enough(2, { topP: 0.8 }), enough(3, { topP: 0.8 })], [false, true]);
  assert.equal([enough(7, { topP: 1 }), enough(8, { topP: 1 })], [false, true]);
});

test('alternatives: every entry, likeliest first, by log p', () => {
  const logits = [1, 3, 2, -1];
  const law = { alpha: 2, temperature: 1 };
  const { logp } = distribution(logits, 2, 1);
  const at = new Distribution(summarise(logits, law, 3), law, 0);
  const all = at.alternatives();
  assert.equal(
    all.map(({ token }) => token),
    [1, 2, 0],
  );
  for (const { token, logp: l } of all) close(l, logp[token], `log p ${token}`);
  // Some of them are the first of all, also where several are equal.
  const level = new Distribution(summarise([0, 2, 1, 2, 1, 2, 0, 1], law), law, 0);
  for (let k = 0; k <= 9; k++) assert.equal(level.alternatives(k), level.alternatives().slice(0, k));
});

test('what is listed in f32 is taken as it is', () => {
  const law = { alpha: 4, temperature: 0.25 };
  const { ids, distances, ...sums } = summarise(row(9, 7, 4), law, 4);
  const single = Float32Array.from(distances);
  const at = new Distribution({ ids, distances: single, ...sums }, law, 0);
  const same = new Distribution({ ids, distances: Float64Array.from(single), ...sums }, law, 0);
  assert.equal([at.logZ, at.entropy], [same.logZ, same.entropy]);
  for (const u of [0.1, 0.5, 0.9]) assert.equal(at.draw(u), same.draw(u));
});

test('the message says where', () => {
  assert.throws(
    () =>
      new Distribution(
        summarise([Number.NaN, Number.NaN], { alpha: 1, temperature: 1 }),
        { alpha: 1, temperature: 1 },
        17,
      ),
    (error: Error) => error instanceof DistributionError && error.position === 17,
  );
});

test.run();
