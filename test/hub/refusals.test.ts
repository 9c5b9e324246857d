import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
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
  withHub({ 'org/m': smallModel(), 'org/cut': smallModel(1, 2) }, async (hub) => {
    const weights = etagOf(
      'model.safetensors',
      hub.models['org/cut'].files['model.safetensors'] as Uint8Array,
    );
    const isCut = ({ path, headers }: Request) => path.includes(weights) && !headers.range;
    hub.fault = (request) => {
      if (isCut(request)) return { cutAfter: 0 };
      return request.path.startsWith('/org/m/')
        ? { status: 500, headers: { 'x-error-message': 'Oops' } }
        : undefined;
    };
    const name = { id: 'org/m', revision: 'main' };
    const down = new Repository(name, { ...(await readSettings()), endpoint: 'http://127.0.0.1:9' });
    await Promise.all([
      refused('org/m', /config\.json cannot be had from .*: Oops \(HTTP 500\)/, 500),
      refused('org/cut', /^org\/cut@main: .* cannot be reached: /),
      failure(HubError, /^org\/m@main: http:\/\/127\.0\.0\.1:9 cannot be reached: /, () =>
        down.head('config.json', 'main'),
      ),
    ]);
    assert.is(hub.requests.filter(({ path }) => path.startsWith('/org/m/')).length, 5);
    assert.is(hub.requests.filter(isCut).length, 5);
  }));

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
