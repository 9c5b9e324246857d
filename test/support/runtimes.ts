import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { npm } from './npm.ts';

/** Where the npm packages of other runtimes have their program: the scope of its packages, one a platform, and its place in them. */
const PACKAGES = {
  deno: { scope: '@deno', program: 'deno' },
  bun: { scope: '@oven', program: 'bin/bun' },
};

/** Path of the program that test/NAME's package holds, which is installed where it is missing. No script of theirs has to run. */
export function programOf(name: keyof typeof PACKAGES): string {
  const { scope, program } = PACKAGES[name];
  const folder = resolve('test', name, 'node_modules', scope);
  if (!existsSync(folder)) npm('ci --ignore-scripts', resolve('test', name));
  const [platform] = readdirSync(folder);
  return join(folder, platform, process.platform === 'win32' ? `${program}.exe` : program);
}

const env = { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };

/** Standard output of a program that has to succeed. */
export function outputOf(program: string, args: readonly string[], input?: string): string {
  const run = spawnSync(program, args, { encoding: 'utf8', env, input, timeout: 120_000 });
  if (run.error) throw run.error;
  if (run.status !== 0)
    throw new Error(`${args.slice(0, 3).join(' ')} … ended with ${run.status}: ${run.stderr}`);
  return run.stdout;
}

/** Starts a program, does something to it at its first words, and tells how it ended. */
export async function endOf(
  program: string,
  args: readonly string[],
  meanwhile: (child: ChildProcess) => void,
): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.stdout.once('data', () => meanwhile(child)).on('error', () => {});
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
}

/** The command line stops at Ctrl-C with its exit code, and without an error where nobody reads on. */
export async function endsAsItShould(program: string, main: readonly string[]): Promise<void> {
  const endless = ['generate', '--sampler', 'greedy', '--num-samples', '100000', 'Mia has 2 coins.'];
  const stopped = await endOf(program, [...main, ...endless], (child) => child.kill('SIGINT'));
  assert.is(stopped.code, 130, stopped.stderr);
  const left = await endOf(program, [...main, ...endless], (child) => child.stdout?.destroy());
  assert.is(left.code, 0, left.stderr);
}
