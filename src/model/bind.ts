import type { KvCache } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { slides } from '../checkpoint/window.ts';
import type { Kernels } from '../gpu/kernel.ts';
import type { Buffers } from './buffers.ts';
import type { Weights } from './load-weights.ts';
import type { Compiled, Operation, Permutation, Sizes, Variants } from './operations.ts';
import type { Matrix } from './weight-layout.ts';

export type Operations = ReturnType<typeof bindOperations>;

/**
 * Every operation of the model: its kernel, and what that is bound to. A projection into the stream also applies the weight of the norm
 * that comes next. Bind groups are labelled with what the operation computes, in Hugging Face's names where these have one.
 * @internal
 */
export function bindOperations(
  kernels: Kernels,
  compiled: Compiled,
  { headDim, numAttentionHeads, slidingWindow }: ModelConfig,
  sizes: Sizes,
  buffers: Buffers,
  weights: Weights,
  cache: KvCache,
) {
  const { rows, tables, rotary, stream, projected, queries, spans, attention, activation, logits, slices } =
    buffers;
  const bind = (label: string, variants: Variants, bound: GPUBuffer[], quads = 1): Operation => ({
    ...variants,
    slabs: [{ group: kernels.bind(variants.decode[0].kernel, bound, label), quads }],
  });
  /** How its columns get the order of a slab: from where they are, in rows of so many words. */
  const permutation = (order: GPUBuffer, from: GPUBuffer, columns: number): Permutation | undefined => {
    const { hidden, squares, attended, activated } = sizes;
    const [kernel, stride] =
      from === stream
        ? [compiled.permuteStream, 2 * hidden + squares]
        : from === attention
          ? [compiled.permuteAttention, attended]
          : [compiled.permuteActivation, activated];
    if (!kernel) return undefined;
    const group = kernels.bind(kernel, [order, from, buffers.permuted], 'permuted');
    return { pipeline: kernel.pipeline, group, stride, orders: order.size / (4 * columns) };
  };
  /** `quads`: of outputs, of a slab that counts so many units. What is bound first is multiplied by the matrix. */
  const slabs = (
    label: string,
    variants: Variants,
    matrix: Matrix,
    quads: (count: number) => number,
    bound: GPUBuffer[],
  ): Operation => ({
    ...variants,
    slabs: matrix.slabs.map(({ range, weights, count, order }) => {
      const [x, ...others] = bound;
      const permute = order && permutation(order, x, matrix.columns);
      const all = [range, weights, permute ? buffers.permuted : x, ...others];
      return {
        group: kernels.bind(variants.decode[0].kernel, all, label),
        quads: quads(count),
        permute,
      };
    }),
  });
  /** `perGroup`: outputs, in the units that slabs count, of eight quads. */
  const apply = (
    label: string,
    variants: Variants,
    matrix: Matrix,
    perGroup: number,
    bound: GPUBuffer[],
  ): Operation => slabs(label, variants, matrix, (count) => Math.ceil(count / perGroup) * 8, bound);

  const first = weights.layers.map(({ norms }) => norms[0]);
  const following = [...first.slice(1), weights.norm]; // after each layer
  const layers = weights.layers.map((layer, i) => {
    const { qkv, bias, qkNorms, output, gateUp, down } = layer;
    const [, mid] = layer.norms;
    const { outputBias = mid, gateUpBias = mid, downBias = mid } = layer; // something must be bound
    const variants = compiled.layers[i];
    const kv = cache.layers[i];
    const attended = [rows, tables, kv, queries, attention, spans];
    const projecting = [stream, bias, rotary, rows, tables, kv, projected];
    return {
      qkv: apply('self_attn.qkv_proj', variants.qkv, qkv, 32 / headDim, projecting),
      qkNorm:
        qkNorms &&
        compiled.qkNorm &&
        bind('self_attn.qk_norm', compiled.qkNorm, [rows, tables, rotary, qkNorms, projected, kv, queries]),
      whole: bind('self_attn', compiled.whole, attended),
      spans: bind('self_attn', compiled.spans, attended),
      common: bind('self_attn, in common', compiled.common, attended),
      window:
        slidingWindow && slides(slidingWindow, i)
          ? bind('self_attn, sliding', compiled.window, attended)
          : undefined,
      output: apply('self_attn.o_proj', variants.output, output, 32, [attention, mid, stream, outputBias]),
      gateUp: apply('mlp.gate_up_proj', variants.gateUp, gateUp, 16, [stream, activation, gateUpBias]),
      down: apply('mlp.down_proj', variants.down, down, 32, [activation, following[i], stream, downBias]),
    };
  });
  const embedded = [rows, first[0], stream];
  const merging = [rows, spans, attention];
  return {
    embed: slabs('embed_tokens', compiled.embed, weights.embedding, () => sizes.squares / 2 / 32, embedded),
    layers,
    merge: bind('self_attn', compiled.merge, merging, numAttentionHeads),
    mergeWindow: bind('self_attn, sliding', compiled.mergeWindow, merging, numAttentionHeads),
    head: apply('lm_head', compiled.head, weights.head, 32, [stream, logits]),
    summarise: bind('logits', compiled.summarise, [rows, logits, slices], sizes.slices),
    draw: bind('logits', compiled.draw, [rows, logits, slices, buffers.results]),
    copies: cache.layers.map((layer) => bind('pages', compiled.copy, [buffers.copied, layer])),
  };
}
