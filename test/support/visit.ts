import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import type { Browser, Page } from './browser.ts';
import { withFolder } from './folder.ts';

/** Where screenshots go. */
export const ARTEFACTS = 'test-artefacts';
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
  colorScheme: (typeof SCHEMES)[number],
  run: (page: Page) => Promise<void>,
): Promise<void> {
  mkdirSync(ARTEFACTS, { recursive: true });
  await withFolder({ 'page.html': html }, async (folder) => {
    const url = pathToFileURL(join(folder, 'page.html')).href;
    const complaints: string[] = [];
    const context = await browser.newContext({
      viewport: SIZES[size],
      colorScheme,
      reducedMotion: 'reduce',
      offline: true,
      hasTouch: size === 'phone',
    });
    try {
      const page = await context.newPage();
      page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('request', (request) => {
        if (request.url() !== url) complaints.push(`asks for ${request.url()}`);
      });
      await page.goto(url);
      await run(page);
    } finally {
      await context.close();
    }
    assert.equal(complaints, []);
  });
}
