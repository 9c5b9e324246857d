import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { checkFits } from '../../src/api/fits.ts';
import { loadModel } from '../../src/api/load-model.ts';
import { ANY_GPU, MemoryPlan } from '../../src/api/memory.ts';
import { loadDefaults } from '../../src/api/model-defaults.ts';
import { AdapterError, OutOfMemoryError } from '../../src/base/errors.ts';
import { findModel } from '../../src/hub/find.ts';
import type { RemoteModel } from '../../src/hub/remote-model.ts';
import { COMMIT, smallModel } from '../hub/model.ts';
import { inProcess, program } from '../support/cli.ts';
import { failure } from '../support/folder.ts';
import { withHub } from '../support/hub-server.ts';
import { SHAPE } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

const GREEDY = ['--sampler', 'greedy', '--max-new-tokens', '3', '--prompt-tokens', '2,3'];

test('info looks at a model on the Hub without fetching it', () =>
  withHub({ 'org/m': smallModel(2) }, async (hub, home) => {
    const { code, out, err } = await inProcess(['info', '--model', 'org/m', '--memory', '0.5']);
    assert.is(code, 0, err);
    for (const line of [
      /^model +org\/m@main$/m,
      /^ {2}commit +a{40}$/m,
      /^ {2}download +org\/m@main: [\d.]+ kB to fetch into .*hub, where [\d.]+ [GT]B are free$/m,
      /^ {2}hiddenSize +48$/m,
      /^parameters +\d+, [\d.]+ kB as stored$/m,
      /^tokenizer +none: token ids only$/m,
      /^memory +[\d.]+ MB$/m,
      /^ {2}weights +[\d.]+ kB$/m,
      /^ {2}cache +[\d.]+ MB for 16384 positions, \d+ B of keys and values each$/m,
      /^ {2}scratch +[\d.]+ MB of activations, for contexts of up to 512 positions$/m,
      /^fits 500 MB +\d+ positions in the cache: \d+ chains of \d+ tokens behind a prompt of 256$/m,
    ])
      assert.match(out, line);
    assert.match(err, /^adapter: .*\n$/);
    assert.ok(hub.sentOf(/safetensors$/) < 10_000);
    assert.equal(readdirSync(home), []);
  }));

test('generate says what it fetches, and how large that is', () =>
  withHub({ 'org/m': smallModel() }, async () => {
    const first = await inProcess(['generate', '--model', 'org/m', ...GREEDY]);
    assert.is(first.code, 0, first.err);
    assert.match(first.out, /^\d+(,\d+)*\n$/);
    const lines = first.err.trimEnd().split('\n');
    for (const [i, line] of [
      /^adapter: \S/,
      /^egps: org\/m@main: [\d.]+ kB to fetch into .*, where .* are free$/,
      /^egps: it takes [\d.]+ MB of memory with a cache of 16384 positions; /,
      /^egps: fetched [\d.]+ kB in [\d.]+ s, [\d.]+ [kM]B\/s$/,
    ].entries())
      assert.match(lines[i], line);
    assert.not.match(lines.slice(1).join('\n'), /^adapter: /m);
  }));

test('an adapter that is not to be had is refused before the weights are fetched', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const adapter = 'no such adapter';
    const { code, err } = await inProcess(['generate', '--model', 'org/m', ...GREEDY, '--adapter', adapter]);
    assert.is(code, 1);
    assert.match(err, /^egps: no adapter has "no such adapter" in its name.*\n$/);
    await failure(AdapterError, /no such adapter/, () => loadModel('org/m', { adapter }));
    assert.ok(hub.sentOf(/safetensors$/) < 10_000);
  }));

test('a model that cannot fit is refused before its weights are fetched', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const { description } = (await findModel('org/m')) as RemoteModel;
    const load = () => loadModel('org/m', { cachePositions: 2 ** 31 });
    const error = await failure(OutOfMemoryError, /2147483648 positions.* needs \d+ bytes/, load);
    assert.ok(error.needed > Number(error.available));
    const cpu = { ...ANY_GPU, cpu: true };
    const { total } = (await MemoryPlan.of(description.config, description, cpu)).at();
    await checkFits(description, cpu, {}, total);
    const message =
      /the model with a cache of 16384 positions needs \d+ bytes, \d+ are available; ask for fewer/;
    await failure(OutOfMemoryError, message, () => checkFits(description, cpu, {}, total - 1));
    assert.ok(hub.sentOf(/safetensors$/) < 10_000);

    const model = await loadModel('org/m');
    const plan = (await MemoryPlan.of(description.config, description, model.adapter)).at();
    const { weights, cache, scratch } = plan;
    model.dispose();
    assert.equal({ weights, cache, scratch }, model.memory, 'what was told before is taken');
  }));

test('what calibrate finds out leaves the snapshot as it is, and counts for its commit', () =>
  withHub({ 'org/m': smallModel() }, async (hub, home) => {
    const prompts = join(home, 'prompts.jsonl');
    writeFileSync(prompts, '[2,3]\n');
    const argv = ['calibrate', '--model', 'org/m', '--prompts', prompts, '--samples', '4'];
    const { code, err } = await inProcess([...argv, '--max-new-tokens', '16']);
    assert.is(code, 0, err);
    const folder = join(home, 'hub', 'models--org--m');
    const written = join(folder, 'egps', `${COMMIT}.json`);
    assert.ok(err.includes(`Written to ${written}.\n`), err);
    const { gate, blockSize } = JSON.parse(readFileSync(written, 'utf8'));
    assert.equal(readdirSync(join(folder, 'snapshots', COMMIT)), ['config.json', 'model.safetensors']);
    assert.equal(await loadDefaults(join(folder, 'snapshots', COMMIT)), { gate, blockSize });
    hub.models['org/m'] = { ...hub.models['org/m'], commit: 'b'.repeat(40) };
    const model = await loadModel('org/m');
    model.dispose();
    assert.equal(model.defaults, {});
  }));

test('an interrupt ends a download with 130, and what has come is kept', () =>
  withHub({ 'org/m': smallModel() }, async (hub, home) => {
    let pid = 0;
    hub.fault = ({ host, headers }) =>
      host === 'storage' && !headers.range ? { stopAfter: 40_000 } : undefined;
    hub.onSent = () =>
      hub.sentOf(/safetensors$/) > 40_000 && setTimeout(() => process.kill(pid, 'SIGINT'), 300);
    const started = (child: number) => {
      pid = child;
    };
    const run = await program(['generate', '--model', 'org/m', ...GREEDY], { started });
    assert.is(run.code, 130, run.err);
    assert.is(run.out, '');
    const blobs = readdirSync(join(home, 'hub', 'models--org--m', 'blobs'));
    assert.is(blobs.filter((name) => name.endsWith('.incomplete')).length, 1);
    assert.equal(readdirSync(join(home, 'hub', '.locks', 'models--org--m', 'lock')), []);
  }));

test('a name is wrong in one line; a folder of the same name is taken, and that is said', () =>
  withHub({}, async (_, home) => {
    const wrong = await inProcess(['score', '--model', 'a/b/c', '--tokens', '1,2']);
    assert.is(wrong.code, 2);
    assert.is(
      wrong.err,
      'egps: "a/b/c" is no folder here, and as the name of a model on the Hub it has more than one "/": NAMESPACE/NAME\n',
    );
    mkdirSync(join(home, 'org', 'm'), { recursive: true });
    const folder = await program(['score', '--model', 'org/m', '--tokens', '1,2'], { cwd: home });
    assert.is(folder.code, 1);
    assert.match(
      folder.err,
      /^egps: warning: org\/m is taken as the folder .*\negps: org\/m\/config\.json: the file is missing\n$/,
    );
    randomCheckpoint(join(home, 'org', 'm'), SHAPE, 1, 'BF16');
    for (const argv of [
      ['score', '--model', 'org/m', '--tokens', '1,2'],
      ['info', '--model', 'org/m'],
    ]) {
      const { err } = await program(argv, { cwd: home });
      assert.match(err, /^adapter: .*\negps: warning: org\/m is taken as the folder .*\n/);
    }
  }));

test.run();
