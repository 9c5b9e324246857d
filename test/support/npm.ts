import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Runs npm. By a shell, since on Windows npm is none of the programs that start without one. @param command without what a shell would read otherwise */
export function npm(command: string, cwd: string): void {
  const run = spawnSync(`npm ${command}`, { cwd, encoding: 'utf8', shell: true, timeout: 300_000 });
  if (run.status !== 0) throw new Error(`npm ${command} in ${cwd} failed: ${run.stderr}`);
}

/** Installs the package of a folder of its own, such as test/deno, where that has not been done. */
export function installOnce(folder: string): void {
  if (!existsSync(`${folder}/node_modules`)) npm('ci', folder);
}
