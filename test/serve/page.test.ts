import * as assert from 'uvu/assert';
import { abacus } from '../../src/api/abacus.ts';
import { generate } from '../../src/api/generate.ts';
import { loadModel, type Model } from '../../src/api/load-model.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { type Serving, serve } from '../../src/serve/serve.ts';
import { SERVE_DEFAULTS } from '../../src/serve/settings.ts';
import { type Browser, launchBrowser, type Page } from '../support/browser.ts';
import { test } from '../support/suite.ts';
import { visitUrl } from '../support/visit.ts';

const PROBLEM = 'Mia has 12 shells. She finds 9. How many has she now?';
const KEY = 'open sesame';

let browser: Browser;
let model: Model & { tokenizer: Tokenizer };
let open: Serving;
let locked: Serving;

async function start(apiKey?: string): Promise<Serving> {
  const served = { model, name: 'a<b>c', adapter: 'an adapter', version: '1.0.0' };
  return serve(
    served,
    { ...SERVE_DEFAULTS, port: 0, apiKey, maxTokens: 256, cors: [], logPrompts: false },
    () => {},
  );
}

test.before(async () => {
  const loaded = await loadModel(abacus, { cachePositions: 16384 });
  assert.ok(loaded.tokenizer);
  model = Object.assign(loaded, { tokenizer: loaded.tokenizer });
  open = await start();
  locked = await start(KEY);
  browser = await launchBrowser();
});

test.after(async () => {
  await browser?.close();
  await open?.close();
  await locked?.close();
  model?.dispose();
});

/** Fills in the form and sends it by the keyboard. */
async function ask(page: Page, fields: Record<string, string>): Promise<void> {
  await page.evaluate((given) => {
    for (const [id, value] of Object.entries(given))
      (document.getElementById(id) as HTMLInputElement).value = value;
  }, fields);
  await page.focus('#problem');
  await page.keyboard.press('Control+Enter');
}

const seen = (page: Page) =>
  page.evaluate(() => {
    const text = (id: string) => {
      const element = document.getElementById(id) as HTMLElement;
      return element.hidden ? null : (element.textContent as string);
    };
    return {
      plain: text('plain-answer') as string,
      power: text('power-answer') as string,
      status: [text('plain-status'), text('power-status')],
      trouble: [text('plain-trouble'), text('power-trouble')],
      facts: text('power-facts') as string,
      shares: [...document.querySelectorAll('#answers td:nth-child(2)')].map((cell) =>
        Number.parseFloat(cell.textContent as string),
      ),
      lines: document.querySelectorAll('#tree .run').length,
      shades: new Set(
        [...document.querySelectorAll('#power-answer .token')].map(
          (token) => (token as HTMLElement).style.cssText,
        ),
      ).size,
      trace: (document.getElementById('power-trace') as HTMLAnchorElement).href,
      model: text('model'),
      focused: document.activeElement?.id,
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
  });

const bothReady = (page: Page) =>
  page.waitForFunction(() =>
    ['plain', 'power'].every((side) => !document.getElementById(`${side}-trace`)?.hidden),
  );

const QUICK = { problem: PROBLEM, particles: '16', steps: '3', max: '160', seed: '7' };

test('two answers come about side by side, and are those of the library with the same seed', () =>
  visitUrl(browser, open.url, 'phone', 'dark', async (page) => {
    await ask(page, QUICK);
    await bothReady(page);
    const found = await seen(page);
    const common = { seed: 7n, maxNewTokens: 160 };
    const plain = await generate(model, PROBLEM, { ...common, sampler: 'sample', temperature: 1 });
    const power = await generate(model, PROBLEM, {
      ...common,
      sampler: 'egps',
      particles: 16,
      finalSteps: 3,
      extract: 'boxed',
      pick: 'vote',
    });
    assert.is(found.plain, plain.text);
    assert.is(found.power, power.text);
    assert.equal(
      found.shares,
      power.answers?.slice(0, 8).map(({ probability }) => Number((100 * probability).toFixed(1))),
    );
    assert.match(found.facts, new RegExp(`log p${power.picked.logProbability.toFixed(1)} nats`));
    assert.ok(found.shades > 3, 'tokens are shaded by how unsure the model was');
    assert.ok(found.lines >= 1, 'a tree');
    assert.equal(found.trouble, [null, null]);
    assert.is(found.model, 'a<b>c on an adapter');
    assert.is(found.overflow, 0);
    assert.match(found.trace, /\/egps\/traces\/[0-9a-f-]{36}$/);
    await page.goto(found.trace);
    assert.is(
      await page.evaluate(() => document.querySelector('h1')?.textContent),
      'How this answer was drawn',
    );
    assert.ok(
      (await page.evaluate(() => document.querySelectorAll('#answer .token').length)) > 10,
      'its script runs',
    );
  }));

test('Escape stops the run on the server, too, and another can be asked for', () =>
  visitUrl(browser, open.url, 'desktop', 'light', async (page) => {
    await ask(page, { ...QUICK, steps: '5000' });
    await page.waitForFunction(() => document.querySelectorAll('#power-answer .token').length > 5);
    assert.is((await seen(page)).focused, 'stop');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.getElementById('power-status')?.textContent === 'Stopped.');
    assert.is((await seen(page)).focused, 'start');
    for (let i = 0; i < 500 && open.underWay > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.is(open.underWay, 0);
    await ask(page, QUICK);
    await bothReady(page);
  }));

test('what the server refuses is said where the answer would be', () =>
  visitUrl(
    browser,
    open.url,
    'desktop',
    'dark',
    async (page) => {
      await ask(page, { ...QUICK, max: '4000' });
      await page.waitForFunction(() => !document.getElementById('power-trouble')?.hidden);
      for (const said of (await seen(page)).trouble) assert.match(String(said), /max_tokens is 4000: /);
    },
    /status of 400/,
  ));

test('a server that asks for a key has the page ask for it', () =>
  visitUrl(
    browser,
    locked.url,
    'desktop',
    'light',
    async (page) => {
      await ask(page, QUICK);
      await page.waitForFunction(() => !document.getElementById('key-row')?.hidden);
      assert.is((await seen(page)).focused, 'key');
      await ask(page, { ...QUICK, key: KEY });
      await bothReady(page);
    },
    /status of 401/,
  ));

test.run();
