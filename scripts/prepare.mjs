// Who installs from git or from a folder gets what is built here, by npm's `prepare`. npm also runs it after `npm ci` in the
// checkout itself, where setup.mjs builds when something is run: there it does nothing.
import { spawnSync } from 'node:child_process';
import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Where the package manager was started, which it tells. */
const from = relative(root, process.env.INIT_CWD ?? root);
if (from.startsWith('..') || isAbsolute(from)) {
  const { status } = spawnSync('npm run prepack', { cwd: root, stdio: ['ignore', 2, 2], shell: true });
  process.exitCode = status ?? 1;
}
