/**
 * The samplers on held-out problems of the embedded model: npm run reproduce [-- --full]
 * Runs `egps eval` (which goes on where it was interrupted), compares EGPS with the others at the accuracy that both reach, and
 * times both one answer at a time, by turns. Figures go to bench/results/abacus: those of 200 problems there, those of 50 into the
 * folder of the run.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { summaryTable } from '../src/cli/eval-report.ts';
import type { SamplerSummary, Summary } from '../src/eval/summary.ts';
import { abacusProblems } from '../src/eval/tasks/abacus.ts';
import { loadModel, resolveOptions, type SamplerOptions, sampleMany } from '../src/index.ts';
import { chart } from './chart.ts';
import { openBench, progress, readOptions } from './harness.ts';
import { median } from './statistics.ts';

const MODEL = 'models/abacus';
const FOLDER = 'bench/results/abacus';
/** Problems that are timed one at a time. */
const TIMED = 8;

/** Chains take the model's own schedule: a step after each block of 48 tokens, and so many at the full horizon. */
const SAMPLERS = [
  'greedy',
  'sample:temperature=1',
  'sample:temperature=0.25',
  'best-of-n:n=2',
  'best-of-n:n=4',
  'best-of-n:n=8',
  'metropolis:final-steps=0/2/5/10/20/40',
  'karan-du:steps=2',
  'karan-du:steps=6',
  'karan-du:steps=10',
  'entropy-cut:final-steps=0/2/5/10/20/40',
  'smc:block-size=16:n=4',
  'smc:block-size=16:n=12',
  'egps:final-steps=0/2/5/10/20',
  'egps:tries=1:final-steps=0/2/5/10/20/40',
  'egps:decoding=best-first:final-steps=0/2/5/10/20',
  'egps:decoding=eager:final-steps=20',
];

export interface Match {
  /** The other family. */
  readonly name: string;
  /** What both reach. */
  readonly level: number;
  readonly other: SamplerSummary;
  readonly egps: SamplerSummary;
}

/**
 * The budgets with which two families reach the same: the best that both can. Of each family the one with the fewest decoded tokens.
 */
export function match(
  samplers: readonly SamplerSummary[],
  name: string,
  measure: 'accuracy' | 'logp',
): Match | undefined {
  const of = (family: string) =>
    samplers.filter((one) => one.family === family && one[measure] !== null && one.decodedTokens !== null);
  const best = (family: readonly SamplerSummary[]) =>
    Math.max(...family.map((one) => one[measure] as number));
  const [theirs, ours] = [of(name), of('egps')];
  if (theirs.length === 0 || ours.length === 0) return;
  const level = Math.min(best(theirs), best(ours));
  const reaching = (family: readonly SamplerSummary[]) =>
    family
      .filter((one) => (one[measure] as number) >= level)
      .reduce((a, b) => ((b.decodedTokens as number) < (a.decodedTokens as number) ? b : a));
  return { name, level, other: reaching(theirs), egps: reaching(ours) };
}

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('reproduce', { full: { help: '200 problems instead of 50' } }, args);
  if (!parsed) return;
  const full = parsed.flags.has('full');
  const count = parsed.flags.has('quick') ? 3 : full ? 200 : 50;
  const folder = `${FOLDER}/run-${count}`;
  await evaluate(['--task', 'abacus', '--limit', `${count}`, '--sampler', SAMPLERS.join(), '--out', folder]);
  const summary: Summary = JSON.parse(readFileSync(`${folder}/summary.json`, 'utf8'));
  const comparisons = await compare(summary);
  const out = full ? FOLDER : folder;
  const { environment } = comparisons;
  writeFileSync(`${out}/summary.json`, `${JSON.stringify({ environment, ...summary }, null, 1)}\n`);
  writeFileSync(`${out}/comparisons.json`, `${JSON.stringify(comparisons, null, 1)}\n`);
  writeFileSync(`${out}/frontier.svg`, frontier(summary));
  console.log(`${summaryTable(summary)}\n\n${comparisons.lines.join('\n')}`);
  console.log(
    `\nwritten to ${out}: frontier.svg, summary.json, comparisons.json; the report is ${folder}/report.html`,
  );
}

function evaluate(args: readonly string[]): Promise<void> {
  const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'eval', ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`egps eval ended with exit code ${code}`)),
    );
  });
}

/** EGPS beside the other families, in tokens, steps and seconds. */
async function compare({ samplers }: Summary) {
  const bench = await openBench();
  const model = await loadModel(MODEL, { device: bench.device });
  const problems = abacusProblems(1n, TIMED);
  const prompts = problems.map(({ prompt }) => model.tokenizer?.encode(prompt) ?? new Uint32Array());

  /** Seconds of each problem, one chain at a time, the two samplers taking turns. */
  async function latency(pair: readonly SamplerSummary[]): Promise<number[][]> {
    const times: number[][] = pair.map(() => []);
    for (const [i, prompt] of prompts.entries()) {
      for (const [s, { sampler, options }] of pair.entries()) {
        progress(`${sampler}: problem ${i + 1} of ${TIMED}`);
        const started = performance.now();
        await sampleMany(model, [prompt], resolved(options, i));
        times[s].push((performance.now() - started) / 1000);
      }
    }
    progress();
    return times;
  }

  const found = [];
  const lines: string[] = [];
  for (const name of ['metropolis', 'karan-du', 'entropy-cut', 'best-of-n']) {
    for (const measure of ['accuracy', 'logp'] as const) {
      const matched = match(samplers, name, measure);
      if (!matched) continue;
      const { level, other, egps } = matched;
      const [theirs, ours] = await latency([other, egps]);
      const ratios = {
        decodedTokens: (other.decodedTokens ?? NaN) / (egps.decodedTokens ?? NaN),
        sequentialSteps: (other.sequentialSteps ?? NaN) / (egps.sequentialSteps ?? NaN),
        seconds: median(theirs.map((seconds, i) => seconds / ours[i])),
      };
      const seconds = { other: theirs, egps: ours };
      found.push({ measure, level, other: other.sampler, egps: egps.sampler, ratios, seconds });
      const reached =
        measure === 'accuracy' ? `${(100 * level).toFixed(1)} % right` : `log p ${level.toFixed(2)}`;
      const [tokens, steps, wall] = Object.values(ratios).map((ratio) => ratio.toFixed(2));
      lines.push(
        `${reached}: ${other.sampler} takes ${tokens} times the decoded tokens of ${egps.sampler}, ` +
          `${steps} times the sequential steps, ${wall} times the seconds one answer at a time`,
      );
    }
  }
  model.dispose();
  return { environment: bench.environment, comparisons: found, lines };
}

/** From the options as a summary has them. */
function resolved(options: Record<string, unknown>, chain: number): SamplerOptions {
  return { ...resolveOptions({}), ...options, chain } as SamplerOptions;
}

function frontier({ samplers, run }: Summary): string {
  // The same answers at other costs, which the table tells.
  const shown = samplers.filter(({ sampler }) => !sampler.includes('decoding='));
  const families = [...new Set(shown.map(({ family }) => family))];
  const panel = (xLabel: string, key: 'decodedTokens' | 'sequentialSteps') => ({
    xLabel,
    yLabel: 'accuracy',
    logX: true,
    percentY: true,
    series: families.map((name) => ({
      name: name
        .replace(/:block-size=\d+/, '')
        .replace(':temperature=', ', T = ')
        .replace(':tries=', ', K = '),
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
      panel('decoded tokens a problem', 'decodedTokens'),
      panel('sequential steps a problem', 'sequentialSteps'),
    ],
    'embedded model; bars are half as long as 95 % intervals',
  );
}
