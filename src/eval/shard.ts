import { readdir } from 'node:fs/promises';
import { OptionError } from '../base/errors.ts';
import { ifPresent, writing } from './files.ts';

/** Part `index`, from 0, of `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Name of the shard's folder in that of the run. */
export const shardName = ({ index, count }: Shard): string => `shard-${index}-of-${count}`;

/** Names of the shards' folders that are in the folder of a run; none where it is not there. @throws OutputError */
export async function shardsIn(folder: string): Promise<string[]> {
  const names = await ifPresent(readdir(folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') return []; // a file: what opens it as a folder says so
    throw error;
  });
  return (names ?? []).filter((name) => SHARD.test(name)).sort(); // Node alone has them sorted
}

const SHARD = /^shard-\d+-of-(\d+)$/;

/** Of how many shards there are folders in the folder of a run. @throws OutputError */
export async function countsOnRecord(folder: string): Promise<Recorded> {
  const names = await writing(folder, () => shardsIn(folder));
  return { folder, counts: [...new Set(names.map((name) => Number(SHARD.exec(name)?.[1])))] };
}

interface Recorded {
  readonly folder: string;
  readonly counts: readonly number[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const NONE: Recorded = { folder: '', counts: [] };

/**
 * The part of the items that this process does: `i/n` as given; `auto/n` with the index of the scheduler's job; without either, what a
 * Slurm array says of itself. The index is always the scheduler's own: one counted from the least of an array would be another when some
 * of its tasks are submitted again, and of these the array's own count says nothing. undefined for all items.
 * @throws OptionError
 */
export function shardOf(
  given: string | undefined,
  env: Environment,
  recorded: Recorded = NONE,
): Shard | undefined {
  if (given === undefined) {
    const job = jobOf(env);
    return job && { index: job.index, count: countOf(job, recorded) };
  }
  const [, first, second] = /^(\d+|auto)\/(\d+)$/.exec(given) ?? [];
  if (second === undefined) {
    throw new OptionError(`--shard is ${JSON.stringify(given)}: i/n, as in 0/4, or auto/n`);
  }
  const count = Number(second);
  if (first !== 'auto') return checked('--shard', { index: Number(first), count });
  const job = jobOf(env);
  if (!job) {
    throw new OptionError(`--shard is ${given}: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set`);
  }
  checked(`--shard ${given}: ${job.name}`, { index: job.index, count });
  if (job.last >= count) {
    throw new OptionError(
      `--shard ${given}: the array goes from ${job.first} to ${job.last}, shards from 0 to ${count - 1}: --array=0-${count - 1}`,
    );
  }
  return { index: job.index, count };
}

/** A job of several. */
interface Job {
  /** Of its index. */
  readonly name: string;
  readonly index: number;
  /** The least and the largest of the jobs submitted together. */
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** Of these jobs; undefined where the scheduler does not say. */
  readonly count: number | undefined;
}

function jobOf(env: Environment): Job | undefined {
  const task = whole('SLURM_ARRAY_TASK_ID', env);
  if (task !== undefined) {
    const count = whole('SLURM_ARRAY_TASK_COUNT', env);
    const first = whole('SLURM_ARRAY_TASK_MIN', env) ?? 0;
    const last = whole('SLURM_ARRAY_TASK_MAX', env) ?? 0;
    const step = whole('SLURM_ARRAY_TASK_STEP', env) ?? 1;
    return { name: 'SLURM_ARRAY_TASK_ID', index: task, first, last: Math.max(task, last), step, count };
  }
  const index = whole('JOB_COMPLETION_INDEX', env);
  if (index === undefined) return undefined;
  return { name: 'JOB_COMPLETION_INDEX', index, first: 0, last: index, step: 1, count: undefined };
}

/** @throws OptionError where neither the folder nor the array tells */
function countOf({ name, index, first, last, step, count }: Job, { folder, counts }: Recorded): number {
  const remedy = '--shard auto/n says of how many, or i/n which one';
  if (counts.length > 1) {
    const found = [...counts].sort((a, b) => a - b).join(' and of ');
    throw new OptionError(`${name} is ${index}, and ${folder} has shards of ${found}: ${remedy}`);
  }
  if (counts.length === 1) {
    if (Math.max(last, (count ?? 0) - 1) < counts[0]) return counts[0];
    const jobs = count === undefined ? `${name} is ${index}` : `the array has ${count} tasks up to ${last}`;
    throw new OptionError(
      `${jobs}, but ${folder} has shards of ${counts[0]}: ${remedy}; another --out keeps them apart`,
    );
  }
  if (count === undefined) throw new OptionError(`${name} is ${index}, of how many is not known: ${remedy}`);
  // Tasks that are submitted again look like an array of their own, unless there are gaps or one is left.
  if (first !== 0 || step > 1 || last >= count || count < 2) {
    const range = `SLURM_ARRAY_TASK_COUNT is ${count}, with indices from ${first} to ${last}${step > 1 ? ` in steps of ${step}` : ''}`;
    throw new OptionError(`${name} is ${index}, ${range}, which may be a part of an array: ${remedy}`);
  }
  return count;
}

/** undefined where it is not set. @throws OptionError */
function whole(name: string, env: Environment): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  if (!/^\d+$/.test(text))
    throw new OptionError(`${name} is ${JSON.stringify(text)}: a whole number is expected`);
  return Number(text);
}

function checked(name: string, shard: Shard): Shard {
  const { index, count } = shard;
  if (count < 1) throw new OptionError(`${name} counts ${count} parts: at least 1`);
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new OptionError(`${name} is ${index} of ${count}: a whole number from 0 to ${count - 1}`);
  }
  return shard;
}

/** The items of a part: every n-th one, so that all parts have the same mixture. */
export function partOf<T>(items: readonly T[], shard: Shard | undefined): T[] {
  return items.filter((_, i) => !shard || i % shard.count === shard.index);
}
