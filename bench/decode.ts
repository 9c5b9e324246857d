/**
 * Decode rate of the embedded model: npm run bench -- decode [repetitions]
 * Tokens a second of plain sampling over all rows, for 1 to 32 of them, prompts included, and the time from opening the folder to the
 * first token.
 * Prints a table and writes decode.json.
 */
import { readFileSync } from 'node:fs';
import { whole } from '../src/cli/args.ts';
import { OptionError } from '../src/errors.ts';
import { withModelDefaults } from '../src/generate.ts';
import { loadModel, sampleMany } from '../src/index.ts';
import { openBench, readOptions, writeResults } from './harness.ts';
import { median } from './statistics.ts';

const DIR = 'models/abacus';

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('decode', {}, args, ['repetitions']);
  if (!parsed) return;
  const repetitions = whole('repetitions', parsed.words[0] ?? (parsed.flags.has('quick') ? '2' : '7'));
  if (repetitions === 0) throw new OptionError('repetitions is 0: at least one is needed');
  const { prompt } = JSON.parse(readFileSync(`${DIR}/heldout.json`, 'utf8'))[0];

  const started = performance.now();
  const bench = await openBench();
  const model = await loadModel(DIR, { device: bench.device });
  const loaded = performance.now();
  (model.eosTokens as Set<number>).clear(); // rows of equal length
  if (!model.tokenizer) throw new Error(`${DIR} has no tokenizer`);
  const tokens = model.tokenizer.encode(prompt);
  const options = withModelDefaults(model.defaults, { sampler: 'sample', maxNewTokens: 128 });
  await sampleMany(model, [tokens], { ...options, maxNewTokens: 1 });
  const first = performance.now();
  console.log(`${model.adapter.description}, Node ${process.version}`);
  console.log(
    `loaded after ${(loaded - started).toFixed(0)} ms, first token after ${(first - started).toFixed(0)} ms`,
  );

  const rows = [];
  for (const count of [1, 2, 4, 8, 16, 32]) {
    const rates: number[] = [];
    const cpus: number[] = [];
    // One unmeasured run: the driver compiles a kernel when it is first used.
    for (let i = 0; i <= repetitions; i++) {
      const begin = performance.now();
      const cpu = process.cpuUsage();
      // Prompts that differ in a token, so that the rows have nothing in common.
      const prompts = Array.from({ length: count }, (_, row) => [
        ...tokens.slice(0, -1),
        tokens[row % tokens.length],
      ]);
      const out = await sampleMany(model, prompts, { ...options, seed: BigInt(i) });
      const seconds = (performance.now() - begin) / 1000;
      const drawn = out.reduce((n, { tokens }) => n + tokens.length, 0);
      const { user, system } = process.cpuUsage(cpu);
      if (i > 0) rates.push(drawn / seconds);
      if (i > 0) cpus.push((user + system) / 1000 / drawn);
    }
    const row = {
      rows: count,
      median: median(rates),
      least: Math.min(...rates),
      most: Math.max(...rates),
      cpuMsPerToken: median(cpus),
    };
    rows.push(row);
    const [m, least, most] = [row.median, row.least, row.most].map((r) => r.toFixed(0));
    console.log(
      `${String(count).padStart(3)} rows: ${m} tokens/s (${least} to ${most}), ${row.cpuMsPerToken.toFixed(2)} CPU-ms a token`,
    );
  }
  const memory = process.memoryUsage().rss;
  console.log(`resident memory ${(memory / 2 ** 20).toFixed(0)} MiB`);
  const figures = { loadMs: loaded - started, firstTokenMs: first - started, residentBytes: memory, rows };
  writeResults(bench, 'decode', { repetitions, ...figures }, parsed);
  model.dispose();
  bench.close();
}
