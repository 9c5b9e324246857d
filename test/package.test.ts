import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

const { bundleByEsbuild, COMPILERS, GLOBALS, install, lint, pack, RESOLUTIONS, run, typeCheck } =
  await import(pathToFileURL('scripts/package.mjs').href);

let folder: string;
/** A project that has the package installed. */
let app: string;
let tarball: string;
let files: string[];
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'egps-package-'));
  app = join(folder, 'app');
  ({ tarball, files } = pack(folder));
  install(tarball, app);
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('the package has what runs, its types, the embedded model, and nothing else', () => {
  const others = files.filter((file) => !/^dist\/src\/.*\.(js|d\.ts)$/.test(file));
  assert.equal(others.sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'bin/egps.js',
    ...[
      'README.md',
      'config.json',
      'egps.json',
      'generation_config.json',
      'heldout.json',
      'model.safetensors',
    ].map((file) => `models/abacus/${file}`),
    'models/abacus/tokenizer.json',
    'models/abacus/tokenizer_config.json',
    'package.json',
  ]);
  const scripts = files.filter((file) => file.endsWith('.js') && file.startsWith('dist/src/'));
  const sources = (readdirSync('src', { recursive: true }) as string[])
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.startsWith('report/client/'));
  assert.equal(scripts.sort(), sources.map((file) => `dist/src/${file.replace(/\.ts$/, '.js')}`).sort());
});

test('publint and are-the-types-wrong find nothing', async () => {
  assert.equal(await lint(tarball), []);
});

test('the declarations declare nothing but what egps exports', () => {
  const declarations = files.filter((file) => file.endsWith('.d.ts'));
  const read = (file: string) => readFileSync(join(app, 'node_modules/egps', file), 'utf8');
  const index = read('dist/src/index.d.ts');
  const exported = new Set(index.match(/\b\w+\b/g));
  assert.match(index, "export * from './base/errors.ts';");
  assert.ok(declarations.length > 20, `${declarations.length}`);
  for (const file of declarations) {
    if (file === 'dist/src/base/errors.d.ts' || file === 'dist/src/api/abacus.d.ts') continue;
    const text = read(file);
    assert.not.match(text, /\bGPU[A-Z]\w+\b(?!`)/, file);
    assert.not.match(text, /Array<ArrayBuffer/, file); // TypeScript 5.7's
    for (const [, name] of text.matchAll(/^export (?:declare )?(?:\w+) (\w+)/gm)) {
      assert.ok(exported.has(name), `${file}: ${name}`);
    }
  }
});

// The other compilers that the README names: scripts/package.mjs.
for (const [i, resolution] of RESOLUTIONS.slice(1).entries()) {
  test(`a program type-checks, declarations of the package included: ${resolution[1]}`, () => {
    assert.is(typeCheck(app, 'typescript', resolution, GLOBALS[i]), '');
  });
}

test('the README names the oldest TypeScript that the package is checked by', () => {
  const [, version] = /TypeScript (\S+) or newer/.exec(readFileSync('README.md', 'utf8')) ?? [];
  assert.is(COMPILERS[0], `typescript-${version}`);
});

test('jsr.json publishes the version and the dependencies of package.json', () => {
  const own = JSON.parse(readFileSync('package.json', 'utf8'));
  const { version, imports } = JSON.parse(readFileSync('jsr.json', 'utf8'));
  assert.is(version, own.version);
  for (const name in imports)
    if (!name.startsWith('#')) assert.is(imports[name], `npm:${name}@${own.dependencies[name]}`);
});

test('bundled and minified, the library answers by the embedded model and makes a page', async () => {
  await bundleByEsbuild(app, 'out/bundle.mjs');
  const { text, page } = JSON.parse(run(app, process.execPath, 'out/bundle.mjs'));
  assert.match(text, '28 + 19: 8 + 9 = 17, write 7, carry 1;');
  assert.match(page, '<script type="application/json" id="run">');
  assert.match(page, 'Mia has 28 coins.');
});

/** Packages that have been loaded when a program ends. */
function loadedBy(...args: string[]): string[] {
  const list = join(folder, 'loaded');
  writeFileSync(list, '');
  const watch = pathToFileURL(resolve('test/package/loaded.mjs')).href;
  const child = spawnSync(process.execPath, ['--import', watch, ...args], {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, LOADED: list },
  });
  assert.is(child.status, 0, child.stderr);
  const packages = Array.from(
    readFileSync(list, 'utf8').matchAll(/^.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/gm),
    ([, name]) => name.replaceAll('\\', '/'),
  );
  return [...new Set(packages)].sort();
}

const COMMAND = 'node_modules/egps/bin/egps.js';
const TOKENS = ['@huggingface/jinja', '@huggingface/tokenizers'];

test('importing the library loads what reads tokens, and nothing else', () => {
  assert.equal(loadedBy('--input-type=module', '--eval', "await import('egps')"), ['egps', ...TOKENS].sort());
});

test('a command loads what it needs; webgpu is loaded where a device is opened', () => {
  assert.equal(loadedBy(COMMAND, '--help'), ['egps']);
  const generate = ['generate', '--max-new-tokens', '1', '--sampler', 'greedy', 'Mia has 28 coins.'];
  assert.equal(loadedBy(COMMAND, ...generate), ['egps', 'webgpu', ...TOKENS].sort());
  assert.ok(loadedBy(COMMAND, 'eval', '--help').includes('csv-parse'));
});

test('the command can be run by its name in a checkout', () => {
  assert.match(run(process.cwd(), 'npx', '--no-install', 'egps', '--help'), /^Usage: egps /);
});

test('npm ci in a checkout builds nothing; what is installed from elsewhere is built', () => {
  const checkout = join(folder, 'checkout');
  mkdirSync(join(checkout, 'scripts'), { recursive: true });
  cpSync('scripts/prepare.mjs', join(checkout, 'scripts/prepare.mjs'));
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  assert.is(scripts.prepare, 'node scripts/prepare.mjs');
  const prepack = 'node --eval "process.stdout.write(process.cwd())" > built';
  writeFileSync(join(checkout, 'package.json'), JSON.stringify({ scripts: { prepack } }));
  const prepare = (from: string) => {
    const args = [join(checkout, 'scripts/prepare.mjs')];
    const env = { ...process.env, INIT_CWD: from };
    assert.is(spawnSync(process.execPath, args, { cwd: checkout, env }).status, 0);
    return existsSync(join(checkout, 'built'));
  };
  assert.not(prepare(checkout));
  assert.not(prepare(join(checkout, 'scripts')));
  assert.ok(prepare(app));
});

test.run();
