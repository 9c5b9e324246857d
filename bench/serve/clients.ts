/** The clients of `bench serve` and of the study `soak`, in a process of their own so that their cost is not the server's. */

/** What a client asks, all at once, and what becomes of it. */
export interface Asked {
  readonly url: string;
  readonly bodies: readonly object[];
}

export interface Got {
  /** Milliseconds to the first event with text, where the answer is streamed. */
  readonly first: (number | null)[];
  readonly tokens: number;
}

async function ask(url: string, body: object): Promise<{ first: number | null; tokens: number }> {
  const began = performance.now();
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok || !response.body) throw new Error(`${response.status}: ${await response.text()}`);
  if (!('stream' in body)) {
    const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
    return { first: null, tokens: usage.completion_tokens };
  }
  let first: number | null = null;
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    first ??= performance.now() - began;
    text += chunk;
  }
  const [, tokens] = /"completion_tokens":(\d+)/.exec(text) ?? [];
  if (tokens === undefined || !text.endsWith('data: [DONE]\n\n')) throw new Error(text.slice(-500));
  return { first, tokens: Number(tokens) };
}

process.on('message', async ({ url, bodies }: Asked) => {
  const all = await Promise.all(bodies.map((body) => ask(url, body)));
  const got: Got = {
    first: all.map(({ first }) => first),
    tokens: all.reduce((n, { tokens }) => n + tokens, 0),
  };
  process.send?.(got);
});
