import { readdirSync, readFileSync } from 'node:fs';
import { join, normalize, sep } from 'node:path';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

/** The rooms that the files of one import from, named by as many folders as it is. */
function importsOf(room: string): Set<string> {
  const depth = room.split('/').length;
  const files = (readdirSync(room, { recursive: true }) as string[]).filter((file) => file.endsWith('.ts'));
  assert.ok(files.length > 0, room);
  const rooms = files.flatMap((file) => {
    const text = readFileSync(join(room, file), 'utf8');
    return [...text.matchAll(/(?:from |import\()'((?:\.|#runtime\/)[^']*)'/g)].map(([, path]) =>
      normalize(path.startsWith('#') ? path.replace('#runtime', 'src') : join(room, file, '..', path))
        .split(sep)
        .slice(0, depth)
        .join('/'),
    );
  });
  return new Set(rooms);
}

test('the program needs nothing beside itself; the reference needs the program alone', () => {
  assert.equal([...importsOf('src')], ['src']);
  assert.equal([...importsOf('reference')].sort(), ['reference', 'src']);
});

test('the rooms of src stand in CONTRIBUTING.md, and import downwards only', () => {
  const text = readFileSync('CONTRIBUTING.md', 'utf8');
  const [, list = ''] = /^## The rooms of src$(.*?)^Around them/ms.exec(text) ?? [];
  const lines = list.matchAll(/^\| (`[^|]*`) \|/gm);
  const above = Array.from(lines, ([, line]) => Array.from(line.matchAll(/`(\w+)`/g), ([, room]) => room));
  const rooms = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.equal(above.flat().sort(), rooms.map(({ name }) => name).sort());
  for (const [i, line] of above.entries()) {
    const below = above.slice(i + 1).flat();
    for (const room of line) {
      for (const other of importsOf(`src/${room}`)) {
        const name = other.slice('src/'.length);
        assert.ok(name === room || below.includes(name), `${room} imports ${name}`);
      }
    }
  }
});

test('benchmarks need no test', () => {
  assert.not.ok(importsOf('bench').has('test'));
});

test.run();
