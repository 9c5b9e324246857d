import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DataError, EgpsError, OutputError } from '../base/errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'a file has reached the largest size allowed',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'cannot be written to: the file system is read-only',
  ENOENT: 'is not there, or has been removed',
  ENOTDIR: 'is not a folder, or is in what is none',
  EEXIST: 'is not a folder',
  EISDIR: 'is a folder, where a file is expected',
  ELOOP: 'is a symbolic link that leads round in a circle',
  ESTALE: 'has been removed on the machine that has the disk',
  EIO: 'the disk has failed to read or write it',
};

/** In words; undefined for what is no error of the system. */
function reasonOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined || error instanceof EgpsError ? undefined : (REASONS[code] ?? message);
}

/** @throws OutputError in place of the system's errors */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    const { code = '', path: at } = error as NodeJS.ErrnoException;
    const safe = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)
      ? '; finished results are safe, make room and start again'
      : '';
    throw new OutputError(at ?? path, `${reason}${safe}`, { cause: error });
  }
}

/** @throws DataError in place of the system's errors */
export async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = reasonOf(error);
    throw reason === undefined ? error : new DataError(path, reason, undefined, { cause: error });
  }
}

/** undefined in place of the error that a file does not exist. */
export async function ifPresent<T>(opening: Promise<T>): Promise<T | undefined> {
  try {
    return await opening;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Of a pipe or a device one would read for ever. @returns false where there is nothing @throws DataError */
export async function isFile(path: string): Promise<boolean> {
  const found = await reading(path, () => ifPresent(stat(path)));
  if (found?.isDirectory()) throw new DataError(path, REASONS.EISDIR);
  if (found && !found.isFile()) throw new DataError(path, 'is a pipe or a device, where a file is expected');
  return found !== undefined;
}

/** undefined where there is none. @throws DataError */
export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  return (await isFile(path)) ? reading(path, () => readFile(path)) : undefined;
}

/** Valid UTF-8. @throws DataError */
export function utf8(file: string, bytes: Uint8Array, line?: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new DataError(file, 'is not valid UTF-8', line, { cause: error });
  }
}

/** Makes the folder, and those that it is in. Node's own goes round for ever where the system has no place for one, as in /proc. */
export async function makeFolder(path: string): Promise<void> {
  const isThere = await mkdir(path).then(
    () => true,
    async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST' && (await stat(path)).isDirectory()) return true;
      if (error.code === 'ENOENT' && dirname(path) !== path) return false;
      throw error;
    },
  );
  if (isThere) return;
  await makeFolder(dirname(path));
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // another process has made it meanwhile
  });
}

/**
 * So that a reader sees the old file or the new one.
 * @param name may have one folder in it; the run's own is not made again where it was removed
 * @param flush so even after the power has failed
 */
export async function replaceFile(folder: string, name: string, text: string, flush = false): Promise<void> {
  const path = join(folder, name);
  if (dirname(path) !== folder) {
    await mkdir(dirname(path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  try {
    const file = await open(`${path}.new`, 'w');
    try {
      await file.writeFile(text);
      if (flush) await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  } catch (error) {
    await rm(`${path}.new`, { force: true }).catch(() => undefined);
    const { code, syscall } = error as NodeJS.ErrnoException;
    // The system names the new file.
    if (code === 'EISDIR' && syscall === 'rename')
      throw new OutputError(path, REASONS.EISDIR, { cause: error });
    throw error;
  }
}
