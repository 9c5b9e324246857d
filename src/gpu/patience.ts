import os from 'node:os';

/** Shares of the time waited so far by which an answer may be late. */
const SHARE = 1 / 16;
/**
 * ms for which turns are free. Small models' passes end within the first ten, and llvmpipe computes them no faster on two cores than on
 * one: that this thread sleeps gains them nothing, and to be woken costs them a tenth.
 */
const FREE = 10;
/** The same where others want the cores: three processes with small models decode a fifth to two fifths faster together. */
const FREE_IN_A_CROWD = 0.3;
/** Threads a core that run or want to, from which there is a crowd; one process alone makes less. */
const CROWD = 1.5;
const cores = os.availableParallelism();
/** ms that a turn takes longer, at most: whoever else waits for a turn is kept waiting. */
const MOST = 1;

const nobodyWrites = new Int32Array(new SharedArrayBuffer(4));
let waiting = 0;
let since = 0; // the last of them began
let free = FREE;
let turning = false;

/**
 * Waits for a promise of WebGPU's. The npm package `webgpu` asks whether it is kept in every turn of Node's event loop, many thousand times
 * a second; an adapter that computes on the CPU lacks the core that this takes. So turns are made to last while something is waited for.
 */
export async function patiently<T>(promise: Promise<T>): Promise<T> {
  if (globalThis.navigator?.gpu) return promise; // a runtime's own WebGPU tells by itself
  waiting++;
  since = performance.now();
  free = os.loadavg()[0] > CROWD * cores ? FREE_IN_A_CROWD : FREE;
  if (!turning) setImmediate(turn);
  turning = true;
  try {
    return await promise;
  } finally {
    waiting--;
  }
}

function turn(): void {
  turning = waiting > 0;
  if (!turning) return;
  const waited = performance.now() - since;
  if (waited > free) Atomics.wait(nobodyWrites, 0, 0, Math.min(MOST, waited * SHARE));
  setImmediate(turn);
}
