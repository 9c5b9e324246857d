const LEAST = 256 << 10;
/** Of what this process has fetched, and of all there is to fetch where no earlier run has begun. */
const SHARE = 1 / 128;
const FIRST_SHARE = 1 / 256;

/**
 * How much is asked for at once. What a server has sent and the process has not read lies in the buffers of the connections, which grow to
 * megabytes, and is lost when the process is killed. So files are asked for in parts, and what is asked for of all of them is little beside
 * what the process has fetched so far: however often that ends, and at whatever pace, little is sent twice. Only the first run, which
 * can end but once, begins with as much as the way to a distant server holds.
 */
export class Ahead {
  private readonly least: number;
  private fetched = 0;
  private files = 0;

  /** @param begun bytes that an earlier run has left */
  constructor(missing: number, begun: number) {
    this.least = Math.max(LEAST, begun === 0 ? missing * FIRST_SHARE : 0);
  }

  /** Of the next part of a file. */
  get bytes(): number {
    return Math.ceil(Math.max(this.least, this.fetched * SHARE) / Math.max(1, this.files));
  }

  add(bytes: number): void {
    this.fetched += bytes;
  }

  /** Shares it with the files that are fetched meanwhile. */
  async among<T>(work: () => Promise<T>): Promise<T> {
    this.files++;
    try {
      return await work();
    } finally {
      this.files--;
    }
  }
}
