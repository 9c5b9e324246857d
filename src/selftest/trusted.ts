import { shaders } from '#runtime/gpu/shaders';
import { hasPassed, platform, remember } from '#runtime/selftest/passed';
import { KernelError } from '../base/errors.ts';
import { sha256 } from '../base/sha256.ts';
import type { Gpu } from '../gpu/device.ts';
import {
  type KernelCheck,
  quickKeysTest,
  quickQuantizedTest,
  quickSelfTest,
  quickTuning,
} from './self-test.ts';

type Test = (gpu: Gpu) => Promise<readonly KernelCheck[]>;

/** Under way or passed in this process, by identity. */
const inProcess = new Map<string, Promise<void>>();

/**
 * Lets an adapter pass that computes rightly. It is tested once for each adapter, driver, runtime and set of shaders: what has passed is
 * remembered in the user's cache folder or the browser's cache, or where there is none as long as the process lives.
 * @throws KernelError
 */
export async function trust(
  gpu: Gpu,
  test: Test = quickSelfTest,
  passed: Map<string, Promise<void>> = inProcess,
): Promise<void> {
  const identity = await identityOf(gpu, test);
  let passing = passed.get(identity);
  if (!passing) {
    passing = pass(gpu, identity, test);
    passed.set(identity, passing);
    passing.catch(() => passed.delete(identity));
  }
  await passing;
}

/** @throws KernelError for the first kernel that is wrong */
export function refuseWrong({ adapter }: Pick<Gpu, 'adapter'>, checks: readonly KernelCheck[]): void {
  const wrong = checks.find(({ right }) => !right);
  if (!wrong) return;
  const { kernel, form, error, bound } = wrong;
  throw new KernelError(adapter.description, form ? `${kernel} (${form})` : kernel, error, bound);
}

/** The same for models with codes for weights. @throws KernelError */
export const trustQuantized = (gpu: Gpu): Promise<void> => trust(gpu, quickQuantizedTest);

/** The same with keys and values in bf16. @throws KernelError */
export const trustKeys = (gpu: Gpu): Promise<void> => trust(gpu, quickKeysTest);

async function pass(gpu: Gpu, identity: string, test: Test): Promise<void> {
  const name = `adapter-${(await sha256(identity)).slice(0, 16)}`;
  if (await hasPassed(name, identity)) return;
  refuseWrong(gpu, await test(gpu));
  await remember(name, identity).catch(() => {}); // then it is tested again next time
}

/** All that a kernel's results may depend on. Neither Dawn nor Deno tells of a driver more than its name and, in the description, its version. */
async function identityOf(gpu: Gpu, test: Test): Promise<string> {
  const { vendor, architecture, device, description } = gpu.device.adapterInfo;
  const identity = {
    adapter: { vendor, architecture, device, description },
    ...platform(),
    kernels: quickTuning(gpu),
    shaders: await sha256(JSON.stringify(shaders)),
    ...(test === quickQuantizedTest && { weights: 'codes' }),
    ...(test === quickKeysTest && { keys: 'bf16' }),
  };
  return `${JSON.stringify(identity, null, 2)}\n`;
}
