/**
 * What the prefix tree saves on a real language model: npm run bench -- tree --model DIR
 * Passes, rows and seconds of the samplers with the tree and without it, on three word problems, two texts and a program, and the rows of
 * sixteen chains of one prompt. One answer at a time; with and without by turns. Prints a table and writes tree.json.
 */
import { value, whole } from '../src/cli/args.ts';
import { OptionError } from '../src/errors.ts';
import { loadModel, resolveOptions, type Sample, type SamplerOptions, sampleMany } from '../src/index.ts';
import type { Model } from '../src/load-model.ts';
import { openBench, progress, readOptions, table, writeResults } from './harness.ts';
import { median } from './statistics.ts';

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

/** Growth in one block, and then so many steps at the full horizon. */
const STEPS = [10, 40];
const CHAIN = { growth: 'blocks', steps: 0 } as const;

interface Case {
  readonly name: string;
  readonly options: Partial<SamplerOptions>;
  /** Chains of each prompt. */
  readonly chains: number;
}

interface Costs {
  drawnTokens: number;
  computedRows: number;
  draftedRows: number;
  usedDrafts: number;
  sequentialPasses: number;
}
const NOTHING: Costs = {
  drawnTokens: 0,
  computedRows: 0,
  draftedRows: 0,
  usedDrafts: 0,
  sequentialPasses: 0,
};

const add = (a: Costs, b: Costs): Costs => ({
  drawnTokens: a.drawnTokens + b.drawnTokens,
  computedRows: a.computedRows + b.computedRows,
  draftedRows: a.draftedRows + b.draftedRows,
  usedDrafts: a.usedDrafts + b.usedDrafts,
  sequentialPasses: a.sequentialPasses + b.sequentialPasses,
});

/** Of a chain after so many of its final steps. */
function after({ trace: { steps } }: Sample, taken: number): Costs {
  const grown = steps.findLastIndex(({ kind }) => kind === 'grow');
  return steps[grown + taken].account;
}

export async function run(args: string[]): Promise<void> {
  const specs = {
    model: { value: 'DIR', help: 'a Hugging Face folder with a tokenizer' },
    tokens: { value: 'T', help: 'most tokens of an answer (160)' },
    prompts: { value: 'N', help: 'so many of the six prompts' },
  };
  const parsed = readOptions('tree', specs, args);
  if (!parsed) return;
  const quick = parsed.flags.has('quick');
  const dir = value(parsed, 'model');
  if (dir === undefined) throw new OptionError('--model is missing: a folder with a language model');
  const maxNewTokens = whole('--tokens', value(parsed, 'tokens') ?? (quick ? '24' : '160'));
  const count = whole('--prompts', value(parsed, 'prompts') ?? (quick ? '1' : '6'));
  const bench = await openBench();
  const model = await loadModel(dir, { device: bench.device });
  const prompts = encode(model).slice(0, count);
  const most = STEPS[STEPS.length - 1];
  const common = { maxNewTokens, seed: 1n } as const;
  const modes = [
    { name: 'without', options: { tree: 'off' } },
    { name: 'tree alone', options: { draft: 0, lookAhead: 0 } },
    { name: 'with', options: {} },
  ] as const;

  console.log(
    `${model.adapter.description}, Node ${process.version}: ${dir}, ${prompts.length} prompts, ${maxNewTokens} tokens`,
  );
  const chains = [];
  for (const sampler of ['metropolis', 'egps'] as const) {
    const own = sampler === 'egps' ? CHAIN : { steps: 0 };
    const costs = modes.map(() => STEPS.map(() => NOTHING));
    const seconds = modes.map((): number[] => []);
    for (const [p, prompt] of prompts.entries()) {
      for (const [m, mode] of modes.entries()) {
        progress(`${sampler}, ${mode.name}: prompt ${p + 1} of ${prompts.length}`);
        // Where nothing is looked ahead to, one chain passes through the shorter budgets.
        const options = resolveOptions({
          sampler,
          ...common,
          ...own,
          blockSize: maxNewTokens,
          finalSteps: most,
          ...mode.options,
        });
        const began = performance.now();
        const [drawn] = await sampleMany(model, [prompt], options);
        seconds[m].push((performance.now() - began) / 1000);
        for (const [s, steps] of STEPS.entries()) costs[m][s] = add(costs[m][s], after(drawn, steps));
      }
    }
    for (const [s, steps] of STEPS.entries()) {
      const [without, alone, within] = costs.map((each) => each[s]);
      chains.push({ sampler, steps, without, alone, with: within, ...(steps === most ? { seconds } : {}) });
    }
  }

  const others: Case[] = [
    { name: 'sample × 8, T = 1', options: { sampler: 'sample' }, chains: 8 },
    { name: 'sample × 8, T = 1/4', options: { sampler: 'sample', temperature: 0.25 }, chains: 8 },
    { name: 'smc, 32 particles', options: { sampler: 'smc', particles: 32 }, chains: 1 },
    { name: 'egps by default', options: { sampler: 'egps' }, chains: 1 },
    { name: 'egps by default × 16', options: { sampler: 'egps' }, chains: 16 },
  ];
  const several = [];
  for (const { name, options, chains } of others) {
    let costs = NOTHING;
    let passes = 0;
    for (const [p, prompt] of prompts.entries()) {
      progress(`${name}: prompt ${p + 1} of ${prompts.length}`);
      const resolved = resolveOptions({ ...common, ...options });
      const drawn = await sampleMany(model, Array(chains).fill(prompt), resolved);
      for (const { account } of drawn) costs = add(costs, account);
      passes += Math.max(...drawn.map(({ account }) => account.sequentialPasses));
    }
    several.push({ name, chains, ...costs, sequentialPasses: passes });
  }
  model.dispose();
  progress();

  const ratio = (a: number, b: number) => (a / b).toFixed(2);
  console.log(
    table(
      [
        'sampler',
        'steps',
        'drawn',
        'rows',
        'drafted',
        'used',
        'passes without',
        'tree alone',
        'with',
        'times fewer',
        'seconds, times fewer',
      ],
      chains.map(({ sampler, steps, without, alone, with: within, seconds }) => [
        sampler,
        `${steps}`,
        `${within.drawnTokens}`,
        `${within.computedRows}`,
        `${within.draftedRows}`,
        `${within.usedDrafts}`,
        `${without.sequentialPasses}`,
        `${alone.sequentialPasses}`,
        `${within.sequentialPasses}`,
        ratio(without.sequentialPasses, within.sequentialPasses),
        seconds ? median(seconds[0].map((s, i) => s / seconds[2][i])).toFixed(2) : '',
      ]),
    ),
  );
  console.log(
    table(
      ['sampler', 'drawn', 'rows', 'drafted', 'used', 'passes'],
      several.map((each) => [
        each.name,
        ...[
          each.drawnTokens,
          each.computedRows,
          each.draftedRows,
          each.usedDrafts,
          each.sequentialPasses,
        ].map(String),
      ]),
    ),
  );
  const [one, sixteen] = several.slice(-2);
  console.log(
    `rows of 16 chains of one prompt over those of one: ${ratio(sixteen.computedRows, one.computedRows)}`,
  );
  writeResults(
    bench,
    'tree',
    { model: dir.split('/').pop(), maxNewTokens, prompts: prompts.length, chains, several },
    parsed,
  );
  bench.close();
}

/** The word problems in the model's chat template, if it has one. */
function encode({ tokenizer }: Model): Uint32Array[] {
  if (!tokenizer) throw new OptionError('the model has no tokenizer');
  const asked = (content: string) => {
    try {
      return tokenizer.encode(tokenizer.applyChatTemplate([{ role: 'user', content }]), false);
    } catch {
      return tokenizer.encode(content);
    }
  };
  return [...PROBLEMS.map(asked), ...[...TEXTS, PROGRAM].map((text) => tokenizer.encode(text))];
}
