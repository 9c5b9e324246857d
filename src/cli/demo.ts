import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Model } from '../api/load-model.ts';
import { encodePrompt } from '../api/prompt.ts';
import { CheckpointError } from '../base/errors.ts';
import { RUNTIME } from '../base/runtime.ts';
import { filesIn } from '../checkpoint/files.ts';
import { readJson } from '../checkpoint/json.ts';
import { warmUp } from '../engine/warm-up.ts';
import { checkPrompt } from '../sampling/sample.ts';
import { seed, value } from './args.ts';
import { type Command, type Folder, MODEL_OPTIONS, openFolder, openModel, readText } from './command.ts';
import {
  carryOut,
  drawProblems,
  mostTelling,
  type Pair,
  type Problem,
  pairsOf,
  type Run,
} from './demo-runs.ts';
import { demoTable } from './demo-table.ts';
import { calls, definitions, EXAMPLE, inFull, nextSteps, scoreLine } from './demo-text.ts';
import { seconds, shareLines } from './format.ts';
import { traceOf } from './generate.ts';
import type { Io } from './io.ts';
import { wrap } from './terminal.ts';

const COUNT = 10;
/** In the current folder: the permissions that deno.json gives name it too. */
const PAGE = 'egps-demo.html';
const DRAWN = 'The model answers problems that it was not trained on, each in two ways:';
const OWN = 'The model answers your problem in two ways:';

export const demoCommand: Command = {
  usage: '[options] [PROBLEM]',
  notes: `Without PROBLEM the problems are drawn from heldout.json in the folder of the model. Plain sampling draws each
token from the model as it is (temperature 1); egps samples from the same model, not trained further, with the
options of its egps.json, and answers what is most probable by its run. How it came by one of its answers is
written to ${PAGE} in the current folder, a page for a browser.
`,
  options: {
    ...MODEL_OPTIONS,
    seed: { value: 'S', help: 'picks the problems and the random numbers (default: others each time)' },
  },

  async run(parsed, io) {
    const typed = value(parsed, 'seed');
    const number = typed === undefined ? BigInt(randomInt(1_000_000)) : seed('--seed', typed);
    const words = parsed.words.map((word) => word.trim()); // what the model knows ends with a question mark
    const own = words.length > 0 ? { prompt: await readText(words, 'problem', io) } : undefined;
    const folder = await openFolder(parsed, io);
    const problems = own ? [own] : drawProblems(await readProblems(folder.dir), COUNT, number);
    const pairs = pairsOf(problems, number, folder.defaults);
    const positions = checkRoom(folder, pairs);

    const say = (text: string) => io.out(`${wrap(text, width()).join('\n')}\n`);
    if (own && value(parsed, 'model') === undefined)
      say(`The embedded model knows only problems such as: ${EXAMPLE}`);
    say(`Seed ${number}; --seed ${number} repeats it all. ${own ? OWN : DRAWN}`);
    io.out(`${definitions(width())}\n\n`);
    const model = await openModel(folder, positions, parsed, io);
    try {
      io.out('compiling kernels … ');
      const began = performance.now();
      await warmUp(model, positions, io.signal);
      io.out(`${seconds((performance.now() - began) / 1000)}\n\n`);

      const wallSeconds = await watch(model, pairs, own === undefined, io);
      const cost = `${seconds(wallSeconds)} on ${model.adapter.description}`;
      const told = mostTelling(pairs);
      if (own) say(cost);
      else {
        say(`\n${scoreLine(pairs)} All at once in ${cost}.\n`);
        say(`Problem ${pairs.indexOf(told) + 1} in full: ${told.problem.prompt}`);
        say(`The right answer is ${told.problem.answer}.`);
      }
      io.out(`\n${inFull(told, process.stdout.isTTY ? width() : 0)}\n\n`);
      say(`egps, ${shareLines(told.egps.outcome?.answer.answers ?? [])}\n`);
      await writePage(model, told.egps, say, io);
      io.out(`\n${nextSteps(own !== undefined, calls(process.env, RUNTIME === 'deno'))}\n`);
    } finally {
      model.dispose();
    }
  },
};

/** Cells of a line. */
const width = (): number => (process.stdout.columns || 80) - 1;

/** @returns positions of the longest prompt with its answer. @throws OptionError */
function checkRoom({ config, tokenizer }: Folder, pairs: readonly Pair[]): number {
  const room = { vocabSize: config.vocabSize, contextLength: config.maxPositionEmbeddings };
  return Math.max(
    ...pairs.map(({ problem, egps }) => {
      const { maxNewTokens } = egps.options;
      const tokens = encodePrompt(tokenizer, problem.prompt);
      checkPrompt(room, tokens, maxNewTokens);
      return tokens.length + maxNewTokens;
    }),
  );
}

/**
 * Carries the runs out, with a table that fills meanwhile: in place where somebody watches, else with each row as it is complete.
 * @returns seconds that it took
 */
async function watch(model: Model, pairs: readonly Pair[], asTable: boolean, io: Io): Promise<number> {
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const problems = pairs.map(({ problem }) => problem);
  const whole = () => {
    const { head, row } = demoTable(problems, width());
    return `${head}\n${pairs.map(row).join('\n')}`;
  };
  const inPlace = asTable && process.stdout.isTTY && io.redraw.active;
  const byRows = asTable && !inPlace ? demoTable(problems, width()) : undefined;
  if (byRows) io.out(`${byRows.head}\n`);
  let complete = 0;
  const view = () => ({
    text: inPlace ? whole() : '',
    done: doneOf(pairs),
    facts: [asTable ? `${complete} of ${pairs.length} problems` : 'answering', seconds(elapsed())],
  });
  await carryOut(model, pairs, {
    signal: io.signal,
    onProgress: io.redraw.active ? () => io.redraw.update(view) : undefined,
    onPair(i) {
      complete++;
      if (!byRows) return;
      io.redraw.clear();
      io.out(`${byRows.row(pairs[i], i)}\n`);
    },
  });
  const wallSeconds = elapsed();
  io.redraw.clear();
  if (inPlace) io.out(`${whole()}\n`);
  return wallSeconds;
}

const doneOf = (pairs: readonly Pair[]): number =>
  pairs.reduce((sum, { plain, egps }) => sum + plain.done + egps.done, 0) / (2 * pairs.length);

/** Writes the page of the run of egps, and says where it is. Without it the demo is none the worse. */
async function writePage(
  model: Model,
  { options, outcome }: Run,
  say: (text: string) => void,
  io: Io,
): Promise<void> {
  if (!outcome) return;
  const { answer, wallSeconds } = outcome;
  const page = traceOf(model, answer, options, wallSeconds);
  try {
    await writeFile(PAGE, page);
  } catch (error) {
    say(
      `The page that replays how egps came by its answer could not be written: ${(error as Error).message}`,
    );
    return;
  }
  const another = answer.picked.tokens.join() !== answer.tokens.join();
  const end = another ? ' It ends with the last answer of the run, above stands the most probable one.' : '';
  say(`How egps came by its answer, step by step, is in a page for a browser.${end}`);
  io.out(`  ${resolve(PAGE)}\n`);
}

async function readProblems(dir: string): Promise<Required<Problem>[]> {
  const name = 'heldout.json';
  const file = join(dir, name);
  const problems = await readJson(filesIn(dir), name);
  if (problems === undefined) throw new CheckpointError(file, 'no held-out problems to demonstrate');
  const wellFormed = (p: unknown): p is Required<Problem> =>
    typeof (p as Problem)?.prompt === 'string' && typeof (p as Problem).answer === 'string';
  if (!Array.isArray(problems) || problems.length === 0 || !problems.every(wellFormed)) {
    throw new CheckpointError(file, 'an array of {prompt, answer}, both text, is expected');
  }
  return problems;
}
