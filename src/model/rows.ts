// The layouts that the CPU shares with the shaders: struct Row of row.wgsl, struct Result of draw.wgsl, struct Slice of summary.wgsl.
// A test holds the two against each other.

/** Members of struct Row, in order. */
export const ROW = [
  'token',
  'position',
  'table',
  'valid',
  'limit',
  'ask',
  'word',
  'seed_low',
  'seed_high',
  'chain',
  'step_candidate',
  'inverse_temperature',
  'alpha',
  'top_k',
  'top_p',
  'slot',
  'stride',
  'one',
  'spans',
  'team_spans',
] as const;
export const ROW_BYTES: number = 4 * ROW.length;

/** Entries of the list in a struct Result, and the members before it. */
export const LIST = 64;
export const HEADER = ['token', 'distance', 'bad', 'count', 'base', 'mean', 'sharp', 'tempered'] as const;
export const RESULT_BYTES: number = 4 * HEADER.length + 8 * LIST;
/** Members of a struct Slice before its list; only the self-test reads it. */
export const SLICE = [
  'maximum',
  'top',
  'bad',
  'buckets',
  'base',
  'mean',
  'sharp',
  'tempered',
  'count',
] as const;
export const SLICE_BYTES: number = 4 * SLICE.length + 8 * LIST;

/** What a row asks: the constants of row.wgsl. */
export const ASK = { nothing: 0, given: 1, tail: 2, draw: 3 } as const;

export interface RowFields {
  readonly token: number;
  readonly position: number;
  readonly table: number;
  readonly valid: number;
  /** Positions from here on are not computed. */
  readonly limit: number;
  readonly ask?: keyof typeof ASK;
  readonly word?: number;
  readonly alpha?: number;
  /** 0: greedy. */
  readonly temperature?: number;
  /** Of a row that draws. */
  readonly key?: { seed: bigint; chain: number; step: number; candidate: number };
  readonly topK?: number;
  readonly topP?: number;
  readonly slot: number;
  readonly stride: number;
  readonly spans: number;
  readonly teamSpans: number;
}

const FLOATS: ReadonlySet<string> = new Set(['inverse_temperature', 'alpha', 'top_p']);

/** struct Row [rows], filled up with inert ones to a multiple. */
export function packRows(rows: readonly RowFields[], multiple: number): ArrayBuffer {
  const data = new DataView(new ArrayBuffer(Math.ceil(rows.length / multiple) * multiple * ROW_BYTES));
  for (const [i, row] of rows.entries()) {
    const { temperature = 1, alpha = 1, key } = row;
    const words: Record<(typeof ROW)[number], number> = {
      token: row.token,
      position: row.position,
      table: row.table,
      valid: row.valid,
      limit: row.limit,
      ask: ASK[row.ask ?? 'nothing'],
      word: row.word ?? 0,
      seed_low: Number((key?.seed ?? 0n) & 0xffffffffn),
      seed_high: Number((key?.seed ?? 0n) >> 32n),
      chain: key?.chain ?? 0,
      step_candidate: key ? key.step * 256 + key.candidate : 0,
      inverse_temperature: temperature > 0 ? 1 / temperature : 0,
      alpha,
      top_k: row.topK ?? 0,
      top_p: row.topP ?? 1,
      slot: row.slot,
      stride: row.stride,
      one: 1,
      spans: row.spans,
      team_spans: row.teamSpans,
    };
    for (const [j, name] of ROW.entries()) {
      const at = i * ROW_BYTES + 4 * j;
      if (FLOATS.has(name)) data.setFloat32(at, words[name], true);
      else data.setUint32(at, words[name], true);
    }
  }
  return data.buffer as ArrayBuffer;
}

export interface Result {
  readonly token: number;
  readonly distance: number;
  /** A logit was NaN or infinite. */
  readonly bad: boolean;
  readonly summary: {
    readonly ids: Uint32Array;
    readonly distances: Float32Array;
    readonly base: number;
    readonly mean: number;
    readonly sharp: number;
    readonly tempered: number;
  };
}

/** Result number `slot`. */
export function unpackResult(data: DataView, slot: number): Result {
  const start = slot * RESULT_BYTES;
  const f32 = (i: number) => data.getFloat32(start + 4 * i, true);
  const u32 = (i: number) => data.getUint32(start + 4 * i, true);
  const count = Math.min(u32(3), LIST);
  const ids = new Uint32Array(count);
  const distances = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    ids[i] = u32(HEADER.length + 2 * i);
    distances[i] = f32(HEADER.length + 2 * i + 1);
  }
  return {
    token: u32(0),
    distance: f32(1),
    bad: u32(2) !== 0,
    summary: { ids, distances, base: f32(4), mean: f32(5), sharp: f32(6), tempered: f32(7) },
  };
}
