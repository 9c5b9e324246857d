import { readdirSync, readFileSync } from 'node:fs';
import { join, normalize, sep } from 'node:path';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

/** The rooms that the files of one import from. */
function importsOf(room: string): Set<string> {
  const files = (readdirSync(room, { recursive: true }) as string[]).filter((file) => file.endsWith('.ts'));
  assert.ok(files.length > 0, room);
  const rooms = files.flatMap((file) => {
    const text = readFileSync(join(room, file), 'utf8');
    return [...text.matchAll(/(?:from |import\()'(\.[^']*)'/g)].map(
      ([, path]) => normalize(join(room, file, '..', path)).split(sep)[0],
    );
  });
  return new Set(rooms);
}

test('the program needs nothing beside itself; the reference needs the program alone', () => {
  assert.equal([...importsOf('src')], ['src']);
  assert.equal([...importsOf('reference')].sort(), ['reference', 'src']);
});

test('benchmarks need no test', () => {
  assert.not.ok(importsOf('bench').has('test'));
});

test.run();
