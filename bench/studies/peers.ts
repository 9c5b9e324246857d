/** Other engines beside this one, in one run: the same random weights, the same tokens, each in a process of its own. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OptionError } from '../../src/base/errors.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { value, whole } from '../../src/cli/args.ts';
import { openBench } from '../harness/device.ts';
import { progress } from '../harness/figures.ts';
import { readOptions } from '../harness/options.ts';
import { writeResults } from '../harness/results.ts';
import { RandomWeights, SEED, SHAPES, shapeNamed } from '../random-model.ts';
import { Checks } from './peers/checks.ts';
import { type Contestant, enter, FEW, race } from './peers/contest.ts';
import { writeGguf } from './peers/gguf.ts';
import { type Precision, writeExpand, writeOnnx } from './peers/onnx.ts';
import { figuresOf, picture, report } from './peers/report.ts';
import { CONTEXT, ROWS, SPECS } from './peers/specs.ts';

const FOLDER = 'bench/studies/peers';
const OPTIONS = {
  shape: { value: 'NAME', help: Object.keys(SHAPES).join(', ') },
  only: { value: 'LIST', help: `of ${SPECS.map(({ name }) => name).join(', ')} (all)` },
  tokens: { value: 'N', help: 'tokens that every row decodes in one measurement (32)' },
  rounds: {
    value: 'N',
    help: `measurements of each kind, the engines by turns (5; of slow ones at most ${FEW})`,
  },
  threads: { value: 'N', help: 'CPU threads of every engine (as many as there are)' },
};

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('peers', OPTIONS, args);
  if (!parsed) return;
  const shape = shapeNamed(value(parsed, 'shape'));
  const quick = parsed.flags.has('quick');
  const positive = (name: string, usual: number): number => {
    const n = whole(`--${name}`, value(parsed, name) ?? String(usual));
    if (n === 0) throw new OptionError(`--${name} is 0: at least 1`);
    return n;
  };
  const tokens = positive('tokens', quick ? 8 : 32);
  const rounds = positive('rounds', quick ? 2 : 5);
  const threads = positive('threads', availableParallelism());
  const only = value(parsed, 'only')
    ?.split(',')
    .map((name) => name.trim());
  const unknown = only?.find((name) => !SPECS.some((spec) => spec.name === name));
  if (unknown !== undefined) {
    throw new OptionError(
      `--only has ${JSON.stringify(unknown)}: of ${SPECS.map(({ name }) => name).join(', ')}`,
    );
  }
  const specs = SPECS.filter(({ name }) => only?.includes(name) ?? true);

  if (specs.some(({ format }) => format)) install();
  const bench = await openBench();
  bench.close();
  const config = SHAPES[shape];
  const weights = new RandomWeights(config, SEED);
  const temporary = mkdtempSync(join(tmpdir(), 'egps-peers-'));
  const contestants: Contestant[] = [];
  process.once('exit', () => rmSync(temporary, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    const checks = new Checks(config, weights);
    for (const format of new Set(specs.map(({ format }) => format))) {
      if (format) writeModel(format, temporary, config, weights);
    }
    for (const spec of specs) {
      const options = { config, seed: SEED, threads, rows: ROWS, capacity: CONTEXT + Math.max(tokens, 32) };
      const environment = environmentFor(threads, bench.cpu);
      contestants.push(
        await enter(spec, { ...options, file: join(temporary, spec.format ?? '') }, environment, checks),
      );
    }
    await race(
      contestants.filter(({ process }) => process),
      tokens,
      rounds,
    );
    report(contestants, checks);
    const figures = {
      shape,
      context: CONTEXT,
      threads,
      versions: versions(),
      errorsAgainst: checks.described,
      engines: contestants.map(figuresOf),
    };
    const note =
      `${shape} with random weights, ${bench.environment.adapter.description}, ${bench.environment.processor}, ${threads} threads. ` +
      'Medians; bars: the middle half. Engines whose logits are wrong are left out.';
    const name = `peers-${shape}${value(parsed, 'threads') ? `-${threads}-threads` : ''}`;
    writeResults(bench, name, figures, parsed, picture(contestants, note));
  } finally {
    progress();
    for (const { process } of contestants) process?.end();
    rmSync(temporary, { recursive: true, force: true });
  }
}

// ---- Preparations

/** Without the packages' install scripts: one would compile llama.cpp, one fetch a CUDA that is not measured. */
function install(): void {
  if (existsSync(`${FOLDER}/node_modules`)) return;
  console.error(`installing the peers into ${FOLDER}/node_modules (1 GB): npm ci`);
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    stdio: [...stdio],
  });
}

function versions(): Record<string, string> {
  const { dependencies } = JSON.parse(readFileSync(`${FOLDER}/package.json`, 'utf8'));
  const info = `${FOLDER}/node_modules/node-llama-cpp/llama/llama.cpp.info.json`;
  return {
    ...dependencies,
    ...(existsSync(info) && { 'llama.cpp': JSON.parse(readFileSync(info, 'utf8')).tag }),
  };
}

function writeModel(
  format: 'gguf' | Precision,
  folder: string,
  config: ModelConfig,
  weights: RandomWeights,
): void {
  progress(`writing the weights as ${format === 'gguf' ? 'GGUF' : `ONNX, ${format}`}`);
  const path = join(folder, format);
  if (format === 'gguf') writeGguf(path, config, weights);
  else {
    writeOnnx(path, config, weights, format);
    writeExpand(`${path}.expand`, format);
  }
}

function environmentFor(threads: number, softwareAdapter: boolean): NodeJS.ProcessEnv {
  return {
    // llama.cpp passes over Vulkan devices that compute on the CPU unless they are asked for.
    ...(softwareAdapter && { GGML_VK_VISIBLE_DEVICES: '0' }),
    LP_NUM_THREADS: String(threads), // Mesa's software adapter
    ...process.env,
  };
}
