/** The page of examples/browser, built and used as its readers do. */
import { existsSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from './browser.ts';
import { npm } from './npm.ts';

const folder = resolve('examples/browser');

/** Builds the page by Vite, which is installed where it is missing. */
export function buildExample(outDir: string): void {
  const modules = join(folder, 'node_modules');
  if (!existsSync(join(modules, 'vite'))) npm('ci', folder);
  const own = join(modules, 'egps');
  if (!existsSync(own)) {
    rmSync(own, { force: true });
    symlinkSync(resolve('.'), own, 'junction');
  }
  npm(`run build -- --outDir "${resolve(outDir)}" --emptyOutDir`, folder);
}

/** Of what was built the scripts, by their names without the hash. */
export function scriptsIn(outDir: string): Record<string, string> {
  const files = readdirSync(join(outDir, 'assets')).filter((file) => file.endsWith('.js'));
  return Object.fromEntries(
    files.map((file) => [file.replace(/-.{8}\.js$/, ''), join(outDir, 'assets', file)]),
  );
}

/** What the page shows. */
export interface Shown {
  readonly adapter: string;
  readonly error: string;
  readonly warnings: string;
  readonly tokens: number[];
  readonly logProbability: number;
  /** What the answer took. */
  readonly seconds: number;
  readonly answer: string;
}

/** Once the page has done what it was told to. */
export async function settled(page: Page): Promise<Shown> {
  const isSettled = () => document.querySelector('main')?.ariaBusy === 'false';
  await page.waitForFunction(isSettled, undefined, { timeout: 240_000 });
  return page.evaluate(() => {
    const element = (selector: string) => document.querySelector(selector) as HTMLElement;
    const { tokens = '', logProbability, seconds } = element('#answer').dataset;
    const text = (selector: string) =>
      element(selector).hidden ? '' : (element(selector).textContent ?? '');
    return {
      adapter: text('#adapter'),
      error: text('#error').trim(),
      warnings: text('#warnings'),
      tokens: tokens.split(',').map(Number),
      logProbability: Number(logProbability),
      seconds: Number(seconds),
      answer: text('#answer'),
    };
  });
}

/** Has the page begin to answer. */
export async function begin(page: Page, options: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, value] of Object.entries(options)) await page.fill(`[name=${name}]`, String(value));
  await page.click('#go');
}

/** Has the page answer. */
export async function ask(page: Page, options: Readonly<Record<string, number>>): Promise<Shown> {
  await begin(page, options);
  return settled(page);
}
