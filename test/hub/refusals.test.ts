import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CheckpointError, HubError, OutputError, UnsupportedModelError } from '../../src/base/errors.ts';
import { findModel } from '../../src/hub/find.ts';
import { RemoteModel } from '../../src/hub/remote-model.ts';
import { Repository } from '../../src/hub/repository.ts';
import { readSettings } from '../../src/hub/settings.ts';
import { failure } from '../support/folder.ts';
import { etagOf, type Fault, type HubModel, type Request, TOKEN, withHub } from '../support/hub-server.ts';
import { withHeader } from '../support/safetensors-bytes.ts';
import { test } from '../support/suite.ts';
import { smallModel } from './model.ts';

async function fetched(model: string): Promise<string> {
  const found = await findModel(model);
  return (found instanceof RemoteModel ? await found.fetch() : found).dir;
}

const refused = (model: string, message: RegExp, status?: number) =>
  failure(HubError, message, () => fetched(model)).then((error) =>
    assert.is(error.status, status, error.message),
  );

test('what the Hub refuses is told with what to do', () =>
  withHub(
    {
      'org/m': smallModel(),
      'org/gated': { ...smallModel(), gated: true },
      'org/private': { ...smallModel(), private: true },
      'org/gguf': { ...smallModel(), files: { 'm.gguf': 'x' } },
      'org/bin': {
        ...smallModel(),
        files: { 'config.json': smallModel().files['config.json'], 'pytorch_model.bin': 'x' },
      },
    },
    async (hub, home) => {
      await refused(
        'org/n',
        /org\/n@main: is no folder here and no model at .*: check the name, or .*HF_TOKEN is not set/,
        401,
      );
      await refused('org/private', /it is private and HF_TOKEN is not set \(HTTP 401\)/, 401);
      await refused(
        'org/gated',
        /is gated: accept its conditions at http.*\/org\/gated, and set HF_TOKEN to a token of that/,
        401,
      );
      await refused(
        'org/m@v2',
        /org\/m@v2: has no revision "v2": give a branch, a tag or a whole commit/,
        404,
      );
      await refused('org/gguf', /has no config\.json: it is no model in the format of transformers/);
      await refused('org/bin', /has neither model\.safetensors nor model\.safetensors\.index\.json/);
      process.env.HF_TOKEN = 'hf_wrong';
      await refused('org/m', /does not accept the token: renew HF_TOKEN/, 401);
      process.env.HF_TOKEN = TOKEN;
      await refused('org/n', /check the name, or HF_TOKEN is not allowed to read it \(HTTP 404\)/, 404);
      await refused(
        'org/gated',
        /is gated: accept its conditions at .*\/org\/gated, with the account that HF_TOKEN/,
        403,
      );
      assert.equal(readdirSync(home), [], 'nothing is left behind');
      assert.ok(existsSync(await fetched('org/private')));
      const sent = hub.requests.filter(({ host, headers }) => host === 'storage' && headers.authorization);
      assert.equal(sent, [], 'the token stays with the Hub');
    },
  ));

test('renamed models are found, and redirects end', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    hub.renamed['old/name'] = 'org/m';
    process.env.HF_TOKEN = TOKEN;
    assert.match(await fetched('old/name'), /models--old--name/);
    assert.ok(
      hub.requests.every(({ host, headers }) => (host === 'hub') === (headers.authorization !== undefined)),
    );
    hub.fault = ({ path }) => ({ status: 307, headers: { location: path } });
    await refused('org/m', /config\.json is redirected more than 10 times/);
    hub.fault = ({ method }) =>
      method === 'GET' ? { status: 302, headers: { location: 'file:///etc/passwd' } } : undefined;
    await refused('org/m', /redirects config\.json to file:, which is not safe/);
  }));

/** Every request for which `when` holds ends so, the first `times` of them. */
function failing(fault: Fault, times: number, when: (request: Request) => boolean = () => true) {
  let left = times;
  return (request: Request) => (when(request) && left-- > 0 ? fault : undefined);
}

test('a Hub that is busy or broken for a while is asked again, and not for ever', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    hub.fault = failing({ status: 429, headers: { 'retry-after': '1' } }, 1);
    await findModel('org/m');
    hub.fault = failing({ status: 503 }, 1);
    await findModel('org/m');
    hub.fault = () => ({ status: 429, headers: { 'retry-after': '3600' } });
    await refused('org/m', /has had too many requests: try again in 3600 s, or set HF_TOKEN/, 429);
    hub.fault = () => ({ status: 429, headers: { ratelimit: '"api";r=0;t=289' } });
    await refused('org/m', /try again in 289 s/, 429);
    hub.fault = () => ({ status: 403, headers: { 'x-error-message': 'Not for you' } });
    await refused('org/m', /access is refused: Not for you; see http/, 403);
  }));

test('a Hub that stays broken is given up', () =>
  withHub(
    { 'org/m': smallModel(), 'org/cut': smallModel(1, 2), 'org/odd': smallModel(1, 3) },
    async (hub) => {
      const of = (id: string) => {
        const weights = etagOf('model.safetensors', hub.models[id].files['model.safetensors'] as Uint8Array);
        return ({ path, headers }: Request) => path.includes(weights) && !/-\d/.test(headers.range ?? '');
      };
      const [isCut, isOdd] = [of('org/cut'), of('org/odd')];
      hub.fault = (request) => {
        if (isCut(request)) return { cutAfter: 0 };
        // Ranges are ignored: what has come is lost each time, and the next may be more.
        if (isOdd(request))
          return { whole: true, cutAfter: 1000 * (1 + (hub.requests.filter(isOdd).length % 2)) };
        return request.path.startsWith('/org/m/')
          ? { status: 500, headers: { 'x-error-message': 'Oops' } }
          : undefined;
      };
      const name = { id: 'org/m', revision: 'main' };
      const down = new Repository(name, { ...(await readSettings()), endpoint: 'http://127.0.0.1:9' });
      await Promise.all([
        refused('org/m', /config\.json cannot be had from .*: Oops \(HTTP 500\)/, 500),
        refused('org/cut', /^org\/cut@main: .* cannot be reached: /),
        refused('org/odd', /^org\/odd@main: .* cannot be reached: /),
        failure(HubError, /^org\/m@main: http:\/\/127\.0\.0\.1:9 cannot be reached: /, () =>
          down.head('config.json', 'main'),
        ),
      ]);
      assert.is(hub.requests.filter(({ path }) => path.startsWith('/org/m/')).length, 5);
      assert.is(hub.requests.filter(isCut).length, 5);
      assert.ok(hub.requests.filter(isOdd).length <= 6);
    },
  ));

test('what does not answer as a Hub does is no Hub', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const hint = 'does not answer as a Hub does: check HF_ENDPOINT';
    const answers: [headers: Record<string, string>, message: RegExp][] = [
      [{}, new RegExp(`the commit of config\\.json is missing or malformed; .*${hint}`)],
      [{ 'x-repo-commit': '../../..' }, /the commit of config/],
      [{ 'x-repo-commit': 'a'.repeat(40), etag: '"../../x"' }, /the etag of config/],
      [{ 'x-repo-commit': 'a'.repeat(40), etag: '"x"', 'x-linked-size': 'x' }, /the size of config/],
    ];
    for (const [headers, message] of answers) {
      hub.fault = () => ({ status: 200, headers });
      await refused('org/m', message, 200);
    }
  }));

test('a range or a size other than the Hub told is not taken', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    const { size } = hub.models['org/m'] as ReturnType<typeof smallModel>;
    for (const told of ['', 'bytes 5-12/100', `bytes 0-7/${size + 1}`, 'bytes */8', 'lines 0-7/8']) {
      hub.fault = ({ file }) => (/safetensors/.test(file) ? { contentRange: told } : undefined);
      await refused(
        'org/m',
        new RegExp(
          `byte 0 of the ${size} of model.safetensors was asked for, "content-range: ${told.replace('*', '.')}"`,
        ),
      );
    }
    const files = {
      ...hub.models['org/m'].files,
      'generation_config.json': '{}',
      'chat_template.jinja': 'x',
    };
    hub.models['org/m'] = { ...hub.models['org/m'], files };
    const lying = (path: string, length: number) => {
      const headers = { 'x-repo-commit': 'a'.repeat(40), etag: '"0123"', 'x-linked-size': String(length) };
      hub.fault = ({ method, file }) =>
        method === 'HEAD' && file === path ? { status: 200, headers } : undefined;
    };
    lying('generation_config.json', 5);
    await refused('org/m', /byte 0 of the 5 of generation_config\.json was asked for, .* 0-1\/2" came/);
    lying('chat_template.jinja', 5);
    await refused('org/m', /chat_template\.jinja is shorter than .* has told \(HTTP 416\)/, 416);
    lying('chat_template.jinja', 0);
    await fetched('org/m'); // nothing was told, nothing was asked for
  }));

test('a server that tells less than the Hub does is understood as far as possible', () =>
  withHub({ 'org/m': smallModel() }, async (hub) => {
    hub.fault = ({ method, file }) => {
      if (method !== 'HEAD') return undefined;
      if (/tokenizer|special|chat|egps|generation/.test(file)) return { status: 404 };
      const headers = { etag: '"0123"', 'transfer-encoding': 'chunked', 'x-repo-commit': 'a'.repeat(40) };
      return file === 'config.json' ? { status: 200, headers } : undefined;
    };
    assert.equal(readdirSync(await fetched('org/m')).sort(), ['config.json', 'model.safetensors']);
  }));

const config = (change: object) =>
  JSON.stringify({ ...JSON.parse(smallModel().files['config.json'] as string), ...change });

test('a model that cannot be used is refused before its weights are fetched', async () => {
  const whole = smallModel().files['model.safetensors'] as Uint8Array;
  const large = { size: 2 ** 40, sha256: 'f'.repeat(64), at: () => new Uint8Array() };
  const cases: [files: HubModel['files'], kind: new (...args: never[]) => Error, message: RegExp][] = [
    [{ 'config.json': config({ model_type: 'gpt9' }) }, UnsupportedModelError, /"model_type" is "gpt9"/],
    [{ 'config.json': config({ num_hidden_layers: 3 }) }, CheckpointError, /model\.layers\.2\..*is missing/],
    [{ 'config.json': '{' }, CheckpointError, /org\/m@main\/config\.json: not valid JSON/],
    [
      { 'model.safetensors': whole.subarray(0, -8) },
      CheckpointError,
      /data_offsets .* reach past the file's/,
    ],
    [
      { 'model.safetensors': withHeader('{') },
      CheckpointError,
      /org\/m@main\/model\.safetensors: not valid JSON/,
    ],
    [
      { 'config.json': large },
      CheckpointError,
      /config\.json: has 1099511627776 bytes: at most 268435456 are read/,
    ],
    [{ 'model.safetensors': new Uint8Array(8).fill(255) }, CheckpointError, /at most 100000000 are allowed/],
  ];
  for (const [files, kind, message] of cases) {
    const model = smallModel();
    await withHub({ 'org/m': { ...model, files: { ...model.files, ...files } } }, async (hub, home) => {
      await failure(kind, message, () => fetched('org/m'));
      assert.ok(hub.sentOf(/safetensors$/) < 10_000);
      assert.equal(readdirSync(home), []);
    });
  }
  const sharded = smallModel(2);
  delete sharded.files['model-00002-of-00002.safetensors'];
  await withHub({ 'org/m': sharded }, () =>
    failure(CheckpointError, /index\.json: shard model-00002-of-00002\.safetensors is missing/, () =>
      fetched('org/m'),
    ).then(() => {}),
  );
});

test('a model larger than the disk is refused before it is fetched', async () => {
  const model = smallModel();
  const whole = Buffer.from(model.files['model.safetensors'] as Uint8Array);
  const end = 8 + Number(whole.readBigUInt64LE());
  const spare = {
    dtype: 'F32',
    shape: [2 ** 48],
    data_offsets: [whole.length - end, whole.length - end + 2 ** 50],
  };
  const head = withHeader(JSON.stringify({ ...JSON.parse(whole.toString('utf8', 8, end)), spare }));
  const size = head.length + spare.data_offsets[1];
  const content = { size, sha256: 'f'.repeat(64), at: (from: number, to: number) => head.slice(from, to) };
  await withHub(
    { 'org/m': { ...model, files: { ...model.files, 'model.safetensors': content } } },
    async (hub, home) => {
      const message =
        /hub: org\/m@main takes 1125\d+ bytes more, the disk has \d+ bytes left: make room, or set HF_HUB_CACHE/;
      await failure(OutputError, message, () => fetched('org/m'));
      assert.ok(hub.sentOf(/safetensors$/) < 20_000);
      assert.equal(readdirSync(home), []);
    },
  );
});

/** Runs as another user, where this one is not bound by modes. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

test("another user's cache is used as far as it can be read, and named where it cannot be", () =>
  withHub({ 'org/m': smallModel() }, async (hub, home) => {
    const dir = await fetched('org/m');
    const folder = join(home, 'hub', 'models--org--m');
    const open = () => chmodSync(folder, 0o755);
    for (const each of [home, join(home, 'hub'), join(home, 'hub', '.locks')]) chmodSync(each, 0o555);
    const probe = () =>
      writeFile(join(home, 'probe'), '').then(
        () => false,
        () => true,
      );
    if (!(await asNobody(probe))) return; // no modes on Windows, and none for the io_uring of Node 20
    await asNobody(async () => assert.is(await fetched('org/m'), dir));
    hub.models['org/m'] = { ...smallModel(1, 2), commit: 'b'.repeat(40) };
    await asNobody(() =>
      failure(OutputError, /cannot be written: EACCES.*; set HF_HUB_CACHE to another folder/, () =>
        fetched('org/m'),
      ).then(() => {}),
    );
    chmodSync(folder, 0);
    process.env.HF_HUB_OFFLINE = '1';
    try {
      await asNobody(() =>
        failure(CheckpointError, /main: cannot be read: EACCES.*; HF_HUB_CACHE names another cache/, () =>
          fetched('org/m'),
        ).then(() => {}),
      );
    } finally {
      open();
      for (const each of [home, join(home, 'hub'), join(home, 'hub', '.locks')]) chmodSync(each, 0o755);
    }
  }));

test('a cache that cannot be written is named', () =>
  withHub({ 'org/m': smallModel() }, async (_, home) => {
    writeFileSync(join(home, 'file'), '');
    process.env.HF_HUB_CACHE = join(home, 'file');
    const message = /^\/.*: cannot be written: ENOTDIR.*; set HF_HUB_CACHE to another folder/;
    await failure(OutputError, message, () => fetched('org/m'));
    mkdirSync(join(home, 'cache', 'models--org--m'), { recursive: true });
    writeFileSync(join(home, 'cache', 'models--org--m', 'snapshots'), '');
    process.env.HF_HUB_CACHE = join(home, 'cache');
    await failure(OutputError, message, () => fetched('org/m'));
  }));

test.run();
