import type { TensorInfo, TensorSource } from '../checkpoint/safetensors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernels } from '../gpu/kernel.ts';
import { WeightLoader } from '../model/weights.ts';
import { rowOf } from './codes-layout.ts';
import type { Check } from './compare.ts';
import { readWords } from './packing.ts';
import { bellShaped } from './random-tensors.ts';

const ROWS = 11;
const COLUMNS = 149; // the last group is shorter
const GROUP = 32;
const NAME = 'a.weight';
const BOUND = { int4: 0.08, int8: 0.5 } as const;

/**
 * Holds quantize.wgsl against a finer search in float64: by which share the sum of squared errors is above that of the least in each
 * group. With eight bits it is luck which of many scales errs least.
 */
export async function checkQuantizing(gpu: Gpu, kernels: Kernels, code: 'int8' | 'int4'): Promise<Check> {
  const weights = Float32Array.from(bellShaped(ROWS * COLUMNS, 5), (n, i) => (n + 2 * Math.sin(i)) / 64);
  const tensor: TensorInfo = {
    ...{ name: NAME, dtype: 'F32', shape: [ROWS, COLUMNS], file: 'random', begin: 0 },
    end: weights.byteLength,
  };
  const source: TensorSource = {
    tensors: new Map([[NAME, tensor]]),
    readInto: async (_, offset, target) => target.set(new Uint8Array(weights.buffer, offset, target.length)),
  };
  const loader = new WeightLoader(gpu, kernels, source, () => {}, { layers: code, group: GROUP });
  const [{ weights: buffer, range }] = (await loader.stacked([NAME], 1)).slabs;
  const words = await readWords(gpu, buffer as GPUBuffer);
  for (const each of [buffer, range]) gpu.free(each);
  loader.done();
  const bits = code === 'int4' ? 4 : 8;
  let [error, least] = [0, 0];
  for (let row = 0; row < ROWS; row++) {
    const { codes, scales } = rowOf(words, row, {
      rows: ROWS,
      columns: COLUMNS,
      code,
      group: GROUP,
      hasZeros: false,
    });
    const found = Float64Array.from(codes, (q, column) => q * scales[Math.floor(column / GROUP)]);
    for (let first = 0; first < COLUMNS; first += GROUP) {
      const w = weights.subarray(row * COLUMNS + first, row * COLUMNS + Math.min(first + GROUP, COLUMNS));
      error += w.reduce((sum, value, j) => sum + (value - found[first + j]) ** 2, 0);
      least += leastError(w, bits);
    }
  }
  return { error: error / least - 1, bound: BOUND[code] };
}

function leastError(w: Float32Array, bits: number): number {
  const most = 2 ** (bits - 1);
  const largest = w.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  let least = Number.POSITIVE_INFINITY;
  for (let t = -80; t <= 80; t++) {
    const scale = largest / (t < 0 ? -most : most) / (1 + Math.abs(t) / 400 - 0.1);
    const error = w.reduce((sum, value) => {
      const code = Math.max(-most, Math.min(most - 1, Math.round(value / scale)));
      return sum + (value - code * scale) ** 2;
    }, 0);
    least = Math.min(least, error);
  }
  return least;
}
