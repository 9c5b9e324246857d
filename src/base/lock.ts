import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutputError } from './errors.ts';
import { isAllowed } from './runtime.ts';

/** Who holds a lock. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Tells apart machines, boots and containers of one name: process ids of different ones say nothing of each other. */
  readonly system: string;
  /** When the process began, as the kernel counts; ids are given to other processes later. */
  readonly started: string;
}

function isHolder(value: unknown): value is Holder {
  const { pid, host, system, started } = Object(value);
  const texts = [host, system, started].every((text) => typeof text === 'string');
  return Number.isSafeInteger(pid) && pid > 0 && texts && host !== '';
}

const UNKNOWN = 'an unknown machine';
const HEARTBEAT = 5_000;
const SILENCE = 20_000;
const PATIENCE = 500; // between two looks at a lock that another process holds

/** The refusal of a lock that another process holds. */
class HeldError extends OutputError {}

/** Of this machine, where Deno may tell it. */
export const hostName = (): string => (isAllowed({ name: 'sys', kind: 'hostname' }) ? hostname() : UNKNOWN);

/**
 * A lock on a folder that ends with its process, however that ends. Every process puts a file of its own into the folder and then looks
 * whether another one that is alive has one there, so that of two processes at least one sees the other: each of two that start at the
 * same moment may refuse. A process of this machine is looked up. One of another machine, on a shared disk, or one
 * that cannot be looked up, gives a sign of life every five seconds, and counts as dead after twenty without one.
 */
export class FolderLock {
  /** Aborted when the lock was taken away, as happens to a process that was suspended. */
  readonly lost: AbortSignal;
  private readonly file: string;
  private readonly heartbeat: NodeJS.Timeout;

  private constructor(file: string, folder: string) {
    const lost = new AbortController();
    this.lost = lost.signal;
    this.file = file;
    this.heartbeat = setInterval(() => {
      const now = new Date();
      utimes(file, now, now).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') return;
        const there = await stat(folder).catch(() => undefined);
        const what = there
          ? 'another process has taken the folder'
          : 'was removed while this process was writing to it';
        lost.abort(new OutputError(folder, what, { cause: error }));
      });
    }, HEARTBEAT).unref();
  }

  /**
   * @param silence milliseconds without a sign of life after which a process of another machine counts as dead
   * @throws OutputError naming the process that holds it
   */
  static async acquire(folder: string, silence: number = SILENCE): Promise<FolderLock> {
    const locks = join(folder, 'lock');
    await mkdir(locks).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST' || !(await stat(locks)).isDirectory()) throw error;
    });
    const own = await self();
    const name = `${randomUUID()}.json`;
    const file = join(locks, name);
    await writeFile(file, JSON.stringify(own));
    const lock = new FolderLock(file, folder);
    try {
      for (const other of await readdir(locks)) {
        if (other === name) continue;
        const path = join(locks, other);
        const entry = await lstat(path).catch(() => undefined);
        if (entry && !entry.isFile())
          throw new OutputError(
            path,
            'is not the file of a process, and nothing else belongs there: remove it',
          );
        const holder = await read(path);
        if (holder && (await isAlive(path, holder, own, silence))) {
          const { pid, host } = holder;
          throw new HeldError(folder, `process ${pid} on ${host} is writing to this folder`);
        }
        await rm(path, { force: true });
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
    return lock;
  }

  /** The same once every other process has let go. @param onWait told who holds it @throws OutputError */
  static async wait(
    folder: string,
    signal: AbortSignal | undefined,
    onWait: (message: string) => void,
  ): Promise<FolderLock> {
    for (;;) {
      try {
        return await FolderLock.acquire(folder);
      } catch (error) {
        if (!(error instanceof HeldError)) throw error;
        onWait(error.message);
      }
      await sleep(PATIENCE * (0.5 + Math.random()), undefined, { signal }); // two that refused each other part ways
    }
  }

  async release(): Promise<void> {
    clearInterval(this.heartbeat);
    await rm(this.file, { force: true }).catch(() => undefined); // it ends with the process
  }
}

async function self(): Promise<Holder> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const processes = await readlink('/proc/self/ns/pid').catch(() => '');
  const started = (await startOf(process.pid)) ?? '';
  return { pid: process.pid, host: hostName(), system: `${boot.trim()} ${processes}`, started };
}

/** Field 22 of /proc/PID/stat; the second field, a name in parentheses, may hold anything. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

/** undefined where the lock was given up meanwhile. */
async function read(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const found = JSON.parse(text);
    if (isHolder(found)) return found;
  } catch {}
  return { pid: 0, host: UNKNOWN, system: '', started: '' }; // lost with the power; silence tells
}

async function isAlive(path: string, holder: Holder, own: Holder, silence: number): Promise<boolean> {
  const { pid, host, system, started } = holder;
  const isHere = host === own.host && host !== UNKNOWN && system === own.system;
  const found = isHere ? exists(pid) : undefined;
  if (found !== undefined) return found && ((await startOf(pid)) ?? '') === started;
  const seen = () =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
  const first = await seen();
  for (const until = Date.now() + silence; Date.now() < until; await sleep(silence / 20)) {
    const now = await seen();
    if (now === undefined) return false;
    if (now !== first) return true;
  }
  return false;
}

/** undefined where it cannot be told: Deno looks no process up unless it may start programs. */
function exists(pid: number): boolean | undefined {
  if (!isAllowed({ name: 'run' })) return undefined;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
