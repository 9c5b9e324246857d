import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { dequantise } from '../../reference/dequantise.ts';
import { forward } from '../../reference/oracle.ts';
import { loadWeights } from '../../reference/weights.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { test } from '../support/suite.ts';

/** See make_quantized.py. */
const QUANTIZED = 'test/fixtures/quantized';

for (const name of readdirSync(QUANTIZED)) {
  test(`weights are bit for bit those of the library that packed them: ${name}`, async () => {
    const dir = `${QUANTIZED}/${name}`;
    const expected = JSON.parse(readFileSync(`${dir}/expected.json`, 'utf8'));
    const folder = await ModelFolder.open(dir);
    assert.equal([...folder.quantized.keys()].sort(), Object.keys(expected.weights));
    for (const [weight, matrix] of folder.quantized) {
      const bytes = new Uint8Array((await dequantise(matrix)).buffer);
      assert.is(createHash('sha256').update(bytes).digest('hex'), expected.weights[weight], weight);
    }
    assert.equal(folder.unexpectedTensors, []);
    await folder.close();

    const logits = new Float64Array(new Uint8Array(readFileSync(`${dir}/${expected.file}`)).buffer);
    const { vocabSize } = folder.config;
    const all = forward(folder.config, await loadWeights(dir), expected.tokens);
    for (const [row, position] of expected.positions.entries()) {
      const ours = all.subarray(position * vocabSize, (position + 1) * vocabSize);
      const worst = ours.reduce((w, l, v) => Math.max(w, Math.abs(l - logits[row * vocabSize + v])), 0);
      assert.ok(worst <= 1e-9 * expected.sigma, `position ${position}: off by ${worst}`);
    }
  });
}

test.run();
