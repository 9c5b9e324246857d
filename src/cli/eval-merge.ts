import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, OptionError, OutputError } from '../errors.ts';
import { rowName } from '../eval/picks.ts';
import { keyOf, type Result } from '../eval/result.ts';
import {
  differences,
  type Plan,
  RunFolder,
  type RunRecord,
  readItems,
  readPlan,
  readRecord,
} from '../eval/run-folder.ts';
import { partOf, type Shard } from '../eval/shard.ts';
import { COMMON, type Parsed, value } from './args.ts';
import type { Io } from './command.ts';
import { summaryTable, writeReport } from './eval-report.ts';

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
  const paths = given.flatMap(shardFolders);
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
    if (before.sessions.length === 0) {
      for (const session of parts.flatMap(({ record }) => record.sessions)) await folder.begin(session);
    }
    // What a merge that was cut short has left, and nothing else.
    if (before.results.some((result, i) => keyOf(result) !== (results[i] && keyOf(results[i])))) {
      throw new OutputError(out, 'has results that are not of a merge; another --out keeps them apart');
    }
    const timed = new Set(before.timings.map(keyOf));
    const timings = parts.flatMap(({ record }) => record.timings);
    await folder.add(
      results.slice(before.results.length),
      timings.filter((timing) => !timed.has(keyOf(timing))),
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

/** The folder itself, or the shards in it. */
function shardFolders(path: string): string[] {
  if (!existsSync(path)) throw new DataError(path, 'there is no such folder');
  const inside = readdirSync(path)
    .filter((name) => /^shard-\d+-of-\d+$/.test(name))
    .map((name) => join(path, name));
  return inside.length > 0 ? inside : [path];
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
  const { count } = first.plan.shard;
  for (const { path, plan } of rest) {
    const found = differences({ ...first.plan, shard: undefined }, { ...plan, shard: undefined });
    if (plan.shard.count !== count) found.push(`the run is divided by ${plan.shard.count}, not by ${count}`);
    if (found.length > 0)
      throw new DataError(path, `is of another run than ${first.path}: ${found.join(', ')}`);
  }
  const byIndex = new Map<number, string>();
  for (const { path, plan } of parts) {
    const twin = byIndex.get(plan.shard.index);
    if (twin !== undefined) throw new DataError(path, `is shard ${plan.shard.index}, as is ${twin}`);
    byIndex.set(plan.shard.index, path);
  }
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !byIndex.has(i));
  if (missing.length > 0) {
    throw new DataError(first.path, `shard ${missing.join(', ')} of ${count} is missing beside it`);
  }
}

/** @throws DataError unless the part has every response that it should have, and no other */
function checkComplete({ path, plan, record }: Part): void {
  const expected = new Set(
    partOf(plan.items, plan.shard).flatMap((item) =>
      plan.samplers.flatMap(({ sampler, picks }) =>
        picks.flatMap((pick) =>
          Array.from({ length: plan.samples }, (_, sample) => keyOf({ item, sampler, pick, sample })),
        ),
      ),
    ),
  );
  const found = new Set(record.results.map(keyOf));
  const strange = [...found].find((key) => !expected.has(key));
  if (strange !== undefined) throw new DataError(path, `has a response that it should not have: ${strange}`);
  const missing = [...expected].filter((key) => !found.has(key));
  if (missing.length > 0) {
    const names = missing.slice(0, 3).join(', ') + (missing.length > 3 ? ', …' : '');
    throw new DataError(path, `lacks ${missing.length} of ${expected.size} responses: ${names}`);
  }
}
