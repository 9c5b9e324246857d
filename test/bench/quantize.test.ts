import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Comparison, Plain } from '../../bench/quantize/loss.ts';
import { addNoise, blur } from '../../bench/quantize/noise.ts';
import { loadWeights } from '../../reference/weights.ts';
import { OptionError } from '../../src/base/errors.ts';
import { failure, withFolder } from '../support/folder.ts';
import { inTemporaryFolder } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

test('the loss is KL(plain ‖ other) and the change in log p of the tokens drawn, of these alone', () =>
  withFolder({}, async (dir) => {
    const logs = (...rows: number[][]) => Float32Array.from(rows.flat(), Math.log);
    const plain = new Plain(dir, 2);
    const never = [0.1, 0.9]; // what follows a token of the prompt, and the last one
    plain.keep(0, logs(never, [0.5, 0.5], [0.25, 0.75], never));
    plain.keep(1, logs([0.5, 0.5], never));
    const comparison = new Comparison(plain);
    const other = [0.7, 0.3];
    comparison.add(0, { tokens: [0, 1, 1, 0], prompt: 2 }, logs(other, [0.25, 0.75], [0.25, 0.75], other));
    comparison.add(1, { tokens: [0, 0], prompt: 1 }, logs([0.5, 0.5], other));
    const { divergence, perText, change, sameTop } = comparison.loss();
    const first = 0.5 * Math.log(0.5 / 0.25) + 0.5 * Math.log(0.5 / 0.75);
    const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a}, ${b}`);
    near(divergence.mean, first / 3);
    near(perText[0], first / 2);
    near(perText[1], 0);
    near(change.mean, Math.log(0.75 / 0.5) / 3);
    near(sameTop, 2 / 3); // the first of two that are equal
  }));

test('noise is as wide as a step of the grid, 16 levels or 256', () => {
  const at = [0, 0.999, 0.5];
  let i = 0;
  const random = () => at[i++ % 3];
  // Two groups of a row, the second a short one.
  const coarse = Float64Array.from({ length: 40 }, (_, n) => (n < 32 ? (n % 16) - 3 : 2 * (n % 2)));
  const before = coarse.slice();
  blur(coarse, 40, random);
  for (const [n, value] of coarse.entries()) {
    const step = n < 32 ? 1 : 2 / 15;
    assert.ok(Math.abs(value - before[n] - step * (at[n % 3] - 0.5)) < 1e-12, `weight ${n}`);
  }
  const fine = Float64Array.from({ length: 32 }, (_, n) => n);
  blur(fine, 32, () => 0);
  assert.ok(Math.abs(fine[0] + 31 / 255 / 2) < 1e-12);
});

test('a noisy copy has the same tensors in bf16, its vectors as they were, and the same bytes again', () =>
  inTemporaryFolder(async (dir) => {
    const [from, to, again] = ['from', 'to', 'again'].map((name) => join(dir, name));
    randomCheckpoint(from, {}, 5, 'BF16');
    await addNoise(from, to, 1);
    await addNoise(from, again, 1);
    const bytes = (folder: string) => readFileSync(join(folder, 'model.safetensors'));
    assert.ok(bytes(to).equals(bytes(again)));
    const [old, now] = [await loadWeights(from), await loadWeights(to)];
    assert.equal([...now.keys()], [...old.keys()]);
    assert.equal(now.get('model.norm.weight'), old.get('model.norm.weight'));
    const name = 'model.layers.0.mlp.up_proj.weight';
    const [a, b] = [old, now].map((weights) => weights.get(name) as Float64Array);
    const moved = a.map((value, i) => Math.abs(value - b[i]));
    assert.ok(Math.max(...moved) > 0 && Math.max(...moved) < 0.02 * Math.max(...a), `${Math.max(...moved)}`);
    await failure(OptionError, /the model itself/, () => addNoise(from, from, 1));
  }));

test.run();
