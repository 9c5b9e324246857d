import { type KvCache, PAGE } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { type Gpu, Usage } from '../gpu/device.ts';
import type { Kernel, Kernels, ShaderName } from '../gpu/kernel.ts';
import type { Matrix, WeightLoader } from './weights.ts';

/** Results of one row that the ring can hold: the most steps between two readbacks. */
export const RING = 16;
/** Bytes of struct Row in shaders/row.wgsl. */
export const ROW_BYTES = 64;
/** Bytes of struct Result in shaders/sample.wgsl. */
export const RESULT_BYTES = 32;

/** A forward pass for a batch of rows, each with its own token, position and block table, all of them in GPU memory. */
export interface Qwen2 {
  /** Most rows in flight, a multiple of four. */
  readonly capacity: number;
  readonly numLayers: number;
  /** struct Row [capacity] of shaders/row.wgsl. Rows beyond those in flight, up to a multiple of four, must be inert: limit 0. */
  readonly rows: GPUBuffer;
  /** u32: block tables, one after another. */
  readonly tables: GPUBuffer;
  /** struct Result [capacity][RING]. */
  readonly ring: GPUBuffer;
  /** f32 [capacity][2][hidden, padded to 8]: residual stream h, then g∘h (shaders/norm.wgsl). */
  readonly stream: GPUBuffer;
  /** f32 [capacity][vocabulary]. */
  readonly logits: GPUBuffer;
  /** Bytes of all activations. */
  readonly scratchBytes: number;
  /** Feeds each row's token at its position: keys and values go to the cache, `stream` holds the last hidden state. `halves`: how many half layers to run. */
  forward(pass: GPUComputePassEncoder, rows: number, halves?: number): void;
  /** Logits of what `forward` left in the stream. */
  head(pass: GPUComputePassEncoder, rows: number): void;
  /** Draws each row's next token from its logits, records it in the ring and moves the row on. */
  sample(pass: GPUComputePassEncoder, rows: number, truncate: boolean): void;
}

/** A kernel compiled for one, two and four rows of activations a workgroup, or one that takes rows singly. */
type Tiled = { readonly tiles: readonly number[]; readonly kernels: readonly Kernel[] };
/** A kernel and, for each slab of its weights, what is bound and how many workgroups it takes. */
interface Operation extends Tiled {
  readonly dispatches: readonly { readonly group: GPUBindGroup; readonly x: number }[];
}

function run(pass: GPUComputePassEncoder, operation: Operation, rows: number): void {
  const { tiles, kernels, dispatches } = operation;
  const fitting = tiles.findIndex((tile) => tile >= rows);
  const i = fitting < 0 ? tiles.length - 1 : fitting;
  pass.setPipeline(kernels[i].pipeline);
  for (const { group, x } of dispatches) {
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, Math.ceil(rows / tiles[i]));
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
): Promise<Qwen2> {
  const { hiddenSize, intermediateSize, vocabSize, headDim, numHiddenLayers } = config;
  const [heads, kvHeads] = [config.numAttentionHeads, config.numKeyValueHeads];
  const pad8 = (n: number) => Math.ceil(n / 8) * 8;
  const [hidden, attended, activated] = [pad8(hiddenSize), pad8(heads * headDim), pad8(intermediateSize)];

  // Activations.
  let scratchBytes = 0;
  const scratch = (label: string, words: number) => {
    scratchBytes += 4 * words;
    return gpu.buffer(label, 4 * words);
  };
  const rows = scratch('rows', (capacity * ROW_BYTES) / 4);
  const tables = scratch('tables', capacity * Math.ceil(contextLength / PAGE));
  const stream = scratch('stream', capacity * 2 * hidden);
  const queries = scratch('queries', capacity * heads * headDim);
  const attention = scratch('attention', capacity * attended);
  const activation = scratch('activation', capacity * activated);
  const logits = scratch('logits', capacity * vocabSize);
  const ring = scratch('ring', (capacity * RING * RESULT_BYTES) / 4);
  const rotary = gpu.upload('rotary', rotaryTable(contextLength, headDim, config.ropeTheta)); // [position][headDim / 2] (cos, sin)
  scratchBytes += rotary.size;

  // Kernels.
  const sizes = {
    EPSILON: config.rmsNormEps,
    Q_HEADS: heads,
    KV_HEADS: kvHeads,
    HEAD_DIM: headDim,
    PAGE,
    WIDTH: hidden,
    VOCABULARY: vocabSize,
    RING,
  };
  const matvec: ShaderName = gpu.adapter.subgroups ? 'matvec-subgroups' : 'matvec';
  const single = async (
    files: ShaderName[],
    constants: Record<string, number | boolean>,
  ): Promise<Tiled> => ({
    tiles: [1],
    kernels: [await kernels.compile(files, { ...sizes, ...constants })],
  });
  const tiled = async (
    files: ShaderName[],
    matrix: Matrix,
    constants: Record<string, number> = {},
  ): Promise<Tiled> => {
    const tiles = [1, 2, 4];
    const common = { ...sizes, COLUMNS: matrix.columns, BF16: matrix.bf16, ...constants };
    const compile = (TILE: number) => kernels.compile([matvec, 'weights', ...files], { ...common, TILE });
    return { tiles, kernels: await Promise.all(tiles.map(compile)) };
  };
  const operation = (
    kernel: Tiled,
    matrix: Matrix,
    workgroups: (count: number) => number,
    buffers: Record<number, GPUBuffer>,
  ): Operation => ({
    ...kernel,
    dispatches: matrix.slabs.map(({ range, weights, count }) => ({
      group: kernels.bind(kernel.kernels[0].layout, { 0: range, 1: weights, ...buffers }),
      x: Math.ceil(workgroups(count)),
    })),
  });

  // Weights, and each layer's five operations. A projection into the stream also applies the weight of the norm that comes next.
  const layer = (i: number, name: string) => `model.layers.${i}.${name}`;
  const normNames = ['model.norm.weight'];
  for (let i = numHiddenLayers - 1; i >= 0; i--) {
    normNames.unshift(layer(i, 'input_layernorm.weight'), layer(i, 'post_attention_layernorm.weight'));
  }
  const norms: GPUBuffer[] = []; // [hidden] each, in the order in which the pass meets them
  for (const name of normNames) norms.push(await weights.vector(name, [name]));

  const embedding = await weights.stacked(['model.embed_tokens.weight'], 1);
  const embed = operation(
    await single(['weights', 'row', 'embed'], { COLUMNS: hiddenSize, BF16: embedding.bf16 }),
    embedding,
    () => hidden / 8 / 32,
    { 2: rows, 3: norms[0], 4: stream },
  );
  const group = heads / kvHeads;
  // Query heads of one key head that a workgroup of the attention kernel takes together: they read keys and values once.
  const SHARE = [8, 7, 6, 5, 4, 3, 2, 1].find((share) => group % share === 0) ?? 1;
  const attend = await single(['row', 'attention'], { OUT_STRIDE: attended, SHARE });
  const halves: Operation[][] = []; // attention and feed-forward of each layer in turn
  for (let i = 0; i < numHiddenLayers; i++) {
    const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) => layer(i, `self_attn.${name}`));
    const qkv = await weights.stacked([`${q}.weight`, `${k}.weight`, `${v}.weight`], headDim);
    const biases = config.attentionBias
      ? [`${q}.bias`, `${k}.bias`, `${v}.bias`]
      : [(heads + 2 * kvHeads) * headDim];
    const bias = await weights.vector(`${q}.bias`, biases);
    const output = await weights.stacked([layer(i, 'self_attn.o_proj.weight')], 1);
    const gateUp = await weights.paired(layer(i, 'mlp.gate_proj.weight'), layer(i, 'mlp.up_proj.weight'));
    const down = await weights.stacked([layer(i, 'mlp.down_proj.weight')], 1);
    const [kv, mid, next] = [cache.layers[i], norms[2 * i + 1], norms[2 * i + 2]];

    halves.push([
      operation(await tiled(['norm', 'row', 'qkv'], qkv), qkv, (count) => (count * headDim) / 64, {
        2: stream,
        3: bias,
        4: rotary,
        5: rows,
        6: tables,
        7: kv,
        8: queries,
      }),
      {
        ...attend,
        dispatches: [
          {
            group: kernels.bind(attend.kernels[0].layout, {
              0: rows,
              1: tables,
              2: kv,
              3: queries,
              4: attention,
            }),
            x: heads / SHARE,
          },
        ],
      },
      operation(await tiled(['project'], output, { X_STRIDE: attended }), output, (count) => count / 64, {
        2: attention,
        3: mid,
        4: stream,
      }),
    ]);
    halves.push([
      operation(
        await tiled(['norm', 'gate-up'], gateUp, { OUT_STRIDE: activated }),
        gateUp,
        (count) => count / 32,
        {
          2: stream,
          3: activation,
        },
      ),
      operation(await tiled(['project'], down, { X_STRIDE: activated }), down, (count) => count / 64, {
        2: activation,
        3: next,
        4: stream,
      }),
    ]);
  }
  const lmHead = config.tieWordEmbeddings ? embedding : await weights.stacked(['lm_head.weight'], 1);
  const head = operation(await tiled(['norm', 'lm-head'], lmHead), lmHead, (count) => count / 64, {
    2: stream,
    3: logits,
  });

  const one = gpu.upload('one', new Uint32Array([1]), Usage.UNIFORM | Usage.COPY_DST);
  const THREADS = vocabSize >= 4096 ? 256 : 64;
  const draw = async (TRUNCATE: boolean): Promise<Operation> => {
    const kernel = await single(['row', 'sample'], { THREADS, TRUNCATE });
    return {
      ...kernel,
      dispatches: [
        { group: kernels.bind(kernel.kernels[0].layout, { 0: rows, 1: logits, 2: ring, 3: one }), x: 1 },
      ],
    };
  };
  const [plain, truncated] = await Promise.all([draw(false), draw(true)]);

  return {
    capacity,
    numLayers: numHiddenLayers,
    rows,
    tables,
    ring,
    stream,
    logits,
    scratchBytes,
    forward(pass, count, stop = halves.length) {
      run(pass, embed, count);
      for (const half of halves.slice(0, stop)) for (const operation of half) run(pass, operation, count);
    },
    head(pass, count) {
      run(pass, head, count);
    },
    sample(pass, count, truncate) {
      run(pass, truncate ? truncated : plain, count);
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
