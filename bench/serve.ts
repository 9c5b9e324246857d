/**
 * What serving costs: npm run bench -- serve [repetitions]
 * Plain sampling of the embedded model for clients that ask all at once, in a process of their own: by the library alone, by the server with
 * whole answers, by the server with streams; by turns. CPU time is that of this process, in which the model is computed. For one client
 * also the time to the first token, of the library's stream and of the server's.
 * Prints a table and writes serve.json.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { withModelDefaults } from '../src/api/generate.ts';
import { OptionError } from '../src/base/errors.ts';
import type { Tokenizer } from '../src/checkpoint/tokenizer.ts';
import { whole } from '../src/cli/args.ts';
import { abacusProblems } from '../src/eval/tasks/abacus.ts';
import { loadModel, sampleMany, stream } from '../src/index.ts';
import { serve } from '../src/serve/serve.ts';
import { SERVE_DEFAULTS } from '../src/serve/settings.ts';
import { openBench } from './harness/device.ts';
import { progress, show, summarise, table } from './harness/figures.ts';
import { readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';
import type { Asked, Got } from './serve/clients.ts';

const DIR = 'models/abacus';
const CLIENTS = [1, 16];
/** Tokens of an answer. */
const TOKENS = 128;

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('serve', {}, args, ['repetitions']);
  if (!parsed) return;
  const repetitions = whole('repetitions', parsed.words[0] ?? (parsed.flags.has('quick') ? '2' : '9'));
  if (repetitions === 0) throw new OptionError('repetitions is 0: at least one is needed');

  const bench = await openBench();
  const model = await loadModel(DIR, { device: bench.device });
  (model.eosTokens as Set<number>).clear(); // answers of equal length
  const { tokenizer } = model as { tokenizer: Tokenizer };
  const { url, close } = await serve(
    {
      model: Object.assign(model, { tokenizer }),
      name: 'abacus',
      adapter: model.adapter.description,
      version: '',
    },
    { ...SERVE_DEFAULTS, port: 0, maxTokens: TOKENS, cors: [], logPrompts: false },
    () => {},
  );
  const clients = fork(fileURLToPath(new URL('serve/clients.js', import.meta.url)));
  const prompts = abacusProblems(1n, Math.max(...CLIENTS)).map(({ prompt }) => prompt);
  const options = (turn: number) =>
    withModelDefaults(model.defaults, { sampler: 'sample', maxNewTokens: TOKENS, seed: BigInt(turn) });
  const bodies = (count: number, turn: number, more: object) =>
    prompts
      .slice(0, count)
      .map((prompt) => ({ model: 'abacus', prompt, max_tokens: TOKENS, seed: turn, ...more }));
  const variants = [
    {
      name: 'library',
      async answer(count: number, turn: number) {
        const encoded = prompts.slice(0, count).map((prompt) => tokenizer.encode(prompt));
        const drawn = await sampleMany(model, encoded, options(turn));
        for (const { tokens } of drawn) tokenizer.decode(tokens);
      },
    },
    {
      name: 'server',
      answer: (count: number, turn: number) => ask(clients, { url, bodies: bodies(count, turn, {}) }),
    },
    {
      name: 'server, streams',
      answer: (count: number, turn: number) => ask(clients, { url, bodies: bodies(count, turn, STREAM) }),
    },
  ];
  const rows = [];
  for (const count of CLIENTS) {
    progress(`${count} clients`);
    const cpus = variants.map((): number[] => []);
    const rates = variants.map((): number[] => []);
    for (let turn = 0; turn <= repetitions; turn++) {
      for (let i = 0; i < variants.length; i++) {
        const v = (i + turn) % variants.length; // none comes behind the same one always
        const { answer } = variants[v];
        const cpu = process.cpuUsage();
        const began = performance.now();
        await answer(count, turn);
        const seconds = (performance.now() - began) / 1000;
        const { user, system } = process.cpuUsage(cpu);
        if (turn === 0) continue; // the driver compiles a kernel when it is first used
        cpus[v].push((user + system) / 1000 / (count * TOKENS));
        rates[v].push((count * TOKENS) / seconds);
      }
    }
    rows.push({
      clients: count,
      variants: variants.map(({ name }, v) => ({
        name,
        cpuMsPerToken: summarise(cpus[v]),
        tokensPerSecond: summarise(rates[v]),
        /** Of CPU time a token over that of the library, turn by turn. */
        overhead: summarise(cpus[v].map((value, i) => value / cpus[0][i])),
      })),
    });
  }

  progress('the first token');
  const first = { library: [] as number[], server: [] as number[] };
  for (let turn = 0; turn <= 4 * repetitions; turn++) {
    const began = performance.now();
    for await (const _ of stream(model, prompts[0], {
      sampler: 'sample',
      maxNewTokens: 8,
      seed: BigInt(turn),
    }))
      break;
    const library = performance.now() - began;
    const { first: firsts } = await ask(clients, {
      url,
      bodies: bodies(1, turn, { ...STREAM, max_tokens: 8 }),
    });
    if (turn === 0) continue;
    first.library.push(library);
    first.server.push(firsts[0] as number);
  }
  progress();
  clients.kill();
  await close();
  const head = variants.flatMap(({ name }) => [`${name}, CPU-ms a token`, 'tokens/s', 'of the library']);
  console.log(
    table(
      ['clients', ...head],
      rows.map(({ clients, variants }) => [
        String(clients),
        ...variants.flatMap(({ cpuMsPerToken, tokensPerSecond, overhead }) =>
          [cpuMsPerToken, tokensPerSecond, overhead].map((figure) => show(figure)),
        ),
      ]),
    ),
  );
  const firstToken = {
    library: summarise(first.library),
    server: summarise(first.server),
    ratio: summarise(first.server.map((ms, i) => ms / first.library[i])),
  };
  console.log(
    `first token after ${show(firstToken.library)} ms, first event after ${show(firstToken.server)} ms: ${show(firstToken.ratio)} times`,
  );
  writeResults(bench, 'serve', { repetitions, rows, firstToken }, parsed);
  model.dispose();
  bench.close();
}

const STREAM = { stream: true, stream_options: { include_usage: true } };

async function ask(clients: ChildProcess, asked: Asked): Promise<Got> {
  const got = once(clients, 'message');
  clients.send(asked);
  return (await got)[0];
}
