import { freemem } from 'node:os';
import { checkComputed } from '../api/load-model.ts';
import { DEFAULT_POSITIONS, MemoryPlan } from '../api/memory.ts';
import { type QuantizeOptions, quantizeOf } from '../api/quantize.ts';
import { isAllowed } from '../base/runtime.ts';
import type { AdapterChoice } from '../gpu/adapter.ts';
import type { AdapterDescription } from '../gpu/device.ts';
import { findModel } from '../hub/find.ts';
import { type LocalModel, RemoteModel } from '../hub/remote-model.ts';
import type { Quantize } from '../model/weight-layout.ts';
import { lookAtAdapter } from './adapter.ts';
import { bytes, seconds } from './format.ts';
import type { Io } from './io.ts';

/** Finds a model, fetches what is missing of it, and says beforehand how much that is and whether it fits. */
export async function locateModel(
  model: string,
  choice: AdapterChoice & QuantizeOptions,
  io: Io,
): Promise<LocalModel> {
  const found = await findModel(model, io.signal);
  return found instanceof RemoteModel ? fetchModel(found, choice, io) : found;
}

async function fetchModel(
  model: RemoteModel,
  choice: AdapterChoice & QuantizeOptions,
  io: Io,
): Promise<LocalModel> {
  checkComputed(model.description.config);
  const quantize = quantizeOf(choice, model.description);
  const adapter = await lookAtAdapter(choice, io);
  for (const line of [fetchLine(model), await memoryLine(model, adapter, quantize)])
    io.err(`egps: ${line}\n`);
  const { name, begun } = model;
  let here = begun;
  let isWaiting = false;
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const local = await model.fetch({
    signal: io.signal,
    onWait: (message) => {
      if (!isWaiting) io.err(`egps: waiting: ${message}\n`);
      isWaiting = true;
    },
    onProgress: (done, size) => {
      here = done;
      io.redraw.update(() => {
        const rate = Math.max(0, done - begun) / elapsed();
        const left = rate > 0 ? [`${seconds((size - done) / rate)} left`] : [];
        const facts = [`fetching ${name}`, `${bytes(done)} of ${bytes(size)}`, `${bytes(rate)}/s`, ...left];
        return { text: '', done: done / size, facts };
      });
    },
  });
  io.redraw.clear();
  const fetched = here - begun;
  if (fetched > 0)
    io.err(`egps: fetched ${bytes(fetched)} in ${seconds(elapsed())}, ${bytes(fetched / elapsed())}/s\n`);
  return local;
}

/** How much there is to fetch, and whether the disk has room for it. */
export function fetchLine({ name, missing, begun, folder, free }: RemoteModel): string {
  const rest = begun > 0 ? ` (${bytes(begun)} are here)` : '';
  const room =
    free === undefined ? '' : `, where ${bytes(free)} are free${missing > free ? ': it does not fit' : ''}`;
  return `${name}: ${bytes(missing)} to fetch${rest} into ${folder}${room}`;
}

/** How much memory the model takes, and as far as that can be known whether the adapter has it. */
async function memoryLine(
  { description }: RemoteModel,
  adapter: AdapterDescription,
  quantize: Quantize | undefined,
): Promise<string> {
  const { total, positions } = (
    await MemoryPlan.of(description.config, description, adapter, undefined, quantize)
  ).at();
  const most = positions < DEFAULT_POSITIONS ? ', the most that the adapter can bind' : '';
  const takes = `it takes ${bytes(total)} of memory with a cache of ${positions} positions${most}`;
  if (!adapter.cpu) return `${takes}; how much ${adapter.description} has, WebGPU does not tell`;
  if (!isAllowed({ name: 'sys', kind: 'systemMemoryInfo' })) return takes;
  const free = freemem();
  return `${takes}; ${bytes(free)} are free${total > free ? ': it does not fit' : ''}`;
}
