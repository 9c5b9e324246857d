import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Runs `use` in a new folder of these files (objects are written as JSON), and removes it. */
export async function withFolder(
  files: Record<string, string | Uint8Array | object>,
  use: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'egps-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      const raw = typeof content === 'string' || content instanceof Uint8Array;
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), raw ? content : JSON.stringify(content));
    }
    await use(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** The error `run` fails with, which must be a `kind` whose message matches `message`. */
export async function failure<E extends Error>(
  kind: new (...args: never[]) => E,
  message: RegExp,
  run: () => unknown,
): Promise<E> {
  let error: unknown;
  try {
    await run();
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) throw new Error(`nothing was thrown; expected ${message}`);
  if (!(error instanceof kind)) throw error;
  if (!message.test(error.message)) throw new Error(`"${error.message}" does not match ${message}`);
  return error;
}
