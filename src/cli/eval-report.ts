import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Item } from '../eval/item.ts';
import type { Plan, RunFolder, RunRecord } from '../eval/run-folder.ts';
import { traceFile } from '../eval/runner.ts';
import { runInfo, type Summary, summarise } from '../eval/summary.ts';
import { evalPage } from '../report/eval-page.ts';
import { table } from './format.ts';

/**
 * Writes summary.json and report.html.
 * @param items of the run, or of its shard
 * @param runs folders that have the traces
 */
export async function writeReport(
  folder: Pick<RunFolder, 'path' | 'write'>,
  plan: Plan,
  items: readonly Item[],
  { results, timings, sessions }: RunRecord,
  runs: readonly string[],
): Promise<Summary> {
  const info = runInfo(plan, items.length, sessions);
  const summary = summarise(info, plan.samplers, results, timings);
  const chains = new Map(plan.samplers.map(({ sampler, chain }) => [sampler, chain]));
  const page = evalPage({
    summary,
    items,
    results,
    timings,
    trace({ item, sampler, sample }) {
      const file = traceFile(item, chains.get(sampler) ?? sampler, sample);
      const found = runs.map((run) => join(run, file)).find((path) => existsSync(path));
      return found && relative(folder.path, found).split('\\').join('/');
    },
  });
  await folder.write('summary.json', `${JSON.stringify(summary, null, 1)}\n`);
  await folder.write('report.html', page);
  return summary;
}

/** A table for the terminal. */
export function summaryTable({ samplers, run, complete }: Summary): string {
  const percent = (x: number | null) => (x === null ? '' : (100 * x).toFixed(1));
  const count = (x: number | null) => (x === null ? '' : x.toFixed(0));
  const several = run.samples > 1;
  const head = [
    'sampler',
    'right',
    '%',
    '95 % interval',
    'right mass %',
    'drawn',
    'computed',
    'passes',
    'seconds',
    'length',
    'no answer',
  ];
  const extra = several ? [`pass@${run.samples} %`, 'majority %'] : [];
  const rows = samplers.map((s) => [
    s.name,
    `${s.right}/${s.items * run.samples}`,
    percent(s.accuracy),
    s.interval ? `${percent(s.interval[0])} to ${percent(s.interval[1])}` : '',
    percent(s.mass),
    count(s.drawnTokens),
    count(s.computedRows),
    count(s.sequentialPasses),
    s.wallSeconds === null ? '' : s.wallSeconds.toPrecision(3),
    count(s.length),
    String(s.noAnswer),
    ...(several ? [percent(s.passAt.at(-1)?.value ?? null), percent(s.majority?.accuracy ?? null)] : []),
  ]);
  const right = [false, ...Array(head.length - 1 + extra.length).fill(true)];
  const runs = samplers.filter(({ pick }) => pick === 'last');
  const notes = [
    complete ? '' : 'Not complete: some responses are missing.',
    samplers.some(({ mass }) => mass !== null)
      ? 'right mass: what the run estimates right answers to have under p^alpha. Costs are means a run, the same for all its picks.'
      : '',
    noteOf(samplers, 'timedOut', 'responses were given up by the grader and count as wrong'),
    noteOf(runs, 'tooLong', 'responses were not drawn, the item being too long for the context'),
    run.badLines > 0 ? `${run.badLines} lines of the file were left out.` : '',
  ];
  return [table([[...head, ...extra], ...rows], right), ...notes.filter(Boolean)].join('\n');
}

function noteOf(samplers: Summary['samplers'], key: 'timedOut' | 'tooLong', what: string): string {
  const total = samplers.reduce((n, sampler) => n + sampler[key], 0);
  return total > 0 ? `${total} ${what}.` : '';
}
