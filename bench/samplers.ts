/**
 * Accuracy against cost of every sampler on the embedded model's held-out problems:
 * npm run bench -- samplers [problems] [concurrent chains] [names of runs, separated by semicolons]
 * Prints tables and writes samplers.json and samplers.svg to bench/results/ADAPTER. A chain is read off after each of its final
 * steps, so one run gives a curve; decoded tokens and sequential steps are counts and depend on no machine.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadModel, resolveOptions, type Sample, type SamplerOptions, sampleMany } from '../src/index.ts';
import { chart } from './chart.ts';
import { numbers, openBench, outputFolder, readOptions } from './harness.ts';
import { boxed, mean, median, standardError } from './statistics.ts';

const DIR = 'models/abacus';
const ALPHA = 4;

interface Run {
  /** Runs of one name make one curve. */
  readonly name: string;
  readonly options: Partial<SamplerOptions>;
}

/** The schedule of every exact chain: a step after each block, then so many at the full horizon. */
const chain = (finalSteps: number) => ({ alpha: ALPHA, blockSize: 48, steps: 1, finalSteps });
const karanDu = (steps: number) => ({ sampler: 'karan-du', alpha: ALPHA, blockSize: 48, steps }) as const;
const smc = (n: number) => ({ sampler: 'smc', alpha: ALPHA, blockSize: 16, n }) as const;
const RUNS: Run[] = [
  { name: 'greedy', options: { sampler: 'greedy' } },
  { name: 'sample, T = 1', options: { sampler: 'sample', temperature: 1 } },
  { name: 'sample, T = 1/4', options: { sampler: 'sample', temperature: 1 / 4 } },
  { name: 'egps', options: { sampler: 'egps', ...chain(20) } },
  { name: 'egps, K = 1', options: { sampler: 'egps', tries: 1, ...chain(30) } },
  { name: 'metropolis', options: { sampler: 'metropolis', ...chain(40) } },
  { name: 'entropy-cut', options: { sampler: 'entropy-cut', ...chain(30) } },
  { name: 'karan-du', options: karanDu(2) },
  { name: 'karan-du', options: karanDu(6) },
  { name: 'karan-du', options: karanDu(10) },
  { name: 'smc', options: smc(4) },
  { name: 'smc', options: smc(12) },
  { name: 'best-of-n', options: { sampler: 'best-of-n', n: 2 } },
  { name: 'best-of-n', options: { sampler: 'best-of-n', n: 8 } },
];

/** What one problem has come to, and cost, at one place of the run. */
interface Reading {
  readonly right: number;
  readonly logp: number;
  readonly length: number;
  readonly decoded: number;
  readonly sequential: number;
}

/** A curve's point: means over the problems. */
interface Point {
  /** Final steps taken; null for a run that is read at its end alone. */
  finalSteps: number | null;
  accuracy: number;
  accuracyError: number;
  logp: number;
  logpError: number;
  length: number;
  decodedTokens: number;
  sequentialSteps: number;
}

interface Result {
  name: string;
  options: Partial<SamplerOptions>;
  points: Point[];
  /** Means over the problems: moves, and candidates abandoned. */
  account: Record<string, number>;
  /** Of all problems, side by side. */
  wallSeconds: number;
  cpuSeconds: number;
}

interface Comparison {
  name: string;
  measure: 'accuracy' | 'logp';
  /** What both reach. */
  level: number;
  other: Point;
  egps: Point;
  /** The other's cost in units of egps's. */
  decodedRatio: number;
  sequentialRatio: number;
  /** Seconds a problem, one chain at a time. */
  wall: Record<string, number[]>;
  wallRatio: number;
}

const SHOWN = new Set([0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50]);
const percent = (x: number) => (100 * x).toFixed(1);

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('samplers', {}, args, ['problems', 'concurrent chains', 'names of runs']);
  if (!parsed) return;
  const [first = parsed.flags.has('quick') ? '4' : '200', second = '48', names] = parsed.words;
  const [count] = numbers('problems', first);
  const [concurrent] = numbers('concurrent chains', second);
  const only = names?.split(';');
  const problems: { prompt: string; answer: string }[] = JSON.parse(
    readFileSync(`${DIR}/heldout.json`, 'utf8'),
  ).slice(0, count);
  const bench = await openBench();
  const folder = outputFolder(bench, parsed);
  const model = await loadModel(DIR, { device: bench.device, cachePositions: concurrent * 8 * 480 });
  const { tokenizer, eosTokens } = model;
  if (!tokenizer) throw new Error(`${DIR} has no tokenizer`);
  const prompts = problems.map(({ prompt }) => tokenizer.encode(prompt));
  const isRight = (tokens: readonly number[], answer: string) => {
    const ended = eosTokens.has(tokens.at(-1) as number);
    return ended && boxed(tokenizer.decode(tokens.slice(0, -1))) === answer;
  };

  /** The state after each step of the trace, the last ones being the final steps. */
  function readings({ trace }: Sample, answer: string): Reading[] {
    let tokens: number[] = [];
    let right = false;
    let decoded = 0;
    let sequential = 0;
    return trace.steps.map((step) => {
      const drawn = step.lengths.map((length) => length - step.cut);
      decoded += drawn.reduce((a, b) => a + b, 0);
      sequential += Math.max(0, ...drawn);
      if (step.outcome >= 0) {
        tokens = [...tokens.slice(0, step.cut), ...step.tokens];
        right = isRight(tokens, answer);
      }
      return { right: Number(right), logp: step.logp, length: tokens.length, decoded, sequential };
    });
  }

  function point(at: readonly Reading[], finalSteps: number | null): Point {
    const of = (key: keyof Reading) => at.map((reading) => reading[key]);
    const accuracy = mean(of('right'));
    return {
      finalSteps,
      accuracy,
      accuracyError: Math.sqrt((accuracy * (1 - accuracy)) / at.length),
      logp: mean(of('logp')),
      logpError: standardError(of('logp')),
      length: mean(of('length')),
      decodedTokens: mean(of('decoded')),
      sequentialSteps: mean(of('sequential')),
    };
  }

  async function sampleAll({ name, options }: Run): Promise<Result> {
    const resolved = resolveOptions({ maxNewTokens: 384, ...options }, model.defaults);
    const started = performance.now();
    const before = process.cpuUsage();
    let done = 0;
    const samples = await sampleMany(model, prompts, resolved, {
      concurrency: concurrent,
      onSample: () => process.stderr.isTTY && process.stderr.write(`\r${name}: ${++done} of ${count} `),
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    const wallSeconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(before);
    const end = samples.map((sample, i): Reading => {
      const { account, tokens, logProbability: logp } = sample;
      const right = Number(isRight([...tokens], problems[i].answer));
      return {
        right,
        logp,
        length: tokens.length,
        decoded: account.decodedTokens,
        sequential: account.sequentialSteps,
      };
    });
    const { finalSteps = 0 } = options;
    const read = finalSteps > 0 ? samples.map((sample, i) => readings(sample, problems[i].answer)) : [];
    const points = Array.from({ length: finalSteps + 1 }, (_, m) =>
      point(
        m === finalSteps ? end : read.map((all) => all[all.length - 1 - finalSteps + m]),
        finalSteps > 0 ? m : null,
      ),
    );
    const { proposed, accepted, held, abandoned, savedTokens } = samples[0].account;
    const account = Object.fromEntries(
      Object.keys({ proposed, accepted, held, abandoned, savedTokens }).map((key) => [
        key,
        mean(samples.map((sample) => sample.account[key as keyof typeof sample.account])),
      ]),
    );
    return { name, options, points, account, wallSeconds, cpuSeconds: (user + system) / 1e6 };
  }

  /** Seconds for each of the first problems, one chain at a time, the runs taking turns. */
  async function latency(runs: readonly Run[]): Promise<Record<string, number[]>> {
    const seconds: Record<string, number[]> = Object.fromEntries(runs.map(({ name }) => [name, []]));
    for (let i = 0; i < Math.min(8, count); i++) {
      for (const { name, options } of runs) {
        const resolved = resolveOptions({ maxNewTokens: 384, ...options, chain: i }, model.defaults);
        const started = performance.now();
        await sampleMany(model, [prompts[i]], resolved);
        seconds[name].push((performance.now() - started) / 1000);
      }
    }
    return seconds;
  }

  const results: Result[] = [];
  let early: Awaited<ReturnType<typeof savings>> | null = null;
  const comparisons: Comparison[] = [];
  for (const each of RUNS.filter(({ name }) => !only || only.includes(name))) {
    const result = await sampleAll(each);
    results.push(result);
    write();
    const { accuracy, accuracyError, logp, length, decodedTokens, sequentialSteps } = result.points.at(
      -1,
    ) as Point;
    console.log(
      `${result.name.padEnd(16)} accuracy ${percent(accuracy)} ± ${percent(accuracyError)} %  log p ${logp.toFixed(2)}` +
        `  length ${length.toFixed(0)}  decoded ${decodedTokens.toFixed(0)}  sequential ${sequentialSteps.toFixed(0)}` +
        `  ${result.wallSeconds.toFixed(0)} s, ${result.cpuSeconds.toFixed(0)} CPU-s`,
    );
  }

  function curve(name: string): Point[] {
    return results.filter((result) => result.name === name).flatMap(({ points }) => points);
  }

  const lazy = results.find(({ name }) => name === 'egps');
  early = lazy ? await savings(lazy.options) : null;
  for (const name of ['metropolis', 'karan-du', 'entropy-cut']) {
    for (const measure of ['accuracy', 'logp'] as const) {
      const found = lazy && (await compare(name, lazy, measure));
      if (found) comparisons.push(found);
    }
  }

  /** What early termination saves, exactly: the same chains, decoded to their ends and not. */
  async function savings(options: Partial<SamplerOptions>) {
    const part = prompts.slice(0, 50);
    const cost: Record<string, { decodedTokens: number; sequentialSteps: number; estimatedSaved: number }> =
      {};
    const answers = new Set<string>();
    for (const decoding of ['eager', 'lockstep', 'best-first'] as const) {
      const resolved = resolveOptions({ maxNewTokens: 384, ...options, decoding }, model.defaults);
      const samples = await sampleMany(model, part, resolved, { concurrency: concurrent });
      answers.add(samples.map(({ tokens }) => tokens.join()).join('\n'));
      cost[decoding] = {
        decodedTokens: mean(samples.map(({ account }) => account.decodedTokens)),
        sequentialSteps: mean(samples.map(({ account }) => account.sequentialSteps)),
        estimatedSaved: mean(samples.map(({ account }) => account.savedTokens)),
      };
      const { decodedTokens, sequentialSteps } = cost[decoding];
      const saved = percent(1 - decodedTokens / cost.eager.decodedTokens);
      console.log(
        `egps ${decoding}, ${part.length} problems: ${decodedTokens.toFixed(0)} tokens (${saved} % saved), ${sequentialSteps.toFixed(0)} sequential steps`,
      );
    }
    if (answers.size > 1) throw new Error('early termination has changed an answer');
    return { problems: part.length, cost };
  }

  /** EGPS against another sampler, each at the first reading that reaches the best value that both reach. */
  async function compare(
    name: string,
    egps: Result,
    measure: Comparison['measure'],
  ): Promise<Comparison | undefined> {
    const theirs = curve(name);
    if (theirs.length === 0) return;
    const best = (points: readonly Point[]) => Math.max(...points.map((p) => p[measure]));
    const level = Math.min(best(theirs), best(egps.points));
    const reaching = (points: readonly Point[]) => points.find((p) => p[measure] >= level) as Point;
    const [other, ours] = [reaching(theirs), reaching(egps.points)];
    const source = results.find(({ points }) => points.includes(other)) as Result;
    const cut = (options: Partial<SamplerOptions>, { finalSteps }: Point) =>
      finalSteps === null ? options : { ...options, finalSteps };
    const wall = await latency([
      { name, options: cut(source.options, other) },
      { name: 'egps', options: cut(egps.options, ours) },
    ]);
    const comparison = {
      name,
      measure,
      level,
      other,
      egps: ours,
      decodedRatio: other.decodedTokens / ours.decodedTokens,
      sequentialRatio: other.sequentialSteps / ours.sequentialSteps,
      wall,
      wallRatio: median(wall[name].map((seconds, i) => seconds / wall.egps[i])),
    };
    const { decodedRatio, sequentialRatio, wallRatio } = comparison;
    console.log(
      `${name} at ${measure} ${level.toFixed(3)} costs, in units of egps: ${decodedRatio.toFixed(2)} decoded tokens, ` +
        `${sequentialRatio.toFixed(2)} sequential steps, ${wallRatio.toFixed(2)} seconds one at a time`,
    );
    return comparison;
  }

  write();
  model.dispose();
  bench.close();

  /** Files hold what there is so far. */
  function write(): void {
    if (!folder) return;
    const { environment } = bench;
    writeFileSync(
      `${folder}/samplers.json`,
      `${JSON.stringify({ environment, problems: count, concurrent, results, early, comparisons }, null, 1)}\n`,
    );
    const names = [...new Set(results.map(({ name }) => name))];
    const panel = (xLabel: string, key: 'decodedTokens' | 'sequentialSteps') => ({
      xLabel,
      yLabel: 'accuracy',
      logX: true,
      percentY: true,
      series: names.map((name) => ({
        name,
        points: thinned(curve(name)).map((p) => ({ x: p[key], y: p.accuracy, error: p.accuracyError })),
      })),
    });
    writeFileSync(
      `${folder}/samplers.svg`,
      chart(
        `Accuracy against cost, ${count} held-out problems, α = ${ALPHA}`,
        [
          panel('decoded tokens a problem', 'decodedTokens'),
          panel('sequential steps a problem', 'sequentialSteps'),
        ],
        `embedded model; bars are standard errors`,
      ),
    );
  }
}

function thinned(points: readonly Point[]): Point[] {
  return points.filter(({ finalSteps }) => finalSteps === null || SHOWN.has(finalSteps));
}
