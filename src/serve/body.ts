import { Refusal } from './refusal.ts';

/** Bytes of the bodies that are kept at a time, over all requests: what waits in the queue has been read. */
export class BodyBudget {
  private left: number;

  constructor(bytes: number) {
    this.left = bytes;
  }

  /** @throws Refusal where so much more is not to be had */
  take(bytes: number): void {
    if (bytes > this.left) {
      throw new Refusal(
        429,
        'busy',
        'the requests under way take all the memory that is set aside for them',
        {
          headers: { 'retry-after': '1' },
        },
      );
    }
    this.left -= bytes;
  }

  give(bytes: number): void {
    this.left += bytes;
  }
}

export interface BodyLimits {
  /** Bytes of one body. */
  readonly most: number;
  /** Milliseconds until it has come whole. */
  readonly patience: number;
  readonly budget: BodyBudget;
}

/**
 * The JSON of a request's body, and what gives its bytes back to the budget.
 * @throws Refusal
 */
export async function readJson(
  request: Request,
  { most, patience, budget }: BodyLimits,
  signal: AbortSignal,
): Promise<{ json: unknown; release(): void }> {
  const type = request.headers.get('content-type');
  // A page of another origin may send text/plain and forms without being asked, and application/json not.
  if (!/^application\/json\s*(;\s*charset="?utf-?8"?\s*)?$/i.test(type ?? '')) {
    const sent = type === null ? 'none' : JSON.stringify(type);
    throw new Refusal(415, 'content_type', `the content type is ${sent}: application/json is expected`, {
      param: 'content-type',
    });
  }
  const tooLarge = (bytes: string) =>
    new Refusal(413, 'body_too_large', `the body has ${bytes} bytes: at most ${most} are read`, {
      headers: { connection: 'close' },
    });
  const length = request.headers.get('content-length');
  if (length !== null && Number(length) > most) throw tooLarge(length);

  let taken = 0;
  const release = () => {
    budget.give(taken);
    taken = 0;
  };
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of chunksOf(request, patience, signal)) {
      if (taken + chunk.length > most) throw tooLarge(`more than ${most}`);
      budget.take(chunk.length);
      taken += chunk.length;
      chunks.push(chunk);
    }
    return { json: parse(chunks, taken), release };
  } catch (error) {
    release();
    throw error;
  }
}

async function* chunksOf(
  { body }: Request,
  patience: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  if (!body) return;
  const reader = body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let giveUp = () => {};
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `the body has not come whole within ${patience / 1000} s`;
      reject(new Refusal(408, 'body_too_slow', message, { headers: { connection: 'close' } }));
    }, patience);
    giveUp = () => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
  });
  over.catch(() => {}); // it may come after all has been read
  let whole = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await Promise.race([reader.read(), over]);
      if (done) break;
      yield value;
    }
    whole = true;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    if (!whole) reader.cancel().catch(() => {}); // what is left is not waited for
  }
}

function parse(chunks: readonly Uint8Array[], length: number): unknown {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal(400, 'not_utf8', 'the body is not UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, 'not_json', `the body is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}
