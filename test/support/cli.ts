import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/run.ts';
import { Redraw, writers } from '../../src/cli/terminal.ts';
import { onSharedDevice } from './device.ts';
import { type Ended, endOf } from './process.ts';

/** The program, to be started. */
export const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** Runs a command line in this process, which takes a third of a second less than to start another one for it. */
export async function inProcess(argv: readonly string[]): Promise<Ended> {
  const written = { out: '', err: '' };
  const collect = (name: 'out' | 'err') => ({
    write(text: string) {
      written[name] += text;
    },
  });
  const { signal } = new AbortController();
  const [out, err] = [collect('out'), collect('err')];
  const io = { signal, redraw: new Redraw(err, {}), ...writers(out, err) };
  const code = await onSharedDevice(() => run(argv, io));
  return { code, ...written };
}

export interface Start {
  /** Goes to standard input. */
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  started?(pid: number, stderr: Readable): void;
}

/** Starts the program and waits for its end. */
export function program(argv: readonly string[], { input, cwd, env, started }: Start = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: 'pipe', cwd, env });
  const end = endOf(child);
  child.stdin.on('error', () => {}); // not every command reads it
  child.stdin.end(input ?? '');
  started?.(child.pid ?? 0, child.stderr);
  return end;
}
