/**
 * Decode rate of the embedded model: npm run bench -- decode [repetitions]
 * Tokens a second of plain sampling over all rows, for 1 to 32 of them, each with a problem of its own: with the prefix tree, without it,
 * and of the engine alone, whose GPU draws for itself; by turns. Prompts are included, but in the last. Also the time from opening the
 * folder to the first token.
 * Prints a table and writes decode.json.
 */

import { withModelDefaults } from '../src/api/generate.ts';
import { OptionError } from '../src/base/errors.ts';
import { whole } from '../src/cli/args.ts';
import type { Sequence } from '../src/engine/language-model.ts';
import { abacusProblems } from '../src/eval/tasks/abacus.ts';
import { loadModel, sampleMany } from '../src/index.ts';
import { runAhead } from './ahead.ts';
import { openBench } from './harness/device.ts';
import { progress, show, summarise, table } from './harness/figures.ts';
import { readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';

const DIR = 'models/abacus';
const ROWS = [1, 2, 4, 8, 16, 32];
/** Tokens of a row. */
const TOKENS = 128;
const GIVEN = { sampler: 'sample', temperature: 1, maxNewTokens: TOKENS } as const;

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('decode', {}, args, ['repetitions']);
  if (!parsed) return;
  const quick = parsed.flags.has('quick');
  const repetitions = whole('repetitions', parsed.words[0] ?? (quick ? '2' : '7'));
  if (repetitions === 0) throw new OptionError('repetitions is 0: at least one is needed');

  const started = performance.now();
  const bench = await openBench();
  const model = await loadModel(DIR, { device: bench.device });
  const loaded = performance.now();
  (model.eosTokens as Set<number>).clear(); // rows of equal length
  const { tokenizer } = model;
  if (!tokenizer) throw new Error(`${DIR} has no tokenizer`);
  const prompts = abacusProblems(1n, Math.max(...ROWS)).map(({ prompt }) => tokenizer.encode(prompt));
  const one = withModelDefaults(model.defaults, { ...GIVEN, maxNewTokens: 1 });
  await sampleMany(model, prompts.slice(0, 1), one);
  const first = performance.now();
  console.log(`${model.adapter.description}, Node ${process.version}`);
  console.log(
    `loaded after ${(loaded - started).toFixed(0)} ms, first token after ${(first - started).toFixed(0)} ms`,
  );

  const sampled = (tree: 'on' | 'off') => {
    const own = withModelDefaults(model.defaults, { ...GIVEN, tree });
    return async (count: number, turn: number) => {
      await sampleMany(model, prompts.slice(0, count), { ...own, seed: BigInt(turn) });
    };
  };
  const sequences: Sequence[] = [];
  for (const prompt of prompts) sequences.push(await model.prefill(prompt.slice(0, -1)));
  const variants = [
    { name: 'tree', decode: sampled('on') },
    { name: 'tree off', decode: sampled('off') },
    {
      name: 'engine alone',
      async decode(count: number) {
        const forks = sequences.slice(0, count).map((sequence) => sequence.fork());
        await runAhead(model, forks, TOKENS);
        for (const fork of forks) fork.free();
      },
    },
  ];
  const rows = [];
  for (const count of quick ? [1, 8] : ROWS) {
    progress(`${count} rows`);
    const rates = variants.map((): number[] => []);
    const cpus = variants.map((): number[] => []);
    // One unmeasured turn: the driver compiles a kernel when it is first used.
    for (let turn = 0; turn <= repetitions; turn++) {
      for (const [v, { decode }] of variants.entries()) {
        const cpu = process.cpuUsage();
        const began = performance.now();
        await decode(count, turn);
        const seconds = (performance.now() - began) / 1000;
        const { user, system } = process.cpuUsage(cpu);
        if (turn === 0) continue;
        rates[v].push((count * TOKENS) / seconds);
        cpus[v].push((user + system) / 1000 / (count * TOKENS));
      }
    }
    rows.push({
      rows: count,
      variants: variants.map(({ name }, v) => {
        return { name, tokensPerSecond: summarise(rates[v]), cpuMsPerToken: summarise(cpus[v]) };
      }),
    });
  }
  for (const sequence of sequences) sequence.free();
  progress();
  const head = variants.flatMap(({ name }) => [`${name}, tokens/s`, 'CPU-ms a token']);
  console.log(
    table(
      ['rows', ...head],
      rows.map(({ rows, variants }) => [
        String(rows),
        ...variants.flatMap(({ tokensPerSecond, cpuMsPerToken }) => [
          show(tokensPerSecond),
          show(cpuMsPerToken),
        ]),
      ]),
    ),
  );
  const memory = process.memoryUsage().rss;
  console.log(`resident memory ${(memory / 2 ** 20).toFixed(0)} MiB`);
  const figures = { loadMs: loaded - started, firstTokenMs: first - started, residentBytes: memory, rows };
  writeResults(bench, 'decode', { repetitions, ...figures }, parsed);
  model.dispose();
  bench.close();
}
