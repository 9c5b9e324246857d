import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { GraderError, OptionError } from '../../base/errors.ts';
import { isAllowed } from '../../base/runtime.ts';
import type { Grade, Item } from '../item.ts';
import { BOOTSTRAP } from './bootstrap.ts';
import { completeProgram } from './program.ts';
import { removeFolder } from './remove.ts';
import type { Isolation, SandboxReport, SandboxRequest } from './sandbox.ts';

export { completeProgram } from './program.ts';
export type { Isolation } from './sandbox.ts';

const CONCURRENCY = 2;
/** The user `nobody`, to whom a program is given where this process is root. */
const NOBODY = 65534;
/** Milliseconds for Python to start and set the sandbox up, which the time limit does not count. */
const START_LIMIT = 30_000;
const MOST_OUTPUT = 4096;
/** Modules that a user who may not read Python's own folder cannot import. */
const TRIAL =
  'import bisect, collections, copy, hashlib, heapq, itertools, math, random, re, string, typing\n';

interface PythonGraderOptions {
  /** Seconds of wall-clock time for a program and its checks. Default 10. */
  readonly timeLimit?: number;
  /** Bytes of address space, Python's own included. Default 2 GiB. */
  readonly memory?: number;
  /** Name or path of the interpreter, 3.8 or later. Default: the first `python3` on PATH that works. */
  readonly python?: string;
}

/**
 * Grades Python functions as HumanEval does: by running them, then the item's checks, in a process of their own.
 * At most two run at a time. See `BOOTSTRAP` for how a process is confined and what that does not stop.
 */
export class PythonGrader {
  /** Path of the interpreter. */
  readonly python: string;
  readonly isolation: Isolation;
  readonly #timeLimit: number;
  readonly #memory: number;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #free = CONCURRENCY;

  private constructor(python: string, isolation: Isolation, timeLimit: number, memory: number) {
    this.python = python;
    this.isolation = isolation;
    this.#timeLimit = timeLimit;
    this.#memory = memory;
  }

  /**
   * Finds Python and runs a trivial program in the sandbox.
   * @throws OptionError for limits that are none; GraderError on Windows, without Deno's permission, or where no interpreter works, with what
   *   was tried and why each failed. One that user 65534 cannot read does not work for root.
   */
  static async open(options: PythonGraderOptions = {}): Promise<PythonGrader> {
    const { timeLimit = 10, memory = 2 ** 31, python } = options;
    if (!(timeLimit > 0 && timeLimit <= 86400)) {
      throw new OptionError(`timeLimit is ${timeLimit}: more than 0 and at most 86400 seconds are allowed`);
    }
    if (!(Number.isSafeInteger(memory) && memory > 0)) {
      throw new OptionError(`memory is ${memory}: a positive whole number of bytes is expected`);
    }
    if (process.platform === 'win32') {
      throw new GraderError('running HumanEval programs needs Linux or macOS: Windows cannot confine them');
    }
    if (!isAllowed({ name: 'run' }) || !isAllowed({ name: 'sys', kind: 'uid' })) {
      throw new GraderError(
        'grading HumanEval runs Python, which Deno has not been allowed to: `deno run -A src/cli/main.ts eval …` allows it',
      );
    }
    const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
    const tried: string[] = [];
    let cause: unknown;
    for (const command of python === undefined ? path.map((folder) => join(folder, 'python3')) : [python]) {
      try {
        const executable = await interpreter(command);
        const request = { programs: [TRIAL], entryPoint: null, memory };
        const { isolation, verdict } = await runConfined(executable, request, START_LIMIT / 1000);
        if (verdict === 'right') return new PythonGrader(executable, isolation, timeLimit, memory);
        const user = process.getuid?.() === 0 ? ` as user ${NOBODY}` : '';
        tried.push(`${executable} cannot import its own modules${user} within ${memory} bytes`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' && python === undefined) continue;
        cause ??= error;
        tried.push(`${command}: ${(error as Error).message.trim().split('\n').at(-1)}`);
      }
    }
    const where = python === undefined ? `python3 on PATH (${path.join(delimiter)})` : python;
    throw new GraderError(
      `grading HumanEval needs a python3, 3.8 or later; tried ${where}${tried.length ? `: ${tried.join('; ')}` : ', not found'}`,
      { cause },
    );
  }

  /**
   * Runs the response's program and the item's checks: 'right' only if the checks ran to their end.
   * @throws GraderError where the sandbox cannot be set up, or after `close`; the reason of `signal` once it aborts.
   */
  async grade(item: Item, response: string, signal?: AbortSignal): Promise<Grade> {
    // One of its own even without `signal`: hundreds may listen at once.
    const stop = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]);
    stop.throwIfAborted();
    const made = completeProgram(item, response);
    if (!made) return { verdict: 'no answer', answer: null };
    const request = {
      programs: [made.program, item.answer],
      entryPoint: item.entryPoint ?? null,
      memory: this.#memory,
    };
    const run = this.#run(request, stop);
    this.#running.add(run);
    try {
      return { verdict: (await run).verdict, answer: made.completion };
    } finally {
      this.#running.delete(run);
    }
  }

  /** Ends what runs or waits, whose promises reject, and waits until nothing of it is left. */
  async close(): Promise<void> {
    this.#closing.abort(new GraderError('the grader of Python programs is closed'));
    await Promise.allSettled(this.#running);
  }

  async #run(request: Asked, signal: AbortSignal): Promise<Outcome> {
    await this.#enter(signal);
    try {
      return await runConfined(this.python, request, this.#timeLimit, signal);
    } catch (error) {
      if (signal.aborted || error instanceof GraderError) throw error;
      throw new GraderError(`the sandbox of ${this.python} failed: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      this.#free++;
      this.#waiting.shift()?.();
    }
  }

  /** Waits for one of the places. */
  async #enter(signal: AbortSignal): Promise<void> {
    while (this.#free === 0) {
      await new Promise<void>((resolve, reject) => {
        const enter = () => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const leave = () => {
          this.#waiting.splice(this.#waiting.indexOf(enter), 1);
          reject(signal.reason);
        };
        signal.addEventListener('abort', leave, { once: true });
        this.#waiting.push(enter);
      });
    }
    this.#free--;
  }
}

/** Path of the interpreter behind a command, which may be a wrapper that needs the user's environment. */
async function interpreter(command: string): Promise<string> {
  const script = 'import sys; print(*sys.version_info[:2], sys.executable)';
  const { stdout } = await promisify(execFile)(command, ['-I', '-c', script], { timeout: START_LIMIT });
  const [, major, minor, executable] = /^(\d+) (\d+) (.+)$/m.exec(stdout) ?? [];
  if (!executable) throw new GraderError('it is no Python');
  if (Number(major) !== 3 || Number(minor) < 8) throw new GraderError(`it is Python ${major}.${minor}`);
  return executable;
}

type Asked = Pick<SandboxRequest, 'programs' | 'entryPoint' | 'memory'>;

interface Outcome {
  readonly verdict: 'right' | 'wrong' | 'timed out';
  readonly isolation: Isolation;
}

async function runConfined(
  python: string,
  asked: Asked,
  timeLimit: number,
  signal?: AbortSignal,
): Promise<Outcome> {
  const uid = process.getuid?.() === 0 ? NOBODY : null;
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'egps-python-')));
  try {
    if (uid !== null) await chown(folder, uid, uid);
    signal?.throwIfAborted();
    const nonce = randomBytes(32).toString('hex');
    const cpu = Math.ceil(timeLimit) + 1;
    const child = spawn(python, ['-I', '-B', '-c', BOOTSTRAP], {
      cwd: folder,
      // One thread for the libraries below NumPy, which abort where they cannot start theirs; one arena, since each thread's
      // would take of the address space.
      env: {
        PATH: process.env.PATH,
        LANG: process.env.LANG ?? 'C.UTF-8',
        HOME: folder,
        TMPDIR: folder,
        OMP_NUM_THREADS: '1',
        OPENBLAS_NUM_THREADS: '1',
        MALLOC_ARENA_MAX: '1',
      },
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
      detached: true,
    });
    const request: SandboxRequest = { ...asked, nonce, uid, parent: process.pid, cpu };
    // It fails where the process ends early, which the report tells.
    child.stdin?.on('error', () => {}).end(JSON.stringify(request));
    const { output, late } = await untilEnd(child, timeLimit, signal);
    const newline = output.indexOf('\n');
    const report: SandboxReport =
      newline < 0
        ? { error: late ? 'it did not start in time' : 'it ended before it stood' }
        : JSON.parse(output.slice(0, newline));
    if ('error' in report) throw new GraderError(`the sandbox of ${python} failed: ${report.error}`);
    const right = output.slice(newline + 1) === nonce;
    return { verdict: right ? 'right' : late ? 'timed out' : 'wrong', isolation: report };
  } finally {
    const error = await removeFolder(folder);
    if (error) warnOnce(error);
  }
}

/**
 * What a process writes on descriptor 3 until it ends, by itself or killed with its group: after the start limit,
 * `timeLimit` seconds after its first output, or when `signal` aborts, whose reason is then thrown.
 */
function untilEnd(
  child: ChildProcess,
  timeLimit: number,
  signal?: AbortSignal,
): Promise<{ output: string; late: boolean }> {
  return new Promise((resolve, reject) => {
    const pipe = child.stdio[3] as Readable;
    let output = '';
    let late = false;
    const killGroup = () => {
      try {
        if (child.pid) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nothing of it is left.
      }
    };
    const end = () => {
      killGroup();
      // Whoever still holds the other end must not keep this waiting.
      pipe.destroy();
    };
    const expire = () => {
      late = true;
      end();
    };
    let timer = setTimeout(expire, START_LIMIT);
    pipe.on('error', () => {});
    pipe.setEncoding('latin1').on('data', (text: string) => {
      if (output === '') {
        clearTimeout(timer);
        timer = setTimeout(expire, timeLimit * 1000);
      }
      if (output.length < MOST_OUTPUT) output += text;
    });
    signal?.addEventListener('abort', end);
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    };
    child.on('exit', killGroup);
    child.on('error', (error) => {
      done();
      reject(error);
    });
    child.on('close', () => {
      done();
      if (signal?.aborted) reject(signal.reason);
      else resolve({ output, late });
    });
  });
}

let warned = false;

/** A program's folder that cannot be removed is no reason to lose the evaluation. */
function warnOnce(error: Error): void {
  if (warned) return;
  warned = true;
  process.emitWarning(`files of a program that was graded are left: ${error.message}`, 'GraderWarning');
}
