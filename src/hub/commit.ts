import { join } from 'node:path';
import { CheckpointError, HubError } from '../base/errors.ts';
import { type ModelConfig, parseConfigs } from '../checkpoint/config.ts';
import { contentsOf, lacksQuantization } from '../checkpoint/contents.ts';
import { openFile } from '../checkpoint/files.ts';
import { parseAsPython } from '../checkpoint/json.ts';
import { SMALL_FILES } from '../checkpoint/model-folder.ts';
import { parseQuantizeConfig } from '../checkpoint/quantization/parse.ts';
import type { QuantizedShape } from '../checkpoint/quantized.ts';
import {
  INDEX,
  listTensors,
  readHeader,
  SINGLE,
  shardsOf,
  type TensorInfo,
} from '../checkpoint/safetensors.ts';
import { MAX_TEXT, type OpenFile } from '../checkpoint/source.ts';
import type { ModelCache } from './cache.ts';
import { show } from './name.ts';
import type { HubFile, Repository } from './repository.ts';

/** A file of a commit, wherever it is. */
interface View {
  readonly size: number;
  /** undefined where it is in the cache. */
  readonly hub: HubFile | undefined;
  /** Bytes `from` to `to`, the latter not included. */
  read(from: number, to: number): Promise<Uint8Array>;
}

/** What a model is, by its configuration and the headers of its weights. */
export interface Description {
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly quantized: ReadonlyMap<string, QuantizedShape>;
  readonly hasTokenizer: boolean;
  /** egps.json, undefined where there is none. */
  readonly defaults: unknown;
}

/** A model's files at a commit: those in the cache are read there, others on the Hub. Nothing is kept. */
export class Commit {
  readonly id: string;
  private readonly repository: Repository;
  private readonly cache: ModelCache;
  private readonly views = new Map<string, Promise<View | undefined>>();

  constructor(id: string, repository: Repository, cache: ModelCache) {
    this.id = id;
    this.repository = repository;
    this.cache = cache;
  }

  /** Reads no weights. @throws HubError, CheckpointError, UnsupportedModelError */
  async describe(): Promise<Description> {
    const { name } = this.repository;
    const json = await this.json('config.json');
    if (json === undefined)
      throw new HubError(show(name), 'has no config.json: it is no model in the format of transformers');
    const generation = await this.json('generation_config.json');
    const { config: said, quantization } = parseConfigs(json, this.title('config.json'), generation);
    const [weights, ...small] = await Promise.all([
      this.weights(),
      ...SMALL_FILES.map((path) => this.view(path)),
    ]);
    const index = weights.length === 1 && weights[0] === SINGLE ? SINGLE : INDEX;
    const headers = await Promise.all(weights.map((path) => this.header(path)));
    const listing = listTensors(this.title(index), headers);
    const beside = lacksQuantization(quantization, listing)
      ? await this.json('quantize_config.json')
      : undefined;
    const { config, tensors, quantized } = contentsOf(
      said,
      listing,
      beside === undefined ? quantization : parseQuantizeConfig(beside, this.title('quantize_config.json')),
    );
    return {
      config,
      tensors,
      quantized: new Map([...quantized].map(([name, { shape }]) => [name, shape])),
      hasTokenizer: small[SMALL_FILES.indexOf('tokenizer.json')] !== undefined,
      defaults: await this.json('egps.json'),
    };
  }

  /** Those that are read here and not in the cache, and the names of those that the commit lacks; to be called after `describe`. */
  async missing(): Promise<{ files: HubFile[]; lacking: string[] }> {
    const files: HubFile[] = [];
    const lacking: string[] = [];
    for (const [path, view] of this.views) {
      const found = await view;
      if (!found) lacking.push(path);
      else if (found.hub) files.push(found.hub);
    }
    return { files, lacking };
  }

  private title(path: string): string {
    return `${show(this.repository.name)}/${path}`;
  }

  private view(path: string): Promise<View | undefined> {
    const view = this.views.get(path) ?? this.look(path);
    this.views.set(path, view);
    return view;
  }

  private async look(path: string): Promise<View | undefined> {
    const isHere = await this.cache.has(this.id, path);
    if (isHere === false) return undefined;
    if (isHere) return openView(join(this.cache.snapshot(this.id), path));
    const { file } = await this.repository.head(path, this.id);
    return (
      file && {
        size: file.size,
        hub: file,
        read: (from, to) => this.repository.read(file, this.id, from, to),
      }
    );
  }

  private async json(path: string): Promise<unknown> {
    const view = await this.view(path);
    if (!view) return undefined;
    const { size } = view;
    if (size > MAX_TEXT)
      throw new CheckpointError(this.title(path), `has ${size} bytes: at most ${MAX_TEXT} are read`);
    return parseAsPython(this.title(path), await view.read(0, size));
  }

  /** The files of the weights. */
  private async weights(): Promise<string[]> {
    if (await this.view(SINGLE)) return [SINGLE];
    const index = await this.json(INDEX);
    if (index !== undefined) return [...shardsOf(this.title(INDEX), index)];
    const message = `has neither ${SINGLE} nor ${INDEX}: weights of other formats are not read`;
    throw new HubError(show(this.repository.name), message);
  }

  private async header(path: string) {
    const view = await this.view(path);
    if (!view) throw new CheckpointError(this.title(INDEX), `shard ${path} is missing`);
    return readHeader(this.title(path), view.size, view.read);
  }
}

async function openView(file: string): Promise<View | undefined> {
  const size = await withFile(file, async ({ size }) => size);
  const read = (from: number, to: number) =>
    withFile(file, async (opened) => {
      const bytes = new Uint8Array(to - from);
      return bytes.subarray(0, await opened.read(from, bytes));
    });
  return { size, hub: undefined, read };
}

async function withFile<T>(file: string, work: (opened: OpenFile) => Promise<T>): Promise<T> {
  const opened = await openFile(file);
  if (!opened) throw new CheckpointError(file, 'the file is missing');
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

/** What is missing of a commit in the cache for it to be loaded; nothing is asked of the Hub. @throws CheckpointError */
export async function missingInCache(cache: ModelCache, commit: string | undefined): Promise<string[]> {
  const missing: string[] = [];
  const isHere = async (path: string) => commit !== undefined && (await cache.has(commit, path)) === true;
  if (!(await isHere('config.json'))) missing.push('config.json');
  if (await isHere(SINGLE)) return missing;
  if (commit === undefined || !(await isHere(INDEX))) return [...missing, `${SINGLE} (or ${INDEX})`];
  const file = join(cache.snapshot(commit), INDEX);
  const bytes = await withFile(file, async (opened) => {
    const bytes = new Uint8Array(opened.size);
    await opened.read(0, bytes);
    return bytes;
  });
  for (const shard of shardsOf(file, parseAsPython(file, bytes)))
    if (!(await isHere(shard))) missing.push(shard);
  return missing;
}

/** Whether there is nothing left to ask the Hub about a commit. */
export async function isWhole(cache: ModelCache, commit: string): Promise<boolean> {
  const known = await Promise.all(SMALL_FILES.map((path) => cache.has(commit, path)));
  return !known.includes(undefined) && (await missingInCache(cache, commit)).length === 0;
}
