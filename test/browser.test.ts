/** The library under the conditions of a browser. More in Chromium, which takes minutes: `npm run browser`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { generate } from '../src/api/generate.ts';
import { loadModel } from '../src/api/load-model.ts';
import { addressIn } from '../src/api/open-model.browser.ts';
import { AdapterError, OptionError } from '../src/base/errors.ts';
import { dawn, withoutWebGpu } from '../src/gpu/dawn.browser.ts';
import { shaders as plain } from '../src/gpu/shaders.browser.ts';
import { shaders } from '../src/gpu/shaders.ts';
import { hasPassed, remember } from '../src/selftest/passed.browser.ts';
import { launchBrowser, type Page, WEBGPU } from './support/browser.ts';
import { withCaches } from './support/caches.ts';
import { ask, buildExample, scriptsIn, settled } from './support/example.ts';
import { failure } from './support/folder.ts';
import { test } from './support/suite.ts';
import { withServer } from './support/web-server.ts';

const OUT = 'test-artefacts/browser-example';
/** Bytes, minified, of all that is fetched to load a plain model and generate: the self-test and the library for tokenizers among them. */
const MOST = 250_000;
/** What only some models need: a library for chat templates, the reading of quantised weights. */
const LATER = /(jinja|methods)-/;

const sources = (readdirSync('src', { recursive: true }) as string[])
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'));

test('what depends on the runtime has one form for browsers, which exports the same', async () => {
  const imported = sources.flatMap((file) =>
    Array.from(readFileSync(`src/${file}`, 'utf8').matchAll(/from '#runtime\/([^']*)'/g), ([, path]) => path),
  );
  const paths = [...new Set(imported)].sort();
  assert.ok(paths.length > 4, `${paths}`);
  const browsers = sources.filter((file) => file.endsWith('.browser.ts'));
  assert.equal(browsers.sort(), paths.map((path) => `${path}.browser.ts`).sort());
  for (const path of paths) {
    const [own, other] = await Promise.all(
      [`../src/${path}.js`, `../src/${path}.browser.js`].map((file) => import(file)),
    );
    await other.ready?.();
    for (const name of importedFrom(path)) {
      assert.is(typeof other[name], typeof own[name], `${path}: ${name}`);
      assert.ok(name in other, `${path}.browser.ts: ${name}`);
    }
  }
  for (const file of ['deno.json', 'jsr.json']) {
    const { imports } = JSON.parse(readFileSync(file, 'utf8'));
    for (const path of paths) assert.is(imports[`#runtime/${path}`], `./src/${path}.ts`, file);
  }
});

/** What is imported by any source from a module that depends on the runtime. */
function importedFrom(path: string): Set<string> {
  const pattern = new RegExp(`(?:import|export) \\{([^}]*)\\} from '#runtime/${path}'`, 'g');
  const lists = sources.flatMap((file) =>
    Array.from(readFileSync(`src/${file}`, 'utf8').matchAll(pattern), ([, list]) => list.split(',')),
  );
  return new Set(
    lists
      .flat()
      .map((name) => name.trim())
      .filter((name) => name && !name.startsWith('type ')),
  );
}

/** Of WGSL: a word, a number, or an operator, the longest first. Where a space is missed two of them become one. */
const TOKEN = /\w+|<<=|>>=|&&|\|\||->|\+\+|--|<<|>>|[-+*/%&|^=!<>]=|\S/g;

test('the shaders for browsers are the others without comments', () => {
  assert.equal(Object.keys(plain), Object.keys(shaders));
  const tokens = (text: string) => text.replace(/\/\/.*/g, '').match(TOKEN);
  for (const [name, source] of Object.entries(plain)) {
    assert.equal(tokens(source), tokens(shaders[name as keyof typeof shaders]), name);
    assert.not.match(source, /\/\/|^ |\n\n| (?=[(){};,:])/m, name);
  }
});

test('bundled for a browser the library needs nothing of Node and nothing heavy, and is small', async () => {
  const { build } = await import('esbuild');
  const { metafile, warnings } = await build({
    stdin: { contents: "export { generate, loadModel } from 'egps';", resolveDir: '.' },
    bundle: true,
    minify: true,
    splitting: true,
    platform: 'neutral',
    conditions: ['browser'],
    format: 'esm',
    outdir: 'out',
    write: false,
    metafile: true,
  });
  assert.equal(warnings, []);
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs));
  const heavy = inputs.filter((file) =>
    /compute-engine|chart\.js|csv-parse|hono|valibot|src\/(report|eval|serve|cli)\//.test(file),
  );
  assert.equal(heavy, []);
  const outputs = Object.entries(metafile.outputs);
  const first = outputs.filter(([file]) => !LATER.test(file));
  assert.is(first.length, outputs.length - 2);
  const bytes = first.reduce((sum, [, output]) => sum + output.bytes, 0);
  assert.ok(bytes > 100_000 && bytes <= MOST, `${bytes} bytes`);
});

test('a browser fetches the reading of quantised weights for models that have them, whichever file says so', () => {
  for (const name of ['gptq-rows', 'awq-int4']) {
    // The modules that a browser has, but for the files.
    const script = `
      import { filesIn } from './dist/src/checkpoint/files.js';
      import { ModelFolder } from './dist/src/checkpoint/model-folder.js';
      import * as methods from './dist/src/checkpoint/quantization/methods.browser.js';
      for (const dir of ['models/abacus', 'test/fixtures/quantized/${name}']) {
        const folder = await ModelFolder.open(filesIn(dir));
        console.log(folder.quantized.size > 0, typeof methods.parseMethod);
        await folder.close();
      }`;
    const flags = ['--conditions=browser', '--input-type=module', '-e'];
    const told = execFileSync(process.execPath, [...flags, script], { encoding: 'utf8' });
    assert.equal(told.trim().split('\n'), ['false undefined', 'true function'], name);
  }
});

test('a model is named as under Node: by where it is, or by its name on the Hub', () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'location');
  Object.defineProperty(globalThis, 'location', {
    value: { href: 'https://a.org/x/y.html' },
    configurable: true,
  });
  try {
    for (const [model, address] of [
      ['./m', 'https://a.org/x/m'],
      ['/m/n/', 'https://a.org/m/n/'],
      ['https://b.org/m', 'https://b.org/m'],
      ['Qwen/Qwen2.5-0.5B', 'https://huggingface.co/Qwen/Qwen2.5-0.5B/resolve/main/'],
      ['gpt@refs/pr/1', 'https://huggingface.co/gpt/resolve/refs%2Fpr%2F1/'],
    ])
      assert.is(addressIn(model).href, address);
    assert.throws(
      () => addressIn('a/b/c'),
      (error: Error) => error instanceof OptionError,
    );
  } finally {
    if (before) Object.defineProperty(globalThis, 'location', before);
    else Reflect.deleteProperty(globalThis, 'location');
  }
});

test('without WebGPU it is said what to do, by the browser', async () => {
  const chrome = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0';
  for (const [browser, remedy] of [
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', /Firefox has it from 141 on/],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15',
      /Safari .*26/,
    ],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/130.0 Safari/604.1', /iOS .*26/],
    [`Mozilla/5.0 (X11; Linux x86_64) ${chrome} Safari/537.36`, /enable-unsafe-webgpu/],
    [`Mozilla/5.0 (Linux; Android 10; K) ${chrome} Mobile Safari/537.36`, /on Android from 121/],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 Edg/112.0`, /from 113 on/],
    ['Lynx/2.9', /Chrome, Edge, Safari 26 and Firefox 141/],
  ] as const)
    assert.match(withoutWebGpu(browser, true), remedy);
  assert.match(withoutWebGpu('Chrome/150', false), 'it did not come over https');
  Object.assign(globalThis, { isSecureContext: true });
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'Lynx/2.9' }, configurable: true });
  try {
    await failure(AdapterError, /this browser has no WebGPU/, dawn);
  } finally {
    Reflect.deleteProperty(globalThis, 'isSecureContext');
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  }
});

test('an adapter that has passed its test is known again, where there is a cache', () =>
  withCaches(async (caches) => {
    assert.not(await hasPassed('a', 'one'));
    await remember('a', 'one');
    assert.ok(await hasPassed('a', 'one'));
    assert.not(await hasPassed('a', 'two'));
    caches.open = () => Promise.reject(new DOMException('none here', 'SecurityError'));
    assert.not(await hasPassed('a', 'one'));
  }));

/** Opens the example's page, as Vite has built it, in Chromium. */
async function inExample(flags: readonly string[], use: (page: Page) => Promise<void>): Promise<void> {
  await withServer({}, async (server) => {
    server.add('', OUT);
    const browser = await launchBrowser(flags);
    try {
      const context = await browser.newContext({
        viewport: { width: 1000, height: 800 },
        colorScheme: 'light',
      });
      const page = await context.newPage();
      page.on('pageerror', (error) => assert.unreachable(error.message));
      await page.goto(server.url.href);
      await use(page);
    } finally {
      await browser.close();
    }
  });
}

test('the page of the example is built by Vite, its worker in one script', () => {
  buildExample(OUT);
  const { worker, index } = scriptsIn(OUT);
  assert.ok(statSync(worker).size <= MOST, `${statSync(worker).size}`);
  assert.ok(statSync(index).size < 10_000);
  assert.ok(existsSync(`${OUT}/abacus/model.safetensors`));
});

test('in Chromium the page answers with the tokens of Node, for the same seed', async () => {
  const asked = { particles: 8, finalSteps: 2, seed: 3 };
  const model = await loadModel('models/abacus');
  const prompt = 'Mia has 28 coins. Mia finds 19. Mia gets 7. How many coins now?';
  const expected = await generate(model, prompt, { ...asked, seed: 3n });
  model.dispose();
  await inExample(WEBGPU, async (page) => {
    const { adapter, error } = await settled(page);
    assert.is(error, '');
    assert.match(adapter, /swiftshader \(computes on the CPU\)/);
    const { tokens, logProbability, answer, warnings, error: failed } = await ask(page, asked);
    assert.is(failed, '');
    assert.equal(tokens, [...expected.tokens]);
    assert.ok(Math.abs(logProbability - expected.logProbability) < 1e-4);
    assert.match(answer, /\\boxed\{54\}/);
    assert.is(warnings, '');
  });
});

test('in a Chromium without a GPU the page says what to do, and offers to try again', () =>
  inExample(['--disable-gpu'], async (page) => {
    const { error } = await settled(page);
    assert.match(
      error,
      /AdapterError\s+no WebGPU adapter found: .*hardware acceleration.*Load the model again/s,
    );
  }));

test.run();
