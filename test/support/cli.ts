import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/run.ts';
import { Redraw, writers } from '../../src/cli/terminal.ts';

/** The program, to be started. */
export const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** What became of a command. */
export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** Runs a command line in this process, which takes a third of a second less than to start another one for it. */
export async function inProcess(argv: readonly string[]): Promise<Ended> {
  const ended: Ended = { code: null, out: '', err: '' };
  const collect = (name: 'out' | 'err') => ({
    write(text: string) {
      ended[name] += text;
    },
  });
  const { signal } = new AbortController();
  const [out, err] = [collect('out'), collect('err')];
  ended.code = await run(argv, { signal, redraw: new Redraw(err, {}), ...writers(out, err) });
  return ended;
}

export interface Start {
  /** Goes to standard input. */
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  started?(pid: number): void;
}

/** Starts the program and waits for its end. */
export function program(argv: readonly string[], { input, cwd, env, started }: Start = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: 'pipe', cwd, env });
  const ended: Ended = { code: null, out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    ended.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    ended.err += text;
  });
  child.stdin.on('error', () => {}); // not every command reads it
  child.stdin.end(input ?? '');
  started?.(child.pid ?? 0);
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ ...ended, code }));
  });
}
