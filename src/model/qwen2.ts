import { type KvCache, PAGE, type PageCopy } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { type Gpu, Usage } from '../gpu/device.ts';
import type { Kernel, Kernels, ShaderName } from '../gpu/kernel.ts';
import { rowMultiple, type Tuning } from './tuning.ts';
import type { Matrix, WeightLoader } from './weights.ts';

/** Results of one row that the ring can hold: the most steps between two readbacks. */
export const RING = 16;
/** Bytes of struct Row in shaders/row.wgsl. */
export const ROW_BYTES = 72;
/** Bytes of struct Result in shaders/draw.wgsl. */
export const RESULT_BYTES = 32;
/** Bytes of struct Statistics in shaders/statistics.wgsl. */
const STATISTICS_BYTES = 36;
/** Positions that a workgroup attends to. */
export const SPAN = 128;
/** Partial results of the attention: longer contexts mean fewer rows at once. */
const SPANS_BYTES = 32 << 20;

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
  /** Most rows in flight. */
  readonly capacity: number;
  /** Rows beyond those in flight, up to a multiple of this, must be inert: limit 0. Divides capacity. */
  readonly rowMultiple: number;
  /** Neighbouring rows, from a multiple of it on, whose common spans the attention reads once. 1: none. */
  readonly team: number;
  /** Spans of all rows that there is room for. */
  readonly slots: number;
  readonly numLayers: number;
  /** struct Row [capacity] of shaders/row.wgsl. */
  readonly rows: GPUBuffer;
  /** u32: block tables, one after another. */
  readonly tables: GPUBuffer;
  /** struct Result [capacity][RING]. */
  readonly ring: GPUBuffer;
  /** f32 [capacity]: residual stream h, then g∘h, then sums of squares (shaders/norm.wgsl). */
  readonly stream: GPUBuffer;
  /** f32 [capacity][vocabulary], written where asked for. */
  readonly logits: GPUBuffer;
  /** Bytes of all activations. */
  readonly scratchBytes: number;
  /** Most rows that a pass can take when one of them has this many positions. */
  rowsAt(positions: number): number;
  /** Copies pages of the cache, at most `capacity` of them. */
  copyPages(pass: GPUComputePassEncoder, copies: readonly PageCopy[]): void;
  /** Feeds each row's token at its position: keys and values go to the cache, `stream` holds the last hidden state. `halves`: how many half layers to run. */
  forward(pass: GPUComputePassEncoder, batch: Batch, halves?: number): void;
  /** Sums up the logits of what `forward` left in the stream, and writes them out if `logits`. */
  head(pass: GPUComputePassEncoder, rows: number, logits: boolean): void;
  /** Draws each row's next token, records it in the ring and moves the row on. `truncate`: some use top-k or top-p, and the logits were written. */
  draw(pass: GPUComputePassEncoder, rows: number, truncate: boolean): void;
}

/** Variants of a kernel by the rows of activations that a workgroup takes, ascending. */
type Tiled = readonly { readonly kernel: Kernel; readonly rows: number; readonly quads: number }[];
/** A kernel and, for each slab of its weights, what is bound and the quads of outputs to compute. */
interface Operation {
  readonly decode: Tiled;
  readonly prefill: Tiled;
  readonly slabs: readonly { readonly group: GPUBindGroup; readonly quads: number }[];
}

function run(pass: GPUComputePassEncoder, operation: Operation, rows: number, prefill = false): void {
  const variants = prefill ? operation.prefill : operation.decode;
  const variant = variants.find((v) => v.rows >= rows) ?? variants[variants.length - 1];
  pass.setPipeline(variant.kernel.pipeline);
  for (const { group, quads } of operation.slabs) {
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(quads / variant.quads), Math.ceil(rows / variant.rows));
  }
}

/** Loads the weights and compiles the kernels, side by side. */
export async function loadQwen2(
  gpu: Gpu,
  kernels: Kernels,
  config: ModelConfig,
  weights: WeightLoader,
  cache: KvCache,
  contextLength: number,
  capacity: number,
  tuning: Tuning,
): Promise<Qwen2> {
  const { hiddenSize, intermediateSize, vocabSize, headDim, numHiddenLayers } = config;
  const [heads, kvHeads] = [config.numAttentionHeads, config.numKeyValueHeads];
  const pad8 = (n: number) => Math.ceil(n / 8) * 8;
  const [hidden, attended, activated] = [pad8(hiddenSize), pad8(heads * headDim), pad8(intermediateSize)];
  const group = heads / kvHeads;
  // Query heads of one key head that a workgroup of the attention kernel takes together: they read keys and values once.
  const SHARE = [8, 7, 6, 5, 4, 3, 2, 1].find((share) => group % share === 0) ?? 1;
  const squares = Math.ceil(hiddenSize / 32) * 8; // of the stream, see shaders/norm.wgsl
  const team = tuning.shareSpans ? Math.max(1, 2 ** Math.floor(Math.log2(6 / SHARE))) : 1;
  const spanBytes = heads * (headDim + 4) * 4;
  const longest = Math.ceil(contextLength / SPAN);
  const slots = Math.max(longest, Math.min(capacity * longest, Math.floor(SPANS_BYTES / spanBytes)));
  const part = 4 * tuning.head.threads * tuning.head.repeat; // logits that one summary stands for
  const PARTS = Math.ceil(vocabSize / part) * (tuning.head.merge ? 1 : tuning.head.threads);

  // Activations.
  let scratchBytes = 0;
  const scratch = (label: string, words: number) => {
    scratchBytes += 4 * words;
    return gpu.buffer(label, 4 * words);
  };
  const rows = scratch('rows', (capacity * ROW_BYTES) / 4);
  const tables = scratch('tables', capacity * Math.ceil(contextLength / PAGE));
  const stream = scratch('stream', capacity * (2 * hidden + squares));
  const queries = scratch('queries', capacity * heads * headDim);
  const spans = scratch('spans', (slots * spanBytes) / 4); // [slots][heads][4 + headDim], see Row.spans
  const attention = scratch('attention', capacity * attended);
  const activation = scratch('activation', capacity * activated);
  const logits = scratch('logits', capacity * vocabSize);
  const parts = scratch('parts', (capacity * (PARTS + 1) * STATISTICS_BYTES) / 4);
  const copied = scratch('pages to copy', 2 * capacity);
  const found = scratch('found', 2 * capacity);
  const ring = scratch('ring', (capacity * RING * RESULT_BYTES) / 4);
  const rotary = gpu.upload('rotary', rotaryTable(contextLength, headDim, config.ropeTheta)); // [position][headDim / 2] (cos, sin)
  scratchBytes += rotary.size;

  // Kernels: all of them start compiling now.
  const sizes = {
    EPSILON: config.rmsNormEps,
    Q_HEADS: heads,
    KV_HEADS: kvHeads,
    HEAD_DIM: headDim,
    PAGE,
    SPAN,
    SHARE,
    WIDTH: hiddenSize,
    VOCABULARY: vocabSize,
    PARTS,
    REPEAT: tuning.head.repeat,
    MERGE: tuning.head.merge,
    RING,
  };
  const layer = (i: number, name: string) => `model.layers.${i}.${name}`;
  const compile = (files: ShaderName[], constants: Record<string, number | boolean>) =>
    kernels.compile(files, { ...sizes, ...constants });
  const tiled = async (
    { shader, threads, quads }: { shader: ShaderName; threads: number; quads: number },
    files: ShaderName[],
    constants: Record<string, number | boolean>,
  ): Promise<Tiled> =>
    Promise.all(
      tuning.tiles.map(async (TILE) => ({
        kernel: await compile([shader, 'weights', ...files], {
          ...constants,
          THREADS: threads,
          TILE,
          SQUARES: threads * TILE,
        }),
        rows: TILE,
        quads,
      })),
    );
  const linear = async (files: ShaderName[], names: string[], COLUMNS: number, more = {}) => {
    const constants = { COLUMNS, BF16: weights.bf16(names), ...more };
    const decode = await tiled(tuning.decode, files, constants);
    if (!tuning.tiledPrefill) return { decode, prefill: decode };
    const kernel = await compile(['matmul-tiles', 'weights', ...files], { ...constants, SQUARES: 256 * 8 });
    return { decode, prefill: [{ kernel, rows: 64, quads: 32 }] };
  };
  const single = async (files: ShaderName[], constants: Record<string, number | boolean> = {}) => {
    const variants = [{ kernel: await compile(files, constants), rows: 1, quads: 1 }];
    return { decode: variants, prefill: variants };
  };
  const lmHeadName = config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  const logitsOf = async (LOGITS: boolean) => {
    const constants = { COLUMNS: hiddenSize, BF16: weights.bf16([lmHeadName]), LOGITS };
    const { shader, threads, repeat } = tuning.head;
    const files: ShaderName[] = ['stream', 'norm', 'row', 'random', 'statistics', 'lm-head'];
    const variants = await tiled({ shader, threads, quads: threads * repeat }, files, constants);
    return { decode: variants, prefill: variants };
  };
  const layerKernels = (i: number) => {
    const names = ['q_proj', 'k_proj', 'v_proj'].map((name) => layer(i, `self_attn.${name}.weight`));
    const gateUp = [layer(i, 'mlp.gate_proj.weight'), layer(i, 'mlp.up_proj.weight')];
    return Promise.all([
      linear(['stream', 'norm', 'row', 'qkv'], names, hiddenSize),
      linear(['stream', 'project'], [layer(i, 'self_attn.o_proj.weight')], heads * headDim, {
        X_STRIDE: attended,
      }),
      linear(['stream', 'norm', 'gate-up'], gateUp, hiddenSize, { OUT_STRIDE: activated }),
      linear(['stream', 'project'], [layer(i, 'mlp.down_proj.weight')], intermediateSize, {
        X_STRIDE: activated,
      }),
    ]);
  };
  const attending = {
    OUT_STRIDE: attended,
    THREADS: tuning.attentionThreads,
    SLICES: Math.max(1, Math.floor(tuning.attentionThreads / Math.ceil(headDim / 8))),
  };
  const compiling = Promise.all([
    single(['weights', 'row', 'stream', 'embed'], {
      COLUMNS: hiddenSize,
      BF16: weights.bf16(['model.embed_tokens.weight']),
    }),
    single(['row', 'attention'], { ...attending, TEAM: 1, WHOLE: true }),
    single(['row', 'attention'], { ...attending, TEAM: 1, WHOLE: false }),
    single(['row', 'attention'], { ...attending, TEAM: team, WHOLE: false }),
    single(['row', 'attention-merge'], { OUT_STRIDE: attended }),
    Promise.all(Array.from({ length: numHiddenLayers }, (_, i) => layerKernels(i))),
    logitsOf(false),
    logitsOf(true),
    single(['row', 'random', 'statistics', 'truncate'], { THREADS: vocabSize >= 4096 ? 256 : 64 }),
    single(['row', 'statistics', 'draw']),
    compile(['copy-pages'], { PAGE_QUADS: cache.pageBytes / 16 }),
  ]);
  compiling.catch(() => {}); // awaited below, unless loading fails first

  // Weights.
  const normNames = ['model.norm.weight'];
  for (let i = numHiddenLayers - 1; i >= 0; i--) {
    normNames.unshift(layer(i, 'input_layernorm.weight'), layer(i, 'post_attention_layernorm.weight'));
  }
  const norms: GPUBuffer[] = []; // [hidden] each, in the order in which the pass meets them
  for (const name of normNames) norms.push(await weights.vector(name, [name]));
  const embedding = await weights.stacked(['model.embed_tokens.weight'], 1, part);
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
  const lmHead = config.tieWordEmbeddings ? embedding : await weights.stacked(['lm_head.weight'], 1, part);

  // The pass: what each kernel is bound to. A projection into the stream also applies the weight of the norm that comes next.
  type Variants = Omit<Operation, 'slabs'>;
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
  const [
    embedKernel,
    whole,
    partly,
    common,
    mergeKernel,
    layerVariants,
    headKernel,
    logitsKernel,
    truncateKernel,
    drawKernel,
    copyKernel,
  ] = await compiling;
  const embed: Operation = {
    ...embedKernel,
    slabs: embedding.slabs.map(({ range, weights }) => ({
      group: kernels.bind(embedKernel.decode[0].kernel.layout, [range, weights, rows, norms[0], stream]),
      quads: squares / 2 / 32,
    })),
  };
  const merge = bind(mergeKernel, [rows, spans, attention], heads);
  const layerPasses = layers.map(({ qkv, bias, output, gateUp, down }, i) => {
    const [qkvKernel, outputKernel, gateUpKernel, downKernel] = layerVariants[i];
    const [kv, mid, next] = [cache.layers[i], norms[2 * i + 1], norms[2 * i + 2]];
    const attended = [rows, tables, kv, queries, attention, spans];
    return {
      qkv: apply(qkvKernel, qkv, 32 / headDim, [stream, bias, rotary, rows, tables, kv, queries]),
      whole: bind(whole, attended),
      partly: bind(partly, attended),
      common: bind(common, attended),
      output: apply(outputKernel, output, 32, [attention, mid, stream]),
      gateUp: apply(gateUpKernel, gateUp, 16, [stream, activation]),
      down: apply(downKernel, down, 32, [activation, next, stream]),
    };
  });
  const headOf = (variants: Variants) => apply(variants, lmHead, 32, [stream, rows, parts, found, logits]);
  const [summing, writing] = [headOf(headKernel), headOf(logitsKernel)];
  const one = gpu.upload('one', new Uint32Array([1]), Usage.UNIFORM | Usage.COPY_DST);
  const truncated = bind(truncateKernel, [rows, logits, parts]);
  const copyLayers = cache.layers.map((layer) => kernels.bind(copyKernel.layout, [copied, layer]));
  const drawing = bind(drawKernel, [rows, parts, ring, found, one]);

  const attend = (
    pass: GPUComputePassEncoder,
    { decode, slabs }: Operation,
    teams: number,
    spans: number,
  ) => {
    pass.setPipeline(decode[0].kernel.pipeline);
    pass.setBindGroup(0, slabs[0].group);
    pass.dispatchWorkgroups(heads / SHARE, teams, spans);
  };

  return {
    capacity,
    rowMultiple: rowMultiple(tuning),
    team,
    slots,
    numLayers: numHiddenLayers,
    rows,
    tables,
    ring,
    stream,
    logits,
    scratchBytes,
    rowsAt: (positions) => Math.min(capacity, Math.floor(slots / Math.ceil(positions / SPAN))),
    copyPages(pass, copies) {
      if (copies.length === 0) return;
      gpu.device.queue.writeBuffer(
        copied,
        0,
        Uint32Array.from(copies.flatMap((copy) => [copy.from, copy.to])),
      );
      pass.setPipeline(copyKernel.pipeline);
      for (const layer of copyLayers) {
        pass.setBindGroup(0, layer);
        pass.dispatchWorkgroups(Math.ceil(cache.pageBytes / 16 / 64), copies.length);
      }
    },
    forward(pass, { rows: count, positions, shared, prefill }, stop = 2 * numHiddenLayers) {
      run(pass, embed, count);
      const spansOfRow = Math.ceil(positions / SPAN);
      const split = spansOfRow > 1 || shared > 0;
      for (let half = 0; half < stop; half++) {
        const l = layerPasses[half >> 1];
        if (half % 2 === 0) {
          run(pass, l.qkv, count, prefill);
          if (shared > 0) attend(pass, l.common, Math.floor(count / team), shared);
          attend(pass, split ? l.partly : l.whole, count, spansOfRow);
          if (split) run(pass, merge, count);
          run(pass, l.output, count, prefill);
        } else {
          run(pass, l.gateUp, count, prefill);
          run(pass, l.down, count, prefill);
        }
      }
    },
    head(pass, count, write) {
      run(pass, write ? writing : summing, count);
    },
    draw(pass, count, truncate) {
      if (truncate) run(pass, truncated, count);
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
