import { PAGE } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/device.ts';
import { SPAN, SPANS_BYTES, sizesOf } from './operations.ts';
import { rotaryTable } from './rotary.ts';
import { RESULT_BYTES, ROW_BYTES, SLICE_BYTES } from './rows.ts';
import type { Tuning } from './tuning.ts';

/** Steps between two readbacks of rows that draw for themselves, at most. */
export const MOST_STEPS = 16;
/** For the logits of a pass: of a vocabulary of 152 thousand 110 rows. */
const LOGITS_BYTES = 64 << 20;

/** Everything that a pass computes, and what it reads beside the weights and the cache. */
export type Buffers = ReturnType<typeof allocate>;

/** Bytes of each buffer, by its label. `permutes`: activations change places before some products. @internal */
export function sizeBuffers(config: ModelConfig, tuning: Tuning, contextLength: number, permutes: boolean) {
  const { vocabSize, headDim, numAttentionHeads: heads, numKeyValueHeads: kvHeads } = config;
  const { capacity } = tuning;
  const { hidden, squares, attended, activated, slices } = sizesOf(config, tuning);
  const logitRows = Math.min(capacity, Math.max(1, Math.floor(LOGITS_BYTES / (32 * vocabSize))) * 8); // whole tiles
  const spanBytes = heads * (headDim + 4) * 4;
  const longest = Math.ceil(contextLength / SPAN); // spans of a row
  const slots = Math.max(longest, Math.min(capacity * longest, Math.floor(SPANS_BYTES / spanBytes)));
  const words = (...shape: number[]) => 4 * shape.reduce((a, b) => a * b);
  const bytes = {
    rows: capacity * ROW_BYTES,
    tables: words(capacity, Math.ceil(contextLength / PAGE)), // u32
    stream: words(capacity, 2 * hidden + squares), // [h | g∘h | sums of squares], see shaders/norm.wgsl
    queries: words(capacity, heads, headDim),
    projected: config.qkNorm ? words(capacity, heads + kvHeads, headDim) : 0,
    spans: words(slots, heads, 4 + headDim), // see Row.spans
    attention: words(capacity, attended),
    permuted: permutes ? words(capacity, Math.max(2 * (2 * hidden + squares), attended, activated)) : 0,
    activation: words(capacity, activated),
    logits: words(logitRows, vocabSize),
    slices: logitRows * slices * SLICE_BYTES,
    copied: words(capacity, 2), // u32, pages to copy
    results: logitRows * MOST_STEPS * RESULT_BYTES,
    rotary: words(contextLength, headDim / 2, 2), // [position][headDim / 2] (cos, sin)
  };
  return { bytes, total: Object.values(bytes).reduce((n, m) => n + m), logitRows, slots };
}

/** @internal */
export function allocate(
  gpu: Gpu,
  config: ModelConfig,
  tuning: Tuning,
  contextLength: number,
  permutes: boolean,
) {
  const { bytes, total, logitRows, slots } = sizeBuffers(config, tuning, contextLength, permutes);
  const scratch = (label: keyof typeof bytes) => gpu.buffer(label, bytes[label]);
  const queries = scratch('queries');
  return {
    rows: scratch('rows'),
    tables: scratch('tables'),
    stream: scratch('stream'),
    queries,
    /** Queries, and where heads are normed keys too, as they are before that. */
    projected: config.qkNorm ? scratch('projected') : queries,
    spans: scratch('spans'),
    attention: scratch('attention'),
    /** Where they go that change places; where none do, something to name. */
    permuted: permutes ? scratch('permuted') : queries,
    activation: scratch('activation'),
    logits: scratch('logits'),
    slices: scratch('slices'),
    copied: scratch('copied'),
    results: scratch('results'),
    rotary: gpu.upload('rotary', rotaryTable(contextLength, config)),
    /** Most rows of a pass whose logits are asked for. */
    logitRows,
    /** Spans of all rows that there is room for. */
    slots,
    bytes: total,
  };
}
