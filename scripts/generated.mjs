// Modules that a script makes of other files. They are committed: Deno and whoever installs the package have no build.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/**
 * Writes the module where it differs, so that its time tells when it last changed; with --check it fails instead.
 *
 * @param script which does so when it is the one that runs: its `import.meta.url`
 */
export async function runAsScript(script, path, generate) {
  if (script !== pathToFileURL(process.argv[1] ?? '').href) return;
  const file = new URL(`../${path}`, import.meta.url);
  const text = await generate();
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  if (process.argv[2] === '--check') {
    console.error(`${path} is not what its sources make: run npm run build, and commit it`);
    process.exitCode = 1;
  } else writeFileSync(file, text);
}
