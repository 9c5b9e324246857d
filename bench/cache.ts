/** What it costs to fork, roll back and accept candidates over a long context: the calls of a sampler's step. */

import { buildModel } from '../src/api/load-model.ts';
import { OptionError } from '../src/base/errors.ts';
import { type CachedSequence, PAGE } from '../src/cache/kv-cache.ts';
import { value, whole } from '../src/cli/args.ts';
import type { Engine } from '../src/engine/engine.ts';
import { runAhead } from './ahead.ts';
import { chart, pointOf } from './chart.ts';
import { type Counts, countCalls } from './harness/counts.ts';
import { type Bench, openBench } from './harness/device.ts';
import { progress, type Summary, short, show, summariseEach, table } from './harness/figures.ts';
import { numbers, readOptions } from './harness/options.ts';
import { writeResults } from './harness/results.ts';
import { cacheOf, extendSynthetic, fillCache, syntheticSequence } from './model/synthetic.ts';
import { RandomWeights, SEED, SHAPES, shapeNamed } from './random-model.ts';

/** Tokens of the current response that candidates are cut from. */
const TAIL = 256;
/** What one step of the sampler may cost besides decoding. */
const AIM = { microseconds: 100, pagesPerRow: 1 };

const OPTIONS = {
  shape: { value: 'NAME', help: `${Object.keys(SHAPES).join(', ')} (135m)` },
  layers: { value: 'N', help: 'fewer layers than the shape has, each of the same size' },
  rows: { value: 'K', help: 'candidates of a step (8)' },
  contexts: { value: 'LIST', help: 'tokens of the current sequence (512,2048,8192)' },
};

/** CPU time in µs unless it says otherwise. */
type Measured =
  /** Forks of the current sequence, and their rollback to the cut; */
  | 'fork'
  | 'rollback'
  /** taking one candidate's sequence for the current one, whose pages and the losers' go back; */
  | 'accept'
  /** and all three. */
  | 'total'
  /** Within decoding the first two tokens: recording the copies of pages that are shared and written to. */
  | 'copyOnWrite'
  /** Pages, over all layers, that a row copies; at most, and on average. */
  | 'pagesPerRow'
  /** Of all copy commands of a step, the detour by way of a spare page included. */
  | 'bytesPerStep';
type Step = { context: number } & Record<Measured, Summary>;

export async function run(args: string[]): Promise<void> {
  const parsed = readOptions('cache', OPTIONS, args);
  if (!parsed) return;
  const quick = parsed.flags.has('quick');
  const shape = shapeNamed(value(parsed, 'shape') ?? '135m');
  const most = SHAPES[shape].numHiddenLayers;
  const numHiddenLayers = whole('--layers', value(parsed, 'layers') ?? String(most));
  if (numHiddenLayers < 1 || numHiddenLayers > most) {
    throw new OptionError(`--layers is ${numHiddenLayers}: from 1 to the ${most} of ${shape}`);
  }
  const rows = whole('--rows', value(parsed, 'rows') ?? '8');
  if (rows < 1 || rows > 64) throw new OptionError(`--rows is ${rows}: from 1 to 64`);
  const contexts = numbers('--contexts', value(parsed, 'contexts') ?? '512,2048,8192');
  const longest = SHAPES[shape].maxPositionEmbeddings - PAGE;
  if (contexts[0] <= TAIL || contexts[contexts.length - 1] > longest) {
    throw new OptionError(`--contexts is ${contexts}: above ${TAIL}, at most ${longest}`);
  }

  const config = { ...SHAPES[shape], numHiddenLayers };
  const bench = await openBench();
  const calls = countCalls(bench.device);
  try {
    progress(`${shape}: building the model`);
    const model = await buildModel(config, new RandomWeights(config, SEED), {
      device: bench.device,
      cachePositions: contexts[contexts.length - 1] + TAIL + 2 * PAGE * (rows + 2),
    });
    await fillCache(bench, model);
    const steps: Step[] = [];
    for (const context of contexts) {
      progress(`${shape}: ${rows} candidates, context ${context}`);
      steps.push(await measureSteps(model, context, rows, calls.now, quick ? 5 : 30));
    }
    const layers = numHiddenLayers;
    const pageBytes = cacheOf(model).bytes / cacheOf(model).pages; // over all layers
    model.dispose();
    progress();
    report(bench, steps, { shape, layers, rows, pageBytes });
    const figures = { shape, layers, of: most, rows, pageBytes, synthetic: true, aim: AIM, steps };
    writeResults(bench, 'cache', figures, parsed, draw(bench, steps, rows));
  } finally {
    calls.stop();
    bench.close();
  }
}

/** Steps as a chain takes them, one candidate being accepted each time. Every step is cut elsewhere in the last tokens. */
async function measureSteps(
  model: Engine,
  context: number,
  count: number,
  counts: () => Counts,
  repetitions: number,
): Promise<Step> {
  const random = (n: number) => Array.from({ length: n }, (_, i) => (i * 7919 + 3) % model.vocabSize);
  const page = cacheOf(model).bytes / cacheOf(model).pages;
  const layers = cacheOf(model).layers.length;
  const prefix = syntheticSequence(model, random(Math.floor((context - TAIL) / PAGE) * PAGE + 1));
  const all: Record<Measured, number>[] = [];
  for (let i = -3; i < repetitions; i++) {
    let state = extendSynthetic(prefix.fork(), random(context - prefix.length));
    const cut = context - 1 - ((TAIL / 2 + i * 37) % (TAIL - PAGE));

    const begin = performance.now();
    const forks: CachedSequence[] = [];
    for (let j = 0; j < count; j++) forks.push(state.fork());
    const forked = performance.now();
    for (const fork of forks) fork.rollback(cut);
    const rolledBack = performance.now();

    const before = counts();
    await runAhead(model, forks, 2);
    const after = counts();
    const pages = (after.pages - before.pages) / layers;

    const winner = (i + 3) % count;
    const settling = performance.now();
    state.free();
    state = forks[winner];
    for (const [j, fork] of forks.entries()) if (j !== winner) fork.free();
    const settled = performance.now();
    state.free();
    if (i < 0) continue; // the first ones are compiled, not measured
    all.push({
      fork: 1000 * (forked - begin),
      rollback: 1000 * (rolledBack - forked),
      accept: 1000 * (settled - settling),
      total: 1000 * (rolledBack - begin + settled - settling),
      copyOnWrite: 1000 * (after.pagesMs - before.pagesMs),
      pagesPerRow: pages / count,
      bytesPerStep: pages * page,
    });
  }
  prefix.free();
  return { context, ...summariseEach(all) };
}

function report(
  { environment }: Bench,
  steps: readonly Step[],
  { shape, layers, rows, pageBytes }: { shape: string; layers: number; rows: number; pageBytes: number },
): void {
  console.log(
    `${rows} candidates, ${layers} layers of ${shape} (a page is ${pageBytes / 1024} KiB over all of them), synthetic contexts; ` +
      `${environment.processor}\nmedians, range in brackets; µs of CPU time of the calls, which touch no GPU but for the copies\n`,
  );
  console.log(
    table(
      [
        'context',
        'fork',
        'rollback',
        'accept',
        'all three',
        'copy on write',
        'pages a row',
        'KiB copied a step',
      ],
      steps.map((step) => [
        String(step.context),
        ...[step.fork, step.rollback, step.accept, step.total, step.copyOnWrite].map((s) => show(s)),
        show(step.pagesPerRow),
        show(step.bytesPerStep, 1024),
      ]),
    ),
  );
  const { context, total, pagesPerRow } = steps[steps.length - 1];
  const verdict = (good: boolean) => (good ? 'met' : 'missed');
  console.log(
    `\nat a context of ${context}: ${short(total.median)} µs, aim at most ${AIM.microseconds}: ${verdict(total.median <= AIM.microseconds)}; ` +
      `at most ${short(pagesPerRow.max)} pages copied a row, aim at most ${AIM.pagesPerRow}: ${verdict(pagesPerRow.max <= AIM.pagesPerRow)}`,
  );
}

function draw({ environment }: Bench, steps: readonly Step[], rows: number): string {
  const series = (['fork', 'rollback', 'accept', 'total'] as const).map((name) => ({
    name: name === 'total' ? 'all three' : name,
    points: steps.map((step) => pointOf(step.context, step[name])),
  }));
  return chart(
    `A step with ${rows} candidates, without decoding`,
    [{ xLabel: 'tokens of the context', yLabel: 'µs of CPU time', logX: true, series }],
    `${environment.processor}, Node ${environment.node}. Medians, bars as long as the middle half. The aim is ${AIM.microseconds} µs.`,
  );
}
