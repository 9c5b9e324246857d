import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { checkWritable } from '../../src/cli/command.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

test('whether a file can be written is found out, and nothing is left of that', () =>
  withFolder({ there: 'kept', 'folder/a': '' }, async (dir) => {
    await checkWritable(join(dir, 'there'));
    assert.is(readFileSync(join(dir, 'there'), 'utf8'), 'kept');
    await checkWritable(join(dir, 'new'));
    await failure(Error, /EISDIR/, () => checkWritable(join(dir, 'folder')));
    await failure(Error, /ENOENT/, () => checkWritable(join(dir, 'nowhere', 'new')));
    await failure(Error, /ENOTDIR/, () => checkWritable(join(dir, 'there', 'new')));
    assert.equal(readdirSync(dir).sort(), ['folder', 'there']);
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    symlinkSync('pipe', join(dir, 'link'));
    for (const name of ['pipe', 'link']) await checkWritable(join(dir, name)); // it does not wait for a reader
    assert.equal(readdirSync(dir).sort(), ['folder', 'link', 'pipe', 'there']);
  }));

test.run();
