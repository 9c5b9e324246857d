/**
 * What the prefix tree saves on a real language model: npm run bench -- tree --model DIR
 * Passes, rows and seconds of the samplers with the tree and without it, on three word problems, two texts and a program, and the rows of
 * sixteen chains of one prompt. One answer at a time; the ways by turns. That all give the same answers is checked.
 * Prints tables and writes tree.json.
 */
import { basename } from 'node:path';
import type { Model } from '../src/api/load-model.ts';
import { CheckpointError, OptionError } from '../src/base/errors.ts';
import { value, whole } from '../src/cli/args.ts';
import { loadModel, resolveOptions, type Sample, type SamplerOptions, sampleMany } from '../src/index.ts';
import { openBench } from './harness/device.ts';
import { progress, short, show, summarise, table } from './harness/figures.ts';
import { readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';

const PROBLEMS = [
  'A baker makes 24 rolls an hour for 5 hours and sells all but 13. How many rolls does he sell?',
  'Lena reads 18 pages a day. Her book has 250 pages. How many pages are left after 9 days?',
  'A train covers 96 km in 80 minutes. At the same speed, how far does it go in 2 hours?',
];
const TEXTS = [
  'The old lighthouse at the end of the bay was built in',
  'To keep bread fresh for longer, it helps to',
];
const PROGRAM =
  'def is_palindrome(text: str) -> bool:\n    """Whether the letters of text read the same backwards."""\n';

/** Steps at the full horizon, after growth in one block. Shorter budgets are read off the longest run. */
const STEPS = [10, 40];

const COSTS = ['drawnTokens', 'computedRows', 'draftedRows', 'usedDrafts', 'sequentialPasses'] as const;
/** What answers cost, whatever number of chains; `sequentialPasses`: of the chain that waited most. */
type Costs = Record<(typeof COSTS)[number], number> & { seconds: number };

/** How the tree is used. */
interface Way {
  readonly name: string;
  readonly options: Partial<SamplerOptions>;
}

interface Case {
  readonly name: string;
  readonly options: Partial<SamplerOptions>;
  /** Of one prompt, side by side. */
  readonly chains: number;
  /** Of a chain, in increasing order; none where there is but one reading. */
  readonly steps: readonly number[];
  readonly ways: readonly Way[];
}

/** One line of the tables. */
interface Figures {
  readonly sampler: string;
  readonly chains: number;
  readonly steps?: number;
  readonly way: string;
  /** One entry a prompt. */
  readonly costs: readonly Costs[];
}

export async function run(args: string[]): Promise<void> {
  const specs = {
    model: { value: 'DIR', help: 'a Hugging Face folder with a tokenizer' },
    tokens: { value: 'T', help: 'most tokens of an answer (160)' },
    prompts: { value: 'N', help: 'the first N of the six prompts; three have one of each kind' },
    draft: { value: 'N', help: 'tokens drafted where that is not left to the price of rows (4)' },
    'look-ahead': { value: 'N', help: 'steps looked ahead to there (3)' },
  };
  const parsed = readOptions('tree', specs, args);
  if (!parsed) return;
  const quick = parsed.flags.has('quick');
  const dir = value(parsed, 'model');
  if (dir === undefined) throw new OptionError('--model is missing: a folder with a language model');
  const maxNewTokens = whole('--tokens', value(parsed, 'tokens') ?? (quick ? '24' : '160'));
  const count = whole('--prompts', value(parsed, 'prompts') ?? (quick ? '1' : '6'));
  if (count < 1 || count > 6) throw new OptionError(`--prompts is ${count}: from 1 to 6`);
  const draft = whole('--draft', value(parsed, 'draft') ?? '4');
  const lookAhead = whole('--look-ahead', value(parsed, 'look-ahead') ?? '3');

  const bench = await openBench();
  const model = await loadModel(dir, { device: bench.device });
  const prompts = encode(model).slice(0, count);
  const { adapter, node, dawn } = bench.environment;
  const setting = `${basename(dir)}, ${prompts.length} prompts, at most ${maxNewTokens} tokens`;
  console.log(`${adapter.description}, Node ${node}, Dawn ${dawn}: ${setting}`);

  const lines: Figures[] = [];
  for (const each of casesOf(maxNewTokens, draft, lookAhead)) {
    lines.push(...(await measure(model, prompts, each, maxNewTokens)));
  }
  model.dispose();
  progress();
  report(lines);
  const sixteen = rowsOf16(lines);
  console.log(`\nrows of 16 chains of one prompt over those of one: ${show(summarise(sixteen))}`);
  const figures = { model: basename(dir), maxNewTokens, prompts: prompts.length, draft, lookAhead, lines };
  writeResults(bench, 'tree', { ...figures, rowsOf16OverOne: summarise(sixteen) }, parsed);
  bench.close();
}

function casesOf(maxNewTokens: number, draft: number, lookAhead: number): Case[] {
  const off: Way = { name: 'off', options: { tree: 'off' } };
  const alone: Way = { name: 'tree alone', options: { draft: 0, lookAhead: 0 } };
  const auto: Way = { name: 'as pays here', options: {} };
  const deep: Way = { name: `drafts ${draft}, ahead ${lookAhead}`, options: { draft, lookAhead } };
  const blocks = { blockSize: maxNewTokens, steps: 0, finalSteps: STEPS[STEPS.length - 1] };
  const chain = { chains: 1, steps: STEPS, ways: [off, alone, auto, deep] };
  const others = { chains: 1, steps: [], ways: [off, auto] };
  return [
    { ...chain, name: 'metropolis', options: { sampler: 'metropolis', ...blocks } },
    { ...chain, name: 'egps by blocks', options: { sampler: 'egps', tries: 4, growth: 'blocks', ...blocks } },
    { ...others, name: 'sample, T = 1', chains: 8, options: { sampler: 'sample', temperature: 1 } },
    { ...others, name: 'sample, T = 1/4', chains: 8, options: { sampler: 'sample', temperature: 0.25 } },
    { ...others, name: 'smc, 32 particles', options: { sampler: 'smc', particles: 32 } },
    { ...others, name: 'egps', ways: [auto], options: { sampler: 'egps' } },
    { ...others, name: 'egps', chains: 16, ways: [auto], options: { sampler: 'egps' } },
  ];
}

/** @throws Error where the answer depends on the way */
async function measure(
  model: Model,
  prompts: readonly Uint32Array[],
  { name, options, chains, steps, ways }: Case,
  maxNewTokens: number,
): Promise<Figures[]> {
  const readings = steps.length > 0 ? steps : [undefined];
  const lines = readings.map((taken) =>
    ways.map((way) => ({ sampler: name, chains, steps: taken, way: way.name, costs: [] as Costs[] })),
  );
  for (const [p, prompt] of prompts.entries()) {
    const answers = new Set<string>();
    for (const [w, way] of ways.entries()) {
      progress(
        `${name}${chains > 1 ? ` × ${chains}` : ''}, ${way.name}: prompt ${p + 1} of ${prompts.length}`,
      );
      const resolved = resolveOptions({ maxNewTokens, seed: 1n, ...options, ...way.options });
      const passed = new Map<number, number>(); // seconds, by the steps taken
      const began = performance.now();
      const now = () => (performance.now() - began) / 1000;
      const drawn = await sampleMany(model, Array(chains).fill(prompt), resolved, {
        onProgress: steps.length > 0 ? ({ step }) => passed.set(step, now()) : undefined,
      });
      const seconds = now();
      answers.add(drawn.map(({ tokens }) => tokens.join()).join(';'));
      for (const [r, taken] of readings.entries()) {
        lines[r][w].costs.push(costsAfter(drawn, taken, passed) ?? total(drawn, seconds));
      }
    }
    if (answers.size > 1) throw new Error(`${name}, prompt ${p + 1}: the answer depends on the tree`);
  }
  return lines.flat();
}

/** Of a single chain up to so many of its final steps; what it has looked ahead to beyond them is counted. */
function costsAfter(
  [{ trace }]: readonly Sample[],
  taken: number | undefined,
  passed: ReadonlyMap<number, number>,
): Costs | undefined {
  if (taken === undefined) return;
  const steps = trace.steps.findLastIndex(({ kind }) => kind === 'grow') + 1 + taken;
  const seconds = passed.get(steps);
  if (seconds === undefined) throw new Error(`nothing was told of step ${steps}`);
  return costsOf(trace.steps[steps - 1].account, seconds);
}

function total(drawn: readonly Sample[], seconds: number): Costs {
  const sums = drawn
    .map(({ account }) => costsOf(account, seconds))
    .reduce((a, b) => costsOf(a, seconds, (name) => a[name] + b[name]));
  return { ...sums, sequentialPasses: Math.max(...drawn.map(({ account }) => account.sequentialPasses)) };
}

function costsOf(
  from: Omit<Costs, 'seconds'>,
  seconds: number,
  of = (name: (typeof COSTS)[number]): number => from[name],
): Costs {
  const entries = COSTS.map((name) => [name, of(name)]);
  return { ...(Object.fromEntries(entries) as Omit<Costs, 'seconds'>), seconds };
}

/** For each prompt. */
function rowsOf16(lines: readonly Figures[]): number[] {
  const [one, sixteen] = [1, 16].map(
    (n) => lines.find((l) => l.sampler === 'egps' && l.chains === n) as Figures,
  );
  return sixteen.costs.map(({ computedRows }, p) => computedRows / one.costs[p].computedRows);
}

function report(lines: readonly Figures[]): void {
  const sum = (costs: readonly Costs[], name: keyof Costs) => costs.reduce((n, each) => n + each[name], 0);
  /** Without the tree over this way: of the sums, and the range over the prompts. */
  const saved = ({ costs, ...line }: Figures, name: keyof Costs): string => {
    const off = lines.find(
      ({ sampler, chains, steps, way }) =>
        way === 'off' && sampler === line.sampler && chains === line.chains && steps === line.steps,
    );
    if (!off || line.way === 'off') return '';
    const each = costs.map((cost, p) => off.costs[p][name] / cost[name]);
    const all = sum(off.costs, name) / sum(costs, name);
    return `${short(all)} (${short(Math.min(...each))} to ${short(Math.max(...each))})`;
  };
  console.log('sums over the prompts; without the tree over with it, and the range over the prompts\n');
  console.log(
    table(
      [
        'sampler',
        'steps',
        'tree',
        'drawn',
        'rows',
        'drafted',
        'used',
        'passes',
        'passes, off over on',
        'seconds',
        'seconds, off over on',
      ],
      lines.map((line) => [
        line.chains > 1 ? `${line.sampler} × ${line.chains}` : line.sampler,
        line.steps === undefined ? '' : String(line.steps),
        line.way,
        ...COSTS.map((name) => String(sum(line.costs, name))),
        saved(line, 'sequentialPasses'),
        show(summarise(line.costs.map(({ seconds }) => seconds))),
        saved(line, 'seconds'),
      ]),
    ),
  );
}

/** The word problems in the model's chat template, if it has one; kinds by turns. */
function encode({ tokenizer }: Model): Uint32Array[] {
  if (!tokenizer) throw new OptionError('the model has no tokenizer');
  const asked = (content: string) => {
    try {
      return tokenizer.encode(tokenizer.applyChatTemplate([{ role: 'user', content }]), false);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      return tokenizer.encode(content);
    }
  };
  const [first, second, third] = PROBLEMS.map(asked);
  const [one, other] = TEXTS.map((text) => tokenizer.encode(text));
  return [first, one, tokenizer.encode(PROGRAM), second, other, third];
}
