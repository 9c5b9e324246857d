/** The cache of the page's origin in which pieces of files stay; `caches.delete` of it frees them all. */
const CACHE = 'egps';
const TAG = 'x-egps-tag';

/** What is kept of files in the browser's Cache API. */
export class Kept {
  private readonly cache: Cache;
  private readonly warn: (message: string) => void;
  /** Nothing more can be kept, which was said. */
  private full = false;

  private constructor(cache: Cache, warn: (message: string) => void) {
    this.cache = cache;
    this.warn = warn;
  }

  /** undefined where nothing can be kept: a page without an origin has no cache, nor have some browsers in a private window. */
  static async open(warn: (message: string) => void): Promise<Kept | undefined> {
    try {
      return new Kept(await caches.open(CACHE), warn);
    } catch {
      return undefined;
    }
  }

  /** Of a file at the version that `tag` names. */
  file(url: URL, tag: string): KeptFile {
    // Found by an address that nobody has to answer to.
    return new KeptFile(this, `https://egps.invalid/${encodeURIComponent(url.href)}/`, tag);
  }

  /** Of another version nothing is any longer of use. */
  async find(folder: string, index: number, tag: string): Promise<Response | undefined> {
    const found = await this.cache.match(folder + index).catch(() => undefined);
    if (!found || found.headers.get(TAG) === tag) return found;
    for (const { url } of await this.cache.keys()) if (url.startsWith(folder)) await this.cache.delete(url);
    return undefined;
  }

  async put(folder: string, index: number, tag: string, bytes: Uint8Array): Promise<void> {
    if (this.full) return;
    const body = new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { [TAG]: tag } });
    try {
      await this.cache.put(folder + index, body);
    } catch (error) {
      this.full = true;
      const why = (error as Error).name === 'QuotaExceededError' ? 'is full' : `fails (${error})`;
      this.warn(
        `the browser's storage for this page ${why}: not all of the model is kept, the rest is fetched anew each time`,
      );
    }
  }
}

export class KeptFile {
  private readonly kept: Kept;
  private readonly folder: string;
  private readonly tag: string;
  private writing: Promise<void> = Promise.resolve();

  constructor(kept: Kept, folder: string, tag: string) {
    this.kept = kept;
    this.folder = folder;
    this.tag = encodeURIComponent(tag);
  }

  async get(index: number): Promise<Uint8Array | undefined> {
    const found = await this.kept.find(this.folder, index, this.tag);
    return found && new Uint8Array(await found.arrayBuffer());
  }

  /** Whether so many pieces are here. */
  async has(pieces: number): Promise<boolean> {
    for (let i = 0; i < pieces; i++) if (!(await this.kept.find(this.folder, i, this.tag))) return false;
    return pieces > 0;
  }

  /** Goes on once the piece before is written, so that no more than one waits in memory. */
  async put(index: number, bytes: Uint8Array): Promise<void> {
    await this.writing;
    this.writing = this.kept.put(this.folder, index, this.tag, bytes);
  }

  /** Until all is written. */
  settle(): Promise<void> {
    return this.writing;
  }
}
