// Carries the Dockerfile out where there is no Docker: in folders, by debootstrap and chroot. As root, on Debian, in a checkout:
//   node deploy/try-image.mjs FOLDER
// In place of Node's image there is a bare Debian 12 with this machine's Node. FOLDER, which must not be there yet, then has the stages.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dockerIgnore, parseDockerfile } from './dockerfile.mjs';

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const [given] = process.argv.slice(2);
if (!given || existsSync(given)) throw new Error('node deploy/try-image.mjs FOLDER, which is not there yet');
const folder = resolve(given);

function call(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(' ')}: exit code ${status}`);
}

function makeBase() {
  const base = join(folder, 'base');
  mkdirSync(folder, { recursive: true });
  call('debootstrap', ['--variant=minbase', 'bookworm', base], { stdio: ['ignore', 'ignore', 'inherit'] });
  cpSync('/etc/resolv.conf', join(base, 'etc/resolv.conf'));
  // As in Node's image: the user, and where node and npm are.
  call('chroot', [base, 'useradd', '--create-home', '--uid', '1000', 'node']);
  const prefix = dirname(dirname(process.execPath));
  cpSync(process.execPath, join(base, 'usr/local/bin/node'));
  cpSync(join(prefix, 'lib/node_modules/npm'), join(base, 'usr/local/lib/node_modules/npm'), {
    recursive: true,
  });
  call('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(base, 'usr/local/bin/npm')]);
  if (existsSync(CERTIFICATES)) cpSync(CERTIFICATES, join(base, CERTIFICATES));
  return base;
}

/** A stage: the folder it is in and what its instructions have set. */
function begin(base, name) {
  const root = join(folder, name);
  call('cp', ['-a', base, root]);
  return { root, cwd: '/', user: 'root', env: {} };
}

/** Runs a command in a stage; its exit code and what it printed. */
function inside({ root, cwd, user, env }, args, stdio = 'inherit') {
  const home = user === 'root' ? '/root' : `/home/${user}`;
  const variables = {
    PATH,
    HOME: home,
    NODE_EXTRA_CA_CERTS: CERTIFICATES,
    npm_config_cafile: CERTIFICATES,
    ...env,
  };
  const proc = join(root, 'proc');
  call('mount', ['-t', 'proc', 'proc', proc]);
  try {
    const enter = [`--userspec=${user}:${user}`, root, 'sh', '-c', 'cd "$0" && exec "$@"', cwd, ...args];
    return spawnSync('chroot', enter, { env: variables, stdio, encoding: 'utf8' });
  } finally {
    call('umount', [proc]);
  }
}

/** What Docker would send. */
function makeContext() {
  const context = join(folder, 'context');
  const isIgnored = dockerIgnore(readFileSync(join(checkout, '.dockerignore'), 'utf8'));
  cpSync(checkout, context, { recursive: true, filter: (path) => !isIgnored(relative(checkout, path)) });
  return context;
}

function copy({ sources, target }, from, { root, cwd }) {
  for (const source of sources) {
    const path = join(from, source);
    const folderOrFile =
      statSync(path).isFile() && target.endsWith('/') ? join(target, basename(source)) : target;
    const goal = join(root, resolve(cwd, folderOrFile));
    mkdirSync(dirname(goal), { recursive: true });
    cpSync(path, goal, { recursive: true, verbatimSymlinks: true });
  }
}

/** The last stage, and what it runs. */
function build() {
  const base = makeBase();
  const context = makeContext();
  const stages = {};
  let stage;
  let entry = [];
  let command = [];
  for (const step of parseDockerfile(readFileSync(join(checkout, 'Dockerfile'), 'utf8'))) {
    console.log(`${step.instruction} ${step.text}`);
    if (step.instruction === 'FROM') {
      stage = begin(base, step.name ?? 'image');
      if (step.name) stages[step.name] = stage;
    } else if (step.instruction === 'RUN') {
      const { status } = inside(stage, ['sh', '-c', step.text]);
      if (status !== 0) throw new Error(`exit code ${status}`);
    } else if (step.instruction === 'COPY') copy(step, step.from ? stages[step.from].root : context, stage);
    else if (step.instruction === 'WORKDIR') {
      stage.cwd = resolve(stage.cwd, step.text);
      mkdirSync(join(stage.root, stage.cwd), { recursive: true });
    } else if (step.instruction === 'ENV') Object.assign(stage.env, step.variables);
    else if (step.instruction === 'USER') stage.user = step.text;
    else if (step.instruction === 'ENTRYPOINT') entry = step.words;
    else command = step.words;
  }
  return { image: stage, base, entry, command };
}

function expect(what, holds, seen) {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}${holds ? '' : `:\n${seen}`}`);
  if (!holds) process.exitCode = 1;
}

const { image, base, entry, command } = build();
const egps = (args, env = {}) => {
  const run = inside(
    { ...image, env: { ...image.env, ...env } },
    [...entry, ...args],
    ['ignore', 'pipe', 'pipe'],
  );
  return { code: run.status, text: `${run.stdout}${run.stderr}` };
};
const help = egps(command);
expect('the image tells its commands', help.code === 0 && / eval /.test(help.text), help.text);
const problem = ['generate', 'Mia has 28 coins. Mia finds 19. How many coins now?'];
const none = egps(problem);
expect('without a GPU it refuses', none.code !== 0 && /no WebGPU adapter found/.test(none.text), none.text);

// A driver from outside the image shows that what is in it computes.
const { swiftShader } = await import('../scripts/swiftshader.mjs');
const { VK_DRIVER_FILES } = await swiftShader();
cpSync(dirname(VK_DRIVER_FILES), join(image.root, 'tmp/driver'), { recursive: true });
const driver = { VK_DRIVER_FILES: `/tmp/driver/${basename(VK_DRIVER_FILES)}` };
const answer = egps([...problem, '--sampler', 'greedy'], driver);
expect('with a driver it computes', answer.code === 0 && /boxed/.test(answer.text), answer.text);
const refused = egps(['info', '--require-gpu'], driver);
expect(
  'where a GPU is required it refuses that driver',
  refused.code !== 0 && /on the CPU/.test(refused.text),
  refused.text,
);

const size = (root) => Number(spawnSync('du', ['-sm', root], { encoding: 'utf8' }).stdout.split('\t')[0]);
console.log(`${size(image.root) - size(base)} MB on top of the base`);
