import { createHash, type Hash } from 'node:crypto';
import { constants, writeSync } from 'node:fs';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';

const CHUNK = 1 << 18; // hashed at once: other files come meanwhile

/** A file that comes piece by piece, over as many runs as it takes. */
export class PartialFile {
  readonly path: string;
  readonly size: number;
  /** Bytes that are there, from the first on. */
  bytes = 0;
  private handle: FileHandle | undefined;
  /** Of what has come; undefined where an earlier run has begun: to hash its part first would leave the connections waiting. */
  private hash: Hash | undefined;

  constructor(path: string, size: number) {
    this.path = path;
    this.size = size;
  }

  /** Bytes that an earlier run has left. */
  async left(): Promise<number> {
    const found = await lstat(this.path).catch(() => undefined);
    return found?.isFile() && found.size <= this.size ? found.size : 0;
  }

  /** Takes up what an earlier run has left. */
  async open(): Promise<void> {
    this.bytes = await this.left();
    const { O_RDWR, O_CREAT, O_NOFOLLOW = 0 } = constants; // a link may lead out of the cache
    if (this.bytes === 0) await rm(this.path, { force: true });
    this.handle = await open(this.path, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (this.bytes === 0) this.hash = createHash('sha256');
  }

  /** At once: to wait for a thread takes longer than to write, and what comes meanwhile is lost with the process. */
  append(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; )
      at += writeSync(this.opened.fd, chunk, at, chunk.length - at, this.bytes + at);
    this.hash?.update(chunk);
    this.bytes += chunk.length;
  }

  /** Begins anew. */
  async restart(): Promise<void> {
    await this.opened.truncate(0);
    this.bytes = 0;
    this.hash = createHash('sha256');
  }

  /** SHA-256 of the whole file, hex, once it is safe on the disk: after a loss of power it must not be whole by its name alone. */
  async digest(signal: AbortSignal): Promise<string> {
    await this.opened.sync();
    const hash = this.hash ?? createHash('sha256');
    const chunk = Buffer.alloc(CHUNK);
    for (let at = this.hash ? this.bytes : 0; at < this.bytes; ) {
      signal.throwIfAborted();
      const { bytesRead } = await this.opened.read(chunk, 0, CHUNK, at);
      if (bytesRead === 0) break;
      hash.update(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
    return hash.digest('hex');
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }

  private get opened(): FileHandle {
    if (!this.handle) throw new Error(`${this.path} is not open`);
    return this.handle;
  }
}
