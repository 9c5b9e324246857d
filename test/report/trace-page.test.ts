import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import type { ReplayData } from '../../src/report/trace-data.ts';
import { type TracePage, tracePage } from '../../src/report/trace-page.ts';
import { resolveOptions } from '../../src/sampling/options.ts';
import { ORIGIN } from '../../src/sampling/response.ts';
import { type SamplerOptions, sample } from '../../src/sampling/sample.ts';
import type { Step } from '../../src/sampling/trace.ts';
import { type Browser, launchBrowser, type Page } from '../support/browser.ts';
import { test } from '../support/suite.ts';
import { photograph, SCHEMES, visit } from '../support/visit.ts';
import { arithmetic } from './example.ts';

const RUN = { adapter: 'A quick adapter', wallSeconds: 12.345 };

/** The response after step i, by the definition. */
function replayed(steps: readonly Step[], i: number): number[] {
  let now: number[] = [];
  for (const { outcome, cut, tokens } of steps.slice(0, i + 1)) {
    if (outcome >= 0) now = [...now.slice(0, cut), ...tokens];
  }
  return now;
}

const ANSWERS = [
  { answer: '2576', probability: 0.8125 },
  { answer: '<b>2566</b>', probability: 0.125 },
  { answer: null, probability: 0.0625 },
];

const page = (part: Partial<TracePage> = {}): string =>
  tracePage({ ...arithmetic, ...RUN, answers: ANSWERS, ...part });

function embedded(html: string): ReplayData {
  const found = /<script type="application\/json" id="run">(.*?)<\/script>/s.exec(html);
  assert.ok(found, 'the page holds its data');
  return JSON.parse(found[1]);
}

const TOYS = ['egps', 'blocks', 'karan-du', 'smc', 'best-of-n', 'greedy'] as const;

/** A run of a sampler on a model whose every distribution is told by the token before. */
async function toyRun(name: (typeof TOYS)[number], more: Partial<SamplerOptions> = {}): Promise<TracePage> {
  const sampler = name === 'blocks' ? 'egps' : name;
  const rows = [
    [0, 0.5, 0.3, 0.15, 0.05],
    [0, 0.02, 0.9, 0.06, 0.02],
    [0, 0.3, 0.05, 0.6, 0.05],
    [0, 0.01, 0.01, 0.97, 0.01],
    [0, 1, 0, 0, 0],
  ];
  const model = new TableModel(5, [4], (tokens) => rows[tokens[tokens.length - 1]]);
  const blocks = { blockSize: 8, steps: 4 };
  const given: Partial<SamplerOptions> = {
    egps: { blockSize: 8, finalSteps: 6, gate: 0.5, particles: 12 },
    blocks: { ...blocks, finalSteps: 6, gate: 0.5, growth: 'blocks' as const },
    'karan-du': blocks,
    smc: { particles: 6 },
    'best-of-n': { n: 6 },
    greedy: {},
  }[name];
  const options = resolveOptions({ sampler, seed: 5n, alpha: 1.2, maxNewTokens: 32, ...given, ...more });
  const texts = ['start', ' one', ' two\n', ' thr\tee', '<eos>'];
  return {
    prompt: texts[0],
    sample: await sample(model, [0], options),
    options,
    tokenText: (id) => texts[id],
    ...RUN,
  };
}

test('the page needs nothing but itself', () => {
  const html = page();
  const addresses = html.match(/https?:\/\/[^\s"'`)]*/g) ?? [];
  assert.equal([...new Set(addresses)], ['http://www.w3.org/2000/svg']);
  assert.not.match(html, /<(link|img|iframe|object|embed)\b|\bsrc=|@import|url\((?!#)|\bimport\(|fetch\(/);
  assert.match(html, /Content-Security-Policy" content="default-src 'none';/);
});

test('no text of the run can end the script that holds it', () => {
  const evil = '</script><script>alert(1)</script><!--';
  const plain = page();
  const html = page({ prompt: evil, adapter: evil, tokenText: () => evil });
  const count = (text: string) => text.match(/<\/?script|<!--/gi)?.length;
  assert.is(count(html), count(plain));
  assert.is(embedded(html).prompt, evil);
  assert.is(embedded(html).texts[0], evil);
});

test('the data replays to the final response', () => {
  const { sample, tokenText } = arithmetic;
  const { steps, texts, ids } = embedded(page());
  let now: number[] = [];
  for (const { outcome, cut, tokens } of steps) if (outcome >= 0) now = [...now.slice(0, cut), ...tokens];
  assert.equal(
    now.map((index) => ids[index]),
    [...sample.tokens],
  );
  assert.is(now.map((index) => texts[index]).join(''), Array.from(sample.tokens, tokenText).join(''));
});

test('a log ρ of −∞ survives', () => {
  const steps = arithmetic.sample.trace.steps.map((step) => ({
    ...step,
    logRho: step.logRho.map(() => -Infinity),
  }));
  const sample = { ...arithmetic.sample, trace: { ...arithmetic.sample.trace, steps } };
  assert.equal(embedded(page({ sample })).steps[1].logRho, [null, null, null, null]);
});

test('what was computed for a token is on record', async () => {
  const counts = (run: TracePage) => {
    const all = run.sample.trace.steps.flatMap(({ origins }) => [...origins]);
    return [ORIGIN.free, ORIGIN.computed, ORIGIN.drafted].map((kind) => all.filter((o) => o === kind).length);
  };
  for (const { tokens, origins } of (await toyRun('egps')).sample.trace.steps) {
    assert.is(origins.length, tokens.length);
  }
  const off = counts(await toyRun('blocks', { tree: 'off' }));
  assert.is(off[0], 0, 'without a tree nothing is free');
  const plain = await toyRun('blocks', { draft: 0, lookAhead: 0 });
  const bare = counts(plain);
  assert.is(bare[2], 0, 'without drafts nothing is drafted');
  assert.ok(bare[0] > 0 && bare[1] > 0);
  assert.ok(bare[1] <= plain.sample.account.computedRows, 'what was waited for was computed');
  const drafted = counts(await toyRun('blocks', { draft: 8 }));
  assert.ok(drafted[2] > 0, 'drafts come true');
  assert.is(
    drafted.reduce((a, b) => a + b),
    bare.reduce((a, b) => a + b),
    'the tokens are the same',
  );
});

test('what was drawn ahead is not called a draft', async () => {
  const { drawsAhead } = embedded(page());
  assert.is(drawsAhead, false);
  assert.is(embedded(tracePage(await toyRun('greedy'))).drawsAhead, true);
  assert.is(embedded(tracePage(await toyRun('blocks', { tree: 'off' }))).drawsAhead, true);
});

test('steps cost together what the run cost', async () => {
  const run = await toyRun('egps');
  const { steps } = embedded(tracePage(run));
  const { drawnTokens, computedRows, draftedRows, sequentialPasses } = run.sample.account;
  const sum = (name: 'drawn' | 'computed' | 'drafted' | 'passes') =>
    steps.reduce((n, step) => n + step[name], 0);
  assert.equal(
    [sum('drawn'), sum('computed'), sum('drafted'), sum('passes')],
    [drawnTokens, computedRows, draftedRows, sequentialPasses],
  );
});

test('answers beyond the eighth are told together', () => {
  const answers = Array.from({ length: 11 }, (_, i) => ({
    answer: i === 2 ? null : String(i),
    probability: (20 - i) / 100,
  }));
  const told = embedded(page({ answers })).answers;
  assert.is(told.length, 9);
  assert.equal(told[2], { answer: null, probability: 0.18, others: 0 });
  assert.is(told[8].others, 3);
  assert.ok(Math.abs(told[8].probability - (0.12 + 0.11 + 0.1)) < 1e-12);
  assert.is(embedded(page({ answers: answers.slice(0, 8) })).answers.length, 8);
  for (const none of [undefined, null, []]) assert.equal(embedded(page({ answers: none })).answers, []);
});

// In a browser.

let browser: Browser;

function goTo(page: Page, step: number): Promise<void> {
  return page.evaluate((value) => {
    const slider = document.getElementById('slider') as HTMLInputElement;
    slider.value = String(value);
    slider.dispatchEvent(new Event('input'));
  }, step);
}

/** What the page shows. */
function shown(page: Page) {
  return page.evaluate(() => {
    const all = (selector: string) => Array.from(document.querySelectorAll<HTMLElement>(selector));
    const text = (id: string) => document.getElementById(id)?.textContent ?? '';
    return {
      answer: text('answer'),
      outcome: text('step-outcome'),
      counter: text('counter'),
      marks: all('#answer :is([data-cuts], [data-accepted])').map(({ dataset }) =>
        [dataset.at, dataset.cuts, dataset.accepted].map(Number),
      ),
      cut: all('#answer .cut').map(({ dataset }) => Number(dataset.at)),
      fresh: all('#answer .fresh').length,
      tried: all('#answer .tried').length,
      closed: all('#answer .block').map((block) => block.classList.contains('closed')),
      candidates: all('#candidate-rows tr:not(#candidates[hidden] tr)').length,
      origins: all('#answer .token').map(({ classList }) =>
        ['of-free', 'of-computed', 'of-drafted'].findIndex((name) => classList.contains(name)),
      ),
      costs: text('step-costs').match(/\d+/g)?.map(Number) ?? [],
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
  });
}

/** Everything that the page must show after step i, computed from the trace. */
function expected({ sample, options, tokenText }: Omit<TracePage, 'adapter' | 'wallSeconds'>, i: number) {
  const { steps } = sample.trace;
  const step = steps[i];
  const now = replayed(steps, i);
  const eos = sample.finish === 'eos' ? sample.tokens[sample.tokens.length - 1] : -1;
  const marks = new Map<number, number[]>();
  for (const { kind, cut, outcome } of steps.slice(0, i + 1)) {
    if (kind !== 'propose' || cut >= now.length) continue;
    const [, cuts, accepted] = marks.get(cut) ?? [cut, 0, 0];
    marks.set(cut, [cut, cuts + 1, accepted + (outcome >= 0 ? 1 : 0)]);
  }
  let entropy: number[] = [];
  let origins: number[] = [];
  for (const s of steps.slice(0, i + 1)) {
    if (s.outcome < 0) continue;
    entropy = [...entropy.slice(0, s.cut), ...s.entropy];
    origins = [...origins.slice(0, s.cut), ...s.origins];
  }
  const before = i > 0 ? steps[i - 1].account : undefined;
  const names = ['drawnTokens', 'computedRows', 'draftedRows', 'sequentialPasses'] as const;
  const costs = names
    .map((name) => step.account[name] - (before?.[name] ?? 0))
    .filter((cost, at) => at !== 2 || cost > 0);
  const { gate } = sample;
  const size = gate && options.cutLaw === 'entropy-block' ? options.blockSize : Infinity;
  const closed = [];
  for (let start = 0; start < now.length; start += size) {
    closed.push(gate !== null && Math.max(...entropy.slice(start, start + size)) < gate.nats);
  }
  const touched = step.kind === 'hold' ? 0 : now.length - step.cut;
  const outcomes = { grow: 'grown', hold: 'held', propose: step.outcome >= 0 ? 'accepted' : 'rejected' };
  return {
    answer: now.map((id) => (id === eos ? '' : tokenText(id))).join(''),
    outcome: outcomes[step.kind],
    counter: `${i} / ${steps.length - 1}`,
    marks: [...marks.values()].sort(([a], [b]) => a - b),
    cut: step.kind === 'propose' ? [step.cut] : [],
    fresh: step.outcome >= 0 && steps.length > 1 ? touched : 0,
    tried: step.outcome < 0 ? touched : 0,
    closed,
    candidates: step.kind === 'propose' ? step.lengths.length : 0,
    origins,
    costs: step.kind === 'hold' ? [] : costs,
    overflow: 0,
  };
}

/** The least contrast of a token's text against its shade, hatched or not. */
function leastContrast(page: Page): Promise<number> {
  return page.evaluate(() => {
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (!context) return 0;
    const luminance = (...layers: string[]): number => {
      for (const layer of layers) {
        context.fillStyle = layer;
        context.fillRect(0, 0, 1, 1);
      }
      const [r, g, b] = Array.from(context.getImageData(0, 0, 1, 1).data, (value) => {
        const c = value / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const hatch = getComputedStyle(document.documentElement).getPropertyValue('--hatch');
    const all = Array.from(document.querySelectorAll('#answer .token'), (token) => {
      const { color, backgroundColor, backgroundImage } = getComputedStyle(token);
      const shades =
        backgroundImage === 'none' ? [[backgroundColor]] : [[backgroundColor], [backgroundColor, hatch]];
      return Math.min(
        ...shades.map((layers) => {
          const [low, high] = [luminance(color), luminance(...layers)].sort((a, b) => a - b);
          return (high + 0.05) / (low + 0.05);
        }),
      );
    });
    return Math.min(...all);
  });
}

/** How a token of each origin is shaded: computed, drafted, free. */
function shadesOf(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    ['computed', 'drafted', 'free'].map((name) => {
      const token = document.querySelector(`#answer .of-${name}`);
      if (!token) throw new Error(`no token is ${name}`);
      const { backgroundColor, backgroundImage } = getComputedStyle(token);
      return `${backgroundColor} ${backgroundImage}`;
    }),
  );
}

/** The tree as it is drawn: its lines in order, and where the answer stands. */
function drawnTree(page: Page) {
  return page.evaluate(() => {
    const rectOf = (element: Element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      return { left, right, top, bottom };
    };
    const segments = Array.from(document.querySelectorAll('#tree .segment'), (segment) => ({
      text: segment.querySelector('text')?.textContent ?? '',
      count: segment.querySelector('.count')?.textContent ?? null,
      final: segment.classList.contains('final'),
      thickness: Number(segment.querySelector('.run')?.getAttribute('stroke-width')),
      label: rectOf(segment.querySelector('text') as Element),
    }));
    const place = document.querySelector('#tree .place');
    return {
      hidden: document.getElementById('tree-section')?.hidden,
      size: document.getElementById('tree-size')?.textContent,
      note: document.getElementById('tree-note')?.textContent,
      segments,
      place: place && Number(place.getAttribute('cx')),
      placeRow: place && Number(place.getAttribute('cy')),
      cut: document.querySelector('#tree .now')?.getAttribute('class') ?? null,
      width: document.getElementById('tree')?.getBoundingClientRect().width ?? 0,
    };
  });
}

test.before(async () => {
  browser = await launchBrowser();
});
test.after(() => browser?.close());

for (const scheme of SCHEMES) {
  for (const size of ['desktop', 'phone'] as const) {
    test(`every step is shown as the trace has it: ${scheme}, ${size}`, async () => {
      await visit(browser, page(), size, scheme, async (page) => {
        const last = arithmetic.sample.trace.steps.length - 1;
        assert.equal(await shown(page), expected(arithmetic, last), 'at first the end');
        // Forwards, backwards and in leaps: what stays on the page from one step to the next must be right each time.
        for (const i of [0, ...Array.from({ length: last }, (_, i) => i + 1), 7, 2, 9, 4, last]) {
          await goTo(page, i);
          assert.equal(await shown(page), expected(arithmetic, i), `step ${i}`);
          const contrast = await leastContrast(page);
          assert.ok(contrast >= 4.5, `step ${i}: contrast ${contrast}`);
        }
        await photograph(page, `trace-${scheme}-${size}`);
        await goTo(page, 9);
        await page.evaluate(() => document.getElementById('answer-title')?.scrollIntoView());
        await photograph(page, `trace-${scheme}-${size}-accepted`);
        await goTo(page, 10);
        await page.evaluate(() => document.getElementById('step')?.scrollIntoView());
        await photograph(page, `trace-${scheme}-${size}-rejected`);
        for (const id of ['tree-section', 'odds']) {
          await page.evaluate((id) => document.getElementById(id)?.scrollIntoView(), id);
          await photograph(page, `trace-${scheme}-${size}-${id}`);
        }
        await page.click('[value="origin"]');
        await goTo(page, 8);
        assert.equal(await shown(page), expected(arithmetic, 8), 'shaded by what was computed');
        const contrast = await leastContrast(page);
        assert.ok(contrast >= 4.5, `shaded by what was computed: contrast ${contrast}`);
        const shades = await shadesOf(page);
        assert.is(new Set(shades).size, 3, 'computed, drafted and free look different');
        await photograph(page, `trace-${scheme}-${size}-computed`);
        await page.evaluate(() => document.getElementById('account')?.scrollIntoView());
        await photograph(page, `trace-${scheme}-${size}-account`);
        const gap = await page.evaluate(() => {
          const box = (id: string) => (document.getElementById(id) as Element).getBoundingClientRect();
          const above = ['answer', 'candidates', 'chart', 'tree-section', 'odds'].map((id) => box(id).bottom);
          return box('account').top - Math.max(...above);
        });
        assert.ok(gap > 0, `nothing lies over the account: ${gap}`);
      });
    });
  }
}
test('the example has closed and open blocks', () => {
  const { closed } = expected(arithmetic, arithmetic.sample.trace.steps.length - 1);
  assert.ok(closed.includes(true) && closed.includes(false));
});

test('keyboard, buttons and chart move through the steps', async () => {
  await visit(browser, page(), 'desktop', 'light', async (page) => {
    const counter = async () => (await shown(page)).counter;
    await page.focus('#slider');
    await page.keyboard.press('Home');
    assert.equal(await shown(page), expected(arithmetic, 0));
    await page.keyboard.press('ArrowRight');
    assert.equal(await shown(page), expected(arithmetic, 1));
    await page.keyboard.press('ArrowLeft');
    assert.is(await counter(), '0 / 14');
    await page.click('#next');
    await page.click('#next');
    await page.click('#previous');
    assert.is(await counter(), '1 / 14');
    const point = await page.evaluate(() => {
      const box = document.querySelectorAll('#chart .point')[6].getBoundingClientRect();
      const chart = (document.getElementById('chart') as Element).getBoundingClientRect();
      return { x: box.x + box.width / 2 - chart.x, y: box.y + box.height / 2 - chart.y };
    });
    await page.click('#chart', { position: point });
    assert.equal(await shown(page), expected(arithmetic, 6));
    await page.focus('#slider');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    await page.click('#play');
    await page.waitForFunction(() => document.getElementById('counter')?.textContent === '14 / 14');
    await page.waitForFunction(() => document.getElementById('play')?.textContent === 'Play');
  });
});

test('a token tells about itself by pointer, by key and by touch', async () => {
  const { steps } = arithmetic.sample.trace;
  const tooltip = (page: Page) =>
    page.evaluate(() => {
      const tip = document.getElementById('tooltip') as HTMLElement;
      const values = Array.from(tip.querySelectorAll('dd'), (value) => value.textContent);
      return tip.hidden ? null : [tip.querySelector('b')?.textContent, ...values];
    });
  const drawn = arithmetic.sample.trace.drawnAt;
  const about = (at: number) => {
    const entropy = arithmetic.sample.entropy[at];
    const { cut, origins } = steps[drawn[at]];
    const origin = origins[at - cut];
    const cuts = expected(arithmetic, steps.length - 1).marks.find(([position]) => position === at);
    return [
      arithmetic.tokenText(arithmetic.sample.tokens[at]),
      entropy < 0.0005 ? 'below 0.001 nats' : `${entropy.toFixed(3)} nats`,
      String(at),
      ['no: known already', 'yes: the run waited', 'as a draft, before it was asked for'][origin],
      `step ${drawn[at]}, block ${steps[drawn[at]].block}`,
      cuts ? `${cuts[1]}, ${cuts[2]} accepted` : 'none',
    ];
  };
  const withoutProbability = (told: (string | null | undefined)[] | null) => told?.filter((_, i) => i !== 1);
  await visit(browser, page(), 'desktop', 'dark', async (page) => {
    assert.is(await tooltip(page), null);
    await page.hover('[data-at="23"]');
    const told = await tooltip(page);
    assert.equal(withoutProbability(told), about(23));
    const percent = 100 * Math.exp(arithmetic.sample.logp[23]);
    assert.ok(
      Math.abs(Number.parseFloat(told?.[1] as string) - percent) < 0.06,
      `${told?.[1]} of ${percent}`,
    );
    await photograph(page, 'trace-dark-tooltip');
    await page.focus('[data-at="40"]');
    await page.keyboard.press('ArrowRight');
    assert.equal(withoutProbability(await tooltip(page)), about(41));
    await page.keyboard.press('Escape');
    assert.is(await tooltip(page), null);
  });
  await visit(browser, page(), 'phone', 'light', async (page) => {
    await page.tap('[data-at="5"]');
    assert.equal(withoutProbability(await tooltip(page)), about(5));
    await photograph(page, 'trace-light-phone-tooltip');
  });
});

test('the map shows closed blocks and cuts, and leads to the token', async () => {
  const last = arithmetic.sample.trace.steps.length - 1;
  const { closed, marks } = expected(arithmetic, last);
  await visit(browser, page(), 'desktop', 'light', async (page) => {
    const found = await page.evaluate(() => {
      const count = (selector: string) => document.querySelectorAll(`#map ${selector}`).length;
      return { shut: count('.shut'), took: count('.took'), left: count('.left') };
    });
    assert.equal(found, {
      shut: closed.filter(Boolean).length,
      took: marks.filter(([, , accepted]) => accepted > 0).length,
      left: marks.filter(([, cuts, accepted]) => cuts > accepted).length,
    });
    const middle = await page.evaluate(() => {
      const { width, height } = (document.querySelector('#map .ground') as Element).getBoundingClientRect();
      const map = (document.getElementById('map') as Element).getBoundingClientRect();
      return { x: map.width - width / 2 + 1, y: map.height / 2 + height };
    });
    await page.click('#map', { position: middle });
    const focused = await page.evaluate(() => (document.activeElement as HTMLElement).dataset.at);
    assert.is(focused, String(arithmetic.sample.tokens.length / 2));
  });
});

test('the tree tells who shares a beginning, and where the answer stands', async () => {
  const { steps } = arithmetic.sample.trace;
  await visit(browser, page(), 'desktop', 'light', async (page) => {
    const { segments, size, note } = await drawnTree(page);
    assert.is(size, '5 different answers');
    assert.is(note, 'Not in it: endings that were not accepted.');
    const final = segments.filter(({ final }) => final);
    assert.match(final[0].text, /^A crate holds/);
    assert.match(final[final.length - 1].text, /^, and 2688/);
    const others = segments.filter(({ final }) => !final).map(({ text, count }) => [text.slice(0, 4), count]);
    assert.equal(others, [
      [': 26', '3 steps'],
      ['the ', '1 step'],
      ['588 ', '1 step'],
      ['64', '1 step'],
    ]);
    for (let i = 1; i < final.length; i++)
      assert.ok(final[i].thickness < final[i - 1].thickness, 'it grows thin');

    // The place goes right as the answer grows; a rejected step leaves it, and marks the cut.
    await goTo(page, 0);
    const start = await drawnTree(page);
    assert.is(start.cut, null);
    await goTo(page, 1);
    const mended = await drawnTree(page);
    assert.is(mended.cut, 'now accepted');
    assert.ok((mended.placeRow as number) < (start.placeRow as number), 'from a row below to the top one');
    await goTo(page, 2);
    const kept = await drawnTree(page);
    assert.equal([kept.place, kept.placeRow, kept.cut], [mended.place, mended.placeRow, 'now rejected']);
    await goTo(page, steps.length - 1);
    const end = await drawnTree(page);
    assert.ok((end.place as number) > (mended.place as number));

    await page.focus('#tree .segment');
    const told = () =>
      page.evaluate(() => {
        const tip = document.getElementById('tooltip') as HTMLElement;
        return tip.hidden ? '' : (tip.textContent ?? '');
      });
    assert.match(await told(), /^A crate holds.*positions0 to \d+came this way15 of 15$/s);
    await page.keyboard.press('ArrowRight');
    assert.match(await told(), /came this way14 of 15$/);
    await photograph(page, 'trace-tree-tooltip');
    await page.keyboard.press('Escape');
    assert.is(await told(), '');
  });
});

test('a tree of hundreds of answers stays readable', async () => {
  const { sample } = arithmetic;
  const [{ response }] = sample.visited.states[0];
  const particles = Array.from({ length: 256 }, (_, i) => {
    const tokens = response.tokens.slice();
    for (let bit = 0; bit < 8; bit++) if ((i >> bit) & 1) tokens[7 * bit + 3] ^= 1;
    return { response: { ...response, tokens }, weight: 2 ** -8 };
  });
  const visited = { ...sample.visited, particles };
  for (const size of ['desktop', 'phone'] as const) {
    await visit(browser, page({ sample: { ...sample, visited } }), size, 'dark', async (page) => {
      for (const drawn of [16, 200]) {
        const { segments, size: told, note, width } = await drawnTree(page);
        assert.is(segments.filter(({ count }) => count !== null).length, drawn);
        assert.match(told ?? '', /^2[56]\d different answers$/);
        assert.match(
          note ?? '',
          new RegExp(`^${Number.parseInt(told ?? '', 10) - drawn} that the fewest came by`),
        );
        const labels = segments.map(({ label }) => label).filter(({ left, right }) => right > left);
        const clash = labels.find((a, i) =>
          labels.some((b, j) => {
            const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            return j < i && across > 1 && down > 1;
          }),
        );
        assert.is(clash, undefined, 'no label lies on another');
        assert.ok(width < 1600, `${width} pixels`);
        assert.is((await shown(page)).overflow, 0);
        await page.evaluate(() => document.getElementById('tree-section')?.scrollIntoView());
        await photograph(page, `trace-tree-${size}-${drawn}`);
        await page.click('#tree-more');
      }
    });
  }
});

test('answers and particles are told with their weights', async () => {
  const run = await toyRun('egps');
  const odds = (page: Page) =>
    page.evaluate(() => ({
      hidden: ['odds', 'answers-section', 'particles-section'].map(
        (id) => document.getElementById(id)?.hidden,
      ),
      answers: Array.from(document.querySelectorAll('#answers tr'), (row) => row.textContent),
      bars: document.querySelectorAll('#particles :is(.weight, .chosen)').length,
      chosen: document.querySelectorAll('#particles .chosen').length,
      note: document.getElementById('particles-note')?.textContent,
      source: document.getElementById('answers-note')?.textContent,
    }));
  await visit(browser, tracePage({ ...run, answers: ANSWERS }), 'desktop', 'dark', async (page) => {
    const { hidden, answers, bars, chosen, note, source } = await odds(page);
    assert.equal(hidden, [false, false, false]);
    assert.equal(answers, ['257681.3 %', '<b>2566</b>12.5 %', 'no answer6.3 %']);
    assert.equal([bars, chosen], [12, 1]);
    const { particles } = run.sample.visited;
    const effective = 1 / particles.reduce((sum, { weight }) => sum + weight ** 2, 0);
    assert.ok(note?.startsWith(`As many as ${effective.toFixed(1)} of equal weight; `), note ?? '');
    assert.is(source, 'Estimated from the weights of the particles.');
    await page.evaluate(() => document.getElementById('odds')?.scrollIntoView());
    await photograph(page, 'trace-odds');
  });
  await visit(browser, page(), 'desktop', 'light', async (page) => {
    const { hidden, source } = await odds(page);
    assert.equal(hidden, [false, false, true]);
    assert.is(source, 'Estimated from the answers after each step at the full length.');
  });
  await visit(browser, page({ answers: null }), 'desktop', 'light', async (page) => {
    assert.is((await odds(page)).hidden[0], true);
  });
});

test('the account tells what was drawn apart from what was computed', async () => {
  const { account } = arithmetic.sample;
  await visit(browser, page(), 'desktop', 'light', async (page) => {
    const groups = await page.evaluate(() =>
      Array.from(document.querySelectorAll('#account section'), (group) => [
        group.querySelector('h3')?.textContent ?? '',
        ...Array.from(group.querySelectorAll('dl div'), (row) => row.textContent ?? ''),
      ]),
    );
    const of = (title: string) => groups.find(([name]) => name === title)?.slice(1);
    assert.equal(of('Drawn'), [`tokens drawn, in all endings${account.drawnTokens}`]);
    assert.equal(of('Computed'), [
      `rows computed${account.computedRows}`,
      `of these needed at once${account.computedRows - account.draftedRows}`,
      `of these drafted${account.draftedRows}`,
      `drafted and used later${account.usedDrafts}`,
      `passes one after another${account.sequentialPasses}`,
      'wall time12.3 s',
      'adapterA quick adapter',
    ]);
    assert.equal(of('Moves'), ['proposed8', 'accepted4 (50 %)', 'held4', 'endings given up early17']);
  });
});

test('what cannot be seen is marked, and nothing of a text is markup', async () => {
  const odd = ['<b>bold</b>\n', '\u202eabc', '', '\ufffd', '\t', '\u0000', '</script>'];
  const tokenText = (id: number) => odd[id % odd.length];
  await visit(browser, page({ tokenText, prompt: '<i>&amp;\u200b' }), 'phone', 'dark', async (page) => {
    const found = await page.evaluate(() => {
      const answer = document.getElementById('answer') as HTMLElement;
      const marks = Array.from(
        answer.querySelectorAll<HTMLElement>('[data-mark]'),
        (mark) => mark.dataset.mark ?? '',
      );
      return {
        bold: document.querySelectorAll('b:not(#tooltip b), #prompt i:not([data-mark])').length,
        prompt: document.getElementById('prompt')?.textContent,
        text: answer.textContent,
        marks: [...new Set(marks.map((mark) => mark.replace(/^token \d+$/, 'token #')))].sort(),
      };
    });
    assert.is(found.bold, 0);
    assert.is(found.prompt, '<i>&amp;');
    assert.match(found.text ?? '', /<b>bold<\/b>\n/);
    assert.not.match(found.text ?? '', /\p{Cf}|(?![\n\t])\p{Cc}/u);
    assert.equal(found.marks, ['U+0000', 'U+202E', 'end', 'token #', '→', '↵'].sort());
    await photograph(page, 'trace-odd');
  });
});

for (const sampler of TOYS) {
  test(`a run of ${sampler} on a toy`, async () => {
    const run = await toyRun(sampler);
    const last = run.sample.trace.steps.length - 1;
    await visit(browser, tracePage(run), 'desktop', 'light', async (page) => {
      for (let i = last; i >= 0; i--) {
        if (last > 0) await goTo(page, i);
        assert.equal(await shown(page), expected(run, i), `step ${i}`);
      }
      const hidden = await page.evaluate(() =>
        ['transport', 'steps'].map((id) => document.getElementById(id)?.hidden),
      );
      assert.equal(hidden, last > 0 ? [false, false] : [true, true]);
      await photograph(page, `trace-toy-${sampler}`);
    });
  });
}

test.run();
