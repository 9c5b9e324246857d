/**
 * The samplers on held-out problems of the embedded model: npm run reproduce [-- --full]
 * Runs `egps eval` (which goes on where it was interrupted): every sampler with the prefix tree, and on fewer problems what the chains cost
 * without it, whose answers are the same. Then compares what it takes to be right on 70 % of the problems, and times single answers by
 * turns. Figures go to bench/results/abacus: those of 200 problems there, those of 50 into the folder of the run.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { summaryTable } from '../src/cli/eval-report.ts';
import type { SamplerSummary, Summary } from '../src/eval/summary.ts';
import { abacusProblems } from '../src/eval/tasks/abacus.ts';
import { withModelDefaults } from '../src/generate.ts';
import { loadModel, resolveOptions, type SamplerOptions, sampleMany } from '../src/index.ts';
import { chart } from './chart.ts';
import { openBench, progress, readOptions, table } from './harness.ts';
import { mean, median } from './statistics.ts';

const MODEL = 'models/abacus';
const FOLDER = 'bench/results/abacus';
/** Problems that are timed one at a time. */
const TIMED = 8;
/** Share of the problems that samplers are compared at. */
const LEVEL = 0.7;

const SAMPLERS = [
  'greedy',
  'sample:temperature=1',
  'sample:temperature=0.25',
  ...[2, 4, 8, 16, 32].map((n) => `best-of-n:n=${n}`),
  'metropolis:final-steps=0/5/10/20/40/80/160/320',
  ...[10, 20, 40].map((steps) => `karan-du:steps=${steps}`),
  'entropy-cut:final-steps=0/5/10/20/40/80/160/320',
  ...[16, 64, 256].map((n) => `smc:particles=${n}`),
  'egps:growth=blocks:final-steps=0/5/10/20/40/80',
  ...[16, 32, 64, 256].map((n) => `egps:particles=${n}:final-steps=0/5/10/20`),
  'egps:final-steps=0/5/10/20',
];

/** As they were: every candidate is decoded anew. Their answers are those above. */
const WITHOUT = [
  'metropolis:tree=off:final-steps=0/5/10/20/40/80/160/320',
  ...[10, 20, 40].map((steps) => `karan-du:tree=off:steps=${steps}`),
  'egps:tree=off:growth=blocks:final-steps=0/5/10/20/40/80',
];

/** A budget of a sampler: what it costs, and how often it is right. */
export interface Budget {
  readonly cost: number;
  readonly accuracy: number;
}

/**
 * The cost at which a sampler reaches a level: where the line between two budgets crosses it, the costs taken as logarithms.
 * @returns undefined where no budget does
 */
export function costAt(level: number, budgets: readonly Budget[]): number | undefined {
  const sorted = budgets.toSorted((a, b) => a.cost - b.cost);
  const first = sorted.findIndex(({ accuracy }) => accuracy >= level);
  if (first <= 0) return sorted[first]?.cost;
  const [below, above] = [sorted[first - 1], sorted[first]];
  const share = (level - below.accuracy) / (above.accuracy - below.accuracy);
  return below.cost * (above.cost / below.cost) ** share;
}

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('reproduce', { full: { help: '200 problems instead of 50' } }, args);
  if (!parsed) return;
  const full = parsed.flags.has('full');
  const quick = parsed.flags.has('quick');
  const count = quick ? 3 : full ? 200 : 50;
  const few = quick ? 2 : full ? 20 : 8;
  const folder = `${FOLDER}/run-${count}`;
  const evaluated = async (limit: number, samplers: readonly string[], out: string): Promise<Summary> => {
    await evaluate(['--task', 'abacus', '--limit', `${limit}`, '--sampler', samplers.join(), '--out', out]);
    return JSON.parse(readFileSync(`${out}/summary.json`, 'utf8'));
  };
  const summary = await evaluated(count, SAMPLERS, folder);
  const without = await evaluated(few, WITHOUT, `${folder}/without`);
  const comparisons = await compare(summary, without);
  const out = full ? FOLDER : folder;
  const { environment } = comparisons;
  writeFileSync(`${out}/summary.json`, `${JSON.stringify({ environment, ...summary, without }, null, 1)}\n`);
  writeFileSync(`${out}/comparisons.json`, `${JSON.stringify(comparisons, null, 1)}\n`);
  writeFileSync(`${out}/frontier.svg`, frontier(summary));
  console.log(`${summaryTable(summary)}\n\nwithout the tree, ${few} problems\n${summaryTable(without)}\n`);
  console.log(comparisons.lines.join('\n'));
  console.log(
    `\nwritten to ${out}: frontier.svg, summary.json, comparisons.json; the report is ${folder}/report.html`,
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

/** One curve of the comparison at a level. */
interface Curve {
  readonly name: string;
  readonly rows: readonly SamplerSummary[];
  /** Of each row, in passes. */
  readonly costs: readonly number[];
}

async function compare({ samplers }: Summary, without: Summary) {
  const last = samplers.filter(({ pick }) => pick === 'last');
  const passes = (one: SamplerSummary) => one.sequentialPasses ?? NaN;
  const curve = (name: string, starts: string, but?: string): Curve => {
    const rows = last.filter(({ sampler }) => sampler.startsWith(starts) && !(but && sampler.includes(but)));
    return { name, rows, costs: rows.map(passes) };
  };
  // Without the tree the answers are the same, so that the accuracies are those of all problems and only the costs are of fewer.
  const off = (name: string, starts: string): Curve => {
    const rows = without.samplers.filter(
      ({ sampler, pick }) => pick === 'last' && sampler.startsWith(starts),
    );
    const same = rows.map(
      ({ sampler }) => last.find((one) => one.sampler === sampler.replace(':tree=off', '')) as SamplerSummary,
    );
    return { name, rows: same, costs: rows.map(passes) };
  };
  const curves = [
    curve('egps', 'egps:final-steps='),
    curve('egps, growth by blocks', 'egps:growth=blocks'),
    off('egps, growth by blocks, without the tree', 'egps:tree=off'),
    curve('metropolis', 'metropolis'),
    off('metropolis, without the tree', 'metropolis'),
    curve('karan-du', 'karan-du'),
    off('karan-du, without the tree', 'karan-du'),
    curve('entropy-cut', 'entropy-cut'),
    curve('smc', 'smc'),
    curve('best-of-n', 'best-of-n'),
  ];
  const reached = curves.map(({ name, rows, costs }) => {
    const budgets = rows.map(({ accuracy }, i) => ({ cost: costs[i], accuracy: accuracy ?? NaN }));
    const enough = rows.findIndex(({ accuracy }) => (accuracy ?? 0) >= LEVEL);
    return {
      name,
      passes: costAt(LEVEL, budgets),
      budget: rows[enough]?.sampler ?? null,
      without: name.includes('without'),
    };
  });

  // Seconds of single answers, by turns.
  const bench = await openBench();
  const model = await loadModel(MODEL, { device: bench.device });
  const prompts = abacusProblems(1n, TIMED).map(
    ({ prompt }) => model.tokenizer?.encode(prompt) ?? new Uint32Array(),
  );
  const timed = reached.filter(({ budget }) => budget !== null);
  const plain = withModelDefaults(model.defaults, { sampler: 'sample' });
  const seconds = timed.map((): number[] => []);
  const ofPlain: number[] = []; // a token
  const shares: number[] = []; // of egps over a plain answer of its length
  for (const [i, prompt] of prompts.entries()) {
    progress(`problem ${i + 1} of ${TIMED}`);
    const once = async (options: SamplerOptions) => {
      const began = performance.now();
      const [drawn] = await sampleMany(model, [prompt], { ...options, chain: i });
      return { seconds: (performance.now() - began) / 1000, tokens: drawn.tokens.length };
    };
    const own = await once(plain);
    ofPlain.push(own.seconds / own.tokens);
    for (const [s, { budget, without }] of timed.entries()) {
      const { options } = last.find(({ sampler }) => sampler === budget) as SamplerSummary;
      const tree = without ? { tree: 'off', draft: 0, lookAhead: 0 } : {};
      const drawn = await once({ ...resolveOptions({}), ...options, ...tree } as SamplerOptions);
      seconds[s].push(drawn.seconds);
      if (s === 0) shares.push(drawn.seconds / (drawn.tokens * median(ofPlain)));
    }
  }
  model.dispose();
  progress();

  const at = timed.map((each, s) => ({
    ...each,
    passesOverEgps: (each.passes ?? NaN) / (timed[0].passes ?? NaN),
    seconds: seconds[s],
    secondsOverEgps: median(seconds[s].map((value, i) => value / seconds[0][i])),
  }));
  const egps = last.find(({ sampler }) => sampler === 'egps:final-steps=10') as SamplerSummary;
  const picks = (['last', 'likeliest', 'vote'] as const).map(
    (pick) => samplers.find((one) => one.sampler === egps.sampler && one.pick === pick)?.accuracy ?? NaN,
  );
  const perToken = (egps.sequentialPasses ?? NaN) / (egps.length ?? NaN);
  const best = last
    .filter(({ sampler }) => sampler.startsWith('best-of-n'))
    .map((one) => {
      const within = samplers.filter(
        ({ sampler, pick, computedRows }) =>
          sampler.startsWith('egps') &&
          pick === 'likeliest' &&
          (computedRows ?? Infinity) <= (one.computedRows ?? 0),
      );
      const most = Math.max(...within.map(({ accuracy }) => accuracy ?? 0));
      return {
        sampler: one.sampler,
        rows: one.computedRows,
        accuracy: one.accuracy,
        likeliestOfEgps: within.length ? most : null,
      };
    });
  const percent = (x: number | null) => (x === null ? '–' : `${(100 * x).toFixed(1)} %`);
  const lines = [
    `what it takes to be right on ${100 * LEVEL} % of the problems; seconds of ${TIMED} single answers by turns`,
    table(
      ['sampler', 'budget', 'passes', 'over egps', 'seconds', 'over egps'],
      at.map((each) => [
        each.name,
        each.budget ?? '',
        (each.passes ?? NaN).toFixed(0),
        each.passesOverEgps.toFixed(1),
        `${median(each.seconds).toFixed(2)} (${Math.min(...each.seconds).toFixed(2)} to ${Math.max(...each.seconds).toFixed(2)})`,
        each.secondsOverEgps.toFixed(1),
      ]),
    ),
    ...reached.filter(({ budget }) => budget === null).map(({ name }) => `${name} does not reach it`),
    `${egps.sampler}: last ${percent(picks[0])}, likeliest ${percent(picks[1])}, vote ${percent(picks[2])}; ` +
      `${perToken.toFixed(2)} passes and ${((egps.computedRows ?? NaN) / (egps.length ?? NaN)).toFixed(1)} rows a token of the answer`,
    `seconds of ${timed[0].budget} over those of a plain sample of its length: ${median(shares).toFixed(1)} ` +
      `(${Math.min(...shares).toFixed(1)} to ${Math.max(...shares).toFixed(1)}, mean ${mean(shares).toFixed(1)})`,
    ...best.map(
      ({ sampler, rows, accuracy, likeliestOfEgps }) =>
        `${sampler}: ${percent(accuracy)} with ${rows?.toFixed(0)} rows; likeliest of egps with no more: ${percent(likeliestOfEgps)}`,
    ),
  ];
  return { environment: bench.environment, level: LEVEL, at, picks, perToken, shares, best, lines };
}

function frontier({ samplers, run }: Summary): string {
  const shown = samplers.filter(
    ({ pick, sampler }) => pick === 'last' || /^(egps|smc):particles/.test(sampler),
  );
  const families = [...new Set(shown.map(({ family }) => family))];
  const panel = (xLabel: string, key: 'sequentialPasses' | 'computedRows') => ({
    xLabel,
    yLabel: 'accuracy',
    logX: true,
    percentY: true,
    series: families.map((name) => ({
      name: name
        .replace(':temperature=', ', T = ')
        .replace(':growth=', ', ')
        .replace(':particles=', ', n = '),
      points: shown
        .filter((one) => one.family === name)
        .map((one) => ({
          x: one[key] ?? NaN,
          y: one.accuracy ?? NaN,
          error: one.interval ? (one.interval[1] - one.interval[0]) / 4 : undefined,
        })),
    })),
  });
  return chart(
    `Accuracy against cost, ${run.items} held-out problems, α = 4`,
    [
      panel('sequential passes a problem', 'sequentialPasses'),
      panel('rows computed a problem', 'computedRows'),
    ],
    'embedded model; bars are half as long as 95 % intervals',
  );
}
