import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What Dawn says of drivers that allow more than it makes use of, which nobody needs to know. It has no switch for that. */
const NOISE =
  '^Warning: maxDynamic(Uniform|Storage)BuffersPerPipelineLayout artificially reduced from [0-9]+ to [0-9]+ to fit dynamic offset allocation limit\\.$';

/** Makes a pipe where there is a sed that can do this. */
const PREPARE = `sed -u -E '' </dev/null && exec mkfifo -m 600 "$0"`;
/** Ends by itself when nobody writes any more, and not by signals that are meant for the program. */
const FILTER = `trap '' HUP INT QUIT TERM; exec sed -u -E '/${NOISE}/d'`;

/**
 * Hides that, and nothing else, of what native code writes to file descriptor 2: from here on that is a pipe to a process that writes on to where it
 * led. What is in the pipe when this process crashes is written all the same. On a terminal `process.stderr` has a descriptor of its own and does not come
 * this way. Not for a process whose end ends all others in its container. Where something that this takes is missing, nothing is hidden.
 * @returns what ends it, when all is written
 */
export function hideNoise(): () => Promise<void> {
  if (process.platform !== 'linux' || process.versions.bun || 'Deno' in globalThis || process.pid === 1)
    return async () => {};
  process.stderr; // opens its own descriptor
  let filter: ChildProcess;
  let dir: string | undefined;
  const ends: number[] = [];
  try {
    dir = mkdtempSync(join(tmpdir(), 'egps-stderr-'));
    const pipe = join(dir, 'stderr');
    if (spawnSync('sh', ['-c', PREPARE, pipe]).status !== 0) return async () => {};
    // Both at once first: opening one end waits for the other.
    for (const mode of [constants.O_RDWR, constants.O_RDONLY]) ends.push(openSync(pipe, mode));
    filter = spawn('sh', ['-c', FILTER], {
      stdio: [ends[1], 2, 'ignore'],
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      detached: true,
    });
    filter.on('error', () => {});
    if (filter.pid === undefined) return async () => {};
    // The lowest number that is free is given out next. Nothing else is at work yet that might take it.
    closeSync(2);
    openSync(pipe, constants.O_WRONLY);
  } catch {
    return async () => {};
  } finally {
    for (const end of ends) closeSync(end);
    if (dir !== undefined) rmSync(dir, { recursive: true });
  }
  filter.unref();
  return async () => {
    filter.ref();
    const ended = filter.exitCode ?? once(filter, 'exit');
    closeSync(2);
    openSync('/dev/null', constants.O_WRONLY); // so that no other file gets this number
    await ended;
  };
}
