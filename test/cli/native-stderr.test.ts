import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { withFolder } from '../support/folder.ts';
import { suite } from '../support/suite.ts';

const test = suite('what native code writes to standard error');

const NOISE = ['Uniform', 'Storage'].map(
  (kind) =>
    `Warning: maxDynamic${kind}BuffersPerPipelineLayout artificially reduced from 1000000 to 16 to fit dynamic offset allocation limit.\n`,
);
/** Alike, and not the same. */
const OTHERS = [
  'Warning: maxBindGroups artificially reduced from 32 to 4 to fit dynamic offset allocation limit.\n',
  `Info: ${NOISE[0]}`,
  NOISE[1].replace('.\n', ', and more.\n'),
  NOISE[0].replace('1000000', '?'),
  'MESA: error: \x80\xff \x1b[1m no UTF-8\n',
  '\n',
];
const url = new URL('../../src/cli/native-stderr.js', import.meta.url).href;

/** A program that writes as native code does, then goes on with `rest`. */
const program = (text: string, rest = '') => `
  import { writeSync } from 'node:fs';
  import { hideNoise } from ${JSON.stringify(url)};
  const end = await hideNoise();
  writeSync(2, Buffer.from(${JSON.stringify(text)}, 'latin1'));
  ${rest}
  end();`;
const argv = (...program_: Parameters<typeof program>) => [
  '--input-type=module',
  '--eval',
  program(...program_),
];

const ALL = [
  OTHERS[0],
  NOISE[0],
  OTHERS[1],
  OTHERS[2],
  NOISE[1],
  ...OTHERS.slice(3),
  'an end without a line feed',
];
const LEFT = ALL.filter((text) => !NOISE.includes(text)).join('');

test('two warnings of Dawn are hidden and nothing else, in whatever standard error is', () =>
  withFolder({}, async (dir) => {
    const run = spawnSync(process.execPath, argv(ALL.join('')), { encoding: 'latin1' });
    assert.is(run.stderr, LEFT);
    assert.is(run.status, 0);
    const env = {
      ...process.env,
      NODE: process.execPath,
      PROGRAM: program(ALL.join('')),
      OUT: join(dir, 'out'),
    };
    const node = '"$NODE" --input-type=module --eval "$PROGRAM"';
    for (const [script, left] of [
      [`${node} 2>&1 >/dev/null | cat`, LEFT],
      [`(${node}; echo last >&2) 2>"$OUT"; cat "$OUT"`, `${LEFT}last\n`],
      [`(echo first; ${node}; echo last) >"$OUT" 2>&1; cat "$OUT"`, `first\n${LEFT}last\n`],
    ]) {
      assert.is(spawnSync('sh', ['-c', script], { env, encoding: 'latin1' }).stdout, left, script);
    }
  }));

test('the program ends when all is written, however long that takes', () =>
  withFolder({}, async (dir) => {
    const sed = spawnSync('sh', ['-c', 'command -v sed'], { encoding: 'utf8' }).stdout.trim();
    const slow = `#!/bin/sh\ncase $* in *Warning*) sleep 0.5 ;; esac\nexec ${sed} "$@"\n`;
    writeFileSync(join(dir, 'sed'), slow, { mode: 0o755 });
    const env = {
      ...process.env,
      PATH: `${dir}:${process.env.PATH}`,
      NODE: process.execPath,
      PROGRAM: program(ALL.join('')),
    };
    const script = '("$NODE" --input-type=module --eval "$PROGRAM"; echo last) 2>&1';
    assert.is(spawnSync('sh', ['-c', script], { env, encoding: 'latin1' }).stdout, `${LEFT}last\n`);
  }));

test('what this program itself says comes in its place, and all of it', () => {
  const rest = "process.stderr.write('said\\n'); writeSync(2, 'more\\n'); process.exitCode = 7;";
  const run = spawnSync(process.execPath, argv(NOISE[0], rest), { encoding: 'utf8' });
  assert.is(run.stderr, 'said\nmore\n');
  assert.is(run.status, 7);
});

test('a crash loses nothing and is the crash that it was', () => {
  for (const signal of ['SIGSEGV', 'SIGABRT', 'SIGKILL'] as const) {
    const crash = `process.kill(process.pid, '${signal}'); await new Promise(() => setTimeout(() => {}, 60_000));`;
    const run = spawnSync(process.execPath, argv(ALL.join(''), crash), { encoding: 'latin1' });
    assert.is(run.stderr, LEFT);
    assert.is(run.signal, signal);
  }
});

test('a signal to the whole group ends the program alone, which can still say why', async () => {
  const rest = `
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'])
      process.on(name, () => { process.stderr.write(name + '\\n'); if (name === 'SIGHUP') clearInterval(wait); });
    const wait = setInterval(() => {}, 1000);
    console.log('ready');
    await new Promise((resolve) => process.on('SIGHUP', resolve));`;
  const child = spawn(process.execPath, argv('', rest), { stdio: 'pipe', detached: true });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  const closed = once(child, 'close');
  const silent = once(child.stderr, 'end').then(() => true);
  await once(child.stdout, 'data');
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.kill(-(child.pid as number), name);
    while (!err.includes(name)) {
      if (await Promise.race([silent, once(child.stderr, 'data').then(() => false)])) child.kill('SIGKILL');
      if (child.killed) break;
    }
  }
  assert.equal(await closed, [0, null]);
  assert.is(err, 'SIGINT\nSIGTERM\nSIGHUP\n');
});

test('a terminal stays one', () => {
  const rest =
    "process.stderr.write('terminal ' + process.stderr.isTTY + ' ' + process.stderr.columns + '\\n');";
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program(ALL.join(''), rest) };
  const node = 'stty cols 70; "$NODE" --input-type=module --eval "$PROGRAM"';
  const run = spawnSync('script', ['-qec', node, '/dev/null'], { env, encoding: 'latin1', input: '' });
  const shown = run.stdout.replaceAll('\r\n', '\n');
  assert.match(shown, /terminal true 70\n/);
  assert.is(shown.replace('terminal true 70\n', ''), LEFT);
});

test('where what it takes is missing, nothing is hidden and nothing lost', () =>
  withFolder({}, async (dir) => {
    for (const there of [[], ['sh'], ['sh', 'sed'], ['sh', 'mkfifo']]) {
      const PATH = join(dir, there.join('-') || 'nothing');
      mkdirSync(PATH);
      for (const name of there) {
        const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
        symlinkSync(stdout.trim(), join(PATH, name));
      }
      const run = spawnSync(process.execPath, argv(ALL.join('')), {
        encoding: 'latin1',
        env: { ...process.env, PATH },
      });
      assert.is(run.stderr, ALL.join(''), there.join());
    }
  }));

if (process.platform === 'linux') test.run();
