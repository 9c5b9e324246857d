/**
 * Accuracy against cost of every sampler on the embedded model's held-out problems:
 * node dist/bench/samplers.js [problems] [concurrent chains] [names of runs, separated by commas]
 * Prints tables and writes samplers.json and samplers.svg to bench/results/ADAPTER. A chain is read off after each of its final
 * steps, so one run gives a curve; decoded tokens and sequential steps are counts and depend on no machine.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { loadModel, resolveOptions, type Sample, type SamplerOptions, sampleMany } from '../src/index.ts';
import { chart } from './chart.ts';
import { boxed, mean, median, resultsFolder, standardError } from './statistics.ts';

const [count = 200, concurrent = 48] = process.argv.slice(2, 4).map(Number);
const only = process.argv[4]?.split(',');
const DIR = 'models/abacus';
const ALPHA = 4;

interface Run {
  /** Runs of one name make one curve. */
  readonly name: string;
  readonly options: Partial<SamplerOptions>;
}

/** All at once, then so many steps at the full horizon. */
const chain = (finalSteps: number) => ({ alpha: ALPHA, steps: 0, blockSize: 384, finalSteps });
const RUNS: Run[] = [
  { name: 'greedy', options: { sampler: 'greedy' } },
  { name: 'sample, T = 1', options: { sampler: 'sample', temperature: 1 } },
  { name: 'sample, T = 1/4', options: { sampler: 'sample', temperature: 1 / 4 } },
  { name: 'best-of-n', options: { sampler: 'best-of-n', n: 4 } },
  { name: 'best-of-n', options: { sampler: 'best-of-n', n: 16 } },
  { name: 'smc', options: { sampler: 'smc', alpha: ALPHA, n: 4, blockSize: 16 } },
  { name: 'smc', options: { sampler: 'smc', alpha: ALPHA, n: 16, blockSize: 16 } },
  { name: 'karan-du', options: { sampler: 'karan-du', alpha: ALPHA, blockSize: 48, steps: 2 } },
  { name: 'karan-du', options: { sampler: 'karan-du', alpha: ALPHA, blockSize: 48, steps: 10 } },
  { name: 'metropolis', options: { sampler: 'metropolis', ...chain(40) } },
  { name: 'entropy-cut', options: { sampler: 'entropy-cut', ...chain(40) } },
  { name: 'egps, K = 1', options: { sampler: 'egps', tries: 1, ...chain(40), blockSize: 48 } },
  { name: 'egps', options: { sampler: 'egps', ...chain(20), blockSize: 48 } },
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

const problems: { prompt: string; answer: string }[] = JSON.parse(
  readFileSync(`${DIR}/heldout.json`, 'utf8'),
).slice(0, count);
const model = await loadModel(DIR, { cachePositions: concurrent * 8 * 480 });
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

async function run({ name, options }: Run): Promise<Result> {
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
async function latency(runs: readonly Run[], problemsTimed: number): Promise<Record<string, number[]>> {
  const seconds: Record<string, number[]> = Object.fromEntries(runs.map(({ name }) => [name, []]));
  for (let i = 0; i < problemsTimed; i++) {
    for (const { name, options } of runs) {
      const resolved = resolveOptions({ maxNewTokens: 384, ...options, chain: i }, model.defaults);
      const started = performance.now();
      await sampleMany(model, [prompts[i]], resolved);
      seconds[name].push((performance.now() - started) / 1000);
    }
  }
  return seconds;
}

/** The first point of a curve that is as accurate. */
const reaching = (points: readonly Point[], accuracy: number) =>
  points.find((candidate) => candidate.accuracy >= accuracy);

const percent = (x: number) => (100 * x).toFixed(1);
const results: Result[] = [];
for (const each of RUNS.filter(({ name }) => !only || only.includes(name))) {
  const result = await run(each);
  results.push(result);
  const { accuracy, accuracyError, logp, length, decodedTokens, sequentialSteps } = result.points.at(
    -1,
  ) as Point;
  console.log(
    `${result.name.padEnd(16)} accuracy ${percent(accuracy)} ± ${percent(accuracyError)} %  log p ${logp.toFixed(2)}` +
      `  length ${length.toFixed(0)}  decoded ${decodedTokens.toFixed(0)}  sequential ${sequentialSteps.toFixed(0)}` +
      `  ${result.wallSeconds.toFixed(0)} s, ${result.cpuSeconds.toFixed(0)} CPU-s`,
  );
}
const curve = (name: string) =>
  results.filter((result) => result.name === name).flatMap(({ points }) => points);

// What early termination saves, exactly: the same chains decoded to their ends.
const lazy = results.find(({ name }) => name === 'egps');
let early: unknown = null;
if (lazy) {
  const part = Math.min(50, count);
  const options = resolveOptions({ maxNewTokens: 384, ...lazy.options }, model.defaults);
  const tokens = async (decoding: SamplerOptions['decoding']) => {
    const samples = await sampleMany(
      model,
      prompts.slice(0, part),
      { ...options, decoding },
      { concurrency: concurrent },
    );
    return {
      samples,
      decoded: mean(samples.map(({ account }) => account.decodedTokens)),
      sequential: mean(samples.map(({ account }) => account.sequentialSteps)),
    };
  };
  const [eager, lockstep] = [await tokens('eager'), await tokens('lockstep')];
  const differing = eager.samples.filter(
    ({ tokens }, i) => tokens.join() !== lockstep.samples[i].tokens.join(),
  ).length;
  early = {
    problems: part,
    differing,
    eager: { decodedTokens: eager.decoded, sequentialSteps: eager.sequential },
    lockstep: { decodedTokens: lockstep.decoded, sequentialSteps: lockstep.sequential },
    estimatedSaved: mean(lockstep.samples.map(({ account }) => account.savedTokens)),
  };
  console.log(
    `early termination (${part} problems): ${lockstep.decoded.toFixed(0)} tokens for ${eager.decoded.toFixed(0)}, ` +
      `${percent(1 - lockstep.decoded / eager.decoded)} % saved, ${differing} answers differ`,
  );
}

// EGPS against each chain at equal or better accuracy: where it first reaches the best that the other reaches.
const comparisons = [];
for (const name of lazy ? ['metropolis', 'karan-du', 'entropy-cut'] : []) {
  const theirs = curve(name);
  if (theirs.length === 0) continue;
  const best = Math.max(...theirs.map(({ accuracy }) => accuracy), 0);
  const target = Math.min(best, Math.max(...lazy.points.map(({ accuracy }) => accuracy)));
  const [other, ours] = [reaching(theirs, target), reaching(lazy.points, target)];
  if (!other || !ours) continue;
  const steps = { finalSteps: other.finalSteps ?? undefined };
  const template = results
    .filter((result) => result.name === name)
    .find(({ points }) => points.includes(other)) as Result;
  const runs = [
    {
      name,
      options: { ...template.options, ...(other.finalSteps === null ? {} : steps), decoding: undefined },
    },
    { name: 'egps', options: { ...lazy.options, finalSteps: ours.finalSteps ?? 0 } },
  ];
  const seconds = await latency(runs, Math.min(12, count));
  const ratio = median(seconds[name].map((s, i) => s / seconds.egps[i]));
  comparisons.push({
    name,
    target,
    other,
    egps: ours,
    decodedRatio: other.decodedTokens / ours.decodedTokens,
    sequentialRatio: other.sequentialSteps / ours.sequentialSteps,
    wallRatio: ratio,
    seconds,
  });
  console.log(
    `${name} against egps at ${percent(target)} %: ${other.decodedTokens.toFixed(0)} and ${ours.decodedTokens.toFixed(0)} tokens (${(other.decodedTokens / ours.decodedTokens).toFixed(1)} ×), ` +
      `${other.sequentialSteps.toFixed(0)} and ${ours.sequentialSteps.toFixed(0)} sequential steps (${(other.sequentialSteps / ours.sequentialSteps).toFixed(1)} ×), ` +
      `one at a time ${median(seconds[name]).toFixed(2)} and ${median(seconds.egps).toFixed(2)} s (${ratio.toFixed(1)} ×)`,
  );
}

const { description } = model.adapter;
const folder = resultsFolder(description);
mkdirSync(folder, { recursive: true });
const machine = {
  adapter: description,
  node: process.version,
  cpu: `${cpus().length} × ${cpus()[0].model}, ${arch()}`,
};
writeFileSync(
  `${folder}/samplers.json`,
  `${JSON.stringify({ ...machine, problems: count, concurrent, results, early, comparisons }, null, 1)}\n`,
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
/** Enough points for a picture: 0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40. */
const SHOWN = new Set([0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40]);
function thinned(points: readonly Point[]): Point[] {
  return points.filter(({ finalSteps }) => finalSteps === null || SHOWN.has(finalSteps));
}
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
model.dispose();
