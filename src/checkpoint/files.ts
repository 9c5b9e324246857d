import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CheckpointError } from '../base/errors.ts';

/** More than the JSON of any model; a string may not be much longer. */
export const MAX_TEXT: number = 2 ** 28;
const MAX_READ = 1 << 30; // one read may not reach 2^31 bytes
const POINTER = 'version https://git-lfs.github.com/spec/';

interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
}

/**
 * Opens a file of a checkpoint; undefined where there is none.
 * @throws CheckpointError it cannot be opened, is no file, or is a pointer to one
 */
export async function openFile(file: string): Promise<OpenFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a FIFO would wait for a writer
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(file, error);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new CheckpointError(file, 'is not a file');
    const begin = new Uint8Array(POINTER.length);
    const read = await readFully(handle, file, 0, begin);
    if (read === POINTER.length && Buffer.from(begin).toString('latin1') === POINTER) {
      const remedy = 'git lfs pull, run in its folder, brings the file itself';
      throw new CheckpointError(file, `is a Git LFS pointer, not the file it stands for: ${remedy}`);
    }
    return { handle, size: stat.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** All bytes of a file; undefined where there is none. @throws CheckpointError as `openFile`, or it is too large */
export async function readBytes(file: string): Promise<Uint8Array | undefined> {
  const opened = await openFile(file);
  if (!opened) return undefined;
  const { handle, size } = opened;
  try {
    if (size > MAX_TEXT) throw new CheckpointError(file, `has ${size} bytes: at most ${MAX_TEXT} are read`);
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, await readFully(handle, file, 0, bytes));
  } finally {
    await handle.close();
  }
}

/** Text in UTF-8; undefined where there is no such file. @throws CheckpointError */
export async function readText(file: string): Promise<string | undefined> {
  const bytes = await readBytes(file);
  return bytes && decodeText(file, bytes);
}

/** @throws CheckpointError the bytes are not UTF-8 */
export function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new CheckpointError(file, 'is not valid UTF-8', { cause: error });
  }
}

/** Returns the number of bytes read: fewer than target.length only at the end of the file. @throws CheckpointError */
export async function readFully(
  handle: FileHandle,
  file: string,
  position: number,
  target: Uint8Array,
): Promise<number> {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(target.length - done, MAX_READ);
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(target, done, length, position + done));
    } catch (error) {
      throw unreadable(file, error);
    }
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** The file's name is in the error already; Node puts it behind a comma. */
function unreadable(file: string, error: unknown): CheckpointError {
  const [why] = (error as Error).message.split(', ');
  return new CheckpointError(file, `cannot be read: ${why}`, { cause: error });
}
