import { basename, join } from 'node:path';
import { encodePrompt } from '../api/generate.ts';
import type { Model } from '../api/load-model.ts';
import { OptionError, OutOfMemoryError } from '../base/errors.ts';
import { hostName } from '../base/lock.ts';
import { didYouMean } from '../base/nearest.ts';
import { RUNTIME } from '../base/runtime.ts';
import { fileDigest, modelDigest } from '../eval/digest.ts';
import { openGraders } from '../eval/graders/graders.ts';
import { hasAnswers, picksOf } from '../eval/picks.ts';
import { type Plan, RunFolder } from '../eval/run-folder.ts';
import {
  type Entry,
  type Evaluation,
  type EvaluationProgress,
  evaluate,
  type Prompted,
} from '../eval/runner.ts';
import { countsOnRecord, partOf, shardName, shardOf } from '../eval/shard.ts';
import { loadTask, TASKS, type Task } from '../eval/tasks/tasks.ts';
import type { AdapterDescription } from '../gpu/device.ts';
import { tracePage } from '../report/trace-page.ts';
import { sayAdapter } from './adapter.ts';
import { type Parsed, seed, value, whole } from './args.ts';
import {
  type Command,
  chosenKvType,
  type Folder,
  MODEL_OPTIONS,
  openFolder,
  openModel,
  version,
} from './command.ts';
import { merge } from './eval-merge.ts';
import { summaryTable, writeReport } from './eval-report.ts';
import { rate, seconds } from './format.ts';
import type { Io } from './io.ts';
import { chosenQuantize } from './quantize.ts';
import { parseSamplers, SAMPLER_OPTIONS } from './sampler-options.ts';

const CHAINS = 32;
/** Beside the longest response: pages that are not full. */
const SPARE = 64;
const PROMPT_STYLES = ['base', 'chat'];
/** Seconds between the lines that tell of progress where there is no terminal. */
const TELL = 60;

export const evalCommand: Command = {
  usage: '--task TASK [options]\n       egps eval merge DIR… [--out DIR]',
  notes: `A TASK is abacus (held-out problems of the embedded model, generated from the seed), math500, humaneval,
gpqa, or a file of JSON Lines with {"id", "prompt", "answer", "grader"} each, the grader being math, exact,
choice or code.
Samplers are given as in --sampler egps,metropolis:final-steps=10,sample:temperature=0.25, with the options of
\`egps generate\`; final-steps=0/5/20 makes three that are read off one chain. Of each run three responses are
graded: the last state, which stands under the sampler's name and is the only one that is a sample of p^A; the
likeliest that the run has come by; and the likeliest with the most probable final answer, a vote. greedy and
sample come by one response alone. best-of-n returns the likeliest of its own, and its vote counts all alike.
Programs (humaneval) are not voted on.
The graders math, exact and choice read the last \\boxed{} of a response; code runs the function
"entry_point" and then "answer", a program that raises unless it is right.

Every response is on the disk (results.jsonl, with its costs in timings.jsonl) before it counts. Started
again with the same arguments, a run goes on where it ended, however it did. At its end, or when interrupted,
it writes summary.json and report.html, and a page that replays each chain under traces.

A shard i/n, from 0, does every n-th item, in a folder of its own in the output folder; auto/n takes i from
SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX. In a Slurm array from 0 to n - 1 both are taken from there without
--shard; when some of its tasks are submitted again, n is that of the shards in the output folder.
\`egps eval merge\` takes the folders of all shards, or the one they are in.
`,
  options: {
    task: { value: 'TASK', help: `${TASKS.join(', ')}, or FILE.jsonl` },
    data: { value: 'FILE', help: 'where the benchmark lies: math500, humaneval, gpqa' },
    ...MODEL_OPTIONS,
    sampler: { value: 'LIST', help: 'samplers with their options (default: egps)' },
    alpha: SAMPLER_OPTIONS.alpha,
    'max-new-tokens': SAMPLER_OPTIONS['max-new-tokens'],
    samples: { value: 'N', help: 'runs an item and sampler (default: 1)' },
    limit: { value: 'N', help: 'the first N items alone (abacus: 200 unless given)' },
    seed: { value: 'S', help: 'same seed, same results (default: 0)' },
    'prompt-style': {
      value: 'STYLE',
      help: "base: the bare prompt; chat: in the model's chat template (default: base)",
    },
    shard: { value: 'PART', help: 'i/n: part i of n, from 0; or auto/n' },
    out: { value: 'DIR', help: 'output folder (default: eval-TASK)' },
    concurrency: { value: 'N', help: `chains side by side (default: ${CHAINS})` },
    'skip-bad': { help: 'leave out lines of the file that are no items; they are counted' },
    'allow-code-execution': { help: 'run the Python code that the model writes (humaneval), confined' },
    'no-traces': { help: 'do not write the pages that replay the chains' },
  },

  async run(parsed, io) {
    if (parsed.words[0] === 'merge') return merge(parsed, io);
    if (parsed.words.length > 0) throw new OptionError(`unexpected ${JSON.stringify(parsed.words[0])}`);
    const asked = await readArguments(parsed, io);
    const { task, items, entries, folder, plan, out } = asked;
    const graders = await openGraders(task.items, {
      allowCodeExecution: parsed.flags.has('allow-code-execution'),
    });
    let run: RunFolder | undefined;
    let model: Model | undefined;
    try {
      const own = items.map(({ item }) => item);
      run = await RunFolder.open(out, plan, own);
      const tellAll = () => {
        tellRisks(graders.unconfined, io);
        tell(task, items, plan, io);
      };
      try {
        if (run.progress().missing === 0) tellAll();
        else {
          const { samples, seed, concurrency, voting } = asked;
          model = await openFor(folder, asked, parsed, io, tellAll);
          const process_ = `${hostName()}/${process.pid}/${new Date().toISOString()}`;
          const { description: adapter } = model.adapter;
          await run.begin({ process: process_, adapter, concurrency, versions: versions() });
          await evaluate({
            model,
            items,
            entries,
            voting,
            samples,
            seed,
            folder: run,
            graders,
            process: process_,
            concurrency,
            trace: parsed.flags.has('no-traces') ? undefined : tracer(model),
            signal: io.signal,
            onProgress: teller(entries, io),
          });
          io.redraw.clear();
        }
      } catch (error) {
        io.redraw.clear();
        const { total, missing } = run.progress();
        io.err(
          `egps: stopped with ${total - missing} of ${total} responses on record in ${out}; the same command goes on\n`,
        );
        if (io.signal.aborted) await writeReport(run, plan, own, run.record(), [run.path]);
        throw error;
      }
      const summary = await writeReport(run, plan, own, run.record(), [run.path]);
      io.out(`${summaryTable(summary)}\n`);
      io.err(`${out}/report.html shows it in full\n`);
    } finally {
      model?.dispose();
      await run?.close();
      await graders.close();
    }
  },
};

interface Asked {
  readonly task: Task;
  /** Of this shard. */
  readonly items: readonly Prompted[];
  readonly entries: readonly Entry[];
  /** All items, those of other shards too, have final answers to vote on. */
  readonly voting: boolean;
  readonly samples: number;
  readonly seed: bigint;
  readonly concurrency: number;
  readonly folder: Folder;
  readonly plan: Plan;
  readonly out: string;
}

/** Reads everything there is to read but the weights. @throws OptionError, DataError, CheckpointError */
async function readArguments(parsed: Parsed, io: Io): Promise<Asked> {
  const read = <T>(name: string, as: (option: string, text: string) => T): T | undefined => {
    const text = value(parsed, name);
    return text === undefined ? undefined : as(`--${name}`, text);
  };
  const positive = (option: string, text: string) => {
    const n = whole(option, text);
    if (n === 0) throw new OptionError(`${option} is 0: at least 1`);
    return n;
  };
  const name = value(parsed, 'task');
  if (name === undefined) throw new OptionError(`--task is missing: ${TASKS.join(', ')}, or FILE.jsonl`);
  const samples = read('samples', positive) ?? 1;
  const concurrency = read('concurrency', positive) ?? CHAINS;
  const number = read('seed', seed) ?? 0n;
  const limit = read('limit', positive);
  const parent = value(parsed, 'out') ?? `eval-${basename(name, '.jsonl')}`;
  const shard = shardOf(value(parsed, 'shard'), process.env, await countsOnRecord(parent));
  const style = value(parsed, 'prompt-style') ?? 'base';
  if (!PROMPT_STYLES.includes(style)) {
    throw new OptionError(
      `--prompt-style is ${JSON.stringify(style)}: base or chat${didYouMean(style, PROMPT_STYLES)}`,
    );
  }
  const data = value(parsed, 'data');
  const kvType = chosenKvType(parsed);
  const task = await loadTask(name, { data, seed: number, limit, skipBad: parsed.flags.has('skip-bad') });
  const folder = await openFolder(parsed, io);
  const common = { alpha: value(parsed, 'alpha'), 'max-new-tokens': value(parsed, 'max-new-tokens') };
  const entries = parseSamplers(parsed.values.sampler ?? ['egps'], common, folder.defaults);

  const voting = task.items.every(({ grader }) => hasAnswers(grader));
  const file = data ?? (name.endsWith('.jsonl') ? name : undefined);
  const plan: Plan = {
    egps: version(),
    task: file === name ? basename(name) : name,
    data: file && (await fileDigest(file)),
    model: folder.title,
    modelDigest: await modelDigest(folder.dir),
    ...chosenQuantize(parsed),
    promptStyle: style,
    kvCache: kvType === 'f32' ? undefined : kvType,
    samplers: entries.flatMap(({ options, readings }) =>
      readings.map(({ sampler, finalSteps = options.finalSteps }) => {
        const { seed, chain, ...resolved } = { ...options, finalSteps };
        const last = readings[readings.length - 1].sampler;
        return { sampler, options: resolved, chain: last, picks: picksOf(options.sampler, voting) };
      }),
    ),
    seed: String(number),
    samples,
    limit,
    skippedLines: task.skipped.length,
    shard,
    items: task.items.map(({ id }) => id),
  };
  const horizon = Math.max(...entries.map(({ options }) => options.maxNewTokens));
  const items = partOf(task.items, shard).map((item): Prompted => {
    const prompt = encodePrompt(folder.tokenizer, item.prompt, style === 'chat');
    return { item, prompt: prompt.length + horizon <= folder.config.maxPositionEmbeddings ? prompt : null };
  });
  const out = shard ? join(parent, shardName(shard)) : parent;
  return { task, items, entries, voting, samples, seed: number, concurrency, folder, plan, out };
}

function tellRisks(unconfined: readonly string[], io: Io): void {
  if (unconfined.length === 0) return;
  const what = unconfined.join(', ');
  io.err(`egps: warning: on this system the code that is run is not kept from: ${what}\n`);
}

/** What of the task is not, or not yet, evaluated here. */
function tell({ skipped }: Task, items: readonly Prompted[], { shard, items: all }: Plan, io: Io): void {
  if (shard) io.err(`egps: shard ${shard.index} of ${shard.count}: ${items.length} of ${all.length} items\n`);
  for (const { line, reason } of skipped) {
    io.err(`egps: left out${line === undefined ? '' : `, line ${line}`}: ${reason}\n`);
  }
  const long = items.filter(({ prompt }) => prompt === null);
  if (long.length === 0) return;
  const names = long.slice(0, 3).map(({ item }) => item.id);
  const which = names.join(', ') + (long.length > 3 ? ', …' : '');
  io.err(
    `egps: ${long.length} of ${items.length} items do not fit the model's context with an answer: ${which}\n`,
  );
}

/** Responses' worth of positions that the tree of a prompt takes for the most part. */
const TREE = 8;

/** How many responses are held side by side for a prompt. Without the tree they have nothing in common. */
function width({ tree, sampler, growth, particles, n }: Entry['options']): number {
  if (tree === 'on') return TREE;
  const grown = sampler === 'smc' || (sampler === 'egps' && growth === 'particles') ? particles : 0;
  return Math.max(TREE, grown, sampler === 'best-of-n' ? n : 0);
}

/** Positions of the cache: what the longest prompt with its longest response takes, and what all prompts side by side do. */
export function cacheFor({
  items,
  entries,
  concurrency,
}: {
  readonly items: readonly Pick<Prompted, 'prompt'>[];
  readonly entries: readonly Pick<Entry, 'options'>[];
  readonly concurrency: number;
}): { least: number; wanted: number } {
  const prompt = items.reduce((n, { prompt }) => Math.max(n, prompt?.length ?? 0), 0);
  const least = prompt + Math.max(...entries.map(({ options }) => options.maxNewTokens)) + SPARE;
  const responses = Math.max(...entries.map(({ options }) => width(options)));
  return { least, wanted: Math.min(concurrency, items.length) * responses * least };
}

/**
 * Loads the model with a cache that has room for the trees of all prompts side by side, or for as much of that as can be had.
 * @param tell called when it has been said what computes
 */
async function openFor(
  folder: Folder,
  asked: Asked,
  parsed: Parsed,
  io: Io,
  tell: () => void,
): Promise<Model> {
  const { least, wanted } = cacheFor(asked);
  let told = false;
  const onAdapter = (adapter: AdapterDescription) => {
    if (told) return;
    told = true;
    sayAdapter(adapter, io);
    tell();
  };
  for (let positions = wanted; ; positions /= 2) {
    try {
      return await openModel(folder, Math.ceil(Math.max(positions, least)), parsed, io, onAdapter);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || positions <= least) throw error;
    }
  }
}

function versions(): Record<string, string> {
  return {
    egps: version(),
    [RUNTIME]: `v${process.versions[RUNTIME]}`,
    platform: `${process.platform} ${process.arch}`,
  };
}

function tracer({ tokenizer, adapter }: Model): NonNullable<Evaluation['trace']> {
  return (sample, { prompt, options }, wallSeconds, answers) =>
    tracePage({
      prompt: tokenizer?.decode(Uint32Array.from(prompt)) ?? '',
      sample,
      options,
      tokenText: (id) => tokenizer?.tokenText(id) ?? String(id),
      adapter: adapter.description,
      wallSeconds,
      answers,
    });
}

/** Draws progress on a terminal; elsewhere, as in the log of a job, a line a minute. */
function teller(entries: readonly Entry[], io: Io): (progress: EvaluationProgress) => void {
  let told = performance.now();
  return (progress) => {
    const { entry, done, total, before, accuracy, drawnTokens, seconds: passed } = progress;
    const { readings } = entries[entry];
    const left = ((total - done) * passed) / (done - before);
    const facts = [
      `${readings[readings.length - 1].sampler} (${entry + 1} of ${entries.length})`,
      `${done} of ${total}`,
      !Number.isNaN(accuracy) && `${(100 * accuracy).toFixed(1)} % right`,
      rate(drawnTokens, passed),
      Number.isFinite(left) && `${seconds(left)} left`,
    ].filter((fact) => typeof fact === 'string');
    io.redraw.update(() => ({ text: '', done: done / total, facts }));
    if (process.stderr.isTTY || performance.now() - told < 1000 * TELL) return;
    told = performance.now();
    io.err(`${facts.join(' · ')}\n`);
  };
}
