// The documentation of all that the package exports, which `deno doc` makes of the docstrings: a site in docs/api, which is not committed. With
// --check nothing is written; it fails where something that is exported, or a member of it, has no docstring.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { denoProgram } from './package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const site = ['--html', '--name=egps', '--output=docs/api'];
const how = process.argv.includes('--check') ? ['--lint'] : site;
const entries = ['src/index.ts', 'src/api/abacus.ts'];
const { status, stdout, stderr } = spawnSync(
  denoProgram(),
  ['doc', '--config', 'deno.json', '--no-npm', ...how, ...entries],
  { cwd: root, encoding: 'utf8', env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' } },
);
if (status !== 0) {
  console.error(`${stdout}${stderr}`.trim());
  process.exit(1);
}
if (how === site) console.log(`${join(root, 'docs/api/index.html')}`);
