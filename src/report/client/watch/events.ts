import type { WatchEvent } from '../../watch-data.ts';

/** What the server said in place of events. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Asks the server for an answer.
 * @throws Refused, and what `fetch` throws
 */
export async function* watch(request: object, key: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (key) headers.authorization = `Bearer ${key}`;
  const response = await fetch('/egps/events', {
    method: 'POST',
    headers,
    body: JSON.stringify(request),
    signal,
  });
  if (!response.ok || !response.body) throw new Refused(response.status, await messageOf(response));
  let text = '';
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const data = JSON.parse(event.replace(/^data: /, ''));
      if (data.error) throw new Refused(response.status, data.error.message);
      yield data;
    }
  }
}

async function messageOf(response: Response): Promise<string> {
  const said = await response.json().catch(() => undefined);
  return said?.error?.message ?? `the server answered with ${response.status}`;
}
