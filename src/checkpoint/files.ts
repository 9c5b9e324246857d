import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '../base/errors.ts';
import { type ModelFiles, type OpenFile, refusePointer } from './source.ts';

const MAX_READ = 1 << 30; // one read may not reach 2^31 bytes

/** The folder of a model, where its files are on the disk. */
export const filesIn = (dir: string | ModelFiles): ModelFiles =>
  typeof dir === 'string' ? new Folder(dir) : dir;

class Folder implements ModelFiles {
  readonly place: string;

  constructor(dir: string) {
    this.place = dir;
  }

  path(name: string): string {
    return join(this.place, name);
  }

  open(name: string): Promise<OpenFile | undefined> {
    return openFile(this.path(name));
  }

  why(): string {
    return '';
  }
}

/**
 * Opens a file of a checkpoint; undefined where there is none.
 * @throws CheckpointError it cannot be opened, is no file, or is a pointer to one
 */
export async function openFile(path: string): Promise<OpenFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a FIFO would wait for a writer
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new CheckpointError(path, 'is not a file');
    const file = new FileOnDisk(path, handle, stat.size);
    await refusePointer(path, file);
    return file;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class FileOnDisk implements OpenFile {
  readonly size: number;
  private readonly path: string;
  private readonly handle: FileHandle;

  constructor(path: string, handle: FileHandle, size: number) {
    this.path = path;
    this.handle = handle;
    this.size = size;
  }

  async read(position: number, target: Uint8Array): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const length = Math.min(target.length - done, MAX_READ);
      let bytesRead: number;
      try {
        ({ bytesRead } = await this.handle.read(target, done, length, position + done));
      } catch (error) {
        throw unreadable(this.path, error);
      }
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** The file's name is in the error already; Node puts it behind a comma. */
function unreadable(file: string, error: unknown): CheckpointError {
  const [why] = (error as Error).message.split(', ');
  return new CheckpointError(file, `cannot be read: ${why}`, { cause: error });
}
