import { CheckpointError } from '../../base/errors.ts';
import { show } from '../../base/show.ts';
import type { QuantizedParameters, QuantizedShape } from '../quantized.ts';
import type { Listing, StoredTensor } from '../safetensors.ts';

/** How a checkpoint's weights are quantised, as its configuration says it. */
export interface Quantization {
  /** Of a weight matrix, after its tensors have been checked; undefined where it is a plain tensor. @throws CheckpointError, UnsupportedModelError */
  of(weight: Weight): StoredMatrix | undefined;
  /** Keys of the configuration that are not emulated, since they change activations and not weights. */
  readonly ignored: readonly string[];
}

/** A weight matrix that the model calls for, and where its tensors are looked for. */
export interface Weight {
  /** Its name without `.weight`. */
  readonly module: string;
  readonly rows: number;
  readonly columns: number;
  readonly listing: Listing;
}

/** A matrix whose tensors are known to be there in the right dtypes and shapes. */
export interface StoredMatrix extends Omit<QuantizedShape, 'rows' | 'columns' | 'stored'> {
  /** All that belong to it. */
  readonly tensors: readonly StoredTensor[];
  /** Checks them too; all but the codes. */
  parameters(read: ReadTensor): Promise<QuantizedParameters>;
  /** [rows][columns] in the order of the model, or where each column goes to is told. */
  codes(read: ReadTensor, order: Uint32Array | undefined): Promise<Uint8Array<ArrayBuffer>>;
}

/** All bytes of a tensor. */
export type ReadTensor = (tensor: StoredTensor) => Promise<Uint8Array<ArrayBuffer>>;

const BYTES: Readonly<Record<string, number>> = {
  ...{ F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I8: 1, U8: 1, F8_E4M3: 1 },
};

/** What the configuration says about a matrix, for messages: `quantization_config says …`. */
export interface Claim {
  readonly weight: Weight;
  readonly says: string;
}

/** A tensor of a module, undefined where there is none. */
export function find({ module, listing }: Weight, part: string): StoredTensor | undefined {
  const name = `${module}.${part}`;
  return listing.tensors.get(name) ?? listing.others.get(name);
}

/** One that must be there, in one of these dtypes and shapes. @throws CheckpointError */
export function need(
  { weight, says }: Claim,
  part: string,
  dtypes: readonly string[],
  ...shapes: readonly (readonly number[])[]
): StoredTensor {
  const name = `${weight.module}.${part}`;
  const found = find(weight, part);
  const expected = `${dtypes.join(' or ')} ${shapes.map((shape) => `[${shape}]`).join(' or ')}`;
  const because = `quantization_config says ${says} of [${weight.rows},${weight.columns}]`;
  if (!found)
    throw new CheckpointError(weight.listing.file, `is missing: ${because}, expected ${expected}`, {
      tensor: name,
    });
  const { file, dtype, shape } = found;
  if (!dtypes.includes(dtype) || !shapes.some((each) => String(each) === String(shape))) {
    const message = `${because}: expected ${expected}, found ${show(dtype)} ${show(shape)}`;
    throw new CheckpointError(file, message, { tensor: name });
  }
  const bytes = shape.reduce((n, m) => n * m, BYTES[dtype]);
  if (found.end - found.begin !== bytes) {
    const message = `${dtype} [${shape}] is ${bytes} bytes, the file has ${found.end - found.begin} for it`;
    throw new CheckpointError(file, message, { tensor: name });
  }
  return found;
}

/** `size` must be a multiple of `unit`. @throws CheckpointError */
export function divides(
  { weight, says }: Claim,
  part: string,
  unit: number,
  size: number,
  what: string,
): void {
  if (size % unit === 0) return;
  const found = find(weight, part);
  const message = `quantization_config says ${says}: ${unit} must divide the ${size} ${what} of ${weight.module}`;
  throw new CheckpointError(found?.file ?? weight.listing.file, message, {
    tensor: `${weight.module}.${part}`,
  });
}
