import { OptionError } from '../errors.ts';

/** Part `index`, from 0, of `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The part of the items that this process does: `i/n` as given; `auto/n` with the index of the scheduler's job; without either, what a
 * Slurm array says of itself. undefined for all items.
 * @throws OptionError
 */
export function shardOf(given: string | undefined, env: Environment): Shard | undefined {
  if (given === undefined) return slurm(env) ?? unlessIndexed(env);
  const [, first, second] = /^(\d+|auto)\/(\d+)$/.exec(given) ?? [];
  if (second === undefined) {
    throw new OptionError(`--shard is ${JSON.stringify(given)}: i/n, as in 0/4, or auto/n`);
  }
  const count = Number(second);
  if (first !== 'auto') return checked('--shard', { index: Number(first), count });
  // Some tasks of an array may have been submitted again: then its own count and least index are others.
  const task = env.SLURM_ARRAY_TASK_COUNT === second ? slurm(env)?.index : index('SLURM_ARRAY_TASK_ID', env);
  const found = task ?? index('JOB_COMPLETION_INDEX', env);
  if (found === undefined) {
    throw new OptionError(`--shard is ${given}: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set`);
  }
  return checked(`--shard ${given}`, { index: found, count });
}

/** An array may begin anywhere and count in steps: its first index is shard 0. */
function slurm(env: Environment): Shard | undefined {
  const id = index('SLURM_ARRAY_TASK_ID', env);
  const count = index('SLURM_ARRAY_TASK_COUNT', env);
  if (id === undefined || count === undefined) return undefined;
  const first = index('SLURM_ARRAY_TASK_MIN', env) ?? 0;
  const step = index('SLURM_ARRAY_TASK_STEP', env) || 1;
  if (count === 1) {
    throw new OptionError(
      `SLURM_ARRAY_TASK_COUNT is 1, SLURM_ARRAY_TASK_ID ${id}: --shard ${id}/n says of how many`,
    );
  }
  return checked('SLURM_ARRAY_TASK_ID, counted from SLURM_ARRAY_TASK_MIN,', {
    index: (id - first) / step,
    count,
  });
}

/** Kubernetes tells a pod its index, but not how many there are. */
function unlessIndexed(env: Environment): undefined {
  const found = index('JOB_COMPLETION_INDEX', env);
  if (found !== undefined) {
    throw new OptionError(`JOB_COMPLETION_INDEX is ${found}, of how many is not known: --shard auto/n`);
  }
}

/** undefined where it is not set. @throws OptionError */
function index(name: string, env: Environment): number | undefined {
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
