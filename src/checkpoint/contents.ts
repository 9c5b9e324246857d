import { checkTensors, type ModelConfig } from './config.ts';
import { shapeOf } from './quantization/matrix.ts';
import type { Quantization, StoredMatrix } from './quantization/quantization.ts';
import type { QuantizedShape } from './quantized.ts';
import type { Listing, TensorInfo } from './safetensors.ts';

export const EMBEDDING = 'model.embed_tokens.weight';
export const HEAD = 'lm_head.weight';
/** What older models keep beside their weights, and what is computed anew. */
const DERIVED = /rotary_emb\.inv_freq|(^|\.)position_ids$/;
/** Of activations, keys and values, which stay as they are. */
export const OF_ACTIVATIONS: RegExp =
  /\.(((input|output|activation|[qkv])_(scale|zero_point|global_scale))|input_scale_inv)$/;

/** What a checkpoint has of what its configuration calls for, by the headers alone. */
export interface Contents {
  readonly config: ModelConfig;
  /** Plain ones. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Weights stored as codes, by the names that they would have as plain tensors. */
  readonly quantized: ReadonlyMap<string, QuantizedEntry>;
  readonly unexpected: readonly string[];
}

interface QuantizedEntry {
  readonly shape: QuantizedShape;
  readonly stored: StoredMatrix;
}

/** A head that stands beside a tied embedding counts as its copy, unless one of them is quantised. @throws CheckpointError, UnsupportedModelError */
export function contentsOf(
  config: ModelConfig,
  listing: Listing,
  quantization: Quantization | null,
): Contents {
  const names = [...listing.tensors.keys(), ...listing.others.keys()];
  const has = (name: string) => listing.tensors.has(name) || listing.others.has(name);
  const hasCodes = (module: string) =>
    quantization !== null &&
    names.some((name) => name.startsWith(`${module}.`) && !/\.(weight|bias)$/.test(name));
  const hasHead = has(HEAD) || hasCodes('lm_head');
  if (!config.tieWordEmbeddings || !hasHead) return contents(config, listing, quantization);
  const untied = { ...config, tieWordEmbeddings: false };
  if (hasCodes('lm_head') || hasCodes('model.embed_tokens')) return contents(untied, listing, quantization);
  if (!has(EMBEDDING)) return contents(config, withHeadAsEmbedding(listing), quantization);
  const found = contents(untied, listing, quantization);
  return { ...found, config, tensors: new Map([...found.tensors].filter(([name]) => name !== HEAD)) };
}

/** @throws CheckpointError, UnsupportedModelError */
export function contents(config: ModelConfig, listing: Listing, quantization: Quantization | null): Contents {
  const quantized = new Map<string, QuantizedEntry>();
  const parts = new Set<string>();
  const unused = new Set(
    checkTensors(config, listing, (name, shape) => {
      if (shape.length < 2) return undefined;
      const [rows, columns] = shape;
      const weight = { module: name.replace(/\.weight$/, ''), rows, columns, listing };
      const stored = quantization?.of(weight);
      if (!stored) return undefined;
      quantized.set(name, { shape: shapeOf(weight, stored), stored });
      const own = stored.tensors.map((tensor) => tensor.name);
      for (const part of own) parts.add(part);
      return own;
    }),
  );
  const tensors = new Map([...listing.tensors].filter(([name]) => !unused.has(name) && !parts.has(name)));
  return { config, tensors, quantized, unexpected: [...unused].filter((name) => !DERIVED.test(name)) };
}

function withHeadAsEmbedding({ file, tensors, others }: Listing): Listing {
  const renamed = <T>(map: ReadonlyMap<string, T>) =>
    new Map([...map].map(([name, tensor]) => [name === HEAD ? EMBEDDING : name, tensor]));
  return { file, tensors: renamed(tensors), others: renamed(others) };
}

/** Whether how weights are quantised must be said in a file beside config.json. */
export function lacksQuantization(quantization: Quantization | null, { others }: Listing): boolean {
  return quantization === null && [...others.keys()].some((name) => name.endsWith('.qweight'));
}
