// Checks the package as others install it: `node scripts/package.mjs [lint|types|run|jsr|checkout …]`, all of them unless named.
//   lint      publint and are-the-types-wrong
//   types     the declarations, by the compilers and module resolutions that the README names
//   run       imported, under Deno, bundled by esbuild and by rollup, and as a command: they give the same answer
//   jsr       what jsr.json would publish
//   checkout  what npm packs in a clean checkout, as committed, and npm install git+… of it; takes dependencies from npm's registry
// All but the last take the dependencies of this checkout, and need no network once test/package and test/deno are installed.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tools = join(root, 'test/package');
const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** What a command prints. @throws where it fails */
export function run(cwd, command, ...args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** Packs what is built. The tarball, and the files in it. */
export function pack(folder) {
  const copy = join(folder, 'egps');
  mkdirSync(copy);
  const parts = [
    'bin',
    'dist/src',
    'models',
    'scripts',
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'package.json',
  ];
  for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true });
  run(copy, process.execPath, 'scripts/types.mjs');
  const [{ filename, files }] = JSON.parse(run(copy, 'npm', 'pack', '--json', '--ignore-scripts'));
  return { tarball: join(copy, filename), files: files.map(({ path }) => path) };
}

/** A project in which the tarball is installed by npm, and its dependencies are those of this checkout. */
export function install(tarball, folder) {
  const linked = Object.keys(own.dependencies).map((name) => [
    name,
    `file:${join(root, 'node_modules', name)}`,
  ]);
  const dependencies = { ...Object.fromEntries(linked), egps: `file:${tarball}` };
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: 'module', private: true, dependencies }),
  );
  run(folder, 'npm', 'install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts');
  for (const file of ['answer.mjs', 'consumer.ts']) cpSync(join(tools, file), join(folder, file));
}

/** Requires from a folder that has dependencies of its own, which are installed where they are missing. */
function tool(folder = tools) {
  if (!existsSync(join(folder, 'node_modules'))) run(folder, 'npm', 'ci', '--no-audit', '--no-fund');
  return createRequire(join(folder, 'package.json'));
}

/** Path of Deno. */
export function denoProgram() {
  return tool(join(root, 'test/deno'))('./node_modules/deno/install_api.cjs').runInstall();
}

function deno(cwd, ...args) {
  process.env.DENO_NO_UPDATE_CHECK = '1';
  return run(cwd, denoProgram(), ...args);
}

const importTool = (name) => import(pathToFileURL(tool().resolve(name)).href);

/** What publint and are-the-types-wrong say of a tarball; that CommonJS cannot `require` it is meant. */
export async function lint(tarball) {
  const { publint } = await importTool('publint');
  const { formatMessage } = await importTool('publint/utils');
  const { checkPackage, createPackageFromTarballData } = await importTool('@arethetypeswrong/core');
  const bytes = new Uint8Array(readFileSync(tarball));
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
  const { problems } = await checkPackage(createPackageFromTarballData(bytes));
  return [
    ...messages.map((message) => formatMessage(message, pkg)),
    ...problems
      .filter(({ resolutionKind }) => !['node10', 'node16-cjs'].includes(resolutionKind))
      .map((problem) => JSON.stringify(problem)),
  ];
}

/** The oldest TypeScript that the declarations are for, and those since. The last is this checkout's. */
export const COMPILERS = ['typescript-5.4', 'typescript-5.9', 'typescript-6', 'typescript'];
export const RESOLUTIONS = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
];
/** Where a program has its `AbortSignal` from. */
export const GLOBALS = [
  { lib: ['es2022'], types: ['node'] },
  { lib: ['es2022', 'dom'], types: [] },
];

/** What a compiler says of consumer.ts and of all declarations that it comes by; nothing, we hope. */
export function typeCheck(app, compiler, [module, moduleResolution], { lib, types }) {
  const require = compiler === 'typescript' ? createRequire(join(root, 'package.json')) : tool();
  const tsc = require.resolve(`${compiler}/package.json`).replace('package.json', 'bin/tsc');
  const compilerOptions = {
    ...{
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      target: 'es2022',
      module,
      moduleResolution,
      lib,
      types,
    },
    typeRoots: [join(root, 'node_modules/@types')],
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
  const args = [tsc, '--pretty', 'false'];
  return spawnSync(process.execPath, args, { cwd: app, encoding: 'utf8' }).stdout.trim();
}

/** dawn.node is native: no bundler can take it in. */
const EXTERNAL = ['webgpu'];

/** answer.mjs in one file, of the format of its name. */
export async function bundleByEsbuild(app, outfile) {
  const { build } = await import('esbuild');
  await build({
    ...{ absWorkingDir: app, entryPoints: ['answer.mjs'], outfile, external: EXTERNAL },
    ...{ bundle: true, minify: true, platform: 'node', format: outfile.endsWith('.cjs') ? 'cjs' : 'esm' },
    logOverride: { 'empty-import-meta': 'silent' }, // reckoned with
  });
}

export async function bundleByRollup(app, file) {
  const { rollup } = await importTool('rollup');
  const { default: nodeResolve } = await importTool('@rollup/plugin-node-resolve');
  const { default: commonjs } = await importTool('@rollup/plugin-commonjs');
  const bundle = await rollup({
    input: join(app, 'answer.mjs'),
    external: EXTERNAL,
    plugins: [nodeResolve({ exportConditions: ['node'] }), commonjs()],
  });
  await bundle.write({ file: join(app, file), format: 'es', inlineDynamicImports: true });
  await bundle.close();
}

async function checkTypes(app) {
  for (const compiler of COMPILERS) {
    for (const resolution of RESOLUTIONS) {
      for (const globals of GLOBALS) {
        const said = typeCheck(app, compiler, resolution, globals);
        const name = `${compiler}, ${resolution[1]}, ${[...globals.lib, ...globals.types].join(' ')}`;
        if (said) throw new Error(`${name}:\n${said}`);
        console.log(`  ${name}`);
      }
    }
  }
}

async function checkRuns(app) {
  const expected = run(app, process.execPath, 'answer.mjs');
  mkdirSync(join(app, 'out'));
  await bundleByEsbuild(app, 'out/esbuild.mjs');
  await bundleByEsbuild(app, 'out/esbuild.cjs');
  await bundleByRollup(app, 'out/rollup.mjs');
  for (const file of ['out/esbuild.mjs', 'out/esbuild.cjs', 'out/rollup.mjs']) {
    if (run(app, process.execPath, file) !== expected) throw new Error(`${file} answers otherwise`);
    console.log(`  ${file}`);
  }
  const { tokens, text } = JSON.parse(expected);
  const underDeno = JSON.parse(deno(app, 'run', '--allow-read', '--allow-env', '--allow-ffi', 'answer.mjs'));
  if (String(underDeno.tokens) !== String(tokens)) throw new Error(`Deno answers ${underDeno.text}`);
  console.log('  Deno');
  const help = run(app, 'npx', '--no-install', 'egps', '--help');
  if (!text || !help.startsWith('Usage: egps')) throw new Error(`it says ${text} and ${help}`);
}

function checkCheckout(folder, files) {
  const clone = join(folder, 'clone');
  run(folder, 'git', 'clone', '--quiet', root, clone);
  run(clone, 'npm', 'ci', '--no-audit', '--no-fund');
  if (existsSync(join(clone, 'dist'))) throw new Error('npm ci in a checkout builds');
  const [packed] = JSON.parse(run(clone, 'npm', 'pack', '--json'));
  const paths = packed.files.map(({ path }) => path);
  const missing = files.filter((path) => !paths.includes(path));
  if (missing.length) throw new Error(`npm pack of a clean checkout leaves out ${missing.join(', ')}`);
  for (const [name, source] of [
    ['tarball', join(clone, packed.filename)],
    ['git', `git+${pathToFileURL(clone).href}`],
  ]) {
    const app = join(folder, name);
    mkdirSync(app);
    writeFileSync(join(app, 'package.json'), '{ "type": "module", "private": true }');
    run(app, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', source);
    cpSync(join(tools, 'answer.mjs'), join(app, 'answer.mjs'));
    run(app, process.execPath, 'answer.mjs');
    run(app, 'npx', '--no-install', 'egps', '--help');
    console.log(`  ${name}`);
  }
}

async function main(names) {
  const folder = mkdtempSync(join(tmpdir(), 'egps-package-'));
  try {
    run(root, process.execPath, 'scripts/setup.mjs', '--build');
    const { tarball, files } = pack(folder);
    const app = join(folder, 'app');
    install(tarball, app);
    const checks = {
      lint: async () => {
        const problems = await lint(tarball);
        if (problems.length) throw new Error(problems.join('\n'));
      },
      types: () => checkTypes(app),
      run: () => checkRuns(app),
      jsr: () => deno(root, 'publish', '--config', 'jsr.json', '--dry-run', '--allow-dirty'),
      checkout: () => checkCheckout(folder, files),
    };
    for (const name of names.length ? names : Object.keys(checks)) {
      if (!Object.hasOwn(checks, name))
        throw new Error(`no check ${name}: ${Object.keys(checks).join(', ')}`);
      console.log(name);
      await checks[name]();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
