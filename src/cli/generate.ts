import { writeFile } from 'node:fs/promises';
import type { Extract } from '../answers/extract.ts';
import {
  type Answer,
  type GenerateOptions,
  generate,
  generateMany,
  withModelDefaults,
} from '../api/generate.ts';
import type { Model } from '../api/load-model.ts';
import { encodePrompt } from '../api/prompt.ts';
import { answerText, checkStop } from '../api/text.ts';
import { OptionError } from '../base/errors.ts';
import type { AdapterDescription } from '../gpu/device.ts';
import { tracePage } from '../report/trace-page.ts';
import { diagnose } from '../sampling/diagnostics.ts';
import type { Account, Pick as PickName, Progress, SamplerOptions } from '../sampling/sample.ts';
import { type Parsed, tokenIds, value, whole } from './args.ts';
import { type Command, checkWritable, MODEL_OPTIONS, openFolder, openModel, readText } from './command.ts';
import { acceptance, accountLines, diagnosticLines, json, rate, shareLines } from './format.ts';
import type { Io } from './io.ts';
import { SAMPLER_OPTIONS, samplerOptions } from './sampler-options.ts';
import type { View } from './terminal.ts';

export const generateCommand: Command = {
  usage: '[options] [PROMPT]',
  notes: `Without PROMPT the prompt is read from standard input, less its last line feed. The answer goes to standard
output, progress and account to standard error. A model's own egps.json overrides these defaults; what stands
on the command line overrides both. With --num-samples the answers are those of the chains C, C + 1, …, in
this order, and what they say about convergence goes to standard error; the wallSeconds of their JSON count
from the start of the run.
`,
  options: {
    ...MODEL_OPTIONS,
    ...SAMPLER_OPTIONS,
    chat: { help: 'wrap the prompt in the chat template of the model' },
    pick: {
      value: 'WHICH',
      help: 'last (a sample of p^A), likeliest (of all that the run came by), or vote\n(the likeliest with the most probable final answer) (default: last)',
    },
    extract: {
      value: 'HOW',
      help: 'what the final answer is: boxed, letter or a regular expression; shows how\nprobable each is',
    },
    stop: { value: 'TEXT', help: 'end the answer before TEXT (may be given more than once)' },
    'prompt-tokens': { value: 'IDS', help: 'token ids, as in 1,2,3, instead of a text' },
    'num-samples': {
      value: 'N',
      help: 'draw N answers by independent chains, decoded together (default: 1)',
    },
    trace: { value: 'FILE', help: 'write a page (HTML) that shows how the answer came about' },
    json: { help: 'print a JSON object an answer, each on a line: text, tokens, log p, account, …' },
  },

  async run(parsed, io) {
    const given = samplerOptions(parsed);
    const ids = value(parsed, 'prompt-tokens');
    const stop = parsed.values.stop ?? [];
    const how = {
      stop,
      extract: extract(value(parsed, 'extract')),
      pick: value(parsed, 'pick') as PickName | undefined,
    };
    const typed = ids === undefined ? undefined : promptIds(ids, parsed);
    const samples = numSamples(parsed);
    const file = value(parsed, 'trace');
    if (file !== undefined) {
      await checkWritable(file).catch(({ message }) => {
        throw new OptionError(`--trace ${file} cannot be written: ${message}`);
      });
    }
    const folder = await openFolder(parsed, io);
    const options = withModelDefaults(folder.defaults, given);
    checkStop(folder.tokenizer, stop);
    const prompt = typed ?? (await readText(parsed.words, 'prompt', io));
    const promptTokens = encodePrompt(folder.tokenizer, prompt, parsed.flags.has('chat'));
    const model = await openModel(folder, promptTokens.length + options.maxNewTokens, parsed, io);
    const print = (answer: Answer, chain: number, wallSeconds: number) => {
      if (parsed.flags.has('json')) {
        io.out(`${json(answerJson(answer, { ...options, chain }, model.adapter, wallSeconds))}\n`);
        return;
      }
      const text = answer.text ?? [...answer.tokens].join(',');
      if (samples > 1) io.out(`--- chain ${chain}\n`);
      io.text(text.endsWith('\n') ? text : `${text}\n`);
    };
    try {
      if (samples > 1) {
        await many(model, promptTokens, samples, options, { ...given, ...how }, io, print);
        return;
      }
      const { answer, wallSeconds } = await watch(model, promptTokens, { ...given, ...how }, io);
      print(answer, options.chain, wallSeconds);
      if (answer.extractTrouble !== null)
        io.err(`egps: warning: ${answer.extractTrouble}: counted as no answer\n`);
      warnOfGates([answer], io);
      if (!parsed.flags.has('json')) {
        if (answer.answers) io.err(`${shareLines(answer.answers)}\n`);
        io.err(`${accountLines(answer, wallSeconds)}\n`);
      }
      if (file !== undefined) await writeFile(file, traceOf(model, answer, options, wallSeconds));
    } finally {
      model.dispose();
    }
  },
};

/** @throws OptionError */
function extract(text: string | undefined): Extract | undefined {
  if (text === undefined || text === 'boxed' || text === 'letter') return text;
  try {
    return new RegExp(text);
  } catch (error) {
    throw new OptionError(`--extract ${text}: ${(error as Error).message}`);
  }
}

/** Chains that decode side by side. */
const CHAINS = 32;

function numSamples(parsed: Parsed): number {
  const text = value(parsed, 'num-samples');
  const samples = text === undefined ? 1 : whole('--num-samples', text);
  if (samples < 1) throw new OptionError('--num-samples is 0: at least 1');
  if (samples > 1 && value(parsed, 'trace') !== undefined) {
    throw new OptionError(`--trace shows one answer, --num-samples is ${samples}: pick one by --chain`);
  }
  return samples;
}

/** Prints the answers of several chains in their order, as soon as those before are there. */
async function many(
  model: Model,
  promptTokens: Uint32Array,
  samples: number,
  options: SamplerOptions,
  given: Omit<GenerateOptions, 'onProgress'>,
  io: Io,
  print: (answer: Answer, chain: number, wallSeconds: number) => void,
): Promise<void> {
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const ready: Answer[] = [];
  let printed = 0;
  let done = 0;
  const drawn = new Float64Array(samples); // tokens of each chain
  const computed = new Float64Array(samples); // rows of each chain
  const total = (counts: Float64Array) => counts.reduce((a, b) => a + b, 0);
  const count = (i: number, { drawnTokens, computedRows }: Account) => {
    drawn[i] = drawnTokens;
    computed[i] = computedRows;
  };
  const answers = await generateMany(model, Array(samples).fill(promptTokens), {
    ...given,
    concurrency: CHAINS,
    signal: io.signal,
    onProgress: ({ account }, i) => {
      count(i, account);
      io.redraw.update(() => ({
        text: '',
        done: done / samples,
        facts: [`${done} of ${samples} answers`, `${total(drawn)} tokens`, rate(total(drawn), elapsed())],
      }));
    },
    onAnswer: (answer, i) => {
      ready[i] = answer;
      done++;
      count(i, answer.account);
      io.redraw.clear();
      for (; ready[printed]; printed++) print(ready[printed], options.chain + printed, elapsed());
    },
  });
  io.redraw.clear();
  const { sampler, steps, finalSteps, blockSize } = options;
  const diagnostics = diagnose(answers, sampler === 'karan-du' ? steps : finalSteps, blockSize);
  const counts = `${total(drawn)} tokens drawn · ${total(computed)} computed`;
  io.err(`${counts} · ${rate(total(drawn), elapsed())}\n`);
  io.err(`${diagnosticLines(diagnostics)}\n`);
  warnOfGates(answers, io);
}

/** One line, however many answers there are. */
function warnOfGates(answers: readonly Answer[], io: Io): void {
  const troubles = answers.flatMap(({ gate }) => gate?.trouble ?? []);
  if (troubles.length === 0) return;
  const others =
    answers.length > 1 ? ` (so or alike in ${troubles.length} of ${answers.length} answers)` : '';
  io.err(`egps: warning: ${troubles[0]}${others}\n`);
}

/** The page that replays the run. */
export function traceOf(
  { tokenizer, adapter }: Model,
  answer: Answer,
  options: SamplerOptions,
  wallSeconds: number,
): string {
  return tracePage({
    prompt: tokenizer?.decode(answer.promptTokens) ?? [...answer.promptTokens].join(','),
    sample: answer,
    answers: answer.answers,
    options,
    tokenText: (id) => tokenizer?.tokenText(id) ?? String(id),
    adapter: adapter.description,
    wallSeconds,
  });
}

function promptIds(ids: string, { words, flags }: Parsed): number[] {
  if (words.length > 0) throw new OptionError('--prompt-tokens and PROMPT exclude each other');
  if (flags.has('chat')) throw new OptionError('--chat needs a PROMPT of text, not --prompt-tokens');
  return tokenIds('--prompt-tokens', ids);
}

/** Generates with the answer so far and a progress bar on the terminal. */
async function watch(
  model: Model,
  promptTokens: Uint32Array,
  options: GenerateOptions,
  io: Io,
): Promise<{ answer: Answer; wallSeconds: number }> {
  const { stop = [], extract: _extract, pick: _pick, ...given } = options;
  const { maxNewTokens } = withModelDefaults(model.defaults, given);
  const { tokenizer, eosTokens } = model;
  const textOf = (tokens: Uint32Array) =>
    tokenizer ? answerText(tokenizer, tokens, eosTokens, stop).text : [...tokens].join(',');
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const answer = await generate(model, promptTokens, {
    ...options,
    signal: io.signal,
    onProgress: (progress) =>
      io.redraw.update(() => progressView(progress, textOf(progress.tokens), maxNewTokens, elapsed())),
  });
  const wallSeconds = elapsed();
  io.redraw.clear();
  return { answer, wallSeconds };
}

export function progressView(
  progress: Omit<Progress, 'visited'>,
  text: string,
  horizon: number,
  wallSeconds: number,
): View {
  const { block, blocks, step, steps, account, tokens } = progress;
  const chain = steps > 1;
  const drawn = Math.max(account.drawnTokens, tokens.length); // the account lags behind while an answer grows
  const facts = [
    chain && `block ${block}/${blocks}`,
    chain && `step ${step}/${steps}`,
    acceptance(account),
    `${drawn} tokens`,
    rate(drawn, wallSeconds),
  ];
  return {
    text,
    done: chain ? step / steps : tokens.length / horizon,
    facts: facts.filter((fact) => typeof fact === 'string'),
  };
}

/** What `--json` prints. Columns have one entry a token; logarithms and entropies are in nats. */
export function answerJson(
  answer: Answer,
  options: SamplerOptions,
  adapter: AdapterDescription,
  wallSeconds: number,
): Record<string, unknown> {
  const { seed, ...rest } = options;
  const { description, vendor, architecture, subgroups } = adapter;
  return {
    text: answer.text,
    tokens: answer.tokens,
    logp: answer.logp,
    logZ: answer.logZ,
    entropy: answer.entropy,
    block: answer.block,
    finish: answer.finish,
    logProbability: answer.logProbability,
    logTarget: answer.logTarget,
    gate: answer.gate,
    picked: answer.picked,
    answers: answer.answers,
    promptTokens: answer.promptTokens,
    account: answer.account,
    seed,
    options: rest,
    adapter: { description, vendor, architecture, subgroups },
    wallSeconds,
  };
}
