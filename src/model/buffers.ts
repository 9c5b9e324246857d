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

/** @internal */
export function allocate(gpu: Gpu, config: ModelConfig, tuning: Tuning, contextLength: number) {
  const { vocabSize, headDim, numAttentionHeads: heads, numKeyValueHeads } = config;
  const { capacity } = tuning;
  const { hidden, squares, attended, activated, slices } = sizesOf(config, tuning);
  const logitRows = Math.min(capacity, Math.max(1, Math.floor(LOGITS_BYTES / (32 * vocabSize))) * 8); // whole tiles
  const spanBytes = heads * (headDim + 4) * 4;
  const longest = Math.ceil(contextLength / SPAN); // spans of a row
  const slots = Math.max(longest, Math.min(capacity * longest, Math.floor(SPANS_BYTES / spanBytes)));

  let bytes = 0;
  const scratch = (label: string, ...shape: number[]) => {
    const size = shape.reduce((a, b) => a * b);
    bytes += size;
    return gpu.buffer(label, size);
  };
  const words = (label: string, ...shape: number[]) => scratch(label, ...shape, 4);
  const rotary = gpu.upload('rotary', rotaryTable(contextLength, config)); // [position][headDim / 2] (cos, sin)
  const queries = words('queries', capacity, heads, headDim);
  return {
    rows: scratch('rows', capacity, ROW_BYTES),
    tables: words('tables', capacity, Math.ceil(contextLength / PAGE)), // u32
    stream: words('stream', capacity, 2 * hidden + squares), // [h | g∘h | sums of squares], see shaders/norm.wgsl
    queries,
    /** Queries, and where heads are normed keys too, as they are before that. */
    projected: config.qkNorm ? words('projected', capacity, heads + numKeyValueHeads, headDim) : queries,
    spans: words('spans', slots, heads, 4 + headDim), // see Row.spans
    attention: words('attention', capacity, attended),
    activation: words('activation', capacity, activated),
    logits: words('logits', logitRows, vocabSize),
    slices: scratch('slices', logitRows, slices, SLICE_BYTES),
    copied: words('pages to copy', capacity, 2), // u32
    results: scratch('results', logitRows, MOST_STEPS, RESULT_BYTES),
    rotary,
    /** Most rows of a pass whose logits are asked for. */
    logitRows,
    /** Spans of all rows that there is room for. */
    slots,
    bytes: bytes + rotary.size,
  };
}
