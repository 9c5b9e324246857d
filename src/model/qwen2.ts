import type { KvCache, PageCopy } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';
import type { Recorder } from '../gpu/recorder.ts';
import { bindOperations, type Operations } from './bind.ts';
import { allocate, type Buffers } from './buffers.ts';
import { loadWeights } from './load-weights.ts';
import { compileOperations, run, runGrid, type Sizes, SPAN, sizesOf } from './operations.ts';
import { rowMultiple, type Tuning } from './tuning.ts';
import type { WeightLoader } from './weights.ts';

/** Rows that a pass works on. */
export interface Batch {
  readonly rows: number;
  /** No row has more positions, its current one included. */
  readonly positions: number;
  /** Most leading spans that a team of rows has in common. */
  readonly shared: number;
  /** A prompt, whose rows may go through other kernels than those of decoding. */
  readonly prefill?: boolean;
}

/** Loads the weights and compiles the kernels, side by side. */
export async function loadQwen2(
  gpu: Gpu,
  kernels: Kernels,
  config: ModelConfig,
  loader: WeightLoader,
  cache: KvCache,
  contextLength: number,
  tuning: Tuning,
): Promise<Qwen2> {
  const sizes = sizesOf(config, tuning);
  const compiling = compileOperations(kernels, config, tuning, cache, loader);
  compiling.catch(() => {}); // awaited below, unless loading fails first
  const buffers = allocate(gpu, config, tuning, contextLength, loader.permutes);
  const weights = await loadWeights(loader, config, sizes.part);
  const operations = bindOperations(kernels, await compiling, config, sizes, buffers, weights, cache);
  return new Qwen2(gpu, config, tuning, sizes, cache, buffers, operations);
}

/** A forward pass for a batch of rows, each with its own token, position and block table, all of them in GPU memory. */
export class Qwen2 {
  readonly numLayers: number;
  /** Most rows of a pass. */
  readonly capacity: number;
  /** Rows beyond those in flight, up to a multiple of this, must be inert: limit 0. Divides capacity. */
  readonly rowMultiple: number;
  /** Rows that the multiplications take together: more, up to a multiple of it, cost little. */
  readonly tile: number;
  readonly sizes: Sizes;
  readonly buffers: Buffers;
  private readonly gpu: Gpu;
  private readonly cache: KvCache;
  private readonly operations: Operations;
  /** Workgroups of the attention kernel a row and span. */
  private readonly shares: number;
  /** Heads of queries and keys. */
  private readonly heads: number;
  /** Positions that a row sees in layers that slide, and the most spans that these lie in. */
  private readonly window: { readonly size: number; readonly spans: number };

  constructor(
    gpu: Gpu,
    config: ModelConfig,
    tuning: Tuning,
    sizes: Sizes,
    cache: KvCache,
    buffers: Buffers,
    operations: Operations,
  ) {
    this.numLayers = config.numHiddenLayers;
    this.capacity = tuning.capacity;
    this.rowMultiple = rowMultiple(tuning);
    this.tile = Math.max(...tuning.tiles);
    this.sizes = sizes;
    this.buffers = buffers;
    this.gpu = gpu;
    this.cache = cache;
    this.operations = operations;
    this.shares = config.numAttentionHeads / sizes.share;
    this.heads = config.numAttentionHeads + config.numKeyValueHeads;
    const size = config.slidingWindow?.size ?? Number.POSITIVE_INFINITY;
    this.window = { size, spans: Math.ceil((size - 1) / SPAN) + 1 };
  }

  /** Most rows that a pass can take when one of them has this many positions. */
  rowsAt(positions: number): number {
    return Math.min(this.capacity, Math.floor(this.buffers.slots / Math.ceil(positions / SPAN)));
  }

  /** Feeds each row's token at its position: keys and values go to the cache, the stream holds the last hidden state. `stop`: how many half layers to run. */
  forward(
    pass: Recorder,
    { rows, positions, shared, prefill }: Batch,
    stop: number = 2 * this.numLayers,
  ): void {
    const { embed, layers, merge, mergeWindow } = this.operations;
    const { shares, sizes, heads, window } = this;
    const spans = Math.ceil(positions / SPAN); // of the longest row
    const split = spans > 1 || shared > 0;
    const slides = positions > window.size; // else all see the whole prefix in every layer

    run(pass, embed, rows); // stream [rows, hiddenSize] = h, and g∘h for the norm that comes next
    for (const [i, layer] of layers.entries()) {
      if (stop <= 2 * i) return;
      run(pass, layer.qkv, rows, prefill); // queries [rows, heads, headDim]; keys and values go to the cache
      if (layer.qkNorm) runGrid(pass, layer.qkNorm, heads, rows); // from projected [rows, heads + kvHeads, headDim]
      if (slides && layer.window) {
        runGrid(pass, layer.window, shares, rows, Math.min(spans, window.spans));
        run(pass, mergeWindow, rows);
      } else {
        if (shared > 0) runGrid(pass, layer.common, shares, Math.floor(rows / sizes.team), shared);
        runGrid(pass, split ? layer.spans : layer.whole, shares, rows, spans); // attention [rows, heads, headDim]
        if (split) run(pass, merge, rows); // from spans [slots, heads, 4 + headDim]
      }
      run(pass, layer.output, rows, prefill); // stream += o_proj · attention
      if (stop <= 2 * i + 1) return;
      run(pass, layer.gateUp, rows, prefill); // activation [rows, intermediateSize] = silu(gate) ∘ up
      run(pass, layer.down, rows, prefill); // stream += down_proj · activation
    }
  }

  /** The logits [rows, vocabSize] of what `forward` left in the stream, for at most `logitRows` rows. */
  head(pass: Recorder, rows: number): void {
    run(pass, this.operations.head, rows);
  }

  /** Sums up each row's logits, answers what it asks and moves it on. */
  draw(pass: Recorder, rows: number): void {
    run(pass, this.operations.summarise, rows); // slices [rows, slices]
    run(pass, this.operations.draw, rows); // results, where rows say
  }

  /** Copies pages of the cache, at most `capacity` of them. */
  copyPages(pass: Recorder, pages: readonly PageCopy[]): void {
    if (pages.length === 0) return;
    const pairs = Uint32Array.from(pages.flatMap(({ from, to }) => [from, to]));
    this.gpu.device.queue.writeBuffer(this.buffers.copied, 0, pairs);
    for (const copy of this.operations.copies) {
      runGrid(pass, copy, Math.ceil(this.cache.pageBytes / 16 / 64), pages.length);
    }
  }
}
