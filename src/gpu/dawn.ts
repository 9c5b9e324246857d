import { AdapterError } from '../base/errors.ts';

/** What to do where there is no adapter. */
export const NO_ADAPTER: string =
  'no WebGPU adapter found (looked for Vulkan, Metal and Direct3D 12). On Linux install a Vulkan driver: ' +
  'the GPU vendor’s, or mesa-vulkan-drivers 23 or newer, which computes on the CPU';

/** By the adapter asked for, each with its promise. An instance must outlive every object made from it: if it is collected, the process crashes. */
const instances = new Map<string, GPU>();

/**
 * WebGPU for Node: Dawn, by the npm package `webgpu`.
 * @param adapter a part of the name of the only adapter it is to offer
 * @throws AdapterError where the package does not load
 */
export async function dawn(adapter = ''): Promise<GPU> {
  let instance = instances.get(adapter);
  if (!instance) {
    const { create } = await import('webgpu').catch(async (cause) => {
      const { trouble } = await import('./dawn-trouble.ts');
      const why = `this runtime has no WebGPU and the npm package "webgpu" does not load here: ${trouble(cause)}`;
      throw new AdapterError(why, { cause });
    });
    const flags = ['disable-dawn-features=timestamp_quantization']; // to 65 µs; only profiling reads the clock
    if (adapter) flags.push(`adapter=${adapter}`);
    instance = create(flags);
    instances.set(adapter, instance);
  }
  return instance;
}

/** Milliseconds. Timers have whole ones, as long as a pass of a small model takes. */
const NAP = 0.1;
const never = new Int32Array(new SharedArrayBuffer(4));
let waiting = 0;
let naps = false;

/**
 * Awaits work of an adapter that computes on the CPU. As long as any is under way, Dawn has the event loop turn without a pause, and that
 * takes a core from those who compute: so the thread sleeps a little at each turn.
 */
export async function patiently<T>(work: Promise<T>): Promise<T> {
  if (globalThis.navigator?.gpu) return work; // is not Dawn's
  waiting++;
  if (!naps) setImmediate(nap);
  naps = true;
  try {
    return await work;
  } finally {
    waiting--;
  }
}

function nap(): void {
  naps = waiting > 0;
  if (!naps) return;
  Atomics.wait(never, 0, 0, NAP);
  setImmediate(nap);
}
