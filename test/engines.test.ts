import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const OLDEST: string = read('package.json').engines.node.replace('>=', '');

/** Whether a version is in a range, of which packages use the forms >=, ^ and ||. */
function satisfies(version: string, range: string): boolean {
  const [major, minor = 0, patch = 0] = version.split('.').map(Number);
  return range.split('||').some((part) => {
    const found = /^(>=|\^) ?(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(part.trim());
    if (!found) throw new Error(`${range} is not understood`);
    const [a, b, c] = found.slice(2).map((text) => Number(text ?? 0));
    return (major - a || minor - b || patch - c) >= 0 && (found[1] === '>=' || major === a);
  });
}

test('what is installed runs on the oldest Node that is promised', () => {
  const locks = [
    'package-lock.json',
    'test/deno/package-lock.json',
    'test/bun/package-lock.json',
    'test/openai/package-lock.json',
  ];
  let count = 0;
  for (const lock of locks) {
    for (const [path, { engines }] of Object.entries<{ engines?: { node?: string } }>(read(lock).packages)) {
      if (!engines?.node) continue;
      count++;
      assert.ok(satisfies(OLDEST, engines.node), `${lock}: ${path} needs Node ${engines.node}`);
    }
  }
  assert.ok(count > 10);
  for (const range of ['>=20.11.0', '^18', '^18.17.0 || >=20.17']) assert.not.ok(satisfies('20.10', range));
  for (const range of ['>=20', '>= 16.20.0', '^20.9.0', '^18 || >=20.10.0'])
    assert.ok(satisfies('20.10', range));
});

test('the same Node is promised everywhere', () => {
  for (const file of ['README.md', 'CONTRIBUTING.md']) {
    const promised = [...readFileSync(file, 'utf8').matchAll(/Node\**,? (\d+\.\d+) or newer/g)];
    assert.ok(promised.length > 0, file);
    for (const [, version] of promised) assert.is(version, OLDEST, file);
  }
});

test.run();
