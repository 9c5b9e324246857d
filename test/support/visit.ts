import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import type { Browser, Page } from './browser.ts';
import { withFolder } from './folder.ts';

/** Where pictures go. */
const ARTEFACTS = 'test-artefacts';
const SIZES = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 360, height: 740 },
};
export const SCHEMES = ['light', 'dark'] as const;

/** Opens a page without a network. Whatever the browser says or asks for besides fails the test. */
export async function visit(
  browser: Browser,
  html: string,
  size: keyof typeof SIZES,
  scheme: (typeof SCHEMES)[number],
  run: (page: Page) => Promise<void>,
): Promise<void> {
  mkdirSync(ARTEFACTS, { recursive: true });
  await withFolder({ 'page.html': html }, async (folder) => {
    const url = pathToFileURL(join(folder, 'page.html')).href;
    await open(browser, url, { size, scheme, offline: true, allowed: (asked) => asked === url }, run);
  });
}

/** Keeps what is to be seen as a picture for people. Chromium refuses one while what has changed waits to be drawn for the first time. */
export async function photograph(page: Page, name: string): Promise<void> {
  const frame = () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  await page.evaluate(frame);
  await page.screenshot({ path: `${ARTEFACTS}/${name}.png` });
}

/** Opens a page of a server. Whatever the browser says, or asks of others, fails the test. @param expected what it may say */
export const visitUrl = (
  browser: Browser,
  url: string,
  size: keyof typeof SIZES,
  scheme: (typeof SCHEMES)[number],
  run: (page: Page) => Promise<void>,
  expected?: RegExp,
): Promise<void> =>
  open(
    browser,
    url,
    {
      size,
      scheme,
      offline: false,
      expected,
      allowed: (asked) => /^data:/.test(asked) || new URL(asked).origin === url,
    },
    run,
  );

interface Visit {
  readonly size: keyof typeof SIZES;
  readonly scheme: (typeof SCHEMES)[number];
  readonly offline: boolean;
  readonly expected?: RegExp;
  /** Whether the browser may ask for a URL. */
  allowed(url: string): boolean;
}

async function open(
  browser: Browser,
  url: string,
  { size, scheme, offline, expected, allowed }: Visit,
  run: (page: Page) => Promise<void>,
): Promise<void> {
  const complaints: string[] = [];
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: scheme,
    reducedMotion: 'reduce',
    offline,
    hasTouch: size === 'phone',
  });
  try {
    const page = await context.newPage();
    page.on('console', (message) => {
      if (!expected?.test(message.text())) complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!allowed(request.url())) complaints.push(`asks for ${request.url()}`);
    });
    await page.goto(url);
    await run(page);
  } finally {
    await context.close();
  }
  assert.equal(complaints, []);
}
