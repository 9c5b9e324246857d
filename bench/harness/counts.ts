/** Counting what the library asks of the GPU. */
import { Usage } from '../../src/gpu/device.ts';

/** Counts of everything so far; differences tell what one call has cost. */
export interface Counts {
  dispatches: number;
  /** Milliseconds of CPU time from a command encoder's creation until its commands are submitted, and in `submit` itself. */
  encodeMs: number;
  submitMs: number;
  /** Bytes of buffers that are alive. */
  allocated: number;
  /** Pages of one layer of the KV cache copied, and milliseconds in recording that. */
  pages: number;
  pagesMs: number;
}

/** Counts every call of the process from now on, by wrapping the methods all WebGPU objects of `device`'s kind share. */
export function countCalls(device: GPUDevice): { now(): Counts; stop(): void } {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const buffer = device.createBuffer({ size: 4, usage: Usage.COPY_DST });
  const counts: Counts = { dispatches: 0, encodeMs: 0, submitMs: 0, allocated: 0, pages: 0, pagesMs: 0 };
  const alive = new WeakSet<GPUBuffer>();
  let encodingSince = 0;
  const undo: (() => void)[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: methods of every signature
  const wrap = (object: object, name: string, around: (self: any, args: any[], call: () => any) => any) => {
    const prototype = Object.getPrototypeOf(object);
    const method = prototype[name];
    // biome-ignore lint/suspicious/noExplicitAny: as above
    prototype[name] = function (...args: any[]) {
      return around(this, args, () => method.apply(this, args));
    };
    undo.push(() => {
      prototype[name] = method;
    });
  };
  let pipeline = '';
  wrap(pass, 'setPipeline', (_, [{ label }], call) => {
    pipeline = label;
    call();
  });
  wrap(pass, 'dispatchWorkgroups', (_, [, pages], call) => {
    const begin = performance.now();
    call();
    counts.dispatches++;
    if (pipeline !== 'copy-pages') return;
    counts.pages += pages;
    counts.pagesMs += performance.now() - begin;
  });
  wrap(device, 'createCommandEncoder', (_, __, call) => {
    encodingSince = performance.now();
    return call();
  });
  wrap(device.queue, 'submit', (_, __, call) => {
    const begin = performance.now();
    call();
    counts.encodeMs += begin - encodingSince;
    counts.submitMs += performance.now() - begin;
  });
  wrap(device, 'createBuffer', (_, __, call) => {
    const made: GPUBuffer = call();
    counts.allocated += made.size;
    alive.add(made);
    return made;
  });
  wrap(buffer, 'destroy', (self: GPUBuffer, _, call) => {
    if (alive.delete(self)) counts.allocated -= self.size;
    call();
  });
  pass.end();
  buffer.destroy();
  return {
    now: () => structuredClone(counts),
    stop: () => {
      for (const restore of undo) restore();
    },
  };
}
