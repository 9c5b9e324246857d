import { dawn, NO_ADAPTER } from '#runtime/gpu/dawn';
import { AdapterError, OptionError } from '../base/errors.ts';
import type { Device } from './device-like.ts';

/** Which adapter computes. */
export interface AdapterChoice {
  /** A `GPUDevice` of the caller's; `dispose` leaves it alive. Without it the best adapter is opened. */
  device?: Device;
  /** A part of the name of the adapter to open, in any case. There is this choice where WebGPU is the npm package `webgpu`, as under Node. */
  adapter?: string;
  /** Refuses an adapter that computes on the CPU. */
  requireGpu?: boolean;
}

/** What an adapter is called. Browsers keep the description to themselves. @internal */
export function adapterName({ description, vendor, architecture, device }: GPUAdapterInfo): string {
  return description || [vendor, architecture].filter(Boolean).join(' ') || device || 'unnamed adapter';
}

/** A software adapter. Not every WebGPU tells; the names are of those that there are. @internal */
export function isCpu({
  vendor,
  architecture,
  device,
  description,
  isFallbackAdapter,
}: GPUAdapterInfo): boolean {
  const names = [vendor, architecture, device, description].join(' ');
  return (
    isFallbackAdapter === true || /llvmpipe|lavapipe|swiftshader|software|warp|basic render/i.test(names)
  );
}

/** @throws AdapterError where the adapter is not what was asked for @internal */
export function checkAdapter(info: GPUAdapterInfo, { requireGpu }: AdapterChoice): void {
  if (requireGpu && isCpu(info)) {
    throw new AdapterError(
      `a GPU is required, and the adapter found computes on the CPU: ${adapterName(info)}`,
    );
  }
}

/** The best adapter, or the best of those whose name has `name` in it. @throws AdapterError, OptionError @internal */
export async function findAdapter(name?: string): Promise<GPUAdapter> {
  const own = globalThis.navigator?.gpu;
  if (name !== undefined) {
    if (name.trim() === '')
      throw new OptionError(`adapter is ${JSON.stringify(name)}: a part of a name is expected`);
    if (own) {
      throw new OptionError(
        `adapter is ${JSON.stringify(name)}: this runtime has a WebGPU of its own, which lets nobody choose an adapter by name`,
      );
    }
  }
  const adapter = name === undefined ? await best(own ?? (await dawn())) : await named(name);
  if (adapter) return adapter;
  throw new AdapterError(NO_ADAPTER);
}

const best = (gpu: GPU) => gpu.requestAdapter({ powerPreference: 'high-performance' });

/** Dawn tells names only where it finds none that has the text in it, and goes by case. */
async function named(name: string): Promise<GPUAdapter | null> {
  try {
    return await best(await dawn(name));
  } catch (error) {
    if (error instanceof AdapterError) throw error;
    const { message } = error as Error;
    const names = Array.from(message.matchAll(/^ \* backend: '.*', name: '(.*)'$/gm), ([, each]) => each);
    const meant = names.find((each) => each.toLowerCase().includes(name.toLowerCase()));
    if (meant !== undefined) return best(await dawn(meant));
    const found =
      names.length > 0 ? `there are ${names.map((each) => JSON.stringify(each)).join(', ')}` : message;
    throw new AdapterError(`no adapter has ${JSON.stringify(name)} in its name: ${found}`, { cause: error });
  }
}
