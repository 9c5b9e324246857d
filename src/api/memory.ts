import { OptionError } from '../base/errors.ts';
import { bytesPerPosition, PAGE } from '../cache/kv-cache.ts';
import type { KvType } from '../cache/kv-type.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { AdapterDescription } from '../gpu/device.ts';
import { sizeBuffers } from '../model/buffers.ts';
import { loadWeights } from '../model/load-weights.ts';
import { sizesOf } from '../model/operations.ts';
import { type Tuning, tuningFor } from '../model/tuning.ts';
import { mostOfSlab, type Parts, type Quantize, WeightSizes } from '../model/weight-layout.ts';

export const DEFAULT_POSITIONS = 16384;

/** What memory depends on of an adapter. */
export type Adapter = Pick<AdapterDescription, 'cpu' | 'subgroups' | 'limits'>;

/** An ordinary GPU, where there is none to ask: its kernels, and no limit to what a binding shows. */
export const ANY_GPU: Adapter = {
  cpu: false,
  subgroups: false,
  limits: { maxComputeWorkgroupStorageSize: 32 << 10 },
};

/** Largest part of a buffer that one binding can show, in bytes. */
export const maxBindingOf = ({ limits }: Adapter): number =>
  Math.min(
    limits.maxStorageBufferBindingSize ?? Number.POSITIVE_INFINITY,
    limits.maxBufferSize ?? Number.POSITIVE_INFINITY,
  );

/** Positions that the cache has by default, or where so many are asked for. @throws OptionError */
export function cachePositions(
  config: ModelConfig,
  kvType: KvType,
  maxBinding: number,
  asked: number | undefined,
): number {
  if (asked === undefined) return Math.min(DEFAULT_POSITIONS, mostPositions(config, kvType, maxBinding));
  if (!Number.isInteger(asked) || asked < 1)
    throw new OptionError(`cachePositions is ${asked}: a whole number from 1 on`);
  return Math.ceil(asked / PAGE) * PAGE;
}

/** Positions whose keys or values one binding can show. */
function mostPositions(config: ModelConfig, kvType: KvType, maxBinding: number): number {
  return Math.floor(maxBinding / (bytesPerPosition(config, kvType) * PAGE)) * PAGE - 2 * PAGE;
}

/** How a model is loaded, as far as its memory depends on it. */
export interface Taken {
  readonly tune?: typeof tuningFor;
  readonly quantize?: Quantize;
  readonly kvType?: KvType;
}

/** The GPU memory that a model takes, known before anything is allocated. */
export class MemoryPlan {
  /** Bytes. */
  readonly weights: number;
  /** Bytes of keys and values a position, over all layers. */
  readonly position: number;
  private readonly config: ModelConfig;
  private readonly tuning: Tuning;
  private readonly maxBinding: number;
  private readonly permutes: boolean;
  private readonly kvType: KvType;

  private constructor(
    config: ModelConfig,
    tuning: Tuning,
    maxBinding: number,
    { bytes, permutes }: WeightSizes,
    kvType: KvType,
  ) {
    this.config = config;
    this.kvType = kvType;
    this.tuning = tuning;
    this.maxBinding = maxBinding;
    this.weights = bytes;
    this.permutes = permutes;
    this.position = config.numHiddenLayers * bytesPerPosition(config, kvType);
  }

  static async of(
    config: ModelConfig,
    parts: Parts,
    adapter: Adapter,
    { tune = tuningFor, quantize, kvType = 'f32' }: Taken = {},
  ): Promise<MemoryPlan> {
    const tuning = tune(adapter, config.vocabSize);
    const { holder } = tuning;
    const maxBinding = maxBindingOf(adapter);
    const sizes = new WeightSizes(parts, mostOfSlab(holder, maxBinding, adapter.limits), quantize, holder);
    await loadWeights(sizes, config, sizesOf(config, tuning).part);
    return new MemoryPlan(config, tuning, maxBinding, sizes, kvType);
  }

  /** Bytes of weights, cache and scratch with a cache of so many positions, or of those that it has by default. */
  at(asked?: number): { positions: number; weights: number; cache: number; scratch: number; total: number } {
    const { config, tuning, maxBinding, weights, permutes, kvType } = this;
    const positions = cachePositions(config, kvType, maxBinding, asked);
    const cache = (positions + 2 * PAGE) * this.position;
    const context = Math.min(config.maxPositionEmbeddings, positions);
    const scratch = sizeBuffers(config, tuning, context, permutes).total;
    return { positions, weights, cache, scratch, total: weights + cache + scratch };
  }

  /** Positions of the largest cache with which the model fits into so many bytes; 0 where none does. */
  positionsIn(bytes: number): number {
    const most = Math.min(mostPositions(this.config, this.kvType, this.maxBinding), bytes / this.position);
    let [fits, above] = [0, Math.floor(most / PAGE) + 1];
    while (above - fits > 1) {
      const pages = Math.floor((fits + above) / 2);
      if (this.at(pages * PAGE).total <= bytes) fits = pages;
      else above = pages;
    }
    return fits * PAGE;
  }
}
