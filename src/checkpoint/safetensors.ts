import { filesIn } from '#runtime/checkpoint/files';
import { CheckpointError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import { isObject, parseJson, readJson } from './json.ts';
import type { QuantizedMatrix } from './quantized.ts';
import type { ModelFiles, OpenFile } from './source.ts';

export type Dtype = 'F32' | 'F16' | 'BF16';

/** A tensor of any dtype. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  /** Row-major; empty for a scalar. */
  readonly shape: readonly number[];
  readonly file: string;
  /** First byte in the file. */
  readonly begin: number;
  /** First byte after the tensor. */
  readonly end: number;
}

/** A tensor that can be read. */
export interface TensorInfo extends StoredTensor {
  readonly dtype: Dtype;
}

const BYTES = new Map<string, number>([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
]);
const MAX_HEADER = 100_000_000;
/** The file of all tensors, and what stands in its place where they are in several. */
export const SINGLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

/**
 * The tensors of one safetensors file, by name, in the order of their bytes.
 * `header` is the JSON alone; the tensors fill the file from byte 8 + header.length to its end without gaps.
 * @throws CheckpointError
 */
export function parseHeader(file: string, header: Uint8Array, fileSize: number): Map<string, StoredTensor> {
  if (header[0] !== 0x7b) throw new CheckpointError(file, 'the header does not begin with {', { offset: 8 });
  const json = parseJson(file, header) as Record<string, unknown>;
  const start = 8 + header.length;
  const tensors: StoredTensor[] = [];
  for (const [name, entry] of Object.entries(json)) {
    if (name === '__metadata__') checkMetadata(file, entry);
    else tensors.push(parseEntry(file, name, entry, start, fileSize));
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let filled = start;
  for (const { name, begin, end } of tensors) {
    const problem =
      begin < filled ? 'overlaps the tensor before it, which ends' : 'leaves a gap after the data';
    if (begin !== filled)
      throw new CheckpointError(file, `${problem} at byte ${filled}`, { tensor: name, offset: begin });
    filled = end;
  }
  if (filled !== fileSize)
    throw new CheckpointError(file, `the tensors end at byte ${filled}, the file at byte ${fileSize}`);
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

function checkMetadata(file: string, metadata: unknown): void {
  if (metadata === null) return;
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string'))
    throw new CheckpointError(file, '__metadata__ is not a map from strings to strings');
}

function parseEntry(
  file: string,
  name: string,
  entry: unknown,
  start: number,
  fileSize: number,
): StoredTensor {
  const fail = (message: string) => new CheckpointError(file, message, { tensor: name });
  if (!isObject(entry)) throw fail('its header entry is not an object');
  const { dtype, shape, data_offsets: offsets, ...rest } = entry;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw fail(`unknown header key ${show(unknown)}`);
  if (typeof dtype !== 'string') throw fail(`dtype ${show(dtype)} is not the name of one`);
  if (!isSizes(shape)) throw fail(`shape ${show(shape)} is not a list of sizes`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1])
    throw fail(`data_offsets ${show(offsets)} is not [begin, end]`);
  const [begin, end] = offsets;
  let size = BYTES.get(dtype);
  if (size !== undefined) {
    for (const length of shape) {
      size *= length;
      if (!Number.isSafeInteger(size)) throw fail(`shape ${show(shape)} overflows 2^53 bytes`);
    }
    if (end - begin !== size)
      throw fail(
        `shape ${show(shape)} in ${dtype} is ${size} bytes, data_offsets [${offsets}] are ${end - begin}`,
      );
  }
  if (end > fileSize - start)
    throw fail(`data_offsets [${offsets}] reach past the file's ${fileSize - start} bytes of data`);
  return { name, dtype, shape, file, begin: start + begin, end: start + end };
}

function isReadable(tensor: StoredTensor): tensor is TensorInfo {
  return BYTES.has(tensor.dtype);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Where a model's tensors come from, byte by byte as safetensors stores them. */
export interface TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Weights that are stored as codes, by the names that they would have as plain tensors. */
  readonly quantized?: ReadonlyMap<string, QuantizedMatrix>;
  /** Fills `target` with the tensor's bytes from byte `offset` within the tensor on. */
  readInto(tensor: TensorInfo, offset: number, target: Uint8Array): Promise<void>;
}

/** What the headers of a checkpoint's files say. */
export interface Listing {
  /** The file that lists the tensors: model.safetensors, or the index of its shards. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Tensors of dtypes that are not read here. */
  readonly others: ReadonlyMap<string, StoredTensor>;
}

/** The tensors of all files together. @throws CheckpointError one stands in two of them */
export function listTensors(file: string, files: Iterable<ReadonlyMap<string, StoredTensor>>): Listing {
  const tensors = new Map<string, TensorInfo>();
  const others = new Map<string, StoredTensor>();
  for (const found of files) {
    for (const [name, tensor] of found) {
      const twin = tensors.get(name) ?? others.get(name);
      if (twin) throw new CheckpointError(tensor.file, `stands in ${twin.file} too`, { tensor: name });
      if (isReadable(tensor)) tensors.set(name, tensor);
      else others.set(name, tensor);
    }
  }
  return { file, tensors, others };
}

/** The tensors of a model folder. Only headers are held in memory; tensors are read from disk as they are asked for. */
export class Checkpoint implements TensorSource, Listing {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly others: ReadonlyMap<string, StoredTensor>;
  private readonly files: ReadonlyMap<string, OpenFile>;

  private constructor({ file, tensors, others }: Listing, files: ReadonlyMap<string, OpenFile>) {
    this.file = file;
    this.tensors = tensors;
    this.others = others;
    this.files = files;
  }

  /**
   * Opens model.safetensors or, where there is none, the shards of model.safetensors.index.json; `warn` is told what
   * is doubtful in the index.
   * @throws CheckpointError
   */
  static async open(dir: string | ModelFiles, warn?: (message: string) => void): Promise<Checkpoint> {
    const model = filesIn(dir);
    const files = new Map<string, OpenFile>();
    try {
      const tensors = await openTensors(model, SINGLE, files);
      if (tensors) return new Checkpoint(listTensors(model.path(SINGLE), [tensors]), files);
      const index = await readJson(model, INDEX, warn);
      if (index === undefined)
        throw new CheckpointError(model.place, `has neither ${SINGLE} nor ${INDEX}${model.why(SINGLE)}`);
      const file = model.path(INDEX);
      const shards: ReadonlyMap<string, StoredTensor>[] = [];
      for (const shard of shardsOf(file, index)) {
        const found = await openTensors(model, shard, files);
        if (!found) throw new CheckpointError(file, `shard ${shard} is missing${model.why(shard)}`);
        shards.push(found);
      }
      return new Checkpoint(listTensors(file, shards), files);
    } catch (error) {
      await closeAll(files);
      throw error;
    }
  }

  /** @throws CheckpointError */
  async readInto(tensor: StoredTensor, offset: number, target: Uint8Array): Promise<void> {
    const { name, file, begin, end } = tensor;
    const opened = this.files.get(file);
    if (!opened) throw new CheckpointError(file, 'is not part of this checkpoint', { tensor: name });
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + target.length > end - begin) {
      const asked = `bytes ${offset} to ${offset + target.length} were asked for`;
      throw new CheckpointError(file, `${asked}, the tensor has ${end - begin}`, { tensor: name });
    }
    const read = await opened.read(begin + offset, target);
    if (read < target.length) {
      const at = { tensor: name, offset: begin + offset + read };
      throw new CheckpointError(file, `the file ends ${target.length - read} bytes early`, at);
    }
  }

  async close(): Promise<void> {
    await closeAll(this.files);
  }
}

/** The shards of an index, by their paths in its folder; what it says of a tensor is not needed. @throws CheckpointError */
export function shardsOf(indexFile: string, index: unknown): Set<string> {
  const weightMap = isObject(index) ? index.weight_map : undefined;
  if (!isObject(weightMap)) throw new CheckpointError(indexFile, 'weight_map is not an object');
  return new Set(Object.entries(weightMap).map(([name, shard]) => shardPath(indexFile, name, shard)));
}

/** A shard's path within the folder, in one form. Neither it nor what Windows makes of it leads out of the folder. */
function shardPath(indexFile: string, name: string, shard: unknown): string {
  const path = typeof shard === 'string' && shard.endsWith('.safetensors') ? normalize(shard) : '';
  if (path === '' || /^\/|^\.\.\/|[\\:\0]/.test(path)) {
    const message = `shard ${show(shard)} is not the path of a .safetensors file in this folder`;
    throw new CheckpointError(indexFile, message, { tensor: name });
  }
  return path;
}

/** Without `.`, `..` behind a folder, and empty parts. */
function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}

/** undefined where the file does not exist. */
async function openTensors(
  model: ModelFiles,
  name: string,
  files: Map<string, OpenFile>,
): Promise<Map<string, StoredTensor> | undefined> {
  const opened = await model.open(name);
  if (!opened) return undefined;
  const file = model.path(name);
  files.set(file, opened);
  return readHeader(file, opened.size, async (from, to) => {
    const bytes = new Uint8Array(to - from);
    if ((await opened.read(from, bytes)) < bytes.length)
      throw new CheckpointError(file, 'the file became shorter while its header was read');
    return bytes;
  });
}

/** The tensors of a file of `size` bytes, of which only the header is read. @throws CheckpointError */
export async function readHeader(
  file: string,
  size: number,
  read: (from: number, to: number) => Promise<Uint8Array>,
): Promise<Map<string, StoredTensor>> {
  if (size < 8) throw new CheckpointError(file, `${size} bytes are too few for a safetensors file`);
  const prefix = await read(0, 8);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER)
    throw new CheckpointError(file, `a header of ${length} bytes: at most ${MAX_HEADER} are allowed`);
  if (length > size - 8) {
    const room = `the file has ${size - 8} bytes left`;
    throw new CheckpointError(file, `a header of ${length} bytes: ${room}`, { offset: 8 });
  }
  return parseHeader(file, await read(8, 8 + Number(length)), size);
}

async function closeAll(files: ReadonlyMap<string, OpenFile>): Promise<void> {
  await Promise.all([...files.values()].map((file) => file.close()));
}
