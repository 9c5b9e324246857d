import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { rowName } from '../eval/picks.ts';
import { distinct, type Result, type RunCosts, type Timing, timingKeyOf } from '../eval/result.ts';
import type { SamplerSummary, Summary } from '../eval/summary.ts';
import { clientBundles } from './client-bundles.ts';
import type { EvalData, ItemData, ResponseData, TextData } from './eval-data.ts';
import { STYLE } from './eval-page-style.ts';
import { percent } from './format.ts';
import { htmlPage } from './page.ts';

export interface EvalPage {
  summary: Summary;
  /** The run's items in the order they are shown in; the right answer as text. */
  items: readonly { id: string; prompt: string; answer: string }[];
  results: readonly Result[];
  timings: readonly Timing[];
  /** Address of the response's trace page, relative to this page, where there is one. */
  trace(result: Result): string | undefined;
}

/** Characters of a response that the page holds: its last, where the answer is. */
const TEXT_LIMIT = 4000;

/** One self-contained HTML document on a run, finished or not. It loads nothing and sends nothing. */
export function evalPage(page: EvalPage): string {
  return htmlPage({
    title: 'Evaluation',
    style: STYLE,
    body: BODY,
    data: evalData(page),
    scripts: [chartScript(), clientBundles.eval],
  });
}

/** Chart.js as one classic script. The package keeps that file out of its exports, so it is found beside one of them. */
function chartScript(): string {
  const folder = dirname(createRequire(import.meta.url).resolve('chart.js'));
  const script = readFileSync(join(folder, 'chart.umd.min.js'), 'utf8');
  // A debugger would ask for the map.
  return script.replace(/^\/\/# sourceMappingURL=.*$/m, '').trim();
}

const BODY = `<body>
<header>
  <h1 id="title"></h1>
  <dl id="facts"></dl>
</header>
<main>
  <section id="findings" aria-label="Findings"></section>
  <section>
    <h2 id="samplers-title">Samplers</h2>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="samplers-title">
      <table id="samplers"><thead></thead><tbody></tbody></table>
    </div>
    <p class="note" id="samplers-note"></p>
  </section>
  <section id="frontier-section">
    <div class="heading">
      <h2>Accuracy against cost</h2>
      <fieldset id="costs"><legend class="hidden">Cost</legend></fieldset>
    </div>
    <div class="card">
      <div id="frontier-box"><canvas id="frontier" role="img"></canvas></div>
      <ul id="legend"></ul>
    </div>
    <p class="note">Higher and further to the left is better. Bars are 95 % intervals; the letters are those of the table. Picks of a run lie above each other: they cost the same.</p>
  </section>
  <section id="comparisons-section">
    <div class="heading">
      <h2 id="comparisons-title">In pairs</h2>
      <label>compared with <select id="baseline"></select></label>
    </div>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="comparisons-title">
      <table id="comparisons"><thead></thead><tbody></tbody></table>
    </div>
    <p class="note" id="comparisons-note"></p>
  </section>
  <section>
    <h2>Lengths of the responses</h2>
    <div id="lengths"></div>
    <p class="note">Share of the responses by length in tokens; the dashed line is the mean.</p>
  </section>
  <section>
    <div class="heading"><h2 id="items-title">Items</h2><output id="items-count" class="aside" aria-live="polite"></output></div>
    <form id="filters" aria-label="Filter the items">
      <div>
        <label>Text <input id="filter-text" type="search" placeholder="prompt, answer, name" autocomplete="off"></label>
        <label>Show <select id="filter-kind">
          <option value="all">all items</option>
          <option value="disagree">where samplers disagree</option>
          <option value="right">where all are right</option>
          <option value="wrong">where none is right</option>
        </select></label>
        <button type="reset">Clear</button>
      </div>
      <div>
        <span class="condition">Where <select id="filter-sampler-1" aria-label="First sampler"></select> is <select id="filter-verdict-1" aria-label="Its verdict"></select></span>
        <span class="condition">and <select id="filter-sampler-2" aria-label="Second sampler"></select> is <select id="filter-verdict-2" aria-label="Its verdict"></select></span>
      </div>
    </form>
    <ul id="marks"></ul>
    <table id="items" aria-labelledby="items-title"><thead></thead><tbody></tbody></table>
    <button id="more" type="button"></button>
  </section>
  <section>
    <h2>Options</h2>
    <div id="options"></div>
  </section>
</main>
<footer>Measured with egps.</footer>
</body>`;

function evalData({ summary, items, results, timings, trace }: EvalPage): EvalData {
  const { samplers, run } = summary;
  const columns = new Map(samplers.map(({ name }, i) => [name, i]));
  const shown = items.map(
    ({ id, prompt, answer }): ItemData => ({
      id,
      prompt,
      answer,
      texts: [],
      responses: samplers.map(() => Array.from({ length: run.samples }, () => null)),
    }),
  );
  const byId = new Map(shown.map((item) => [item.id, item]));
  const costs = new Map(distinct(timings).map((timing) => [timingKeyOf(timing), timing.costs]));
  for (const result of distinct(results)) {
    const item = byId.get(result.item);
    const responses = item?.responses[columns.get(rowName(result.sampler, result.pick)) ?? -1];
    if (!item || !responses || result.sample >= run.samples) continue;
    const own = costs.get(timingKeyOf(result));
    responses[result.sample] = { ...responseData(result, item.texts, own), trace: trace(result) };
  }
  return { summary, findings: findings(summary), items: shown };
}

/** @param texts of the item, which several picks may have in common; the response's is added where it is new */
function responseData(result: Result, texts: TextData[], costs: RunCosts | undefined): ResponseData {
  const { verdict, answer, text, tokens, finish, logp, mass, moves } = result;
  // The first character kept may be the second half of a surrogate pair.
  const kept = text.slice(-TEXT_LIMIT).replace(text.length > TEXT_LIMIT ? /^[\udc00-\udfff]/ : '', '');
  const left = text.length - kept.length;
  let at = texts.findIndex((one) => one.text === kept && one.left === left);
  if (at < 0) at = texts.push({ text: kept, left }) - 1;
  return {
    verdict,
    answer,
    text: at,
    tokens,
    finish,
    logp: logp === null ? null : Number(logp.toFixed(3)),
    mass: mass === null ? null : Number(mass.toFixed(4)),
    costs: costs ? [costs.drawnTokens, costs.computedRows, costs.sequentialPasses] : null,
    proposed: moves.proposed,
    accepted: moves.accepted,
  };
}

type Graded = SamplerSummary & { accuracy: number; interval: [number, number] };

/** From here on two samplers are told apart. */
const SIGNIFICANT = 0.05;

/** What was found, in sentences. */
function findings(summary: Summary): string[] {
  const { run, complete, samplers } = summary;
  const said: string[] = [];
  if (!complete) {
    const there = samplers.reduce((sum, { responses, tooLong }) => sum + responses + tooLong, 0);
    const all = run.items * run.samples * samplers.length;
    said.push(
      `Not finished: ${there} of ${all} responses are there, and the samplers may stand on different items.`,
    );
  }
  if (run.badLines > 0) {
    said.push(
      `${run.badLines === 1 ? 'One line' : `${run.badLines} lines`} of the task’s file could not be read.`,
    );
  }
  // Those that are behind in a run that goes on say little as yet.
  const most = Math.max(1, ...samplers.map(({ items }) => items));
  const graded = samplers.filter((one): one is Graded => one.accuracy !== null && one.items === most);
  if (graded.length === 0) return [...said, 'No item is graded yet.'];
  const samples = graded.filter(({ pick }) => pick === 'last');
  const best = bestOf(samples);
  if (best) said.push(`Most accurate: ${described(best)}.`, ...cheapest(best, samples, summary));
  const picked = bestOf(graded.filter(({ pick }) => pick !== 'last'));
  if (picked && (!best || picked.accuracy > best.accuracy)) {
    said.push(`Most accurate of the picks, which are no samples: ${described(picked)}.`);
  }
  return said;
}

/** Of highest accuracy; of several that of fewest computed rows. */
const bestOf = (graded: readonly Graded[]): Graded | undefined =>
  graded
    .toSorted((a, b) => (a.computedRows ?? Infinity) - (b.computedRows ?? Infinity))
    .reduce<Graded | undefined>((a, b) => (a && a.accuracy >= b.accuracy ? a : b), undefined);

function described({ name, accuracy, interval, items }: Graded): string {
  const [low, high] = interval.map(percent);
  const on = items === 1 ? 'one item' : `${items} items`;
  return `${name}, right on ${percent(accuracy)} of ${on} (95 % interval ${low} to ${high})`;
}

/** Who does as well for less, as far as one can tell. */
function cheapest(best: Graded, graded: readonly Graded[], { comparisons }: Summary): string[] {
  const { computedRows: rows } = best;
  if (graded.length === 1 || rows === null) return [];
  const cheaper = graded
    .filter((one): one is Graded & { computedRows: number } => (one.computedRows ?? Infinity) < rows)
    .toSorted((a, b) => a.computedRows - b.computedRows);
  if (cheaper.length === 0) return ['No other computes fewer rows.'];
  for (const one of cheaper) {
    const pair = comparisons.find(({ a, b }) => [a, b].includes(one.name) && [a, b].includes(best.name));
    if (pair?.p === undefined || pair.p === null || pair.p < SIGNIFICANT) continue;
    const share = one.computedRows / rows;
    return [
      `Cheapest that these items cannot tell from it: ${one.name}, ${percent(one.accuracy)} with ${percent(share)} of its computed rows (McNemar’s p = ${pair.p.toPrecision(2)}; that is no proof that the two are equal).`,
    ];
  }
  return ['All that compute fewer rows are significantly less accurate (McNemar’s p < 0.05).'];
}
