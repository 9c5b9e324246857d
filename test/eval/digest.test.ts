import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DataError } from '../../src/errors.ts';
import { fileDigest, modelDigest } from '../../src/eval/digest.ts';
import { failure, withFolder } from '../support/folder.ts';

test('a model is told by its configuration and its weights, and not by what else lies there', () =>
  withFolder({ 'config.json': '{}', 'a.safetensors': 'weights' }, async (dir) => {
    const first = await modelDigest(dir);
    writeFileSync(join(dir, 'README.md'), 'x');
    assert.is(await modelDigest(dir), first);
    writeFileSync(join(dir, 'a.safetensors'), 'weightS');
    assert.is.not(await modelDigest(dir), first);
  }));

test('what is no file is named, and a pipe is not waited for', () =>
  withFolder({ 'config.json': '{}' }, async (dir) => {
    const path = join(dir, 'a.safetensors');
    for (const [make, message] of [
      [() => void mkdirSync(path), /a\.safetensors: is a folder/],
      [() => symlinkSync(path, path), /a\.safetensors: is a symbolic link that leads round/],
      [() => void execFileSync('mkfifo', [path]), /a\.safetensors: is a pipe or a device/],
      [() => symlinkSync('nowhere', path), /a\.safetensors: is not there/],
    ] as const) {
      make();
      await failure(DataError, message, () => modelDigest(dir));
      await failure(DataError, message, () => fileDigest(path));
      rmSync(path, { recursive: true });
    }
    await failure(DataError, /none: is not there/, () => modelDigest(join(dir, 'none')));
  }));

test.run();
