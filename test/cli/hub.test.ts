import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { smallModel } from '../hub/model.ts';
import { withHub } from '../support/hub-server.ts';
import { test } from '../support/suite.ts';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

interface Run {
  code: number | null;
  out: string;
  err: string;
}

/** Runs `egps` in the environment of the test. */
function egps(argv: string[], cwd?: string, started?: (pid: number) => void): Promise<Run> {
  const child = spawn(process.execPath, [main, ...argv], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const run: Run = { code: null, out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    run.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    run.err += text;
  });
  started?.(child.pid ?? 0);
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ ...run, code }));
  });
}

const GREEDY = ['--sampler', 'greedy', '--max-new-tokens', '3', '--prompt-tokens', '2,3'];

test('info looks at a model on the Hub without fetching it', () =>
  withHub({ 'org/m': smallModel(2) }, async (hub, home) => {
    const { code, out, err } = await egps(['info', '--model', 'org/m', '--memory', '0.5']);
    assert.is(code, 0, err);
    for (const line of [
      /^model +org\/m@main$/m,
      /^ {2}commit +a{40}$/m,
      /^ {2}download +org\/m@main: [\d.]+ kB to fetch into .*hub, where [\d.]+ [GT]B are free$/m,
      /^ {2}hiddenSize +64$/m,
      /^parameters +\d+, [\d.]+ kB as stored$/m,
      /^tokenizer +none: token ids only$/m,
      /^memory +[\d.]+ MB$/m,
      /^ {2}weights +[\d.]+ kB$/m,
      /^ {2}cache +[\d.]+ MB for 16384 positions, \d+ B of keys and values each$/m,
      /^ {2}scratch +[\d.]+ MB of activations, for contexts of up to 512 positions$/m,
      /^fits 500 MB +\d+ positions in the cache: \d+ chains of \d+ tokens behind a prompt of 256$/m,
    ])
      assert.match(out, line);
    assert.ok(hub.sentOf(/safetensors$/) < 10_000);
    assert.equal(readdirSync(home), []);
  }));

test('generate says what it fetches, and how large that is', () =>
  withHub({ 'org/m': smallModel() }, async () => {
    const first = await egps(['generate', '--model', 'org/m', ...GREEDY]);
    assert.is(first.code, 0, first.err);
    assert.match(first.out, /^\d+(,\d+)*\n$/);
    assert.match(first.err, /^egps: org\/m@main: [\d.]+ kB to fetch into .*, where .* are free$/m);
    assert.match(first.err, /^egps: it takes [\d.]+ MB of memory with a cache of 16384 positions; /m);
    assert.match(first.err, /^egps: fetched [\d.]+ kB in [\d.]+ s, [\d.]+ [kM]B\/s$/m);
  }));

test('an interrupt ends a download with 130, and what has come is kept', () =>
  withHub({ 'org/m': smallModel() }, async (hub, home) => {
    let pid = 0;
    hub.fault = ({ host, headers }) =>
      host === 'storage' && !headers.range ? { stopAfter: 40_000 } : undefined;
    hub.onSent = () =>
      hub.sentOf(/safetensors$/) > 40_000 && setTimeout(() => process.kill(pid, 'SIGINT'), 300);
    const run = await egps(['generate', '--model', 'org/m', ...GREEDY], undefined, (started) => {
      pid = started;
    });
    assert.is(run.code, 130, run.err);
    assert.is(run.out, '');
    const blobs = readdirSync(join(home, 'hub', 'models--org--m', 'blobs'));
    assert.is(blobs.filter((name) => name.endsWith('.incomplete')).length, 1);
    assert.equal(readdirSync(join(home, 'hub', '.locks', 'models--org--m', 'lock')), []);
  }));

test('a name is wrong in one line; a folder of the same name is taken, and that is said', () =>
  withHub({}, async (_, home) => {
    const wrong = await egps(['score', '--model', 'a/b/c', '--tokens', '1,2']);
    assert.is(wrong.code, 2);
    assert.is(
      wrong.err,
      'egps: "a/b/c" is no folder here, and as the name of a model on the Hub it has more than one "/": NAMESPACE/NAME\n',
    );
    mkdirSync(join(home, 'org', 'm'), { recursive: true });
    const folder = await egps(['score', '--model', 'org/m', '--tokens', '1,2'], home);
    assert.is(folder.code, 1);
    assert.match(
      folder.err,
      /^egps: warning: org\/m is taken as the folder .*\negps: org\/m\/config\.json: the file is missing\n$/,
    );
  }));

test.run();
