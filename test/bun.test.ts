import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { runCommands } from './support/commands.ts';
import { withFolder } from './support/folder.ts';
import { endOf, endsAsItShould, outputOf, programOf } from './support/runtimes.ts';
import { servesAsItShould } from './support/serving.ts';
import { test } from './support/suite.ts';

const bun = programOf('bun');

test('answers and evaluations are the same under Bun as under Node', async () => {
  const underBoth: ReturnType<typeof runCommands>[] = [];
  for (const program of [process.execPath, bun]) {
    await withFolder({}, async (dir) => {
      const run = (commands: string) => outputOf(program, ['dist/test/support/run-commands.js', commands]);
      underBoth.push(runCommands(dir, run, ['generate', 'eval', 'again']));
    });
  }
  const [expected, found] = underBoth;
  assert.equal(found.drawn, expected.drawn);
  // The GPU's numbers are the same; exp and log of the two engines differ in the last bit.
  for (const [i, value] of expected.logp.entries()) assert.ok(Math.abs(value - found.logp[i]) < 1e-9, `${i}`);
});

test('Ctrl-C and a reader that goes away end the command line under Bun', async () => {
  await endsAsItShould(bun, ['dist/src/cli/main.js']);
});

test('egps serves under Bun', async () => {
  await servesAsItShould(bun, ['dist/src/cli/main.js']);
});

test('Ctrl-C ends a program under Bun that has loaded a tokenizer', async () => {
  const script = `
    const { Tokenizer } = await import(${JSON.stringify(`${process.cwd()}/dist/src/checkpoint/tokenizer.js`)});
    console.log((await Tokenizer.load('models/abacus')).encode('Mia has 2 coins.').length);
    setInterval(() => {}, 1000);`;
  const { signal } = await endOf(bun, ['-e', script], (child) => child.kill('SIGINT'));
  assert.is(signal, 'SIGINT');
});

test('the folder of a graded program is removed under Bun, whatever its names are', () => {
  const script =
    "process.env.TEST_NAME = 'names that are no text'; await import('./dist/test/eval/remove.test.js')";
  assert.match(outputOf(bun, ['-e', script]), /Passed: +1\n/);
});

test('no raw template has other characters than ASCII, which Bun would spell as escapes', () => {
  for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const raw = readFileSync(`src/${file}`, 'utf8').matchAll(/String\.raw`[^`]*`/g);
    for (const [template] of raw) assert.not.match(template, /[^\0-\x7f]/, file);
  }
});

test.run();
