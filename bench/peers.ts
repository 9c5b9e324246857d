/** Other engines beside this one, in one run: the same random weights, the same tokens, each in a process of its own. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { forward, statistics } from '../reference/oracle.ts';
import { OptionError } from '../src/base/errors.ts';
import type { ModelConfig } from '../src/checkpoint/config.ts';
import { value, whole } from '../src/cli/args.ts';
import { chart } from './chart.ts';
import { openBench, progress, readOptions, show, summarise, table, writeResults } from './harness.ts';
import { shapeNamed } from './model.ts';
import type { Reply } from './peers/child.ts';
import type { Drawn, Engine } from './peers/engine.ts';
import { writeGguf } from './peers/gguf.ts';
import { type Precision, writeExpand, writeOnnx } from './peers/onnx.ts';
import { RandomWeights, SHAPES } from './random-model.ts';
import { median } from './statistics.ts';

const FOLDER = 'bench/peers';
const SEED = 1;
const CONTEXT = 128;
const ROWS = 8;
/** Seconds that a measurement should not be longer than by much: slow engines decode fewer tokens in it. */
const LONG = 10;
/** Seconds after which an engine that does not answer is given up. */
const PATIENCE = 900;
/** Pause before a measurement, for the threads of the engine before to stop spinning. */
const PAUSE_MS = 200;
/** Rounds for an engine whose measurements are long. */
const FEW = 3;

/**
 * Most normalised mean square error of an engine's logits, by what it computes in. f32 gives 1e-12 and attention over wrong
 * keys from 5e-4 on. f16 weights against f16 activations, summed in f32, give 1e-5 over 30 layers; summed in f16 too, as ONNX
 * Runtime and llama.cpp's Vulkan do, 6e-4.
 */
const BOUNDS: Readonly<Record<NonNullable<Spec['format']> | 'own', number>> = {
  own: 1e-4,
  f32: 1e-6,
  gguf: 1e-3,
  f16: 1e-3,
};
/** Of log p and entropy of a token drawn, in nats. */
const DRAWN_BOUND = 1e-2;
/** Multiply-adds that the float64 oracle may take: at about 2e8 a second. */
const ORACLE_WORK = 1.2e9;
const ORACLE_TOKENS = 40;

interface Spec {
  name: string;
  engine: string;
  backend: string;
  driver: string;
  format?: 'gguf' | Precision;
  /** Tried in order until the logits are right. */
  variants: readonly { note: string; options?: Record<string, unknown> }[];
}

/** Prompts of fewer tokens are computed by other kernels, which are right where the usual ones are not. */
const PIECES = { note: 'prompts 31 tokens at a time', options: { piece: 31 } };
const DEFAULT = { note: '' };
const SPECS: readonly Spec[] = [
  { name: 'ours', engine: 'egps', backend: 'webgpu', driver: 'ours', variants: [DEFAULT] },
  ...['cpu', 'vulkan', 'cuda'].map((backend) => ({
    name: `llama-${backend}`,
    engine: 'llama.cpp',
    backend,
    driver: 'llama.mjs',
    format: 'gguf' as const,
    variants: [DEFAULT],
  })),
  ...(
    [
      ['onnx-cpu', 'cpu', 'f32'],
      ['onnx-webgpu', 'webgpu', 'f32'],
      ['onnx-webgpu-f16', 'webgpu', 'f16'],
    ] as const
  ).map(([name, backend, format]) => ({
    name,
    engine: 'ONNX Runtime',
    backend,
    driver: 'onnx.mjs',
    format,
    variants: backend === 'cpu' ? [DEFAULT] : [DEFAULT, PIECES],
  })),
];

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

const MEASURES = {
  prefill: { label: `prefill ${CONTEXT}`, rows: 1 },
  decode1: { label: 'decode, 1 row', rows: 1 },
  decode8: { label: `decode, ${ROWS} rows`, rows: ROWS },
} as const;
type Measure = keyof typeof MEASURES;
const measures = Object.keys(MEASURES) as Measure[];

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

// ---- Processes

type Method =
  | keyof { [M in keyof Engine as Engine[M] extends (...args: never[]) => unknown ? M : never]: 1 }
  | 'open';

class EngineProcess {
  private readonly child;
  private output = '';
  private waiting: { resolve(reply: Reply): void; reject(error: Error): void } | undefined;

  constructor(driver: string, environment: NodeJS.ProcessEnv) {
    const url = driver.endsWith('.mjs')
      ? pathToFileURL(resolve(FOLDER, driver))
      : new URL(`./peers/${driver}.js`, import.meta.url);
    const child = fileURLToPath(new URL('./peers/child.js', import.meta.url));
    this.child = spawn(process.execPath, [child, url.href], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-2000);
      });
    }
    this.child.on('message', (reply: Reply) => {
      if (reply.error === undefined) this.waiting?.resolve(reply);
      else this.waiting?.reject(new Error(reply.error));
    });
    this.child.on('close', (code, signal) => {
      const last = this.output.trim().split('\n').at(-1);
      this.waiting?.reject(
        new Error(`the process ended (${signal ?? `code ${code}`})${last && `: ${last}`}`),
      );
    });
  }

  async call(method: Method, ...args: unknown[]): Promise<Reply> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE * 1000);
    try {
      return await new Promise((resolve, reject) => {
        if (this.child.exitCode !== null) return reject(new Error('the process has ended'));
        this.waiting = { resolve, reject };
        this.child.send({ method, args });
      });
    } finally {
      clearTimeout(timer);
      this.waiting = undefined;
    }
  }

  end(): void {
    this.child.kill('SIGKILL');
  }
}

const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0];

// ---- Who takes part

interface Contestant {
  spec: Spec;
  /** Undefined for one that is not measured. */
  process?: EngineProcess;
  note: string;
  device?: string;
  precision?: string;
  errors?: Errors;
  rates: Record<Measure, { rate: number; cpuMs: number }[]>;
}

/** The variant that a driver's backend turned out to need, to begin with where it is opened at another precision. */
const settled = new Map<string, number>();

/** Opens an engine and looks whether it computes what it should, in its usual configuration or else in another. */
async function enter(
  spec: Spec,
  options: object,
  environment: NodeJS.ProcessEnv,
  checks: Checks,
): Promise<Contestant> {
  let contestant: Contestant | undefined;
  const kind = `${spec.driver} ${spec.backend}`;
  const first = settled.get(kind) ?? 0;
  for (const [i, variant] of spec.variants.entries()) {
    if (i < first) continue;
    progress(`checking ${spec.name}${variant.note && `, ${variant.note}`}`);
    const engine = new EngineProcess(spec.driver, environment);
    const previous = contestant?.note;
    contestant = { spec, note: variant.note, rates: { prefill: [], decode1: [], decode8: [] } };
    try {
      const { value } = await engine.call('open', {
        ...options,
        backend: spec.backend,
        precision: spec.format,
        ...variant.options,
      });
      Object.assign(contestant, value);
      const { errors, wrong } = await checks.of(engine, spec);
      contestant.errors = errors;
      if (!wrong) {
        settled.set(kind, i);
        contestant.process = engine;
        contestant.note = [variant.note, previous && `${previous} otherwise`].filter(Boolean).join('; ');
        return contestant;
      }
      contestant.note = `WRONG: ${wrong}`;
    } catch (error) {
      contestant.note = `not measured: ${reason(error)}`;
    }
    engine.end();
  }
  return contestant as Contestant;
}

/** Normalised mean square errors of logits, the worst of those of each kind. */
interface Errors {
  /** After a short prompt and a step more, against the oracle. */
  oracle?: number;
  /** Rows with prompts of their own, decoded together, against each alone. */
  rows: number;
  /** At the measured size: after the prompt, after a step of one row, and of several. 0 for who is the reference. */
  prefill?: number;
  decode1?: number;
  decode8?: number;
  /** Largest error of log p and entropy of drawn tokens, in nats; of engines that draw. */
  drawn?: number;
}

const boundOf = ({ format }: Spec): number => BOUNDS[format ?? 'own'];

/** What logits at the measured size are held against. */
interface Reference {
  /** After CONTEXT tokens. */
  prompt: ArrayLike<number>;
  /** After one more. */
  step: ArrayLike<number>;
  /** Of its own errors. */
  bound: number;
}

class Checks {
  /** What the errors are measured against. */
  described = { oracle: 'nothing', measuredSize: 'nothing' };
  private readonly config: ModelConfig;
  private readonly short: { tokens: number[]; logits: Float64Array } | undefined;
  private reference: Reference | undefined;

  constructor(config: ModelConfig, weights: RandomWeights) {
    this.config = config;
    const size = [...weights.tensors.values()].reduce((n, { shape }) => n + shape.reduce((a, b) => a * b), 0);
    const count = Math.floor(ORACLE_WORK / size);
    const oracle = (n: number) => {
      progress(`computing ${n} tokens in float64`);
      const all = new Map(
        [...weights.tensors.keys()].map((name) => [name, Float64Array.from(weights.values(name))]),
      );
      return forward(config, all, this.tokens(n));
    };
    if (count >= 2) {
      const n = Math.min(count, ORACLE_TOKENS + 1);
      this.short = { tokens: this.tokens(n), logits: oracle(n) };
      this.described.oracle = `float64, ${n - 1} tokens and a step`;
    }
    if (count > CONTEXT) {
      const logits = oracle(CONTEXT + 1);
      this.reference = { prompt: this.row(logits, CONTEXT - 1), step: this.row(logits, CONTEXT), bound: 0 };
      this.described.measuredSize = `float64, ${CONTEXT} tokens and a step`;
    }
  }

  async of(engine: EngineProcess, spec: Spec): Promise<{ errors: Errors; wrong?: string }> {
    const bound = boundOf(spec);
    const errors: Errors = { rows: 0 };
    const logits = async (prompts: number[][], next: number[]) =>
      (await engine.call('logits', prompts, next)).value as Awaited<ReturnType<Engine['logits']>>;
    const drawnError = (drawn: Drawn[] | undefined, logits: (r: number) => ArrayLike<number>) => {
      for (const [r, { token, logp, entropy }] of drawn?.entries() ?? []) {
        const expected = statistics(logits(r), token, { temperature: 1, alpha: 1 });
        const worst = Math.max(Math.abs(logp - expected.logp), Math.abs(entropy - expected.entropy));
        errors.drawn = Math.max(errors.drawn ?? 0, worst);
      }
    };

    if (this.short) {
      const { tokens } = this.short;
      const n = tokens.length - 1;
      const { prompt, step, drawn } = await logits([tokens.slice(0, n)], [tokens[n]]);
      const expected = [this.row(this.short.logits, n - 1), this.row(this.short.logits, n)];
      errors.oracle = Math.max(nmse(prompt[0], expected[0]), nmse(step[0], expected[1]));
      drawnError(drawn, () => expected[1]);
    }

    const prompts = Array.from({ length: ROWS }, (_, r) => this.tokens(4, 1000 * r + 17));
    const fed = prompts.map((prompt) => prompt[3]);
    for (const prompt of prompts) prompt.pop();
    const together = await logits(prompts, fed);
    const alone: Float32Array[] = [];
    for (let r = 0; r < ROWS; r++) {
      const { prompt, step } = await logits([prompts[r]], [fed[r]]);
      errors.rows = Math.max(
        errors.rows,
        nmse(together.prompt[r], prompt[0]),
        nmse(together.step[r], step[0]),
      );
      alone.push(step[0]);
    }
    drawnError(together.drawn, (r) => alone[r]);

    const tokens = this.tokens(CONTEXT + 1);
    const next = Array<number>(ROWS).fill(tokens[CONTEXT]);
    const single = await logits([tokens.slice(0, CONTEXT)], [tokens[CONTEXT]]);
    const several = await logits([tokens.slice(0, CONTEXT)], next);
    const reference = this.reference ?? { prompt: single.prompt[0], step: single.step[0], bound };
    errors.prefill = nmse(single.prompt[0], reference.prompt);
    errors.decode1 = nmse(single.step[0], reference.step);
    errors.decode8 = Math.max(...several.step.map((row) => nmse(row, reference.step)));
    drawnError(several.drawn, () => reference.step);

    const wrong = Object.entries(errors).find(([name, error]) => {
      if (name === 'drawn') return !(error <= DRAWN_BOUND);
      return !(error <= (name in MEASURES ? Math.max(bound, reference.bound) : bound));
    });
    if (wrong) return { errors, wrong: `${wrong[0]} is off by ${wrong[1].toExponential(1)}` };
    if (!this.reference) this.described.measuredSize = `${spec.name}, ${CONTEXT} tokens and a step`;
    this.reference ??= reference;
    return { errors };
  }

  private tokens(count: number, first = 11): number[] {
    return Array.from({ length: count }, (_, i) => (i * 37 + first) % this.config.vocabSize);
  }

  private row(logits: Float64Array, position: number): Float64Array {
    const { vocabSize } = this.config;
    return logits.subarray(position * vocabSize, (position + 1) * vocabSize);
  }
}

function nmse(values: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (values[i] - expected[i]) ** 2;
    power += expected[i] ** 2;
  }
  return error / power;
}

// ---- Measuring

/** The engines by turns, so that whatever else the machine does hits them alike. */
async function race(contestants: readonly Contestant[], tokens: number, rounds: number): Promise<void> {
  const prompt = Array.from({ length: CONTEXT }, (_, i) => i);
  for (const measure of measures) {
    const { label, rows } = MEASURES[measure];
    const steps = new Map<Contestant, number>();
    const slow = new Set<Contestant>();
    const attempt = async (contestant: Contestant, work: (engine: EngineProcess) => Promise<void>) => {
      if (!contestant.process) return;
      try {
        await work(contestant.process);
      } catch (error) {
        contestant.note = `failed in ${label}: ${reason(error)}`;
        contestant.process.end();
        contestant.process = undefined;
      }
    };
    for (const contestant of contestants) {
      progress(`${label}: warming up ${contestant.spec.name}`);
      await attempt(contestant, async (engine) => {
        if (measure === 'prefill') {
          await engine.call('prefill', prompt);
          return;
        }
        await engine.call('hold', prompt, rows);
        await engine.call('decode', 2);
        const { seconds } = await engine.call('decode', 2);
        steps.set(contestant, Math.max(2, Math.min(tokens, Math.floor((2 * LONG) / seconds))));
      });
    }
    for (let round = 1; round <= rounds; round++) {
      for (const contestant of contestants) {
        if (round > FEW && slow.has(contestant)) continue;
        progress(`${label}: round ${round} of ${rounds}, ${contestant.spec.name}`);
        await attempt(contestant, async (engine) => {
          await sleep(PAUSE_MS);
          const count = steps.get(contestant);
          const { seconds, cpuSeconds } = count
            ? await engine.call('decode', count)
            : await engine.call('prefill', prompt);
          if (seconds > LONG / 2) slow.add(contestant);
          const done = count ? count * rows : CONTEXT;
          contestant.rates[measure].push({ rate: done / seconds, cpuMs: (1000 * cpuSeconds) / done });
        });
      }
    }
  }
}

// ---- What comes of it

const complete = ({ process, rates }: Contestant): boolean =>
  process !== undefined && rates.decode8.length > 0;

function report(contestants: readonly Contestant[], { described }: Checks): void {
  progress();
  const ours = contestants.find(({ spec, process }) => spec.name === 'ours' && process);
  const middle = ({ rates }: Contestant, measure: Measure) => median(rates[measure].map(({ rate }) => rate));
  const times = (contestant: Contestant, measure: Measure) =>
    ours && contestant !== ours ? `${(middle(ours, measure) / middle(contestant, measure)).toFixed(2)}×` : '';
  const error = (e: number | undefined) => (e === undefined ? '' : e.toExponential(0));
  const rows = contestants.map((contestant) => {
    const { spec, precision = '', errors, rates } = contestant;
    const figures = complete(contestant)
      ? measures.flatMap((m) => [show(summarise(rates[m].map(({ rate }) => rate))), times(contestant, m)])
      : measures.flatMap(() => ['', '']);
    const worst =
      errors && Math.max(errors.rows, errors.prefill ?? 0, errors.decode1 ?? 0, errors.decode8 ?? 0);
    return [`${spec.engine} ${spec.backend}`, precision, error(errors?.oracle), error(worst), ...figures];
  });
  const head = ['engine', 'precision', 'error', 'measured size'];
  for (const m of measures) head.push(`${MEASURES[m].label}, tokens/s`, 'ours/this');
  console.log(table(head, rows));
  console.log(`\nErrors are normalised mean square errors of logits, against ${described.oracle};`);
  console.log(
    `at the measured size the worst one, against ${described.measuredSize}, and of rows together against each alone.`,
  );
  const cpu = contestants
    .filter(complete)
    .map((contestant) => [
      `${contestant.spec.engine} ${contestant.spec.backend}, ${contestant.precision}`,
      ...measures.map((m) => show(summarise(contestant.rates[m].map(({ cpuMs }) => cpuMs)))),
    ]);
  console.log(`\n${table(['CPU ms a token', ...measures.map((m) => MEASURES[m].label)], cpu)}`);
  for (const { spec, note } of contestants) if (note) console.log(`\n${spec.name}: ${note}`);
}

function figuresOf(contestant: Contestant): object {
  const { spec, note, device, precision, errors, rates } = contestant;
  const summaries = () =>
    measures.map((m) => {
      const tokensPerSecond = summarise(rates[m].map(({ rate }) => rate));
      return [m, { tokensPerSecond, cpuMsPerToken: summarise(rates[m].map(({ cpuMs }) => cpuMs)) }];
    });
  return {
    name: spec.name,
    engine: spec.engine,
    backend: spec.backend,
    device,
    precision,
    note,
    errors,
    errorBound: boundOf(spec),
    ...(complete(contestant) && Object.fromEntries(summaries())),
  };
}

function picture(contestants: readonly Contestant[], note: string): string | undefined {
  const measured = contestants.filter(complete);
  if (measured.length === 0) return;
  const panels = measures.map((m) => ({
    xLabel: 'CPU milliseconds a token',
    yLabel: `${MEASURES[m].label}: tokens a second`,
    logX: true,
    logY: true,
    series: measured.map(({ spec, rates }) => {
      const { median: y, q1, q3 } = summarise(rates[m].map(({ rate }) => rate));
      const x = median(rates[m].map(({ cpuMs }) => cpuMs));
      return { name: spec.name, points: [{ x, y, error: (q3 - q1) / 2 }] };
    }),
  }));
  return chart('The same weights on different engines', panels, note);
}
