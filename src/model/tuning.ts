import type { AdapterDescription } from '../gpu/device.ts';
import type { Holder } from './format.ts';

/** How the multiplications by weight matrices are laid out on a class of adapters. Results agree bit by bit within one tuning, not between two. */
export interface Tuning {
  /** What holds the weight matrices: a buffer, but where a driver reads textures faster. */
  readonly holder: Holder;
  /** The shader for decoding, its threads a workgroup, and the quads of outputs that a workgroup computes. */
  readonly decode: {
    readonly shader: 'matvec' | 'matvec-subgroups' | 'matvec-split';
    readonly threads: number;
    readonly quads: number;
  };
  /** The LM head: quads of logits a thread. */
  readonly head: {
    readonly shader: 'matvec' | 'matvec-subgroups';
    readonly threads: number;
    readonly repeat: number;
  };
  /** Threads of a workgroup that sums up logits: a power of two. */
  readonly summaryThreads: number;
  /** Threads of a workgroup of the attention kernel, at least 8. */
  readonly attentionThreads: number;
  /** The file of shaders/ that puts together what the threads of a workgroup know of a norm. */
  readonly norm: 'norm' | 'norm-subgroups';
  /** The file of shaders/ by which threads load together what all of them need. */
  readonly lanes: 'lanes' | 'lanes-subgroups';
  /** Whether the attention reads keys and values that several rows have in common once. A GPU's cache does that by itself. */
  readonly shareSpans: boolean;
  /** Most rows in flight, a multiple of those that a workgroup takes. */
  readonly capacity: number;
  /** Rows of activations a workgroup takes, ascending; each divides the next. */
  readonly tiles: readonly number[];
  /** Whether prompts go through matmul-tiles.wgsl, 64 rows at a time, rather than through the shader for decoding. */
  readonly tiledPrefill: boolean;
}

/** Rows of activations must come in multiples of this. */
export const rowMultiple = (tuning: Tuning): number => (tuning.tiledPrefill ? 64 : Math.max(...tuning.tiles));

/** Workgroup memory of matmul-tiles.wgsl with norm.wgsl. */
const TILES_BYTES = 20 << 10;

/** Many threads in flight for each row of a matrix; prompts by tiles in workgroup memory. */
export const gpuTuning = ({ limits }: Pick<AdapterDescription, 'limits'>): Tuning => ({
  holder: 'buffer',
  decode: { shader: 'matvec-split', threads: 256, quads: 8 },
  head: { shader: 'matvec', threads: 64, repeat: 1 },
  summaryThreads: 256,
  attentionThreads: 32,
  norm: 'norm',
  lanes: 'lanes',
  shareSpans: false,
  capacity: 512,
  tiles: [1, 2, 4, 8],
  tiledPrefill: limits.maxComputeWorkgroupStorageSize >= TILES_BYTES,
});

/**
 * A workgroup is one subgroup and needs no barriers; more than 4 × 4 sums do not fit the registers; a load costs as much as
 * some twenty multiplications, and one that all lanes share no less. The figures behind it are in bench/README.md.
 */
const cpuTuning = (subgroups: boolean, vocabSize: number): Tuning => {
  const shader = subgroups ? 'matvec-subgroups' : 'matvec';
  return {
    holder: subgroups ? 'texture' : 'buffer',
    decode: { shader, threads: 8, quads: 8 },
    head: { shader, threads: 8, repeat: vocabSize >= 8192 ? 16 : 1 },
    summaryThreads: vocabSize >= 4096 ? 64 : 8,
    attentionThreads: 8,
    norm: subgroups ? 'norm-subgroups' : 'norm',
    lanes: subgroups ? 'lanes-subgroups' : 'lanes',
    shareSpans: true,
    capacity: 256,
    tiles: [1, 2, 4],
    tiledPrefill: false,
  };
};

export function tuningFor(
  adapter: Pick<AdapterDescription, 'cpu' | 'subgroups' | 'limits'>,
  vocabSize: number,
): Tuning {
  return adapter.cpu ? cpuTuning(adapter.subgroups, vocabSize) : gpuTuning(adapter);
}
