import * as assert from 'uvu/assert';
import type { Verdict } from '../../src/eval/item.ts';
import { type Result, type RunCosts, type Timing, timingKeyOf } from '../../src/eval/result.ts';
import type { Plan } from '../../src/eval/run-folder.ts';
import { summarise } from '../../src/eval/summary.ts';
import type { EvalData } from '../../src/report/eval-data.ts';
import { type EvalPage, evalPage } from '../../src/report/eval-page.ts';
import { philox, uniform } from '../../src/sampling/random.ts';
import { type Browser, launchBrowser, type Page } from '../support/browser.ts';
import { test } from '../support/suite.ts';
import { photograph, SCHEMES, visit } from '../support/visit.ts';

/** Name, chance to be right and tokens drawn for one that is kept; what is graded beside the last state. */
const SAMPLERS: [sampler: string, skill: number, work: number, picks?: ('likeliest' | 'vote')[]][] = [
  ['greedy', 0.4, 1],
  ['sample:temperature=0.7', 0.36, 1],
  ['best-of-n:n=4', 0.44, 4],
  ['best-of-n:n=16', 0.46, 16],
  ['karan-du:steps=10', 0.55, 40],
  ['smc:particles=8', 0.5, 8],
  ['egps:final-steps=5', 0.52, 6],
  ['egps:final-steps=20', 0.6, 15],
  ['egps:final-steps=80', 0.66, 50],
];

/** Uniform numbers in a row, the same for each run. */
function draws(seed: number): () => number {
  let i = 0;
  return () => uniform(philox([i++, seed, 0, 0], [1, 2])[0]);
}

/** A run that might have been. */
function example(count: number, samplers: typeof SAMPLERS, samples = 1): EvalPage {
  const draw = draws(samples);
  const items = Array.from({ length: count }, (_, i) => {
    const [a, b] = [12 + Math.floor(80 * draw()), 12 + Math.floor(80 * draw())];
    return {
      id: `train/${String(i).padStart(3, '0')}`,
      prompt: `A crate holds ${a} apples, and ${b} crates are delivered. How many apples are there in all?\nPut the answer in \\boxed{}.`,
      answer: String(a * b),
    };
  });
  const results: Result[] = [];
  const timings: Timing[] = [];
  const clocks = samplers.map(() => 0);
  for (const { id, answer } of items) {
    const ease = draw() - 0.5;
    for (const [s, [sampler, skill, work, more = []]] of samplers.entries()) {
      for (let sample = 0; sample < samples; sample++) {
        const proposed = /^(egps|karan)/.test(sampler) ? 4 + Math.floor(work) : 0;
        const moves = { proposed, accepted: Math.floor(proposed * draw() * 0.7), held: 0 };
        for (const [p, pick] of (['last', ...more] as const).entries()) {
          const luck = draw();
          const right = luck < skill + 0.12 * p + 0.9 * ease;
          const long = draw() < 0.04;
          const none = !right && (long || draw() < 0.1);
          const verdict: Verdict = right
            ? 'right'
            : none
              ? draw() < 0.2
                ? 'timed out'
                : 'no answer'
              : 'wrong';
          const said = right ? answer : none ? null : String(Number(answer) + 1 + Math.floor(9 * draw()));
          const tokens = long ? 512 : Math.floor(40 + 220 * draw() * draw() + 140 * draw());
          const text = `Each crate holds the same number, so I multiply.\n${'We check the product once more. '.repeat(Math.floor(tokens / 12))}\nThe answer is ${said === null ? 'not clear to me' : `\\boxed{${said}}`}.`;
          results.push({
            item: id,
            sampler,
            pick,
            sample,
            verdict,
            answer: said,
            text,
            tokens,
            finish: long ? 'length' : 'eos',
            logp: -0.35 * tokens * (1.2 - skill) - draw(),
            mass: more.length > 0 && p === 0 ? Math.min(1, skill * (0.5 + draw())) : null,
            overSteps: null,
            moves,
          });
          if (p > 0) continue;
          const drawnTokens = Math.round(tokens * work * (work > 1 ? 0.7 + 0.4 * draw() : 1));
          const computedRows = Math.round(tokens * work ** 0.6);
          const sequentialPasses = Math.round(tokens * work ** 0.3);
          const drafted = work > 1 ? Math.round(computedRows / 4) : 0;
          const seconds = 0.02 * sequentialPasses + 0.001 * computedRows;
          timings.push({
            item: id,
            sampler,
            sample,
            process: 'a',
            began: clocks[s],
            ended: clocks[s] + seconds,
            graded: 0,
            costs: {
              drawnTokens,
              computedRows,
              draftedRows: drafted,
              usedDrafts: Math.round(0.6 * drafted),
              sequentialPasses,
              abandoned: 0,
            },
          });
          clocks[s] += 0.8 * seconds;
        }
      }
    }
  }
  return pageOf(items, samplers, results, timings, samples);
}

function pageOf(
  items: EvalPage['items'],
  samplers: typeof SAMPLERS,
  results: Result[],
  timings: Timing[],
  samples: number,
  task = 'crates',
): EvalPage {
  const run = {
    task,
    model: 'abacus-0.2m',
    adapters: ['A quick adapter (Vulkan)'],
    concurrency: [32],
    versions: { egps: '1.2.3', node: '20.1.0' },
    seed: '7',
    samples,
    items: items.length,
    promptStyle: 'completion',
    badLines: 0,
  };
  return {
    summary: summarise(run, planned(samplers), results, timings),
    items,
    results,
    timings,
    trace: ({ item, sampler, sample }) =>
      sampler.startsWith('egps')
        ? `traces/${encodeURIComponent(`${item} ${sampler} ${sample}`)}.html`
        : undefined,
  };
}

function planned(samplers: typeof SAMPLERS): Plan['samplers'] {
  return samplers.map(([sampler, , , more = []]) => ({
    sampler,
    options: { alpha: 4, maxNewTokens: 512, seed: 7n },
    chain: sampler,
    picks: ['last', ...more],
  }));
}

const crates = example(60, SAMPLERS);
const one = crates.results[0];

function embedded(html: string): EvalData {
  const found = /<script type="application\/json" id="run">(.*?)<\/script>/s.exec(html);
  assert.ok(found, 'the page holds its data');
  return JSON.parse(found[1]);
}

/** Text of the first response to the first item. */
function textOf(html: string): string | undefined {
  const [{ responses, texts }] = embedded(html).items;
  return texts[responses[0][0]?.text ?? -1]?.text;
}

test('the page needs nothing but itself', () => {
  const html = evalPage(crates);
  const addresses = html.match(/https?:\/\/[^\s"'`)]*/g) ?? [];
  // A namespace, and who wrote the chart's library.
  assert.equal([...new Set(addresses)].sort(), [
    'http://www.w3.org/2000/svg',
    'https://github.com/kurkle/color#readme',
    'https://www.chartjs.org',
  ]);
  assert.not.match(
    html,
    /<(link|img|iframe|object|embed)\b|\bsrc="|@import|url\((?!#)|\bimport\(|fetch\(|sourceMapping/,
  );
  assert.match(html, /Content-Security-Policy" content="default-src 'none';/);
});

test('no text of the run can end the script that holds it', () => {
  const evil = '</script><script>alert(1)</script><!--';
  const html = evalPage({
    ...crates,
    items: crates.items.map((item) => ({ ...item, prompt: evil, answer: evil })),
    results: crates.results.map((result) => ({ ...result, text: evil, answer: evil })),
  });
  const count = (text: string) => text.match(/<\/?script|<!--/gi)?.length;
  assert.is(count(html), count(evalPage(crates)));
  assert.is(embedded(html).items[0].prompt, evil);
  assert.is(textOf(html), evil);
});

test('of a long response the page holds the end', () => {
  const text = `${'x'.repeat(900)}😀${'y'.repeat(3999)}`;
  const [long] = embedded(evalPage({ ...crates, results: [{ ...one, text }] })).items;
  assert.equal(long.texts, [{ text: 'y'.repeat(3999), left: 902 }]);
  const [short] = embedded(evalPage({ ...crates, results: [one] })).items;
  assert.equal(short.texts, [{ text: one.text, left: 0 }]);
});

test('the first of equal lines counts, and strangers do not', () => {
  const twice = [
    one,
    { ...one, text: 'another' },
    { ...one, item: 'unknown' },
    { ...one, sampler: 'unknown' },
  ];
  const { items } = embedded(evalPage({ ...crates, results: [...twice, { ...one, sample: 1 }] }));
  const there = items.flatMap(({ responses }) => responses.flat()).filter((response) => response !== null);
  assert.is(there.length, 1);
  assert.equal(
    items.flatMap(({ texts }) => texts),
    [{ text: one.text, left: 0 }],
  );
});

/** What the page says of samplers with these verdicts, r or w an item, and computed rows; verdicts of a vote beside them. */
function findings(
  samplers: [name: string, verdicts: string, computedRows: number, votes?: string][],
  badLines = 0,
): string[] {
  const length = Math.max(...samplers.map(([, verdicts]) => verdicts.length));
  const items = Array.from({ length }, (_, i) => ({ id: String(i), prompt: '', answer: '' }));
  const results = samplers.flatMap(([sampler, verdicts, , votes = '']) =>
    [verdicts, votes].flatMap((letters, p) =>
      [...letters].map((letter, i): Result => {
        const verdict = letter === 'r' ? 'right' : 'wrong';
        return { ...one, item: String(i), sampler, pick: p === 0 ? 'last' : 'vote', verdict };
      }),
    ),
  );
  const [timing] = crates.timings;
  const timings = samplers.flatMap(([sampler, verdicts, computedRows]) =>
    [...verdicts].map((_, i): Timing => {
      return { ...timing, item: String(i), sampler, costs: { ...timing.costs, computedRows } };
    }),
  );
  const named = samplers.map(([name, , , votes]): (typeof SAMPLERS)[number] => [
    name,
    0,
    0,
    votes === undefined ? [] : ['vote'],
  ]);
  const page = pageOf(items, named, results, timings, 1);
  const { run } = page.summary;
  return embedded(evalPage({ ...page, summary: { ...page.summary, run: { ...run, badLines } } })).findings;
}

test('what was found', () => {
  const best = 'Most accurate: best, right on 90.0 % of 20 items (95 % interval 69.9 % to 97.2 %).';
  const near = 'rrrrrrrrrrrrrrrwwwww';
  const bad = `rr${'w'.repeat(18)}`;
  const good = `${'r'.repeat(18)}ww`;
  // 18 against 15 differ on three items, all one way: p = 2 / 2³.
  const told =
    'Cheapest that these items cannot tell from it: near, 75.0 % with 25.0 % of its computed rows (McNemar’s p = 0.25; that is no proof that the two are equal).';
  assert.equal(
    findings([
      ['best', good, 400],
      ['near', near, 100],
      ['nearer', near, 200],
      ['bad', bad, 50],
    ]),
    [best, told],
  );
  assert.equal(
    findings([
      ['bad', bad, 50],
      ['equal, but dearer', good, 500],
      ['best', good, 400],
    ]),
    [best, 'All that compute fewer rows are significantly less accurate (McNemar’s p < 0.05).'],
  );
  assert.equal(
    findings([
      ['best', good, 400],
      ['near', near, 400],
    ]),
    [best, 'No other computes fewer rows.'],
  );
  assert.equal(findings([['best', good, 400]], 2), ['2 lines of the task’s file could not be read.', best]);
  // A vote is compared with no other sampler, and is said of beside the samples.
  const voted =
    'Most accurate of the picks, which are no samples: best · vote, right on 100.0 % of 20 items (95 % interval 83.9 % to 100.0 %).';
  assert.equal(findings([['best', good, 400, 'r'.repeat(20)]]), [best, voted]);
  assert.equal(findings([['best', good, 400, near]]), [best]);
  const partial =
    'Not finished: 20 of 40 responses are there, and the samplers may stand on different items.';
  assert.equal(
    findings([
      ['best', good, 400],
      ['late', '', 1],
    ]),
    [partial, best],
  );
  assert.equal(embedded(evalPage(pageOf(crates.items, SAMPLERS, [], [], 1))).findings, [
    'Not finished: 0 of 540 responses are there, and the samplers may stand on different items.',
    'No item is graded yet.',
  ]);
});

// In a browser.

let browser: Browser;

test.before(async () => {
  browser = await launchBrowser();
});
test.after(() => browser?.close());

/** Sets fields, as someone would who uses them. */
function fill(page: Page, values: Record<string, string>): Promise<void> {
  return page.evaluate((values) => {
    for (const [id, value] of Object.entries(values)) {
      const field = document.getElementById(id) as HTMLInputElement;
      field.value = value;
      for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, { bubbles: true }));
    }
  }, values);
}

/** Rows of a table as their cells' texts. */
function cells(page: Page, table: string): Promise<string[][]> {
  return page.evaluate(
    (id) =>
      Array.from(document.querySelectorAll<HTMLTableRowElement>(`#${id} tbody tr`), (row) =>
        Array.from(row.cells, (cell) => cell.textContent ?? ''),
      ),
    table,
  );
}

/** Which items are listed, and what stands around them. */
function listed(page: Page) {
  return page.evaluate(() => {
    const more = document.getElementById('more') as HTMLElement;
    return {
      ids: Array.from(document.querySelectorAll('#items .opener b'), (id) => id.textContent),
      count: document.getElementById('items-count')?.textContent,
      more: more.hidden ? null : more.textContent,
    };
  });
}

/** Of each canvas how many colours it shows, up to 9. */
function colours(page: Page): Promise<number[]> {
  return page.evaluate(() =>
    Array.from(document.querySelectorAll('canvas'), (canvas) => {
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Set<number>();
      for (const pixel of new Uint32Array(data.buffer)) if (seen.size < 9) seen.add(pixel);
      return seen.size;
    }),
  );
}

/** How much wider than the window the page is. */
const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** Least contrast of a text with what is behind it, as WCAG 2 has it. */
function leastContrast(page: Page): Promise<{ ratio: number; where: string }> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
    const luminance = (layers: string[]) => {
      for (const layer of layers) {
        context.fillStyle = layer;
        context.fillRect(0, 0, 1, 1);
      }
      const pixel = context.getImageData(0, 0, 1, 1).data;
      const [r, g, b] = [0, 1, 2].map((i) => {
        const c = pixel[i] / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let least = { ratio: 21, where: '' };
    for (const element of document.querySelectorAll('body *:not(script, canvas, option, :disabled)')) {
      const isText = ({ nodeType, textContent }: ChildNode) => nodeType === 3 && textContent?.trim();
      if (!Array.from(element.childNodes).some(isText)) continue;
      const behind: string[] = [];
      for (let at: Element | null = element; at; at = at.parentElement) {
        behind.unshift(getComputedStyle(at).backgroundColor);
      }
      const both = [luminance([getComputedStyle(element).color]), luminance(behind)];
      const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
      if (ratio < least.ratio) least = { ratio, where: `${element.tagName} ${element.textContent}` };
    }
    return least;
  });
}

for (const scheme of SCHEMES) {
  for (const size of ['desktop', 'phone'] as const) {
    test(`the page: ${scheme}, ${size}`, async () => {
      await visit(browser, evalPage(crates), size, scheme, async (page) => {
        const seen = await colours(page);
        assert.is(seen.length, 1 + SAMPLERS.length);
        assert.ok(Math.min(...seen) > 3, `no chart is blank: ${seen} colours`);
        assert.is(await overflow(page), 0);
        await photograph(page, `eval-${scheme}-${size}`);
        for (const part of ['frontier', 'comparisons', 'lengths', 'filters', 'options']) {
          if (part === 'filters') await page.click('#items tbody tr:nth-child(3) .opener');
          await page.evaluate(
            (id) => document.getElementById(id)?.closest('section')?.scrollIntoView(),
            part,
          );
          await photograph(page, `eval-${scheme}-${size}-${part}`);
        }
        assert.is(await overflow(page), 0);
        const { ratio, where } = await leastContrast(page);
        assert.ok(ratio >= 4.5, `contrast ${ratio} of ${where}`);
      });
    });
  }
}

const letter = (i: number): string => String.fromCharCode(65 + i);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const bounds = (interval: readonly number[]): string =>
  `[${interval.map((bound) => (100 * bound).toFixed(1)).join(', ')}]`.replaceAll('-', '−');
const grouped = (n: number): string => String(n).replace(/(\d)(\d{3})$/, '$1\u2009$2');
/** Three digits, or all of a whole part. */
const amount = (value: number): string =>
  value >= 100 ? grouped(Math.round(value)) : String(Number(value.toPrecision(3))).replace('-', '−');
const accuracyIn = (one: { accuracy: number | null; interval: readonly number[] | null } | null): string =>
  percent(one?.accuracy as number) + bounds(one?.interval as number[]);

test('the numbers are those of the summary', async () => {
  await visit(browser, evalPage(crates), 'desktop', 'light', async (page) => {
    const { samplers, comparisons } = crates.summary;
    assert.equal(
      await cells(page, 'samplers'),
      samplers.map((one, i) => [
        `${letter(i)}${one.sampler}`,
        accuracyIn(one),
        ...[
          one.drawnTokens,
          one.sequentialPasses,
          one.computedRows,
          one.wallSeconds,
          one.draftedRows,
          one.usedDrafts,
          one.length,
          one.logp,
        ].map((value) => amount(value as number)),
        one.acceptance === null ? '–' : percent(one.acceptance),
        String(one.noAnswer),
        String(one.timedOut),
        percent(one.cutAtHorizon as number),
      ]),
    );
    const marked = await page.evaluate(() =>
      Array.from(document.querySelectorAll('#samplers tbody tr'), (row) =>
        [3, 4, 5].map((i) => row.children[i].className === 'on-frontier'),
      ),
    );
    assert.equal(
      marked,
      samplers.map(({ frontier }) => [frontier.passes, frontier.rows, frontier.wall]),
    );

    // With the third sampler: the pairs in which it stands first are shown the other way round.
    await fill(page, { baseline: '2' });
    const { sampler } = samplers[2];
    const signed = (x: number) => `${x > 0 ? '+' : ''}${(100 * x).toFixed(1)}`.replace('-', '−');
    const expected = comparisons
      .filter(({ a, b }) => a === sampler || b === sampler)
      .map(({ a, b, items, both, neither, onlyA, onlyB, ...pair }) => {
        const difference = pair.difference as number;
        const interval = pair.interval as [number, number];
        const p = pair.p as number;
        const turned = a === sampler;
        const other = turned ? b : a;
        return [
          letter(samplers.findIndex(({ sampler }) => sampler === other)) + other,
          turned
            ? signed(-difference) + bounds([-interval[1], -interval[0]])
            : signed(difference) + bounds(interval),
          ...[items, turned ? onlyB : onlyA, turned ? onlyA : onlyB, both, neither].map(String),
          p < 0.001 ? '< 0.001' : p.toFixed(3),
        ];
      });
    assert.equal(await cells(page, 'comparisons'), expected);
    await fill(page, { baseline: 'all' });
    assert.is((await cells(page, 'comparisons')).length, comparisons.length);
  });
});

/** What the tests use of Chart.js in the page. */
interface Charts {
  Chart: {
    getChart(id: string): {
      getDatasetMeta(i: number): { data: { x: number; y: number }[] };
      tooltip: { title: string[]; body: { lines: string[] }[] };
    };
  };
}

test('each cost has its chart, and a point tells its numbers', async () => {
  await visit(browser, evalPage(crates), 'desktop', 'light', async (page) => {
    const label = () => page.evaluate(() => document.getElementById('frontier')?.getAttribute('aria-label'));
    const picture = () =>
      page.evaluate(() => (document.getElementById('frontier') as HTMLCanvasElement).toDataURL());
    assert.match(String(await label()), /against sequential passes/);
    const pictures = new Set([await picture()]);
    await page.focus('#costs input');
    for (const cost of ['computed rows', 'wall seconds']) {
      await page.keyboard.press('ArrowRight');
      assert.match(String(await label()), new RegExp(`against ${cost}`));
      pictures.add(await picture());
      await page.evaluate(() => document.getElementById('frontier')?.closest('section')?.scrollIntoView());
      await photograph(page, `eval-${cost.replace(' ', '-')}`);
    }
    assert.is(pictures.size, 3);
    const position = await page.evaluate(() => {
      const { Chart } = globalThis as unknown as Charts;
      const { x, y } = Chart.getChart('frontier').getDatasetMeta(0).data[0];
      return { x, y };
    });
    // A click takes the pointer there.
    await page.click('#frontier', { position });
    await page.waitForFunction(
      () => (globalThis as unknown as Charts).Chart.getChart('frontier').tooltip.body?.length > 0,
    );
    const told = await page.evaluate(() => {
      const { title, body } = (globalThis as unknown as Charts).Chart.getChart('frontier').tooltip;
      return [...title, ...body.flatMap(({ lines }) => lines)];
    });
    const [greedy] = crates.summary.samplers;
    assert.equal(told, [
      'A greedy',
      `accuracy ${percent(greedy.accuracy as number)} ${bounds(greedy.interval as number[])}`,
      `${greedy.right} right of 60 responses`,
      `sequential passes ${amount(greedy.sequentialPasses as number)}`,
      `computed rows ${amount(greedy.computedRows as number)}`,
      `wall seconds ${amount(greedy.wallSeconds as number)}`,
    ]);
    await photograph(page, 'eval-tooltip');
  });
});

/** The items on whose verdicts, one a sampler, and prompt something holds. */
function idsWhere(holds: (verdicts: Verdict[], prompt: string) => boolean): string[] {
  const verdictsOn = (id: string) =>
    crates.results.filter(({ item }) => item === id).map(({ verdict }) => verdict);
  return crates.items.filter(({ id, prompt }) => holds(verdictsOn(id), prompt)).map(({ id }) => id);
}

test('items are marked, listed page by page and filtered', async () => {
  await visit(browser, evalPage(crates), 'desktop', 'light', async (page) => {
    const all = idsWhere(() => true);
    assert.equal(await listed(page), {
      ids: all.slice(0, 50),
      count: '60 of 60 items',
      more: 'Show 10 more of 10',
    });
    await page.click('#more');
    assert.equal(await listed(page), { ids: all, count: '60 of 60 items', more: null });
    const symbols = { right: '✓', wrong: '✗', 'no answer': '∅', 'timed out': 'T', 'too long': 'L' };
    assert.equal(
      (await cells(page, 'items')).flatMap(([, ...marks]) => marks),
      crates.results.map(({ verdict }) => symbols[verdict]),
    );
    const kinds: [string, (verdicts: Verdict[]) => boolean][] = [
      ['right', (verdicts) => verdicts.every((verdict) => verdict === 'right')],
      ['wrong', (verdicts) => !verdicts.includes('right')],
      ['disagree', (verdicts) => new Set(verdicts.map((verdict) => verdict === 'right')).size === 2],
    ];
    for (const [kind, holds] of kinds) {
      await fill(page, { 'filter-kind': kind });
      const expected = idsWhere(holds);
      assert.ok(expected.length > 0 && expected.length < 60, kind);
      const { ids, count } = await listed(page);
      assert.equal(ids, expected.slice(0, 50), kind);
      assert.is(count, `${expected.length} of 60 items`);
    }
    await fill(page, { 'filter-kind': 'all', 'filter-text': ' 41 APPLES' });
    const texts = idsWhere((_, prompt) => prompt.includes(' 41 apples'));
    assert.ok(texts.length > 0);
    assert.equal((await listed(page)).ids, texts);
    await fill(page, { 'filter-text': 'no such text' });
    assert.equal(await listed(page), { ids: [], count: '0 of 60 items', more: null });
    await page.click('#filters button');
    await page.waitForFunction(() => document.querySelectorAll('#items .opener').length === 50);
    await fill(page, { 'filter-sampler-1': '3', 'filter-verdict-1': 'no answer' });
    assert.equal(
      (await listed(page)).ids,
      idsWhere((verdicts) => verdicts[3] === 'no answer'),
    );
    await fill(page, {
      'filter-verdict-1': 'not right',
      'filter-sampler-2': '8',
      'filter-verdict-2': 'right',
    });
    assert.equal(
      (await listed(page)).ids,
      idsWhere((verdicts) => verdicts[3] !== 'right' && verdicts[8] === 'right'),
    );
  });
});

test('a count of a pair leads to its items', async () => {
  await visit(browser, evalPage(crates), 'desktop', 'dark', async (page) => {
    await fill(page, { 'filter-text': 'no such text', 'filter-kind': 'disagree' });
    await page.focus('#comparisons tbody tr:nth-child(8) td:nth-child(4) button');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelectorAll('#items .opener').length > 0);
    const { ids } = await listed(page);
    assert.is(ids.length, crates.summary.comparisons[7].onlyB);
    assert.equal(
      ids,
      idsWhere((verdicts) => verdicts[0] !== 'right' && verdicts[8] === 'right'),
    );
    await photograph(page, 'eval-pair');
  });
});

test('an item opens and closes by key, and tells all', async () => {
  await visit(browser, evalPage(crates), 'phone', 'light', async (page) => {
    await page.focus('#items .opener');
    await page.keyboard.press('Enter');
    const [{ id, prompt, answer }] = crates.items;
    const results = crates.results.filter(({ item }) => item === id);
    const costs = new Map(crates.timings.map((timing) => [timingKeyOf(timing), timing.costs]));
    const open = await page.evaluate(() => {
      const all = (selector: string) => Array.from(document.querySelectorAll<HTMLElement>(selector));
      return {
        expanded: document.querySelector('#items .opener')?.getAttribute('aria-expanded'),
        texts: all('.detail .text').map(({ textContent }) => textContent),
        said: all('.detail .said').map(({ textContent }) => textContent),
        facts: all('.detail .facts').map(({ textContent }) => textContent),
        links: all('.detail a').map((link) => link.getAttribute('href')),
        read: all('.detail details').every((box) => (box as HTMLDetailsElement).open),
      };
    });
    assert.equal(open, {
      expanded: 'true',
      texts: [prompt, answer, ...results.map(({ text }) => text)],
      said: results.map(
        ({ verdict, answer }, i) => `${letter(i)} · ${verdict}${answer === null ? '' : `: ${answer}`}`,
      ),
      facts: results.map((result) => {
        const { sampler, moves, logp, finish } = result;
        const { drawnTokens, computedRows, sequentialPasses } = costs.get(timingKeyOf(result)) as RunCosts;
        return [
          sampler,
          ...(finish === 'length' ? ['cut at the limit'] : []),
          `log p −${(-(logp as number)).toFixed(2)}`,
          `${grouped(drawnTokens)} drawn tokens`,
          `${grouped(computedRows)} computed rows`,
          `${grouped(sequentialPasses)} sequential passes`,
          ...(moves.proposed > 0 ? [`${moves.accepted} of ${moves.proposed} accepted`] : []),
          ...(sampler.startsWith('egps') ? ['how it was drawn'] : []),
        ].join(' · ');
      }),
      links: results.filter(({ sampler }) => sampler.startsWith('egps')).map(crates.trace),
      read: true,
    });
    await page.keyboard.press('Enter');
    assert.is(await page.evaluate(() => document.querySelectorAll('.detail').length), 0);
  });
});

test('nothing of a text is markup', async () => {
  const evil = '</script><img src=x onerror="document.title=1"><b>bold</b>&amp;\u202e';
  const samplers = SAMPLERS.slice(0, 2).map(([, skill, work], i): (typeof SAMPLERS)[number] => [
    `${evil}:${i}`,
    skill,
    work,
  ]);
  const { items, results } = example(3, samplers);
  const hostile = pageOf(
    items.map((item) => ({ id: `${item.id} ${evil}`, prompt: evil, answer: evil })),
    samplers,
    results.map((result) => ({ ...result, item: `${result.item} ${evil}`, text: evil, answer: evil })),
    [],
    1,
    evil,
  );
  await visit(browser, evalPage(hostile), 'phone', 'dark', async (page) => {
    await page.click('#items .opener');
    const found = await page.evaluate(() => ({
      title: document.title,
      heading: document.getElementById('title')?.textContent,
      images: document.querySelectorAll('img').length,
      bold: Array.from(document.querySelectorAll('b')).filter(({ textContent }) => textContent === 'bold')
        .length,
      texts: Array.from(document.querySelectorAll('.detail .text'), ({ textContent }) => textContent),
    }));
    assert.equal(found, {
      title: `${evil}: evaluation`,
      heading: `Accuracy on ${evil}`,
      images: 0,
      bold: 0,
      texts: [evil, evil, evil, evil],
    });
    assert.is(await overflow(page), 0);
    await photograph(page, 'eval-odd');
  });
});

test('several responses an item', async () => {
  const whole = example(20, SAMPLERS.slice(0, 7), 8);
  const { samplers, run } = whole.summary;
  const plan = planned(SAMPLERS.slice(0, 7));
  // A response is missing, and one item does not fit.
  const results = whole.results.slice(1).map((result): Result => {
    const none = { answer: null, text: '', tokens: 0, finish: null, logp: null };
    return result.item === whole.items[3].id ? { ...result, ...none, verdict: 'too long' } : result;
  });
  const summary = summarise(run, plan, results, []);
  await visit(browser, evalPage({ ...whole, results, summary }), 'desktop', 'light', async (page) => {
    const rows = await cells(page, 'items');
    const marksOf = (i: number) =>
      samplers.map(({ sampler }) => {
        const own = results.filter((one) => one.item === whole.items[i].id && one.sampler === sampler);
        const right = own.filter(({ verdict }) => verdict === 'right').length;
        if (own.length === 8 && right % 8 === 0) return right === 8 ? '✓' : '✗';
        return `${right}/${own.length}`;
      });
    for (const i of [0, 1, 2, 19]) assert.equal(rows[i].slice(1), marksOf(i));
    assert.match(rows[0][1], /\/7$/);
    assert.equal(rows[3].slice(1), Array(7).fill('L'));
    const [greedy] = summary.samplers;
    assert.is(greedy.items, 18);
    assert.equal((await cells(page, 'samplers'))[0].slice(1, 7), [
      '18',
      accuracyIn(greedy),
      accuracyIn(greedy.majority),
      ...greedy.passAt.slice(1).map(({ value }) => percent(value)),
    ]);
    await photograph(page, 'eval-several');
    await page.click('#items .opener');
    const open = await page.evaluate(() =>
      Array.from(document.querySelectorAll<HTMLDetailsElement>('.detail details'), ({ open }) => open),
    );
    assert.equal(open, Array(55).fill(false));
    await page.evaluate(() => document.getElementById('items-title')?.scrollIntoView());
    await photograph(page, 'eval-several-items');
  });
});

test('picks are rows of their own, with what their runs estimate', async () => {
  const both: ('likeliest' | 'vote')[] = ['likeliest', 'vote'];
  const samplers: typeof SAMPLERS = [
    ['greedy', 0.4, 1],
    ['best-of-n:n=4', 0.44, 4, ['vote']],
    ['smc:particles=64', 0.5, 8, both],
    ['egps:final-steps=5', 0.52, 6, both],
    ['egps:final-steps=20', 0.6, 15, both],
  ];
  const picked = example(40, samplers);
  const { summary } = picked;
  await visit(browser, evalPage(picked), 'desktop', 'light', async (page) => {
    const rows = await cells(page, 'samplers');
    assert.equal(
      rows.map(([name, , mass]) => [name, mass]),
      summary.samplers.map(({ name, mass }, i) => [letter(i) + name, mass === null ? '–' : percent(mass)]),
    );
    assert.is(rows[5][0], 'Fsmc:particles=64 · vote');
    // Picks have the colour of their sampler and a shape of their own.
    const looks = await page.evaluate(() =>
      Array.from(document.querySelectorAll<SVGPathElement>('#samplers .name path'), (path) => [
        path.style.fill,
        path.getAttribute('d'),
      ]),
    );
    assert.is(new Set(looks.slice(3, 6).map(([fill]) => fill)).size, 1);
    assert.is(new Set(looks.map((look) => look.join())).size, 9, 'of nine families');
    await fill(page, { baseline: '5' });
    assert.equal(
      (await cells(page, 'comparisons')).map(([name]) => name),
      ['Dsmc:particles=64', 'Esmc:particles=64 · likeliest'],
    );
    assert.is(
      await page.evaluate(() => document.querySelectorAll('#options details').length),
      samplers.length,
    );
    await page.evaluate(() => document.getElementById('frontier')?.closest('section')?.scrollIntoView());
    await photograph(page, 'eval-picks');
  });
});

test('a run that has hardly begun', async () => {
  const { results, summary } = crates;
  for (const count of [0, 1, 20]) {
    const begun = results.slice(0, count);
    const early = {
      ...crates,
      results: begun,
      summary: summarise(summary.run, planned(SAMPLERS), begun, []),
    };
    await visit(browser, evalPage(early), 'phone', 'light', async (page) => {
      const marks = (await cells(page, 'items')).flatMap(([, ...marks]) => marks);
      assert.is(marks.length, 50 * 9);
      assert.is(marks.filter((mark) => mark !== '·').length, count);
      await page.click('#items .opener');
      const { warning, boxes, text } = await page.evaluate(() => ({
        warning: document.querySelector('.warning')?.textContent,
        boxes: document.querySelectorAll('.detail details').length,
        text: document.querySelector('main')?.textContent,
      }));
      assert.match(String(warning), /Not finished/);
      assert.is(boxes, Math.min(count, 9));
      assert.not.match(String(text), /NaN|undefined|null|Infinity/);
      assert.is(await overflow(page), 0);
      await photograph(page, `eval-begun-${count}`);
      await page.evaluate(() => document.getElementById('costs')?.closest('section')?.scrollIntoView());
      await photograph(page, `eval-begun-${count}-charts`);
    });
  }
});

test('a large run opens and filters', async () => {
  await visit(browser, evalPage(example(500, SAMPLERS.slice(0, 8))), 'desktop', 'light', async (page) => {
    assert.is((await listed(page)).ids.length, 50);
    await fill(page, { 'filter-text': 'train/499' });
    assert.equal((await listed(page)).ids, ['train/499']);
  });
});

test('more families than colours', async () => {
  const many = Array.from({ length: 28 }, (_, i): (typeof SAMPLERS)[number] => [
    `family${i}`,
    0.3 + i / 60,
    1 + i,
  ]);
  await visit(browser, evalPage(example(10, many)), 'desktop', 'dark', async (page) => {
    const looks = await page.evaluate(() =>
      Array.from(
        document.querySelectorAll<SVGPathElement>('#legend path'),
        (path) => `${path.style.fill} ${path.getAttribute('d')}`,
      ),
    );
    assert.is(new Set(looks).size, 28);
    const letters = (await cells(page, 'samplers')).map(([name]) => name.replace(/family.*/, ''));
    assert.equal(letters.slice(24), ['Y', 'Z', 'AA', 'AB']);
    await page.evaluate(() => document.getElementById('frontier')?.closest('section')?.scrollIntoView());
    await photograph(page, 'eval-many');
    await page.evaluate(() => document.getElementById('items-title')?.scrollIntoView());
    await photograph(page, 'eval-many-items');
  });
});

test.run();
