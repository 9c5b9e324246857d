/** Shares of the time waited so far by which an answer may be late. */
const SHARE = 1 / 16;
/**
 * ms. Small models' passes end within the first, and llvmpipe computes them no faster on two cores than on one: that this thread sleeps
 * gains them nothing, and to be woken costs them a tenth.
 */
const SHORT = 10;
/** ms that a turn takes longer, at most: whoever else waits for a turn is kept waiting. */
const MOST = 1;

const nobodyWrites = new Int32Array(new SharedArrayBuffer(4));
let waiting = 0;
let since = 0; // the last of them began
let turning = false;

/**
 * Waits for a promise of WebGPU's. The npm package `webgpu` asks whether it is kept in every turn of Node's event loop, many thousand times
 * a second; an adapter that computes on the CPU lacks the core that this takes. So turns are made to last while something is waited for.
 */
export async function patiently<T>(promise: Promise<T>): Promise<T> {
  if (globalThis.navigator?.gpu) return promise; // a runtime's own WebGPU tells by itself
  waiting++;
  since = performance.now();
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
  if (waited > SHORT) Atomics.wait(nobodyWrites, 0, 0, Math.min(MOST, waited * SHARE));
  setImmediate(turn);
}
