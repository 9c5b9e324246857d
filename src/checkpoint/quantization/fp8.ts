import type { QuantizedShape } from '../quantized.ts';
import type { StoredTensor } from '../safetensors.ts';
import { readScales, wrong } from './parameters.ts';
import {
  find,
  need,
  type Quantization,
  type ReadTensor,
  type StoredMatrix,
  type Weight,
} from './quantization.ts';
import type { Settings } from './settings.ts';
import { Skipped } from './skipped.ts';

const SCALES = ['F32', 'BF16', 'F16'] as const;

/**
 * FP8 with scales of blocks (`weight_scale_inv`, as of DeepSeek and Qwen3) or of rows or the whole (`weight_scale`).
 * @param dtype of the model, to which weights are rounded
 * @throws CheckpointError, UnsupportedModelError
 */
export function parseFp8(settings: Settings, dtype: QuantizedShape['rounding'] | undefined): Quantization {
  settings.oneOf('fmt', ['e4m3'], 'e4m3');
  settings.oneOf('scale_fmt', ['float'], 'float');
  settings.fixed('modules_to_convert', null);
  const block = parseBlock(settings, 'weight_block_size', [128, 128]);
  const lists = ['modules_to_not_convert', 'ignored_layers'].map((key) => new Skipped(settings, key));
  return {
    ignored: ['activation_scheme', 'kv_cache_scheme'].filter((key) => settings.has(key)),
    of(weight) {
      const isPacked = find(weight, 'weight')?.dtype === 'F8_E4M3';
      const isMeant = weight.module.startsWith('model.layers.');
      if (!isPacked && (!isMeant || lists.some((list) => list.mayBe(weight.module)))) return undefined;
      if (isPacked) for (const list of lists) list.mustNotBe(weight, 'weight');
      const isBlocked =
        find(weight, 'weight_scale_inv') !== undefined || find(weight, 'weight_scale') === undefined;
      const rounding = dtype ?? roundingOfEmbedding(weight);
      if (isBlocked) return storedFp8(weight, 'weight_scale_inv', block, rounding);
      return storedFp8(weight, 'weight_scale', undefined, rounding);
    },
  };
}

/** Rows and columns of a block; undefined where the key is null in a file that has it. @throws CheckpointError */
export function parseBlock(
  settings: Settings,
  key: string,
  otherwise?: [number, number],
): [number, number] | undefined {
  if (settings.isNull(key)) return undefined;
  const value = settings.get(key) ?? otherwise;
  const isSize = (n: unknown) => typeof n === 'number' && Number.isSafeInteger(n) && n > 0;
  if (!Array.isArray(value) || value.length !== 2 || !value.every(isSize))
    throw settings.wrong(key, 'two whole numbers, the rows and columns of a block');
  return [value[0], value[1]];
}

function roundingOfEmbedding({ listing }: Weight): QuantizedShape['rounding'] {
  const dtype = listing.tensors.get('model.embed_tokens.weight')?.dtype;
  return dtype === 'BF16' ? 'bf16' : dtype === 'F16' ? 'f16' : 'f32';
}

/** @param block rows and columns with one scale; undefined: a scale for each row, or one for all */
export function storedFp8(
  weight: Weight,
  part: string,
  block: readonly [number, number] | undefined,
  rounding: QuantizedShape['rounding'] | ((scales: StoredTensor) => QuantizedShape['rounding']),
): StoredMatrix {
  const { rows, columns } = weight;
  const [height, width] = block ?? [1, columns];
  const claim = { weight, says: block ? `FP8 in blocks of ${height} × ${width}` : 'FP8' };
  const grid = [Math.ceil(rows / height), Math.ceil(columns / width)];
  const codes = need(claim, 'weight', ['F8_E4M3'], [rows, columns]);
  const scales = need(claim, part, SCALES, ...(block ? [grid] : [[], [1], [1, 1], [rows], [rows, 1]]));
  return {
    code: 'fp8',
    group: Math.min(width, columns),
    rounding: typeof rounding === 'string' ? rounding : rounding(scales),
    hasZeros: false,
    hasOrder: false,
    tensors: [codes, scales],
    parameters: async (read) => ({ scales: spread(await readScales(scales, read), rows, height, grid[1]) }),
    codes: (read) => finite(codes, read),
  };
}

/** [blocks or rows or 1][groups] to [rows][groups]. */
export function spread(
  values: Float32Array<ArrayBuffer>,
  rows: number,
  height: number,
  groups: number,
): Float32Array<ArrayBuffer> {
  if (values.length === rows * groups && height === 1) return values;
  const scales = new Float32Array(rows * groups);
  for (let row = 0; row < rows; row++) {
    const from = values.length === groups ? 0 : Math.floor(row / height) * groups;
    scales.set(values.subarray(from, from + groups), row * groups);
  }
  return scales;
}

async function finite(tensor: StoredTensor, read: ReadTensor): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await read(tensor);
  const at = bytes.findIndex((byte) => (byte & 0x7f) === 0x7f);
  if (at >= 0) throw wrong(tensor, at, 'the weight is NaN');
  return bytes;
}
