/**
 * The samplers on held-out problems of the embedded model: npm run reproduce [-- --full]
 * Runs `egps eval` (which goes on where it was interrupted): every sampler with the prefix tree, and on fewer problems what they cost
 * without it, where the answers are the same. Then compares what it takes to be right on 70 % of the problems, and times single answers by
 * turns. Figures go to bench/results/abacus: those of 200 problems there, those of fewer into the folder of the run.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withModelDefaults } from '../../src/api/generate.ts';
import { loadDefaults } from '../../src/api/model-defaults.ts';
import { summaryTable } from '../../src/cli/eval-report.ts';
import type { Summary } from '../../src/eval/summary.ts';
import { readOptions } from '../harness/options.ts';
import { writeJson } from '../harness/results.ts';
import { frontier, picked } from './reproduce/charts.ts';
import { compare, report } from './reproduce/comparisons.ts';

const MODEL = 'models/abacus';
const FOLDER = 'bench/results/abacus';

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
  const comparisons = await compare(MODEL, summary, without);
  const out = full ? FOLDER : folder;
  const { environment } = comparisons;
  // Of so many samplers the pairs are too many: the report in the folder of the run has them.
  const alone = ({ comparisons, ...each }: Summary) => each;
  const figures = { environment, ...alone(summary), without: alone(without) };
  writeJson(`${out}/summary.json`, figures);
  writeJson(`${out}/comparisons.json`, comparisons);
  writeFileSync(`${out}/frontier.svg`, frontier(summary, without));
  writeFileSync(`${out}/picks.svg`, picked(summary, finalSteps));
  console.log(`${summaryTable(summary)}\n\nwithout the tree, ${few} problems\n${summaryTable(without)}\n`);
  report(comparisons);
  console.log(
    `\nwritten to ${out}: frontier.svg, picks.svg, summary.json, comparisons.json; the report is ${folder}/report.html`,
  );
}

function evaluate(args: readonly string[]): Promise<void> {
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
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
