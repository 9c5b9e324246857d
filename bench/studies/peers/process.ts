/** The process of an engine, seen from outside. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Reply } from './child.ts';
import type { Engine } from './engine.ts';

/** Seconds after which an engine that does not answer is given up. */
const PATIENCE = 900;
type Method =
  | keyof { [M in keyof Engine as Engine[M] extends (...args: never[]) => unknown ? M : never]: 1 }
  | 'open';

export class EngineProcess {
  private readonly child;
  private output = '';
  private waiting: { resolve(reply: Reply): void; reject(error: Error): void } | undefined;

  constructor(driver: string, environment: NodeJS.ProcessEnv) {
    const url = driver.endsWith('.mjs')
      ? pathToFileURL(resolve('bench/studies/peers', driver))
      : new URL(`./${driver}.js`, import.meta.url);
    const child = fileURLToPath(new URL('./child.js', import.meta.url));
    this.child = spawn(process.execPath, [child, url.href], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-2000);
      });
    }
    this.child.on('message', (reply: Reply) => {
      if (reply.error === undefined) this.waiting?.resolve(reply);
      else this.waiting?.reject(new Error(reply.error));
    });
    this.child.on('close', (code, signal) => {
      const last = this.output.trim().split('\n').at(-1);
      this.waiting?.reject(
        new Error(`the process ended (${signal ?? `code ${code}`})${last && `: ${last}`}`),
      );
    });
  }

  async call(method: Method, ...args: unknown[]): Promise<Reply> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE * 1000);
    try {
      return await new Promise((resolve, reject) => {
        if (this.child.exitCode !== null) return reject(new Error('the process has ended'));
        this.waiting = { resolve, reject };
        this.child.send({ method, args });
      });
    } finally {
      clearTimeout(timer);
      this.waiting = undefined;
    }
  }

  end(): void {
    this.child.kill('SIGKILL');
  }
}

export const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0];
