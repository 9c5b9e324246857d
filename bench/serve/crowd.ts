/** The clients of the study `soak`: each asks again and again, streamed or whole, and every third time leaves before the end. */

/** A request, and the texts of its choices where it is answered alone. */
export interface Expected {
  readonly body: object;
  readonly texts: readonly string[];
}

export interface Crowd {
  readonly url: string;
  readonly clients: number;
  readonly seconds: number;
  readonly requests: readonly Expected[];
}

/** What came of their requests. */
export interface Tally {
  answered: number;
  left: number;
  /** Told to come again. */
  refused: number;
  /** What must not be. */
  wrong: string[];
}

/** Milliseconds that a client waits before it leaves, at most. */
const PATIENCE = 600;

async function ask({ url }: Crowd, { body, texts }: Expected, tally: Tally): Promise<void> {
  const leaves = Math.random() < 1 / 3;
  const streamed = Math.random() < 0.5;
  const given = new AbortController();
  const timer = leaves ? setTimeout(() => given.abort(), PATIENCE * Math.random()) : undefined;
  try {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, stream: streamed }),
      signal: given.signal,
    });
    const text = await response.text();
    if (response.status === 429) {
      tally.refused++;
      await new Promise((resolve) => setTimeout(resolve, 50 + 200 * Math.random()));
      return;
    }
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
    const found = streamed
      ? joined(text)
      : JSON.parse(text).choices.map((choice: { text: string }) => choice.text);
    if (JSON.stringify(found) !== JSON.stringify(texts))
      throw new Error(
        `${JSON.stringify(body)} gave ${JSON.stringify(found)}, alone ${JSON.stringify(texts)}`,
      );
    tally.answered++;
  } catch (error) {
    if (given.signal.aborted) tally.left++;
    else tally.wrong.push(String((error as Error).cause ?? error));
  } finally {
    clearTimeout(timer);
  }
}

function joined(events: string): string[] {
  const texts: string[] = [];
  if (!events.endsWith('data: [DONE]\n\n')) throw new Error(`a stream ended with ${events.slice(-300)}`);
  for (const [, data] of events.matchAll(/^data: (\{.*)$/gm)) {
    for (const { index, text } of JSON.parse(data).choices) texts[index] = (texts[index] ?? '') + text;
  }
  return texts;
}

process.on('message', async (crowd: Crowd) => {
  const tally: Tally = { answered: 0, left: 0, refused: 0, wrong: [] };
  const end = performance.now() + 1000 * crowd.seconds;
  await Promise.all(
    Array.from({ length: crowd.clients }, async () => {
      while (performance.now() < end && tally.wrong.length < 5) {
        const { requests } = crowd;
        await ask(crowd, requests[Math.floor(Math.random() * requests.length)], tally);
      }
    }),
  );
  process.send?.(tally);
});
