import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CheckpointError, DataError } from '../../src/base/errors.ts';
import { fileDigest, modelDigest } from '../../src/eval/digest.ts';
import { soundCheckpoint } from '../checkpoint/sound.ts';
import { failure, withFolder } from '../support/folder.ts';
import { inTemporaryFolder } from '../support/models.ts';
import { test } from '../support/suite.ts';

test('a shard in a folder of its own tells models apart as well', () =>
  inTemporaryFolder(async (dir) => {
    const files = soundCheckpoint(dir, true);
    const index = new TextDecoder().decode(files.get('model.safetensors.index.json') as Uint8Array);
    writeFileSync(join(dir, 'model.safetensors.index.json'), index.replaceAll('"two', '"./sub/two'));
    mkdirSync(join(dir, 'sub'));
    renameSync(join(dir, 'two.safetensors'), join(dir, 'sub', 'two.safetensors'));
    const before = await modelDigest(dir);
    assert.is(await modelDigest(dir), before);
    const shard = Uint8Array.from(files.get('two.safetensors') as Uint8Array);
    shard[shard.length - 1] ^= 1;
    writeFileSync(join(dir, 'sub', 'two.safetensors'), shard);
    assert.is.not(await modelDigest(dir), before);
  }));

test('what is no file is refused at once', () =>
  inTemporaryFolder(async (dir) => {
    for (const name of ['model.safetensors', 'tokenizer_extra.json', 'other.safetensors']) {
      soundCheckpoint(dir, false);
      rmSync(join(dir, name), { force: true });
      execFileSync('mkfifo', [join(dir, name)]);
      await failure(CheckpointError, /is not a file/, () => modelDigest(dir));
      rmSync(join(dir, name));
    }
  }));

test('of a file that is none the reason is named, and a pipe is not waited for', () =>
  withFolder({}, async (dir) => {
    const path = join(dir, 'data.jsonl');
    for (const [make, message] of [
      [() => void mkdirSync(path), /data\.jsonl: is a folder/],
      [() => symlinkSync(path, path), /data\.jsonl: is a symbolic link that leads round/],
      [() => void execFileSync('mkfifo', [path]), /data\.jsonl: is a pipe or a device/],
      [() => symlinkSync('nowhere', path), /data\.jsonl: is not there/],
    ] as const) {
      make();
      await failure(DataError, message, () => fileDigest(path));
      rmSync(path, { recursive: true });
    }
    await failure(DataError, /none: is not there/, () => modelDigest(join(dir, 'none')));
  }));

test.run();
