import {
  copyFile,
  lstat,
  mkdir,
  readFile,
  realpath,
  rename,
  rm,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { CheckpointError, OutputError } from '../base/errors.ts';
import { FolderLock } from '../base/lock.ts';
import { isCommit, type ModelName } from './name.ts';
import { PartialFile } from './partial-file.ts';
import type { HubFile } from './repository.ts';
import type { Settings } from './settings.ts';

/** undefined where there is no such file. @throws CheckpointError it cannot be told */
async function ifThere<T>(file: string, look: (file: string) => Promise<T>): Promise<T | undefined> {
  try {
    return await look(file);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const reason = `cannot be read: ${message}; HF_HUB_CACHE names another cache`;
    throw new CheckpointError(file, reason, { cause: error });
  }
}

/**
 * A model's part of the cache that Python's huggingface_hub keeps as well, and all that this room does on the disk:
 *
 *   models--NAMESPACE--NAME/refs/main              the commit that a revision stood for when it was last looked up
 *   models--NAMESPACE--NAME/snapshots/COMMIT/FILE  a link to the file's content
 *   models--NAMESPACE--NAME/blobs/ETAG             the content, or a link to it in a store that all models share
 *   models--NAMESPACE--NAME/.no_exist/COMMIT/FILE  empty: the commit has no such file
 *   models--NAMESPACE--NAME/egps/COMMIT.json       what was fitted here to the commit; Python's knows nothing of it
 *   .locks/models--NAMESPACE--NAME                 who writes there
 */
export class ModelCache {
  readonly root: string;
  private readonly links: boolean;
  private readonly folder: string;
  private readonly locks: string;

  constructor({ id }: ModelName, settings: Settings) {
    const folder = `models--${id.replace('/', '--')}`;
    this.root = settings.cache;
    this.links = settings.links;
    this.folder = join(this.root, folder);
    this.locks = join(this.root, '.locks', folder);
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  private blob(etag: string): string {
    return join(this.folder, 'blobs', etag);
  }

  /** The commit that a revision stood for, where that is known. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = (await ifThere(this.reference(revision), (file) => readFile(file, 'utf8'))) ?? '';
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async refer(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return;
    await this.write(this.reference(revision), commit);
  }

  private reference(revision: string): string {
    return join(this.folder, 'refs', revision);
  }

  /** Whether a commit's file is there; undefined where nobody has looked. @throws CheckpointError it lies elsewhere */
  async has(commit: string, path: string): Promise<boolean | undefined> {
    const file = join(this.snapshot(commit), path);
    const real = await ifThere(file, (path) => realpath(path));
    if (real !== undefined) {
      await this.check(file, real);
      return true;
    }
    const marked = await lstat(join(this.folder, '.no_exist', commit, path)).catch(() => undefined);
    return marked ? false : undefined;
  }

  /** The cache itself may be a link, and so may what is in it, as long as it leads to nowhere else. */
  private async check(file: string, real: string): Promise<void> {
    const root = await realpath(this.root);
    if (real.startsWith(root + sep)) return;
    const remedy = 'give --model that folder, or remove the link';
    throw new CheckpointError(file, `leads out of the cache ${this.root}, to ${real}: ${remedy}`);
  }

  async markMissing(commit: string, path: string): Promise<void> {
    await this.write(join(this.folder, '.no_exist', commit, path), '');
  }

  /** Whether the content is there, whichever file and commit it came with. */
  async hasBlob({ etag }: HubFile): Promise<boolean> {
    const file = this.blob(etag);
    const real = await ifThere(file, (path) => realpath(path));
    if (real === undefined) return false;
    await this.check(file, real);
    return true;
  }

  /** Puts a content that is there into a commit: as a link, or as the file itself where there are no links. */
  async place(commit: string, { path, etag }: HubFile, isNew: boolean): Promise<void> {
    const file = join(this.snapshot(commit), path);
    const blob = this.blob(etag);
    const temporary = `${file}.${process.pid}.tmp`;
    await this.writing(file, async () => {
      await this.makeFolder(dirname(file));
      if (this.links && (await this.link(relative(dirname(file), blob), temporary)))
        return rename(temporary, file);
      if (isNew) return rename(blob, file);
      await copyFile(blob, temporary);
      await rename(temporary, file);
    });
  }

  private async link(target: string, file: string): Promise<boolean> {
    try {
      await rm(file, { force: true });
      await symlink(target, file);
      return true;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN'].includes(code)) return false;
      throw error;
    }
  }

  /** Bytes free on the disk of the cache, where that can be known. */
  async free(): Promise<number | undefined> {
    for (let folder = this.root; ; folder = dirname(folder)) {
      const found = await statfs(folder).catch((error: NodeJS.ErrnoException) => error.code);
      if (typeof found === 'object') return found.bavail * found.bsize;
      if (found !== 'ENOENT' || dirname(folder) === folder) return undefined;
    }
  }

  /** What is there of a content, to be written on. huggingface_hub's own beginnings are left alone: it may be writing to them. */
  partial({ etag, size }: HubFile): PartialFile {
    return new PartialFile(`${this.blob(etag)}.egps.incomplete`, size);
  }

  /** Makes a whole file the content that its name says. */
  async keep(partial: PartialFile, { etag }: HubFile): Promise<void> {
    await this.writing(partial.path, () => rename(partial.path, this.blob(etag)));
  }

  /** Makes the folders, and waits until no other process writes there. @throws OutputError */
  async lock(signal: AbortSignal | undefined, onWait: (message: string) => void): Promise<FolderLock> {
    return this.writing(this.folder, async () => {
      for (const folder of [join(this.folder, 'blobs'), this.locks]) await this.makeFolder(folder);
      return FolderLock.wait(this.locks, signal, onWait);
    });
  }

  /** @throws CheckpointError a link among the folders above it leads out of the cache */
  private async makeFolder(folder: string): Promise<void> {
    for (let above = folder; above !== this.root; above = dirname(above)) {
      const real = await realpath(above).catch(() => undefined);
      if (real === undefined) continue;
      await this.check(above, real);
      break;
    }
    await mkdir(folder, { recursive: true });
  }

  private async write(file: string, text: string): Promise<void> {
    await this.writing(file, async () => {
      await this.makeFolder(dirname(file));
      const temporary = `${file}.${process.pid}.tmp`;
      await writeFile(temporary, text);
      await rename(temporary, file);
    });
  }

  /** @throws OutputError where the disk does not take it */
  async writing<T>(file: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { code, syscall, message } = error as NodeJS.ErrnoException;
      if (syscall === undefined) throw error;
      const isFull = code === 'ENOSPC' || code === 'EDQUOT';
      const remedy = isFull ? 'make room and run it again, it goes on where it stopped, or set' : 'set';
      const why = `cannot be written: ${message}; ${remedy} HF_HUB_CACHE to another folder`;
      throw new OutputError(file, why, { cause: error });
    }
  }
}
