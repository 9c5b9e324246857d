import { existsSync, readFileSync } from 'node:fs';
import { lstat, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { abacus } from '../api/abacus.ts';
import { loadFolder, type Model } from '../api/load-model.ts';
import { DEFAULT_POSITIONS } from '../api/memory.ts';
import { loadDefaults } from '../api/model-defaults.ts';
import { OptionError } from '../base/errors.ts';
import { type KvType, kvTypeOf } from '../cache/kv-cache.ts';
import { loadConfig, type ModelConfig } from '../checkpoint/config.ts';
import { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { AdapterDescription } from '../gpu/device.ts';
import type { ModelDefaults } from '../sampling/options.ts';
import { chosenAdapter, sayAdapter } from './adapter.ts';
import { type OptionSpec, type Parsed, value } from './args.ts';
import { locateModel } from './fetch.ts';
import { bytes } from './format.ts';
import type { Io } from './io.ts';
import { chosenQuantize, QUANTIZE_OPTIONS } from './quantize.ts';
import { oneLine } from './terminal.ts';

/** A subcommand of `egps`. */
export interface Command {
  /** What follows `egps NAME` in the usage line. */
  readonly usage: string;
  /** What the help says below the options. */
  readonly notes: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  run(parsed: Parsed, io: Io): Promise<void>;
}

/** Of this package. */
export function version(): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, 'package.json')) && dirname(root) !== root) root = dirname(root);
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}

/** Of every command that computes. */
export const MODEL_OPTIONS: Readonly<
  Record<'model' | 'adapter' | 'require-gpu' | 'kv-cache' | keyof typeof QUANTIZE_OPTIONS, OptionSpec>
> = {
  model: {
    value: 'MODEL',
    help: 'a folder, or a name on the Hub, ID or ID@REVISION, from where what is\nmissing is fetched (default: the embedded model, abacus)',
  },
  adapter: { value: 'NAME', help: 'compute on the adapter that has NAME in its name (default: the best)' },
  'require-gpu': { help: 'refuse an adapter that computes on the CPU' },
  'kv-cache': {
    value: 'TYPE',
    help: 'keep keys and values as f32, or in half the memory as bf16, rounded (default: f32)',
  },
  ...QUANTIZE_OPTIONS,
};

/** What is known of a model before its weights are read. */
export interface Folder {
  readonly dir: string;
  /** The last part of its path or name. */
  readonly title: string;
  /** What is doubtful about where it was found; told below the adapter. */
  readonly warnings: readonly string[];
  readonly config: ModelConfig;
  readonly defaults: ModelDefaults;
  readonly tokenizer: Tokenizer | null;
}

/** What keys and values are to be kept in. @throws OptionError */
export const chosenKvType = (parsed: Parsed): KvType => kvTypeOf(value(parsed, 'kv-cache'), '--kv-cache');

/** Fetches what is missing of a model of the Hub. @throws OptionError, CheckpointError, HubError, OutputError, AdapterError */
export async function openFolder(parsed: Parsed, io: Io): Promise<Folder> {
  chosenKvType(parsed);
  const { dir, title, warnings } = await locateModel(
    value(parsed, 'model') ?? abacus,
    { ...chosenAdapter(parsed), ...chosenQuantize(parsed) },
    io,
  );
  try {
    const config = await loadConfig(dir);
    const [defaults, tokenizer] = await Promise.all([loadDefaults(dir), Tokenizer.load(dir)]);
    return { dir, title, warnings, config, defaults, tokenizer };
  } catch (error) {
    warn(warnings, io); // they may well be the reason
    throw error;
  }
}

/** Of the cache; undefined where the default is enough. */
export function positionsFor(positions: number): number | undefined {
  return positions > DEFAULT_POSITIONS ? positions : undefined;
}

export function warn(warnings: readonly string[], io: Io): void {
  for (const warning of warnings) io.err(`egps: warning: ${oneLine(warning)}\n`);
}

/**
 * Says what computes, loads the weights, showing progress, and says what is doubtful.
 * @param positions of the longest prompt with its answer; the cache has room for many times as much where that is little
 * @param onAdapter says what computes
 */
export async function openModel(
  { dir, title, warnings }: Folder,
  positions: number,
  parsed: Parsed,
  io: Io,
  onAdapter: (adapter: AdapterDescription) => void = (adapter) => sayAdapter(adapter, io),
): Promise<Model> {
  const model = await loadFolder(dir, {
    ...chosenAdapter(parsed),
    ...chosenQuantize(parsed),
    cachePositions: positionsFor(positions),
    kvCache: chosenKvType(parsed),
    signal: io.signal,
    onAdapter,
    onProgress(loaded, total) {
      io.redraw.update(() => ({
        text: '',
        done: loaded / total,
        facts: [`loading ${title}`, `${bytes(loaded)} of ${bytes(total)}`],
      }));
    },
  });
  io.redraw.clear();
  warn([...warnings, ...model.warnings], io);
  return model;
}

/**
 * Fails where a file cannot be written, before anything is computed. It is opened, since `access` knows the modes alone (and under
 * Deno asks who the user is), and removed again where it was not there. Pipes and devices are left alone.
 */
export async function checkWritable(file: string): Promise<void> {
  const [entry, target] = await Promise.all([lstat, stat].map((of) => of(file).catch(() => undefined)));
  if (target && !target.isFile() && !target.isDirectory()) return;
  await (await open(file, 'a')).close();
  if (!entry) await rm(file);
}

/**
 * The text a command works on: its one argument, or standard input without its last line feed.
 * @throws OptionError
 */
export async function readText(words: readonly string[], what: string, io: Io): Promise<string> {
  if (words.length > 1)
    throw new OptionError(`one ${what} is expected, ${words.length} were given: quote it`);
  if (words.length === 0 && process.stdin.isTTY) {
    throw new OptionError(`no ${what}: give it as an argument or on standard input`);
  }
  const text = words.length === 1 ? words[0] : (await readAll(io.signal)).replace(/\r?\n$/, '');
  if (text === '') throw new OptionError(`the ${what} is empty`);
  return text;
}

async function readAll(signal: AbortSignal): Promise<string> {
  let text = '';
  addAbortSignal(signal, process.stdin).setEncoding('utf8');
  for await (const chunk of process.stdin) text += chunk;
  return text;
}
