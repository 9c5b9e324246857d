import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { countCalls } from '../../bench/harness/counts.ts';
import { benchPipeline, openBench, readBack, timePass } from '../../bench/harness/device.ts';
import { environmentOf } from '../../bench/harness/environment.ts';
import { repeat, short, show, summarise, table } from '../../bench/harness/figures.ts';
import { numbers } from '../../bench/harness/options.ts';
import { modelOptions } from '../../bench/model.ts';
import { patternSum } from '../../bench/roofline.ts';
import { OptionError } from '../../src/base/errors.ts';
import { test } from '../support/suite.ts';

/** Message of the OptionError that `use` throws. */
function refusal(use: () => unknown): string {
  try {
    use();
  } catch (error) {
    assert.instance(error, OptionError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

test('a summary is the median, the range and the quartiles, whatever the order', () => {
  assert.equal(summarise([9, 1, 5, 3, 7]), { median: 5, min: 1, q1: 3, q3: 7, max: 9, n: 5 });
  assert.equal(summarise([4, 1, 2, 3]), { median: 2.5, min: 1, q1: 1.75, q3: 3.25, max: 4, n: 4 });
  assert.equal(summarise([6]), { median: 6, min: 6, q1: 6, q3: 6, max: 6, n: 1 });
  assert.throws(() => summarise([]), /no values/);
  assert.throws(() => summarise([1, Number.NaN]), /NaN/);
});

test('the first measurement is a warm-up', async () => {
  const values = [1000, 1, 2, 3];
  assert.equal(await repeat(3, () => values.shift() as number), summarise([1, 2, 3]));
  assert.is(values.length, 0);
});

test('figures have three digits and say their range', () => {
  assert.equal([0, 0.01234, 9.876, 123.4, 56_789].map(short), ['0', '0.0123', '9.88', '123', '56789']);
  assert.is(show(summarise([1e9, 2e9, 4e9]), 1e9), '2.00 (1.00 to 4.00)');
  assert.is(show(summarise([5])), '5.00');
});

test('columns of a table line up', () => {
  assert.is(
    table(
      ['rows', 'tokens/s'],
      [
        ['1', '412'],
        ['16 rows', '9'],
      ],
    ),
    'rows     tokens/s\n-------  --------\n1             412\n16 rows         9',
  );
});

test('lists of numbers are sorted, and refused where one is not whole or not positive', () => {
  assert.equal(numbers('--rows', '4, 1,4,2'), [1, 2, 4]);
  assert.match(
    refusal(() => numbers('--rows', '1,2.5')),
    /--rows is "2.5"/,
  );
  assert.match(
    refusal(() => numbers('--rows', '0,1')),
    /--rows is 0,1/,
  );
});

test('a model benchmark refuses what it cannot do', () => {
  assert.match(
    refusal(() => modelOptions([])),
    /--shape is missing: one of tiny, 135m/,
  );
  assert.match(
    refusal(() => modelOptions(['--shape', '3b'])),
    /--shape is "3b": one of tiny, 135m, 0.5b, 1.5b, 7b/,
  );
  assert.match(
    refusal(() => modelOptions(['--shape', 'tiny', '--contexts', '16384'])),
    /--contexts has 16384: at most 16256/,
  );
  assert.match(
    refusal(() => modelOptions(['--shape', 'tiny', '--row', '1'])),
    /did you mean --rows/,
  );
  assert.match(
    refusal(() => modelOptions(['--shape', 'tiny', 'fast'])),
    /no use for "fast"/,
  );
  assert.equal(modelOptions(['--shape', 'tiny', '--quick'])?.rows, [1, 4]);
});

test('an unknown benchmark: the nearest name, the list, exit code 2', () => {
  const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'modell'], { encoding: 'utf8' });
  assert.is(status, 2);
  assert.is(stdout, '');
  assert.match(stderr, /unknown benchmark "modell"; did you mean model\?/);
  assert.match(stderr, /\n {2}roofline {2}/);
});

test('the record of where it was measured is complete', () => {
  const info = { description: 'a driver', vendor: 'mesa', architecture: 'software', device: 'a device' };
  const { date, ...environment } = environmentOf(info as GPUAdapterInfo, true);
  assert.equal(environment.adapter, { ...info, cpu: true });
  assert.is(environment.node, process.version);
  assert.match(environment.dawn, /^\d+\.\d+\.\d+/);
  assert.match(environment.commit, /^([0-9a-f]{12}(-dirty)?|unknown)$/);
  assert.ok(environment.os && environment.processor && environment.cores > 0 && environment.memoryBytes > 0);
  assert.is(new Date(date).toISOString(), date);
});

test('passes are timed, calls counted until that is stopped; the pattern has the sum that is expected of it', async () => {
  const bench = await openBench();
  const { device } = bench;
  const calls = countCalls(device);
  try {
    const words = 5000;
    const before = calls.now();
    const buffer = device.createBuffer({ label: 'pattern', size: 4 * words, usage: 0x80 | 0x4 | 0x8 });
    const fill = await benchPipeline(bench, 'fill');
    const group = device.createBindGroup({
      layout: fill.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer } }],
    });
    const record = (pass: GPUComputePassEncoder) => {
      pass.setPipeline(fill);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(1);
      pass.dispatchWorkgroups(1);
    };
    const seconds = await timePass(bench, record);
    assert.ok(seconds > 0 && seconds < 60, `${seconds} seconds`);
    const encoder = device.createCommandEncoder();
    const data = new Uint32Array(await readBack(device, encoder, buffer, 4 * words));
    assert.is(
      data.reduce((a, b) => (a + b) >>> 0),
      patternSum(words),
    );
    fill.label = 'copy-pages'; // by which copies of pages are known
    const copying = device.createCommandEncoder();
    const copyPass = copying.beginComputePass();
    copyPass.setPipeline(fill);
    copyPass.setBindGroup(0, group);
    copyPass.dispatchWorkgroups(1, 3);
    copyPass.end();
    device.queue.submit([copying.finish()]);

    const after = calls.now();
    assert.is(after.dispatches - before.dispatches, 3);
    assert.is(after.pages, 3);
    assert.ok(after.encodeMs > before.encodeMs && after.submitMs > before.submitMs);
    assert.is(after.allocated - before.allocated, 4 * words); // what was needed in between is freed
    calls.stop();
    await timePass(bench, record);
    assert.is(calls.now().dispatches, after.dispatches);
  } finally {
    calls.stop();
    bench.close();
  }
});

test.run();
