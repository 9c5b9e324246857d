import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { forward, statistics } from '../../reference/oracle.ts';
import { loadWeights } from '../../reference/weights.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { loadConfig } from '../../src/checkpoint/config.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

const GOLDEN = 'test/fixtures/golden';

/** One entry of expected.json: see make_goldens.py. */
interface Run {
  file: string;
  tokens: number[];
  positions: number[];
  shape: [number, number];
  sha256: string;
  sigma: number;
}

for (const name of [
  'qwen2-1layer',
  'qwen2-4layers',
  'qwen2-head-dim-bf16',
  'qwen2-4layers-bf16',
  'qwen2-sharded',
  'llama-mha',
  'llama-gqa-f16',
  'llama3-biases',
  'qwen2-window-linear',
  'mistral-window',
  'qwen3-window-yarn',
]) {
  test(`the oracle agrees with transformers in float64: ${name}`, async () => {
    const dir = join(GOLDEN, name);
    const config = await loadConfig(dir);
    const weights = await loadWeights(dir);
    const runs: Run[] = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8'));
    assert.equal(
      runs.map((run) => run.tokens.length),
      [1, 17, 200],
    );
    for (const run of runs) {
      const bytes = readFileSync(join(dir, run.file));
      assert.is(createHash('sha256').update(bytes).digest('hex'), run.sha256);
      const expected = new Float64Array(new Uint8Array(bytes).buffer);
      const vocab = config.vocabSize;
      assert.equal(run.shape, [run.positions.length, vocab]);
      assert.is(expected.length, run.positions.length * vocab);

      const logits = forward(config, weights, run.tokens);
      let worst = 0;
      run.positions.forEach((position, row) => {
        for (let v = 0; v < vocab; v++) {
          const difference = Math.abs(logits[position * vocab + v] - expected[row * vocab + v]);
          worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
        }
      });
      assert.ok(worst <= 1e-10 * run.sigma, `${run.file}: off by ${worst / run.sigma} sigma`);
    }
  });
}

const near = (actual: number, expected: number, what: string) =>
  assert.ok(Math.abs(actual - expected) <= 1e-14 * Math.abs(expected), `${what}: ${actual}, not ${expected}`);

test('statistics of a uniform distribution have closed forms', () => {
  const s = statistics(new Float64Array(100).fill(3), 7, { temperature: 0.25, alpha: 4 });
  near(s.logp, -Math.log(100), 'logp');
  near(s.logq, -Math.log(100), 'logq');
  near(s.logZ, -3 * Math.log(100), 'logZ');
  near(s.entropy, Math.log(100), 'entropy');
});

test('statistics of three tokens match the definitions', () => {
  const p = [0.5, 0.3, 0.2];
  const powers = p.map((x) => x ** 2.5);
  const Z = powers.reduce((a, b) => a + b);
  const s = statistics(p.map(Math.log), 1, { temperature: 0.4, alpha: 2.5 });
  near(s.logp, Math.log(0.3), 'logp');
  near(s.logq, Math.log(powers[1] / Z), 'logq');
  near(s.logZ, Math.log(Z), 'logZ');
  near(s.entropy, -p.reduce((sum, x) => sum + x * Math.log(x), 0), 'entropy');
});

test('statistics stay accurate where the distribution is all but certain', () => {
  const e = Math.exp(-40);
  const s = statistics([5, -35, Number.NEGATIVE_INFINITY], 0, { temperature: 0.5, alpha: 4 });
  near(s.logp, -e, 'logp');
  near(s.logq, -e * e, 'logq');
  near(s.logZ, -4 * e, 'logZ');
  near(s.entropy, 41 * e, 'entropy');
});

test('at temperature 0 the proposal is the first argmax', () => {
  const at = (token: number) => statistics([1, 2, 2], token, { temperature: 0, alpha: 1 });
  assert.is(at(1).logq, 0);
  assert.is(at(2).logq, Number.NEGATIVE_INFINITY);
  assert.is(at(2).logZ, 0);
});

const SHAPES: [Partial<ModelConfig>, 'F32' | 'BF16'][] = [
  [{}, 'F32'],
  [{ modelType: 'llama', hiddenSize: 40, numAttentionHeads: 5, numKeyValueHeads: 5, headDim: 8 }, 'BF16'],
  [{ vocabSize: 77, eosTokens: [3], headDim: 20, tieWordEmbeddings: true, numHiddenLayers: 1 }, 'BF16'],
];
for (const [overrides, dtype] of SHAPES) {
  test(`a random checkpoint loads as written: ${dtype} ${JSON.stringify(overrides)}`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'checkpoint-'));
    try {
      const config = randomCheckpoint(dir, overrides, 1, dtype);
      assert.equal(await loadConfig(dir), config);
      const weights = await loadWeights(dir);
      for (const [name, values] of weights) {
        assert.ok(values.every(Number.isFinite), name);
        assert.ok(new Set(values).size > 0.5 * Math.min(values.length, 64), name);
      }
      const logits = forward(config, weights, [1, 2, 3]);
      const sigma = Math.sqrt(logits.reduce((sum, l) => sum + l * l, 0) / logits.length);
      assert.ok(sigma > 0.5 && sigma < 8, `sigma ${sigma}`);

      const first = readFileSync(join(dir, 'model.safetensors'));
      randomCheckpoint(dir, overrides, 1, dtype);
      assert.ok(readFileSync(join(dir, 'model.safetensors')).equals(first), 'the same seed, the same bytes');
      randomCheckpoint(dir, overrides, 2, dtype);
      assert.not.ok(readFileSync(join(dir, 'model.safetensors')).equals(first), 'another seed, other bytes');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}

test.run();
