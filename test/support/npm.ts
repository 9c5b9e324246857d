import { spawnSync } from 'node:child_process';

/** Runs npm, by a shell: on Windows it is no program. */
export function npm(command: string, cwd: string): void {
  const run = spawnSync(`npm ${command}`, { cwd, encoding: 'utf8', shell: true, timeout: 120_000 });
  if (run.status !== 0) throw new Error(`npm ${command} in ${cwd} failed: ${run.stderr}`);
}
