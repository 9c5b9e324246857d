import { type KvCache, PAGE, type PageCopy } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';
import {
  compileOperations,
  type Operation,
  run,
  SPAN,
  SPANS_BYTES,
  sizesOf,
  type Variants,
} from './operations.ts';
import { RESULT_BYTES, ROW_BYTES } from './rows.ts';
import { rowMultiple, type Tuning } from './tuning.ts';
import type { Matrix, WeightLoader } from './weights.ts';

/** Bytes of struct Slice in shaders/summary.wgsl. */
const SLICE_BYTES = 548;
/** Steps between two readbacks of rows that draw for themselves, at most. */
export const MOST_STEPS = 16;
/** For the logits of a pass: of a vocabulary of 152 thousand 110 rows. */
const LOGITS_BYTES = 64 << 20;

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

/** A forward pass for a batch of rows, each with its own token, position and block table, all of them in GPU memory. */
export interface Qwen2 {
  /** Most rows of a pass. */
  readonly capacity: number;
  /** Most rows of a pass whose logits are asked for. */
  readonly logitRows: number;
  /** Rows beyond those in flight, up to a multiple of this, must be inert: limit 0. Divides capacity. */
  readonly rowMultiple: number;
  /** Rows that the multiplications take together: more, up to a multiple of it, cost little. */
  readonly tile: number;
  /** Neighbouring rows, from a multiple of it on, whose common spans the attention reads once. 1: none. */
  readonly team: number;
  /** Spans of all rows that there is room for. */
  readonly slots: number;
  readonly numLayers: number;
  /** struct Row [capacity] of shaders/row.wgsl. */
  readonly rows: GPUBuffer;
  /** u32: block tables, one after another. */
  readonly tables: GPUBuffer;
  /** struct Result [logitRows * MOST_STEPS], where rows say. */
  readonly results: GPUBuffer;
  /** f32 [capacity]: residual stream h, then g∘h, then sums of squares (shaders/norm.wgsl). */
  readonly stream: GPUBuffer;
  /** f32 [logitRows][vocabulary]. */
  readonly logits: GPUBuffer;
  /** Bytes of all activations. */
  readonly scratchBytes: number;
  /** Most rows that a pass can take when one of them has this many positions. */
  rowsAt(positions: number): number;
  /** Copies pages of the cache, at most `capacity` of them. */
  copyPages(pass: GPUComputePassEncoder, copies: readonly PageCopy[]): void;
  /** Feeds each row's token at its position: keys and values go to the cache, `stream` holds the last hidden state. `halves`: how many half layers to run. */
  forward(pass: GPUComputePassEncoder, batch: Batch, halves?: number): void;
  /** The logits of what `forward` left in the stream, for at most `logitRows` rows. */
  head(pass: GPUComputePassEncoder, rows: number): void;
  /** Sums up each row's logits, answers what it asks and moves it on. */
  draw(pass: GPUComputePassEncoder, rows: number): void;
}

/** Loads the weights and compiles the kernels, side by side. */
export async function loadQwen2(
  gpu: Gpu,
  kernels: Kernels,
  config: ModelConfig,
  weights: WeightLoader,
  cache: KvCache,
  contextLength: number,
  tuning: Tuning,
): Promise<Qwen2> {
  const { vocabSize, headDim, numHiddenLayers } = config;
  const [heads, kvHeads] = [config.numAttentionHeads, config.numKeyValueHeads];
  const { capacity } = tuning;
  const logitRows = Math.min(capacity, Math.max(1, Math.floor(LOGITS_BYTES / (32 * vocabSize))) * 8); // whole tiles
  const sizes = sizesOf(config, tuning);
  const compiling = compileOperations(kernels, config, tuning, cache, (names) => weights.bf16(names));
  compiling.catch(() => {}); // awaited below, unless loading fails first

  // Activations.
  let scratchBytes = 0;
  const scratch = (label: string, words: number) => {
    scratchBytes += 4 * words;
    return gpu.buffer(label, 4 * words);
  };
  const rows = scratch('rows', (capacity * ROW_BYTES) / 4);
  const tables = scratch('tables', capacity * Math.ceil(contextLength / PAGE));
  const stream = scratch('stream', capacity * (2 * sizes.hidden + sizes.squares));
  const queries = scratch('queries', capacity * heads * headDim);
  const spanBytes = heads * (headDim + 4) * 4;
  const longest = Math.ceil(contextLength / SPAN);
  const slots = Math.max(longest, Math.min(capacity * longest, Math.floor(SPANS_BYTES / spanBytes)));
  const spans = scratch('spans', (slots * spanBytes) / 4); // [slots][heads][4 + headDim], see Row.spans
  const attention = scratch('attention', capacity * sizes.attended);
  const activation = scratch('activation', capacity * sizes.activated);
  const logits = scratch('logits', logitRows * vocabSize);
  const slices = scratch('slices', (logitRows * sizes.slices * SLICE_BYTES) / 4);
  const copied = scratch('pages to copy', 2 * capacity);
  const results = scratch('results', (logitRows * MOST_STEPS * RESULT_BYTES) / 4);
  const rotary = gpu.upload('rotary', rotaryTable(contextLength, headDim, config.ropeTheta)); // [position][headDim / 2] (cos, sin)
  scratchBytes += rotary.size;

  // Weights.
  const layer = (i: number, name: string) => `model.layers.${i}.${name}`;
  const normNames = ['model.norm.weight'];
  for (let i = numHiddenLayers - 1; i >= 0; i--) {
    normNames.unshift(layer(i, 'input_layernorm.weight'), layer(i, 'post_attention_layernorm.weight'));
  }
  const norms: GPUBuffer[] = []; // [hidden] each, in the order in which the pass meets them
  for (const name of normNames) norms.push(await weights.vector(name, [name]));
  const embedding = await weights.stacked(['model.embed_tokens.weight'], 1, sizes.part);
  const layers: { qkv: Matrix; bias: GPUBuffer; output: Matrix; gateUp: Matrix; down: Matrix }[] = [];
  for (let i = 0; i < numHiddenLayers; i++) {
    const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) => layer(i, `self_attn.${name}`));
    const biases = config.attentionBias
      ? [`${q}.bias`, `${k}.bias`, `${v}.bias`]
      : [(heads + 2 * kvHeads) * headDim];
    layers.push({
      qkv: await weights.stacked([`${q}.weight`, `${k}.weight`, `${v}.weight`], headDim),
      bias: await weights.vector(`${q}.bias`, biases),
      output: await weights.stacked([layer(i, 'self_attn.o_proj.weight')], 1, 32),
      gateUp: await weights.paired(layer(i, 'mlp.gate_proj.weight'), layer(i, 'mlp.up_proj.weight')),
      down: await weights.stacked([layer(i, 'mlp.down_proj.weight')], 1, 32),
    });
  }
  const lmHead = config.tieWordEmbeddings
    ? embedding
    : await weights.stacked(['lm_head.weight'], 1, sizes.part);

  // The pass: what each kernel is bound to. A projection into the stream also applies the weight of the norm that comes next.
  const compiled = await compiling;
  const bind = (variants: Variants, buffers: GPUBuffer[], quads = 1): Operation => ({
    ...variants,
    slabs: [{ group: kernels.bind(variants.decode[0].kernel.layout, buffers), quads }],
  });
  /** `perGroup`: outputs, in the units that slabs count, of eight quads. */
  const apply = (
    variants: Variants,
    { slabs }: Matrix,
    perGroup: number,
    buffers: GPUBuffer[],
  ): Operation => ({
    ...variants,
    slabs: slabs.map(({ range, weights, count }) => ({
      group: kernels.bind(variants.decode[0].kernel.layout, [range, weights, ...buffers]),
      quads: Math.ceil(count / perGroup) * 8,
    })),
  });
  const embed: Operation = {
    ...compiled.embed,
    slabs: embedding.slabs.map(({ range, weights }) => ({
      group: kernels.bind(compiled.embed.decode[0].kernel.layout, [range, weights, rows, norms[0], stream]),
      quads: sizes.squares / 2 / 32,
    })),
  };
  const merge = bind(compiled.merge, [rows, spans, attention], heads);
  const passes = layers.map(({ qkv, bias, output, gateUp, down }, i) => {
    const [kv, mid, next] = [cache.layers[i], norms[2 * i + 1], norms[2 * i + 2]];
    const kernels = compiled.layers[i];
    const attended = [rows, tables, kv, queries, attention, spans];
    return {
      qkv: apply(kernels.qkv, qkv, 32 / headDim, [stream, bias, rotary, rows, tables, kv, queries]),
      whole: bind(compiled.whole, attended),
      spans: bind(compiled.spans, attended),
      common: bind(compiled.common, attended),
      output: apply(kernels.output, output, 32, [attention, mid, stream]),
      gateUp: apply(kernels.gateUp, gateUp, 16, [stream, activation]),
      down: apply(kernels.down, down, 32, [activation, next, stream]),
    };
  });
  const head = apply(compiled.head, lmHead, 32, [stream, logits]);
  const summarising = bind(compiled.summarise, [rows, logits, slices], sizes.slices);
  const drawing = bind(compiled.draw, [rows, logits, slices, results]);
  const copies = cache.layers.map((layer) => kernels.bind(compiled.copy.layout, [copied, layer]));

  const attend = (pass: GPUComputePassEncoder, operation: Operation, teams: number, count: number) => {
    pass.setPipeline(operation.decode[0].kernel.pipeline);
    pass.setBindGroup(0, operation.slabs[0].group);
    pass.dispatchWorkgroups(heads / sizes.share, teams, count);
  };

  return {
    capacity,
    logitRows,
    rowMultiple: rowMultiple(tuning),
    tile: Math.max(...tuning.tiles),
    team: sizes.team,
    slots,
    numLayers: numHiddenLayers,
    rows,
    tables,
    results,
    stream,
    logits,
    scratchBytes,
    rowsAt: (positions) => Math.min(capacity, Math.floor(slots / Math.ceil(positions / SPAN))),
    copyPages(pass, pages) {
      if (pages.length === 0) return;
      const pairs = Uint32Array.from(pages.flatMap(({ from, to }) => [from, to]));
      gpu.device.queue.writeBuffer(copied, 0, pairs);
      pass.setPipeline(compiled.copy.pipeline);
      for (const group of copies) {
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(Math.ceil(cache.pageBytes / 16 / 64), pages.length);
      }
    },
    forward(pass, { rows: count, positions, shared, prefill }, stop = 2 * numHiddenLayers) {
      const spansOfRow = Math.ceil(positions / SPAN);
      const split = spansOfRow > 1 || shared > 0;
      run(pass, embed, count);
      for (let half = 0; half < stop; half++) {
        const layer = passes[half >> 1];
        if (half % 2 === 0) {
          run(pass, layer.qkv, count, prefill);
          if (shared > 0) attend(pass, layer.common, Math.floor(count / sizes.team), shared);
          attend(pass, split ? layer.spans : layer.whole, count, spansOfRow);
          if (split) run(pass, merge, count);
          run(pass, layer.output, count, prefill);
        } else {
          run(pass, layer.gateUp, count, prefill);
          run(pass, layer.down, count, prefill);
        }
      }
    },
    head(pass, count) {
      run(pass, head, count);
    },
    draw(pass, count) {
      run(pass, summarising, count);
      run(pass, drawing, count);
    },
  };
}

/** cos and sin in f64, rounded once: WGSL's own are good to 2^-11 near zero only. */
function rotaryTable(positions: number, headDim: number, theta: number): Float32Array {
  const half = headDim / 2;
  const table = new Float32Array(positions * headDim);
  for (let i = 0; i < half; i++) {
    const frequency = theta ** (-i / half);
    for (let p = 0; p < positions; p++) {
      table[2 * (p * half + i)] = Math.cos(p * frequency);
      table[2 * (p * half + i) + 1] = Math.sin(p * frequency);
    }
  }
  return table;
}
