import { HubError } from '../base/errors.ts';
import type { Ahead } from './ahead.ts';
import type { ModelCache } from './cache.ts';
import { show } from './name.ts';
import type { PartialFile } from './partial-file.ts';
import { type HubFile, isFinal, type Repository } from './repository.ts';

const SIDE_BY_SIDE = 4;
const TRIES = 5; // without a byte in between

/** What a download is made of. */
export interface Download {
  readonly repository: Repository;
  readonly cache: ModelCache;
  readonly commit: string;
  readonly ahead: Ahead;
  /** Told how many more bytes are there, fewer than none where a file begins anew. */
  onBytes(bytes: number): void;
}

/**
 * Fetches contents, several at once, and places them into the commit. Each goes on where an earlier run stopped.
 * @throws HubError, OutputError
 */
export async function download(
  { repository, ...rest }: Download,
  files: readonly HubFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const contents = new Map<string, HubFile[]>(); // two files may have one content
  for (const file of files) contents.set(file.etag, [...(contents.get(file.etag) ?? []), file]);
  const queue = contents.values();
  const { cache, commit, ahead } = rest;
  let first: unknown;
  const worker = async () => {
    for (const [file, ...twins] of queue) {
      try {
        stop.throwIfAborted();
        const isNew = !(await cache.hasBlob(file));
        const own = { ...rest, repository: repository.until(stop) };
        if (isNew) await ahead.among(() => fetchContent(own, file, stop));
        for (const twin of twins) await cache.place(commit, twin, false);
        await cache.place(commit, file, isNew);
      } catch (error) {
        first ??= error;
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  if (first !== undefined) throw signal?.aborted ? signal.reason : first;
}

async function fetchContent(whole: Download, file: HubFile, signal: AbortSignal): Promise<void> {
  const { repository, cache, onBytes } = whole;
  const partial = cache.partial(file);
  try {
    await cache.writing(partial.path, () => partial.open());
    onBytes(partial.bytes);
    for (const isLast of [partial.bytes === 0, true]) {
      await complete(whole, file, partial, signal);
      const digest = await cache.writing(partial.path, () => partial.digest(signal));
      if (!/^[0-9a-f]{64}$/i.test(file.etag) || digest === file.etag.toLowerCase())
        return await cache.keep(partial, file);
      onBytes(-partial.bytes);
      if (!isLast) {
        await partial.restart(); // what an earlier run left may have been damaged since
        continue;
      }
      await partial.remove();
      const what = `the SHA-256 of ${file.path} as it came is ${digest}, the Hub says ${file.etag}`;
      throw new HubError(show(repository.name), `${what}: nothing of it was kept, try again`);
    }
  } finally {
    await partial.close();
  }
}

/** Asks for what is missing, part by part, until all of it is there. */
async function complete(
  { repository, cache, commit, ahead, onBytes }: Download,
  { path, size }: HubFile,
  partial: PartialFile,
  signal: AbortSignal,
): Promise<void> {
  const restart = async () => {
    onBytes(-partial.bytes);
    await partial.restart();
  };
  let furthest = partial.bytes; // a server that ignores ranges may be cut anywhere
  for (let tried = 1; partial.bytes < size; ) {
    const before = partial.bytes;
    let trouble: unknown = new Error(`${path} ends early`);
    try {
      const end = before + ahead.bytes;
      const to = end < size ? end : undefined;
      const { status, body } = await repository.open(path, commit, before, to, size);
      if (status !== 206 && partial.bytes > 0) await restart();
      for await (const chunk of body) {
        if (partial.bytes + chunk.length > size)
          throw new HubError(show(repository.name), `more of ${path} comes than the ${size} bytes it has`);
        await cache.writing(partial.path, () => partial.append(chunk));
        ahead.add(chunk.length);
        onBytes(chunk.length);
      }
    } catch (error) {
      if (isFinal(error) || signal.aborted) throw repository.told(error);
      trouble = error;
    }
    if (partial.bytes === size) return;
    tried = partial.bytes > furthest ? 1 : tried + 1;
    furthest = Math.max(furthest, partial.bytes);
    if (tried > TRIES) throw repository.told(trouble);
    if (tried > 1) await repository.pause(tried - 1);
  }
}
