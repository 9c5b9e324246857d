import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Qwen2 } from '../model/qwen2.ts';
import { type RowState, writeRows } from './write-rows.ts';

/** What a module of the model takes or gives: `NAME.input` or `NAME.output`, NAME as Hugging Face's transformers name the module. */
export interface Activation {
  /** As transformers names the module. */
  readonly name: string;
  /** A row a token. */
  readonly shape: readonly [rows: number, width: number];
  /** Row by row. */
  readonly values: Float32Array;
}

/** Runs a pass as far as so many half layers, and reads what a buffer [capacity, …] of activations then holds of its rows. @internal */
export async function readAfter(
  gpu: Gpu,
  model: Qwen2,
  states: readonly RowState[],
  positions: number,
  halves: number,
  buffer: GPUBuffer,
): Promise<Float32Array<ArrayBuffer>> {
  const shared = writeRows(gpu, model, states);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  model.forward(pass, { rows: states.length, positions, shared }, halves);
  pass.end();
  const size = (buffer.size / model.capacity) * states.length;
  return new Float32Array(await gpu.read(encoder, buffer, size));
}

/** The activations around a layer, one row each; the kernels fuse what lies between them. @internal */
export async function layerActivations(
  gpu: Gpu,
  model: Qwen2,
  { hiddenSize, intermediateSize, numAttentionHeads, headDim }: ModelConfig,
  layer: number,
  states: readonly RowState[],
  positions: number,
): Promise<Activation[]> {
  const { stream, attention, activation } = model.buffers;
  const points: [name: string, halves: number, buffer: GPUBuffer, width: number][] = [
    ['input', 2 * layer, stream, hiddenSize],
    ['self_attn.o_proj.input', 2 * layer + 1, attention, numAttentionHeads * headDim],
    ['post_attention_layernorm.input', 2 * layer + 1, stream, hiddenSize],
    ['mlp.down_proj.input', 2 * layer + 2, activation, intermediateSize],
    ['output', 2 * layer + 2, stream, hiddenSize],
  ];
  const rows = states.length;
  const read: Activation[] = [];
  for (const [name, halves, buffer, width] of points) {
    const all = await readAfter(gpu, model, states, positions, halves, buffer);
    const stride = all.length / rows; // padded, and the stream's rows hold more than h
    const values = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      values.set(all.subarray(row * stride, row * stride + width), row * width);
    }
    read.push({ name: `model.layers.${layer}.${name}`, shape: [rows, width], values });
  }
  return read;
}

/** Rows of the same activations one after another. @internal */
export function joined(parts: readonly (readonly Activation[])[]): Activation[] {
  return parts[0].map(({ name, shape: [, width] }, i) => {
    const rows = parts.map((part) => part[i]);
    const count = rows.reduce((n, { shape }) => n + shape[0], 0);
    const values = new Float32Array(count * width);
    let at = 0;
    for (const row of rows) {
      values.set(row.values, at);
      at += row.values.length;
    }
    return { name, shape: [count, width], values };
  });
}
