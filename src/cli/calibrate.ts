import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { abacus } from '../api/abacus.ts';
import { type Calibration, calibrate } from '../api/calibrate.ts';
import { withModelDefaults } from '../api/generate.ts';
import { readDefaults } from '../api/model-defaults.ts';
import { encodePrompt } from '../api/prompt.ts';
import { CheckpointError, OptionError } from '../base/errors.ts';
import { filesIn } from '../checkpoint/files.ts';
import { fittedDefaults } from '../hub/fitted.ts';
import { seed, value, whole } from './args.ts';
import { type Command, checkWritable, type Folder, MODEL_OPTIONS, openFolder, openModel } from './command.ts';
import { json, rate, table } from './format.ts';

const SAMPLES = 128;
const BAR = 24;

export const calibrateCommand: Command = {
  usage: '[options]',
  notes: `Draws plain samples (temperature 1), shows where their entropy lies, and writes gate and blockSize to
egps.json in the folder of the model; what else stands there stays. (Of a model of the Hub they go beside its
snapshots in the cache, and count there for its commit.) The gate is the highest that leaves 95 %
of the entropy to the tokens that pass it, those below 0.01 nats aside, but no more than about a fifth of the
tokens pass; a block holds three of these on average, but is at least a sixteenth of an answer.
FILE is a JSON array (.json) or JSON Lines (.jsonl) of prompts, or else a text with one prompt a line. A
prompt in JSON is a string, an array of token ids, or an object with such a "prompt". The embedded model has
prompts of its own, any other needs --prompts: some that it will be used for.
`,
  options: {
    ...MODEL_OPTIONS,
    prompts: { value: 'FILE', help: 'prompts to answer' },
    samples: { value: 'N', help: `answers to draw, spread over the prompts (default: ${SAMPLES})` },
    'max-new-tokens': { value: 'T', help: "horizon: most tokens of an answer (default: the model's)" },
    seed: { value: 'S', help: 'same seed, same samples (default: 0)' },
    'dry-run': { help: 'write nothing' },
    json: { help: 'print one JSON object: gate, blockSize, histogram, …' },
  },

  async run(parsed, io) {
    const read = <T>(name: string, as: (option: string, text: string) => T): T | undefined => {
      const text = value(parsed, name);
      return text === undefined ? undefined : as(`--${name}`, text);
    };
    if (parsed.words.length > 0) throw new OptionError(`unexpected ${JSON.stringify(parsed.words[0])}`);
    const samples = read('samples', whole) ?? SAMPLES;
    if (samples === 0) throw new OptionError('--samples is 0: at least one is needed');
    const given = { maxNewTokens: read('max-new-tokens', whole), seed: read('seed', seed) };
    const file = value(parsed, 'prompts');
    const dry = parsed.flags.has('dry-run');

    const folder = await openFolder(parsed, io);
    const plain = withModelDefaults(folder.defaults, { sampler: 'sample', ...given });
    const prompts = await readPrompts(file ?? ownPrompts(folder.dir));
    const encoded = encodeAll(prompts, folder, plain.maxNewTokens);
    const target = fittedDefaults(folder.dir);
    if (!dry) await checkTarget(target);

    const longest = Math.max(...encoded.map(({ length }) => length));
    const model = await openModel(folder, longest + plain.maxNewTokens, parsed, io);
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    let fitted: Calibration;
    try {
      fitted = await calibrate(model, encoded, {
        ...given,
        samples,
        signal: io.signal,
        onProgress: ({ samples: done, of, tokens }) =>
          io.redraw.update(() => ({
            text: '',
            done: done / of,
            facts: [`${done} of ${of} samples`, `${tokens} tokens`, rate(tokens, elapsed())],
          })),
      });
    } finally {
      model.dispose();
    }
    const wallSeconds = elapsed();
    io.redraw.clear();
    const { gate, blockSize } = fitted;
    if (!dry) await writeDefaults(folder.dir, { gate, blockSize });

    if (parsed.flags.has('json')) {
      const previous = { gate: folder.defaults.gate ?? null, blockSize: folder.defaults.blockSize ?? null };
      const { maxNewTokens, seed } = plain;
      const drawn = { prompts: prompts.length, maxNewTokens, seed, wallSeconds };
      io.out(`${json({ ...fitted, ...drawn, previous, written: dry ? null : target })}\n`);
      return;
    }
    io.out(`${histogramLines(fitted)}\n\n${proposalLines(fitted, folder)}\n`);
    io.err(dry ? 'Nothing was written.\n' : `Written to ${target}.\n`);
  },
};

/** The embedded model's held-out problems. @throws OptionError for any other model */
function ownPrompts(dir: string): string {
  if (resolve(dir) === abacus) return join(dir, 'heldout.json');
  throw new OptionError(
    `${dir} has no prompts of its own: give some that it will be used for, --prompts FILE`,
  );
}

interface Prompt {
  readonly prompt: string | number[];
  /** File and line, for messages. */
  readonly where: string;
}

/**
 * Reads a JSON array (.json), JSON Lines (.jsonl) or one prompt a line. Blank lines are none.
 * @throws OptionError naming the file and the line
 */
export async function readPrompts(file: string): Promise<Prompt[]> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : message;
    throw new OptionError(`${file} cannot be read: ${reason}`, { cause: error });
  }
  const kind = extname(file).toLowerCase();
  const sources = kind === '.json' ? arrayEntries(file, text) : lines(text);
  const prompts = Array.from(sources, ({ source, line }) => {
    const where = `${file} line ${line}`;
    return { where, prompt: kind === '.json' || kind === '.jsonl' ? parsePrompt(source, where) : source };
  });
  if (prompts.length === 0) throw new OptionError(`${file} has no prompts`);
  return prompts;
}

interface Source {
  readonly source: string;
  /** From 1. */
  readonly line: number;
}

function lines(text: string): Source[] {
  return text
    .split(/\r?\n/)
    .map((source, i) => ({ source, line: i + 1 }))
    .filter(({ source }) => source.trim() !== '');
}

/** The entries of a JSON array with the lines they begin on. JSON.parse would not tell the lines. */
function* arrayEntries(file: string, text: string): Generator<Source> {
  const entry = (begin: number, end?: number): Source => {
    const source = text.slice(begin, end).trimStart();
    const at = (end ?? text.length) - source.length;
    return { source, line: text.slice(0, at).split('\n').length };
  };
  const fail = ({ line }: Source, message: string) => new OptionError(`${file} line ${line}: ${message}`);
  if (!text.trimStart().startsWith('[')) throw fail(entry(0), 'a JSON array is expected');
  let depth = 0;
  let begin = 0;
  for (const { 0: mark, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/gs)) {
    const end = index + mark.length;
    if (mark === '[' || mark === '{') depth++;
    if (mark === ']' || mark === '}') depth--;
    if (depth === 1 && mark === '[') begin = end;
    const last = depth === 0;
    if (!last && !(depth === 1 && mark === ',')) continue;
    const next = entry(begin, index);
    const empty = last && next.source === '' && /^\s*\[\s*$/.test(text.slice(0, index));
    if (!empty) yield next;
    begin = end;
    if (!last) continue;
    const rest = entry(end);
    if (rest.source !== '') throw fail(rest, 'nothing is expected after the array');
    return;
  }
  throw fail(entry(begin), 'the array does not end');
}

function parsePrompt(source: string, where: string): string | number[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch (error) {
    throw new OptionError(`${where}: not valid JSON: ${(error as Error).message}`, { cause: error });
  }
  const prompt = typeof parsed === 'object' && parsed !== null && 'prompt' in parsed ? parsed.prompt : parsed;
  if (typeof prompt === 'string') return prompt;
  if (Array.isArray(prompt) && prompt.every((id) => typeof id === 'number')) return prompt;
  throw new OptionError(`${where}: a string, token ids, or an object with such a "prompt" is expected`);
}

/** @throws OptionError naming the line of a prompt that the model cannot answer */
function encodeAll(prompts: readonly Prompt[], folder: Folder, maxNewTokens: number): Uint32Array[] {
  const { vocabSize, maxPositionEmbeddings } = folder.config;
  return prompts.map(({ prompt, where }) => {
    let ids: Uint32Array;
    try {
      ids = encodePrompt(folder.tokenizer, prompt);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(`${where}: ${error.message}`, { cause: error });
    }
    const unknown = ids.find((id) => id >= vocabSize);
    if (unknown !== undefined)
      throw new OptionError(`${where}: token ${unknown} is none of the model's ${vocabSize}`);
    if (ids.length + maxNewTokens > maxPositionEmbeddings) {
      const sum = `${ids.length} tokens and --max-new-tokens ${maxNewTokens}`;
      throw new OptionError(`${where}: ${sum} are more than the model's ${maxPositionEmbeddings} positions`);
    }
    return ids;
  });
}

const temporaryFor = (file: string): string => `${file}.${process.pid}.tmp`;

/** @throws CheckpointError it cannot be written */
async function checkTarget(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await checkWritable(temporaryFor(file));
  } catch (error) {
    refuse(file, error as Error);
  }
}

/**
 * Puts values into what was fitted to a folder; the other keys and their order stay. The file is replaced as a whole, or not at all.
 * @throws CheckpointError for a file there that is no egps.json, or one that cannot be written
 */
export async function writeDefaults(dir: string, values: { gate: number; blockSize: number }): Promise<void> {
  const file = fittedDefaults(dir);
  const defaults = { ...(await readDefaults(filesIn(dirname(file)), basename(file))), ...values };
  const temporary = temporaryFor(file);
  try {
    await writeFile(temporary, `${JSON.stringify(defaults, null, 2)}\n`);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    refuse(file, error as Error);
  }
}

function refuse(file: string, cause: Error): never {
  throw new CheckpointError(file, `cannot be written: ${cause.message}`, { cause });
}

/** The distribution of the entropies, a bin a line. */
export function histogramLines({ histogram, gate }: Calibration): string {
  const most = Math.max(...histogram.flatMap(({ tokens, entropy }) => [tokens, entropy]));
  const bar = (share: number) => '█'.repeat(Math.round((BAR * share) / most)).padEnd(BAR);
  const rows = histogram.map(({ from, tokens, entropy }, i) => {
    const to = histogram[i + 1]?.from ?? Number.POSITIVE_INFINITY;
    return [
      to < Number.POSITIVE_INFINITY ? `${from} – ${to}` : `${from} –  `,
      percent(tokens),
      bar(tokens),
      percent(entropy),
      bar(entropy) + (from <= gate && gate < to ? '  gate' : ''),
    ];
  });
  return table([['nats', 'tokens', '', 'entropy', ''], ...rows], [true, true, false, true, false]);
}

function proposalLines(fitted: Calibration, { defaults }: Folder): string {
  const { gate, blockSize, samples, tokens, meanLength, meanEntropy, decisions } = fitted;
  const before = (value: number | string | undefined) => (value === undefined ? '' : ` (was ${value})`);
  const perBlock = (blockSize * decisions.tokens).toFixed(1);
  return [
    `${samples} samples, ${tokens} tokens, ${meanLength.toFixed(1)} a sample, ${meanEntropy.toPrecision(3)} nats a token`,
    `gate ${gate}${before(defaults.gate)}: passed by ${percent(decisions.tokens)} of the tokens, with ${percent(decisions.entropy)} of the entropy`,
    `block size ${blockSize}${before(defaults.blockSize)}: ${perBlock} such tokens a block`,
  ].join('\n');
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
