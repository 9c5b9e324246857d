import type { QuantizedParameters } from '../quantized.ts';
import type { StoredTensor } from '../safetensors.ts';
import { parseBlock, spread, storedFp8 } from './fp8.ts';
import { FLOATS, readOrder, readScales, roundingOf, wrong } from './parameters.ts';
import { namePatterns } from './patterns.ts';
import {
  type Claim,
  divides,
  find,
  need,
  type Quantization,
  type ReadTensor,
  type StoredMatrix,
  type Weight,
} from './quantization.ts';
import { Settings } from './settings.ts';
import { fields, inOrder, perWord, transpose } from './unpack.ts';

const FORMATS = ['pack-quantized', 'int-quantized', 'float-quantized', 'naive-quantized'] as const;
const STRATEGIES = ['tensor', 'channel', 'group', 'block'] as const;

interface Scheme {
  readonly format: (typeof FORMATS)[number];
  readonly type: 'int' | 'float';
  readonly bits: 4 | 8;
  readonly symmetric: boolean;
  /** Rows and columns with one scale; undefined: one for all. */
  readonly block: readonly [rows: number, columns: number | undefined] | undefined;
  readonly ordered: boolean;
}

/** compressed-tensors, as llm-compressor writes it. @throws CheckpointError, UnsupportedModelError */
export function parseCompressedTensors(settings: Settings): Quantization {
  settings.oneOf('quantization_status', ['compressed'], 'compressed');
  for (const key of ['sparsity_config', 'moe_sparsity_config', 'transform_config'])
    refuseInner(settings, key);
  const groups = settings.inner('config_groups');
  if (!groups) throw settings.wrong('config_groups', 'an object of at least one group');
  if (settings.has('format')) settings.oneOf('format', [...FORMATS, 'mixed-precision']);
  const ignored = new Set<string>();
  if (settings.has('kv_cache_scheme')) ignored.add('kv_cache_scheme');
  const schemes = groups.keys().flatMap((key) => {
    const group = groups.inner(key);
    if (!group) throw groups.wrong(key, 'an object');
    for (const name of ['input_activations', 'output_activations']) if (group.has(name)) ignored.add(name);
    const scheme = parseScheme(settings, group);
    return targetsOf(group, 'targets').map((target) => ({ ...target, scheme }));
  });
  // What names a module comes before a pattern, and that before a class.
  const ranked = [0, 1, 2].flatMap((rank) => schemes.filter((each) => each.rank === rank));
  const ignores = targetsOf(settings, 'ignore');
  return {
    ignored: [...ignored],
    of(weight) {
      if (ignores.some(({ matches }) => matches(weight.module))) return undefined;
      const scheme = ranked.find(({ matches }) => matches(weight.module))?.scheme;
      return scheme && storedMatrix(weight, scheme);
    },
  };
}

/** An object that has a format of none, or nothing at all. */
function refuseInner(settings: Settings, key: string): void {
  const value = settings.get(key);
  if (value === undefined) return;
  const inner = new Settings(settings.file, `${settings.path}.${key}`, value);
  const isEmpty = inner.keys().every((each) => !inner.has(each) || isEmptyObject(inner.get(each)));
  if (!isEmpty && inner.get('format') !== 'dense') throw settings.unsupported(key, 'none');
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function parseScheme(settings: Settings, group: Settings): Scheme | undefined {
  const weights = group.inner('weights');
  if (!weights) return undefined;
  const holder = group.has('format') ? group : settings;
  const format = holder.oneOf('format', FORMATS);
  const type = weights.oneOf('type', ['int', 'float'], 'int');
  const bits = weights.oneOf('num_bits', type === 'int' ? ([4, 8] as const) : ([8] as const), 8);
  const isPacked = format === 'pack-quantized';
  if ((format === 'int-quantized' || isPacked) && type === 'float')
    throw weights.unsupported('type', '"int"');
  if (format === 'float-quantized' && type === 'int') throw weights.unsupported('type', '"float"');
  const symmetric = weights.flag('symmetric', true);
  if (!symmetric && type === 'float') throw weights.unsupported('symmetric', 'true');
  if (weights.get('dynamic') !== undefined && weights.get('dynamic') !== false)
    throw weights.unsupported('dynamic', 'false');
  const size = weights.has('group_size') ? weights.groupSize('group_size') : null;
  const strategy = weights.oneOf(
    'strategy',
    STRATEGIES,
    size === null ? 'tensor' : size ? 'group' : 'channel',
  );
  if (strategy === 'group' && !size) throw weights.wrong('group_size', 'the columns of a group');
  const block: Scheme['block'] = {
    tensor: () => undefined,
    channel: (): Scheme['block'] => [1, undefined],
    group: (): Scheme['block'] => [1, size ?? undefined],
    block: () => parseBlock(weights, 'block_structure'),
  }[strategy]();
  if (strategy === 'block' && (type === 'int' || !block))
    throw weights.unsupported('strategy', 'none of them for int');
  const actorder = weights.oneOf('actorder', ['group', 'dynamic', 'weight', 'static', true, false], false);
  const ordered = ['group', 'dynamic', true].includes(actorder);
  if (ordered && strategy !== 'group')
    throw weights.unsupported('actorder', `none where strategy is "${strategy}"`);
  return { format, type, bits, symmetric, block, ordered };
}

interface Target {
  readonly rank: 0 | 1 | 2;
  matches(module: string): boolean;
}

/** Of a list, its modules, modules by a pattern, and classes of them. */
function targetsOf(settings: Settings, key: string): Target[] {
  const names = settings.names(key);
  const sources = names.filter((name) => name.startsWith('re:')).map((name) => name.slice('re:'.length));
  const byPattern = namePatterns(sources, `${settings.path}.${key}`);
  const others = names.filter((name) => !name.startsWith('re:'));
  return [...byPattern.map((matches): Target => ({ rank: 1, matches })), ...others.map(targetOf)];
}

function targetOf(target: string): Target {
  if (target === 'Module') return { rank: 2, matches: () => true };
  const isEmbedding = (module: string) => module === 'model.embed_tokens';
  if (target === 'Linear') return { rank: 2, matches: (module) => !isEmbedding(module) };
  if (target === 'Embedding') return { rank: 2, matches: isEmbedding };
  return { rank: 0, matches: (module) => module === target };
}

function storedMatrix(weight: Weight, scheme: Scheme): StoredMatrix {
  const { block } = scheme;
  if (scheme.type === 'float') {
    const [height, width] = block ?? [1, undefined];
    const isBlocked = width !== undefined;
    if (isBlocked && height === 1)
      divides(
        { weight, says: `FP8 in groups of ${width}` },
        'weight_scale',
        width,
        weight.columns,
        'columns',
      );
    return storedFp8(weight, 'weight_scale', isBlocked ? [height, width] : undefined, roundingOf);
  }
  return storedIntegers(weight, scheme);
}

function storedIntegers(weight: Weight, scheme: Scheme): StoredMatrix {
  const { rows, columns } = weight;
  const { bits, block, ordered } = scheme;
  const group = block?.[1] ?? columns;
  const kind = block ? (block[1] ? `groups of ${group}` : 'rows') : 'one group';
  const claim: Claim = { weight, says: `${scheme.format}, ${bits} bits in ${kind},` };
  divides(claim, 'weight_scale', group, columns, 'columns');
  const groups = columns / group;
  const isPacked = scheme.format === 'pack-quantized';
  const shapes = block ? [[rows, groups], ...(groups === 1 ? [[rows]] : [])] : [[], [1], [1, 1]];
  const scales = need(claim, 'weight_scale', FLOATS, ...shapes);
  const codes = isPacked
    ? need(claim, 'weight_packed', ['I32'], [rows, Math.ceil(columns / perWord(bits))])
    : need(claim, 'weight', ['I8'], [rows, columns]);
  const shape = isPacked ? need(claim, 'weight_shape', ['I64', 'I32'], [2]) : undefined;
  const hasZeros = !scheme.symmetric || find(weight, 'weight_zero_point') !== undefined;
  const packed = [Math.ceil(rows / perWord(bits)), groups];
  const zeros = hasZeros ? need(claim, 'weight_zero_point', ['I8', 'I32'], ...shapes, packed) : undefined;
  if (zeros?.dtype === 'I32') need(claim, 'weight_zero_point', ['I32'], packed);
  else if (zeros) need(claim, 'weight_zero_point', ['I8'], ...shapes);
  const hasOrder = ordered || find(weight, 'weight_g_idx') !== undefined;
  const gIdx = hasOrder ? need(claim, 'weight_g_idx', ['I32'], [columns]) : undefined;

  async function parameters(read: ReadTensor): Promise<QuantizedParameters> {
    if (shape) await checkShape(shape, weight, read);
    const order = gIdx && (await readPlaces(gIdx, groups, group, read));
    return {
      scales: spread(await readScales(scales, read), rows, 1, groups),
      ...(zeros && { zeros: await readZeros(zeros, rows, groups, scheme, read) }),
      ...(order && { order }),
    };
  }
  return {
    code: bits === 4 && isPacked ? 'int4' : 'int8',
    group,
    rounding: roundingOf(scales),
    hasZeros,
    hasOrder,
    tensors: [codes, scales, ...[shape, zeros, gIdx].filter((tensor) => tensor !== undefined)],
    parameters,
    async codes(read, order) {
      const bytes = await read(codes);
      const values = isPacked ? fields(bytes, bits, rows, columns) : unsigned(codes, bytes, bits, 128);
      return inOrder(values, columns, order);
    },
  };
}

async function checkShape(tensor: StoredTensor, { rows, columns }: Weight, read: ReadTensor): Promise<void> {
  const bytes = await read(tensor);
  const sizes = tensor.dtype === 'I64' ? new BigInt64Array(bytes.buffer) : new Int32Array(bytes.buffer);
  for (const [i, size] of [rows, columns].entries())
    if (Number(sizes[i]) !== size) throw wrong(tensor, i, `the size is ${sizes[i]}: the model has ${size}`);
}

/** All of it -1 is no order. */
async function readPlaces(tensor: StoredTensor, groups: number, group: number, read: ReadTensor) {
  const bytes = await read(tensor);
  if (bytes.every((byte) => byte === 255)) return Uint32Array.from({ length: groups * group }, (_, i) => i);
  return readOrder(tensor, async () => bytes, groups, group);
}

/** [rows][groups], about the middle of unsigned codes. */
async function readZeros(
  tensor: StoredTensor,
  rows: number,
  groups: number,
  { bits, format }: Scheme,
  read: ReadTensor,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await read(tensor);
  const middle = format === 'pack-quantized' ? 1 << (bits - 1) : 128;
  if (tensor.dtype === 'I8') {
    const zeros = unsigned(tensor, bytes, bits, middle);
    return zeros.length === rows * groups ? zeros : new Uint8Array(rows * groups).fill(zeros[0]);
  }
  // Words of several rows: turned, they stand as those of codes do.
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const [height] = tensor.shape;
  const turned = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) turned[(i % groups) * height + Math.floor(i / groups)] = words[i];
  const zeros = fields(new Uint8Array(turned.buffer), bits, groups, rows);
  const placed = transpose(zeros, groups, rows, new Uint8Array(zeros.length));
  return middle === 1 << (bits - 1) ? placed : placed.map((zero) => zero - (1 << (bits - 1)) + middle);
}

/** Signed bytes about a middle. @throws CheckpointError one has more bits than it may have */
function unsigned(
  tensor: StoredTensor,
  bytes: Uint8Array<ArrayBuffer>,
  bits: 4 | 8,
  middle: number,
): Uint8Array<ArrayBuffer> {
  const half = 1 << (bits - 1);
  const values = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const value = (bytes[i] << 24) >> 24;
    if (value < -half || value >= half)
      throw wrong(tensor, i, `${value} is beyond the ${bits} bits of a code`);
    values[i] = value + middle;
  }
  return values;
}
