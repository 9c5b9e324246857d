import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/base/errors.ts';
import { findModel } from '../../src/hub/find.ts';
import { parseName } from '../../src/hub/name.ts';
import { RemoteModel } from '../../src/hub/remote-model.ts';
import { readSettings } from '../../src/hub/settings.ts';
import { COMMIT, smallModel } from '../hub/model.ts';
import { type HubServer, TOKEN, withHub } from '../support/hub-server.ts';
import { test } from '../support/suite.ts';
import { python } from './venv.ts';

async function fetched(model: string): Promise<string> {
  const found = await findModel(model);
  return (found instanceof RemoteModel ? await found.fetch() : found).dir;
}

/** The Hub of the tests has no Xet storage behind its headers. */
const env = (more: NodeJS.ProcessEnv = {}) => ({ ...process.env, HF_HUB_DISABLE_XET: '1', ...more });

const bodies = ({ requests }: HubServer) =>
  requests.filter(({ sent, file }) => sent > 0 && /safetensors|json/.test(file));

const RENAMED = { revisions: ['v1.0', 'refs/pr/1'] };

for (const links of [true, false]) {
  const kind = links ? 'links' : 'copies';
  test(`what huggingface_hub has fetched is found, by ${kind}`, () =>
    withHub({ 'org/m': { ...smallModel(2), ...RENAMED } }, async (hub) => {
      if (!links) process.env.HF_HUB_DISABLE_SYMLINKS = '1';
      const script = `
import json
from huggingface_hub import snapshot_download, hf_hub_download
one = snapshot_download('org/m', ignore_patterns=['*.bin'])
hf_hub_download('org/m', 'config.json', revision='v1.0')
snapshot_download('org/m', revision='refs/pr/1', ignore_patterns=['*.bin'])
print(json.dumps(one))`;
      const theirs = await python(script, env());
      hub.requests.length = 0;
      for (const revision of ['main', 'v1.0', 'refs/pr/1', COMMIT])
        assert.is(await fetched(`org/m@${revision}`), theirs, revision);
      assert.equal(bodies(hub), [], 'nothing is fetched anew');
      process.env.HF_HUB_OFFLINE = '1';
      hub.requests.length = 0;
      for (const revision of ['main', 'v1.0', 'refs/pr/1', COMMIT])
        assert.is(await fetched(`org/m@${revision}`), theirs, revision);
      assert.equal(hub.requests, []);
    }));

  test(`huggingface_hub finds what was fetched here, by ${kind}`, () =>
    withHub({ 'org/m': { ...smallModel(2), ...RENAMED, private: true } }, async (hub) => {
      process.env.HF_TOKEN = TOKEN;
      if (!links) process.env.HF_HUB_DISABLE_SYMLINKS = '1';
      const dir = await fetched('org/m');
      assert.is(await fetched('org/m@refs/pr/1'), dir);
      mkdirSync(join(dir, '../../egps'));
      writeFileSync(join(dir, '../../egps', `${COMMIT}.json`), '{}'); // what was fitted here is not in its way
      const files = readdirSync(dir).sort();
      assert.is(lstatSync(join(dir, 'config.json')).isSymbolicLink(), links);
      hub.requests.length = 0;
      const script = `
import json, os
from huggingface_hub import hf_hub_download, snapshot_download, scan_cache_dir, try_to_load_from_cache, _CACHED_NO_EXIST
files = json.loads(os.environ['FILES'])
local = [hf_hub_download('org/m', file, local_files_only=True) for file in files]
pull = [hf_hub_download('org/m', file, revision='refs/pr/1', local_files_only=True) for file in files]
asked = [hf_hub_download('org/m', file) for file in files]
snapshot = snapshot_download('org/m', local_files_only=True)
online = snapshot_download('org/m', allow_patterns=files)
absent = try_to_load_from_cache('org/m', 'tokenizer.json') is _CACHED_NO_EXIST
cache = scan_cache_dir()
[repo] = cache.repos
[revision] = repo.revisions
print(json.dumps({'local': local, 'pull': pull, 'asked': asked, 'snapshots': [snapshot, online], 'absent': absent,
  'warnings': [str(warning) for warning in cache.warnings], 'id': repo.repo_id, 'refs': sorted(revision.refs),
  'commit': revision.commit_hash, 'files': sorted(file.file_name for file in revision.files), 'size': repo.size_on_disk}))`;
      const found = (await python(script, env({ FILES: JSON.stringify(files) }))) as Record<string, unknown>;
      const paths = files.map((file) => join(dir, file));
      for (const how of ['local', 'pull', 'asked']) assert.equal(found[how], paths, how);
      assert.equal(found.snapshots, [dir, dir]);
      assert.is(found.absent, true);
      assert.equal(found.warnings, []);
      assert.equal([found.id, found.commit, found.refs], ['org/m', COMMIT, ['main', 'refs/pr/1']]);
      assert.equal(found.files, files);
      assert.is(
        found.size,
        paths.reduce((n, path) => n + readFileSync(path).length, 0),
      );
      assert.equal(bodies(hub), [], 'nothing is fetched anew');
    }));
}

test('what either has begun the other completes', () =>
  withHub({ 'org/m': smallModel(2) }, async (hub) => {
    await python(
      `from huggingface_hub import hf_hub_download
for file in ['config.json', 'model-00001-of-00002.safetensors']: hf_hub_download('org/m', file)
print('null')`,
      env(),
    );
    hub.requests.length = 0;
    const dir = await fetched('org/m');
    const whole = ({ host, headers }: { host: string; headers: { range?: string } }) =>
      host === 'storage' && !headers.range;
    assert.equal(
      hub.requests.filter(whole).map(({ file }) => file),
      ['model-00002-of-00002.safetensors'],
    );
    await python(
      `from huggingface_hub import snapshot_download
import json
print(json.dumps(snapshot_download('org/m', local_files_only=False)))`,
      env(),
    );
    assert.ok(existsSync(join(dir, 'README.md')));
    assert.is(await fetched('org/m'), dir);
  }));

test('the variables of the environment mean what they do to huggingface_hub', async () => {
  const home = { HOME: '/h' };
  const environments: NodeJS.ProcessEnv[] = [
    {},
    { XDG_CACHE_HOME: '/x' },
    { HF_HOME: '~/y', XDG_CACHE_HOME: '/x' },
    { HF_HOME: '$DISK/y', DISK: '/d' },
    { HF_HOME: '/y', HUGGINGFACE_HUB_CACHE: '/o' },
    { HF_HUB_CACHE: '$' + '{DISK}/$NONE/c', DISK: '/d', HUGGINGFACE_HUB_CACHE: '/o' },
    { HF_ENDPOINT: 'http://mirror/' },
    { HF_HUB_OFFLINE: 'yes' },
    { HF_HUB_OFFLINE: 'true', HF_HUB_DISABLE_SYMLINKS: 'ON' },
    { HF_HUB_OFFLINE: '0', TRANSFORMERS_OFFLINE: '1' },
    { TRANSFORMERS_OFFLINE: '1' },
    { HF_HUB_OFFLINE: 'no' },
    { HF_TOKEN: ' hf_x\n' },
    { HUGGING_FACE_HUB_TOKEN: 'hf_old' },
  ];
  const script = `
import importlib, json, os
from huggingface_hub import constants as c, get_token
answers = []
for environment in json.loads(os.environ['ENVIRONMENTS']):
  os.environ.clear()
  os.environ.update(environment)
  importlib.reload(c)
  answers.append({'cache': c.HF_HUB_CACHE, 'endpoint': c.ENDPOINT, 'offline': c.HF_HUB_OFFLINE,
    'links': not c.HF_HUB_DISABLE_SYMLINKS, 'token': get_token()})
print(json.dumps(answers))`;
  const all = environments.map((each) => ({ ...home, ...each }));
  const answers = (await python(script, env({ ENVIRONMENTS: JSON.stringify(all) }))) as unknown[];
  for (const [i, each] of environments.entries()) {
    const { token = null, ...rest } = await readSettings({ ...home, ...each });
    assert.equal({ ...rest, token }, answers[i], JSON.stringify(each));
  }
});

test('names are those that huggingface_hub allows', async () => {
  const names = [
    'gpt2',
    'a/b',
    'a/b_c.d-1',
    'A/B',
    'a/b/c',
    '/b',
    'a/',
    'a--b/c',
    'a/b..c',
    'a/b.git',
    'a/-b',
    'a/b-',
    '-a/b',
    'a/b.',
    '.a/b',
    'a b/c',
    'a/ö',
    '_a/b_',
    `a/${'b'.repeat(96)}`,
    `a/${'b'.repeat(97)}`,
    '',
  ];
  const script = `
import json, os
from huggingface_hub.utils import validate_repo_id
def allowed(name):
  try:
    validate_repo_id(name)
    return True
  except Exception:
    return False
print(json.dumps([allowed(name) for name in json.loads(os.environ['NAMES'])]))`;
  const allowed = await python(script, env({ NAMES: JSON.stringify(names) }));
  const ours = names.map((name) => {
    try {
      parseName(name);
      return true;
    } catch (error) {
      assert.instance(error, OptionError);
      return false;
    }
  });
  assert.equal(ours, allowed);
});

test.run();
