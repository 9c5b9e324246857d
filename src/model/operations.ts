import { type KvCache, PAGE } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { EMBEDDING, HEAD } from '../checkpoint/contents.ts';
import type { Constants, Kernel, Kernels, ShaderName } from '../gpu/kernel.ts';
import type { Recorder } from '../gpu/recorder.ts';
import { constantsOf, type Format, filesOf, isInChunks, LINE } from './format.ts';
import type { Tuning } from './tuning.ts';
import type { WeightLayout } from './weight-layout.ts';

/** Positions that a workgroup of the attention kernel attends to. */
export const SPAN = 128;
/** Partial results of the attention: longer contexts mean fewer rows at once. */
export const SPANS_BYTES: number = 32 << 20;
/** Logits that a workgroup sums up. */
export const SLICE = 4096;

const pad8 = (n: number) => Math.ceil(n / 8) * 8;

export type Sizes = ReturnType<typeof sizesOf>;

/** Sizes that follow from the model's, and that shaders and buffers share. @internal */
export function sizesOf(config: ModelConfig, tuning: Tuning) {
  const { hiddenSize, vocabSize, headDim, numAttentionHeads, numKeyValueHeads } = config;
  const group = numAttentionHeads / numKeyValueHeads;
  // Query heads of one key head that a workgroup of the attention kernel takes together: they read keys and values once.
  const share = [8, 7, 6, 5, 4, 3, 2, 1].find((n) => group % n === 0) ?? 1;
  const { threads, repeat } = tuning.head;
  return {
    /** Strides of rows of activations, f32. */
    hidden: pad8(hiddenSize),
    attended: pad8(numAttentionHeads * headDim),
    activated: pad8(config.intermediateSize),
    /** Sums of squares a row of the stream, see shaders/stream.wgsl. */
    squares: Math.ceil(hiddenSize / 32) * 8,
    share,
    /** Neighbouring rows whose common spans the attention reads once. */
    team: tuning.shareSpans ? Math.max(1, 2 ** Math.floor(Math.log2(6 / share))) : 1,
    /** Logits of a workgroup of the LM head. */
    part: 4 * threads * repeat,
    /** Slices that a row of logits is summed up in. */
    slices: Math.ceil(vocabSize / SLICE),
  };
}

/** Words from the stream in one order to the stream in another. */
export function secondOrder(config: ModelConfig, tuning: Tuning): number {
  const { hidden, squares } = sizesOf(config, tuning);
  return tuning.capacity * (2 * hidden + squares);
}

/** A kernel compiled for so many rows of activations and quads of outputs a workgroup. */
interface Variant {
  readonly kernel: Kernel;
  readonly rows: number;
  readonly quads: number;
}

/** Variants of a kernel by their rows, ascending, for decoding and for prompts. */
export interface Variants {
  readonly decode: readonly Variant[];
  readonly prefill: readonly Variant[];
}

/** A kernel and, for each slab of its weights, what is bound and the quads of outputs to compute. */
export interface Operation extends Variants {
  readonly slabs: readonly {
    readonly group: GPUBindGroup;
    readonly quads: number;
    /** Is run before. */
    readonly permute?: Permutation;
  }[];
}

/** Puts the columns of activations in the order of a slab. */
export interface Permutation {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Of a row of activations. */
  readonly stride: number;
  /** How many orders they are put in. */
  readonly orders: number;
}

/** Computes all outputs of so many rows. */
export function run(pass: Recorder, operation: Operation, rows: number, prefill = false): void {
  const variants = prefill ? operation.prefill : operation.decode;
  const variant = variants.find((v) => v.rows >= rows) ?? variants[variants.length - 1];
  for (const { group, quads, permute } of operation.slabs) {
    if (permute) {
      pass.setPipeline(permute.pipeline);
      pass.setBindGroup(0, permute.group);
      const whole = Math.ceil(rows / variant.rows) * variant.rows;
      pass.dispatchWorkgroups(Math.ceil(permute.stride / 64), whole, permute.orders);
    }
    pass.setPipeline(variant.kernel.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(quads / variant.quads), Math.ceil(rows / variant.rows));
  }
}

/** Runs so many workgroups. */
export function runGrid(pass: Recorder, operation: Operation, x: number, y: number, z = 1): void {
  pass.setPipeline(operation.decode[0].kernel.pipeline);
  pass.setBindGroup(0, operation.slabs[0].group);
  pass.dispatchWorkgroups(x, y, z);
}

export type Compiled = Awaited<ReturnType<typeof compileOperations>>;

/** Compiles every kernel of the model, all at once. @internal */
export async function compileOperations(
  kernels: Kernels,
  config: ModelConfig,
  tuning: Tuning,
  cache: KvCache,
  layout: Pick<WeightLayout, 'format' | 'hasOrder' | 'holder' | 'permutes'>,
) {
  const { hiddenSize, intermediateSize, vocabSize, headDim, numAttentionHeads, mlpBias } = config;
  const { hidden, squares, attended, activated, share, team, slices } = sizesOf(config, tuning);
  const sizes = {
    EPSILON: config.rmsNormEps,
    Q_HEADS: numAttentionHeads,
    KV_HEADS: config.numKeyValueHeads,
    HEAD_DIM: headDim,
    PAGE,
    KV_BF16: cache.type === 'bf16',
    SPAN,
    SHARE: share,
    WIDTH: hiddenSize,
    VOCABULARY: vocabSize,
    REPEAT: tuning.head.repeat,
    LINE,
  };
  const compile = (files: ShaderName[], constants: Constants) =>
    kernels.compile(files, { ...sizes, ...constants });
  const single = async (files: ShaderName[], constants: Constants = {}): Promise<Variants> => {
    const variants = [{ kernel: await compile(files, constants), rows: 1, quads: 1 }];
    return { decode: variants, prefill: variants };
  };
  /** For a matrix of so many columns. */
  const tiled = (
    name: Tuning['decode']['shader'],
    threads: number,
    quads: number,
    format: Format,
    columns: number,
    files: ShaderName[],
    constants: Constants,
  ) => {
    const shader = name === 'matvec-subgroups' && isInChunks(format, columns) ? 'matvec-groups' : name;
    return Promise.all(
      tuning.tiles.map(async (TILE): Promise<Variant> => {
        const kernel = await compile(
          [shader, 'sizes', ...filesOf(format, layout.holder), 'stream', ...files],
          {
            ...constantsOf(format),
            ...constants,
            COLUMNS: columns,
            THREADS: threads,
            TILE,
            SQUARES: threads * TILE,
          },
        );
        return { kernel, rows: TILE, quads };
      }),
    );
  };
  const linear = async (files: ShaderName[], names: string[], columns: number, more: Constants = {}) => {
    const format = layout.format(names);
    const { shader, threads, quads } = tuning.decode;
    const decode = await tiled(shader, threads, quads, format, columns, files, more);
    if (!tuning.tiledPrefill) return { decode, prefill: decode };
    const tiles: ShaderName[] = [
      'matmul-tiles',
      'sizes',
      ...filesOf(format, layout.holder),
      'stream',
      ...files,
    ];
    const constants = { ...constantsOf(format), ...more, COLUMNS: columns, SQUARES: 256 * 8 };
    return { decode, prefill: [{ kernel: await compile(tiles, constants), rows: 64, quads: 32 }] };
  };
  const lmHead = async (): Promise<Variants> => {
    const format = layout.format([config.tieWordEmbeddings ? EMBEDDING : HEAD]);
    const { shader, threads, repeat } = tuning.head;
    const files: ShaderName[] = [tuning.norm, 'lm-head'];
    const variants = await tiled(shader, threads, threads * repeat, format, hiddenSize, files, {});
    return { decode: variants, prefill: variants };
  };
  const attention = (TEAM: number, WHOLE: boolean, WINDOW: number) => {
    const THREADS = tuning.attentionThreads;
    const PARTS = Math.max(THREADS, Math.ceil(headDim / 8));
    const constants = { OUT_STRIDE: attended, THREADS, PARTS, TEAM, WHOLE, WINDOW };
    return single([tuning.lanes, 'sizes', 'row', 'window', 'attention'], constants);
  };
  const merging = (WINDOW: number) =>
    single(['sizes', 'row', 'window', 'attention-merge'], { OUT_STRIDE: attended, WINDOW });
  const size = config.slidingWindow?.size ?? 0;
  const layer = (i: number) => {
    const weights = (...names: string[]) => names.map((name) => `model.layers.${i}.${name}_proj.weight`);
    const qkv = weights('self_attn.q', 'self_attn.k', 'self_attn.v');
    const gateUp = weights('mlp.gate', 'mlp.up');
    return allOf({
      qkv: linear([tuning.norm, 'row', 'cache', 'qkv'], qkv, hiddenSize, { QK_NORM: config.qkNorm }),
      output: linear(['project'], weights('self_attn.o'), numAttentionHeads * headDim, {
        BIAS: config.outputBias,
      }),
      gateUp: linear([tuning.norm, 'gate-up'], gateUp, hiddenSize, {
        SECOND: secondOrder(config, tuning),
        ORDERED: layout.hasOrder(gateUp),
        OUT_STRIDE: activated,
        BIAS: mlpBias,
      }),
      down: linear(['project'], weights('mlp.down'), intermediateSize, {
        BIAS: mlpBias,
      }),
    });
  };
  const embedding = layout.format([EMBEDDING]);
  /** Of the columns of activations, which stand from FIRST on in rows of OUT_STRIDE. */
  const permute = (COLUMNS: number, FIRST: number, OUT_STRIDE: number) =>
    layout.permutes
      ? compile(['sizes', 'permute'], { COLUMNS, FIRST, OUT_STRIDE, SECOND: secondOrder(config, tuning) })
      : undefined;
  return allOf({
    permuteStream: permute(hiddenSize, hidden, 2 * hidden + squares),
    permuteAttention: permute(numAttentionHeads * headDim, 0, attended),
    permuteActivation: permute(intermediateSize, 0, activated),
    layers: Promise.all(Array.from({ length: config.numHiddenLayers }, (_, i) => layer(i))),
    embed: single(['sizes', ...filesOf(embedding, layout.holder), 'row', 'stream', 'embed'], {
      ...constantsOf(embedding),
      COLUMNS: hiddenSize,
    }),
    whole: attention(1, true, 0),
    spans: attention(1, false, 0),
    window: attention(1, false, size),
    common: attention(team, false, 0),
    merge: merging(0),
    mergeWindow: merging(size),
    qkNorm: config.qkNorm
      ? single(['sizes', 'row', 'cache', 'qk-norm'], { THREADS: tuning.attentionThreads })
      : undefined,
    head: lmHead(),
    summarise: single(['sizes', 'row', 'summary', 'summarise'], {
      SLICE,
      SLICES: slices,
      THREADS: tuning.summaryThreads,
    }),
    draw: single(['sizes', 'row', 'random', 'summary', 'pick', 'draw'], {
      SLICES: slices,
      THREADS: tuning.summaryThreads,
    }),
    copy: single(['sizes', 'copy-pages'], { PAGE_QUADS: cache.pageBytes / 16 }),
  });
}

/** Promise.all, by name. */
async function allOf<T extends object>(promises: T): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  const values = await Promise.all(Object.values(promises));
  return Object.fromEntries(Object.keys(promises).map((name, i) => [name, values[i]])) as {
    [K in keyof T]: Awaited<T[K]>;
  };
}
