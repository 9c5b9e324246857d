// A software Vulkan driver without root: eval "$(node scripts/swiftshader.mjs)" fetches SwiftShader where it is missing and has this
// shell's programs use it. Of all drivers it is the slowest; it comes with a package of Chromium, for Linux with glibc on x64 only.
import { spawnSync } from 'node:child_process';
import { copyFileSync, createReadStream, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import { hasSwiftShader } from './setup-plan.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'scripts', 'swiftshader');
/** Where the driver and the loader stay, and nothing else: the folder becomes part of LD_LIBRARY_PATH. */
const folder = join(root, '.swiftshader');
const DRIVER = 'vk_swiftshader_icd.json';
const FILES = [DRIVER, 'libvk_swiftshader.so', 'libvulkan.so.1'];

/** The variables that a process must start with to use the driver, which is fetched where it is missing. */
export async function swiftShader() {
  const { platform, arch } = process;
  const glibc = process.report.getReport().header.glibcVersionRuntime;
  if (!hasSwiftShader({ platform, arch, glibc })) {
    const libc = platform === 'linux' && glibc === undefined ? ' without glibc' : '';
    throw new Error(`SwiftShader comes for Linux with glibc on x64; this is ${platform} on ${arch}${libc}`);
  }
  if (!existsSync(folder)) await fetchDriver();
  const paths = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter((path) => path && path !== folder);
  return { LD_LIBRARY_PATH: [folder, ...paths].join(':'), VK_DRIVER_FILES: join(folder, DRIVER) };
}

/** In a folder of its own at first, so that what is cut short is not taken for whole. */
async function fetchDriver() {
  const scratch = mkdtempSync(`${folder}-`);
  try {
    for (const file of ['package.json', 'package-lock.json', '.npmrc'])
      copyFileSync(join(source, file), join(scratch, file));
    console.error('swiftshader: fetching the npm package @sparticuz/chromium (67 MB) for the driver in it');
    const npm = spawnSync('npm', ['ci', '--ignore-scripts'], { cwd: scratch, stdio: ['ignore', 2, 2] });
    if (npm.status !== 0) throw new Error('npm ci failed');
    const archive = join(scratch, 'node_modules/@sparticuz/chromium/bin/swiftshader.tar.br');
    const driver = join(scratch, 'driver');
    const { extract } = createRequire(archive)('tar-fs');
    const ignore = (file) => file !== driver && !FILES.includes(basename(file));
    await pipeline(
      createReadStream(archive),
      createBrotliDecompress(),
      extract(driver, { ignore, chown: false }),
    );
    try {
      renameSync(driver, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error; // another process was faster
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
    const variables = Object.entries(await swiftShader()).map(([name, value]) => `${name}=${quoted(value)}`);
    if (process.stdout.isTTY)
      console.error('swiftshader: it is used by a shell in which this line was typed:');
    console.log(`export ${variables.join(' ')}`);
  } catch (error) {
    console.error(`swiftshader: ${error.message}`);
    process.exitCode = 1;
  }
}
