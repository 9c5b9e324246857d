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
  if (given === undefined) return slurm(env) ?? kubernetes(env, undefined);
  const [, first, second] = /^(\d+|auto)\/(\d+)$/.exec(given) ?? [];
  if (second === undefined) {
    throw new OptionError(`--shard is ${JSON.stringify(given)}: i/n, as in 0/4, or auto/n`);
  }
  const count = Number(second);
  if (first !== 'auto') return checked('--shard', { index: Number(first), count });
  const found = slurm(env) ?? kubernetes(env, count);
  if (!found) {
    throw new OptionError(`--shard is ${given}: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set`);
  }
  if (found.count !== count) {
    throw new OptionError(`--shard is ${given}: SLURM_ARRAY_TASK_COUNT is ${found.count}`);
  }
  return found;
}

/** An array may begin anywhere: its first index is shard 0. */
function slurm(env: Environment): Shard | undefined {
  if (!env.SLURM_ARRAY_TASK_ID || !env.SLURM_ARRAY_TASK_COUNT) return undefined;
  const number = (name: string, otherwise?: string) => whole(name, env[name] || otherwise);
  const index = number('SLURM_ARRAY_TASK_ID') - number('SLURM_ARRAY_TASK_MIN', '0');
  return checked('SLURM_ARRAY_TASK_ID less SLURM_ARRAY_TASK_MIN', {
    index,
    count: number('SLURM_ARRAY_TASK_COUNT'),
  });
}

/** Kubernetes tells a pod its index, but not how many there are. */
function kubernetes(env: Environment, count: number | undefined): Shard | undefined {
  if (!env.JOB_COMPLETION_INDEX) return undefined;
  const index = whole('JOB_COMPLETION_INDEX', env.JOB_COMPLETION_INDEX);
  if (count === undefined) {
    throw new OptionError(`JOB_COMPLETION_INDEX is ${index}, of how many is not known: --shard auto/n`);
  }
  return checked('JOB_COMPLETION_INDEX', { index, count });
}

function whole(name: string, text: string | undefined): number {
  if (!text || !/^\d+$/.test(text)) {
    throw new OptionError(`${name} is ${JSON.stringify(text)}: a whole number is expected`);
  }
  return Number(text);
}

function checked(name: string, shard: Shard): Shard {
  const { index, count } = shard;
  if (count < 1) throw new OptionError(`${name} counts ${count} parts: at least 1`);
  if (index < 0 || index >= count) {
    throw new OptionError(
      `${name} is ${index} of ${count}: from 0 to ${count - 1}; an array has to count by ones`,
    );
  }
  return shard;
}

/** The items of a part: every n-th one, so that all parts have the same mixture. */
export function partOf<T>(items: readonly T[], shard: Shard | undefined): T[] {
  return items.filter((_, i) => !shard || i % shard.count === shard.index);
}
