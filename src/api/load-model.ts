import { openModel } from '#runtime/api/open-model';
import { disposing } from '../base/disposable.ts';
import { OutOfMemoryError, UnsupportedModelError } from '../base/errors.ts';
import { KvCache, PAGE } from '../cache/kv-cache.ts';
import { type KvType, kvTypeOf } from '../cache/kv-type.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { ModelFolder } from '../checkpoint/model-folder.ts';
import type { TensorSource } from '../checkpoint/safetensors.ts';
import type { ModelFiles } from '../checkpoint/source.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { Activation } from '../engine/activations.ts';
import { Engine } from '../engine/engine.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import type { Profile } from '../engine/profile.ts';
import type { AdapterChoice } from '../gpu/adapter.ts';
import { type AdapterDescription, Gpu } from '../gpu/device.ts';
import { Kernels } from '../gpu/kernel.ts';
import { loadQwen2 } from '../model/qwen2.ts';
import { tuningFor } from '../model/tuning.ts';
import { WeightLoader } from '../model/weights.ts';
import type { ModelDefaults } from '../sampling/options.ts';
import { cachePositions, MemoryPlan } from './memory.ts';
import { loadDefaults } from './model-defaults.ts';
import { type QuantizeOptions, quantizeOf } from './quantize.ts';

/** Where a model is computed, and who is told how far its loading is. */
export interface LoadOptions extends AdapterChoice, QuantizeOptions {
  /**
   * Positions the KV cache holds, over all sequences (a shared prefix counts once), besides two pages that forks of a single one take. Where
   * more are computed, those walked least recently are forgotten. Default 16384, fewer if one binding cannot show them.
   */
  cachePositions?: number;
  /** What keys and values are kept in: bf16, to which they are rounded, takes half the memory. Default f32. */
  kvCache?: KvType;
  /** Stops the loading, and the fetching of files. */
  signal?: AbortSignal;
  /** Called once it is known what computes, before the weights are read. */
  onAdapter?(adapter: AdapterDescription): void;
  /** Told while weights go to the GPU. */
  onProgress?(loadedBytes: number, totalBytes: number): void;
  /** Told while files come from the Hub or, in a browser, from their address; both count what an earlier run has left. */
  onFetch?(fetchedBytes: number, totalBytes: number): void;
}

/** A language model on a GPU, ready to be sampled from. */
export interface Model extends LanguageModel {
  /** What the checkpoint says of the model. */
  readonly config: ModelConfig;
  /** null where the folder has no tokenizer: the model then speaks token ids only. */
  readonly tokenizer: Tokenizer | null;
  /** The sampler defaults of the model's own egps.json. */
  readonly defaults: ModelDefaults;
  /** What computes it. */
  readonly adapter: AdapterDescription;
  /** GPU memory taken, in bytes. */
  readonly memory: { readonly weights: number; readonly cache: number; readonly scratch: number };
  /** Tensors in the checkpoint that the configuration does not call for. */
  readonly unexpectedTensors: readonly string[];
  /** What is doubtful in the folder and how it was taken, a line each. */
  readonly warnings: readonly string[];
  /** Logits after each token, f32 [tokens][vocabSize]. */
  logits(tokens: ArrayLike<number>): Promise<Float32Array>;
  /** What a layer, counted from 0, takes and gives at every token, by name. @throws OptionError */
  activations(tokens: ArrayLike<number>, layer: number): Promise<Activation[]>;
  /** Times the kernels of a pass of decoding by the GPU's own clock. @throws AdapterError, OptionError */
  profile(rows: number, context: number, repeats: number): Promise<Profile>;
  /** Frees all GPU memory; pending calls reject with DeviceLostError. A second time it does nothing. */
  dispose(): void;
  /** The same, at the end of the block of a `using`. */
  [Symbol.dispose](): void;
  /** The same, at the end of the block of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Loads a model of Hugging Face's format: config.json, model.safetensors (or shards), and where there are any tokenizer.json,
 * generation_config.json and egps.json.
 * @param model its folder; or its name on the Hub, ID or ID@REVISION: what is not in the cache is fetched. In a browser the address of its
 *   folder, or its name on the Hub
 * @throws HubError, FetchError, OutputError, CheckpointError, UnsupportedModelError, AdapterError, KernelError, OutOfMemoryError
 */
export async function loadModel(model: string, options: LoadOptions = {}): Promise<Model> {
  kvTypeOf(options.kvCache); // before anything is fetched
  quantizeOf(options, {});
  const { files, warnings } = await openModel(model, options, checkComputed);
  const loaded = await loadFolder(files, options);
  return Object.assign(loaded, { warnings: [...warnings, ...loaded.warnings] });
}

/** @throws CheckpointError, UnsupportedModelError, AdapterError, KernelError, OutOfMemoryError @internal */
export async function loadFolder(dir: string | ModelFiles, options: LoadOptions = {}): Promise<Model> {
  const folder = await ModelFolder.open(dir, options.signal);
  try {
    const { config, tokenizer, unexpectedTensors } = folder;
    const warnings = [...folder.warnings];
    const defaults = await loadDefaults(dir, (message) => warnings.push(message));
    checkComputed(config);
    const model = await buildModel(config, folder, options);
    return Object.assign(model, { tokenizer, defaults, unexpectedTensors, warnings });
  } finally {
    await folder.close();
  }
}

/** What a checkpoint may have and the kernels do not compute. @throws UnsupportedModelError @internal */
export function checkComputed({ headDim }: ModelConfig): void {
  if (headDim > 128) throw new UnsupportedModelError('head_dim', headDim, 'at most 128');
}

/**
 * A model that speaks token ids, from tensors known to be those that `config` calls for.
 * @throws AdapterError, KernelError, OutOfMemoryError
 * @internal
 */
export async function buildModel(
  config: ModelConfig,
  source: TensorSource,
  options: LoadOptions = {},
  tune = tuningFor,
) {
  const { signal, onProgress } = options;
  const quantize = quantizeOf(options, source);
  const kvType = kvTypeOf(options.kvCache);
  let gpu: Gpu | undefined;
  let needed = 0; // bytes, before anything is allocated
  let scoped = false;
  try {
    gpu = await Gpu.open(options);
    options.onAdapter?.(gpu.adapter);
    // Not before there is a device: it is a tenth of the program.
    const { trust, trustKeys, trustQuantized } = await import('../selftest/trusted.ts');
    await (kvType === 'bf16' ? trustKeys(gpu) : trust(gpu));
    if (quantize || (source.quantized?.size ?? 0) > 0) await trustQuantized(gpu);
    gpu.device.pushErrorScope('out-of-memory');
    scoped = true;

    const positions = cachePositions(config, kvType, gpu.maxBinding, options.cachePositions);
    const contextLength = Math.min(config.maxPositionEmbeddings, positions);
    const total = storedBytes(source);
    const tuning = tune(gpu.adapter, config.vocabSize);
    const plan = await MemoryPlan.of(config, source, gpu.adapter, { tune, quantize, kvType });
    needed = plan.at(options.cachePositions).total;
    const cache = new KvCache(gpu, config, positions + 2 * PAGE, kvType);
    scoped = false;
    const full = await gpu.device.popErrorScope(); // before the weights, which take long to read
    if (full) throw outOfMemory(needed, full);
    gpu.device.pushErrorScope('out-of-memory');
    scoped = true;

    let loaded = 0;
    const kernels = new Kernels(gpu);
    const loader = new WeightLoader(
      gpu,
      kernels,
      source,
      (bytes) => {
        signal?.throwIfAborted();
        loaded += bytes;
        onProgress?.(loaded, total);
      },
      quantize,
      tuning.holder,
    );
    const qwen2 = await loadQwen2(gpu, kernels, config, loader, cache, contextLength, tuning);
    loader.done();
    const memory = { weights: loader.bytes, cache: cache.bytes, scratch: qwen2.buffers.bytes };
    scoped = false;
    const refused = await gpu.device.popErrorScope();
    if (refused) throw outOfMemory(needed, refused);
    gpu.check();

    const engine = new Engine(gpu, config, qwen2, cache, contextLength);
    const opened = gpu;
    const dispose = () => opened.dispose();
    return Object.assign(engine, { adapter: gpu.adapter, memory, dispose, ...disposing(dispose) });
  } catch (error) {
    // A buffer that could not be had causes other errors first; and the caller's device must be left as it was.
    const refused = scoped ? await gpu?.device.popErrorScope().catch(() => null) : null;
    gpu?.dispose();
    if (refused) throw outOfMemory(needed, refused);
    throw error;
  }
}

/** Bytes that are read. */
function storedBytes({ tensors, quantized }: TensorSource): number {
  const plain = [...tensors.values()].reduce((n, { begin, end }) => n + end - begin, 0);
  return [...(quantized?.values() ?? [])].reduce((n, { stored }) => n + stored, plain);
}

function outOfMemory(needed: number, cause: GPUError): OutOfMemoryError {
  const hint = `ask for fewer cachePositions (${cause.message})`;
  return new OutOfMemoryError('the model', needed, undefined, hint, { cause });
}
