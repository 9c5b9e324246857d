import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/base/errors.ts';
import { countsOnRecord, partOf, shardOf } from '../../src/eval/shard.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

/** A task of an array of these indices, from first to last, as Slurm tells it. */
const slurm = (id: number, count: number, first = 0, last = count - 1, step = 1) => ({
  SLURM_ARRAY_TASK_ID: `${id}`,
  SLURM_ARRAY_TASK_COUNT: `${count}`,
  SLURM_ARRAY_TASK_MIN: `${first}`,
  SLURM_ARRAY_TASK_MAX: `${last}`,
  SLURM_ARRAY_TASK_STEP: `${step}`,
});
const recorded = (...counts: number[]) => ({ folder: 'runs', counts });

test('a shard is what is given, or what the scheduler says', () => {
  assert.is(shardOf(undefined, {}), undefined);
  assert.is(shardOf(undefined, {}, recorded(4)), undefined);
  assert.equal(shardOf('0/4', {}), { index: 0, count: 4 });
  assert.equal(shardOf('3/4', slurm(1, 9)), { index: 3, count: 4 });
  assert.equal(shardOf('3/4', { SLURM_ARRAY_TASK_ID: 'x' }), { index: 3, count: 4 });
  assert.equal(shardOf(undefined, slurm(2, 4)), { index: 2, count: 4 });
  assert.equal(shardOf('auto/8', slurm(3, 1, 3, 3)), { index: 3, count: 8 });
  assert.equal(shardOf('auto/8', { JOB_COMPLETION_INDEX: '7' }), { index: 7, count: 8 });
  assert.is(shardOf(undefined, { SLURM_ARRAY_TASK_ID: '', SLURM_ARRAY_TASK_COUNT: '' }), undefined);
});

test('some tasks of an array submitted again are of the division on record', () => {
  const again = (env: object) => shardOf(undefined, { ...env }, recorded(8));
  assert.equal(again(slurm(2, 8)), { index: 2, count: 8 });
  assert.equal(again(slurm(2, 2, 2, 3)), { index: 2, count: 8 }); // --array=2,3
  assert.equal(again(slurm(3, 2, 2, 3)), { index: 3, count: 8 });
  assert.equal(again(slurm(1, 2)), { index: 1, count: 8 }); // --array=0,1
  assert.equal(again(slurm(4, 4, 0, 6, 2)), { index: 4, count: 8 }); // --array=0-6:2
  assert.equal(again(slurm(7, 1, 7, 7)), { index: 7, count: 8 });
  assert.equal(again({ JOB_COMPLETION_INDEX: '5' }), { index: 5, count: 8 });
  assert.equal(again({ SLURM_ARRAY_TASK_ID: '5' }), { index: 5, count: 8 });
});

test('the record is the folders of shards', () =>
  withFolder(
    { 'shard-0-of-8/run.json': '', 'shard-7-of-8/run.json': '', 'shard-x-of-3/a': '', file: '' },
    async (dir) => {
      assert.equal(await countsOnRecord(dir), { folder: dir, counts: [8] });
      assert.equal((await countsOnRecord(join(dir, 'none'))).counts, []);
      assert.equal((await countsOnRecord(join(dir, 'file'))).counts, []);
      mkdirSync(join(dir, 'shard-1-of-2'));
      assert.equal([...(await countsOnRecord(dir)).counts].sort(), [2, 8]);
    },
  ));

test('what is no shard is refused, with the number', async () => {
  const partial = /may be a part of an array: --shard auto\/n/;
  for (const [given, env, message, record] of [
    ['4/4', {}, /--shard is 4 of 4: a whole number from 0 to 3/],
    ['0/0', {}, /--shard counts 0 parts/],
    ['1-4', {}, /--shard is "1-4": i\/n/],
    ['-1/4', {}, /--shard is "-1\/4"/],
    ['auto/4', {}, /auto\/4: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX/],
    [undefined, slurm(2, 2, 2, 3), partial],
    [undefined, slurm(3, 1, 3, 3), partial],
    [undefined, slurm(0, 1), partial],
    [undefined, slurm(1, 4, 1, 4), partial],
    [undefined, slurm(2, 4, 0, 6, 2), /from 0 to 6 in steps of 2, which may be a part/],
    [undefined, { ...slurm(2, 4), SLURM_ARRAY_TASK_MAX: '', SLURM_ARRAY_TASK_STEP: '2' }, partial],
    [undefined, slurm(1, 3, 0, 3), partial],
    [undefined, { SLURM_ARRAY_TASK_ID: '8', SLURM_ARRAY_TASK_COUNT: '4' }, partial],
    [undefined, { SLURM_ARRAY_TASK_ID: '1' }, /SLURM_ARRAY_TASK_ID is 1, of how many is not known: --shard/],
    [undefined, { SLURM_ARRAY_TASK_ID: 'x' }, /SLURM_ARRAY_TASK_ID is "x"/],
    [undefined, { JOB_COMPLETION_INDEX: '2' }, /JOB_COMPLETION_INDEX is 2.*--shard auto\/n/],
    ['auto/2', { JOB_COMPLETION_INDEX: '2' }, /--shard auto\/2: JOB_COMPLETION_INDEX is 2 of 2/],
    ['auto/4', slurm(1, 4, 1, 4), /the array goes from 1 to 4, shards from 0 to 3: --array=0-3/],
    ['auto/8', slurm(2, 8, 0, 14, 2), /the array goes from 0 to 14, shards from 0 to 7/],
    [undefined, slurm(1, 8), /8 tasks up to 7, but runs has shards of 4: --shard/, recorded(4)],
    [undefined, slurm(5, 2, 5, 6), /up to 6, but runs has shards of 4: --shard/, recorded(4)],
    [undefined, { JOB_COMPLETION_INDEX: '4' }, /is 4, but runs has shards of 4/, recorded(4)],
    [undefined, slurm(1, 8), /runs has shards of 2 and of 8: --shard/, recorded(8, 2)],
  ] as const) {
    await failure(OptionError, message, () => shardOf(given, env, record));
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
