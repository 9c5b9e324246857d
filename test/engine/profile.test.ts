import * as assert from 'uvu/assert';
import { loadModel } from '../../src/api/load-model.ts';
import { profileTable } from '../../src/cli/profile.ts';
import { writeRows } from '../../src/engine/write-rows.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { Recording } from '../../src/gpu/recorder.ts';
import type { Qwen2 } from '../../src/model/qwen2.ts';
import { deviceWithoutSubgroups, inTemporaryFolder } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

const [ROWS, CONTEXT] = [3, 10];

test('a profile counts every dispatch of a pass, names its kernels and leaves its results alone', () =>
  inTemporaryFolder(async (dir) => {
    const { vocabSize } = randomCheckpoint(dir, {}, 9);
    const loaded = await loadModel(dir);
    const { gpu, model } = loaded as unknown as { gpu: Gpu; model: Qwen2 };
    try {
      const size = ROWS * vocabSize * 4;
      const logits = async (encoder = gpu.device.createCommandEncoder()) =>
        new Float32Array(await gpu.read(encoder, model.buffers.logits, size));

      // The same rows, in one pass. All of a row fits one page: which page it is does not matter.
      const table = (page: number) => ({ view: () => Uint32Array.of(page), at: () => page, length: 1 });
      const states = Array.from({ length: ROWS }, (_, i) => {
        const sequence = { table: table(i), length: 0 } as unknown as Parameters<
          typeof writeRows
        >[2][0]['sequence'];
        return { sequence, token: i, position: CONTEXT - 1, slot: i, stride: ROWS };
      });
      const batch = { rows: ROWS, positions: CONTEXT, shared: writeRows(gpu, model, states) };
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      model.forward(pass, batch);
      model.head(pass, ROWS);
      model.draw(pass, ROWS);
      pass.end();
      const expected = await logits(encoder);
      assert.ok(new Set(expected).size > ROWS);
      const recording = new Recording();
      model.forward(recording, batch);
      model.head(recording, ROWS);
      model.draw(recording, ROWS);

      gpu.device.queue.writeBuffer(model.buffers.logits, 0, new Uint8Array(size));
      const profile = await loaded.profile(ROWS, CONTEXT, 2);
      assert.equal(await logits(), expected);
      const { kernels, whole, tick } = profile;
      const counts = new Map<string, number>();
      for (const { pipeline } of recording.dispatches) {
        counts.set(pipeline.label, (counts.get(pipeline.label) ?? 0) + 1);
      }
      const found = new Map<string, number>();
      for (const { kernel, dispatches } of kernels) found.set(kernel, (found.get(kernel) ?? 0) + dispatches);
      assert.equal(found, counts);
      assert.ok(found.size >= 8, [...found.keys()].join());
      assert.is(whole.length, 2);
      assert.ok(tick > 0);
      for (const { seconds, use } of kernels) {
        assert.is(seconds.length, 2);
        assert.ok(
          seconds.every((s) => s >= 0 && Number.isFinite(s)),
          use,
        );
      }
      for (const bad of [
        loaded.profile(0, CONTEXT, 1),
        loaded.profile(1e6, CONTEXT, 1),
        loaded.profile(1, 0, 1),
        loaded.profile(1, 257, 1),
      ]) {
        const error = await bad.catch((e) => e);
        assert.is(error.name, 'OptionError', error.message);
      }
    } finally {
      loaded.dispose();
    }
  }));

test('an adapter without timestamp queries is refused by name', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, {}, 9);
    const model = await loadModel(dir, { device: await deviceWithoutSubgroups() });
    const error = await model.profile(1, 10, 1).catch((e) => e);
    model.dispose();
    assert.is(error.name, 'AdapterError');
    assert.match(error.message, 'timestamp-query');
  }));

test('the table of a profile shows medians a dispatch and shares that add up', () => {
  const kernel = (name: string, dispatches: number, seconds: number[]) => {
    return { kernel: name, use: 'x', dispatches, seconds };
  };
  const kernels = [kernel('qkv', 2, [8e-6, 6e-6, 4e-6]), kernel('draw', 1, [2e-6, 2e-6, 2e-6])];
  const lines = profileTable({ kernels, whole: [5e-6, 7e-6, 6e-6], tick: 32e-9 }).split('\n');
  assert.match(lines[1], /^qkv +x +2 +3\.0 +75\.0 %$/);
  assert.match(lines[2], /^draw +x +1 +2\.0 +25\.0 %$/);
  assert.is(lines[4], 'all kernels: 8.0 µs (6.0 to 10.0)');
  assert.is(lines[5], 'the pass undivided: 6.0 µs (5.0 to 7.0)');
  assert.match(lines[6], /32 ns$/);
});

test.run();
