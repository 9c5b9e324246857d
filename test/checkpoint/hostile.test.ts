import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { loadDefaults } from '../../src/api/model-defaults.ts';
import { CheckpointError } from '../../src/base/errors.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { failure, withFolder } from '../support/folder.ts';
import { inTemporaryFolder } from '../support/models.ts';
import { withHeader } from '../support/safetensors-bytes.ts';
import { test } from '../support/suite.ts';
import { soundCheckpoint } from './sound.ts';

async function open(dir: string): Promise<void> {
  await (await ModelFolder.open(dir)).close();
  await loadDefaults(dir);
}

/** Every file of a whole checkpoint and of one in shards. */
async function everyFile(use: (dir: string, name: string) => Promise<void>): Promise<void> {
  for (const sharded of [false, true]) {
    await inTemporaryFolder(async (dir) => {
      for (const name of soundCheckpoint(dir, sharded).keys()) {
        rmSync(join(dir, name));
        await use(dir, name);
        rmSync(join(dir, name), { recursive: true });
        soundCheckpoint(dir, sharded);
      }
      assert.ok(readdirSync(dir).length > 5);
      await open(dir); // it is sound indeed
    });
  }
}

test('a folder, a loop of links or a FIFO in the place of any file is refused at once', async () => {
  await everyFile(async (dir, name) => {
    const path = join(dir, name);
    const refused = (message: RegExp) => failure(CheckpointError, message, () => open(dir));
    mkdirSync(path);
    assert.is((await refused(/: is not a file$/)).file, path);
    rmSync(path, { recursive: true });
    symlinkSync(name, path);
    assert.is((await refused(/cannot be read: ELOOP: [^,]*$/)).file, path);
    rmSync(path);
    execFileSync('mkfifo', [path]);
    assert.is((await refused(/: is not a file$/)).file, path);
  });
});

test('links to files are followed', () =>
  inTemporaryFolder(async (dir) => {
    const blobs = join(dir, 'blobs');
    mkdirSync(blobs);
    const snapshot = join(dir, 'snapshot');
    for (const name of soundCheckpoint(snapshot, true).keys()) {
      linkSync(join(snapshot, name), join(blobs, name));
      rmSync(join(snapshot, name));
      symlinkSync(`../blobs/${name}`, join(snapshot, name));
    }
    await open(snapshot);
  }));

test('a Git LFS pointer in the place of any file says what to do', async () => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943\nsize 1234\n';
  await everyFile(async (dir, name) => {
    writeFileSync(join(dir, name), pointer);
    const { file } = await failure(CheckpointError, /a Git LFS pointer.*git lfs pull/, () => open(dir));
    assert.is(file, join(dir, name));
  });
});

test('values nested 20,000 deep are refused, whether anybody reads them or not', async () => {
  const deep = ['['.repeat(20_000) + ']'.repeat(20_000), `${'{"a":'.repeat(20_000)}0${'}'.repeat(20_000)}`];
  await everyFile(async (dir, name) => {
    if (name.endsWith('.jinja')) return writeFileSync(join(dir, name), '');
    for (const value of deep) {
      const json = `{"architectures":${value}}`;
      writeFileSync(join(dir, name), name.endsWith('.json') ? json : withHeader(json));
      const error = await failure(CheckpointError, /nested more than 1000 deep/, () => open(dir));
      assert.is(error.file, join(dir, name));
    }
  });
  const read = `{"unread":${'['.repeat(900)}${']'.repeat(900)}}`;
  await withFolder({ 'config.json': read }, async (dir) => {
    await failure(CheckpointError, /"model_type" is missing/, () => open(dir));
  });
});

test.run();
