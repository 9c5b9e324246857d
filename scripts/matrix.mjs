// Runs the program as its users do, under everything that the README promises: `npm run matrix`, or `npm run matrix -- Bun "Node 22"`
// for what begins with one of these texts. It takes the last commit, and from npm's registry the runtimes and dependencies. What was
// drawn is shown as a hash and has to be the same everywhere. bench/results/runtimes.md keeps the tables of a whole run.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programOf } from '../dist/test/support/runtimes.js';
import { bundleByEsbuild, bundleByRollup, COMPILERS, GLOBALS, RESOLUTIONS, typeCheck } from './package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const work = join(root, 'test-artefacts', 'matrix');
const read = (...path) => readFileSync(join(...path), 'utf8');
const { engines } = JSON.parse(read(root, 'package.json'));
const OLDEST = `${engines.node.replace('>=', '')}.0`;
const NODES = [OLDEST, '20', '22', '24', '26'];
const PROBLEM = 'Mia has 28 coins. Mia finds 19. How many coins now?';
const NPM = ['npm', 'install', '--no-audit', '--no-fund'];

/** What a command prints. @param path folders to look for programs in first @throws where it fails */
function run(cwd, path, [command, ...args]) {
  const own = { NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1', EGPS_NO_SETUP: '1' };
  const env = { ...process.env, ...own, PATH: [...path, process.env.PATH].join(delimiter) };
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

function emptyFolder(name) {
  const path = join(work, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

function clone(name) {
  const path = emptyFolder(name);
  run(path, [], ['git', 'clone', '--quiet', root, '.']);
  return path;
}

/** A Node, with an npm that runs under it. */
function node(version) {
  const home = join(work, 'runtimes', `node-${version}`);
  const path = [join(home, 'node_modules', '.bin')];
  if (!existsSync(path[0])) {
    const { platform, arch } = process;
    const name = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
    mkdirSync(home, { recursive: true });
    run(home, [], [...NPM, '--prefix', home, `${name}-${platform}-${arch}@${version}`, 'npm@10']);
  }
  return {
    name: `Node ${run(work, path, ['node', '--version']).trim().slice(1)}`,
    path,
    setup: ['npm', 'ci', '--no-audit', '--no-fund'],
    demo: ['npm', 'start', '--'],
    install: NPM,
    program: ['node'],
  };
}

function bun() {
  const program = programOf('bun');
  return {
    name: `Bun ${run(work, [], [program, '--version']).trim()}`,
    path: [],
    setup: [program, 'install', '--no-save'],
    demo: [program, 'src/cli/main.ts', 'demo'],
    install: [program, 'add'],
    program: [program],
  };
}

/** It runs what npm has installed. Its own WebGPU has no subgroups, so that other kernels compute; what is drawn has been the same. */
function deno() {
  const program = programOf('deno');
  const { tasks } = JSON.parse(read(root, 'deno.json'));
  return {
    name: `Deno ${run(work, [], [program, '--version']).split(' ')[1]}`,
    path: [],
    setup: [program, 'install'],
    demo: [program, 'task', 'start'],
    install: NPM,
    program: [program, 'run', '--no-prompt', ...tasks.egps.match(/--allow-\S+/g)],
  };
}

const RUNTIMES = {
  ...Object.fromEntries(NODES.map((version) => [`Node ${version}`, () => node(version)])),
  Bun: bun,
  Deno: deno,
};

/** A project with the package, from the tarball of a fresh clone. */
function project(name, { path, install }) {
  const tarball = join(work, 'egps.tgz');
  if (!existsSync(tarball)) {
    const from = clone('packed');
    const [{ filename }] = JSON.parse(run(from, [], ['npm', 'pack', '--json']));
    cpSync(join(from, filename), tarball);
  }
  const app = emptyFolder(name);
  writeFileSync(join(app, 'package.json'), '{ "type": "module", "private": true }');
  run(app, path, [...install, tarball]);
  for (const file of ['answer.mjs', 'consumer.ts'])
    cpSync(join(root, 'test', 'package', file), join(app, file));
  return app;
}

/** What is done under each runtime, in a fresh clone or in a project with the package: what was drawn. */
const COLUMNS = {
  checkout({ path, setup, demo }) {
    const folder = clone('clone');
    run(folder, path, setup);
    const rows = run(folder, path, [...demo, '--seed', '11']).matchAll(/^ ?(\d+) {2}.*% *(right|wrong) /gm);
    return Array.from(rows, ([row]) => row.replace(/(right|wrong) +\d+/g, '$1')).sort(); // passes may be others
  },
  library: ({ path, program }, app) => JSON.parse(run(app, path, [...program, 'answer.mjs'])).tokens,
  generate({ path, program }, app) {
    const options = ['--seed', '5', '--particles', '16', '--json', '--trace', 'trace.html'];
    const said = run(app, path, [
      ...program,
      'node_modules/egps/bin/egps.js',
      'generate',
      ...options,
      PROBLEM,
    ]);
    if (!read(app, 'trace.html').includes('</html>')) throw new Error('trace.html is not whole');
    return JSON.parse(said).tokens;
  },
  eval({ path, program }, app) {
    const options = ['--task', 'abacus', '--limit', '6', '--sampler', 'sample', '--out', 'run'];
    run(app, path, [...program, 'node_modules/egps/bin/egps.js', 'eval', ...options]);
    const lines = read(app, 'run', 'results.jsonl').trim().split('\n').sort();
    return lines.map((line) => JSON.parse(line)).map(({ item, verdict, text }) => [item, verdict, text]);
  },
  calibrate({ path, program }, app) {
    cpSync(join(app, 'node_modules/egps/models/abacus'), join(app, 'model'), { recursive: true });
    writeFileSync(join(app, 'prompts.txt'), `${PROBLEM}\n`);
    const options = ['--model', 'model', '--prompts', 'prompts.txt', '--samples', '8'];
    run(app, path, [...program, 'node_modules/egps/bin/egps.js', 'calibrate', ...options]);
    return JSON.parse(read(app, 'model', 'egps.json'));
  },
};

const wanted = process.argv.slice(2);
const isWanted = (name) => wanted.length === 0 || wanted.some((text) => name.startsWith(text));
let [attempts, failed] = [0, 0];

/** Does something and tells so. @returns what it gave, as it is put into a table; 'failed' */
async function attempt(what, work) {
  const began = performance.now();
  attempts++;
  let cell;
  try {
    cell = (await work()) ?? 'ok';
  } catch (error) {
    failed++;
    cell = 'failed';
    console.log(error.message.trimEnd());
  }
  console.log(`${what}: ${cell}, ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return cell;
}

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

async function runtimes() {
  const first = {};
  const rows = [];
  for (const [asked, open] of Object.entries(RUNTIMES)) {
    if (!isWanted(asked)) continue;
    const runtime = open();
    let app;
    const row = [runtime.name];
    for (const [column, work] of Object.entries(COLUMNS)) {
      const cell = await attempt(`${runtime.name}, ${column}`, () => {
        if (column !== 'checkout') app ??= project('app', runtime);
        const hash = createHash('sha256')
          .update(JSON.stringify(work(runtime, app)))
          .digest('hex')
          .slice(0, 8);
        first[column] ??= hash;
        if (hash !== first[column]) throw new Error(`${hash} was drawn, ${first[column]} before`);
        return hash;
      });
      row.push(cell);
    }
    rows.push(row);
  }
  return table(['', ...Object.keys(COLUMNS)], rows);
}

/** Types and bundles, of a project of the oldest Node. */
async function builds() {
  const oldest = node(OLDEST);
  const app = project('app', oldest);
  const rows = [];
  const expected = COLUMNS.library(oldest, app).join();
  for (const compiler of COMPILERS) {
    const cell = await attempt(compiler, () => {
      const said = RESOLUTIONS.flatMap((how) =>
        GLOBALS.map((globals) => typeCheck(app, compiler, how, globals)),
      );
      if (said.join('')) throw new Error(said.filter(Boolean).join('\n'));
    });
    rows.push([compiler, cell]);
  }
  const bundlers = {
    'esbuild.mjs': bundleByEsbuild,
    'esbuild.cjs': bundleByEsbuild,
    'rollup.mjs': bundleByRollup,
  };
  for (const [file, bundle] of Object.entries(bundlers)) {
    const cell = await attempt(file, async () => {
      await bundle(app, file);
      const { tokens } = JSON.parse(run(app, oldest.path, ['node', file]));
      if (tokens.join() !== expected) throw new Error('other tokens than those without a bundle');
    });
    rows.push([file, cell]);
  }
  return table(['the package, type-checked or bundled', ''], rows);
}

mkdirSync(work, { recursive: true });
rmSync(join(work, 'egps.tgz'), { force: true });
const tables = [await runtimes(), ...(isWanted('builds') ? [await builds()] : [])].join('\n\n');
console.log(`\n${tables}`);
if (wanted.length === 0) writeFileSync(join(root, 'bench', 'results', 'runtimes.md'), `${tables}\n`);
if (attempts === 0) console.log(`nothing begins with ${wanted.join(' or ')}`);
process.exitCode = failed > 0 || attempts === 0 ? 1 : 0;
