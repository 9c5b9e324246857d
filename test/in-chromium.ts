/**
 * `npm run browser`: the page of examples/browser in Chromium against Node, both on SwiftShader. That the answers are the same in every bit,
 * how fast they come, whether the page stays responsive, and what becomes of a lost device and of a tab that is put to sleep. It takes
 * minutes, most of them to compile kernels.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { generate } from '../src/api/generate.ts';
import { loadModel } from '../src/api/load-model.ts';
import { type Browser, type Context, launchBrowser, type Page, WEBGPU } from './support/browser.ts';
import { ask, begin, buildExample, settled } from './support/example.ts';
import { WebServer } from './support/web-server.ts';

const OUT = 'test-artefacts/browser-example';
const PROMPT = 'Mia has 28 coins. Mia finds 19. Mia gets 7. How many coins now?';
const ASKED = { particles: 8, finalSteps: 4, seed: 3 };
const RUNS = 3;

interface Run {
  readonly tokens: number[];
  readonly logProbability: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Answers whenever it is asked to, as a child that has been started on SwiftShader. */
async function answerAsChild(): Promise<void> {
  const model = await loadModel('models/abacus');
  assert.match(model.adapter.description, /swiftshader/i);
  process.on('message', async () => {
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    const options = { ...ASKED, seed: BigInt(ASKED.seed), extract: 'boxed' } as const;
    const { tokens, logProbability } = await generate(model, PROMPT, options);
    const seconds = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    process.send?.({ tokens: [...tokens], logProbability, seconds, cpuSeconds: (user + system) / 1e6 });
  });
}

/** What asks a child under Node. */
async function node(): Promise<{ answer(): Promise<Run>; end(): void }> {
  const { swiftShader } = await import(pathToFileURL('scripts/swiftshader.mjs').href);
  const env = { ...process.env, ...(await swiftShader()) };
  const child = fork(fileURLToPath(import.meta.url), ['child'], { env });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the child ended with ${code}`);
  });
  ended.catch(() => {});
  const answer = async () => {
    child.send('answer');
    const [run] = await Promise.race([once(child, 'message'), ended]);
    return run as Run;
  };
  return { answer, end: () => child.kill() };
}

async function answerInPage(page: Page): Promise<Run> {
  const cpu = cpuOf('chromium');
  const { error, tokens, logProbability, seconds } = await ask(page, ASKED);
  assert.is(error, '');
  return { tokens, logProbability, seconds, cpuSeconds: cpuOf('chromium') - cpu };
}

/** CPU seconds of those processes that descend from this one whose name begins so; Linux alone tells. */
function cpuOf(name: string): number {
  const processes = readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const [, own, rest] = /\((.*)\) (.*)/.exec(
          readFileSync(`/proc/${pid}/stat`, 'latin1'),
        ) as RegExpExecArray;
        const fields = rest.split(' ');
        const ticks = Number(fields[11]) + Number(fields[12]);
        return [{ pid: Number(pid), name: own, parent: Number(fields[1]), ticks }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  const ours = new Set([process.pid]);
  for (let before = 0; before < ours.size; ) {
    before = ours.size;
    for (const { pid, parent } of processes) if (ours.has(parent)) ours.add(pid);
  }
  const named = processes.filter((each) => ours.has(each.pid) && each.name.startsWith(name));
  return named.reduce((sum, { ticks }) => sum + ticks / 100, 0);
}

const opened = async (context: Context, url: string): Promise<Page> => {
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(error));
  await page.goto(url);
  assert.is((await settled(page)).error, '');
  return page;
};

/** Milliseconds of the tasks that held the page's own thread for more than 50 while it answered. */
async function longTasks(page: Page): Promise<number[]> {
  await page.evaluate(() => {
    const found: number[] = [];
    Object.assign(globalThis, { found });
    new PerformanceObserver((list) =>
      found.push(...list.getEntries().map(({ duration }) => duration)),
    ).observe({
      type: 'longtask',
    });
  });
  await ask(page, ASKED);
  return page.evaluate(() => (globalThis as unknown as { found: number[] }).found);
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const short = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(', ');

async function main(): Promise<void> {
  buildExample(OUT);
  const server = await WebServer.open();
  server.add('', OUT);
  const browser: Browser = await launchBrowser(WEBGPU);
  try {
    const context = await browser.newContext({});
    const begun = performance.now();
    const page = await opened(context, server.url.href);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const cpu = cpuOf('chromium').toFixed(1);
    console.log(`the model is loaded and the kernels tested after ${seconds} s, ${cpu} s of CPU`);

    const own = await node();
    const runs: { here: Run; there: Run }[] = [];
    for (let i = 0; i <= RUNS; i++) runs.push({ here: await own.answer(), there: await answerInPage(page) });
    own.end();
    const [{ here }] = runs;
    for (const run of runs.flatMap((each) => [each.here, each.there])) {
      assert.equal(run.tokens, here.tokens);
      assert.is(run.logProbability, here.logProbability);
    }
    console.log(`the same ${here.tokens.length} tokens and log p ${here.logProbability} as Node`);
    for (const [unit, of] of Object.entries({ s: 'seconds', 's of CPU': 'cpuSeconds' } as const)) {
      const [nodes, chromiums] = (['here', 'there'] as const).map((where) =>
        runs.slice(1).map((each) => each[where][of]),
      );
      const rate = mean(nodes) / mean(chromiums);
      console.log(
        `${unit} an answer, by turns: Node ${short(nodes)}, Chromium ${short(chromiums)}; its rate ${rate.toFixed(2)} of Node's`,
      );
    }

    const tasks = await longTasks(page);
    console.log(`tasks above 50 ms on the page's thread, the model in a worker: ${tasks.length}`);
    assert.is(tasks.length, 0, `${tasks}`);

    const tab = await context.newCDPSession(page);
    await begin(page, ASKED);
    await sleep(300);
    await tab.send('Page.setWebLifecycleState', { state: 'frozen' });
    await sleep(1500);
    await tab.send('Page.setWebLifecycleState', { state: 'active' });
    assert.equal((await settled(page)).tokens, here.tokens);
    console.log('a tab that is frozen for a while, and goes on: the same tokens');

    server.requests.length = 0;
    await begin(page, { ...ASKED, particles: 256 });
    await sleep(500);
    await (await browser.newBrowserCDPSession()).send('Browser.crashGpuProcess');
    const { error } = await settled(page);
    assert.match(error, /^DeviceLostError/);
    console.log(`the GPU's process crashes: ${error.replace(/\s+/g, ' ')}`);
    await page.click('#again');
    assert.is((await settled(page)).error, '');
    assert.equal((await ask(page, ASKED)).tokens, here.tokens);
    const fetched = server.requests.map(({ range }) => range);
    assert.ok(
      fetched.every((range) => range === 'bytes=0-65535'),
      `${fetched}`,
    );
    console.log('loaded again, from what the browser has kept: the same tokens');

    const inPage = await opened(context, `${server.url}?thread=page`);
    const there = await longTasks(inPage);
    console.log(
      `tasks above 50 ms with the model in the page itself: ${there.length}, the longest ${Math.max(0, ...there)} ms`,
    );
  } finally {
    await browser.close();
    await server.close();
  }
}

if (process.argv[2] === 'child') await answerAsChild();
else await main();
