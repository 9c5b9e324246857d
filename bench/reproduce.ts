/**
 * The samplers on held-out problems of the embedded model: npm run reproduce [-- --full]
 * Runs `egps eval` (which goes on where it was interrupted): every sampler with the prefix tree, and on fewer problems what they cost
 * without it, where the answers are the same. Then compares what it takes to be right on 70 % of the problems, and times single answers by
 * turns. Figures go to bench/results/abacus: those of 200 problems there, those of fewer into the folder of the run.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withModelDefaults } from '../src/api/generate.ts';
import { loadDefaults } from '../src/api/model-defaults.ts';
import { summaryTable } from '../src/cli/eval-report.ts';
import type { SamplerSummary, Summary } from '../src/eval/summary.ts';
import { abacusProblems } from '../src/eval/tasks/abacus.ts';
import { loadModel, resolveOptions, type SamplerOptions, sampleMany } from '../src/index.ts';
import { chart } from './chart.ts';
import { openBench, progress, readOptions, show, summarise, table } from './harness.ts';
import { median } from './statistics.ts';

const MODEL = 'models/abacus';
const FOLDER = 'bench/results/abacus';
/** Problems that are timed one at a time. */
const TIMED = 6;
/** Share of the problems that samplers are compared at. */
const LEVEL = 0.7;

const budgetsWith = (finalSteps: number) =>
  [...new Set([0, 5, 10, 20, finalSteps])].sort((a, b) => a - b).join('/');

/** @param finalSteps of egps by default */
const samplersOf = (finalSteps: number): string[] => [
  'greedy',
  'sample:temperature=1',
  'sample:temperature=0.25',
  ...[2, 4, 8, 16, 32].map((n) => `best-of-n:n=${n}`),
  'metropolis:final-steps=0/5/10/20/40/80/160/320',
  ...[10, 20, 40].map((steps) => `karan-du:steps=${steps}`),
  'entropy-cut:final-steps=0/5/10/20/40/80/160/320',
  ...[16, 64, 256].map((n) => `smc:particles=${n}`),
  'egps:growth=blocks:final-steps=0/5/10/20/40/80',
  ...[16, 64, 256].map((n) => `egps:particles=${n}:final-steps=${budgetsWith(finalSteps)}`),
  `egps:final-steps=${budgetsWith(finalSteps)}`,
];

/** As they were: every candidate is decoded anew. Their answers are those above. */
const withoutOf = (finalSteps: number): string[] => [
  ...[2, 4, 8, 16, 32].map((n) => `best-of-n:tree=off:n=${n}`),
  'metropolis:tree=off:final-steps=0/5/10/20/40/80/160/320',
  ...[10, 20, 40].map((steps) => `karan-du:tree=off:steps=${steps}`),
  ...[16, 64, 256].map((n) => `smc:tree=off:particles=${n}`),
  'egps:tree=off:growth=blocks:final-steps=0/5/10/20/40/80',
  `egps:tree=off:final-steps=${budgetsWith(finalSteps)}`,
];

/** A budget of a sampler: what it costs, and how often it is right. */
export interface Budget {
  readonly cost: number;
  readonly accuracy: number;
}

/**
 * The cost at which a sampler reaches a level: where the line between two budgets first crosses it, the costs taken as logarithms.
 * @returns that of the cheapest budget where it is above the level already; undefined where none reaches it
 */
export function costAt(level: number, budgets: readonly Budget[]): number | undefined {
  const sorted = budgets.toSorted((a, b) => a.cost - b.cost);
  const first = sorted.findIndex(({ accuracy }) => accuracy >= level);
  if (first <= 0) return sorted[first]?.cost;
  const [below, above] = [sorted[first - 1], sorted[first]];
  const share = (level - below.accuracy) / (above.accuracy - below.accuracy);
  return below.cost * (above.cost / below.cost) ** share;
}

/**
 * How often a sampler is right at a cost: on the line between the budgets beside it, the costs taken as logarithms.
 * @returns that of the dearest budget beyond it; undefined below the cheapest
 */
export function accuracyAt(cost: number, budgets: readonly Budget[]): number | undefined {
  const sorted = budgets.toSorted((a, b) => a.cost - b.cost);
  const next = sorted.findIndex((budget) => budget.cost > cost);
  if (next === 0 || sorted.length === 0) return undefined;
  if (next < 0) return sorted[sorted.length - 1].accuracy;
  const [below, above] = [sorted[next - 1], sorted[next]];
  const share = Math.log(cost / below.cost) / Math.log(above.cost / below.cost);
  return below.accuracy + share * (above.accuracy - below.accuracy);
}

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('reproduce', { full: { help: '200 problems instead of 50' } }, args);
  if (!parsed) return;
  const full = parsed.flags.has('full');
  const quick = parsed.flags.has('quick');
  const count = quick ? 3 : full ? 200 : 50;
  const few = quick ? 2 : 8;
  const folder = `${FOLDER}/run-${count}`;
  const evaluated = async (
    limit: number,
    samplers: readonly string[],
    out: string,
    ...more: string[]
  ): Promise<Summary> => {
    const what = ['--task', 'abacus', '--limit', `${limit}`, '--sampler', samplers.join(), '--out', out];
    await evaluate([...what, ...more]);
    return JSON.parse(readFileSync(`${out}/summary.json`, 'utf8'));
  };
  const { finalSteps } = withModelDefaults(await loadDefaults(MODEL), { sampler: 'egps' });
  const summary = await evaluated(count, samplersOf(finalSteps), folder);
  // So few side by side that the cache holds all particles, which have nothing in common there.
  const without = await evaluated(few, withoutOf(finalSteps), `${folder}/without`, '--concurrency', '4');
  const comparisons = await compare(summary, without);
  const out = full ? FOLDER : folder;
  const { environment } = comparisons;
  const rounded = (_: string, x: unknown) =>
    typeof x === 'number' && !Number.isInteger(x) ? Number(x.toPrecision(6)) : x;
  // Of so many samplers the pairs are too many: the report in the folder of the run has them.
  const alone = ({ comparisons, ...each }: Summary) => each;
  const figures = { environment, ...alone(summary), without: alone(without) };
  writeFileSync(`${out}/summary.json`, `${JSON.stringify(figures, rounded, 1)}\n`);
  writeFileSync(`${out}/comparisons.json`, `${JSON.stringify(comparisons, rounded, 1)}\n`);
  writeFileSync(`${out}/frontier.svg`, frontier(summary, without));
  writeFileSync(`${out}/picks.svg`, picked(summary, finalSteps));
  console.log(`${summaryTable(summary)}\n\nwithout the tree, ${few} problems\n${summaryTable(without)}\n`);
  report(comparisons);
  console.log(
    `\nwritten to ${out}: frontier.svg, picks.svg, summary.json, comparisons.json; the report is ${folder}/report.html`,
  );
}

function evaluate(args: readonly string[]): Promise<void> {
  const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'eval', '--no-traces', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`egps eval ended with exit code ${code}`)),
    );
  });
}

/** A sampler's budgets. */
interface Curve {
  readonly name: string;
  /** How often each is right; without the tree the answers are those with it. */
  readonly rows: readonly SamplerSummary[];
  /** What each costs; without the tree these are means of fewer problems. */
  readonly costs: readonly SamplerSummary[];
  readonly without: boolean;
}

type Cost = 'sequentialPasses' | 'computedRows';

/** There is one as soon as a problem is answered. */
const known = (value: number | null): number => value ?? Number.NaN;

const budgetsOf = ({ rows, costs }: Pick<Curve, 'rows' | 'costs'>, cost: Cost): Budget[] =>
  rows.map(({ accuracy }, i) => ({ cost: known(costs[i][cost]), accuracy: known(accuracy) }));

/** By their last states. */
function curvesOf({ samplers }: Summary, without: Summary): Curve[] {
  const last = samplers.filter(({ pick }) => pick === 'last');
  const curve = (name: string, starts: string): Curve => {
    const rows = last.filter(({ sampler }) => sampler.startsWith(starts));
    return { name, rows, costs: rows, without: false };
  };
  const off = (name: string, starts: string): Curve => {
    const costs = without.samplers.filter(
      ({ sampler, pick }) => pick === 'last' && sampler.startsWith(starts),
    );
    const rows = costs.map(({ sampler }) => named(last, sampler.replace(':tree=off', '')));
    return { name: `${name}, tree off`, rows, costs, without: true };
  };
  return [
    curve('egps', 'egps:final-steps='),
    off('egps', 'egps:tree=off:final-steps='),
    curve('egps by blocks', 'egps:growth=blocks'),
    off('egps by blocks', 'egps:tree=off:growth=blocks'),
    ...['metropolis', 'karan-du', 'smc', 'best-of-n'].flatMap((name) => [curve(name, name), off(name, name)]),
    curve('entropy-cut', 'entropy-cut'),
    curve('sample, T = 1/4', 'sample:temperature=0.25'),
    curve('greedy', 'greedy'),
  ];
}

function named(samplers: readonly SamplerSummary[], name: string): SamplerSummary {
  const found = samplers.find(({ sampler }) => sampler === name);
  if (!found) throw new Error(`no results of ${name}`);
  return found;
}

async function compare(summary: Summary, without: Summary) {
  const { samplers } = summary;
  const last = samplers.filter(({ pick }) => pick === 'last');
  const curves = curvesOf(summary, without).map((curve) => {
    const { name, rows } = curve;
    const enough = rows.findIndex(({ accuracy }) => known(accuracy) >= LEVEL);
    const passes = costAt(LEVEL, budgetsOf(curve, 'sequentialPasses'));
    return { name, without: curve.without, passes, budget: enough < 0 ? null : rows[enough] };
  });

  const bench = await openBench();
  const model = await loadModel(MODEL, { device: bench.device });
  const { tokenizer } = model;
  if (!tokenizer) throw new Error(`${MODEL} has no tokenizer`);
  const defaults = withModelDefaults(model.defaults, { sampler: 'egps' });
  const egps = named(last, `egps:final-steps=${defaults.finalSteps}`);

  // Seconds of single answers, by turns: what reaches the level, egps by default, and a plain sample.
  const timed = curves.flatMap(({ budget, without }) => {
    if (!budget) return [];
    const tree = without ? { tree: 'off', draft: 0, lookAhead: 0 } : {};
    return [{ ...resolveOptions({}), ...budget.options, ...tree } as SamplerOptions];
  });
  const all = [...timed, defaults, withModelDefaults(model.defaults, { sampler: 'sample' })];
  const seconds = all.map((): number[] => []);
  const lengths = all.map((): number[] => []);
  const alone = all.map((): number[] => []); // passes
  const problems = abacusProblems(1n, TIMED + 1);
  for (const [i, { prompt }] of problems.entries()) {
    progress(`single answers: problem ${i} of ${TIMED}`);
    const encoded = tokenizer.encode(prompt);
    for (const [s, options] of all.entries()) {
      const began = performance.now();
      const [{ tokens, account }] = await sampleMany(model, [encoded], { ...options, seed: 0n, chain: i });
      if (i === 0) continue; // the driver compiles a kernel when it is first used
      seconds[s].push((performance.now() - began) / 1000);
      lengths[s].push(tokens.length);
      alone[s].push(account.sequentialPasses);
    }
  }
  model.dispose();
  bench.close();
  progress();

  const [ofDefault, ofPlain] = [all.length - 2, all.length - 1];
  const plainRate = median(seconds[ofPlain].map((value, i) => value / lengths[ofPlain][i])); // seconds a token
  const overPlain = summarise(
    seconds[ofDefault].map((value, i) => value / (lengths[ofDefault][i] * plainRate)),
  );
  const reaching = curves.filter(({ budget }) => budget);
  const levels = reaching.map(({ name, passes, budget }, s) => ({
    name,
    budget: budget?.sampler ?? '',
    accuracy: known(budget?.accuracy ?? null),
    passes: passes ?? Number.NaN,
    passesOverEgps: (passes ?? Number.NaN) / (reaching[0].passes ?? Number.NaN),
    seconds: summarise(seconds[s]),
    secondsOverEgps: summarise(seconds[s].map((value, i) => value / seconds[0][i])),
    passesAlone: summarise(alone[s]),
    passesAloneOverEgps: summarise(alone[s].map((value, i) => value / alone[0][i])),
  }));
  const best = last.filter(({ sampler }) => sampler.startsWith('best-of-n'));
  const bestBudgets = budgetsOf({ rows: best, costs: best }, 'computedRows');
  const likeliest = samplers
    .filter(({ sampler, pick }) => pick === 'likeliest' && sampler.startsWith('egps'))
    .map(({ sampler, computedRows, accuracy }) => {
      const other = accuracyAt(known(computedRows), bestBudgets) ?? null;
      return { sampler, rows: known(computedRows), accuracy: known(accuracy), bestOfN: other };
    });
  const picks = samplers
    .filter(({ sampler }) => sampler === egps.sampler)
    .map(({ pick, accuracy, interval }) => ({ pick, accuracy: known(accuracy), interval }));
  const ofAnAnswer = {
    passes: known(egps.sequentialPasses),
    rows: known(egps.computedRows),
    tokens: known(egps.length),
    passesOverTokens: known(egps.sequentialPasses) / known(egps.length),
    alone: {
      passes: summarise(alone[ofDefault]),
      passesOverTokens: summarise(alone[ofDefault].map((value, i) => value / lengths[ofDefault][i])),
    },
    rightMass: egps.mass,
    rightOverSteps: egps.overSteps,
  };
  const figures = { level: LEVEL, levels, default: egps.sampler, picks, ofAnAnswer, overPlain, likeliest };
  const missed = curves.filter(({ budget }) => !budget).map(({ name }) => name);
  return { environment: bench.environment, ...figures, missed };
}

function report({
  level,
  levels,
  missed,
  picks,
  ofAnAnswer,
  overPlain,
  likeliest,
  ...of
}: Comparisons): void {
  const percent = (x: number | null) => (x === null ? '–' : (100 * x).toFixed(1));
  console.log(
    `what it takes to be right on ${100 * level} % of the problems: passes where the curve crosses it, or of the cheapest budget if that is\n` +
      `above it, side by side with others; then what ${TIMED} single answers take with the first budget that reaches it, by turns\n`,
  );
  console.log(
    table(
      [
        ...['sampler', 'budget', '%', 'passes', 'over egps'],
        ...['passes alone', 'over egps', 'seconds', 'over egps'],
      ],
      levels.map((each) => [
        each.name,
        each.budget,
        percent(each.accuracy),
        each.passes.toFixed(0),
        each.passesOverEgps.toFixed(2),
        show(each.passesAlone),
        show(each.passesAloneOverEgps),
        show(each.seconds),
        show(each.secondsOverEgps),
      ]),
    ),
  );
  for (const name of missed) console.log(`${name} does not reach it`);
  console.log(
    `\n${of.default}, the default: ${picks.map(({ pick, accuracy }) => `${pick} ${percent(accuracy)} %`).join(', ')}; right mass ` +
      `${percent(ofAnAnswer.rightMass)} %, mean over the final steps ${percent(ofAnAnswer.rightOverSteps)} %\n` +
      `${ofAnAnswer.passes.toFixed(0)} passes and ${ofAnAnswer.rows.toFixed(0)} rows for an answer of ${ofAnAnswer.tokens.toFixed(0)} tokens: ` +
      `${ofAnAnswer.passesOverTokens.toFixed(2)} passes a token; ` +
      `alone ${show(ofAnAnswer.alone.passes)} passes, ${show(ofAnAnswer.alone.passesOverTokens)} a token\n` +
      `seconds over those of a plain sample of its length: ${show(overPlain)}\n`,
  );
  console.log(
    table(
      ['likeliest', 'rows', '%', 'best-of-n at equal rows, %'],
      likeliest.map((each) => [
        each.sampler,
        each.rows.toFixed(0),
        percent(each.accuracy),
        percent(each.bestOfN),
      ]),
    ),
  );
}

type Comparisons = Awaited<ReturnType<typeof compare>>;

const point = (one: SamplerSummary, x: number) => ({
  x,
  y: known(one.accuracy),
  error: one.interval ? (one.interval[1] - one.interval[0]) / 4 : undefined,
});

const AXES = { yLabel: 'accuracy', logX: true, percentY: true };
const COSTS: readonly { xLabel: string; cost: Cost }[] = [
  { xLabel: 'sequential passes a problem', cost: 'sequentialPasses' },
  { xLabel: 'rows computed a problem', cost: 'computedRows' },
];
const BARS = 'embedded model; bars are half as long as 95 % intervals';

/** Last states. */
function frontier(summary: Summary, without: Summary): string {
  const shown = curvesOf(summary, without).filter(
    ({ without, name }) => !without || name.startsWith('metropolis'),
  );
  const panels = COSTS.map(({ xLabel, cost }) => ({
    ...AXES,
    xLabel,
    series: shown.map(({ name, rows, costs }) => ({
      name,
      points: rows.map((one, i) => point(one, known(costs[i][cost]))),
    })),
  }));
  return chart(`Accuracy against cost, ${summary.run.items} held-out problems, α = 4`, panels, BARS);
}

/** What else is picked of a run, by the number of particles or of answers. */
function picked({ samplers, run }: Summary, finalSteps: number): string {
  const series = (name: string, starts: string, pick: string) => ({
    name,
    rows: samplers
      .filter((one) => one.pick === pick && one.sampler.startsWith(starts))
      .filter(({ sampler, options }) => !sampler.startsWith('egps') || options.finalSteps === finalSteps)
      .filter(({ options }) => options.growth !== 'blocks' || !starts.startsWith('egps'))
      .toSorted((a, b) => known(a.computedRows) - known(b.computedRows)),
  });
  const shown = [
    ...['last', 'likeliest', 'vote'].map((pick) => series(`egps, ${pick}`, 'egps', pick)),
    ...['last', 'likeliest', 'vote'].map((pick) => series(`smc, ${pick}`, 'smc', pick)),
    series('best-of-n', 'best-of-n', 'last'),
    series('best-of-n, vote', 'best-of-n', 'vote'),
  ];
  const panels = COSTS.map(({ xLabel, cost }) => ({
    ...AXES,
    xLabel,
    series: shown.map(({ name, rows }) => ({
      name,
      points: rows.map((one) => point(one, known(one[cost]))),
    })),
  }));
  const title = `Answers picked of a run, ${run.items} held-out problems, α = 4`;
  return chart(title, panels, `${BARS}; points are numbers of particles, or of answers`);
}
