import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../base/errors.ts';
import { lackOf } from '../checks.ts';
import { reading } from '../files.ts';
import type { Item } from '../item.ts';
import { rowName } from '../picks.ts';
import { keyOf, type Result, type Timing, timingKeyOf } from '../result.ts';
import { type Plan, RESULTS, readItems, readPlan, readRecord } from '../run-folder.ts';
import { runInfo, type SamplerSummary, type Summary, summarise } from '../summary.ts';

/** A file to be written. */
export interface ExportFile {
  /** Its path, from the folder of the export. */
  readonly name: string;
  readonly text: string;
}

/** A run with all of its responses, as exports take it. */
export interface FinishedRun {
  readonly plan: Plan;
  readonly summary: Summary;
  /** In the order of the plan. */
  readonly samplers: readonly ExportedSampler[];
  /** When the last result was recorded. */
  readonly ended: Date;
}

export interface ExportedSampler {
  /** As on the command line. */
  readonly sampler: string;
  readonly options: Plan['samplers'][number]['options'];
  readonly rows: readonly Row[];
}

/** What one pick of a sampler gave. */
export interface Row {
  readonly summary: SamplerSummary;
  /** Items that fit the model's context. */
  readonly graded: readonly GradedItem[];
}

export interface GradedItem {
  /** Its number in the run, from 0. */
  readonly index: number;
  readonly item: Item;
  /** By number of the run. */
  readonly responses: readonly Result[];
  readonly timings: readonly (Timing | undefined)[];
  /** Share of right responses. */
  readonly score: number;
}

/** @throws DataError for what is no run, a shard of one, or not complete */
export async function readFinished(path: string): Promise<FinishedRun> {
  const plan = await readPlan(path);
  if (!plan) throw new DataError(path, 'there is no run.json: not the folder of a run');
  if (plan.shard) {
    const { index, count } = plan.shard;
    throw new DataError(path, `is shard ${index} of ${count}; egps eval merge makes one run of them`);
  }
  const { results, timings, sessions } = await readRecord(path);
  const lack = lackOf(plan, results);
  if (lack !== undefined) throw new DataError(path, `${lack}; the command that began the run goes on`);
  const items = await readItems(path);
  const summary = summarise(runInfo(plan, items.length, sessions), plan.samplers, results, timings);
  const summaries = new Map(summary.samplers.map((each) => [each.name, each]));
  const byKey = new Map(results.map((result) => [keyOf(result), result]));
  const times = new Map(timings.map((timing) => [timingKeyOf(timing), timing]));
  const runs = Array.from({ length: plan.samples }, (_, sample) => sample);
  const file = join(path, RESULTS);
  return {
    plan,
    summary,
    ended: (await reading(file, () => stat(file))).mtime,
    samplers: plan.samplers.map(({ sampler, options, picks }) => ({
      sampler,
      options,
      rows: picks.map((pick) => ({
        summary: summaries.get(rowName(sampler, pick)) as SamplerSummary,
        graded: items.flatMap((item, index): GradedItem[] => {
          const keys = runs.map((sample) => ({ item: item.id, sampler, pick, sample }));
          const responses = keys.map((key) => byKey.get(keyOf(key)) as Result);
          if (responses.some(({ verdict }) => verdict === 'too long')) return [];
          const right = responses.filter(({ verdict }) => verdict === 'right').length;
          const spent = keys.map((key) => times.get(timingKeyOf(key)));
          return [{ index, item, responses, timings: spent, score: right / responses.length }];
        }),
      })),
    })),
  };
}

/** Programs are run; everything else has a final answer that is compared. */
export const metricOf = ({ graded }: Row): 'acc' | 'pass@1' =>
  graded.length > 0 && graded.every(({ item }) => item.grader === 'code') ? 'pass@1' : 'acc';

/** Of the mean score; null where there are fewer than two items. */
export function standardError({ graded }: Row): number | null {
  const n = graded.length;
  if (n < 2) return null;
  const mean = graded.reduce((sum, { score }) => sum + score, 0) / n;
  const squares = graded.reduce((sum, { score }) => sum + (score - mean) ** 2, 0);
  return Math.sqrt(squares / (n - 1) / n);
}

/** Without the characters that only some readers take for the end of a line, as Python's splitlines does. */
export const jsonLines = (values: readonly object[]): string =>
  values
    .map((value) => `${JSON.stringify(value)}\n`)
    .join('')
    .replace(/[\u0085\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
