/**
 * What is lost where weights are quantised as they are loaded: npm run bench -- quantize --model DIR
 * The model draws texts at T = 1; then each way of quantising it reads them, and what it says of every token is held against what the
 * plain weights say. Prints a table and writes quantize.json.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { LoadOptions, Model } from '../src/api/load-model.ts';
import { OptionError } from '../src/base/errors.ts';
import { value, whole } from '../src/cli/args.ts';
import { loadModel, resolveOptions, sampleMany } from '../src/index.ts';
import { openBench } from './harness/device.ts';
import { progress, short, show, summarise, table } from './harness/figures.ts';
import { readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';
import { Comparison, type Loss, Plain, type Text } from './quantize/loss.ts';
import { addNoise } from './quantize/noise.ts';

/** What texts begin with, by turns. */
const BEGINNINGS = [
  'The old lighthouse at the end of the bay was built in',
  'To keep bread fresh for longer, it helps to',
  'def is_palindrome(text: str) -> bool:\n',
  'A train covers 96 km in 80 minutes. At the same speed,',
];
/** Tokens drawn for a text, at most. */
const LENGTH = 128;
const SEED = 1;

const VARIANTS = ['int8-32', 'int8-64', 'int8-128', 'int4-32', 'int4-64', 'int4-128'];

export async function run(args: string[]): Promise<void> {
  const specs = {
    model: { value: 'DIR', help: 'a Hugging Face folder with a tokenizer, its weights not quantised' },
    tokens: { value: 'N', help: 'tokens that are drawn and read, about (2048)' },
    variants: { value: 'LIST', help: `CODE-GROUP of ${VARIANTS.join(', ')} (all)` },
    other: {
      value: 'DIR',
      help: 'the same model with other weights, beside the variants; may be given again',
    },
    noise: { value: 'DIR', help: 'only write the model to DIR, off the grid that its weights lie on' },
  };
  const parsed = readOptions('quantize', specs, args);
  if (!parsed) return;
  const quick = parsed.flags.has('quick');
  const dir = value(parsed, 'model');
  if (dir === undefined) throw new OptionError('--model is missing: a folder with a language model');
  const noisy = value(parsed, 'noise');
  if (noisy !== undefined) {
    await addNoise(dir, noisy, SEED);
    return console.log(`${basename(dir)} with noise: ${noisy}`);
  }
  const tokens = whole('--tokens', value(parsed, 'tokens') ?? (quick ? '64' : '2048'));
  if (tokens === 0) throw new OptionError('--tokens is 0: at least 1');
  const variants = (value(parsed, 'variants') ?? (quick ? 'int4-32' : VARIANTS.join()))
    .split(',')
    .filter(Boolean);
  const unknown = variants.find((name) => !VARIANTS.includes(name));
  if (unknown !== undefined) throw new OptionError(`--variants has ${unknown}: of ${VARIANTS.join(', ')}`);

  const bench = await openBench();
  const folder = mkdtempSync(join(tmpdir(), 'egps-quantize-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true })); // gigabytes
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    const { adapter, node, dawn } = bench.environment;
    const open = (from: string, options: LoadOptions = {}) =>
      loadModel(from, { device: bench.device, cachePositions: 4096, ...options });
    progress('drawing texts');
    const model = await open(dir);
    const texts = await draw(model, tokens);
    const plain = new Plain(folder, model.vocabSize);
    for (const [i, text] of texts.entries()) {
      progress(`plain weights: text ${i + 1} of ${texts.length}`);
      plain.keep(i, await model.logits(text.tokens));
    }
    const weights = model.memory.weights;
    model.dispose();
    const drawn = texts.reduce((n, { tokens, prompt }) => n + tokens.length - prompt, 0);
    progress();
    console.log(
      `${basename(dir)}, ${drawn} tokens in ${texts.length} texts drawn at T = 1; ` +
        `${adapter.description}, Node ${node}, Dawn ${dawn}\n`,
    );

    const losses: (Loss & { name: string; weights: number })[] = [];
    const hold = async (name: string, model: Model) => {
      const comparison = new Comparison(plain);
      for (const [i, text] of texts.entries()) {
        progress(`${name}: text ${i + 1} of ${texts.length}`);
        comparison.add(i, text, await model.logits(text.tokens));
      }
      const loss = comparison.loss();
      progress(`${name}: KL ${short(loss.divergence.mean)}`);
      losses.push({ name, weights: model.memory.weights, ...loss });
      model.dispose();
    };
    for (const name of variants) await hold(name, await open(dir, optionsOf(name)));
    for (const other of parsed.values.other ?? []) await hold(basename(other), await open(other));
    progress();
    report(weights, losses);
    const figures = { model: basename(dir), texts: texts.length, tokens: drawn, seed: SEED, weights, losses };
    writeResults(bench, 'quantize', figures, parsed);
  } finally {
    progress();
    bench.close();
  }
}

function optionsOf(name: string): LoadOptions {
  const [code, group] = name.split('-');
  return { quantize: code, quantizeGroup: Number(group) } as LoadOptions;
}

/** As many texts as it takes; each ends as the model would have it, or at LENGTH. */
async function draw(model: Model, tokens: number): Promise<Text[]> {
  const { tokenizer } = model;
  if (!tokenizer) throw new OptionError('the model has no tokenizer');
  const prompts = BEGINNINGS.map((text) => tokenizer.encode(text));
  const texts: Text[] = [];
  let missing = tokens;
  for (let chain = 0; missing > 0; ) {
    const some = Array.from(
      { length: Math.ceil(missing / LENGTH) },
      (_, i) => prompts[(chain + i) % prompts.length],
    );
    const options = { sampler: 'sample', temperature: 1, maxNewTokens: Math.min(LENGTH, missing) } as const;
    const samples = await sampleMany(model, some, resolveOptions({ ...options, seed: BigInt(SEED), chain }));
    for (const [i, { tokens }] of samples.entries()) {
      texts.push({ prompt: some[i].length, tokens: [...some[i], ...tokens] });
      missing -= tokens.length;
    }
    chain += some.length;
  }
  return texts;
}

function report(weights: number, losses: readonly (Loss & { name: string; weights: number })[]): void {
  const exact = ({ mean, error }: { mean: number; error: number }) =>
    `${mean.toPrecision(3)} ± ${error.toPrecision(2)}`;
  const rows = losses.map((loss) => [
    loss.name,
    short(loss.weights / 1e6),
    exact(loss.divergence),
    show(summarise(loss.perText)),
    exact(loss.change),
    short(loss.changeDeviation),
    `${short(100 * loss.sameTop)} %`,
  ]);
  const head = [
    'weights',
    'MB',
    'KL a token, nats',
    'of texts',
    'change in log p',
    'deviation',
    'same likeliest',
  ];
  console.log(table(head, [['plain', short(weights / 1e6), '', '', '', '', ''], ...rows]));
  console.log(
    '\n± is the standard error over the texts; of texts: the median, and the range, of their means.',
  );
}
