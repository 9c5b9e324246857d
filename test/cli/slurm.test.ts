import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const ENV = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(SLURM_|JOB_COMPLETION_INDEX$)/.test(name)),
);

/** As Slurm's: signals go to what it has started, not to that one's children. */
const SRUN = `#!/bin/bash
"$@" &
echo $! > "$TASK.new" && mv "$TASK.new" "$TASK"
wait $!
`;
const OPTIONS =
  '--task abacus --limit 8 --sampler greedy,egps:particles=4:final-steps=2 --concurrency 1 --no-traces'.split(
    ' ',
  );

/** A task of the example's array, with options of ours. */
function submit(dir: string, env: Record<string, string>) {
  const task = join(dir, `task-${env.SLURM_ARRAY_TASK_ID}`);
  const child = spawn('bash', [resolve('examples/eval-array.slurm'), ...OPTIONS], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...ENV, PATH: `${dir}:${ENV.PATH}`, TASK: task, OUT: join(dir, 'out'), ...env },
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  const end = once(child, 'close').then(([code]) => ({ code, err }));
  return { child, end, pid: () => Number(readFileSync(task, 'utf8')) };
}

const array = (id: number, count: number, first: number, last: number) => ({
  SLURM_ARRAY_TASK_ID: `${id}`,
  SLURM_ARRAY_TASK_COUNT: `${count}`,
  SLURM_ARRAY_TASK_MIN: `${first}`,
  SLURM_ARRAY_TASK_MAX: `${last}`,
  SLURM_ARRAY_TASK_STEP: '1',
});

test('scancel ends a task of the example in order, twice over, and the task alone submitted again is the same shard', () =>
  withFolder({ srun: SRUN }, async (dir) => {
    chmodSync(join(dir, 'srun'), 0o755);
    mkdirSync(join(dir, 'node_modules/.bin'), { recursive: true });
    symlinkSync(main, join(dir, 'node_modules/.bin/egps'));
    const shard = join(dir, 'out/shard-1-of-2');
    const results = () => {
      const file = join(shard, 'results.jsonl');
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    };

    const first = submit(dir, array(1, 2, 0, 1));
    while (results().length < 5) {
      assert.is(first.child.exitCode, null);
      await sleep(5);
    }
    for (let i = 0; i < 2; i++) process.kill(first.pid(), 'SIGTERM');
    const { code, err } = await first.end;
    assert.is(code, 143, err);
    const [, done] = /stopped with (\d+) of 16 responses on record/.exec(err) ?? [];
    const before = results();
    assert.is(Number(done), before.length, err);
    assert.is(JSON.parse(readFileSync(join(shard, 'summary.json'), 'utf8')).complete, false);
    assert.equal(readdirSync(join(shard, 'lock')), []);
    assert.throws(() => process.kill(first.pid(), 0), /ESRCH/);

    const again = await submit(dir, array(1, 1, 1, 1)).end;
    assert.is(again.code, 0, again.err);
    assert.equal(readdirSync(join(dir, 'out')), ['shard-1-of-2']);
    assert.equal(results().slice(0, before.length), before);
    assert.is(results().length, 16);
  }));

test('some tasks of an array of which nothing is on record are refused before anything is computed', () =>
  withFolder({ srun: SRUN }, async (dir) => {
    chmodSync(join(dir, 'srun'), 0o755);
    mkdirSync(join(dir, 'node_modules/.bin'), { recursive: true });
    symlinkSync(main, join(dir, 'node_modules/.bin/egps'));
    const { code, err } = await submit(dir, array(2, 2, 2, 3)).end;
    assert.is(code, 2, err);
    assert.match(err, /SLURM_ARRAY_TASK_COUNT is 2, with indices from 2 to 3, .*--shard auto\/n/);
    assert.not.ok(existsSync(join(dir, 'out')));
  }));

test.run();
