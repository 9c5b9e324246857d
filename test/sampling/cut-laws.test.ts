import * as assert from 'uvu/assert';
import { distribution } from '../../reference/table-model.ts';
import { cutLaw, pickCut } from '../../src/sampling/cut-laws.ts';
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

for (const name of LAWS) {
  test(`${name} agrees with the reference`, () => {
    const law = toyLaw(name);
    for (const [i, x] of STATES.entries()) {
      const r = law(entropies(x));
      assert.is(r.length, x.length);
      for (const c of x.keys()) near(r[c], toy.cut[name][i][c], `r(${c} | ${x})`);
    }
  });

  test(`${name} is a law also where nothing is uncertain, and always for the first token`, () => {
    for (const gate of [0, 0.67]) {
      const law = cutLaw(name, gate, 2);
      for (const length of [1, 5]) {
        const r = law(new Float64Array(length));
        const total = r.reduce((a, b) => a + b);
        assert.ok(r[0] > 0);
        assert.ok(r.every((p) => p >= 0));
        near(total, name === 'entropy-block' ? 0.05 : 1, `Σ r`);
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
