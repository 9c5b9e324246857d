import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import * as assert from 'uvu/assert';
import { smallModel } from './hub/model.ts';
import { runCommands } from './support/commands.ts';
import { withFolder } from './support/folder.ts';
import { withHub } from './support/hub-server.ts';
import { endOf, endsAsItShould, outputOf, programOf } from './support/runtimes.ts';
import { servesAsItShould } from './support/serving.ts';
import { test } from './support/suite.ts';

const deno = programOf('deno');
const { tasks } = JSON.parse(readFileSync('deno.json', 'utf8'));
/** What a task of deno.json allows; whatever else is asked for fails. */
const allowedBy = (task: string): string[] => ['--no-prompt', ...tasks[task].match(/--allow-\S+/g)];
const underDeno = (flags: string[], script: string, ...args: string[]) =>
  outputOf(deno, ['run', '--config', 'deno.json', '--no-prompt', ...flags, script, ...args]);

test('abacus answers greedily under Deno as under Python, and may read files only', () => {
  const file = readFileSync('test/fixtures/abacus-greedy.json', 'utf8');
  const golden: { prompt: string; tokens: number[]; logp: number[] }[] = JSON.parse(file);
  const prompts = JSON.stringify(golden.map(({ prompt }) => prompt));
  const found: typeof golden = JSON.parse(
    underDeno(['--allow-read'], 'test/support/greedy.ts', 'models/abacus', prompts),
  );
  assert.is(found.length, golden.length);
  for (const [i, { tokens, logp }] of golden.entries()) {
    assert.equal(found[i].tokens, tokens, `tokens of prompt ${i}`);
    const worst = Math.max(...logp.map((value, at) => Math.abs(value - found[i].logp[at])));
    assert.ok(worst <= 1e-4, `log p of prompt ${i} differs by ${worst}`);
  }
});

test('deno task egps is allowed what its commands need, and no programs', () =>
  withFolder({}, async (dir) => {
    const flags = allowedBy('egps');
    runCommands(dir, (commands) => underDeno(flags, 'test/support/run-commands.ts', commands));
    const item = { id: 'a', prompt: 'def f():\n', answer: 'f()', grader: 'code', entry_point: 'f' };
    const file = `${dir}/code.jsonl`;
    writeFileSync(file, JSON.stringify(item));
    const command = ['eval', '--task', file, '--allow-code-execution', '--out', `${dir}/code`];
    const [{ error }] = JSON.parse(
      underDeno(flags, 'test/support/run-commands.ts', JSON.stringify([command])),
    );
    assert.match(error, /Deno has not been allowed to: `deno run -A src\/cli\/main\.ts eval/);
  }));

test('deno task egps fetches a model of the Hub, and is told what is free', () =>
  withHub({ 'org/m': smallModel() }, async () => {
    const score = ['src/cli/main.ts', 'score', '--model', 'org/m', '--tokens', '1,2'];
    const { code, stderr } = await endOf(deno, ['run', ...allowedBy('egps'), ...score], () => {});
    assert.is(code, 0, stderr);
    assert.match(stderr, /^adapter: .*\negps: org\/m@main: .* to fetch into .*, where .* are free\n/);
    if (/^adapter: .*on the CPU/.test(stderr)) assert.match(stderr, /^egps: it takes .*; .* are free$/m);
  }));

test('deno task egps serves', async () => {
  await servesAsItShould(deno, ['run', ...allowedBy('egps'), 'src/cli/main.ts']);
});

test('deno task generate writes its page, and Ctrl-C and a reader that goes away end it', () =>
  withFolder({}, async (dir) => {
    const main = ['run', ...allowedBy('generate'), 'src/cli/main.ts'];
    const short = ['--sampler', 'greedy', '--max-new-tokens', '4', '--trace', `${dir}/trace.html`];
    outputOf(deno, [...main, 'generate', ...short, 'Mia has 2 coins.']);
    assert.match(readFileSync(`${dir}/trace.html`, 'utf8'), '</html>');
    await endsAsItShould(deno, main);
  }));

test('a process of this machine that Deno may not look up holds a folder as long as it gives signs of life', () => {
  const script = `
    import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
    import { FolderLock } from './src/base/lock.ts';
    const dir = Deno.makeTempDirSync();
    const lock = await FolderLock.acquire(dir);
    const [name] = readdirSync(dir + '/lock');
    const own = JSON.parse(readFileSync(dir + '/lock/' + name, 'utf8'));
    await lock.release();
    const other = dir + '/lock/other.json';
    writeFileSync(other, JSON.stringify({ ...own, pid: ${process.pid} }));
    const alive = setInterval(() => utimesSync(other, new Date(), new Date()), 20);
    console.log(await FolderLock.acquire(dir, 5000).catch(({ message }) => message));
    clearInterval(alive);
    await (await FolderLock.acquire(dir, 100)).release();
    console.log(readdirSync(dir + '/lock').length);
    Deno.removeSync(dir, { recursive: true });`;
  for (const [flags, host] of [
    [[], 'an unknown machine'],
    [['--allow-sys=hostname'], hostname()],
  ] as const) {
    const run = ['run', '--config', 'deno.json', '--no-prompt', '--allow-read', '--allow-write', ...flags];
    const [refused, left] = outputOf(deno, [...run, '--allow-env=TMPDIR', '-'], script).split('\n');
    assert.match(refused, `process ${process.pid} on ${host} is writing to this folder`);
    assert.is(left, '0');
  }
});

test('programs are graded under Deno where it is allowed to run them', () => {
  const script = `
    import { PythonGrader } from './src/eval/graders/python.ts';
    const grader = await PythonGrader.open();
    const item = { id: 'a', prompt: 'def f():\\n', answer: 'assert f() == 1', grader: 'code', entryPoint: 'f' };
    for (const response of ['    return 1', '    return 2'])
      console.log((await grader.grade(item, response)).verdict);
    await grader.close();`;
  assert.is(outputOf(deno, ['run', '--config', 'deno.json', '-A', '-'], script), 'right\nwrong\n');
});

test.run();
