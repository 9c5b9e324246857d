import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { distinct, type Result } from '../eval/result.ts';
import type { SamplerSummary, Summary } from '../eval/summary.ts';
import { type EvalData, type ItemData, type ResponseData, showEval } from './eval-page-client.ts';
import { STYLE } from './eval-page-style.ts';
import { htmlPage } from './page.ts';

export interface EvalPage {
  summary: Summary;
  /** The run's items in the order they are shown in; the right answer as text. */
  items: readonly { id: string; prompt: string; answer: string }[];
  results: readonly Result[];
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
    scripts: [
      chartScript(),
      `${showEval}\nshowEval(JSON.parse(document.getElementById('run').textContent), Chart);`,
    ],
  });
}

/** Chart.js as one classic script. The package keeps that file out of its exports, so it is found beside one of them. */
function chartScript(): string {
  const folder = dirname(createRequire(import.meta.url).resolve('chart.js'));
  return (
    readFileSync(join(folder, 'chart.umd.min.js'), 'utf8')
      // A debugger would ask for the map.
      .replace(/^\/\/# sourceMappingURL=.*$/m, '')
      .replaceAll('</script', '<\\/script')
      .trim()
  );
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
    <p class="note">Higher and further to the left is better. Bars are 95 % intervals; the letters are those of the table.</p>
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

function evalData({ summary, items, results, trace }: EvalPage): EvalData {
  const { samplers, run } = summary;
  const columns = new Map(samplers.map(({ sampler }, i) => [sampler, i]));
  const shown = items.map(
    ({ id, prompt, answer }): ItemData => ({
      id,
      prompt,
      answer,
      responses: samplers.map(() => Array.from({ length: run.samples }, () => null)),
    }),
  );
  const byId = new Map(shown.map((item) => [item.id, item]));
  for (const result of distinct(results)) {
    const responses = byId.get(result.item)?.responses[columns.get(result.sampler) ?? -1];
    if (responses && result.sample < run.samples) responses[result.sample] = responseData(result, trace);
  }
  return { summary, findings: findings(summary), items: shown };
}

function responseData(result: Result, trace: EvalPage['trace']): ResponseData {
  const { verdict, answer, text, tokens, finish, logp, account } = result;
  // The first character kept may be the second half of a surrogate pair.
  const kept = text.slice(-TEXT_LIMIT).replace(text.length > TEXT_LIMIT ? /^[\udc00-\udfff]/ : '', '');
  return {
    verdict,
    answer,
    text: kept,
    left: text.length - kept.length,
    tokens,
    finish,
    logp: logp === null ? null : Number(logp.toFixed(3)),
    decodedTokens: account.decodedTokens,
    sequentialSteps: account.sequentialSteps,
    proposed: account.proposed,
    accepted: account.accepted,
    trace: trace(result),
  };
}

type Graded = SamplerSummary & { accuracy: number; interval: [number, number]; decodedTokens: number };

/** From here on two samplers are told apart. */
const SIGNIFICANT = 0.05;

/** What was found, in sentences. */
function findings({ run, complete, samplers, comparisons }: Summary): string[] {
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
  const byCost = graded.toSorted((a, b) => a.decodedTokens - b.decodedTokens);
  const best = byCost.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
  const [low, high] = best.interval.map(percent);
  const items = best.items === 1 ? 'one item' : `${best.items} items`;
  said.push(
    `Most accurate: ${best.sampler}, right on ${percent(best.accuracy)} of ${items} (95 % interval ${low} to ${high}).`,
  );
  if (graded.length === 1) return said;
  const cheaper = byCost.filter(({ decodedTokens }) => decodedTokens < best.decodedTokens);
  if (cheaper.length === 0) return [...said, 'No other decodes fewer tokens.'];
  for (const one of cheaper) {
    const pair = comparisons.find(
      ({ a, b }) => [a, b].includes(one.sampler) && [a, b].includes(best.sampler),
    );
    if (pair?.p === undefined || pair.p === null || pair.p < SIGNIFICANT) continue;
    const share = one.decodedTokens / best.decodedTokens;
    said.push(
      `Cheapest that these items cannot tell from it: ${one.sampler}, ${percent(one.accuracy)} with ${percent(share)} of its decoded tokens (McNemar’s p = ${pair.p.toPrecision(2)}; that is no proof that the two are equal).`,
    );
    return said;
  }
  said.push('All that decode fewer tokens are significantly less accurate (McNemar’s p < 0.05).');
  return said;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
