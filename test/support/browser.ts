import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join, resolve } from 'node:path';
import { npm } from './npm.ts';

/** What the tests use of Playwright, whose own types come only with the package. */
export interface Browser {
  newContext(options: {
    viewport?: { width: number; height: number };
    colorScheme?: 'light' | 'dark';
    reducedMotion?: 'reduce';
    offline?: boolean;
    hasTouch?: boolean;
  }): Promise<Context>;
  /** Chromium's own protocol. */
  newBrowserCDPSession(): Promise<Protocol>;
  close(): Promise<void>;
}
interface Protocol {
  send(method: string, params?: object): Promise<unknown>;
}
export interface Context {
  newPage(): Promise<Page>;
  newCDPSession(page: Page): Promise<Protocol>;
  close(): Promise<void>;
}
export interface Page {
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  on(event: 'request', listener: (request: { url(): string }) => void): void;
  goto(url: string): Promise<unknown>;
  evaluate<A, R>(run: (argument: A) => R, argument: A): Promise<R>;
  evaluate<R>(run: () => R): Promise<R>;
  screenshot(options: { path: string }): Promise<unknown>;
  focus(selector: string): Promise<void>;
  hover(selector: string): Promise<void>;
  tap(selector: string): Promise<void>;
  click(selector: string, options?: { position: { x: number; y: number } }): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  waitForFunction(run: () => unknown, argument?: undefined, options?: { timeout: number }): Promise<unknown>;
  keyboard: { press(key: string): Promise<void> };
}

const folder = resolve('test/browser');
/** Where the package's Chromium is unpacked. */
const unpacked = join(folder, 'node_modules/.chromium');

/** What gives a page WebGPU on SwiftShader, which comes with the browser. */
export const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** Starts the system's Chromium or, where there is none, the one of test/browser's package, which is installed if it is missing. */
export async function launchBrowser(flags: readonly string[] = ['--disable-gpu']): Promise<Browser> {
  install();
  const system = systemChromium();
  if (!system) unpack();
  const env = { ...process.env };
  if (!system) {
    // Libraries and fonts that a bare system lacks; its own fonts come first.
    env.LD_LIBRARY_PATH = [join(unpacked, 'al2023/lib'), process.env.LD_LIBRARY_PATH]
      .filter(Boolean)
      .join(':');
    env.FONTCONFIG_FILE = join(unpacked, 'fonts.conf');
  }
  const { chromium } = createRequire(`${folder}/`)('playwright-core');
  return chromium.launch({
    executablePath: system ?? join(unpacked, 'chromium'),
    // Pages of our own alone; the sandbox does not start for root.
    args: ['--no-sandbox', ...flags],
    env,
  });
}

function systemChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((path) => join(path, name)))
    .find((path) => existsSync(path));
}

/** In a folder of its own at first, as below: two tests may get here at the same time. */
function install(): void {
  const modules = join(folder, 'node_modules');
  if (existsSync(join(modules, 'playwright-core'))) return;
  mkdirSync('test-artefacts', { recursive: true });
  const scratch = mkdtempSync(resolve('test-artefacts/browser-'));
  for (const file of ['package.json', 'package-lock.json'])
    copyFileSync(join(folder, file), join(scratch, file));
  npm('ci', scratch);
  moveUnlessThere(join(scratch, 'node_modules'), modules);
  rmSync(scratch, { recursive: true });
}

/** @throws what `renameSync` does, but where another process was faster */
function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
    rmSync(from, { recursive: true });
  }
}

/** In a folder of its own at first, so that what is cut short is not taken for whole. */
function unpack(): void {
  if (existsSync(unpacked)) return;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('no chromium, chromium-browser or google-chrome on PATH: install one of them');
  }
  const scratch = mkdtempSync(`${unpacked}-`);
  const script = "require('@sparticuz/chromium').executablePath()";
  // The package unpacks to the temporary folder, and its libraries only where it takes them to be needed.
  const env = { ...process.env, TMPDIR: scratch, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' };
  const run = spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8', env });
  if (run.status !== 0) throw new Error(`Chromium cannot be unpacked: ${run.stderr}`);
  const directories = ['/usr/share/fonts', join(unpacked, 'fonts')].map((path) => `<dir>${path}</dir>`);
  writeFileSync(
    join(scratch, 'fonts.conf'),
    `<fontconfig>${directories.join('')}<cachedir>${join(unpacked, 'cache')}</cachedir></fontconfig>\n`,
  );
  moveUnlessThere(scratch, unpacked);
}
