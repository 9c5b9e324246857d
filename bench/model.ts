/** Prefill and decoding of a whole model with random weights, at the shapes people run. */
import { buildModel } from '../src/api/load-model.ts';
import { OptionError } from '../src/base/errors.ts';
import { bytesPerPosition } from '../src/cache/kv-cache.ts';
import { kvTypeOf } from '../src/cache/kv-type.ts';
import type { ModelConfig } from '../src/checkpoint/config.ts';
import { value, whole } from '../src/cli/args.ts';
import type { Sequence } from '../src/engine/language-model.ts';
import { countCalls } from './harness/counts.ts';
import { type Bench, openBench } from './harness/device.ts';
import { progress, short } from './harness/figures.ts';
import { numbers, readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';
import { computedMemory, OWN, planCache } from './model/memory.ts';
import {
  type Decode,
  MOST_STEPS,
  measureDecode,
  measurePrefill,
  type Prefill,
  tokensOf,
} from './model/rates.ts';
import { draw, report, roof } from './model/report.ts';
import { start, startOf } from './model/starts.ts';
import { fillCache, syntheticSequence } from './model/synthetic.ts';
import { RandomWeights, SEED, SHAPES, shapeNamed } from './random-model.ts';
import { readBandwidth } from './roofline.ts';

const OPTIONS = {
  shape: { value: 'NAME', help: `${Object.keys(SHAPES).join(', ')}` },
  rows: { value: 'LIST', help: 'rows decoded together (1,2,4,8,16)' },
  contexts: { value: 'LIST', help: 'tokens before those that are decoded (128,2048,8192)' },
  prefill: { value: 'LIST', help: 'tokens of the prompts that are prefilled (128,512,2048)' },
  'prefill-limit': { value: 'SECONDS', help: 'a prefill that would take longer is not done (600)' },
  'kv-cache': { value: 'TYPE', help: 'what keys and values are kept in: f32 or bf16 (f32)' },
  start: { help: 'only time the way to the first token, in this process, and print it as JSON' },
};

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
    rows: list('rows', quick ? '1,4' : '1,2,4,8,16'),
    contexts,
    prefill,
    kvCache: kvTypeOf(value(parsed, 'kv-cache'), '--kv-cache'),
    prefillLimit: whole('--prefill-limit', value(parsed, 'prefill-limit') ?? '600'),
    start: parsed.flags.has('start'),
  };
}
export type Options = NonNullable<ReturnType<typeof modelOptions>>;

export async function run(args: string[]): Promise<void> {
  const options = modelOptions(args);
  if (!options) return;
  if (options.start) return console.log(JSON.stringify(await start(options)));
  const config = SHAPES[options.shape];
  const weights = new RandomWeights(config, SEED);
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
  const model = await buildModel(config, weights, {
    device: bench.device,
    cachePositions: plan.positions,
    kvCache: options.kvCache,
  });
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
      computed: {
        ...computed,
        cache: plan.positions * bytesPerPosition(config, options.kvCache) * config.numHiddenLayers,
      },
      used: { ...model.memory, allBuffers: allocated },
      residentBytes: process.memoryUsage().rss,
    };
    const roofline = roof(computed.readPerToken, decode, await readBandwidth(bench));
    const { kvCache } = options;
    const figures = { shape, kvCache, seed: SEED, starts, memory, roofline, prefill, decode };
    progress();
    report(figures);
    writeResults(
      bench,
      `model-${shape}${kvCache === 'f32' ? '' : `-${kvCache}-keys`}`,
      { ...figures, skipped: plan.skipped },
      parsed,
      draw(bench, figures),
    );
  } finally {
    model.dispose();
  }
}
