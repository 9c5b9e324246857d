import { find, svg } from '../dom.ts';
import type { Answer } from './answer.ts';
import { type Drawn, ORIGINS, outcomeOf, type Replay } from './replay.ts';

const LEFT = 54;
const CUT = 9;

/** The whole answer on one line: its entropy, its cuts, and what was computed for it. */
export class AnswerMap {
  readonly element: SVGSVGElement = find('map');
  private readonly replay: Replay;
  private readonly answer: Answer;
  /** Where the cuts stand, where the entropy does, and the whole. */
  private readonly base: number;
  private readonly low: number;
  private readonly height: number;
  private width = 0;

  constructor(replay: Replay, answer: Answer) {
    this.replay = replay;
    this.answer = answer;
    this.base = replay.refined ? 36 : 0;
    this.height = replay.refined ? 100 : 64;
    this.low = this.height - 30;
    this.element.addEventListener('click', ({ clientX }) => this.goTo(clientX));
  }

  /** @param i the step that the answer shows */
  draw(i: number): void {
    this.width = this.element.clientWidth;
    if (this.width === 0 || this.answer.response.length === 0) return;
    this.element.style.height = `${this.height}px`;
    this.element.setAttribute('viewBox', `0 0 ${this.width} ${this.height}`);
    this.element.replaceChildren(
      pattern('hatch', 6, 'M-1 1 1-1M0 6 6 0M5 7 7 5'),
      pattern('stripes', 4, 'M-1 1 1-1M0 4 4 0M3 5 5 3'),
      ...this.closedBlocks(),
      ...this.profile(),
      ...this.origins(),
      ...this.cuts(),
      ...this.cutOf(i),
      ...this.captions(),
    );
  }

  private xOf(at: number): number {
    return LEFT + (at / this.answer.response.length) * (this.width - LEFT);
  }

  private closedBlocks(): SVGElement[] {
    const { base, low } = this;
    const { blockSize } = this.replay;
    const { length } = this.answer.response;
    const parts: SVGElement[] = [];
    for (let b = 0; b < this.answer.blockCount; b++) {
      if (!this.answer.isClosed(b)) continue;
      const x = this.xOf(b * blockSize);
      const width = this.xOf(Math.min(length, (b + 1) * blockSize)) - x - 1;
      parts.push(svg('rect', { x, y: base, width, height: low - base, class: 'shut' }));
      const middle = { x: x + width / 2, y: low - 4, 'text-anchor': 'middle' };
      if (width > 44) parts.push(svg('text', middle, 'closed'));
    }
    return parts;
  }

  private profile(): SVGElement[] {
    const { base, low } = this;
    const { scale } = this.replay;
    const y = (entropy: number) => low - ((low - base - 4) * Math.min(entropy, scale)) / scale;
    const line = this.answer.response.map(
      ({ entropy }, at) => `V${y(entropy).toFixed(1)}H${this.xOf(at + 1).toFixed(1)}`,
    );
    return [
      svg('path', { d: `M${LEFT} ${low}${line.join('')}V${low}Z`, class: 'profile' }),
      svg('line', { x1: LEFT, x2: this.width, y1: low, y2: low, class: 'ground' }),
    ];
  }

  private origins(): SVGElement[] {
    return runsOf(this.answer.response).map(([start, end, origin]) => {
      const x = this.xOf(start);
      const band = { x, width: this.xOf(end) - x, y: this.low + 3, height: 8 };
      return svg('rect', { ...band, class: `of-${ORIGINS[origin]}` });
    });
  }

  private cuts(): SVGElement[] {
    const { base } = this;
    const { cuts, response } = this.answer;
    const most = Math.max(1, ...Array.from(cuts.values(), (here) => here.cuts));
    const unit = Math.min(CUT, (base - 4) / most);
    return Array.from(cuts).flatMap(([at, here]) => {
      if (at >= response.length) return [];
      const bar = { x: this.xOf(at) - 2.5, width: 5 };
      const split = base - here.accepted * unit;
      const left = (here.cuts - here.accepted) * unit;
      return [
        { ...bar, y: split, height: here.accepted * unit, class: 'took' },
        { ...bar, y: split - left, height: left, class: 'left' },
      ]
        .filter(({ height }) => height > 0)
        .map((part) => svg('rect', part));
    });
  }

  private cutOf(i: number): SVGElement[] {
    const step = this.replay.steps[i];
    if (step.kind !== 'propose' || step.cut >= this.answer.response.length) return [];
    const x = this.xOf(step.cut);
    return [svg('line', { x1: x, x2: x, y1: 0, y2: this.low, class: `now ${outcomeOf(step)}` })];
  }

  private captions(): SVGElement[] {
    const { base, low, height, width } = this;
    const middle = { x: (LEFT + width) / 2, y: height - 3, 'text-anchor': 'middle' };
    return [
      svg('text', { x: 0, y: base - 2 }, this.replay.refined ? 'cuts' : ''),
      svg('text', { x: 0, y: low - 4 }, 'entropy'),
      svg('text', { x: 0, y: low + 11 }, 'computed'),
      svg('text', { x: LEFT, y: height - 3 }, '0'),
      svg('text', middle, 'position in the answer, tokens'),
      svg('text', { x: width, y: height - 3, 'text-anchor': 'end' }, String(this.answer.response.length)),
    ];
  }

  /** Leads to the token at a place of the map. */
  private goTo(clientX: number): void {
    const { tokens } = this.answer;
    const { left, width } = this.element.getBoundingClientRect();
    const at = Math.floor(((clientX - left - LEFT) / (width - LEFT)) * tokens.length);
    const token = tokens[Math.max(0, Math.min(tokens.length - 1, at))];
    token?.scrollIntoView({ block: 'center' });
    token?.focus({ preventScroll: true });
  }
}

function pattern(id: string, size: number, d: string): SVGElement {
  const made = svg('pattern', { id, width: size, height: size, patternUnits: 'userSpaceOnUse' });
  made.append(svg('path', { d }));
  return made;
}

/** Where tokens of one origin begin and end. */
function runsOf(response: readonly Drawn[]): [start: number, end: number, origin: number][] {
  const runs: [number, number, number][] = [];
  for (const [at, { origin }] of response.entries()) {
    const run = runs.at(-1);
    if (run?.[2] === origin) run[1] = at + 1;
    else runs.push([at, at + 1, origin]);
  }
  return runs;
}
