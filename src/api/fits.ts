import { totalmem } from 'node:os';
import { OutOfMemoryError } from '../base/errors.ts';
import { isAllowed } from '../base/runtime.ts';
import { bytesPerPosition, PAGE } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Parts } from '../model/weight-layout.ts';
import { type Adapter, MemoryPlan, maxBindingOf, type Taken } from './memory.ts';

/** Bytes that an adapter has in all: that of the CPU, what the machine gives this process. Of others WebGPU does not tell. */
export function memoryOf({ cpu }: Pick<Adapter, 'cpu'>): number | undefined {
  if (!cpu || !isAllowed({ name: 'sys', kind: 'systemMemoryInfo' })) return undefined;
  return Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY);
}

/**
 * Refuses what cannot fit, before anything of it is fetched.
 * @param available bytes that the adapter has, where that is known
 * @throws OutOfMemoryError, OptionError
 */
export async function checkFits(
  { config, ...parts }: Parts & { readonly config: ModelConfig },
  adapter: Adapter,
  { cachePositions, ...taken }: Taken & { readonly cachePositions?: number } = {},
  available: number | undefined = memoryOf(adapter),
): Promise<void> {
  const plan = await MemoryPlan.of(config, parts, adapter, taken);
  const { total, positions } = plan.at(cachePositions);
  const layer = (positions + 2 * PAGE) * bytesPerPosition(config, taken.kvType ?? 'f32');
  const binding = maxBindingOf(adapter);
  const refuse = (what: string, needed: number, available: number) =>
    new OutOfMemoryError(what, needed, available, 'ask for fewer cachePositions');
  if (layer > binding) throw refuse(`a cache of ${positions} positions (a layer)`, layer, binding);
  if (available !== undefined && total > available)
    throw refuse(`the model with a cache of ${positions} positions`, total, available);
}
