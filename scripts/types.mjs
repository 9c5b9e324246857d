// Leaves of the declarations in dist those that the package's own reach: internals are stripped from them, so that the others would
// refer to what is not declared. Those that speak of `using` name the part of TypeScript's library that has it: in the sources JSR would
// not have the line.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const queue = Object.values(exports).flatMap(({ types }) => (types ? [join(root, types)] : []));
const reached = new Set(queue);
for (const file of queue) {
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/\b(?:from |import\()['"](\..*?)\.ts['"]/g)) {
    const next = join(dirname(file), `${path}.d.ts`);
    if (!reached.has(next)) queue.push(next);
    reached.add(next);
  }
}
for (const entry of readdirSync(join(root, 'dist'), { recursive: true })) {
  const file = join(root, 'dist', entry);
  if (file.endsWith('.d.ts') && !reached.has(file)) rmSync(file);
}

const LIBRARY = '/// <reference lib="esnext.disposable" />\n';
for (const file of reached) {
  const text = readFileSync(file, 'utf8');
  if (/Symbol\.(asyncDispose|dispose)/.test(text) && !text.startsWith(LIBRARY))
    writeFileSync(file, LIBRARY + text);
}
