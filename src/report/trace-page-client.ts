import type { ResponseTree } from './response-tree.ts';

/** What a trace page's script is given. Numbers are rounded for show. */
export interface ReplayData {
  prompt: string;
  /** How the sampler works, for someone who has never heard of it. */
  explanation: string;
  /** Text of each token that occurs, and its id; the steps' `tokens` point into these. */
  texts: string[];
  ids: number[];
  /** Which of them ends a response, or −1. */
  eos: number;
  /** Blocks without any entropy as high as the gate are closed to cuts; null if the cut law knows no blocks. */
  closing: { blockSize: number; gate: number } | null;
  steps: ReplayStep[];
  /** Nothing is drafted: what comes before it is asked for was drawn ahead on the GPU. */
  drawsAhead: boolean;
  tree: ResponseTree;
  /** What the tree lacks. */
  treeNote: string;
  /** Most probable first. */
  answers: {
    /** null: no answer. */
    answer: string | null;
    probability: number;
    /** How many it stands for that are not told one by one, or 0. */
    others: number;
  }[];
  /** Weights in descending order, which of them the chain began with, the number of distinct ones, and (Σw)² / Σw²; null: no particles. */
  particles: { weights: number[]; chosen: number; distinct: number; effective: number } | null;
  /** Titled tables of names and values. */
  account: { title: string; rows: [name: string, value: string][] }[];
}

/** As Step in ../sampling/trace.ts. */
export interface ReplayStep {
  kind: 'grow' | 'propose' | 'hold';
  block: number;
  cut: number;
  lengths: number[];
  abandoned: boolean[];
  /** null: −∞, which JSON does not have. */
  logRho: (number | null)[];
  outcome: number;
  tokens: number[];
  entropy: number[];
  tokenLogp: number[];
  /** Of each token's distribution: 0 known already, 1 computed, 2 computed before it was asked for. */
  origins: number[];
  logp: number;
  /** In this step: tokens drawn, rows computed, those of them that were drafted, and passes. */
  drawn: number;
  computed: number;
  drafted: number;
  passes: number;
}

/**
 * The script of a trace page. Its source text is what the page holds, so it refers to nothing outside of itself and the browser.
 * Whatever comes from the run enters the document as text, never as markup.
 */
export function replay(data: ReplayData): void {
  type Outcome = 'grown' | 'accepted' | 'rejected' | 'held';
  /** A token of the response at some step. */
  interface Drawn {
    token: number;
    entropy: number;
    logp: number;
    origin: number;
    step: number;
  }

  const { steps, closing } = data;
  const last = steps.length - 1;
  const refined = steps.some(({ kind }) => kind !== 'grow');
  const ORIGINS = ['free', 'computed', 'drafted'];
  const OUTCOMES: Outcome[] = ['grown', 'accepted', 'rejected', 'held'];
  /** Each drawn around 0, 0, within 5 pixels. */
  const SHAPES: Record<Outcome, string> = {
    grown: 'M0-5 5 4H-5Z',
    accepted: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z',
    rejected: 'M-3.5-3.5 3.5 3.5M3.5-3.5-3.5 3.5',
    held: 'M-3-3H3V3H-3Z',
  };

  // The document.

  const find = <E extends Element = HTMLElement>(id: string): E =>
    document.getElementById(id) as unknown as E;

  function element(name: string, className = '', text = ''): HTMLElement {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.textContent = text;
    return made;
  }

  function svg(name: string, attributes: Record<string, string | number>, text = ''): SVGElement {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    made.textContent = text;
    return made;
  }

  function shape(outcome: Outcome): SVGElement {
    const icon = svg('svg', { viewBox: '-6 -6 12 12', class: 'shape', 'aria-hidden': 'true' });
    icon.append(svg('path', { d: SHAPES[outcome], class: outcome }));
    return icon;
  }

  /** Text with what is invisible marked. The marks are the style sheet's, so that copying the text leaves them behind. */
  function show(target: HTMLElement, text: string): void {
    target.textContent = '';
    for (const part of text.split(/([\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf})/u)) {
      if (!/^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]$/u.test(part)) {
        target.append(part);
        continue;
      }
      // Other controls stay out of the document: some would turn the rest of the line round.
      const kept = part === '\n' || part === '\t';
      const mark = element('i', kept ? '' : 'control', kept ? part : '');
      mark.dataset.mark = nameOf(part);
      target.append(mark);
    }
  }

  function nameOf(control: string): string {
    if (control === '\n') return '↵';
    if (control === '\t') return '→';
    const code = control.codePointAt(0) as number;
    return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  }

  const number = (value: number, digits: number): string => value.toFixed(digits).replace('-', '−');
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

  function probability(logp: number): string {
    const percent = 100 * Math.exp(logp);
    if (percent >= 99.995) return '100 %';
    const digits = percent >= 99 ? 4 : percent >= 10 ? 3 : 2;
    return `${percent >= 0.001 ? percent.toPrecision(digits) : percent.toExponential(1)} %`;
  }

  // The chain.

  function outcomeOf({ kind, outcome }: ReplayStep): Outcome {
    if (kind === 'grow') return 'grown';
    if (kind === 'hold') return 'held';
    return outcome >= 0 ? 'accepted' : 'rejected';
  }

  /** The response after step i: what each step put in its place, as far as no later one cut it off. */
  function responseAfter(i: number): Drawn[] {
    const parts: Drawn[][] = [];
    let end = Infinity;
    for (let s = i; s >= 0 && end > 0; s--) {
      const { outcome, cut, tokens, entropy, tokenLogp, origins } = steps[s];
      if (outcome < 0 || cut >= end) continue;
      const kept = tokens.slice(0, end - cut);
      parts.push(
        kept.map((token, at) => {
          return { token, entropy: entropy[at], logp: tokenLogp[at], origin: origins[at], step: s };
        }),
      );
      end = cut;
    }
    return parts.reverse().flat();
  }

  /** Where cuts fell up to step i. */
  function cutsUpTo(i: number): Map<number, { cuts: number; accepted: number }> {
    const at = new Map<number, { cuts: number; accepted: number }>();
    for (const { kind, cut, outcome } of steps.slice(0, i + 1)) {
      if (kind !== 'propose') continue;
      const here = at.get(cut) ?? { cuts: 0, accepted: 0 };
      here.cuts++;
      if (outcome >= 0) here.accepted++;
      at.set(cut, here);
    }
    return at;
  }

  const placeOf = (step: number): string =>
    data.particles ? `step ${step}` : `step ${step}, block ${steps[step].block}`;

  // The answer.

  const answer = find('answer');
  const tooltip = find('tooltip');
  /** What shows the tooltip of a line of the tree. */
  const tellers = new Map<Element | null, () => void>();
  /** The scale's upper end: half nats, and no more than four, beyond which the shade stays the same. */
  const highest = steps.reduce((most, { entropy }) => entropy.reduce((a, b) => Math.max(a, b), most), 0);
  const scale = Math.min(4, Math.max(1, Math.ceil(highest * 2) / 2));
  const blockSize = closing?.blockSize ?? Number.MAX_SAFE_INTEGER;

  let current = -1;
  let response: Drawn[] = [];
  let cuts = cutsUpTo(-1);
  /** One element a token, in one element a block. */
  const tokens: HTMLElement[] = [];
  const blocks: HTMLElement[] = [];
  let tabStop = 0;

  function tokenElement({ token, entropy, origin }: Drawn, at: number, text: string): HTMLElement {
    const made = element('span', `token of-${ORIGINS[origin]}`);
    if (token === data.eos) made.dataset.mark = 'end';
    else if (text === '') made.dataset.mark = `token ${data.ids[token]}`;
    else show(made, text);
    made.dataset.at = String(at);
    made.tabIndex = -1;
    made.style.setProperty('--heat-share', `${Math.round((100 * Math.min(entropy, scale)) / scale)}%`);
    return made;
  }

  /** Brings the answer to step i. What stays, stays the same element. */
  function showAnswer(i: number): void {
    const next = responseAfter(i);
    let same = 0;
    while (same < Math.min(response.length, next.length) && response[same].step === next[same].step) same++;
    tokens.length = same;
    while (same > 0 && tokens[same - 1].nextSibling) tokens[same - 1].nextSibling?.remove();
    for (const gone of blocks.splice(Math.ceil(same / blockSize))) gone.remove();
    for (let at = same; at < next.length; at++) {
      const block = Math.floor(at / blockSize);
      if (block === blocks.length) {
        blocks.push(element('span', 'block'));
        answer.append(blocks[block]);
      }
      const text = next[at].token === data.eos ? '' : data.texts[next[at].token];
      const lead = /^ (?=.)/su.test(text) ? ' ' : '';
      tokens.push(tokenElement(next[at], at, text.slice(lead.length)));
      // A space in front is left unshaded: at the end of a line it would look like a token of its own.
      blocks[block].append(lead, tokens[at]);
    }
    response = next;
    if (tabStop >= tokens.length) tabStop = 0;
    if (tokens.length > 0) tokens[tabStop].tabIndex = 0;

    const { kind, cut, outcome } = steps[i];
    for (const [at, token] of tokens.entries()) {
      const inPlay = kind !== 'hold' && at >= cut;
      token.classList.toggle('fresh', inPlay && outcome >= 0 && last > 0);
      token.classList.toggle('tried', inPlay && outcome < 0);
      token.classList.toggle('cut', kind === 'propose' && at === cut);
    }
    if (closing) {
      for (const [b, block] of blocks.entries()) {
        const part = response.slice(b * blockSize, (b + 1) * blockSize);
        block.classList.toggle(
          'closed',
          part.every(({ entropy }) => entropy < closing.gate),
        );
      }
    }
    for (const at of cuts.keys()) {
      delete tokens[at]?.dataset.cuts;
      delete tokens[at]?.dataset.accepted;
    }
    cuts = cutsUpTo(i);
    for (const [at, here] of cuts) {
      const token = tokens[at];
      if (!token) continue;
      token.dataset.cuts = String(here.cuts);
      token.dataset.accepted = String(here.accepted);
    }
  }

  // What is told about one token.

  const ahead = data.drawsAhead ? 'ahead, on the GPU' : 'as a draft, before it was asked for';
  const cameBy = (origin: number): string => ['no: known already', 'yes: the run waited', ahead][origin];

  function describe(token: HTMLElement): void {
    const at = Number(token.dataset.at);
    const { token: index, logp, entropy, origin, step } = response[at];
    const { cuts: fell, accepted } = cuts.get(at) ?? { cuts: 0, accepted: 0 };
    const text = index === data.eos ? 'end of the answer' : data.texts[index] || `token ${data.ids[index]}`;
    tell(token, text, [
      ['probability', probability(logp)],
      ['entropy', entropy < 0.0005 ? 'below 0.001 nats' : `${number(entropy, 3)} nats`],
      ['position', String(at)],
      ['computed', cameBy(origin)],
      ['last drawn in', placeOf(step)],
      ['cuts here', fell === 0 ? 'none' : `${fell}, ${accepted} accepted`],
    ]);
  }

  /** Shows the tooltip at an element. */
  function tell(of: Element, text: string, rows: readonly [string, string][]): void {
    const title = element('b');
    show(title, text);
    const facts = element('dl');
    for (const [name, value] of rows) facts.append(element('dt', '', name), element('dd', '', value));
    tooltip.replaceChildren(title, facts);
    tooltip.hidden = false;
    for (const described of document.querySelectorAll('[aria-describedby]')) {
      described.removeAttribute('aria-describedby');
    }
    of.setAttribute('aria-describedby', 'tooltip');

    const box = of.getClientRects()[0];
    const { offsetWidth: width, offsetHeight: height } = tooltip;
    const room = document.documentElement.clientWidth - width - 8;
    const above = box.top - height - 24;
    tooltip.style.left = `${Math.max(8, Math.min(box.left, room))}px`;
    tooltip.style.top = `${above >= 8 ? above : box.bottom + 8}px`;
  }

  function focusedToken(): HTMLElement | null {
    return answer.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
  }

  function describeFocused(): void {
    const focused = focusedToken();
    const about = tellers.get(document.activeElement);
    if (focused) describe(focused);
    else if (about) about();
    else tooltip.hidden = true;
  }

  const tokenOf = (event: Event): HTMLElement | null => (event.target as Element).closest('.token');
  answer.addEventListener('pointerover', (event) => {
    const token = tokenOf(event);
    if (token) describe(token);
  });
  answer.addEventListener('pointerleave', describeFocused);
  answer.addEventListener('focusin', (event) => {
    const token = tokenOf(event);
    if (!token) return;
    if (tokens[tabStop]) tokens[tabStop].tabIndex = -1;
    tabStop = Number(token.dataset.at);
    token.tabIndex = 0;
    describe(token);
  });
  answer.addEventListener('focusout', () => {
    tooltip.hidden = true;
  });
  answer.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') tooltip.hidden = true;
    const move = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (move) tokens[tabStop + move]?.focus();
  });
  addEventListener('scroll', describeFocused);

  // What is told about one step.

  function sentences(i: number): string[] {
    const { kind, cut, lengths, abandoned, outcome, tokens: taken } = steps[i];
    const endings = lengths.length;
    if (kind === 'hold') {
      return [
        'The block picked has no token that the model was unsure of. Nothing was drawn; the answer stays.',
      ];
    }
    if (kind === 'grow') {
      const written = count(taken.length, cut === 0 ? 'token' : 'more token');
      const ended = taken.at(-1) === data.eos ? ' and ended the answer' : '';
      if (endings === 1) return [`The model wrote ${written}${ended}.`];
      if (taken.length === 0) return [`${endings} answers went on; this one had already ended.`];
      return [`${endings} answers grew side by side, this one by ${written}.`];
    }
    if (lengths.every((length) => length === cut)) {
      return [
        `The answer was cut at position ${cut}; that it stays was certain before anything was written.`,
      ];
    }
    const before = responseAfter(i - 1).length - cut;
    const given = abandoned.filter(Boolean).length;
    const said = [
      `The answer was cut at position ${cut}, and ${endings === 1 ? 'a new ending was' : `${endings} new endings were`} written from there.`,
    ];
    if (given > 0) {
      said.push(
        `${given === 1 ? 'One was' : `${given} were`} given up early: the outcome was already certain.`,
      );
    }
    said.push(
      outcome < 0
        ? `${endings === 1 ? 'It was rejected' : 'None was accepted'}; the answer stays.`
        : `${endings === 1 ? 'It' : `Ending ${outcome + 1}`} was accepted and replaced ${count(before, 'token')} by ${taken.length}.`,
    );
    return said;
  }

  function originsOf({ tokens: taken, origins }: ReplayStep): string {
    if (taken.length === 0) return '';
    const [free, computed, drafted] = [0, 1, 2].map(
      (kind) => origins.filter((origin) => origin === kind).length,
    );
    const guessed = data.drawsAhead ? 'drawn ahead' : 'drafted';
    return `Of its ${count(taken.length, 'token')}, ${computed} computed, ${drafted} ${guessed}, ${free} free.`;
  }

  function costsOf({ kind, drawn, computed, drafted, passes }: ReplayStep): string {
    if (kind === 'hold') return '';
    const guessed = drafted > 0 ? `, ${drafted} of them ${data.drawsAhead ? 'ahead' : 'drafted'},` : '';
    const plural = passes === 1 ? 'pass' : 'passes';
    return `The whole step drew ${count(drawn, 'token')} and computed ${count(computed, 'row')}${guessed} in ${passes} ${plural}.`;
  }

  function showStep(i: number): void {
    const step = steps[i];
    const outcome = outcomeOf(step);
    const heading = find('step-outcome');
    heading.replaceChildren(shape(outcome), outcome);
    heading.className = `outcome ${outcome}`;
    const name = placeOf(i);
    find('step-number').textContent = last > 0 ? name.charAt(0).toUpperCase() + name.slice(1) : '';
    find('step-text').textContent = sentences(i).join(' ');
    find('step-origins').textContent = originsOf(step);
    find('step-costs').textContent = costsOf(step);
    find('answer-title').textContent = i === last ? 'Answer' : `Answer after step ${i}`;
    find('answer-size').textContent = `${count(response.length, 'token')}, log p ${number(step.logp, 2)}`;

    const table = find('candidates');
    table.hidden = step.lengths.length === 0 || step.kind === 'grow';
    if (table.hidden) return;
    find('candidate-rows').replaceChildren(
      ...step.lengths.map((length, j) => {
        const given = step.abandoned[j];
        const row = element('tr', j === step.outcome ? 'taken' : '');
        const logRho = step.logRho[j];
        const state = j === step.outcome ? 'accepted' : given ? 'given up early' : 'not taken';
        row.append(
          element('td', '', String(j + 1)),
          element('td', '', String(length - step.cut)),
          element('td', '', `${given ? '≤ ' : ''}${logRho === null ? '−∞' : number(logRho, 2)}`),
          element('td', '', state),
        );
        return row;
      }),
    );
  }

  // The map: the whole answer on one line, its entropy and the cuts.

  const map = find<SVGSVGElement>('map');
  const MAP = { left: 54, base: refined ? 36 : 0, height: refined ? 100 : 64, cutUnit: 9 };
  let mapX = (_at: number): number => 0;

  function drawMap(): void {
    const width = map.clientWidth;
    const { length } = response;
    if (width === 0 || length === 0) return;
    const { left, base, height } = MAP;
    const low = height - 30;
    mapX = (at) => left + (at / length) * (width - left);
    const y = (entropy: number) => low - ((low - base - 4) * Math.min(entropy, scale)) / scale;
    const pattern = { id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse' };
    const hatch = svg('pattern', pattern);
    hatch.append(svg('path', { d: 'M-1 1 1-1M0 6 6 0M5 7 7 5' }));
    const stripes = svg('pattern', { ...pattern, id: 'stripes', width: 4, height: 4 });
    stripes.append(svg('path', { d: 'M-1 1 1-1M0 4 4 0M3 5 5 3' }));
    const parts = [hatch, stripes];
    for (const [b, block] of blocks.entries()) {
      if (!block.classList.contains('closed')) continue;
      const x = mapX(b * blockSize);
      const span = mapX(Math.min(length, (b + 1) * blockSize)) - x - 1;
      parts.push(svg('rect', { x, y: base, width: span, height: low - base, class: 'shut' }));
      const middle = { x: x + span / 2, y: low - 4, 'text-anchor': 'middle' };
      if (span > 44) parts.push(svg('text', middle, 'closed'));
    }
    const profile = response.map(({ entropy }, at) => `V${y(entropy).toFixed(1)}H${mapX(at + 1).toFixed(1)}`);
    parts.push(svg('path', { d: `M${left} ${low}${profile.join('')}V${low}Z`, class: 'profile' }));
    parts.push(svg('line', { x1: left, x2: width, y1: low, y2: low, class: 'ground' }));
    for (let at = 0, next = 0; at < length; at = next) {
      const { origin } = response[at];
      while (next < length && response[next].origin === origin) next++;
      const band = { x: mapX(at), width: mapX(next) - mapX(at), y: low + 3, height: 8 };
      parts.push(svg('rect', { ...band, class: `of-${ORIGINS[origin]}` }));
    }

    const most = Math.max(1, ...Array.from(cuts.values(), (fell) => fell.cuts));
    const unit = Math.min(MAP.cutUnit, (base - 4) / most);
    for (const [at, { cuts: fell, accepted }] of cuts) {
      if (at >= length) continue;
      const bar = { x: mapX(at) - 2.5, width: 5 };
      const split = base - accepted * unit;
      if (accepted > 0) parts.push(svg('rect', { ...bar, y: split, height: accepted * unit, class: 'took' }));
      const kept = (fell - accepted) * unit;
      if (kept > 0) parts.push(svg('rect', { ...bar, y: split - kept, height: kept, class: 'left' }));
    }
    const { kind, cut } = steps[current];
    if (kind === 'propose' && cut < length) {
      const x = mapX(cut);
      parts.push(svg('line', { x1: x, x2: x, y1: 0, y2: low, class: `now ${outcomeOf(steps[current])}` }));
    }
    parts.push(
      svg('text', { x: 0, y: base - 2 }, refined ? 'cuts' : ''),
      svg('text', { x: 0, y: low - 4 }, 'entropy'),
      svg('text', { x: 0, y: low + 11 }, 'computed'),
      svg('text', { x: left, y: height - 3 }, '0'),
      svg(
        'text',
        { x: (left + width) / 2, y: height - 3, 'text-anchor': 'middle' },
        'position in the answer, tokens',
      ),
      svg('text', { x: width, y: height - 3, 'text-anchor': 'end' }, String(length)),
    );
    map.style.height = `${height}px`;
    map.setAttribute('viewBox', `0 0 ${width} ${height}`);
    map.replaceChildren(...parts);
  }

  map.addEventListener('click', (event) => {
    const box = map.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left - MAP.left) / (box.width - MAP.left)) * tokens.length);
    const token = tokens[Math.max(0, Math.min(tokens.length - 1, at))];
    token?.scrollIntoView({ block: 'center' });
    token?.focus({ preventScroll: true });
  });

  // The chart.

  const chart = find<SVGSVGElement>('chart');
  const HEIGHT = 240;
  const MARGIN = { top: 24, right: 12, bottom: 40, left: 52 };
  let chartX = (_step: number): number => 0;
  let chartY = (_logp: number): number => 0;
  let here: SVGElement | undefined;

  /** About n round numbers from low to high. */
  function ticks(low: number, high: number, n: number, least = 0): number[] {
    const raw = (high - low) / n;
    const power = 10 ** Math.floor(Math.log10(raw));
    const size = Math.max(least, [1, 2, 5, 10].map((m) => m * power).find((s) => s >= 0.7 * raw) as number);
    const first = Math.ceil(low / size);
    const found: number[] = [];
    for (let k = first; k * size <= high; k++) found.push(Number((k * size).toPrecision(12)));
    return found;
  }

  function drawChart(): void {
    const width = chart.clientWidth;
    if (width === 0) return;
    const right = width - MARGIN.right;
    const bottom = HEIGHT - MARGIN.bottom;
    const all = steps.map(({ logp }) => logp);
    const pad = (Math.max(...all) - Math.min(...all)) * 0.08 || 1;
    const low = Math.min(...all) - pad;
    const high = Math.max(...all) + pad;
    chartX = (step) => MARGIN.left + 8 + ((right - MARGIN.left - 16) * step) / Math.max(1, last);
    chartY = (logp) => bottom - ((bottom - MARGIN.top) * (logp - low)) / (high - low);

    const parts: SVGElement[] = [];
    const line = (x1: number, y1: number, x2: number, y2: number, className: string) =>
      parts.push(svg('line', { x1, y1, x2, y2, class: className }));
    const label = (x: number, y: number, anchor: string, text: string, className = 'tick') =>
      parts.push(svg('text', { x, y, 'text-anchor': anchor, class: className }, text));

    for (const tick of ticks(low, high, 4)) {
      line(MARGIN.left, chartY(tick), right, chartY(tick), 'grid');
      label(MARGIN.left - 8, chartY(tick) + 4, 'end', String(tick).replace('-', '−'));
    }
    for (const tick of ticks(0, Math.max(1, last), width / 80, 1)) {
      label(chartX(tick), bottom + 16, 'middle', String(tick));
    }
    label(right, HEIGHT - 6, 'end', 'step', 'axis');
    const dashed = data.particles ? 'dashed: the growth ends' : 'dashed: a new block';
    if (refined || !data.particles) label(MARGIN.left, HEIGHT - 6, 'start', dashed, 'axis blocks');

    let labelled = -Infinity;
    const grown = steps.findIndex(({ kind }) => kind !== 'grow');
    if (data.particles && grown > 0) {
      const x = (chartX(grown - 1) + chartX(grown)) / 2;
      line(x, MARGIN.top, x, bottom, 'boundary');
    }
    for (const [s, { block }] of steps.entries()) {
      const before = s === 0 ? 0 : steps[s - 1].block;
      if (block === before || data.particles) continue;
      const x = s === 0 ? MARGIN.left : (chartX(s - 1) + chartX(s)) / 2;
      if (s > 0) line(x, MARGIN.top, x, bottom, 'boundary');
      if (x - labelled < 30) continue;
      label(x + 3, MARGIN.top - 8, 'start', s === 0 ? `block ${block}` : String(block));
      labelled = s === 0 ? x + 24 : x;
    }

    const path = steps.map(
      ({ logp }, s) => `${s === 0 ? 'M' : 'H'}${chartX(s)}${s === 0 ? ' ' : 'V'}${chartY(logp)}`,
    );
    parts.push(svg('path', { d: path.join(''), class: 'path' }));
    here = svg('g', { class: 'here' });
    here.append(svg('line', { x1: 0, x2: 0, y1: MARGIN.top, y2: bottom }), svg('circle', { r: 8 }));
    parts.push(here);
    const size = Math.min(1, Math.max(0.6, (chartX(1) - chartX(0)) / 10));
    for (const [s, step] of steps.entries()) {
      const outcome = outcomeOf(step);
      const at = `translate(${chartX(s)} ${chartY(step.logp)}) scale(${size})`;
      parts.push(svg('path', { d: SHAPES[outcome], class: `point ${outcome}`, transform: at }));
    }
    chart.style.height = `${HEIGHT}px`;
    chart.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    chart.replaceChildren(...parts);
    showHere();
  }

  function showHere(): void {
    here?.firstElementChild?.setAttribute('transform', `translate(${chartX(current)} 0)`);
    here?.lastElementChild?.setAttribute(
      'transform',
      `translate(${chartX(current)} ${chartY(steps[current].logp)})`,
    );
  }

  chart.addEventListener('click', (event) => {
    const x = event.clientX - chart.getBoundingClientRect().left;
    const nearest = steps.reduce(
      (best, _, s) => (Math.abs(chartX(s) - x) < Math.abs(chartX(best) - x) ? s : best),
      0,
    );
    pause();
    go(nearest);
  });

  // The tree of the answers met.

  /** Runs without a parting between them, as far as the tree is shown. */
  interface Segment {
    start: number;
    length: number;
    passed: number;
    text: string;
    /** The best leaf below: an index. */
    best: number;
    before: Segment | null;
    /** The one that goes on in the same row, then the others. */
    after: Segment[];
    x: number;
    width: number;
    row: number;
  }

  const treeBox = find('tree-box');
  const tree = find<SVGSVGElement>('tree');
  const { runs, leaves, leftOut, total, places } = data.tree;
  const FEW = 16;
  const ROW = { height: 28, top: 24, least: 30, inner: 200, last: 90, label: 150, narrowest: 640 };
  let few = true;
  /** Pixels that it was drawn for. */
  let treeRoom = 0;
  /** By run, those that are shown. */
  let segments = new Map<number, Segment>();
  const marks = svg('g', {});

  const leavesShown = (): number => (few ? Math.min(FEW, leaves.length) : leaves.length);
  const rowY = (row: number): number => ROW.top + row * ROW.height;
  const thickness = (passed: number): number => 1.5 + 7 * Math.sqrt(passed / Math.max(1, total));
  const pen = document.createElement('canvas').getContext('2d');
  const textWidth = (text: string): number => pen?.measureText(text).width ?? 7 * text.length;

  /** Text on one line: what would break it is marked. */
  const onOneLine = (text: string): string =>
    text.replace(/\n/g, '↵').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·');

  /** As much of a text as is `width` pixels wide. */
  function fitted(text: string, width: number): string {
    if (textWidth(text) <= width) return text;
    const all = Array.from(text);
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (textWidth(`${all.slice(0, middle).join('')}…`) <= width) low = middle;
      else high = middle - 1;
    }
    return low > 0 ? `${all.slice(0, low).join('')}…` : '';
  }

  /** Joins runs where nothing that is shown parts from them. */
  function segmentsOf(shown: number): Segment {
    const root = {
      start: 0,
      length: 0,
      passed: total,
      text: '',
      best: 0,
      before: null,
      after: [],
      x: 0,
      width: 0,
      row: 0,
    };
    const best = new Map<number, number>();
    for (let leaf = shown - 1; leaf >= 0; leaf--) {
      for (let run = leaves[leaf].run; run >= 0; run = runs[run].parent) best.set(run, leaf);
    }
    const below = new Map<number, number[]>();
    for (const run of best.keys()) below.set(runs[run].parent, [...(below.get(runs[run].parent) ?? []), run]);
    segments = new Map();
    const grow = (before: Segment, children: readonly number[]) => {
      for (const child of children) {
        const { start, passed } = runs[child];
        const leaf = best.get(child) as number;
        const segment = { ...root, start, passed, best: leaf, before, after: [] as Segment[] };
        before.after.push(segment);
        let run = child;
        let next: readonly number[] = [];
        for (;;) {
          segments.set(run, segment);
          segment.length += runs[run].length;
          if (!segment.text.endsWith('…')) segment.text += runs[run].text;
          next = below.get(run) ?? [];
          if (next.length !== 1) break;
          run = next[0];
        }
        grow(segment, next);
      }
      before.after.sort(
        (a, b) => Number(b.best === 0) - Number(a.best === 0) || b.passed - a.passed || a.best - b.best,
      );
    };
    grow(root, below.get(-1) ?? []);
    return root;
  }

  /** Widths that keep the longest way within `room` pixels, where that can be. @returns the length of that way */
  function fitWidths(root: Segment, room: number): number {
    const all = [root, ...new Set(segments.values())]; // those before others come first
    const natural = all.map(({ text }) => textWidth(onOneLine(text)) + 14);
    const spread = (share: number): number => {
      let longest = 0;
      for (const [i, segment] of all.entries()) {
        const { before, after } = segment;
        const most = after.length > 0 ? ROW.least + share * ROW.inner : ROW.last;
        segment.x = before ? before.x + before.width : 0;
        segment.width = before ? Math.max(ROW.least, Math.min(natural[i], most)) : 0;
        longest = Math.max(longest, segment.x + segment.width);
      }
      return longest;
    };
    let [low, high] = [0, 1];
    if (spread(1) > room) {
      for (let n = 0; n < 12; n++) {
        const middle = (low + high) / 2;
        if (spread(middle) > room) high = middle;
        else low = middle;
      }
    } else low = 1;
    const longest = Math.max(room, spread(low));
    for (const [i, segment] of all.entries()) {
      if (segment.before && segment.after.length === 0) {
        segment.width = Math.max(segment.width, Math.min(natural[i], longest - segment.x));
      }
    }
    return longest;
  }

  function drawTree(): void {
    treeRoom = treeBox.clientWidth;
    if (leaves.length < 2 || treeRoom === 0) return;
    if (pen) pen.font = `12px ${getComputedStyle(tree).fontFamily}`;
    const root = segmentsOf(leavesShown());
    const width = fitWidths(root, Math.max(ROW.narrowest, treeRoom) - ROW.label) + ROW.label;
    tellers.clear();
    let rows = 0;
    const drawn: SVGElement[] = [];
    const place = (first: Segment) => {
      const line: Segment[] = [];
      for (let at: Segment | undefined = first; at; at = at.after[0]) line.push(at);
      for (const segment of line) segment.row = rows;
      for (const segment of line) if (segment.before) drawn.push(drawnSegment(segment));
      rows++;
      // Those that part last lie next to the row, so that no line crosses another.
      for (const { after } of line.reverse()) for (const segment of after.slice(1)) place(segment);
    };
    place(root);
    const height = rowY(rows - 1) + 12;
    tree.style.width = `${width}px`;
    tree.style.height = `${height}px`;
    tree.setAttribute('viewBox', `0 0 ${width} ${height}`);
    tree.replaceChildren(...drawn, marks);
    drawn[0].setAttribute('tabindex', '0');
    if (current >= 0) showPlace();
  }

  function drawnSegment(segment: Segment): SVGElement {
    const { x, width, row, text, passed, best, before, after } = segment;
    const y = rowY(row);
    const thick = thickness(passed);
    const from = before?.row === row ? '' : ` ${rowY(before?.row ?? 0)}V${y - 6}Q${x} ${y} ${x + 6}`;
    const path = from ? `M${x}${from} ${y}H${x + width}` : `M${x} ${y}H${x + width}`;
    const group = svg('g', { class: best === 0 ? 'segment final' : 'segment', tabindex: -1 });
    const inset = from ? 9 : 3;
    const label = fitted(onOneLine(text).trimStart(), width - inset - 5);
    group.append(
      svg('path', { d: path, class: best === 0 ? 'run final' : 'run', 'stroke-width': thick.toFixed(2) }),
      svg('rect', { x, y: y - 19, width, height: 25, class: 'touch' }),
      svg('text', { x: x + inset, y: y - thick / 2 - 4 }, label),
    );
    if (after.length === 0) {
      group.append(svg('text', { x: x + width + 10, y: y + 4, class: 'count' }, countsOf(best).join(' · ')));
    }
    const facts: [string, string][] = [
      ['positions', `${segment.start} to ${segment.start + segment.length - 1}`],
      ['came this way', `${passed} of ${total}`],
    ];
    if (after.length === 0) {
      const { logp } = leaves[best];
      facts.push(
        ['ends there', countsOf(best).join(', ') || 'not counted'],
        ['log p', `${number(logp, 2)} nats`],
      );
    }
    const told = () => tell(group, text, facts);
    tellers.set(group, told);
    group.addEventListener('pointerenter', told);
    group.addEventListener('focus', told);
    return group;
  }

  function countsOf(leaf: number): string[] {
    const { particles, weight, steps: stood } = leaves[leaf];
    const said: string[] = [];
    if (particles > 0) said.push(count(particles, 'particle'), `${(100 * weight).toPrecision(2)} %`);
    if (stood > 0) said.push(count(stood, 'step'));
    return said;
  }

  /** Marks where the answer stands after the current step, and where the step cut it. */
  function showPlace(): void {
    marks.replaceChildren();
    const now = placeAfter(current);
    for (const group of tree.querySelectorAll('.segment')) group.classList.remove('current');
    if (!now) return;
    const { kind, cut } = steps[current];
    const before = kind === 'propose' && current > 0 ? placeAfter(current - 1) : undefined;
    if (before) {
      let at: Segment = before.segment;
      while (at.before && at.start > cut) at = at.before;
      const x = xIn(at, Math.min(cut, before.position));
      const y = rowY(at.row);
      marks.append(
        svg('line', { x1: x, x2: x, y1: y - 9, y2: y + 9, class: `now ${outcomeOf(steps[current])}` }),
      );
    }
    const { segment, position } = now;
    marks.append(svg('circle', { cx: xIn(segment, position), cy: rowY(segment.row), r: 5, class: 'place' }));
  }

  const xIn = ({ x, width, start, length }: Segment, position: number): number =>
    x + (length > 0 ? (width * Math.max(0, Math.min(length, position - start))) / length : 0);

  /** Where the answer leaves what is shown. */
  function placeAfter(i: number): { segment: Segment; position: number } | undefined {
    let [run, tokensOf] = places[i];
    if (run < 0) return undefined;
    let position = runs[run].start + tokensOf;
    while (run >= 0 && !segments.has(run)) {
      position = runs[run].start;
      run = runs[run].parent;
      tokensOf = 0;
    }
    const segment = segments.get(run);
    return segment && { segment, position };
  }

  tree.addEventListener('pointerleave', describeFocused);
  tree.addEventListener('focusout', () => {
    tooltip.hidden = true;
  });
  tree.addEventListener('keydown', (event) => {
    const { key } = event;
    if (key === 'Escape') tooltip.hidden = true;
    const move = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[key];
    if (!move) return;
    event.preventDefault();
    const all = Array.from(tree.querySelectorAll<SVGGElement>('.segment'));
    all[all.indexOf(document.activeElement as unknown as SVGGElement) + move]?.focus();
  });

  function showTreeSize(): void {
    const answers = leaves.length + leftOut;
    find('tree-size').textContent = `${answers} different answers`;
    const missing = answers - leavesShown();
    const said = missing > 0 ? `${missing} that the fewest came by are not drawn. ` : '';
    find('tree-note').textContent = said + data.treeNote;
    const more = find('tree-more');
    more.hidden = leaves.length <= FEW;
    more.textContent = few ? `Draw ${leaves.length} answers` : `Draw ${FEW} answers only`;
  }

  find('tree-more').addEventListener('click', () => {
    few = !few;
    showTreeSize();
    drawTree();
  });

  // Probabilities of final answers, and weights.

  function percent(share: number): string {
    return share > 0 && share < 0.001 ? 'below 0.1 %' : `${(100 * share).toFixed(1)} %`;
  }

  function showAnswers(): void {
    const { answers, particles } = data;
    find('answers-section').hidden = answers.length === 0;
    find('answers').append(
      ...answers.map(({ answer: given, probability: share, others }) => {
        const row = element('tr');
        const text = element('td', given === null ? 'without' : '');
        show(text, given ?? (others > 0 ? `${others} others` : 'no answer'));
        const bar = element('i');
        bar.style.width = `${100 * share}%`;
        const cell = element('td', 'share');
        cell.append(bar);
        row.append(text, element('td', '', percent(share)), cell);
        return row;
      }),
    );
    let source = 'Shares of the answers drawn.';
    if (particles) source = 'Estimated from the weights of the particles.';
    else if (refined) source = 'Estimated from the answers after each step at the full length.';
    find('answers-note').textContent = source;
  }

  const strip = find<SVGSVGElement>('particles');

  function drawParticles(): void {
    const { particles } = data;
    const width = strip.clientWidth;
    if (!particles || width === 0) return;
    const { weights, chosen } = particles;
    const [left, low, height] = [48, 92, 110];
    const step = (width - left) / weights.length;
    const most = weights[0];
    const bars = weights.map((weight, i) => {
      const tall = Math.max(0.5, ((low - 12) * weight) / most);
      const bar = {
        x: left + i * step,
        y: low - tall,
        width: Math.max(0.5, Math.min(step - 1, 24)),
        height: tall,
      };
      return svg('rect', { ...bar, class: i === chosen ? 'chosen' : 'weight' });
    });
    strip.setAttribute('viewBox', `0 0 ${width} ${height}`);
    strip.replaceChildren(
      svg('line', { x1: left, x2: width, y1: low, y2: low, class: 'ground' }),
      ...bars,
      svg('text', { x: left - 6, y: 20, 'text-anchor': 'end' }, percent(most)),
      svg('text', { x: left - 6, y: low, 'text-anchor': 'end' }, '0'),
      svg('text', { x: left, y: height - 2 }, `${count(weights.length, 'particle')}, heaviest first`),
    );
  }

  function showParticles(): void {
    const { particles } = data;
    find('particles-section').hidden = particles === null;
    find('odds').hidden = particles === null && data.answers.length === 0;
    if (!particles) return;
    const { weights, distinct, effective } = particles;
    const said = `As many as ${number(effective, 1)} of equal weight; ${distinct} different answers. Highlighted: the one that was drawn${refined ? ', with which the steps began' : ''}.`;
    find('particles-note').textContent = said;
    strip.setAttribute('aria-label', `Weights of ${count(weights.length, 'particle')}`);
  }

  // Going from step to step.

  const slider = find<HTMLInputElement>('slider');
  const play = find<HTMLButtonElement>('play');
  let timer: ReturnType<typeof setInterval> | undefined;

  function go(step: number): void {
    const i = Math.max(0, Math.min(last, step));
    if (i === current) return;
    current = i;
    showAnswer(i);
    showStep(i);
    drawMap();
    showHere();
    showPlace();
    describeFocused();
    slider.value = String(i);
    slider.setAttribute('aria-valuetext', `step ${i}, ${outcomeOf(steps[i])}`);
    find('counter-shape').replaceChildren(shape(outcomeOf(steps[i])));
    find('counter-text').textContent = `${i} / ${last}`;
    find<HTMLButtonElement>('previous').disabled = i === 0;
    find<HTMLButtonElement>('next').disabled = i === last;
  }

  function pause(): void {
    clearInterval(timer);
    timer = undefined;
    play.textContent = 'Play';
    play.classList.remove('playing');
  }

  play.addEventListener('click', () => {
    if (timer !== undefined) return pause();
    if (current === last) go(0);
    play.textContent = 'Pause';
    play.classList.add('playing');
    // About a minute for a long run; steps follow each other slowly where motion is not wanted.
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const pace = calm ? 2000 : Math.max(300, Math.min(1200, 60_000 / steps.length));
    timer = setInterval(() => {
      go(current + 1);
      if (current === last) pause();
    }, pace);
  });
  slider.addEventListener('input', () => {
    pause();
    go(slider.valueAsNumber);
  });
  for (const [id, by] of [
    ['previous', -1],
    ['next', 1],
  ] as const) {
    find(id).addEventListener('click', () => {
      pause();
      go(current + by);
    });
  }

  // What stays the same.

  find('explanation').textContent = data.explanation;
  show(find('prompt'), data.prompt);
  find('scale-end').textContent = `${scale}${highest > scale ? ' or more' : ''} nats`;
  const gateMark = find('gate');
  gateMark.hidden = closing === null || closing.gate > scale;
  if (closing) {
    gateMark.style.left = `${(100 * closing.gate) / scale}%`;
    gateMark.textContent = `gate ${closing.gate}`;
  }
  for (const key of document.querySelectorAll<HTMLElement>('.of-cuts')) key.hidden = !refined;
  if (closing === null) find('closed-key').hidden = true;
  find('drafted-key').textContent = data.drawsAhead
    ? 'drawn ahead: computed on the GPU together with the one before'
    : 'drafted: computed as a guess, before it was asked for';
  find('tree-section').hidden = leaves.length < 2;
  find('place-key').hidden = last === 0;
  showTreeSize();
  showAnswers();
  showParticles();
  for (const choice of document.querySelectorAll<HTMLInputElement>('#shading input')) {
    choice.addEventListener('change', () => answer.classList.toggle('by-origin', choice.value === 'origin'));
  }
  for (const id of ['marks', 'steps', 'transport']) find(id).hidden = last === 0;
  slider.max = String(last);
  find('outcomes').append(
    ...(refined ? OUTCOMES : OUTCOMES.slice(0, 1)).map((outcome) => {
      const item = element('li', outcome);
      item.append(shape(outcome), `${outcome} ${steps.filter((step) => outcomeOf(step) === outcome).length}`);
      return item;
    }),
  );
  find('account').append(
    ...data.account.map(({ title, rows }) => {
      const group = element('section');
      const list = element('dl');
      for (const [name, value] of rows) {
        const row = element('div');
        row.append(element('dt', '', name), element('dd', '', value));
        list.append(row);
      }
      group.append(element('h3', '', title), list);
      return group;
    }),
  );
  find('counter-text').style.minWidth = `${2 * String(last).length + 2}ch`;
  go(last);
  new ResizeObserver(drawChart).observe(chart);
  new ResizeObserver(drawMap).observe(map);
  drawTree();
  drawParticles();
  new ResizeObserver(() => {
    if (treeBox.clientWidth !== treeRoom) drawTree(); // which takes the focus away
  }).observe(treeBox);
  new ResizeObserver(drawParticles).observe(strip);
}
