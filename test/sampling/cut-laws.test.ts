import * as assert from 'uvu/assert';
import { distribution } from '../../reference/table-model.ts';
import { CUT_LAWS, type CutLawName, cutLaw, pickCut } from '../../src/sampling/cut-laws.ts';
import { randomSource } from '../../src/sampling/random.ts';
import { test } from '../support/suite.ts';
import { entropies, golden, LAWS, STATES, toy, toyAt, toyLaw } from './toy.ts';

const near = (a: number, b: number, what: string) =>
  assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)), `${what}: ${a} and ${b}`);

test('statistics of a distribution agree with the reference', () => {
  const { logits, alpha, logp, H, logZ, q } = golden.token_stats;
  const at = distribution(logits, alpha, 1 / alpha);
  near(at.entropy, H, 'H');
  near(at.logZ, logZ, 'log Z');
  for (const v of logits.keys()) {
    near(at.logp[v], logp[v], `log p ${v}`);
    near(Math.exp(at.logq[v]), q[v], `q ${v}`);
  }
});

test('entropies and log Z of the toy agree with the reference', () => {
  for (const [i, x] of STATES.entries()) {
    for (const t of x.keys()) {
      const at = toyAt(x.slice(0, t));
      near(at.entropy, toy.H[i][t], `H ${x} ${t}`);
      near(at.logZ, toy.logZ[i][t], `log Z ${x} ${t}`);
    }
  }
});

/** r of each state of the toy, worked out apart from the code: models[0].cut of test/fixtures/egps_golden.json, and cut_params. */
function goldenOf(name: CutLawName): number[][] {
  const vectors = toy.cut[name];
  if (!vectors) throw new Error(`cut law ${name} has no golden vectors`);
  return vectors;
}

test('every golden vector is of a law that there is', () => {
  for (const name of Object.keys(toy.cut)) assert.ok(Object.hasOwn(CUT_LAWS, name), name);
});

/** Entropies of every scale in a row, none at all among them, from random numbers of a seed. */
function randomEntropies(seed: number, length: number): Float64Array {
  const random = randomSource(BigInt(seed), 0);
  return Float64Array.from({ length }, (_, t) => {
    const [kind, u] = [random.cut(t), random.accept(t)];
    if (kind < 0.2) return 0;
    return kind < 0.6 ? 10 ** (8 * u - 7.5) : 3 * u;
  });
}

/** What the kernel relies on, of every prefix of a response that there is. */
function checkLaw(name: CutLawName): void {
  for (let seed = 0; seed < 60; seed++) {
    const entropy = randomEntropies(seed, 70);
    for (const gate of [0, 0.05, 0.67, 10]) {
      for (const blockSize of [1, 2, 7, 192]) {
        const law = cutLaw(name, gate, blockSize);
        let before: Float64Array = new Float64Array(0);
        for (let length = 1; length <= entropy.length; length++) {
          const where = `${name}, seed ${seed}, gate ${gate}, blocks of ${blockSize}, length ${length}`;
          const r = law(entropy.slice(0, length));
          assert.is(r.length, length, where);
          let total = 0;
          for (let c = 0; c < length; c++) {
            if (!(r[c] >= 0)) assert.unreachable(`${where}: r(${c}) is ${r[c]}`);
            if (r[c] > before[c])
              assert.unreachable(
                `${where}: r(${c}) rises from ${before[c]} to ${r[c]} as the response grows`,
              );
            total += r[c];
          }
          assert.ok(total < 1 + 1e-12, `${where}: Σ r is ${total}`);
          const first = entropy.findIndex((h) => h > 0);
          if (first < length) assert.ok(r[first] > 0, `${where}: the first decision is out of reach`);
          before = r;
        }
      }
    }
  }
}

for (const name of LAWS) {
  test(`${name} agrees with the reference`, () => {
    const vectors = goldenOf(name);
    const law = toyLaw(name);
    for (const [i, x] of STATES.entries()) {
      const r = law(entropies(x));
      assert.is(r.length, x.length);
      for (const c of x.keys()) near(r[c], vectors[i][c], `r(${c} | ${x})`);
    }
  });

  test(`${name} is a law the kernel can rely on: it never rises as a response grows, and reaches the first decision`, () => {
    checkLaw(name);
  });

  test(`${name} depends on what it says it uses, and on nothing else`, () => {
    const { uses } = CUT_LAWS[name];
    const entropy = randomEntropies(1, 40);
    const r = cutLaw(name, 0.5, 8)(entropy);
    const other = {
      entropy: cutLaw(name, 0.5, 8)(randomEntropies(2, 40)),
      gate: cutLaw(name, 0.9, 8)(entropy),
      blockSize: cutLaw(name, 0.5, 11)(entropy),
    };
    for (const what of ['entropy', 'gate', 'blockSize'] as const) {
      assert.is(String(other[what]) !== String(r), uses.includes(what), what);
    }
  });

  test(`${name} is a law also where nothing is uncertain`, () => {
    for (const gate of [0, 0.67]) {
      const law = cutLaw(name, gate, 2);
      for (const length of [1, 5]) {
        const total = law(new Float64Array(length)).reduce((a, b) => a + b);
        near(total, CUT_LAWS[name].uses.includes('blockSize') ? 0.05 : 1, `Σ r`);
      }
    }
  });
}

test('a block law counts the blocks of the response and holds for the closed ones', () => {
  const law = cutLaw('entropy-block', 0.5, 2);
  const r = law(Float64Array.of(1, 3, 0.1, 0.2, 0.6));
  const expected = [0.95 / 12 + 0.01, (3 * 0.95) / 12 + 0.01, 0.01, 0.01, 0.95 / 3 + 0.01];
  for (const c of r.keys()) near(r[c], expected[c], `r(${c})`);
  assert.is(pickCut(r, 0.999), -1);
});

test('a cut is picked by the inverse of the distribution function', () => {
  const r = Float64Array.of(0, 0.25, 0, 0.5);
  assert.equal(
    [0.001, 0.2499, 0.25, 0.7499, 0.75].map((u) => pickCut(r, u)),
    [1, 1, 3, 3, -1],
  );
});

test.run();
