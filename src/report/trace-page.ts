import type { Sample, SamplerOptions, Step } from '../sampling/sample.ts';
import { htmlPage } from './page.ts';
import { type ReplayData, type ReplayStep, replay } from './trace-page-client.ts';
import { STYLE } from './trace-page-style.ts';

export interface TracePage {
  /** The prompt as text. */
  prompt: string;
  /** What was drawn, with its trace. */
  sample: Sample;
  /** The options it was drawn with. */
  options: SamplerOptions;
  /** Text of one token; a fragment of a UTF-8 character shows a replacement character. */
  tokenText(id: number): string;
  /** The adapter's description. */
  adapter: string;
  wallSeconds: number;
}

/** One self-contained HTML document that replays a run step by step. It loads nothing and sends nothing. */
export function tracePage(page: TracePage): string {
  return htmlPage({
    title: 'How this answer was drawn',
    style: STYLE,
    body: BODY,
    data: replayData(page),
    scripts: [`${replay}\nreplay(JSON.parse(document.getElementById('run').textContent));`],
  });
}

const BODY = `<body>
<header>
  <h1>How this answer was drawn</h1>
  <p id="explanation"></p>
</header>
<main>
  <div id="columns">
    <div class="texts">
      <section>
        <h2>Prompt</h2>
        <div id="prompt" class="text" dir="auto" tabindex="0" role="group" aria-label="Prompt"></div>
      </section>
      <section>
        <div class="heading"><h2 id="answer-title">Answer</h2><span id="answer-size" class="aside"></span></div>
        <svg id="map" role="img" aria-label="Entropy and cuts along the answer"></svg>
        <div id="answer" class="text" dir="auto" role="group" aria-labelledby="answer-title"></div>
      </section>
      <section class="keys" aria-label="Legend">
        <div class="scale">
          <span>Entropy: how unsure the model was of a token</span>
          <div class="bar"><i id="gate"></i></div>
          <div class="ends"><span>0, certain</span><span id="scale-end"></span></div>
        </div>
        <ul id="marks">
          <li class="of-cuts"><span class="sample"><i class="pin">2</i></span>cut here twice so far, accepted at least once</li>
          <li class="of-cuts"><span class="sample"><i class="pin never">2</i></span>cut here twice so far, never accepted</li>
          <li><span class="sample fresh">text</span>new in this step</li>
          <li class="of-cuts"><span class="sample tried">text</span>would have been replaced, but stays</li>
          <li id="closed-key" class="of-cuts"><span class="sample hatched">text</span>closed: no token unsure enough, hardly ever cut</li>
        </ul>
      </section>
    </div>
    <div id="steps">
      <section id="chart-section">
        <h2>log p of the answer, in nats</h2>
        <svg id="chart" role="img" aria-label="log p of the answer in nats over the steps"></svg>
        <ul id="outcomes"></ul>
        <p class="note">Higher is more probable; longer answers lie lower. Click a point to go to its step.</p>
      </section>
      <section id="step">
        <div class="heading"><h2 id="step-outcome"></h2><span id="step-number" class="aside"></span></div>
        <p id="step-text"></p>
        <div id="candidates" tabindex="0" role="group" aria-label="New endings">
          <table>
            <thead><tr><th>ending</th><th>tokens</th><th>log ρ</th><th></th></tr></thead>
            <tbody id="candidate-rows"></tbody>
          </table>
          <p class="note">log ρ weighs the answer with this ending against the current answer, in nats: above 0 it is better.</p>
        </div>
      </section>
    </div>
  </div>
  <section id="account" aria-label="Account"></section>
</main>
<nav id="transport" aria-label="Steps">
  <button id="play" type="button">Play</button>
  <button id="previous" type="button" aria-label="Previous step">‹</button>
  <input id="slider" type="range" min="0" step="1" aria-label="Step">
  <button id="next" type="button" aria-label="Next step">›</button>
  <output id="counter" for="slider"><span id="counter-shape"></span><span id="counter-text"></span></output>
</nav>
<footer>Drawn with egps.</footer>
<div id="tooltip" role="tooltip" hidden></div>
</body>`;

function replayData({ prompt, sample, options, tokenText, adapter, wallSeconds }: TracePage): ReplayData {
  const indices = new Map<number, number>();
  const index = (id: number): number => {
    const known = indices.get(id) ?? indices.size;
    indices.set(id, known);
    return known;
  };
  const steps = sample.trace.steps.map((step) => replayStep(step, index));
  const ids = [...indices.keys()];
  const end = sample.finish === 'eos' ? sample.tokens.at(-1) : undefined;
  const blocks = options.sampler === 'egps' && options.cutLaw === 'entropy-block';
  return {
    prompt,
    explanation: explanation(options),
    texts: ids.map((id) => tokenText(id)),
    ids,
    eos: end === undefined ? -1 : ids.indexOf(end),
    closing: blocks ? { blockSize: options.blockSize, gate: options.gate } : null,
    steps,
    account: account(sample, options, adapter, wallSeconds),
  };
}

function replayStep(step: Step, index: (id: number) => number): ReplayStep {
  const { kind, block, cut, outcome, logp } = step;
  const rounded = (column: Iterable<number>) => Array.from(column, (value) => Number(value.toPrecision(5)));
  return {
    kind,
    block,
    cut,
    lengths: [...step.lengths],
    abandoned: [...step.abandoned],
    logRho: rounded(step.logRho),
    outcome,
    tokens: Array.from(step.tokens, index),
    entropy: rounded(step.entropy),
    tokenLogp: rounded(step.tokenLogp),
    logp,
  };
}

/** Chains refine an answer; smc has their target, but grows several. */
const isChain = ({ sampler }: SamplerOptions): boolean =>
  ['metropolis', 'karan-du', 'entropy-cut', 'egps'].includes(sampler);
const isPower = (options: SamplerOptions): boolean => isChain(options) || options.sampler === 'smc';

function explanation(options: SamplerOptions): string {
  const { sampler, n, tries } = options;
  switch (sampler) {
    case 'greedy':
      return 'The model wrote the answer token by token and took the most probable token each time.';
    case 'sample':
      return 'The model wrote the answer token by token and drew each token at random by its probability.';
    case 'best-of-n':
      return `The model wrote ${n} answers and drew each token at random by its probability. This is the most probable of them.`;
    case 'smc':
      return `The model wrote ${n} answers side by side, block by block. In between, answers that had turned out improbable made way for copies of more probable ones. At the end one of them was drawn.`;
    case 'metropolis':
    case 'karan-du':
    case 'entropy-cut':
    case 'egps': {
      const endings = sampler === 'egps' && tries > 1 ? `${tries} new endings were` : 'a new ending was';
      const guided = sampler === 'entropy-cut' || (sampler === 'egps' && options.cutLaw !== 'uniform');
      const where = guided ? 'mostly where the model had been unsure' : 'anywhere in the answer';
      return `The model wrote a draft, block by block. In between it went back again and again: the answer was cut at a position picked at random, ${where}, and ${endings} written from there. A new ending that makes the whole answer more probable is likely to be accepted and to replace the old one; otherwise the answer mostly stays as it is.`;
    }
  }
}

type Rows = ReplayData['account'][number]['rows'];

function account(sample: Sample, options: SamplerOptions, adapter: string, wallSeconds: number) {
  const { account, finish, tokens, logProbability, logTarget } = sample;
  const result: Rows = [
    ['length', `${tokens.length} tokens${finish === 'eos' ? '' : ', cut at the limit'}`],
    ['log p', `${signed(logProbability)} nats`],
  ];
  if (isPower(options)) result.push(['log π = α · log p, up to a constant', signed(logTarget)]);
  const { proposed, accepted } = account;
  const share = proposed > 0 ? ` (${Math.round((100 * accepted) / proposed)} %)` : '';
  const moves: Rows = [
    ['proposed', whole(proposed)],
    ['accepted', `${whole(accepted)}${share}`],
    ['held', whole(account.held)],
    ['endings given up early', whole(account.abandoned)],
    ['tokens saved by that, roughly', whole(account.savedTokens)],
  ];
  const work: Rows = [
    ['decoded tokens', whole(account.decodedTokens)],
    ['sequential steps', whole(account.sequentialSteps)],
    ['rows per step', account.rowsPerStep.toFixed(2)],
    ['wall time', seconds(wallSeconds)],
    ['adapter', adapter],
  ];
  return [
    { title: 'Result', rows: result },
    ...(isChain(options) ? [{ title: 'Moves', rows: moves }] : []),
    { title: 'Work', rows: work },
    { title: 'Options', rows: used(options) },
  ];
}

/** The options that the sampler used. */
function used(options: SamplerOptions): Rows {
  const { sampler, cutLaw } = options;
  const shown: [string, string | number | bigint | undefined][] = [
    ['sampler', sampler],
    ['seed', options.seed],
    ['chain', options.chain],
    ['most new tokens', options.maxNewTokens],
  ];
  if (sampler === 'sample' || sampler === 'best-of-n') {
    shown.push(['temperature', options.temperature], ['top k', options.topK], ['top p', options.topP]);
  }
  if (sampler === 'best-of-n') shown.push(['answers', options.n]);
  if (sampler === 'smc') shown.push(['particles', options.n]);
  if (isPower(options)) {
    shown.push(
      ['α', options.alpha],
      ['proposal temperature', Number(options.proposalTemperature.toPrecision(4))],
      ['block size', `${options.blockSize} tokens`],
    );
  }
  if (isChain(options)) {
    shown.push(['steps per block', options.steps]);
    if (sampler !== 'karan-du') {
      shown.push(
        ['final steps', options.finalSteps],
        ['acceptance', options.acceptance],
        ['decoding', options.decoding],
      );
    }
  }
  if (sampler === 'egps') {
    shown.push(['endings per step', options.tries], ['cut law', cutLaw]);
    if (cutLaw === 'entropy-gate' || cutLaw === 'entropy-block') shown.push(['gate', `${options.gate} nats`]);
  }
  return shown.flatMap(([name, value]): Rows => (value === undefined ? [] : [[name, String(value)]]));
}

/** 12345 → "12 345", with thin spaces. */
const whole = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, '\u2009');

const signed = (x: number): string => x.toFixed(3).replace('-', '−');

function seconds(s: number): string {
  return s < 60
    ? `${s.toFixed(s < 10 ? 2 : 1)} s`
    : `${Math.floor(Math.round(s) / 60)} min ${Math.round(s) % 60} s`;
}
