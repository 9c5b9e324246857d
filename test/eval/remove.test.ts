import { existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { removeFolder } from '../../src/eval/graders/remove.ts';
import { test } from '../support/suite.ts';

const made = () => mkdtempSync(join(tmpdir(), 'egps-remove-test-'));

test('nesting deeper than a path can say', async () => {
  const folder = made();
  const home = process.cwd();
  const name = 'd'.repeat(200);
  process.chdir(folder);
  try {
    for (let depth = 0; depth < 300; depth++) {
      mkdirSync(name);
      writeFileSync('file', '');
      process.chdir(name);
    }
  } finally {
    process.chdir(home);
  }
  assert.is(await removeFolder(folder), undefined);
  assert.not(existsSync(folder));
});

test('names that are no text, folders without rights, links', async () => {
  const folder = made();
  const outside = made();
  writeFileSync(join(outside, 'kept'), '');
  const bytes = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]);
  // macOS allows no such name.
  if (process.platform === 'linux') {
    mkdirSync(bytes);
    writeFileSync(Buffer.concat([bytes, Buffer.from([0x2f, 0xfe])]), '');
  }
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  symlinkSync(outside, join(folder, 'a/b/link'));
  mkdirSync(join(folder, 'none'), { mode: 0 });
  mkdirSync(join(folder, 'hidden'), { mode: 0o300 });
  writeFileSync(join(folder, 'hidden/file'), '');
  assert.is(await removeFolder(folder), undefined);
  assert.not(existsSync(folder));
  assert.ok(existsSync(join(outside, 'kept')));
  assert.is(await removeFolder(outside), undefined);
});

test('what is not there or cannot be removed is no exception', async () => {
  const folder = made();
  writeFileSync(join(folder, 'file'), '');
  assert.match(String(await removeFolder(join(folder, 'file/below'))), /ENOTDIR/);
  assert.is(await removeFolder(folder), undefined);
  assert.is(await removeFolder(folder), undefined);
});

test.run();
