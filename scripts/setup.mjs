// Makes a checkout ready to run, and is quick where it is: dependencies, build, a WebGPU adapter. Idempotent.
// On Debian and Ubuntu without a GPU it installs a software Vulkan driver; EGPS_NO_SETUP=1 forbids that. Where there is no root it says
// how to do without. With --build it only installs dependencies and builds, for a package that is used elsewhere.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { planDriver } from './setup-plan.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const inRoot = (...path) => join(root, ...path);
const say = (message) => console.error(`setup: ${message}`);

function stop(message) {
  console.error(message);
  process.exit(1);
}

function checkNode() {
  const { engines } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  const [, needed] = />=(\d+\.\d+)/.exec(engines.node);
  const isOlder = needed.localeCompare(process.versions.node, 'en', { numeric: true }) > 0;
  if (isOlder) stop(`egps needs Node ${needed} or newer; this is ${process.versions.node}`);
}

function installDependencies() {
  if (dependenciesAreInstalled()) return;
  say('installing the dependencies of package-lock.json (npm ci)');
  // By a shell, since on Windows npm is no program; with arguments apart Node warns of that.
  const run = spawnSync('npm ci', { cwd: root, stdio: ['ignore', 2, 2], shell: true });
  if (run.status !== 0) stop('npm ci failed');
}

/** Compares what npm wrote down when it last installed with the lock file; packages for other platforms may be missing. */
function dependenciesAreInstalled() {
  const record = inRoot('node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const { '': _, ...locked } = JSON.parse(readFileSync(inRoot('package-lock.json'), 'utf8')).packages;
  return (
    Object.keys(installed).every((path) => locked[path]) &&
    Object.entries(locked).every(([path, { version, integrity, optional }]) =>
      installed[path]
        ? installed[path].version === version && installed[path].integrity === integrity
        : optional,
    )
  );
}

function build() {
  const stamp = inRoot('dist', '.built-from');
  const inputs = describeInputs();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) return;
  // Outputs of sources that are gone must not linger: a deleted test would still run.
  rmSync(inRoot('dist'), { recursive: true, force: true });
  for (const script of ['scripts/shaders.mjs', 'scripts/pages.mjs', 'node_modules/typescript/bin/tsc']) {
    const run = spawnSync(process.execPath, [inRoot(script)], { cwd: root, stdio: ['ignore', 2, 2] });
    if (run.status !== 0) stop(`the build failed (${script})`);
  }
  writeFileSync(stamp, describeInputs());
}

/** A hash over name, time and size of everything the build reads. */
function describeInputs() {
  const files = ['tsconfig.json', 'package.json', 'package-lock.json'];
  const { include } = JSON.parse(readFileSync(inRoot('tsconfig.json'), 'utf8'));
  for (const folder of ['scripts', 'shaders', ...include]) {
    for (const entry of readdirSync(inRoot(folder), { recursive: true })) {
      if (/\.(ts|wgsl|mjs)$/.test(entry) && !entry.includes('node_modules')) files.push(join(folder, entry));
    }
  }
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    const { mtimeMs, size } = statSync(inRoot(file));
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

/** In a process of its own: a broken driver may crash it, and a driver installed meanwhile is only seen by a new one. */
function probe() {
  const script = `
    const { create } = await import('webgpu').catch(async (error) => {
      const { trouble } = await import('./dist/src/gpu/dawn-trouble.js');
      console.error(trouble(error));
      process.exit(4);
    });
    globalThis.dawn = create([]);
    process.exit((await dawn.requestAdapter()) ? 0 : 3);`;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { found: run.status === 0, loads: run.status !== 4, output: run.stderr };
}

function readMachine() {
  const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  const folder = '/etc/apt/sources.list.d';
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => /\.(list|sources)$/.test(name))
    : [];
  const files = ['/etc/apt/sources.list', ...names.map((name) => `${folder}/${name}`)];
  const uid = process.getuid?.();
  return {
    platform: process.platform,
    osRelease: read('/etc/os-release'),
    sources: files.map((name) => ({ name, text: read(name) })),
    arch: process.arch,
    glibc: process.report.getReport().header.glibcVersionRuntime,
    drivers: Object.fromEntries(
      ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']
        .filter((name) => process.env[name])
        .map((name) => [name, process.env[name]]),
    ),
    uid,
    sudo: process.platform === 'linux' && uid !== 0 && spawnSync('sudo', ['-n', 'true']).status === 0,
    allowed: !process.env.EGPS_NO_SETUP,
  };
}

/** Those with glibc 2.34 and the libstdc++ of GCC 12, which webgpu 0.6 asks for. */
const ENOUGH =
  'Its binary runs on Debian 12, Ubuntu 22.04, Fedora 36, RHEL 10 and what is newer, and in a container of one of these.';

function findAdapter() {
  const first = probe();
  if (first.found) return;
  const machine = readMachine();
  if (!first.loads) {
    const remedy = machine.platform === 'linux' ? `\n${ENOUGH}` : '';
    stop(`AdapterError: the npm package "webgpu" does not load here: ${tail(first.output)}${remedy}`);
  }
  const plan = planDriver(machine);
  if (plan.kind === 'advise') {
    const message = `AdapterError: no WebGPU adapter found: ${plan.reason}${waysOut(plan)}`;
    if (machine.allowed) stop(message);
    return say(message);
  }

  say(
    `no WebGPU adapter found; installing ${plan.packages.join(' ')} from ${plan.suite}, which computes on the CPU`,
  );
  const failure = install(plan);
  if (failure) stop(`${tail(failure)}\nAdapterError: the driver could not be installed${waysOut(plan)}`);
  const second = probe();
  if (!second.found) {
    stop(
      `AdapterError: ${plan.packages.join(' ')} is installed, still no WebGPU adapter\n${tail(second.output)}`,
    );
  }
}

/** The lines to type, each of which is enough. */
function waysOut({ line, withoutRoot }) {
  const ways = [
    line && `  ${line}`,
    withoutRoot &&
      `  ${withoutRoot}\n    needs no root: SwiftShader, a driver that computes on the CPU and is slow, for this shell`,
  ].filter(Boolean);
  return ways.length ? `; type\n${ways.join('\nor\n')}` : '';
}

/** Carries an install plan out; what was printed where it fails. */
function install({ write, commands }) {
  if (write) {
    say(`adding ${write.file}`);
    const [command, ...args] = [...write.root, 'tee', write.file];
    const run = spawnSync(command, args, { input: write.text, encoding: 'utf8' });
    if (run.status !== 0) return run.stderr;
  }
  // An update may fail for the sake of a source that does not matter here: the last command decides.
  let output = '';
  let status;
  for (const [command, ...args] of commands) {
    const run = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    output += `${run.stdout}${run.stderr}`;
    status = run.status;
  }
  if (status === 0) return;
  if (write) {
    const [command, ...args] = [...write.root, 'rm', '-f', write.file];
    spawnSync(command, args);
  }
  return output;
}

const tail = (text) => text.trimEnd().split('\n').slice(-20).join('\n');

checkNode();
installDependencies();
build();
if (!process.argv.includes('--build')) findAdapter();
