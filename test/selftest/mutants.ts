import type { ShaderName, Sources } from '../../src/gpu/kernel.ts';
import { shaders } from '../../src/gpu/shaders.ts';

/** A fault in a file of shaders/: what stands there, once or more often, and what instead. */
export interface Mutant {
  readonly file: ShaderName;
  readonly was: string;
  readonly is: string;
  /** Files with an entry point that may be found wrong; without it the file itself. */
  readonly wrong?: readonly string[];
}

const PRODUCTS = ['qkv', 'project', 'gate-up', 'lm-head'];
const NORMED = ['qkv', 'gate-up', 'lm-head'];

/** Of kernels that every adapter runs. */
export const COMMON: readonly Mutant[] = [
  { file: 'source', was: 'column >= sizes.COLUMNS', is: 'column >= sizes.COLUMNS - 1u', wrong: ['pack'] },
  { file: 'pack', was: 'high << vec4u(16u)', is: 'high << vec4u(15u)' },
  {
    file: 'bf16',
    was: 'w << vec4u(16u)',
    is: 'w << vec4u(17u)',
    wrong: ['embed', ...PRODUCTS],
  },
  { file: 'embed', was: 'h * norm_weight[column]', is: 'h * norm_weight[column] * 1.001' },
  { file: 'qkv', was: 'fma(y.y, r.x, y.x * r.y)', is: 'fma(y.y, r.x, y.x * r.y * 1.001)' },
  { file: 'qkv', was: 'row.position % PAGE, is_key', is: '(row.position + 1u) % PAGE, is_key' },
  {
    file: 'weights',
    was: 's = fma(w.high.z, high.z, s);',
    is: 's = fma(w.high.z, high.z * 1.001, s);',
    wrong: PRODUCTS,
  },
  { file: 'project', was: 'square = fma(h, h, square)', is: 'square = fma(h, h, 0.0)' },
  { file: 'gate-up', was: '1.0 + exp', is: '1.001 + exp' },
  { file: 'lm-head', was: 'products[m] * factors[m]', is: 'products[m] * factors[m] * 1.001' },
  {
    file: 'attention',
    was: 'attended = select(0u, row.position + 1u',
    is: 'attended = select(0u, row.position',
  },
  {
    file: 'attention',
    was: 'inverseSqrt(f32(sizes.HEAD_DIM))',
    is: 'inverseSqrt(f32(sizes.HEAD_DIM)) * 1.001',
  },
  { file: 'attention', was: 'slot = rows[first_row + h / SHARE]', is: 'slot = rows[first_row]' },
  { file: 'attention-merge', was: 'var i = 0u; i < count', is: 'var i = 0u; i < count - 1u' },
  { file: 'attention-merge', was: 'row.position / SPAN + 1u', is: 'row.position / SPAN' },
  { file: 'summary', was: '-4.0 * d', is: '-3.9 * d', wrong: ['summarise', 'draw'] },
  {
    file: 'summary',
    was: 'return Sums(e, d * e',
    is: 'return Sums(e, d * e * 1.001',
    wrong: ['summarise', 'draw'],
  },
  { file: 'summarise', was: 'let end = min(first + part', is: 'let end = min(first + part - 1u' },
  { file: 'draw', was: 'row.slot + row.stride', is: 'row.slot + row.stride + 1u' },
  { file: 'draw', was: 'if (row.ask == DRAW) { rows', is: 'if (row.ask == TAIL) { rows' },
  {
    file: 'pick',
    was: 'goal < below) { return last; }',
    is: 'goal < 0.9 * below) { return last; }',
    wrong: ['draw'],
  },
  { file: 'random', was: '0x9E3779B9u', is: '0x9E3779BAu', wrong: ['draw'] },
  { file: 'copy-pages', was: 'id.x >= sizes.PAGE_QUADS', is: 'id.x >= sizes.PAGE_QUADS - 1u' },
  {
    file: 'stream',
    was: '(sizes.WIDTH + 31u) / 32u * 8u',
    is: '(sizes.WIDTH + 31u) / 32u * 8u - 4u',
    wrong: ['embed', ...PRODUCTS],
  },
];

/** Of the ways to multiply, of which an adapter has some. */
export const MULTIPLICATIONS: readonly Mutant[] = [
  { file: 'in-texture', was: 'i % LINE', is: '(i + 1u) % LINE', wrong: ['embed', ...PRODUCTS] },
  { file: 'norm-subgroups', was: 'subgroupBroadcast(s, 7u)', is: 'subgroupBroadcast(s, 6u)', wrong: NORMED },
  {
    file: 'matvec-subgroups',
    was: 'i < blocks() * slab.one',
    is: 'i < (blocks() - 1u) * slab.one',
    wrong: PRODUCTS,
  },
  {
    file: 'matvec-subgroups',
    was: 'subgroupBroadcast(v, 7u)',
    is: 'subgroupBroadcast(v, 6u)',
    wrong: PRODUCTS,
  },
  {
    file: 'lanes-subgroups',
    was: 'subgroupShuffle(value, lane)',
    is: 'subgroupShuffle(value, lane ^ 1u)',
    wrong: ['attention'],
  },
];
export const OTHER_MULTIPLICATIONS: readonly Mutant[] = [
  { file: 'in-buffer', was: 'weights[i]', is: 'weights[i + 1u]', wrong: ['embed', ...PRODUCTS] },
  { file: 'norm', was: 'sum / f32(sizes.WIDTH)', is: 'sum / f32(sizes.WIDTH + 1u)', wrong: NORMED },
  { file: 'matvec', was: 'i < blocks() * slab.one', is: 'i < (blocks() - 1u) * slab.one', wrong: PRODUCTS },
  { file: 'matvec-split', was: 'slice < THREADS / 8u', is: 'slice < THREADS / 8u - 1u', wrong: PRODUCTS },
  {
    file: 'matmul-tiles',
    was: 'min(2u, blocks() - i)',
    is: 'min(1u, blocks() - i)',
    wrong: ['qkv', 'project', 'gate-up'],
  },
  { file: 'lanes', was: 'return value', is: 'return 2.0 * value', wrong: ['attention'] },
];

/** Of what only some models have: the short self-test leaves it out. */
export const FEATURES: readonly Mutant[] = [
  { file: 'qk-norm', was: 'sum / f32(sizes.HEAD_DIM)', is: 'sum / f32(sizes.HEAD_DIM + 1u)' },
  { file: 'qk-norm', was: 'row.position % PAGE, true', is: '(row.position + 1u) % PAGE, true' },
  {
    file: 'window',
    was: 'position + 1u - sizes.WINDOW, ',
    is: 'position + 2u - sizes.WINDOW, ',
    wrong: ['attention', 'attention-merge'],
  },
  { file: 'attention', was: 'slot >= vec4u(unseen)', is: 'slot >= vec4u(unseen / 4u * 4u)' },
  {
    file: 'attention-merge',
    was: '+ 1u - first_seen(row.position) / SPAN',
    is: '+ 1u - first_seen(row.position + 1u) / SPAN',
  },
  { file: 'project', was: 'h += bias[slab.first + n[j]]', is: 'h += bias[slab.first + n[0]]' },
  { file: 'f32', was: 'words(at + 8u)', is: 'words(at + 7u)', wrong: ['qkv', 'gate-up'] },
  { file: 'f16', was: 'unpack2x16float(w.y)', is: 'unpack2x16float(w.z)', wrong: ['lm-head'] },
  { file: 'gate-up', was: 'arrayLength(&bias) / 2u)', is: 'arrayLength(&bias) / 2u - 1u)' },
];

/** Of keys in bf16. */
export const KEYS: readonly Mutant[] = [
  { file: 'cache', was: 'bits + vec2u(0x7fffu)', is: 'bits + vec2u(0x6fffu)', wrong: ['qkv', 'qk-norm'] },
  { file: 'cache', was: 'half % 4u > 0u', is: 'half % 4u > 2u', wrong: ['qkv', 'qk-norm', 'attention'] },
  { file: 'attention', was: 'sizes.HEAD_DIM / 8u + i;', is: 'sizes.HEAD_DIM / 8u;' },
  { file: 'attention', was: '[i % 4u]', is: '[(i + 1u) % 4u]' },
];

/** Of what models with codes for weights need. */
export const CODES: readonly Mutant[] = [
  { file: 'quantize', was: 'fma(w[j], q, product)', is: 'fma(w[j], q * 1.3, product)' },
  {
    file: 'codes',
    was: 'BITS * chunks() + group, word',
    is: 'BITS * chunks() + group + 1u, word',
    wrong: ['quantize', 'pack-codes'],
  },
  { file: 'pack-codes', was: 'column % 4u * 8u)) ^ FLIP', is: 'column % 4u * 8u)) ^ 8u' },
  {
    file: 'quantized',
    was: '(word >> (group % 4u * 8u))',
    is: '(word >> (group % 2u * 8u))',
    wrong: ['project', 'lm-head'],
  },
  { file: 'quantized', was: 'vec4u(0xfffu) +', is: 'vec4u(0x1fffu) +', wrong: ['project'] },
  { file: 'quantized', was: 'vec4u(0x7fffu) +', is: 'vec4u(0xffffu) +', wrong: ['project', 'lm-head'] },
  { file: 'int4', was: 'w << 4u', is: 'w << 3u', wrong: ['qkv', 'project'] },
  { file: 'int8', was: 'w << 8u', is: 'w << 7u', wrong: ['embed', 'gate-up', 'lm-head'] },
  { file: 'fp8', was: '(w << 7u) & 0x3f803f80u', is: '(w << 7u) & 0x3f003f80u', wrong: ['project'] },
  {
    file: 'matvec-groups',
    was: 'subgroupBroadcast(v[m], 7u)',
    is: 'subgroupBroadcast(v[m], 6u)',
    wrong: ['qkv', 'project', 'gate-up'],
  },
  {
    file: 'permute',
    was: 'column < sizes.COLUMNS',
    is: 'column < sizes.COLUMNS - 1u',
    wrong: ['permute', 'gate-up'],
  },
  { file: 'gate-up', was: 'start + sizes.SECOND', is: 'start' },
];

/** The shaders with the fault. */
export function withFault({ file, was, is }: Mutant): Sources {
  const source: string = shaders[file];
  if (!source.includes(was)) throw new Error(`${file}.wgsl has no ${JSON.stringify(was)}`);
  return { ...shaders, [file]: source.replaceAll(was, is) };
}
