import { AdapterError } from '../base/errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { play, Recording } from '../gpu/recorder.ts';
import { timePasses } from '../gpu/timestamps.ts';
import type { Qwen2 } from '../model/qwen2.ts';
import { type RowState, writeRows } from './write-rows.ts';

/** What a kernel takes of a pass. */
export interface KernelTime {
  /** The file in shaders/. */
  readonly kernel: string;
  /** What it is run for. */
  readonly use: string;
  /** Dispatches a pass. */
  readonly dispatches: number;
  /** Seconds a pass, of every pass measured. */
  readonly seconds: readonly number[];
}

/** Where the time of a pass goes. */
export interface Profile {
  /** In the order of the pass. */
  readonly kernels: readonly KernelTime[];
  /** Seconds of the same passes, undivided. */
  readonly whole: readonly number[];
  /** All readings of the clock are multiples of it, in seconds. */
  readonly tick: number;
}

/** Runs a pass of decoding so many times: by turns as it is, and each dispatch timed alone. @throws AdapterError @internal */
export async function profilePass(
  gpu: Gpu,
  model: Qwen2,
  states: readonly RowState[],
  positions: number,
  repeats: number,
): Promise<Profile> {
  const { device } = gpu;
  const rows = states.length;
  const shared = writeRows(gpu, model, states);
  const recording = new Recording();
  model.forward(recording, { rows, positions, shared });
  model.head(recording, rows);
  model.draw(recording, rows);
  const { dispatches } = recording;
  const keys = dispatches.map(({ pipeline, group }) => JSON.stringify([pipeline.label, group.label]));
  const times = new Map(keys.map((key) => [key, [] as number[]]));
  const whole: number[] = [];
  let tick = 0n;
  for (let turn = -1; turn < repeats; turn++) {
    writeRows(gpu, model, states); // drawing moves rows on
    const timed = timePasses(device, [
      (pass) => {
        for (const each of dispatches) play(pass, each);
      },
    ]);
    const [begin, end] = await gpu.wait(timed);
    writeRows(gpu, model, states);
    const timedApart = timePasses(
      device,
      dispatches.map((each) => (pass: GPUComputePassEncoder) => play(pass, each)),
    );
    const clock = await gpu.wait(timedApart);
    gpu.check();
    if (turn < 0) continue; // the driver compiles a kernel when it is first used
    whole.push(Number(end - begin) / 1e9);
    const sums = new Map<string, number>();
    for (const [i, key] of keys.entries()) {
      const nanoseconds = clock[2 * i + 1] - clock[2 * i];
      tick = divisor(tick, nanoseconds);
      sums.set(key, (sums.get(key) ?? 0) + Number(nanoseconds) / 1e9);
    }
    for (const [key, seconds] of sums) times.get(key)?.push(seconds);
  }
  if (tick === 0n) throw new AdapterError('the timestamps of the adapter stand still');
  const kernels = Array.from(times, ([key, seconds]): KernelTime => {
    const [kernel, use] = JSON.parse(key);
    return { kernel, use, dispatches: keys.filter((other) => other === key).length, seconds };
  });
  return { kernels, whole, tick: Number(tick) / 1e9 };
}

const divisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : divisor(b, a % b));
