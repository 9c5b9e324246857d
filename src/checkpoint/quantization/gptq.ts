import type { QuantizedParameters } from '../quantized.ts';
import type { StoredTensor } from '../safetensors.ts';
import { FLOATS, isSorted, readOrder, readScales, roundingOf, wrong } from './parameters.ts';
import { type NamePattern, namePatterns } from './patterns.ts';
import {
  divides,
  find,
  need,
  type Quantization,
  type ReadTensor,
  type StoredMatrix,
  type Weight,
} from './quantization.ts';
import type { Settings } from './settings.ts';
import { fields, gptqCodes, inOrder, perWord, transpose } from './unpack.ts';

/** How a module is quantised. */
interface Scheme {
  readonly bits: 4 | 8;
  /** undefined: a row. */
  readonly group: number | undefined;
  readonly symmetric: boolean;
  readonly ordered: boolean;
}

/** What a `dynamic` entry says of the modules that it names; undefined: they are plain. */
interface Rule {
  readonly matches: NamePattern;
  readonly scheme: Scheme | undefined;
}

/** GPTQ, as AutoGPTQ, optimum and GPTQModel write it. @throws CheckpointError, UnsupportedModelError */
export function parseGptq(settings: Settings): Quantization {
  const format = settings.get('checkpoint_format') === undefined ? 'format' : 'checkpoint_format';
  const storesLess = settings.oneOf(format, ['gptq', 'gptq_v2'], 'gptq') === 'gptq';
  settings.fixed('pack_dtype', 'int32');
  settings.fixed('is_marlin_format', false);
  for (const key of ['adapter', 'rotation']) settings.fixed(key, null);
  const base = parseScheme(settings);
  const rules = parseRules(settings, base);
  const withHead = settings.flag('lm_head', false);
  const listed = parseListed(settings);
  const schemeOf = (module: string): Scheme | undefined => {
    const inBlock = /^model\.layers\.\d+\.(.*)$/.exec(module)?.[1];
    const isMeant = inBlock === undefined ? withHead && module === 'lm_head' : (listed?.has(inBlock) ?? true);
    if (!isMeant) return undefined;
    const rule = rules.find(({ matches }) => matches(module));
    return rule ? rule.scheme : base;
  };
  return {
    ignored: [],
    of(weight) {
      const scheme = schemeOf(weight.module);
      return scheme && storedMatrix(weight, scheme, storesLess);
    },
  };
}

function parseScheme(settings: Settings, base?: Scheme): Scheme {
  return {
    bits: settings.oneOf('bits', [4, 8] as const, base?.bits),
    group:
      settings.has('group_size') || !base
        ? settings.groupSize('group_size', base ? undefined : 128)
        : base.group,
    symmetric: settings.flag('sym', base?.symmetric ?? true),
    ordered: settings.flag('desc_act', base?.ordered ?? false),
  };
}

/** The first one that matches counts; `-:` before its pattern leaves modules as they are. */
function parseRules(settings: Settings, base: Scheme): Rule[] {
  const dynamic = settings.inner('dynamic');
  const keys = dynamic?.keys() ?? [];
  const sources = keys.map((key) => key.replace(/^[+-]:/, ''));
  const patterns = namePatterns(sources, `${settings.path}.dynamic`);
  return keys.map((key, i) => {
    const matches = patterns[i];
    if (key.startsWith('-:')) return { matches, scheme: undefined };
    const own = dynamic?.inner(key);
    if (!own) return { matches, scheme: base };
    for (const other of [
      'adapter',
      'rotation',
      'method',
      'quant_method',
      'format',
      'checkpoint_format',
      'pack_dtype',
    ])
      own.fixed(other, null);
    return { matches, scheme: parseScheme(own, base) };
  });
}

/** The modules of a layer that optimum was told to quantise; undefined: all. */
function parseListed(settings: Settings): ReadonlySet<string> | undefined {
  const key = 'modules_in_block_to_quantize';
  const value = settings.get(key);
  if (value === undefined) return undefined;
  const names = Array.isArray(value) ? value.flat() : [undefined];
  if (!names.every((name) => typeof name === 'string')) throw settings.wrong(key, 'a list of lists of names');
  return new Set(names);
}

function storedMatrix(weight: Weight, scheme: Scheme, storesLess: boolean): StoredMatrix {
  const { rows, columns } = weight;
  const { bits, symmetric, ordered } = scheme;
  const group = scheme.group ?? columns;
  const claim = { weight, says: `GPTQ, ${bits} bits in groups of ${group},` };
  divides(claim, 'scales', group, columns, 'columns');
  divides(claim, 'qweight', perWord(bits), columns, 'columns');
  divides(claim, 'qzeros', perWord(bits), rows, 'rows');
  const groups = columns / group;
  const qweight = need(claim, 'qweight', ['I32'], [columns / perWord(bits), rows]);
  const qzeros = need(claim, 'qzeros', ['I32'], [groups, rows / perWord(bits)]);
  const scales = need(claim, 'scales', FLOATS, [groups, rows]);
  const indexed = ordered || find(weight, 'g_idx') !== undefined;
  const gIdx = indexed ? need(claim, 'g_idx', ['I32'], [columns]) : undefined;

  async function parameters(read: ReadTensor): Promise<QuantizedParameters> {
    const zeros = fields(await read(qzeros), bits, groups, rows);
    const middle = 1 << (bits - 1);
    for (let i = 0; i < zeros.length; i++) {
      // Of a zero point stored as the largest code libraries read three different ones.
      if (storesLess && zeros[i] === 2 * middle - 1)
        throw ofZero(qzeros, bits, rows, i, `the zero point is ${2 * middle}: at most ${2 * middle - 1}`);
      if (storesLess) zeros[i]++;
      if (symmetric && zeros[i] !== middle)
        throw ofZero(qzeros, bits, rows, i, `the zero point is ${zeros[i]}: ${middle}, since sym is true`);
    }
    const order = gIdx && (await readOrder(gIdx, read, groups, group));
    if (gIdx && order && !ordered && !isSorted(order))
      throw wrong(gIdx, 0, 'columns are not in the order of their groups, but desc_act is false');
    const values = await readScales(scales, read);
    return {
      scales: transpose(values, groups, rows, new Float32Array(values.length)),
      ...(!symmetric && { zeros: transpose(zeros, groups, rows, new Uint8Array(zeros.length)) }),
      ...(ordered && { order }),
    };
  }
  return {
    code: bits === 4 ? 'int4' : 'int8',
    group,
    rounding: roundingOf(scales),
    hasZeros: !symmetric,
    hasOrder: ordered,
    tensors: [qweight, qzeros, scales, ...(gIdx ? [gIdx] : [])],
    parameters,
    codes: async (read, order) =>
      inOrder(gptqCodes(await read(qweight), bits, rows, columns), columns, order),
  };
}

/** At a word of packed zero points. */
function ofZero(tensor: StoredTensor, bits: 4 | 8, rows: number, index: number, message: string) {
  const group = Math.floor(index / rows);
  return wrong(tensor, Math.floor((index % rows) / perWord(bits)) + group * tensor.shape[1], message);
}
