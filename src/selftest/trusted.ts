import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { isAbsolute, join } from 'node:path';
import { KernelError } from '../base/errors.ts';
import { isAllowed, RUNTIME } from '../base/runtime.ts';
import type { Gpu } from '../gpu/device.ts';
import { shaders } from '../gpu/shaders.ts';
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
 * remembered in the user's cache folder, or where there is none as long as the process lives.
 * @throws KernelError
 */
export async function trust(
  gpu: Gpu,
  test: Test = quickSelfTest,
  passed: Map<string, Promise<void>> = inProcess,
): Promise<void> {
  const identity = identityOf(gpu, test);
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
  const file = fileOf(identity);
  if (file && (await readFile(file, 'utf8').catch(() => '')) === identity) return;
  refuseWrong(gpu, await test(gpu));
  if (file) await write(file, identity).catch(() => {}); // then it is tested again next time
}

/** All that a kernel's results may depend on. Neither Dawn nor Deno tells of a driver more than its name and, in the description, its version. */
function identityOf(gpu: Gpu, test: Test): string {
  const { vendor, architecture, device, description } = gpu.device.adapterInfo;
  const hash = createHash('sha256').update(JSON.stringify(shaders)).digest('hex');
  const identity = {
    adapter: { vendor, architecture, device, description },
    system: `${process.platform} ${process.arch}`,
    runtime: runtime(),
    kernels: quickTuning(gpu),
    shaders: hash,
    ...(test === quickQuantizedTest && { weights: 'codes' }),
    ...(test === quickKeysTest && { keys: 'bf16' }),
  };
  return `${JSON.stringify(identity, null, 2)}\n`;
}

/** What compiles the shaders. */
function runtime(): string {
  const own = `${RUNTIME} ${process.versions[RUNTIME]}`;
  if (RUNTIME === 'deno') return own;
  try {
    // A bundle in CommonJS has no `import.meta`.
    const require = createRequire(import.meta.url ?? join(process.cwd(), 'package.json'));
    return `${own}, webgpu ${require('webgpu/package.json').version}`;
  } catch {
    return own;
  }
}

/** Of what has passed, a file each; undefined where there is no place for it. */
function fileOf(identity: string): string | undefined {
  const folder = cacheFolder();
  const name = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  return folder && join(folder, 'egps', `adapter-${name}.json`);
}

function cacheFolder(): string | undefined {
  if (!(['env', 'read', 'write'] as const).every((name) => isAllowed({ name }))) return;
  const { env, platform } = process;
  const home = (name: string, ...rest: string[]) => (env[name] ? join(env[name], ...rest) : undefined);
  if (platform === 'win32') return home('LOCALAPPDATA');
  if (platform === 'darwin') return home('HOME', 'Library', 'Caches');
  const folder = env.XDG_CACHE_HOME;
  return folder && isAbsolute(folder) ? folder : home('HOME', '.cache');
}

/** Whole or not at all: others may be reading it. */
async function write(file: string, text: string): Promise<void> {
  const part = `${file}.${process.pid}`;
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(part, text);
  await rename(part, file);
}
