import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import * as errors from '../../src/base/errors.ts';
import { loadConfig } from '../../src/checkpoint/config.ts';
import { readBytes } from '../../src/eval/tasks/files.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

const { ERROR_CODES, EgpsError } = errors;
const classes = Object.entries(errors).filter(
  ([name, value]) => typeof value === 'function' && name !== 'EgpsError',
) as unknown as [keyof typeof ERROR_CODES, new (...args: unknown[]) => errors.EgpsError][];

/** What each constructor is given before the cause. */
const ARGUMENTS: Record<keyof typeof ERROR_CODES, unknown[]> = {
  OptionError: ['m'],
  CheckpointError: ['f', 'm'],
  UnsupportedModelError: ['k', 1, 's'],
  AdapterError: ['m'],
  KernelError: ['a', 'k', 1, 0.1],
  OutOfMemoryError: ['w', 2, 1, 'h'],
  DeviceLostError: ['r', 'm'],
  NonFiniteError: ['l', 0],
  DistributionError: ['m', 0],
  DataError: ['f', 'm', 1],
  OutputError: ['p', 'm'],
  GraderError: ['m'],
  HubError: ['i@r', 'm'],
  FetchError: ['u', 'm'],
};

test('every class has a code of its own and its name, and hands on its cause', () => {
  assert.equal(classes.map(([name]) => name).sort(), Object.keys(ERROR_CODES).sort());
  assert.is(new Set(Object.values(ERROR_CODES)).size, classes.length);
  const cause = new Error('why');
  for (const [name, of] of classes) {
    const error = new of(...ARGUMENTS[name], { cause });
    assert.instance(error, EgpsError);
    assert.equal([error.name, error.code, error.cause], [name, ERROR_CODES[name], cause]);
    assert.not('cause' in new of(...ARGUMENTS[name]), name);
  }
});

test('the codes stand in the documentation', () => {
  const page = readFileSync('docs/library.md', 'utf8');
  for (const [name, code] of Object.entries(ERROR_CODES))
    assert.match(page, new RegExp(`^\\| \`${code}\` \\| \`${name}\` \\|`, 'm'));
});

/** The block that opens at a place. */
function blockAt(text: string, open: number): string {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{') depth++;
    if (text[i] === '}' && --depth === 0) return text.slice(open, i + 1);
  }
  return text.slice(open);
}

test('whoever catches an error and raises one of ours hands the first one on', () => {
  const files = (readdirSync('src', { recursive: true }) as string[]).filter((file) => file.endsWith('.ts'));
  let found = 0;
  for (const file of files) {
    const text = readFileSync(join('src', file), 'utf8');
    for (const { index, 0: match } of text.matchAll(/catch (\(\w+\) )?\{|\.catch\([^\n]*=> \{$/gm)) {
      const block = blockAt(text, index + match.length - 1);
      for (const [, made] of block.matchAll(/new (\w*(?:Error|Fault))\(/g)) {
        if (!(made in ERROR_CODES) && made !== 'Fault') continue;
        found++;
        assert.match(block, /\bcause\b/, `${file}: ${block}`);
      }
    }
  }
  assert.ok(found > 20, `${found} errors that follow from others`);
});

test('the cause is the error that led to it', () =>
  withFolder({ 'config.json': '{"a": ' }, async (dir) => {
    const { cause, code } = await failure(errors.CheckpointError, /not valid JSON/, () => loadConfig(dir));
    assert.instance(cause, SyntaxError);
    assert.is(code, 'checkpoint');
    const missing = await failure(errors.DataError, /cannot be read/, () => readBytes(join(dir, 'none')));
    assert.is((missing.cause as NodeJS.ErrnoException).code, 'ENOENT');
  }));

test.run();
