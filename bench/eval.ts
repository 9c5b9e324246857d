/**
 * What `egps eval` costs beside the samplers it runs, and whether it survives: npm run bench -- eval
 * - items an hour against chains in flight
 * - the runner over the bare sampler: the same chains, without and with grading, records and pages, by turns
 * - a run killed at random moments until it is through, and its results beside those of an undisturbed one
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withModelDefaults } from '../src/api/generate.ts';
import { whole } from '../src/cli/args.ts';
import { openGraders } from '../src/eval/graders/graders.ts';
import { type Plan, RunFolder } from '../src/eval/run-folder.ts';
import { evaluate } from '../src/eval/runner.ts';
import { abacusProblems } from '../src/eval/tasks/abacus.ts';
import { loadModel, tracePage } from '../src/index.ts';
import { sampleEach } from '../src/sampling/sample-many.ts';
import { openBench } from './harness/device.ts';
import { progress, repeat, show, summarise, table } from './harness/figures.ts';
import { readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';

const MODEL = 'models/abacus';

export async function run(args: string[]): Promise<void> {
  const specs = {
    items: { value: 'N', help: 'problems a repetition (default: 16)' },
    kills: { value: 'N', help: 'random kills (default: 50)' },
  };
  const parsed = readOptions('eval', specs, args);
  if (!parsed) return;
  const quick = parsed.flags.has('quick');
  const count = whole('--items', parsed.values.items?.at(-1) ?? (quick ? '4' : '16'));
  const kills = whole('--kills', parsed.values.kills?.at(-1) ?? (quick ? '2' : '50'));
  const repetitions = quick ? 1 : 3;

  const bench = await openBench();
  const model = await loadModel(MODEL, { device: bench.device });
  const problems = abacusProblems(2n, count);
  const prompts = problems.map(({ prompt }) => model.tokenizer?.encode(prompt) ?? new Uint32Array());
  const options = withModelDefaults(model.defaults, { sampler: 'egps' });
  const jobs = prompts.map((prompt, chain) => ({ prompt, options: { ...options, chain } }));

  const rates = [];
  for (const chains of quick ? [1, 4] : [1, 2, 4, 8, 16]) {
    progress(`${chains} chains side by side`);
    const seconds = await repeat(quick ? 1 : 2, async () => {
      const started = performance.now();
      await sampleEach(model, jobs, { concurrency: chains });
      return (performance.now() - started) / 1000;
    });
    rates.push({ chains, seconds, itemsAnHour: (3600 * count) / seconds.median });
  }
  progress();
  console.log(`egps on ${count} problems of the embedded model, ${model.adapter.description}`);
  console.log(
    table(
      ['chains side by side', 's', 'items an hour'],
      rates.map(({ chains, seconds, itemsAnHour }) => [`${chains}`, show(seconds), itemsAnHour.toFixed(0)]),
    ),
  );

  // The same seeds in both, so that both draw the same tokens.
  const folder = mkdtempSync(join(tmpdir(), 'egps-bench-'));
  const graders = await openGraders(problems, { allowCodeExecution: false });
  const times: Record<'bare' | 'runner', number[]> = { bare: [], runner: [] };
  let seeded: typeof jobs = [];
  for (let i = 0; i <= repetitions; i++) {
    progress(`the runner over the bare sampler: ${i} of ${repetitions}`);
    const drawn: typeof jobs = [];
    const opened = await RunFolder.open(join(folder, `${i}`), PLAN, problems);
    const before = process.cpuUsage();
    await evaluate({
      model,
      items: problems.map((item, k) => ({ item, prompt: prompts[k] })),
      entries: [{ options, readings: [{ sampler: 'egps' }] }],
      voting: true,
      samples: 1,
      seed: 0n,
      folder: opened,
      graders,
      process: 'bench',
      concurrency: 32,
      trace(sample, job, wallSeconds) {
        drawn.push({ prompt: Uint32Array.from(job.prompt), options: job.options });
        const tokenText = (id: number) => model.tokenizer?.tokenText(id) ?? '';
        const prompt = model.tokenizer?.decode(Uint32Array.from(job.prompt)) ?? '';
        return tracePage({ prompt, sample, options: job.options, tokenText, adapter: '', wallSeconds });
      },
    });
    const withRunner = cpuSeconds(before);
    await opened.close();
    if (i === 0) seeded = drawn; // warms up, too
    const middle = process.cpuUsage();
    await sampleEach(model, seeded, { concurrency: 32 });
    const bare = cpuSeconds(middle);
    if (i > 0) {
      times.runner.push(withRunner);
      times.bare.push(bare);
    }
  }
  progress();
  const overhead = summarise(times.runner.map((seconds, i) => seconds / times.bare[i] - 1));
  console.log(
    `\nthe runner over the bare sampler: ${(100 * overhead.median).toFixed(1)} % more CPU time ` +
      `(${(100 * overhead.min).toFixed(1)} to ${(100 * overhead.max).toFixed(1)} %, ${repetitions} pairs)`,
  );
  await graders.close();
  model.dispose();

  const killed = await killRandomly(kills, folder);
  console.log(
    `\nkilled ${killed.kills} times at random moments (${killed.withResults} of them between the first result and the last): ` +
      `${killed.lost} results lost, ${killed.changed} changed, ${killed.twice} drawn twice, of ${killed.results}`,
  );
  rmSync(folder, { recursive: true });
  writeResults(bench, 'eval', { items: count, rates, overhead, killed }, parsed);
}

const PLAN: Plan = {
  egps: '',
  task: 'abacus',
  model: 'abacus',
  modelDigest: '',
  promptStyle: 'base',
  samplers: [],
  seed: '0',
  samples: 1,
  skippedLines: 0,
  items: [],
};

function cpuSeconds(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Starts runs and kills them after random times, each in a folder until it is through, and compares with an undisturbed one. */
async function killRandomly(kills: number, folder: string) {
  const args = ['--task', 'abacus', '--limit', '24', '--sampler', 'greedy,sample,egps:final-steps=0/4'];
  const whole = join(folder, 'whole');
  const undisturbed = performance.now();
  await ended(start([...args, '--out', whole]));
  const milliseconds = performance.now() - undisturbed;
  const expected = lines(whole).sort();
  let done = 0;
  let withResults = 0;
  let lost = 0;
  let changed = 0;
  let twice = 0;
  let rounds = 0;
  while (done < kills) {
    const out = join(folder, `killed-${rounds++}`);
    let before: string[] = [];
    for (;;) {
      progress(`kill ${done + 1} of ${kills}`);
      const child = start([...args, '--out', out]);
      const end = ended(child);
      const limit =
        done < kills ? sleep(Math.random() * milliseconds).then(() => child.kill('SIGKILL')) : end;
      await Promise.race([end, limit]);
      const code = await end;
      const now = lines(out);
      lost += before.filter((line) => !now.includes(line)).length; // what was on record must stay
      before = now;
      if (code === 0) break;
      done++;
      if (now.length > 0 && now.length < expected.length) withResults++;
    }
    const found = new Set(before);
    lost += expected.filter((line) => !found.has(line)).length;
    changed += [...found].filter((line) => !expected.includes(line)).length;
    twice += before.length - found.size;
  }
  progress();
  return { kills: done, withResults, lost, changed, twice, results: rounds * expected.length };
}

function start(args: readonly string[]): ChildProcess {
  const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
  return spawn(process.execPath, [main, 'eval', ...args], { stdio: 'ignore' });
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });

/** Whole lines. */
function lines(dir: string): string[] {
  try {
    return readFileSync(join(dir, 'results.jsonl'), 'utf8').split('\n').slice(0, -1);
  } catch {
    return []; // killed before there was a file
  }
}
