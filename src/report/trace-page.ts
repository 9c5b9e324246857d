import type { AnswerShare } from '../answers/shares.ts';
import type { Account, Sample, SamplerOptions, Step } from '../sampling/sample.ts';
import { clientBundles } from './client-bundles.ts';
import { htmlPage } from './page.ts';
import { responseTree } from './response-tree.ts';
import { isChain, isPower, lawUses } from './sampler-kinds.ts';
import { account } from './trace-account.ts';
import type { ReplayData, ReplayStep } from './trace-data.ts';
import { STYLE } from './trace-page-style.ts';

/** What the page of a run is made from. */
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
  /** That the run took. */
  wallSeconds: number;
  /** Final answers with their estimated probabilities, most probable first, where they are known. */
  answers?: readonly AnswerShare[] | null;
}

/** One self-contained HTML document that replays a run step by step. It loads nothing and sends nothing. */
export function tracePage(page: TracePage): string {
  return htmlPage({
    title: 'How this answer was drawn',
    style: STYLE,
    body: BODY,
    data: replayData(page),
    scripts: [clientBundles.trace],
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
        <svg id="map" role="img" aria-label="Entropy and cuts along the answer, and which of its tokens were computed"></svg>
        <fieldset id="shading">
          <legend>Shade tokens by</legend>
          <label><input type="radio" name="shading" value="entropy" checked>entropy</label>
          <label><input type="radio" name="shading" value="origin">what was computed</label>
        </fieldset>
        <div id="answer" class="text" dir="auto" role="group" aria-labelledby="answer-title"></div>
      </section>
      <section class="keys" aria-label="Legend">
        <div class="scale">
          <span>Entropy: how unsure the model was of a token</span>
          <div class="bar"><i id="gate"></i></div>
          <div class="ends"><span>0, certain</span><span id="scale-end"></span></div>
          <ul id="origins">
            <li><span class="sample of-computed">text</span>computed: the run waited for the model</li>
            <li><span class="sample of-drafted">text</span><span id="drafted-key"></span></li>
            <li><span class="sample of-free">text</span>free: the same beginning had been computed before</li>
          </ul>
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
        <p id="step-origins" class="note"></p>
        <p id="step-costs" class="note"></p>
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
  <section id="tree-section" class="wide">
    <div class="heading"><h2>The answers met, as a tree of their beginnings</h2><span id="tree-size" class="aside"></span></div>
    <p id="tree-note" class="note"></p>
    <div id="tree-box"><svg id="tree" role="group" aria-label="Tree of the answers met"></svg></div>
    <ul id="tree-keys">
      <li><svg viewBox="0 0 28 10" class="line" aria-hidden="true"><path class="run final" d="M0 5H28" stroke-width="4"/></svg>the final answer</li>
      <li><svg viewBox="0 0 28 10" class="line" aria-hidden="true"><path class="run" d="M0 5H28" stroke-width="4"/></svg>other answers; the more came this way, the thicker</li>
      <li id="place-key"><svg viewBox="-8 -8 16 16" class="line" aria-hidden="true"><circle class="place" r="5"/></svg>the answer after this step</li>
    </ul>
    <button id="tree-more" type="button"></button>
  </section>
  <div id="odds" class="wide">
    <section id="answers-section">
      <h2>Final answers</h2>
      <table><thead><tr><th>answer</th><th>probability</th><th></th></tr></thead><tbody id="answers"></tbody></table>
      <p id="answers-note" class="note"></p>
    </section>
    <section id="particles-section">
      <h2>Weights of the particles</h2>
      <svg id="particles" role="img"></svg>
      <p id="particles-note" class="note"></p>
    </section>
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

function replayData({
  prompt,
  sample,
  options,
  tokenText,
  adapter,
  wallSeconds,
  answers,
}: TracePage): ReplayData {
  const indices = new Map<number, number>();
  const index = (id: number): number => {
    const known = indices.get(id) ?? indices.size;
    indices.set(id, known);
    return known;
  };
  const steps = sample.trace.steps.map((step, i, all) => replayStep(step, all[i - 1]?.account, index));
  const ids = [...indices.keys()];
  const end = sample.finish === 'eos' ? sample.tokens.at(-1) : undefined;
  const { gate } = sample;
  const closes = gate && lawUses(options, 'blockSize');
  return {
    prompt,
    explanation: explanation(sample, options),
    texts: ids.map((id) => tokenText(id)),
    ids,
    eos: end === undefined ? -1 : ids.indexOf(end),
    closing: closes ? { blockSize: options.blockSize, gate: gate.nats } : null,
    steps,
    drawsAhead: options.tree === 'off' || !isPower(options),
    tree: responseTree(sample, (id) => (id === end ? ' ∎' : tokenText(id))),
    treeNote: treeNote(sample, options),
    answers: shortened(answers ?? []),
    particles: particleWeights(sample),
    account: account(sample, options, adapter, wallSeconds),
  };
}

/** What the steps begin with. */
const NOTHING: Pick<
  Account,
  'drawnTokens' | 'computedRows' | 'draftedRows' | 'usedDrafts' | 'sequentialPasses'
> = {
  drawnTokens: 0,
  computedRows: 0,
  draftedRows: 0,
  usedDrafts: 0,
  sequentialPasses: 0,
};

/** @param before account up to the step */
function replayStep(step: Step, before = NOTHING, index: (id: number) => number): ReplayStep {
  const { kind, block, cut, outcome, logp, account } = step;
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
    origins: Array.from(step.origins),
    logp,
    drawn: account.drawnTokens - before.drawnTokens,
    computed: account.computedRows - before.computedRows,
    drafted: account.draftedRows - before.draftedRows,
    passes: account.sequentialPasses - before.sequentialPasses,
  };
}

/** What the tree of a run lacks. */
function treeNote({ visited: { particles, states } }: Sample, options: SamplerOptions): string {
  const lost: string[] = [];
  if (particles.length > 0) lost.push('particles that made way for others');
  const whole = states.slice(1).some((state) => state.length > 1);
  if (isChain(options) && !whole) lost.push('endings that were not accepted');
  const said = lost.join(' and ');
  return said && `Not in it: ${said}.`;
}

/** Final answers that are told one by one. */
const ANSWERS = 8;

/** The most probable answers, and what the others have together. */
function shortened(answers: readonly AnswerShare[]): ReplayData['answers'] {
  const rest = answers.slice(ANSWERS);
  const told = answers
    .slice(0, ANSWERS)
    .map(({ answer, probability }) => ({ answer, probability, others: 0 }));
  if (rest.length === 0) return told;
  const probability = rest.reduce((sum, each) => sum + each.probability, 0);
  return [...told, { answer: null, probability, others: rest.length }];
}

/** Heaviest first; null where there are none. */
function particleWeights({ tokens, visited: { particles, states } }: Sample): ReplayData['particles'] {
  if (particles.length === 0) return null;
  const keys = particles.map(({ response }) => response.tokens.join());
  const chosen = keys.indexOf((states[0]?.[0].response.tokens ?? tokens).join()); // with which the chain began
  const order = particles.map((_, i) => i).sort((a, b) => particles[b].weight - particles[a].weight);
  return {
    weights: order.map((i) => Number(particles[i].weight.toPrecision(4))),
    chosen: order.indexOf(chosen),
    distinct: new Set(keys).size,
    effective: 1 / particles.reduce((sum, { weight }) => sum + weight ** 2, 0),
  };
}

function explanation({ visited }: Sample, options: SamplerOptions): string {
  const { sampler, n, tries, finalSteps } = options;
  const particles = visited.particles.length;
  const sideBySide = `The model wrote ${particles} answers side by side, the particles. Every so often, where some had turned out far more probable than others, improbable ones made way for copies of probable ones.`;
  switch (sampler) {
    case 'greedy':
      return 'The model wrote the answer token by token and took the most probable token each time.';
    case 'sample':
      return 'The model wrote the answer token by token and drew each token at random by its probability.';
    case 'best-of-n':
      return `The model wrote ${n} answers and drew each token at random by its probability. This is the most probable of them.`;
    case 'smc':
      return `${sideBySide} At the end one of them was drawn by weight: this is how it grew.`;
    case 'metropolis':
    case 'karan-du':
    case 'entropy-cut':
    case 'egps': {
      const endings = sampler === 'egps' && tries > 1 ? `${tries} new endings were` : 'a new ending was';
      const where = lawUses(options, 'entropy')
        ? 'mostly where the model had been unsure'
        : 'anywhere in the answer';
      const again = `the answer was cut at a position picked at random, ${where}, and ${endings} written from there. A new ending that makes the whole answer more probable is likely to be accepted and to replace the old one; otherwise the answer mostly stays as it is.`;
      if (particles === 0) {
        return `The model wrote a draft, block by block. In between it went back again and again: ${again}`;
      }
      const chosen = `${sideBySide} One of them was drawn by weight; the first steps show how it grew.`;
      if (finalSteps === 0) return chosen;
      return `${chosen} Then it was refined ${finalSteps === 1 ? 'once' : `${finalSteps} times`}: ${again}`;
    }
  }
}
