import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/base/errors.ts';
import { isPath, parseName } from '../../src/hub/name.ts';
import { readSettings } from '../../src/hub/settings.ts';
import { proxyFor } from '../../src/hub/transport.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';

test('a name is ID or ID@REVISION', () => {
  const names: [text: string, id: string, revision: string][] = [
    ['Qwen/Qwen2.5-Math-1.5B', 'Qwen/Qwen2.5-Math-1.5B', 'main'],
    ['gpt2', 'gpt2', 'main'],
    ['a/b_c.d-1@v1.0', 'a/b_c.d-1', 'v1.0'],
    ['a/b@refs/pr/1', 'a/b', 'refs/pr/1'],
    [`a/b@${'0'.repeat(40)}`, 'a/b', '0'.repeat(40)],
  ];
  for (const [text, id, revision] of names) assert.equal(parseName(text), { id, revision }, text);
});

test('what is no name is refused by the rule that it breaks', async () => {
  const bad: [text: string, rule: RegExp][] = [
    ['', /empty/],
    ['a/b/c', /more than one "\/"/],
    ['/b', /empty/],
    ['a/', /empty/],
    ['a--b/c', /"--"/],
    ['a/b..c', /"\.\."/],
    ['a/b.git', /"\.git"/],
    ['a/-b', /neither "-" nor "\."/],
    ['a/b.', /neither "-" nor "\."/],
    ['a b/c', /letters, digits/],
    ['a/ö', /letters, digits/],
    [`a/${'b'.repeat(97)}`, /97 characters: at most 96/],
    ['a/b@', /revision ""/],
    ['models--x--y', /"--"/],
    ['a%2fb', /letters, digits/],
    ['a/b%2f..%2fc', /"\.\."/],
    [`a/b@${'c'.repeat(231)}`, /revision "c+"/],
    [`a/b@${'ö'.repeat(120)}`, /revision "ö+"/],
    ['a/b@../c', /revision "\.\.\/c"/],
    ['a/b@/c', /revision/],
    ['a/b@c d', /revision/],
    ['a/b@c.lock', /revision/],
    ['a/b@c/.d', /revision/],
    ['a/b@c\\d', /revision/],
    ['a/b@c\0', /revision/],
  ];
  for (const [text, rule] of bad) await failure(OptionError, rule, () => parseName(text));
});

test('some texts can only be paths', () => {
  for (const path of ['/a', './a', '../a', '.', '..', '~/a', 'a\\b', 'C:\\a', 'C:/a'])
    assert.ok(isPath(path), path);
  for (const name of ['a/b', 'a', 'a/b@refs/pr/1', '.a/b']) assert.not.ok(isPath(name), name);
});

test('the environment says where the cache is, as it does to huggingface_hub', async () => {
  const HOME = '/h';
  const caches: [env: Record<string, string>, cache: string][] = [
    [{}, '/h/.cache/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/x', HF_HOME: '/y' }, '/y/hub'],
    [{ HF_HOME: '~/y' }, '/h/y/hub'],
    [{ HF_HOME: '/y', HUGGINGFACE_HUB_CACHE: '/o' }, '/o'],
    [{ HF_HOME: '/y', HUGGINGFACE_HUB_CACHE: '/o', HF_HUB_CACHE: '/z' }, '/z'],
    [{ HF_HUB_CACHE: '$DISK/$' + '{SUB}/c', DISK: '/d', SUB: 's' }, '/d/s/c'],
  ];
  for (const [env, cache] of caches) assert.is((await readSettings({ HOME, ...env })).cache, cache);
});

test('the environment says where the Hub is and whether to ask it', async () => {
  const settings = (env: Record<string, string>) => readSettings({ HOME: '/nowhere', ...env });
  assert.is((await settings({})).endpoint, 'https://huggingface.co');
  assert.is((await settings({ HF_ENDPOINT: 'http://mirror/hub//' })).endpoint, 'http://mirror/hub');
  for (const HF_ENDPOINT of ['mirror', 'ftp://mirror'])
    await failure(OptionError, /HF_ENDPOINT is "/, () => settings({ HF_ENDPOINT }));
  for (const [value, offline] of [
    ['1', true],
    ['yes', true],
    ['TRUE', true],
    ['on', true],
    ['0', false],
    ['', false],
  ] as const)
    assert.is((await settings({ HF_HUB_OFFLINE: value })).offline, offline, value);
  assert.is((await settings({ HF_HUB_DISABLE_SYMLINKS: '1' })).links, false);
});

test('the token stands in the environment or in a file', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'egps-token-'));
  const token = async (env: Record<string, string>) => (await readSettings({ HOME: dir, ...env })).token;
  try {
    writeFileSync(join(dir, 'token'), 'hf_home\n');
    writeFileSync(join(dir, 'other'), 'hf_other\n');
    assert.is(await token({}), undefined);
    assert.is(await token({ HF_HOME: dir }), 'hf_home');
    assert.is(await token({ HF_HOME: dir, HF_TOKEN_PATH: join(dir, 'other') }), 'hf_other');
    assert.is(await token({ HF_HOME: dir, HF_TOKEN: ' hf_given\r\n' }), 'hf_given');
    assert.is(await token({ HF_HOME: dir, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }), undefined);
    const error = await failure(OptionError, /HF_TOKEN has characters/, () =>
      token({ HF_TOKEN: 'hf\nsecret' }),
    );
    assert.not.match(error.message, /secret/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('proxies are those of the environment, but for hosts that it exempts', async () => {
  const of = (url: string, env: Record<string, string>) => proxyFor(new URL(url), env)?.href;
  const both = { http_proxy: 'http://p:1', HTTPS_PROXY: 'q:2' };
  assert.is(of('http://a.org', both), 'http://p:1/');
  assert.is(of('https://a.org', both), 'http://q:2/');
  assert.is(of('https://a.org', { HTTP_PROXY: 'http://p:1' }), undefined);
  assert.is(of('http://a.org', { http_proxy: 'http://p:1', HTTP_PROXY: 'http://P:2' }), 'http://p:1/');
  for (const [no, isExempt] of [
    ['a.org', true],
    ['.org', true],
    ['*.org', true],
    ['b.org, a.org', true],
    ['*', true],
    ['a.org:80', true],
    ['a.org:81', false],
    ['xa.org', false],
    ['rg', false],
    ['', false],
  ] as const)
    assert.is(of('http://a.org', { ...both, NO_PROXY: no }) === undefined, isExempt, no);
  assert.is(of('http://[::1]/', { ...both, no_proxy: '::1' }), undefined);
  await failure(OptionError, /HTTPS_PROXY is not/, () =>
    of('https://a.org', { https_proxy: 'socks5://p:1' }),
  );
});

test.run();
