/** What a model and its contexts need. */
import { OutOfMemoryError } from '../../src/base/errors.ts';
import { bytesPerPosition, PAGE } from '../../src/cache/kv-cache.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { type Bench, freeMemory } from '../harness/device.ts';
import { short } from '../harness/figures.ts';
import type { Options } from '../model.ts';
import type { RandomWeights } from '../random-model.ts';
import { MOST_STEPS } from './rates.ts';

const MIB = 2 ** 20;
/** Rows that each have a prompt of their own. */
export const OWN = { rows: 8, context: 128 };

/** From the shape alone, bytes. */
export function computedMemory(config: ModelConfig, { tensors }: RandomWeights) {
  const all = [...tensors.values()];
  const weights = all.reduce((sum, { begin, end }) => sum + end - begin, 0);
  // One row of the embedding is looked up; it is read whole only where it serves as the LM head too.
  const lookup = all.find(({ name }) => name === 'model.embed_tokens.weight');
  const embedding = lookup && !config.tieWordEmbeddings ? lookup.end - lookup.begin : 0;
  return { weights, readPerToken: weights - embedding };
}

/** Positions of the cache, and which contexts fit. */
export function planCache(
  bench: Bench,
  config: ModelConfig,
  weights: number,
  { rows, contexts, prefill, shape, kvCache }: Options,
) {
  const pad = (tokens: number) => (Math.ceil(tokens / PAGE) + 1) * PAGE;
  const need = (context: number, copies: number, tails: number) =>
    copies * pad(context) + tails * pad(MOST_STEPS);
  const limit = bench.device.limits.maxStorageBufferBindingSize;
  const free = bench.cpu ? freeMemory() : Number.POSITIVE_INFINITY; // WebGPU does not tell a GPU's memory
  const layer = bytesPerPosition(config, kvCache);
  const total = (positions: number) => weights + positions * layer * config.numHiddenLayers + 256 * MIB;
  const fits = (positions: number) => positions * layer <= limit && total(positions) <= free;
  const least = need(Math.max(...prefill), 1, 0);
  if (!fits(least)) {
    throw new OutOfMemoryError(`the shape ${shape}`, total(least), free, 'take a smaller shape or prefill');
  }
  const skipped: string[] = [];
  const most = Math.max(...rows);
  const kept = contexts.filter((context) => {
    const positions = need(context, 1, most);
    const enough = fits(positions);
    if (!enough) {
      const sizes = `${gb(total(positions))} GB, ${gb(layer * positions)} GB a layer`;
      skipped.push(`context ${context}: ${sizes}; ${gb(free)} GB are free, ${gb(limit)} GB can be bound`);
    }
    return enough;
  });
  const forOwn = need(OWN.context, OWN.rows, OWN.rows);
  const own = fits(forOwn);
  if (!own) skipped.push(`contexts of their own: ${gb(total(forOwn))} GB`);
  const all = [least, own ? forOwn : 0, ...kept.map((context) => need(context, 1, most))];
  return { contexts: kept, own, skipped, positions: Math.max(...all) };
}

export const gb = (bytes: number) => short(bytes / 1e9);
