import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { OutputError } from '../../src/base/errors.ts';
import { FolderLock } from '../../src/base/lock.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

const HOLD = `
  const { FolderLock } = await import(process.argv[1]);
  await FolderLock.acquire(process.argv[2]);
  console.log('held');
  setInterval(() => {}, 1000);
`;

/** A process that holds the folder. */
async function holder(dir: string) {
  const module = new URL('../../src/base/lock.js', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLD, module, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    pid: child.pid as number,
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

/** Writes a lock as another process would. */
function plant(dir: string, part: object): string {
  const file = join(dir, 'lock', 'other.json');
  mkdirSync(join(dir, 'lock'), { recursive: true });
  writeFileSync(file, JSON.stringify({ pid: 1, host: 'elsewhere', system: '', started: '', ...part }));
  return file;
}

const own = (dir: string) => {
  const [name] = readdirSync(join(dir, 'lock')).filter((each) => each !== 'other.json');
  return JSON.parse(readFileSync(join(dir, 'lock', name), 'utf8'));
};

test('one process holds a folder, until it lets go or dies', () =>
  withFolder({}, async (dir) => {
    const other = await holder(dir);
    const message = new RegExp(`process ${other.pid} on ${hostname()} is writing to this folder`);
    await failure(OutputError, message, () => FolderLock.acquire(dir));
    await failure(OutputError, message, () => FolderLock.acquire(dir)); // the refused one has left nothing
    await other.kill();
    const lock = await FolderLock.acquire(dir);
    await failure(OutputError, new RegExp(`process ${process.pid} `), () => FolderLock.acquire(dir));
    await lock.release();
    await (await FolderLock.acquire(dir)).release();
    assert.equal(readdirSync(join(dir, 'lock')), []);
  }));

test('a process that has got the id of a dead one does not hold its lock', () =>
  withFolder({}, async (dir) => {
    const lock = await FolderLock.acquire(dir);
    const self = own(dir);
    await lock.release();
    plant(dir, self);
    await failure(OutputError, /is writing/, () => FolderLock.acquire(dir));
    plant(dir, { ...self, started: '1' });
    await (await FolderLock.acquire(dir)).release();
  }));

test('a lock that says nothing of a process counts as that of an unknown machine', () =>
  withFolder({}, async (dir) => {
    const lock = await FolderLock.acquire(dir);
    const self = own(dir);
    await lock.release();
    for (const text of [
      '',
      'null',
      '7',
      '[]',
      '{}',
      '{"pid":',
      '\0\0',
      JSON.stringify({ ...self, pid: -1 }),
    ]) {
      const file = plant(dir, {});
      writeFileSync(file, text);
      const alive = setInterval(() => utimesSync(file, new Date(), new Date()), 10);
      await failure(OutputError, /process 0 on an unknown machine is writing/, () =>
        FolderLock.acquire(dir, 1000),
      );
      clearInterval(alive);
      await (await FolderLock.acquire(dir, 20)).release();
      assert.equal(readdirSync(join(dir, 'lock')), []);
    }
  }));

test('a process of another machine holds its lock as long as it gives signs of life', () =>
  withFolder({}, async (dir) => {
    const file = plant(dir, { host: 'elsewhere', pid: 77 });
    const alive = setInterval(() => utimesSync(file, new Date(), new Date()), 50);
    await failure(OutputError, /process 77 on elsewhere/, () => FolderLock.acquire(dir, 60_000));
    clearInterval(alive);
    await (await FolderLock.acquire(dir, 400)).release();
    assert.equal(readdirSync(join(dir, 'lock')), []);
  }));

test('a process learns that its lock was taken away, or the folder removed', () =>
  withFolder({ 'taken/a': '', 'removed/a': '' }, async (dir) => {
    const [taken, removed] = ['taken', 'removed'].map((name) => join(dir, name));
    const locks = [await FolderLock.acquire(taken), await FolderLock.acquire(removed)];
    rmSync(join(taken, 'lock'), { recursive: true });
    rmSync(removed, { recursive: true });
    const awake = setInterval(() => {}, 1000); // the lock itself keeps no process alive
    await Promise.all(locks.map(({ lost }) => once(lost, 'abort')));
    clearInterval(awake);
    const [first, second] = locks.map(({ lost }) => lost.reason.message);
    assert.match(first, /another process has taken the folder/);
    assert.match(second, /removed: was removed while this process was writing to it/);
    for (const lock of locks) await lock.release();
  }));

test.run();
