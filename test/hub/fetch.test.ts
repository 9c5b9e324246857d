import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CheckpointError, HubError } from '../../src/base/errors.ts';
import { ModelFolder, SMALL_FILES } from '../../src/checkpoint/model-folder.ts';
import type { QuantizedShape } from '../../src/checkpoint/quantized.ts';
import { findModel } from '../../src/hub/find.ts';
import { type FetchHooks, type LocalModel, RemoteModel } from '../../src/hub/remote-model.ts';
import { failure } from '../support/folder.ts';
import { etagOf, type HubServer, type Request, withHub } from '../support/hub-server.ts';
import { endOf } from '../support/process.ts';
import { QUANTIZED } from '../support/quantized.ts';
import { test } from '../support/suite.ts';
import { downloadWithKills } from './kills.ts';
import { COMMIT, smallModel } from './model.ts';

const WEIGHTS = /\.safetensors$/;
const bytesOf = (content: unknown) => Buffer.from(content as Uint8Array);

/** A model that has nothing to be fetched. */
async function local(model: string): Promise<LocalModel> {
  const found = await findModel(model);
  if (found instanceof RemoteModel) throw new Error(`${model} is not here`);
  return found;
}

/** Finds a model and fetches what is missing of it; the folder. */
async function fetched(model: string, hooks: FetchHooks = {}): Promise<string> {
  const found = await findModel(model, hooks.signal);
  return (found instanceof RemoteModel ? await found.fetch(hooks) : found).dir;
}

/** A request for weights up to their end. */
const isDownload = ({ host, file, headers }: Request) =>
  host === 'storage' && WEIGHTS.test(file) && !/-\d/.test(headers.range ?? '');
const downloads = ({ requests }: HubServer) => requests.filter(isDownload);

test('what is read is fetched and nothing else, and laid out as huggingface_hub does', () =>
  withHub({ 'org/m': smallModel(2) }, async (hub, home) => {
    const model = hub.models['org/m'];
    const seen: [number, number][] = [];
    const dir = await fetched('org/m', { onProgress: (...progress) => seen.push(progress) });
    const folder = join(home, 'hub', 'models--org--m');
    assert.is(dir, join(folder, 'snapshots', COMMIT));
    const paths = Object.keys(model.files).filter((path) => !/README|pytorch/.test(path));
    assert.equal(readdirSync(dir).sort(), paths.sort());
    for (const path of paths) {
      assert.ok(lstatSync(join(dir, path)).isSymbolicLink(), path);
      assert.equal(readFileSync(join(dir, path)), bytesOf(Buffer.from(model.files[path] as string)), path);
      const content = model.files[path];
      const etag = etagOf(path, typeof content === 'string' ? new TextEncoder().encode(content) : content);
      assert.ok(existsSync(join(folder, 'blobs', etag)), path);
    }
    assert.is(readdirSync(join(folder, 'blobs')).length, paths.length);
    assert.is(readFileSync(join(folder, 'refs', 'main'), 'utf8'), COMMIT);
    assert.ok(existsSync(join(folder, '.no_exist', COMMIT, 'tokenizer.json')));
    const [last, size] = seen[seen.length - 1];
    assert.is(last, size);
    assert.is(
      size,
      paths.reduce((n, path) => n + Buffer.from(model.files[path] as string).length, 0),
    );

    hub.requests.length = 0;
    assert.is(await fetched('org/m'), dir);
    assert.equal(
      hub.requests.map(({ method, file }) => `${method} ${file}`),
      ['HEAD config.json'],
    );
    assert.is(await fetched(`org/m@${COMMIT}`), dir);
    assert.is(hub.requests.length, 1, 'a commit does not change');
    process.env.HF_HUB_OFFLINE = '1';
    assert.is(await fetched('org/m'), dir);
    assert.is(hub.requests.length, 1);
  }));

test('before it is fetched a model is known by its headers, and nothing is kept', () =>
  withHub({ 'org/m': smallModel(2) }, async (hub, home) => {
    const found = await findModel('org/m');
    assert.instance(found, RemoteModel);
    const { description, missing, begun } = found as RemoteModel;
    assert.is(description.config.hiddenSize, 48);
    assert.is(description.tensors.size > 20, true);
    assert.is(begun, 0);
    const { size } = hub.models['org/m'] as ReturnType<typeof smallModel>;
    assert.ok(missing > size && missing < size + 10_000);
    assert.ok(hub.sentOf(WEIGHTS) < 10_000, `${hub.sentOf(WEIGHTS)} bytes`);
    assert.equal(readdirSync(home), []);
  }));

test('a quantised model is known by its headers as it is by its folder', async () => {
  for (const name of ['gptq-v2-mixed', 'gptq-rows']) {
    const dir = `${QUANTIZED}/${name}`;
    const files = Object.fromEntries(
      readdirSync(dir)
        .filter((file) => !file.startsWith('expected'))
        .map((file) => [file, readFileSync(join(dir, file))]),
    );
    await withHub({ 'org/q': { commit: COMMIT, files } }, async (hub) => {
      const found = await findModel('org/q');
      assert.instance(found, RemoteModel);
      const { quantized, tensors } = (found as RemoteModel).description;
      const shapes = (map: ReadonlyMap<string, QuantizedShape>) =>
        Array.from(map, ([weight, shape]) => [weight, JSON.parse(JSON.stringify(shape))]);
      assert.ok(hub.sentOf(WEIGHTS) < 10_000, `${hub.sentOf(WEIGHTS)} bytes`);
      const folder = await ModelFolder.open(await fetched('org/q'));
      await folder.close();
      assert.equal(shapes(quantized), shapes(folder.quantized));
      assert.equal([...tensors.keys()], [...folder.tensors.keys()]);
    });
  }
});

test('a connection that is cut goes on where it was', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const { size } = hub.models['org/m'] as ReturnType<typeof smallModel>;
    let cuts = 0;
    hub.fault = (request) => (isDownload(request) && cuts++ < 7 ? { cutAfter: 10_000 } : undefined);
    const dir = await fetched('org/m');
    assert.equal(
      readFileSync(join(dir, 'model.safetensors')),
      hub.models['org/m'].files['model.safetensors'],
    );
    assert.is(downloads(hub).length, 8);
    assert.is(
      downloads(hub).reduce((n, { sent }) => n + sent, 0),
      size,
    );
  }));

test('an interrupted run is taken up by the next one', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const { size } = hub.models['org/m'] as ReturnType<typeof smallModel>;
    const interrupt = new AbortController();
    hub.fault = (request) => (isDownload(request) ? { stopAfter: 50_000 } : undefined);
    const onProgress = (bytes: number) => bytes > 50_000 && interrupt.abort(new Error('enough'));
    await failure(Error, /^enough$/, () => fetched('org/m', { signal: interrupt.signal, onProgress }));
    hub.fault = () => undefined;
    const found = (await findModel('org/m')) as RemoteModel;
    assert.ok(found.begun >= 50_000, `${found.begun} bytes are left`);
    const { dir } = await found.fetch();
    assert.equal(
      readFileSync(join(dir, 'model.safetensors')),
      hub.models['org/m'].files['model.safetensors'],
    );
    assert.is(
      downloads(hub).reduce((n, { sent }) => n + sent, 0),
      size,
    );
  }));

test('killed at random, a download is resumed, and little is sent twice', async () => {
  const { size, sent } = await downloadWithKills(8e6, 3, 8e6);
  assert.ok(sent < 1.2 * size, `${sent} bytes were sent of ${size}`);
});

test('a server that ignores ranges is read from the beginning', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    let asked = 0;
    hub.fault = (request) =>
      !isDownload(request) ? undefined : asked++ === 0 ? { cutAfter: 50_000 } : { whole: true };
    const seen: number[] = [];
    const dir = await fetched('org/m', { onProgress: (bytes) => seen.push(bytes) });
    assert.equal(
      readFileSync(join(dir, 'model.safetensors')),
      hub.models['org/m'].files['model.safetensors'],
    );
    assert.ok(
      seen.some((bytes, i) => bytes < seen[i - 1]),
      'the progress goes back',
    );
  }));

test('a file whose SHA-256 is wrong is not kept, and one whose beginning was damaged is fetched anew', () =>
  withHub({ 'org/m': smallModel() }, async (hub, home) => {
    const blobs = join(home, 'hub', 'models--org--m', 'blobs');
    hub.fault = (request) => (isDownload(request) ? { corrupt: true } : undefined);
    await failure(HubError, /SHA-256 of model\.safetensors as it came is [0-9a-f]{64}, the Hub says/, () =>
      fetched('org/m'),
    );
    assert.is(downloads(hub).length, 1);
    const content = hub.models['org/m'].files['model.safetensors'] as Uint8Array;
    const etag = etagOf('model.safetensors', content);
    assert.equal(
      readdirSync(blobs).filter((name) => name.startsWith(etag)),
      [],
    );
    hub.fault = () => undefined;
    writeFileSync(join(blobs, `${etag}.egps.incomplete`), new Uint8Array(1000));
    const dir = await fetched('org/m');
    assert.equal(readFileSync(join(dir, 'model.safetensors')), content);
    assert.is(downloads(hub).length, 3);
  }));

test('two processes fetch a model once', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const { size } = hub.models['org/m'] as ReturnType<typeof smallModel>;
    hub.rate = size; // a second
    const script = `const { findModel } = await import(process.argv[1]);
      const found = await findModel('org/m');
      console.log(found.dir ?? (await found.fetch({ onWait: console.error })).dir);`;
    const module = new URL('../../src/hub/find.js', import.meta.url).href;
    const run = () => endOf(spawn(process.execPath, ['--input-type=module', '-e', script, module]));
    const [a, b] = await Promise.all([run(), run()]);
    assert.match(a.out, new RegExp(`${COMMIT}\n$`), a.err);
    assert.is(b.out, a.out, b.err);
    assert.is(
      downloads(hub).reduce((n, { sent }) => n + sent, 0),
      size,
    );
    assert.match(a.err + b.err, /process \d+ on .* is writing to this folder/);
  }));

test('a commit that comes later shares what has not changed', () =>
  withHub({ 'org/m': smallModel() }, async (hub, home) => {
    const first = await fetched('org/m');
    hub.requests.length = 0;
    const files = { ...hub.models['org/m'].files, 'generation_config.json': '{}' };
    hub.models['org/m'] = { commit: 'b'.repeat(40), files };
    const second = await fetched('org/m');
    assert.not.equal(second, first);
    assert.equal(readdirSync(second).sort(), ['config.json', 'generation_config.json', 'model.safetensors']);
    assert.equal(downloads(hub), []);
    assert.is(readFileSync(join(home, 'hub', 'models--org--m', 'refs', 'main'), 'utf8'), 'b'.repeat(40));
    assert.is(await fetched(`org/m@${COMMIT}`), first);
  }));

test('without links the snapshot holds the files', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    process.env.HF_HUB_DISABLE_SYMLINKS = '1';
    const dir = await fetched('org/m');
    for (const path of readdirSync(dir)) assert.ok(lstatSync(join(dir, path)).isFile(), path);
    assert.equal(
      readFileSync(join(dir, 'model.safetensors')),
      hub.models['org/m'].files['model.safetensors'],
    );
    hub.requests.length = 0;
    await fetched('org/m');
    assert.is(hub.requests.length, 1);
  }));

test('a cache that is a link, and contents in a store that models share, are followed; links out of the cache are not', () =>
  withHub({ 'org/m': smallModel() }, async (_, home) => {
    const dir = await fetched('org/m');
    const store = join(home, 'hub', 'blobs', 'ab');
    mkdirSync(store, { recursive: true });
    const blobs = join(home, 'hub', 'models--org--m', 'blobs');
    const blob = readdirSync(blobs).find((name) => name.length === 64) as string;
    renameSync(join(blobs, blob), join(store, 'content'));
    symlinkSync('../../blobs/ab/content', join(blobs, blob));
    renameSync(join(home, 'hub'), join(home, 'elsewhere'));
    symlinkSync(join(home, 'elsewhere'), join(home, 'hub'));
    assert.is(await fetched('org/m'), dir);

    const outside = join(home, 'outside');
    renameSync(join(home, 'elsewhere', 'blobs', 'ab', 'content'), outside);
    rmSync(join(blobs, blob));
    symlinkSync(outside, join(blobs, blob));
    const message = /model\.safetensors: leads out of the cache .*, to .*outside/;
    await failure(CheckpointError, message, () => fetched('org/m'));
    rmSync(join(home, 'elsewhere', 'models--org--m', 'snapshots'), { recursive: true });
    await failure(CheckpointError, /blobs.*: leads out of the cache/, () => fetched('org/m'));
    rmSync(join(home, 'elsewhere', 'models--org--m'), { recursive: true });
    mkdirSync(join(home, 'taken'));
    symlinkSync(join(home, 'taken'), join(home, 'elsewhere', 'models--org--m'));
    await failure(CheckpointError, /models--org--m.*: leads out of the cache/, () => fetched('org/m'));
    assert.equal(readdirSync(join(home, 'taken')), []);
  }));

test('offline the cache is all there is, and what it lacks is named', () =>
  withHub({ 'org/m': smallModel(2) }, async (hub, home) => {
    process.env.HF_HUB_OFFLINE = '1';
    const missing = (what: RegExp) => failure(HubError, what, () => fetched('org/m'));
    const none = await missing(
      /HF_HUB_OFFLINE is set, and the cache .* lacks config\.json, model\.safetensors \(or/,
    );
    assert.is(none.missing.length, 2);
    assert.equal(hub.requests, []);
    delete process.env.HF_HUB_OFFLINE;
    const dir = await fetched('org/m');
    process.env.HF_HUB_OFFLINE = '1';
    rmSync(join(dir, 'model-00002-of-00002.safetensors'));
    const one = await missing(/lacks model-00002-of-00002\.safetensors: unset it/);
    assert.equal(one.missing, ['model-00002-of-00002.safetensors']);
    rmSync(join(home, 'hub', 'models--org--m', 'refs'), { recursive: true });
    await missing(/lacks config\.json/);
  }));

test('a Hub that is down is told of, and what is in the cache is used', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const dir = await fetched('org/m');
    for (const status of [503, 401, 0]) {
      hub.fault = () => ({ status });
      if (status === 0) process.env.HF_ENDPOINT = 'http://127.0.0.1:9';
      const found = await local('org/m');
      assert.is(found.dir, dir);
      assert.match(found.warnings[0], /^org\/m@main: .*; what is in the cache is used$/);
    }
  }));

test('a folder comes before the model of its name, and that is said', () =>
  withHub({ 'org/m': smallModel() }, async (hub, home) => {
    const cwd = process.cwd();
    process.chdir(home);
    try {
      mkdirSync('org/m', { recursive: true });
      const { dir, warnings } = await local('org/m');
      assert.is(dir, 'org/m');
      assert.match(
        warnings[0],
        /^org\/m is taken as the folder .*: \.\/org\/m says so .*, org\/m@main is the model/,
      );
      assert.equal((await local('./org/m')).warnings, []);
      assert.equal(hub.requests, []);
      assert.instance(await findModel('org/m@main'), RemoteModel);
    } finally {
      process.chdir(cwd);
    }
  }));

test('every small file that is read of a folder is fetched', () => {
  const sources = (readdirSync('src/checkpoint', { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `src/checkpoint/${file}`);
  const read = [...sources, 'src/api/model-defaults.ts'].flatMap((file) =>
    Array.from(readFileSync(file, 'utf8').matchAll(/'([\w.]+\.(?:json|jinja))'/g), ([, name]) => name),
  );
  const known: readonly string[] = [...SMALL_FILES, 'model.safetensors.index.json'];
  assert.equal([...new Set(read)].sort(), [...known].sort());
});

test.run();
