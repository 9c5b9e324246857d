/** From nothing to the first token. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildModel } from '../../src/api/load-model.ts';
import { runAhead } from '../ahead.ts';
import { openBench } from '../harness/device.ts';
import { progress, type Summary, summariseEach } from '../harness/figures.ts';
import type { Options } from '../model.ts';
import { RandomWeights, SEED, SHAPES } from '../random-model.ts';
import { tokensOf } from './rates.ts';

/** The way to the first token in a process of its own, milliseconds. */
interface Start {
  adapterMs: number;
  buildMs: number;
  firstTokenMs: number;
  totalMs: number;
}
export type Starts = Record<keyof Start, Summary>;

export async function start({ shape }: Options): Promise<Start> {
  const weights = new RandomWeights(SHAPES[shape], SEED);
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
export async function startOf({ shape, quick }: Options, cold: boolean): Promise<Starts> {
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  const env = {
    ...process.env,
    ...(cold && { MESA_SHADER_CACHE_DISABLE: 'true', __GL_SHADER_DISK_CACHE: '0' }),
  };
  const args = [main, 'model', '--shape', shape, '--start'];
  const once = async (): Promise<Start> => {
    progress(`${shape}: ${cold ? 'cold' : 'warm'} start`);
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    return JSON.parse(stdout);
  };
  if (!cold) await once();
  const all = [await once()];
  const n = quick || all[0].totalMs > 30_000 ? 1 : 3;
  while (all.length < n) all.push(await once());
  return summariseEach(all);
}
