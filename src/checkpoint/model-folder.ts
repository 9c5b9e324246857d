import { filesIn } from '#runtime/checkpoint/files';
import { loadConfigs, type ModelConfig } from './config.ts';
import { type Contents, contents, contentsOf, EMBEDDING, HEAD, lacksQuantization } from './contents.ts';
import { readJson } from './json.ts';
import { checkParameters, notEmulated, withoutSpare } from './quantization/check.ts';
import { matrixOf, readerOf } from './quantization/matrix.ts';
import { parseQuantizeConfig, ready } from './quantization/parse.ts';
import type { Quantization } from './quantization/quantization.ts';
import type { QuantizedMatrix } from './quantized.ts';
import { Checkpoint, type StoredTensor, type TensorInfo, type TensorSource } from './safetensors.ts';
import type { ModelFiles } from './source.ts';
import { Tokenizer } from './tokenizer.ts';
import { toF32 } from './values.ts';

const CHUNK = 1 << 22; // values compared at a time

/** What is read of a model's folder beside its weights, as far as it is there; config.json must be. */
export const SMALL_FILES = [
  'config.json',
  'generation_config.json',
  'quantize_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'egps.json',
] as const;

/** All that the folder of a model says, its files checked against each other. Tensors are read as they are asked for. */
export class ModelFolder implements TensorSource {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer | null;
  /** Those that the configuration calls for. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly quantized: ReadonlyMap<string, QuantizedMatrix>;
  readonly unexpectedTensors: readonly string[];
  /** What is doubtful and how it was taken, a line each. */
  readonly warnings: readonly string[];
  private readonly checkpoint: Checkpoint;

  private constructor(
    { config, tensors, quantized, unexpected }: Contents,
    tokenizer: Tokenizer | null,
    warnings: readonly string[],
    checkpoint: Checkpoint,
  ) {
    this.config = config;
    this.tokenizer = tokenizer;
    this.tensors = tensors;
    const readInto = checkpoint.readInto.bind(checkpoint);
    this.quantized = new Map(
      [...quantized].map(([name, { shape, stored }]) => [name, matrixOf(shape, stored, readInto)]),
    );
    this.unexpectedTensors = unexpected;
    this.warnings = warnings;
    this.checkpoint = checkpoint;
  }

  /** @throws CheckpointError, UnsupportedModelError */
  static async open(dir: string | ModelFiles, signal?: AbortSignal): Promise<ModelFolder> {
    const files = filesIn(dir);
    const warnings: string[] = [];
    const warn = (message: string) => warnings.push(message);
    const { config, quantization: written } = await loadConfigs(files, warn);
    const tokenizer = await Tokenizer.from(files, warn);
    const checkpoint = await Checkpoint.open(files, warn);
    try {
      const quantization = lacksQuantization(written, checkpoint)
        ? await loadQuantizeConfig(files, warn)
        : written;
      const known = withEos(config, tokenizer);
      const contents = await resolveHead(known, quantization, checkpoint, warn, signal);
      const read = readerOf(checkpoint.readInto.bind(checkpoint));
      await checkParameters(contents, read, signal);
      const ignored = notEmulated(quantization, contents);
      if (ignored !== undefined) warn(`${files.place}: ${ignored}`);
      const unexpected = await withoutSpare(contents, checkpoint, read);
      if (unexpected.length > 0) {
        const names = unexpected.slice(0, 3).join(', ') + (unexpected.length > 3 ? ', …' : '');
        warn(`${files.place} has ${unexpected.length} tensor(s) that its config does not call for: ${names}`);
      }
      return new ModelFolder({ ...contents, unexpected }, tokenizer, warnings, checkpoint);
    } catch (error) {
      await checkpoint.close();
      throw error;
    }
  }

  /** @throws CheckpointError */
  readInto(tensor: StoredTensor, offset: number, target: Uint8Array): Promise<void> {
    return this.checkpoint.readInto(tensor, offset, target);
  }

  async close(): Promise<void> {
    await this.checkpoint.close();
  }
}

/** Where neither config.json nor generation_config.json has an EOS, the tokenizer's is one. */
function withEos(config: ModelConfig, tokenizer: Tokenizer | null): ModelConfig {
  const eos = tokenizer?.eosToken;
  if (config.eosTokens.length > 0 || eos === undefined || eos >= config.vocabSize) return config;
  return { ...config, eosTokens: [eos] };
}

async function loadQuantizeConfig(
  files: ModelFiles,
  warn: (message: string) => void,
): Promise<Quantization | null> {
  const name = 'quantize_config.json';
  const json = await readJson(files, name, warn);
  if (json === undefined) return null;
  await ready();
  return parseQuantizeConfig(json, files.path(name));
}

/**
 * Takes a head that stands beside tie_word_embeddings as transformers 5 does: equal to the embedding it is a copy,
 * another one is used for what it is, and where there is no embedding it is that too.
 */
async function resolveHead(
  config: ModelConfig,
  quantization: Quantization | null,
  checkpoint: Checkpoint,
  warn: (message: string) => void,
  signal?: AbortSignal,
): Promise<Contents> {
  const found = contentsOf(config, checkpoint, quantization);
  const untied = (file: string) =>
    warn(`${file}: tie_word_embeddings is true, but ${HEAD} is not ${EMBEDDING}: it is used, untied`);
  if (found.config.tieWordEmbeddings !== config.tieWordEmbeddings) untied(checkpoint.file);
  const [embedding, head] = [EMBEDDING, HEAD].map((name) => checkpoint.tensors.get(name));
  if (!found.config.tieWordEmbeddings || !embedding || !head) return found;
  if (await equal(checkpoint, embedding, head, signal)) return found;
  untied(head.file);
  return contents({ ...config, tieWordEmbeddings: false }, checkpoint, quantization);
}

/** Of two arrays as long as each other, of 32-bit words but for the last bytes: a byte at a time takes four times as long. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const words = a.length >> 2;
  const [x, y] = [a, b].map((bytes) => new Uint32Array(bytes.buffer, 0, words));
  for (let i = 0; i < words; i++) if (x[i] !== y[i]) return false;
  for (let i = 4 * words; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether two tensors of one shape have the same values. */
async function equal(
  checkpoint: Checkpoint,
  a: TensorInfo,
  b: TensorInfo,
  signal?: AbortSignal,
): Promise<boolean> {
  const values = a.shape.reduce((n, length) => n * length, 1);
  const read = async (tensor: TensorInfo, from: number, to: number) => {
    const size = (tensor.end - tensor.begin) / values;
    const bytes = new Uint8Array((to - from) * size);
    await checkpoint.readInto(tensor, from * size, bytes);
    return bytes;
  };
  for (let from = 0; from < values; from += CHUNK) {
    signal?.throwIfAborted();
    const to = Math.min(from + CHUNK, values);
    const [x, y] = [await read(a, from, to), await read(b, from, to)];
    if (a.dtype === b.dtype && sameBytes(x, y)) continue;
    const others = toF32(b.dtype, y);
    const same = (value: number, i: number) => value === others[i] || Object.is(value, others[i]);
    if (!toF32(a.dtype, x).every(same)) return false;
  }
  return true;
}
