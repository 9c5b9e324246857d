/** Prefill and decoding of a whole model with random weights, at the shapes people run. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildModel } from '../src/api/load-model.ts';
import { OptionError, OutOfMemoryError } from '../src/base/errors.ts';
import { bytesPerPosition, type CachedSequence, type KvCache, PAGE } from '../src/cache/kv-cache.ts';
import type { ModelConfig } from '../src/checkpoint/config.ts';
import { value, whole } from '../src/cli/args.ts';
import type { Engine } from '../src/engine/engine.ts';
import type { Sequence } from '../src/engine/language-model.ts';
import { Usage } from '../src/gpu/device.ts';
import { runAhead } from './ahead.ts';
import { chart } from './chart.ts';
import { type Counts, countCalls } from './harness/counts.ts';
import { type Bench, freeMemory, openBench } from './harness/device.ts';
import { progress, type Summary, short, show, summarise, table } from './harness/figures.ts';
import { numbers, readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';
import { RandomWeights, SHAPES, type ShapeName } from './random-model.ts';
import { readBandwidth } from './roofline.ts';

/** Most tokens a row decodes in one call, so that a context stays about as long as it is said to be. */
const MOST_STEPS = 128;
/** A long repetition is one that takes at least so many seconds: then there are three, else five. */
const LONG = 10;
const OWN = { rows: 8, context: 128 };
const MIB = 2 ** 20;

const OPTIONS = {
  shape: { value: 'NAME', help: `${Object.keys(SHAPES).join(', ')}` },
  seed: { value: 'N', help: 'of the weights (1)' },
  rows: { value: 'LIST', help: 'rows decoded together (1,2,4,8,16)' },
  contexts: { value: 'LIST', help: 'tokens before those that are decoded (128,2048,8192)' },
  prefill: { value: 'LIST', help: 'tokens of the prompts that are prefilled (128,512,2048)' },
  'prefill-limit': { value: 'SECONDS', help: 'a prefill that would take longer is not done (600)' },
  start: { help: 'only time the way to the first token, in this process, and print it as JSON' },
};

/** @throws OptionError naming the shapes */
export function shapeNamed(name: string | undefined): ShapeName {
  const names = Object.keys(SHAPES);
  if (name === undefined || !names.includes(name)) {
    throw new OptionError(`--shape is ${JSON.stringify(name) ?? 'missing'}: one of ${names.join(', ')}`);
  }
  return name as ShapeName;
}

/** undefined where only help was asked for. @throws OptionError */
export function modelOptions(args: string[]) {
  const parsed = readOptions('model', OPTIONS, args);
  if (!parsed) return;
  const quick = parsed.flags.has('quick');
  const list = (name: string, usual: string) => numbers(`--${name}`, value(parsed, name) ?? usual);
  const shape = shapeNamed(value(parsed, 'shape'));
  const contexts = list('contexts', quick ? '128' : '128,2048,8192');
  const longest = SHAPES[shape].maxPositionEmbeddings - MOST_STEPS;
  const beyond = contexts.find((context) => context > longest);
  if (beyond) throw new OptionError(`--contexts has ${beyond}: at most ${longest} for this shape`);
  const prefill = list('prefill', quick ? '128' : '128,512,2048');
  if (prefill.some((tokens) => tokens >= SHAPES[shape].maxPositionEmbeddings)) {
    throw new OptionError(`--prefill has ${prefill.at(-1)}: below ${SHAPES[shape].maxPositionEmbeddings}`);
  }
  return {
    parsed,
    quick,
    shape,
    seed: whole('--seed', value(parsed, 'seed') ?? '1'),
    rows: list('rows', quick ? '1,4' : '1,2,4,8,16'),
    contexts,
    prefill,
    prefillLimit: whole('--prefill-limit', value(parsed, 'prefill-limit') ?? '600'),
    start: parsed.flags.has('start'),
  };
}
type Options = NonNullable<ReturnType<typeof modelOptions>>;

/** The way to the first token in a process of its own, milliseconds. */
interface Start {
  adapterMs: number;
  buildMs: number;
  firstTokenMs: number;
  totalMs: number;
}
type Starts = Record<keyof Start, Summary>;

interface Prefill {
  tokens: number;
  tokensPerSecond: Summary;
  cpuMsPerToken: Summary;
}

interface Decode {
  rows: number;
  /** Tokens before the first that is decoded. */
  context: number;
  /** Whether every row has a context of its own, or all share one. */
  own: boolean;
  /** Whether the context's keys and values are random numbers rather than computed. */
  synthetic: boolean;
  /** Tokens a row and call. */
  steps: number;
  /** Of all rows together. */
  tokensPerSecond: Summary;
  cpuMsPerToken: Summary;
  dispatchesPerStep: number;
  /** CPU time of a token's share in recording the commands, and in handing them over. */
  encodeMsPerToken: Summary;
  submitMsPerToken: Summary;
}

export async function run(args: string[]): Promise<void> {
  const options = modelOptions(args);
  if (!options) return;
  if (options.start) return console.log(JSON.stringify(await start(options)));
  const config = SHAPES[options.shape];
  const weights = new RandomWeights(config, options.seed);
  const bench = await openBench();
  try {
    await measure(bench, config, weights, options);
  } finally {
    progress();
    bench.close();
  }
}

async function measure(bench: Bench, config: ModelConfig, weights: RandomWeights, options: Options) {
  const { shape, quick, parsed } = options;
  const say = (text: string) => {
    progress();
    console.log(text);
  };
  const computed = computedMemory(config, weights);
  const plan = planCache(bench, config, computed.weights, options);
  say(
    `${shape}: ${config.numHiddenLayers} layers of ${config.hiddenSize}, ${bench.environment.adapter.description}`,
  );
  for (const reason of plan.skipped) say(`skipped: ${reason}`);
  const starts = { cold: await startOf(options, true), warm: await startOf(options, false) };

  const calls = countCalls(bench.device);
  progress(`${shape}: building the model`);
  const model = await buildModel(config, weights, { device: bench.device, cachePositions: plan.positions });
  try {
    await fillCache(bench, model);
    const prefill: Prefill[] = [];
    for (const tokens of options.prefill) {
      progress(`${shape}: prefill of ${tokens} tokens`);
      const found = await measurePrefill(model, tokens, prefill.at(-1), options);
      if (typeof found === 'string') say(`skipped: ${found}`);
      else prefill.push(found);
    }
    const decode: Decode[] = [];
    const rate = prefill.at(-1)?.tokensPerSecond.median ?? 0;
    for (const context of plan.contexts) {
      const seconds = context / rate;
      const synthetic = seconds > options.prefillLimit;
      if (synthetic) {
        say(
          `context of ${context} tokens: synthetic (random keys and values), a prefill ${rate > 0 ? `would take ${short(seconds)} s` : 'was not measured'}`,
        );
      }
      progress(`${shape}: context of ${context} tokens`);
      const tokens = tokensOf(config, context);
      const prompt = synthetic ? syntheticSequence(model, tokens) : await model.prefill(tokens);
      for (const count of options.rows) {
        progress(`${shape}: ${count} rows, context ${context}`);
        const shared = Array.from({ length: count }, () => prompt);
        decode.push({ ...(await measureDecode(model, shared, calls.now, quick)), own: false, synthetic });
      }
      prompt.free();
    }
    if (plan.own) {
      progress(`${shape}: ${OWN.rows} rows, contexts of their own`);
      const prompts: Sequence[] = [];
      for (let i = 0; i < OWN.rows; i++) {
        prompts.push(await model.prefill(tokensOf(config, OWN.context, i)));
      }
      const found = await measureDecode(model, prompts, calls.now, quick);
      decode.push({ ...found, own: true, synthetic: false });
      for (const prompt of prompts) prompt.free();
    }
    const allocated = calls.now().allocated;
    calls.stop();
    progress(`${shape}: read bandwidth`);
    const memory = {
      computed: { ...computed, cache: plan.positions * bytesPerPosition(config) * config.numHiddenLayers },
      used: { ...model.memory, allBuffers: allocated },
      residentBytes: process.memoryUsage().rss,
    };
    const roofline = roof(computed.readPerToken, decode, await readBandwidth(bench));
    const figures = { shape, seed: options.seed, starts, memory, roofline, prefill, decode };
    progress();
    report(figures);
    writeResults(
      bench,
      `model-${shape}`,
      { ...figures, skipped: plan.skipped },
      parsed,
      draw(bench, figures),
    );
  } finally {
    model.dispose();
  }
}

// ---- What it needs

/** From the shape alone, bytes. */
function computedMemory(config: ModelConfig, { tensors }: RandomWeights) {
  const all = [...tensors.values()];
  const weights = all.reduce((sum, { begin, end }) => sum + end - begin, 0);
  // One row of the embedding is looked up; it is read whole only where it serves as the LM head too.
  const lookup = all.find(({ name }) => name === 'model.embed_tokens.weight');
  const embedding = lookup && !config.tieWordEmbeddings ? lookup.end - lookup.begin : 0;
  return { weights, readPerToken: weights - embedding };
}

/** Positions of the cache, and which contexts fit. */
function planCache(
  bench: Bench,
  config: ModelConfig,
  weights: number,
  { rows, contexts, prefill, shape }: Options,
) {
  const pad = (tokens: number) => (Math.ceil(tokens / PAGE) + 1) * PAGE;
  const need = (context: number, copies: number, tails: number) =>
    copies * pad(context) + tails * pad(MOST_STEPS);
  const limit = bench.device.limits.maxStorageBufferBindingSize;
  const free = bench.cpu ? freeMemory() : Number.POSITIVE_INFINITY; // WebGPU does not tell a GPU's memory
  const layer = bytesPerPosition(config);
  const total = (positions: number) => weights + positions * layer * config.numHiddenLayers + 256 * MIB;
  const fits = (positions: number) => positions * layer <= limit && total(positions) <= free;
  const least = need(Math.max(...prefill), 1, 0);
  if (!fits(least)) {
    throw new OutOfMemoryError(`the shape ${shape}`, total(least), free, 'take a smaller shape or prefill');
  }
  const skipped: string[] = [];
  const most = Math.max(...rows);
  const kept = contexts.filter((context) => {
    const positions = need(context, 1, most);
    const enough = fits(positions);
    if (!enough) {
      const sizes = `${gb(total(positions))} GB, ${gb(layer * positions)} GB a layer`;
      skipped.push(`context ${context}: ${sizes}; ${gb(free)} GB are free, ${gb(limit)} GB can be bound`);
    }
    return enough;
  });
  const forOwn = need(OWN.context, OWN.rows, OWN.rows);
  const own = fits(forOwn);
  if (!own) skipped.push(`contexts of their own: ${gb(total(forOwn))} GB`);
  const all = [least, own ? forOwn : 0, ...kept.map((context) => need(context, 1, most))];
  return { contexts: kept, own, skipped, positions: Math.max(...all) };
}

const gb = (bytes: number) => short(bytes / 1e9);

function tokensOf({ vocabSize }: ModelConfig, length: number, salt = 0): Uint32Array {
  return Uint32Array.from({ length }, (_, i) => (i * 2654435761 + salt * 40503 + 7) % vocabSize);
}

// ---- Contexts that nobody has computed

export function cacheOf(engine: Engine): KvCache {
  return (engine as unknown as { cache: KvCache }).cache;
}

/** Gives every position of the cache random keys and values between −1 and 1. */
export async function fillCache({ device }: Bench, engine: Engine): Promise<void> {
  const noise = device.createBuffer({ size: MIB, usage: Usage.COPY_SRC | Usage.COPY_DST });
  let state = 1;
  const values = Float32Array.from({ length: MIB / 4 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  device.queue.writeBuffer(noise, 0, values);
  const encoder = device.createCommandEncoder();
  for (const layer of cacheOf(engine).layers) {
    for (let at = 0; at < layer.size; at += MIB) {
      encoder.copyBufferToBuffer(noise, 0, layer, at, Math.min(MIB, layer.size - at));
    }
  }
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  noise.destroy();
}

/** A sequence as `prefill` leaves it, its keys and values being whatever its pages hold: of use to time decoding only. */
export function syntheticSequence(engine: Engine, tokens: ArrayLike<number>): CachedSequence {
  return extendSynthetic(cacheOf(engine).sequence(), tokens);
}

/** Adds tokens with keys and values that nobody has computed. The last page must not be shared. */
export function extendSynthetic(sequence: CachedSequence, { length }: ArrayLike<number>): CachedSequence {
  const end = sequence.length + length;
  sequence.cache.reserve(sequence.pagesNeeded(end), `${length} synthetic positions`);
  sequence.makeWritable(end, []);
  sequence.settle(end);
  return sequence;
}

// ---- Prefill and decoding

async function measurePrefill(
  model: Engine,
  tokens: number,
  shorter: Prefill | undefined,
  { quick, shape, prefillLimit }: Options,
): Promise<Prefill | string> {
  const estimate = shorter ? tokens / shorter.tokensPerSecond.median : 0;
  if (estimate > prefillLimit) return `prefill of ${tokens} tokens: it would take ${short(estimate)} s`;
  const prompt = tokensOf(SHAPES[shape], tokens);
  const rates: number[] = [];
  const cpu: number[] = [];
  const once = async () => {
    const { seconds, cpuMs } = await timed(async () => (await model.prefill(prompt)).free());
    rates.push(tokens / seconds);
    cpu.push(cpuMs / tokens);
    return seconds;
  };
  if (!shorter) {
    await once(); // the driver compiles a kernel when it is first used
    rates.length = cpu.length = 0;
  }
  const seconds = await once();
  const n = quick ? 2 : seconds > prefillLimit / 5 ? 1 : seconds > LONG ? 3 : 5;
  while (rates.length < n) await once();
  return { tokens, tokensPerSecond: summarise(rates), cpuMsPerToken: summarise(cpu) };
}

/** Decodes forks of `prompts`, one a row. */
async function measureDecode(
  model: Engine,
  prompts: readonly Sequence[],
  counts: () => Counts,
  quick: boolean,
) {
  const decode = async (steps: number) => {
    const rows = prompts.map((prompt) => prompt.fork());
    await runAhead(model, rows, steps);
    for (const row of rows) row.free();
  };
  await decode(1);
  const step = (await timed(() => decode(2))).seconds / 2;
  // Two seconds and sixteen tokens at least; fewer tokens where those would take long.
  const budget = quick ? 0.2 : 2;
  const longest = quick ? 1 : 2 * LONG;
  const least = 16 * step > longest ? Math.max(4, Math.floor(longest / step)) : 16;
  const steps = Math.min(MOST_STEPS, Math.max(least, Math.ceil(budget / step)));
  const calls = Math.max(1, Math.ceil(budget / (steps * step)));
  const tokens = calls * steps * prompts.length;
  const all: { rate: number; cpu: number; encode: number; submit: number; dispatches: number }[] = [];
  const n = quick ? 2 : steps * step > LONG ? 3 : 5;
  while (all.length < n) {
    const before = counts();
    const { seconds, cpuMs } = await timed(async () => {
      for (let i = 0; i < calls; i++) await decode(steps);
    });
    const after = counts();
    all.push({
      rate: tokens / seconds,
      cpu: cpuMs / tokens,
      encode: (after.encodeMs - before.encodeMs) / tokens,
      submit: (after.submitMs - before.submitMs) / tokens,
      dispatches: (after.dispatches - before.dispatches) / (calls * steps),
    });
  }
  return {
    rows: prompts.length,
    context: prompts[0].length,
    steps,
    tokensPerSecond: summarise(all.map(({ rate }) => rate)),
    cpuMsPerToken: summarise(all.map(({ cpu }) => cpu)),
    dispatchesPerStep: all[0].dispatches,
    encodeMsPerToken: summarise(all.map(({ encode }) => encode)),
    submitMsPerToken: summarise(all.map(({ submit }) => submit)),
  };
}

/** Wall time, and CPU time of the whole process: on a software adapter the GPU's too. */
async function timed(work: () => Promise<void>): Promise<{ seconds: number; cpuMs: number }> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await work();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuMs: (user + system) / 1000 };
}

// ---- From nothing to the first token

async function start({ shape, seed }: Options): Promise<Start> {
  const weights = new RandomWeights(SHAPES[shape], seed);
  const begin = performance.now();
  const bench = await openBench();
  const opened = performance.now();
  const model = await buildModel(SHAPES[shape], weights, { device: bench.device, cachePositions: 256 });
  const built = performance.now();
  const sequence = await model.prefill(tokensOf(SHAPES[shape], 16));
  await runAhead(model, [sequence], 1);
  const end = performance.now();
  model.dispose();
  bench.close();
  return {
    adapterMs: opened - begin,
    buildMs: built - opened,
    firstTokenMs: end - built,
    totalMs: end - begin,
  };
}

/** Cold: without what the driver has kept of compiled kernels. Warm: after a start that has filled its cache. */
async function startOf({ shape, seed, quick }: Options, cold: boolean): Promise<Starts> {
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const env = {
    ...process.env,
    ...(cold && { MESA_SHADER_CACHE_DISABLE: 'true', __GL_SHADER_DISK_CACHE: '0' }),
  };
  const args = [main, 'model', '--shape', shape, '--seed', String(seed), '--start'];
  const once = async (): Promise<Start> => {
    progress(`${shape}: ${cold ? 'cold' : 'warm'} start`);
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    return JSON.parse(stdout);
  };
  if (!cold) await once();
  const all = [await once()];
  const n = quick || all[0].totalMs > 30_000 ? 1 : 3;
  while (all.length < n) all.push(await once());
  const of = (key: keyof Start) => summarise(all.map((each) => each[key]));
  return {
    adapterMs: of('adapterMs'),
    buildMs: of('buildMs'),
    firstTokenMs: of('firstTokenMs'),
    totalMs: of('totalMs'),
  };
}

// ---- What came of it

function roof(
  readPerToken: number,
  decode: readonly Decode[],
  read: { bytesPerSecond: number; source: string },
) {
  const single = decode.find(({ rows }) => rows === 1);
  const bytesPerSecond = single && readPerToken * single.tokensPerSecond.median;
  return {
    weightBytesPerToken: readPerToken,
    /** At one row and the shortest context. */
    weightBytesPerSecond: bytesPerSecond,
    readBytesPerSecond: read.bytesPerSecond,
    readMeasured: read.source,
    share: bytesPerSecond && bytesPerSecond / read.bytesPerSecond,
  };
}

interface Figures {
  shape: ShapeName;
  starts: { cold: Starts; warm: Starts };
  memory: {
    computed: { weights: number; cache: number };
    used: { weights: number; cache: number; scratch: number; allBuffers: number };
    residentBytes: number;
  };
  roofline: ReturnType<typeof roof>;
  prefill: Prefill[];
  decode: Decode[];
}

function report({ starts, memory, roofline, prefill, decode }: Figures): void {
  console.log('medians, range in brackets; CPU time is that of the whole process\n');
  const startRow = (name: string, s: Starts) => [
    name,
    ...[s.adapterMs, s.buildMs, s.firstTokenMs, s.totalMs].map((ms) => show(ms)),
  ];
  const { cold, warm } = starts;
  console.log(
    table(
      ['start, ms', 'adapter', 'model', 'first token', 'in total'],
      [startRow('cold', cold), startRow('warm', warm)],
    ),
  );
  console.log();
  console.log(
    table(
      ['prefill', 'tokens/s', 'CPU-ms a token'],
      prefill.map((p) => [String(p.tokens), show(p.tokensPerSecond), show(p.cpuMsPerToken)]),
    ),
  );
  console.log();
  console.log(
    table(
      [
        'decode',
        'context',
        'tokens/s',
        'CPU-ms a token',
        'dispatches a step',
        'encode µs a token',
        'submit µs a token',
      ],
      decode.map((d) => [
        `${d.rows} row${d.rows > 1 ? 's' : ''}`,
        `${d.context}${d.own ? ', own' : ''}${d.synthetic ? ', synthetic' : ''}`,
        show(d.tokensPerSecond),
        show(d.cpuMsPerToken),
        short(d.dispatchesPerStep),
        show(d.encodeMsPerToken, 1e-3),
        show(d.submitMsPerToken, 1e-3),
      ]),
    ),
  );
  const { computed, used } = memory;
  console.log(
    `\nmemory, MB: weights ${mb(used.weights)} (${mb(computed.weights)} computed from the shape), cache ${mb(used.cache)} (${mb(computed.cache)}), ` +
      `activations ${mb(used.scratch)}; all buffers ${mb(used.allBuffers)}; process ${mb(memory.residentBytes)}`,
  );
  const { weightBytesPerToken, weightBytesPerSecond, share, readBytesPerSecond, readMeasured } = roofline;
  if (weightBytesPerSecond && share) {
    console.log(
      `weights read a token: ${mb(weightBytesPerToken)} MB, at one row ${gb(weightBytesPerSecond)} GB/s: ` +
        `${short(100 * share)} % of the ${gb(readBytesPerSecond)} GB/s the adapter reads (${readMeasured})`,
    );
  }
}

const mb = (bytes: number) => short(bytes / 1e6);

function draw({ environment }: Bench, { shape, prefill, decode }: Figures): string {
  const point = (x: number, { median, q1, q3 }: Summary) => ({ x, y: median, error: (q3 - q1) / 2 });
  const contexts = [...new Set(decode.filter(({ own }) => !own).map(({ context }) => context))];
  const series = contexts.map((context) => {
    const of = decode.filter((d) => d.context === context && !d.own);
    return {
      name: `${context} before${of[0].synthetic ? ' *' : ''}`,
      points: of.map((d) => point(d.rows, d.tokensPerSecond)),
    };
  });
  const own = decode.filter((d) => d.own);
  if (own.length > 0) {
    const points = own.map((d) => point(d.rows, d.tokensPerSecond));
    series.push({ name: `${OWN.context}, own`, points });
  }
  const panel = { yLabel: 'tokens a second', logX: true };
  const prefilled = prefill.map((p) => point(p.tokens, p.tokensPerSecond));
  return chart(
    `Decoding and prefill, shape ${shape}, random weights`,
    [
      { ...panel, xLabel: 'rows decoded together', series },
      { ...panel, xLabel: 'tokens of the prompt', series: [{ name: 'prefill', points: prefilled }] },
    ],
    `${environment.adapter.description}. Medians, bars as long as the middle half.${decode.some((d) => d.synthetic) ? ' * keys and values of the context are random numbers.' : ''}`,
  );
}
