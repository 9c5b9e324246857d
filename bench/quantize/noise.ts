/**
 * Weights off their grid. Of a checkpoint that was quantised once every matrix lies on a grid, which quantising again just finds: it is to be
 * measured on the same weights with noise as wide as a step of the grid.
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { nearestBf16s, toFloat64 } from '../../reference/weights.ts';
import { OptionError } from '../../src/base/errors.ts';
import { withHeader } from '../../src/checkpoint/encode-safetensors.ts';
import { Checkpoint, type TensorInfo } from '../../src/checkpoint/safetensors.ts';

/** Neighbouring columns whose grid has one step. */
const GROUP = 32;

/** Writes the model to `target`, its matrices with noise, everything in bf16: the same seed, the same bytes. @throws OptionError, CheckpointError */
export async function addNoise(dir: string, target: string, seed: number): Promise<void> {
  if (resolve(dir) === resolve(target)) throw new OptionError(`--noise is ${target}: the model itself`);
  const checkpoint = await Checkpoint.open(dir);
  try {
    const tensors = [...checkpoint.tensors.values()];
    mkdirSync(target, { recursive: true });
    for (const name of readdirSync(dir).filter((name) => name.endsWith('.json') && !name.includes('.index.')))
      copyFileSync(join(dir, name), join(target, name));
    const file = await open(join(target, 'model.safetensors'), 'w');
    try {
      await file.write(withHeader(JSON.stringify(headerOf(tensors))));
      const random = uniform(seed);
      for (const tensor of tensors) {
        const bytes = new Uint8Array(tensor.end - tensor.begin);
        await checkpoint.readInto(tensor, 0, bytes);
        const weights = toFloat64(bytes.buffer, tensor.dtype);
        const [, columns] = tensor.shape;
        if (columns !== undefined) blur(weights, columns, random);
        await file.write(new Uint8Array(nearestBf16s(weights).buffer));
      }
    } finally {
      await file.close();
    }
  } finally {
    await checkpoint.close();
  }
}

function headerOf(tensors: readonly TensorInfo[]): Record<string, unknown> {
  let end = 0;
  return Object.fromEntries(
    tensors.map(({ name, shape }) => {
      const begin = end;
      end += 2 * shape.reduce((a, b) => a * b, 1);
      return [name, { dtype: 'BF16', shape, data_offsets: [begin, end] }];
    }),
  );
}

/**
 * Adds to each weight up to half a step of its group's grid, up or down. A group has 16 levels between its least and its largest weight where
 * no group of the matrix has more different ones, else 256.
 */
export function blur(weights: Float64Array, columns: number, random: () => number): void {
  const groups = function* () {
    for (let row = 0; row < weights.length; row += columns) {
      for (let at = 0; at < columns; at += GROUP)
        yield weights.subarray(row + at, row + Math.min(at + GROUP, columns));
    }
  };
  let most = 0;
  for (const group of groups()) {
    most = Math.max(most, new Set(group).size);
    if (most > 16) break;
  }
  for (const group of groups()) {
    let [least, largest] = [group[0], group[0]];
    for (const weight of group) {
      least = Math.min(least, weight);
      largest = Math.max(largest, weight);
    }
    const step = (largest - least) / (most <= 16 ? 15 : 255);
    for (let i = 0; i < group.length; i++) group[i] += step * (random() - 0.5);
  }
}

/** Numbers from 0 to 1 (splitmix32). */
function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}
