import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { loadFolder, type Model } from '../api/load-model.ts';
import { DEFAULT_POSITIONS } from '../api/memory.ts';
import { loadDefaults } from '../api/model-defaults.ts';
import { OptionError } from '../base/errors.ts';
import { loadConfig, type ModelConfig } from '../checkpoint/config.ts';
import { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { ModelDefaults } from '../sampling/options.ts';
import type { OptionSpec, Parsed } from './args.ts';
import { locateModel } from './fetch.ts';
import { bytes } from './format.ts';
import { oneLine, type Redraw } from './terminal.ts';

/** A subcommand of `egps`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
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

/** The package's folder, wherever the command is run from. */
function packageFolder(): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, 'package.json')) && dirname(root) !== root) root = dirname(root);
  return root;
}

export function embeddedModel(): string {
  return join(packageFolder(), 'models', 'abacus');
}

/** Of this package. */
export function version(): string {
  return JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')).version;
}

export const MODEL_OPTION: OptionSpec = {
  value: 'MODEL',
  help: 'a folder, or a name on the Hub, ID or ID@REVISION, from where what is\nmissing is fetched (default: the embedded model, abacus)',
};

/** What is known of a model before its weights are read. */
export interface Folder {
  readonly dir: string;
  /** The last part of its path or name. */
  readonly title: string;
  readonly config: ModelConfig;
  readonly defaults: ModelDefaults;
  readonly tokenizer: Tokenizer | null;
}

/** Fetches what is missing of a model of the Hub. @throws CheckpointError, HubError, OutputError */
export async function openFolder(model: string = embeddedModel(), io: Io): Promise<Folder> {
  const { dir, title } = await locateModel(model, io);
  const config = await loadConfig(dir);
  const [defaults, tokenizer] = await Promise.all([loadDefaults(dir), Tokenizer.load(dir)]);
  return { dir, title, config, defaults, tokenizer };
}

/** Of the cache; undefined where the default is enough. */
export function positionsFor(positions: number): number | undefined {
  return positions > DEFAULT_POSITIONS ? positions : undefined;
}

/**
 * Loads the weights, showing progress, and says what in the checkpoint is not used.
 * @param positions of the longest prompt with its answer; the cache has room for many times as much where that is little
 */
export async function openModel({ dir, title }: Folder, positions: number, io: Io): Promise<Model> {
  const model = await loadFolder(dir, {
    cachePositions: positionsFor(positions),
    signal: io.signal,
    onProgress(loaded, total) {
      io.redraw.update(() => ({
        text: '',
        done: loaded / total,
        facts: [`loading ${title}`, `${bytes(loaded)} of ${bytes(total)}`],
      }));
    },
  });
  io.redraw.clear();
  for (const warning of model.warnings) io.err(`egps: warning: ${oneLine(warning)}\n`);
  return model;
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
