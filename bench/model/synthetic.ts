/** Contexts that nobody has computed. */
import type { CachedSequence, KvCache } from '../../src/cache/kv-cache.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { Usage } from '../../src/gpu/device.ts';
import type { Bench } from '../harness/device.ts';

const MIB = 2 ** 20;

export function cacheOf(engine: Engine): KvCache {
  return (engine as unknown as { cache: KvCache }).cache;
}

/** Gives every position of the cache random keys and values between −1 and 1. */
export async function fillCache({ device }: Bench, engine: Engine): Promise<void> {
  const noise = device.createBuffer({ size: MIB, usage: Usage.COPY_SRC | Usage.COPY_DST });
  let state = 1;
  const { type, layers } = cacheOf(engine);
  const values = Float32Array.from({ length: MIB / (type === 'bf16' ? 2 : 4) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  const bits = new Uint32Array(values.buffer);
  device.queue.writeBuffer(noise, 0, type === 'bf16' ? Uint16Array.from(bits, (b) => b >>> 16) : values);
  const encoder = device.createCommandEncoder();
  for (const layer of layers) {
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
