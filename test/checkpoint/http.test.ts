import * as assert from 'uvu/assert';
import { CheckpointError, FetchError, OptionError, OutOfMemoryError } from '../../src/base/errors.ts';
import { Address } from '../../src/checkpoint/http/address.ts';
import { PIECE } from '../../src/checkpoint/http/remote-file.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { readBytes } from '../../src/checkpoint/source.ts';
import { withCaches } from '../support/caches.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';
import { WebServer, withServer } from '../support/web-server.ts';

/** Of several pieces, the last one short. */
const LARGE = Uint8Array.from({ length: 2 * PIECE + 5000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const SMALL = new TextEncoder().encode('{"a": 1}');

/** A place with a large file `l` and a small one `s`. */
const withFiles = (use: (server: WebServer) => Promise<void>) =>
  withServer({ 'm/l': LARGE, 'm/s': SMALL }, use);
const at = (server: WebServer, path = 'm') => new URL(path, server.url);

/** All tensors of a model, end to end. */
async function tensorsOf(folder: ModelFolder): Promise<Uint8Array> {
  const tensors = [...folder.tensors.values()];
  const bytes = new Uint8Array(tensors.reduce((n, { begin, end }) => n + end - begin, 0));
  let done = 0;
  for (const tensor of tensors) {
    await folder.readInto(tensor, 0, bytes.subarray(done, done + tensor.end - tensor.begin));
    done += tensor.end - tensor.begin;
  }
  return bytes;
}

for (const dir of ['models/abacus', 'test/fixtures/golden/qwen2-sharded']) {
  for (const way of ['by ranges', 'whole']) {
    test(`a model is the same over HTTP as on the disk, ${way}: ${dir}`, () =>
      withServer({}, async (server) => {
        server.add('m/', dir);
        if (way === 'whole') server.fault = () => ({ whole: true });
        const here = await ModelFolder.open(dir);
        const told: number[][] = [];
        const files = new Address(at(server), { onFetch: (...counts) => told.push(counts) });
        const there = await ModelFolder.open(files);
        assert.equal(there.config, here.config);
        assert.equal([...there.tensors.keys()], [...here.tensors.keys()]);
        assert.is(Buffer.compare(await tensorsOf(there), await tensorsOf(here)), 0);
        const text = 'Mia has 28 coins.';
        assert.equal(there.tokenizer?.encode(text), here.tokenizer?.encode(text));
        await Promise.all([here.close(), there.close()]);
        const [fetched, total] = told.at(-1) as number[];
        assert.is(fetched, total);
        assert.ok(total > here.tensors.size, `${total}`);
        const said = files.warnings.filter((warning) =>
          /no Range requests, .* downloaded whole, into memory/.test(warning),
        );
        assert.is(said.length, way === 'whole' ? 1 : 0, `${files.warnings}`);
      }));
  }
}

for (const name of ['gptq-rows', 'packed-mixed']) {
  test(`weights stored as codes are the same over HTTP as on the disk: ${name}`, () =>
    withServer({}, async (server) => {
      const dir = `test/fixtures/quantized/${name}`;
      server.add('m/', dir);
      const here = await ModelFolder.open(dir);
      const there = await ModelFolder.open(new Address(at(server)));
      assert.ok(here.quantized.size > 0);
      assert.equal([...there.quantized.keys()], [...here.quantized.keys()]);
      for (const [weight, matrix] of here.quantized)
        assert.equal(await there.quantized.get(weight)?.read(), await matrix.read(), weight);
      assert.equal([...there.tensors.keys()], [...here.tensors.keys()]);
      await Promise.all([here.close(), there.close()]);
    }));
}

test('a large file comes in pieces, each once, and any part of it can be read', () =>
  withFiles(async (server) => {
    const file = await new Address(at(server)).open('l');
    assert.ok(file);
    assert.is(file.size, LARGE.length);
    for (const [from, length] of [
      [0, 100],
      [(1 << 16) - 5, 10],
      [PIECE - 7, 20],
      [2 * PIECE - 1, 5001],
      [PIECE - 1, PIECE + 2],
      [LARGE.length - 3, 10],
      [LARGE.length, 4],
      [LARGE.length + 9, 4],
    ]) {
      const target = new Uint8Array(length);
      const read = await file.read(from, target);
      assert.is(read, Math.max(0, Math.min(length, LARGE.length - from)), `${from}`);
      assert.equal(target.subarray(0, read), LARGE.subarray(from, from + read), `${from}`);
    }
    const asked = server.requests.map(({ range }) => range);
    assert.equal(asked.sort(), [
      'bytes=0-65535',
      `bytes=0-${PIECE - 1}`,
      `bytes=${2 * PIECE}-${LARGE.length - 1}`,
      `bytes=${PIECE}-${2 * PIECE - 1}`,
    ]);
  }));

test('a server that hides what a range is of, as it may from a page of another origin, is asked for all', () =>
  withFiles(async (server) => {
    server.fault = () => ({ without: ['content-range', 'etag'] });
    const files = new Address(at(server));
    assert.is(Buffer.compare((await readBytes(files, 'l')) as Uint8Array, LARGE), 0);
    assert.equal(await readBytes(files, 's'), SMALL);
    assert.is(server.requests.length, 3);
  }));

test('files that are not there, empty files and pointers', () =>
  withFiles(async (server) => {
    server.files['m/empty'] = new Uint8Array();
    server.files['m/pointer'] = new TextEncoder().encode(
      'version https://git-lfs.github.com/spec/v1\noid sha256:0',
    );
    const files = new Address(at(server));
    assert.is(await files.open('none'), undefined);
    assert.is(files.why('none'), ': the server answers HTTP 404');
    assert.equal(await readBytes(files, 'empty'), new Uint8Array());
    await failure(CheckpointError, /m\/pointer: is a Git LFS pointer/, () => files.open('pointer'));
  }));

test('a page in place of a file means that there is none, and is said where it is needed', () =>
  withServer({}, async (server) => {
    server.page = '<!doctype html><title>My app</title>';
    const none = new Address(at(server));
    await failure(
      CheckpointError,
      /m\/config\.json: the file is missing: the server sends a page \(HTML\)/,
      () => ModelFolder.open(none),
    );
    // Some send it to browsers alone: what asks for no page gets none.
    assert.ok(server.requests.every(({ accept }) => accept && !/html|\*\/\*/.test(accept)));
    server.add('m/', 'models/abacus');
    await (await ModelFolder.open(new Address(at(server)))).close(); // whose optional files are such pages
    delete server.files['m/model.safetensors'];
    await failure(CheckpointError, /neither model\.safetensors nor .*: the server sends a page/, () =>
      ModelFolder.open(new Address(at(server))),
    );
  }));

test('a file that changes while it is read is noticed: by its etag, its length, or since it is gone', () =>
  withFiles(async (server) => {
    for (const change of [
      () => Object.assign(server.etags, { 'm/l': '"new"' }),
      () => Object.assign(server.files, { 'm/l': LARGE.subarray(0, LARGE.length - 1) }),
      () => Object.assign(server.files, { 'm/l': LARGE.subarray(0, 1000) }),
      () => delete server.files['m/l'],
    ]) {
      Object.assign(server.files, { 'm/l': LARGE });
      Object.assign(server.etags, { 'm/l': '"old"' });
      const file = await new Address(at(server)).open('l');
      assert.ok(file);
      await file.read(0, new Uint8Array(PIECE));
      change();
      const error = await failure(
        FetchError,
        /the file has changed while it was being read.*: load the model anew/,
        () => file.read(LARGE.length - 10, new Uint8Array(10)),
      );
      assert.is(error.url, new URL('m/l', server.url).href);
    }
  }));

test('an etag that only tells of packing is the same one', () =>
  withFiles(async (server) => {
    server.etags['m/l'] = '"old"';
    const file = await new Address(at(server)).open('l');
    server.etags['m/l'] = 'W/"old-gzip"';
    assert.is(await file?.read(PIECE, new Uint8Array(10)), 10);
  }));

test('a connection that ends is tried again, three times in all, and nothing is counted twice', () =>
  withFiles(async (server) => {
    let cuts = 0;
    server.fault = ({ range }) =>
      range === `bytes=0-${PIECE - 1}` && cuts++ < 2 ? { cutAfter: 1 << 20 } : undefined;
    let last: number[] = [];
    const files = new Address(at(server), { onFetch: (...counts) => (last = counts) });
    assert.is(Buffer.compare((await readBytes(files, 'l')) as Uint8Array, LARGE), 0);
    assert.equal(last, [LARGE.length, LARGE.length]);
    assert.is(cuts, 3);
    server.fault = () => ({ cutAfter: 3 });
    await failure(FetchError, /m\/s: cannot be fetched \(.*\): check the address and the connection$/, () =>
      new Address(at(server)).open('s'),
    );
    server.fault = () => ({ status: 503 });
    const busy = await failure(FetchError, /m\/s: the server answers HTTP 503/, () =>
      new Address(at(server)).open('s'),
    );
    assert.is(busy.status, 503);
  }));

test('a page that may not read what is elsewhere is told of CORS', async () => {
  const gone = await WebServer.open();
  const url = at(gone);
  await gone.close();
  const before = Object.getOwnPropertyDescriptor(globalThis, 'location');
  Object.defineProperty(globalThis, 'location', { value: { origin: 'https://a.org' }, configurable: true });
  try {
    await failure(
      FetchError,
      /m\/s: cannot be fetched .*; a server other than https:\/\/a\.org must allow .*\(CORS\)$/,
      () => new Address(url).open('s'),
    );
  } finally {
    if (before) Object.defineProperty(globalThis, 'location', before);
    else Reflect.deleteProperty(globalThis, 'location');
  }
});

test('who may not read a file is told so, and at once', () =>
  withFiles(async (server) => {
    server.fault = () => ({ status: 403 });
    const error = await failure(FetchError, /HTTP 403: it lets only some read this/, () =>
      new Address(at(server)).open('s'),
    );
    assert.is(error.status, 403);
    assert.is(server.requests.length, 1);
  }));

test('the signal stops it', () =>
  withFiles(async (server) => {
    const stop = new AbortController();
    const file = await new Address(at(server), { signal: stop.signal }).open('l');
    stop.abort(new Error('enough'));
    await failure(Error, /^enough$/, () => file?.read(PIECE, new Uint8Array(10)));
  }));

test('only addresses of the web are taken; a query stays where it is', () =>
  withServer({ 'm/s': SMALL }, async (server) => {
    assert.throws(
      () => new Address(new URL('file:///m')),
      (error: Error) => error instanceof OptionError,
    );
    const files = new Address(new URL('m?key=1', server.url));
    assert.equal(await readBytes(files, 's'), SMALL);
    assert.is(files.path('a b/ü'), `${server.url}m/a%20b/%C3%BC?key=1`);
  }));

test('what was fetched is kept, and not fetched again as long as it is the same', () =>
  withFiles((server) =>
    withCaches(async (caches) => {
      const fetched = async () => {
        server.requests.length = 0;
        let last: number[] = [];
        const files = new Address(at(server), { onFetch: (...counts) => (last = counts) });
        const file = await files.open('l');
        const bytes = new Uint8Array(LARGE.length);
        await file?.read(0, bytes);
        await file?.close();
        assert.is(Buffer.compare(bytes, server.files['m/l']), 0);
        assert.equal(last, [bytes.length, bytes.length]);
        assert.equal(
          files.warnings.filter((warning) => !/no Range/.test(warning)),
          [],
        );
        return server.requests.length;
      };
      assert.is(await fetched(), 4);
      assert.is(await fetched(), 1);
      server.files['m/l'] = LARGE.map((byte) => byte ^ 1);
      server.etags['m/l'] = '"other"';
      assert.is(await fetched(), 4);
      assert.is(caches.entries.size, 3);
      assert.is(await fetched(), 1);
      server.fault = () => ({ whole: true });
      assert.is(await fetched(), 1);
    }),
  ));

test('a server without ranges is left alone as well, once all is kept', () =>
  withFiles((server) =>
    withCaches(async (caches) => {
      server.fault = () => ({ whole: true });
      for (const warnings of [1, 0]) {
        const files = new Address(at(server));
        const file = await files.open('l');
        const bytes = new Uint8Array(LARGE.length);
        await file?.read(0, bytes);
        await file?.close();
        assert.is(Buffer.compare(bytes, LARGE), 0);
        assert.is(files.warnings.length, warnings);
      }
      assert.is(caches.entries.size, 3);
    }),
  ));

test('a storage that is full, or fails, is said once and stops nothing', () =>
  withFiles((server) =>
    withCaches(async (caches) => {
      for (const name of ['QuotaExceededError', 'UnknownError']) {
        caches.entries.clear();
        caches.refuse = (n) => (n > 1 ? new DOMException('no more', name) : undefined);
        const files = new Address(at(server));
        const file = await files.open('l');
        const bytes = new Uint8Array(LARGE.length);
        await file?.read(0, bytes);
        await file?.close();
        assert.is(Buffer.compare(bytes, LARGE), 0);
        assert.is(files.warnings.length, 1);
        const why = name === 'UnknownError' ? /fails \(UnknownError: no more\)/ : /is full/;
        assert.match(files.warnings[0], why);
        assert.match(files.warnings[0], /not all of the model is kept/);
        assert.is(caches.entries.size, 1);
      }
    }),
  ));

test('a file without ranges that memory has no room for is refused', () =>
  withFiles(async (server) => {
    const real = globalThis.fetch;
    globalThis.fetch = async (...args) => {
      const answer = await real(...args);
      return new Response(answer.body, { headers: { 'content-length': String(2 ** 52) } });
    };
    try {
      const needs = /needs 4503599627370496 bytes.*a server with Range requests sends it in pieces/;
      await failure(OutOfMemoryError, needs, () => new Address(at(server)).open('l'));
    } finally {
      globalThis.fetch = real;
    }
  }));

test.run();
