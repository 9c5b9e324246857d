import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/errors.ts';
import { partOf, shardOf } from '../../src/eval/shard.ts';
import { failure } from '../support/folder.ts';

const slurm = (id: string, count: string, min?: string) => ({
  SLURM_ARRAY_TASK_ID: id,
  SLURM_ARRAY_TASK_COUNT: count,
  SLURM_ARRAY_TASK_MIN: min,
});

test('a shard is what is given, or what the scheduler says', () => {
  assert.is(shardOf(undefined, {}), undefined);
  assert.equal(shardOf('0/4', {}), { index: 0, count: 4 });
  assert.equal(shardOf('3/4', slurm('1', '9')), { index: 3, count: 4 });
  assert.equal(shardOf(undefined, slurm('2', '4')), { index: 2, count: 4 });
  assert.equal(shardOf(undefined, slurm('1', '4', '1')), { index: 0, count: 4 });
  assert.equal(shardOf('auto/4', slurm('4', '4', '1')), { index: 3, count: 4 });
  // Task 3 of eight once more, and an array that counts in twos.
  assert.equal(shardOf('auto/8', slurm('3', '1', '3')), { index: 3, count: 8 });
  assert.equal(shardOf(undefined, { ...slurm('14', '8', '0'), SLURM_ARRAY_TASK_STEP: '2' }), {
    index: 7,
    count: 8,
  });
  assert.equal(shardOf('auto/8', { JOB_COMPLETION_INDEX: '7' }), { index: 7, count: 8 });
  assert.is(shardOf(undefined, { SLURM_ARRAY_TASK_ID: '', SLURM_ARRAY_TASK_COUNT: '' }), undefined);
});

test('what is no shard is refused, with the number', async () => {
  for (const [given, env, message] of [
    ['4/4', {}, /--shard is 4 of 4: a whole number from 0 to 3/],
    ['0/0', {}, /--shard counts 0 parts/],
    ['1-4', {}, /--shard is "1-4": i\/n/],
    ['-1/4', {}, /--shard is "-1\/4"/],
    ['auto/4', {}, /auto\/4: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX/],
    [undefined, slurm('3', '1', '3'), /SLURM_ARRAY_TASK_COUNT is 1, SLURM_ARRAY_TASK_ID 3: --shard 3\/n/],
    [undefined, { ...slurm('3', '4'), SLURM_ARRAY_TASK_STEP: '2' }, /is 1\.5 of 4: a whole number/],
    [undefined, slurm('8', '4', '0'), /is 8 of 4/],
    [undefined, slurm('x', '4'), /SLURM_ARRAY_TASK_ID is "x"/],
    [undefined, { JOB_COMPLETION_INDEX: '2' }, /JOB_COMPLETION_INDEX is 2.*--shard auto\/n/],
    ['auto/2', { JOB_COMPLETION_INDEX: '2' }, /--shard auto\/2 is 2 of 2/],
  ] as const) {
    await failure(OptionError, message, () => shardOf(given, env));
  }
});

test('the shards together are all items, each once', () => {
  const items = Array.from({ length: 11 }, (_, i) => i);
  const parts = [0, 1, 2, 3].map((index) => partOf(items, { index, count: 4 }));
  assert.equal(parts[1], [1, 5, 9]);
  assert.equal(
    parts.flat().sort((a, b) => a - b),
    items,
  );
  assert.equal(partOf(items, undefined), items);
});

test.run();
