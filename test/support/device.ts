import { Gpu } from '../../src/gpu/device.ts';

let shared: Promise<GPUDevice> | undefined;
const { open } = Gpu;

/** One for all models that need none of their own: to compile their kernels takes most of a load, and equal ones are compiled once a device. */
export function sharedDevice(): Promise<GPUDevice> {
  shared ??= open.call(Gpu).then(({ device }) => device); // never disposed
  return shared;
}

/** What `work` opens without asking for an adapter is that device. */
export async function onSharedDevice<T>(work: () => Promise<T>): Promise<T> {
  Gpu.open = async (choice = {}) => {
    const any = choice.device === undefined && choice.adapter === undefined && !choice.requireGpu;
    return open.call(Gpu, any ? { ...choice, device: await sharedDevice() } : choice);
  };
  try {
    return await work();
  } finally {
    Gpu.open = open;
  }
}
