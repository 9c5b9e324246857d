/**
 * Whether a server bears a crowd: npm run bench -- soak [seconds]
 * 64 clients of the embedded model, in a process of their own, ask at once, again and again, for plain answers, for chains and for scores,
 * streamed and whole; every third time one leaves before the end. Nothing but 429 may be refused, every answer must be the one that is given
 * alone, and at the end the pages of the cache are free again and the memory is what it was after the first tenth. Prints what came of it, and
 * fails where it is otherwise.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { whole } from '../../src/cli/args.ts';
import { abacusProblems } from '../../src/eval/tasks/abacus.ts';
import { loadModel } from '../../src/index.ts';
import { serve } from '../../src/serve/serve.ts';
import { SERVE_DEFAULTS } from '../../src/serve/settings.ts';
import { progress } from '../harness/figures.ts';
import { readOptions } from '../harness/options.ts';
import type { Crowd, Expected, Tally } from '../serve/crowd.ts';

const CLIENTS = 64;
/** Fewer than clients, so that some are told to come again. */
const SETTINGS = {
  ...SERVE_DEFAULTS,
  port: 0,
  concurrency: 24,
  queue: 30,
  maxTokens: 256,
  cors: [],
  logPrompts: false,
};
/** Bytes of the heap that a collection may leave more than before. */
const SLACK = 16 << 20;

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('soak', {}, args, ['seconds']);
  if (!parsed) return;
  const seconds = whole('seconds', parsed.words[0] ?? (parsed.flags.has('quick') ? '10' : '180'));
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');

  const model = await loadModel('models/abacus');
  const { tokenizer } = model as { tokenizer: Tokenizer };
  const { cache } = model as unknown as { cache: { available: number } };
  const free = cache.available;
  const lines: string[] = [];
  const server = await serve(
    {
      model: Object.assign(model, { tokenizer }),
      name: 'abacus',
      adapter: model.adapter.description,
      version: '',
    },
    SETTINGS,
    (line) => {
      if (/completions 5\d\d /.test(line)) lines.push(line);
    },
  );
  const requests: Expected[] = [];
  for (const [i, { prompt }] of abacusProblems(1n, 12).entries()) {
    const asked = { model: 'abacus', prompt, seed: i };
    for (const body of [
      { ...asked, max_tokens: 24, n: 1 + (i % 3), temperature: i % 2, stop: ['.\n'] },
      { ...asked, max_tokens: 40, egps: { particles: 8, finalSteps: 2, extract: 'boxed', pick: 'vote' } },
      { ...asked, max_tokens: i % 2, echo: true, logprobs: 3 },
    ]) {
      const response = await fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const { choices } = (await response.json()) as { choices: { text: string }[] };
      requests.push({ body, texts: choices.map(({ text }) => text) });
    }
  }

  const child = fork(fileURLToPath(new URL('../serve/crowd.js', import.meta.url)));
  const crowd = async (duration: number): Promise<Tally> => {
    const told = once(child, 'message');
    const asked: Crowd = { url: server.url, clients: CLIENTS, seconds: duration, requests };
    child.send(asked);
    const [tally] = await told;
    while (server.underWay > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    return tally;
  };
  const memory = () => {
    collect();
    const { heapUsed, rss, external } = process.memoryUsage();
    return { heap: heapUsed, external, resident: rss };
  };
  progress('warming up');
  await crowd(seconds / 10);
  const before = memory();
  progress(`${CLIENTS} clients for ${seconds} s`);
  const { answered, left, refused, wrong } = await crowd(seconds);
  const after = memory();
  progress();
  child.kill();
  const pages = cache.available;
  await server.close();
  model.dispose();
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  console.log(
    `answered ${answered}, left ${left}, told to come again ${refused}, wrong ${wrong.length + lines.length}`,
  );
  console.log(`pages free ${pages} of ${free}`);
  for (const kind of ['heap', 'external', 'resident'] as const)
    console.log(`${kind}: ${mib(before[kind])} before, ${mib(after[kind])} after`);
  const grown = after.heap + after.external - before.heap - before.external;
  if (wrong.length + lines.length > 0) throw new Error([...wrong, ...lines].join('\n'));
  if (pages !== free) throw new Error(`${free - pages} pages have not come back`);
  if (grown > SLACK) throw new Error(`the heap has grown by ${mib(grown)}`);
}
