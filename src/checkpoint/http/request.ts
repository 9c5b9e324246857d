import { FetchError } from '../../base/errors.ts';

const TRIES = 3;
const PAUSE = 250; // milliseconds before the second try; doubled before the third
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
/** By this some servers send their start page in place of a file that they have not got only to those that take a page. */
const ACCEPT = 'application/octet-stream, application/json';

export interface Asked {
  readonly url: URL;
  /** Bytes `from` to `to`, the latter not included; without it the whole file. */
  readonly range?: readonly [from: number, to: number];
  readonly signal?: AbortSignal;
}

/** The connection could not be had, or ended on the way. */
class Broken extends Error {}
const broken = (cause: unknown): never => {
  throw new Broken('', { cause });
};

/** What `read` makes of the answer; a connection that ends on the way is tried again. @throws FetchError, the signal's reason */
export async function request<T>(
  { url, range, signal }: Asked,
  read: (answer: Response) => Promise<T>,
): Promise<T> {
  const headers = { accept: ACCEPT, ...(range && { range: `bytes=${range[0]}-${range[1] - 1}` }) };
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    let failure: FetchError;
    try {
      // Parts that an earlier visit has left may be of a file that was another one.
      const answer = await fetch(url, { headers, signal, cache: 'no-store' }).catch(broken);
      if (!PASSING.has(answer.status)) return await read(answer);
      await answer.body?.cancel();
      failure = refusal(url, answer.status);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Broken)) throw error;
      failure = unreachable(url, error.cause);
    }
    if (tries === TRIES) throw failure;
    await new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** (tries - 1)));
  }
}

export function refusal(url: URL, status: number): FetchError {
  const closed = status === 401 || status === 403;
  const remedy = closed ? ': it lets only some read this; put the files where the page comes from' : '';
  return new FetchError(url.href, `the server answers HTTP ${status}${remedy}`, { status });
}

function unreachable(url: URL, cause: unknown): FetchError {
  const own = globalThis.location?.origin;
  const others = own !== undefined && own !== url.origin;
  const allow = others ? `; a server other than ${own} must allow this page to read its files (CORS)` : '';
  const said = cause instanceof Error ? cause.message : String(cause);
  const message = `cannot be fetched (${said}): check the address and the connection${allow}`;
  return new FetchError(url.href, message, { cause });
}

/** The bytes of a body as they come; not every browser can iterate over them by itself. */
export async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  try {
    for (;;) {
      const part = await reader?.read().catch(broken);
      if (!part || part.done) return;
      yield part.value;
    }
  } finally {
    await reader?.cancel().catch(() => {});
  }
}
