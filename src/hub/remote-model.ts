import { OutputError } from '../base/errors.ts';
import { Ahead } from './ahead.ts';
import type { ModelCache } from './cache.ts';
import type { Description } from './commit.ts';
import { download } from './download.ts';
import { type ModelName, show } from './name.ts';
import type { HubFile, Repository } from './repository.ts';

/** A model that is on this machine. */
export interface LocalModel {
  readonly dir: string;
  /** The last part of its name. */
  readonly title: string;
  /** What is doubtful about where it was found, a line each. */
  readonly warnings: readonly string[];
}

/** A commit whose files are in the cache. */
export function inCache(
  { id, revision }: ModelName,
  cache: ModelCache,
  commit: string,
  warnings: readonly string[] = [],
): LocalModel {
  const title = `${id.slice(id.indexOf('/') + 1)}${revision === 'main' ? '' : `@${revision}`}`;
  return { dir: cache.snapshot(commit), title, warnings };
}

export interface FetchHooks {
  signal?: AbortSignal;
  /** Bytes that are here of all those that `missing` and `begun` count together. */
  onProgress?(bytes: number, size: number): void;
  /** Told who is fetching the same model, as long as another process does. */
  onWait?(message: string): void;
}

/** A model on the Hub, of which some files are not here yet. */
export class RemoteModel {
  /** ID@REVISION */
  readonly name: string;
  readonly commit: string;
  readonly description: Description;
  /** Bytes to fetch. */
  readonly missing: number;
  /** Bytes of the same files that an earlier run has fetched. */
  readonly begun: number;
  /** The folder of the cache, and the bytes free there, where that can be known. */
  readonly folder: string;
  readonly free: number | undefined;
  private readonly repository: Repository;
  private readonly cache: ModelCache;
  private readonly files: readonly HubFile[];
  private readonly lacking: readonly string[];

  private constructor(
    repository: Repository,
    cache: ModelCache,
    { commit, description, files, lacking }: Found,
    sizes: { missing: number; begun: number; free: number | undefined },
  ) {
    this.name = show(repository.name);
    this.repository = repository;
    this.cache = cache;
    this.commit = commit;
    this.description = description;
    this.files = files;
    this.lacking = lacking;
    this.missing = sizes.missing;
    this.begun = sizes.begun;
    this.free = sizes.free;
    this.folder = cache.root;
  }

  static async of(repository: Repository, cache: ModelCache, found: Found): Promise<RemoteModel> {
    const sizes = { missing: 0, begun: 0, free: await cache.free() };
    const contents = new Map(found.files.map((file) => [file.etag, file]));
    for (const file of contents.values()) {
      if (await cache.hasBlob(file)) continue;
      const left = await cache.partial(file).left();
      sizes.begun += left;
      sizes.missing += file.size - left;
    }
    return new RemoteModel(repository, cache, found, sizes);
  }

  /** Fetches what is missing. @throws HubError, OutputError */
  async fetch({ signal, onProgress, onWait }: FetchHooks = {}): Promise<LocalModel> {
    const { repository, cache, commit, files, missing, begun, free } = this;
    const { revision } = repository.name;
    if (free !== undefined && missing > free) {
      const room = `the disk has ${free} bytes left: make room, or set HF_HUB_CACHE to another folder`;
      throw new OutputError(this.folder, `${this.name} takes ${missing} bytes more, ${room}`);
    }
    const lock = await cache.lock(signal, (message) => onWait?.(message));
    try {
      const stop = signal ? AbortSignal.any([signal, lock.lost]) : lock.lost;
      // As long as there is no older commit to fall back on, what is here so far is found by the revision's name.
      if ((await cache.commitOf(revision)) === undefined) await cache.refer(revision, commit);
      let bytes = 0;
      const onBytes = (more: number) => {
        bytes += more;
        onProgress?.(bytes, begun + missing);
      };
      const ahead = new Ahead(missing, begun);
      await download({ repository, cache, commit, ahead, onBytes }, files, stop);
      for (const path of this.lacking) await cache.markMissing(commit, path);
      await cache.refer(revision, commit);
    } finally {
      await lock.release();
    }
    return inCache(repository.name, cache, commit);
  }
}

/** What was found of a commit. */
interface Found {
  readonly commit: string;
  readonly description: Description;
  /** Those to fetch. */
  readonly files: readonly HubFile[];
  /** Paths that the commit has not got. */
  readonly lacking: readonly string[];
}
