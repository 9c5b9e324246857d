import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RUNTIME } from '../base/runtime.ts';

/** What Dawn says of drivers that allow more than it makes use of, which nobody needs to know. It has no switch for that. */
const NOISE =
  '^Warning: maxDynamic(Uniform|Storage)BuffersPerPipelineLayout artificially reduced from [0-9]+ to [0-9]+ to fit dynamic offset allocation limit\\.$';

/** Makes a pipe and reads it to its end, where there is a sed that can do this. Signals that are meant for the program do not end it. */
const FILTER = `trap '' HUP INT QUIT TERM
sed -u -E '' </dev/null && mkfifo -m 600 "$0" && exec sed -u -E '/${NOISE}/d' <"$0"`;

const nothing = () => {};

/**
 * Hides that, and nothing else, of what native code writes to file descriptor 2: from here on that is a pipe to a process that writes on to where it
 * led. What is in the pipe when this process crashes is written all the same. On a terminal `process.stderr` has a descriptor of its own and does not come
 * this way. Where something that this takes is missing, nothing is hidden; nor for a process whose end ends all others in its container.
 * To be called while nothing else is at work: what opened a file now might be given number 2.
 * @returns what ends it; the process then waits until all is written
 */
export async function hideNoise(): Promise<() => void> {
  if (process.platform !== 'linux' || RUNTIME !== 'node' || process.pid === 1) return nothing;
  process.stderr; // opens its own descriptor
  let dir: string | undefined;
  try {
    dir = mkdtempSync(join(tmpdir(), 'egps-stderr-'));
    const pipe = join(dir, 'stderr');
    const filter = spawn('sh', ['-c', FILTER, pipe], {
      stdio: ['ignore', 2, 'ignore'],
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
    });
    const writer = await open(pipe, filter);
    if (writer === undefined) return nothing;
    closeSync(2);
    openSync(pipe, constants.O_WRONLY); // gets the lowest number that is free
    closeSync(writer);
    filter.unref();
    return () => {
      filter.ref();
      closeSync(2);
      openSync('/dev/null', constants.O_WRONLY); // so that no other file is given this number
    };
  } catch {
    return nothing;
  } finally {
    if (dir !== undefined) rmSync(dir, { recursive: true });
  }
}

/** The end to write to, when there is somebody who reads; undefined where nobody will. */
async function open(pipe: string, filter: ChildProcess): Promise<number | undefined> {
  let over = false;
  for (const event of ['error', 'exit']) filter.once(event, () => (over = true));
  while (!over) {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      await sleep(1);
    }
  }
  return undefined;
}
