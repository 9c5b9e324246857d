import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { isAbsolute, join } from 'node:path';
import { isAllowed, RUNTIME } from '../base/runtime.ts';

/** What computes, but for the adapter. */
export function platform(): { system: string; runtime: string } {
  return { system: `${process.platform} ${process.arch}`, runtime: runtime() };
}

/** Whether it is known of a run before this one. */
export async function hasPassed(name: string, identity: string): Promise<boolean> {
  const file = fileOf(name);
  return file !== undefined && (await readFile(file, 'utf8').catch(() => '')) === identity;
}

export async function remember(name: string, identity: string): Promise<void> {
  const file = fileOf(name);
  if (file) await write(file, identity);
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
function fileOf(name: string): string | undefined {
  const folder = cacheFolder();
  return folder && join(folder, 'egps', `${name}.json`);
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
