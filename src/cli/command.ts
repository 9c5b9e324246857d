import { existsSync, readFileSync } from 'node:fs';
import { lstat, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { abacus } from '../api/abacus.ts';
import { DEFAULT_POSITIONS, loadModel, type Model } from '../api/load-model.ts';
import { loadDefaults } from '../api/model-defaults.ts';
import { OptionError } from '../base/errors.ts';
import { loadConfig, type ModelConfig } from '../checkpoint/config.ts';
import { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { AdapterDescription } from '../gpu/device.ts';
import type { ModelDefaults } from '../sampling/options.ts';
import { type OptionSpec, type Parsed, value } from './args.ts';
import { adapterText, bytes } from './format.ts';
import { oneLine, type Redraw } from './terminal.ts';

/** A subcommand of `egps`. */
export interface Command {
  /** What follows `egps NAME` in the usage line. */
  readonly usage: string;
  /** What the help says below the options. */
  readonly notes: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  run(parsed: Parsed, io: Io): Promise<void>;
}

/** What a command has from the process. */
export interface Io {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Draws on standard error. */
  readonly redraw: Redraw;
  /** Writes to standard output; rejects nothing, a reader that went away ends the process. */
  out(text: string): void;
  /** Writes what a model wrote, to standard output: as it is, unless that is a terminal. */
  text(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
}

/** Of this package. */
export function version(): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, 'package.json')) && dirname(root) !== root) root = dirname(root);
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}

/** Of every command that computes. */
export const MODEL_OPTIONS: Readonly<Record<'model' | 'adapter' | 'require-gpu', OptionSpec>> = {
  model: { value: 'DIR', help: 'folder of the model (default: the embedded model, abacus)' },
  adapter: { value: 'NAME', help: 'compute on the adapter that has NAME in its name (default: the best)' },
  'require-gpu': { help: 'refuse an adapter that computes on the CPU' },
};

/** What is known of a model before its weights are read. */
export interface Folder {
  readonly dir: string;
  readonly config: ModelConfig;
  readonly defaults: ModelDefaults;
  readonly tokenizer: Tokenizer | null;
}

/** @throws CheckpointError */
export async function openFolder(dir: string = abacus): Promise<Folder> {
  const config = await loadConfig(dir);
  const [defaults, tokenizer] = await Promise.all([loadDefaults(dir), Tokenizer.load(dir)]);
  return { dir, config, defaults, tokenizer };
}

/** The first line of every command that computes. */
export function sayAdapter(adapter: AdapterDescription, io: Io): void {
  io.err(`adapter: ${adapterText(adapter)}\n`);
}

/**
 * Says what computes, loads the weights, showing progress, and says what in the checkpoint is not used.
 * @param positions of the longest prompt with its answer; the cache has room for many times as much where that is little
 * @param onAdapter says what computes
 */
export async function openModel(
  { dir }: Folder,
  positions: number,
  parsed: Parsed,
  io: Io,
  onAdapter: (adapter: AdapterDescription) => void = (adapter) => sayAdapter(adapter, io),
): Promise<Model> {
  const model = await loadModel(dir, {
    adapter: value(parsed, 'adapter'),
    requireGpu: parsed.flags.has('require-gpu'),
    cachePositions: positions > DEFAULT_POSITIONS ? positions : undefined,
    signal: io.signal,
    onAdapter,
    onProgress(loaded, total) {
      io.redraw.update(() => ({
        text: '',
        done: loaded / total,
        facts: [`loading ${dir}`, `${bytes(loaded)} of ${bytes(total)}`],
      }));
    },
  });
  io.redraw.clear();
  for (const warning of model.warnings) io.err(`egps: warning: ${oneLine(warning)}\n`);
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
