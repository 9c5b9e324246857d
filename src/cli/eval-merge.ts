import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, OptionError, OutputError } from '../base/errors.ts';
import { lackOf } from '../eval/checks.ts';
import { ifPresent, reading } from '../eval/files.ts';
import { rowName } from '../eval/picks.ts';
import type { Result } from '../eval/result.ts';
import {
  differences,
  type Plan,
  RunFolder,
  type RunRecord,
  readItems,
  readPlan,
  readRecord,
} from '../eval/run-folder.ts';
import { type Shard, shardsIn } from '../eval/shard.ts';
import { COMMON, type Parsed, value } from './args.ts';
import { summaryTable, writeReport } from './eval-report.ts';
import type { Io } from './io.ts';

interface Part {
  readonly path: string;
  readonly plan: Plan & { readonly shard: Shard };
  readonly record: RunRecord;
}

/**
 * Makes one run of all its shards, with the results sorted by id: the same, line by line, as those of a run that was never divided.
 * @throws OptionError; DataError where something is missing, twice, or of another run
 */
export async function merge(parsed: Parsed, io: Io): Promise<void> {
  const given = parsed.words.slice(1);
  const known = ['out', ...Object.keys(COMMON)];
  const other = [...Object.keys(parsed.values), ...parsed.flags].find((name) => !known.includes(name));
  if (other !== undefined) throw new OptionError(`egps eval merge takes no --${other}`);
  if (given.length === 0) throw new OptionError('egps eval merge DIR…: which folders?');
  const paths = (await Promise.all(given.map(shardFolders))).flat();
  const out = value(parsed, 'out') ?? (given.length === 1 && paths[0] !== given[0] ? given[0] : undefined);
  if (out === undefined) throw new OptionError('--out is missing: the folder of the merged run');

  const parts = await Promise.all(paths.map(readPart));
  checkParts(parts);
  const { shard, ...plan } = parts[0].plan;
  for (const part of parts) checkComplete(part);

  const rows = plan.samplers.flatMap(({ sampler, picks }) => picks.map((pick) => rowName(sampler, pick)));
  const order = new Map(rows.map((name, i) => [name, i]));
  const place = ({ sampler, pick }: Result) => order.get(rowName(sampler, pick)) as number;
  const results = parts
    .flatMap(({ record }) => record.results)
    .sort((a, b) => compare(a.item, b.item) || place(a) - place(b) || a.sample - b.sample);
  const numbers = new Map(plan.items.map((id, i) => [id, i]));
  const numberOf = ({ id }: { id: string }) => numbers.get(id) as number;
  const items = (await Promise.all(paths.map(readItems))).flat().sort((a, b) => numberOf(a) - numberOf(b));
  const folder = await RunFolder.open(out, plan, items);
  try {
    const before = folder.record();
    const sessions = parts.flatMap(({ record }) => record.sessions);
    // What a merge that was cut short has left, and nothing else.
    if (!isPrefix(before.results, results) || !isPrefix(before.sessions, sessions)) {
      throw new OutputError(out, 'has results that are not of a merge; another --out keeps them apart');
    }
    for (const session of sessions.slice(before.sessions.length)) await folder.begin(session);
    await folder.add(
      results,
      parts.flatMap(({ record }) => record.timings),
    );
    const summary = await writeReport(folder, plan, items, folder.record(), paths);
    io.out(`${summaryTable(summary)}\n`);
    io.err(
      `${results.length} responses of ${parts.length} shards: ${out}/results.jsonl, ${out}/report.html\n`,
    );
  } finally {
    await folder.close();
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isPrefix = (begun: readonly unknown[], all: readonly unknown[]): boolean =>
  begun.every((one, i) => JSON.stringify(one) === JSON.stringify(all[i]));

/** The folder itself, or the shards in it. @throws DataError */
async function shardFolders(path: string): Promise<string[]> {
  const found = await reading(path, () => ifPresent(stat(path)));
  if (!found) throw new DataError(path, 'there is no such folder');
  if (!found.isDirectory()) throw new DataError(path, 'is not a folder');
  const inside = await reading(path, () => shardsIn(path));
  return inside.length > 0 ? inside.map((name) => join(path, name)) : [path];
}

async function readPart(path: string): Promise<Part> {
  const plan = await readPlan(path);
  if (!plan) throw new DataError(path, 'there is no run.json: not the folder of a run');
  if (!plan.shard) throw new DataError(path, 'this run is whole, not a shard of one');
  return { path, plan: { ...plan, shard: plan.shard }, record: await readRecord(path) };
}

/** @throws DataError unless the parts are all the shards of one run */
function checkParts(parts: readonly Part[]): void {
  const [first, ...rest] = parts;
  const divisions = new Map(parts.map(({ path, plan }) => [plan.shard.count, path]));
  if (divisions.size > 1) {
    const found = [...divisions].map(([count, path]) => `${path} is of ${count} shards`).join(', ');
    throw new DataError(
      first.path,
      `the folders are of different divisions: ${found}; name those of one, or move the others away, and compute what is missing with --shard i/n`,
    );
  }
  const { count } = first.plan.shard;
  for (const { path, plan } of rest) {
    const found = differences({ ...first.plan, shard: undefined }, { ...plan, shard: undefined });
    if (found.length > 0)
      throw new DataError(path, `is of another run than ${first.path}: ${found.join(', ')}`);
  }
  const byIndex = new Map<number, string>();
  for (const { path, plan } of parts) {
    const twin = byIndex.get(plan.shard.index);
    if (twin !== undefined) throw new DataError(path, `is shard ${plan.shard.index}, as is ${twin}`);
    byIndex.set(plan.shard.index, path);
  }
  const missing: number[] = [];
  for (let i = 0; i < count && missing.length < 10; i++) if (!byIndex.has(i)) missing.push(i);
  if (missing.length > 0) {
    const names = missing.join(', ') + (missing.length < count - byIndex.size ? ', …' : '');
    const remedy = `the same command with --shard ${missing[0]}/${count} computes it`;
    throw new DataError(first.path, `shard ${names} of ${count} is missing beside it: ${remedy}`);
  }
}

/** @throws DataError unless the part has every response that it should have; others it has none, or it could not have been read */
function checkComplete({ path, plan, record }: Part): void {
  const lack = lackOf(plan, record.results);
  if (lack === undefined) return;
  const { index, count } = plan.shard;
  throw new DataError(path, `${lack}; the same command with --shard ${index}/${count} goes on`);
}
