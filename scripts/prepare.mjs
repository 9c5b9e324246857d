// Who installs from git or from a folder gets what is built here, by npm's `prepare`. npm also runs it after `npm ci` in the
// checkout itself, where setup.mjs builds when something is run: there it does nothing.
import { spawnSync } from 'node:child_process';
import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Where the package manager was started. */
const from = process.env.INIT_CWD ?? root;
const path = relative(root, from);
if (path.startsWith('..') || isAbsolute(path)) {
  const setup = fileURLToPath(new URL('setup.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [setup, '--build'], { stdio: ['ignore', 2, 2] });
  process.exitCode = status ?? 1;
}
