import { element, find } from '../dom.ts';
import { type Cuts, type Drawn, ORIGINS, type Replay } from './replay.ts';
import { show } from './visible.ts';

/** The answer after a step: one element a token, in one element a block. */
export class Answer {
  readonly box: HTMLElement = find('answer');
  response: readonly Drawn[] = [];
  /** By position. */
  cuts: ReadonlyMap<number, Cuts> = new Map();
  readonly tokens: HTMLElement[] = [];
  private readonly blocks: HTMLElement[] = [];
  /** The token that the tab key leads to. */
  private tabStop = 0;
  private readonly replay: Replay;

  constructor(replay: Replay) {
    this.replay = replay;
  }

  /** Brings the answer to step i. What stays, stays the same element. */
  show(i: number): void {
    const next = this.replay.responseAfter(i);
    this.put(next, this.keepSame(next));
    this.response = next;
    this.moveTabStop(this.tabStop < next.length ? this.tabStop : 0);
    this.markStep(i);
    for (const [b, block] of this.blocks.entries()) block.classList.toggle('closed', this.isClosed(b));
    this.markCuts(this.replay.cutsUpTo(i));
  }

  /** Blocks that the answer reaches into. */
  get blockCount(): number {
    return this.blocks.length;
  }

  isClosed(block: number): boolean {
    const { blockSize } = this.replay;
    return this.replay.isClosed(this.response.slice(block * blockSize, (block + 1) * blockSize));
  }

  moveTabStop(at: number): void {
    if (this.tokens[this.tabStop]) this.tokens[this.tabStop].tabIndex = -1;
    this.tabStop = at;
    if (this.tokens[at]) this.tokens[at].tabIndex = 0;
  }

  /** Moves the focus from the tab stop on. */
  step(by: number): void {
    this.tokens[this.tabStop + by]?.focus();
  }

  /** Removes what is not in the next response. @returns how many tokens are left */
  private keepSame(next: readonly Drawn[]): number {
    const { response, tokens } = this;
    const most = Math.min(response.length, next.length);
    let same = 0;
    while (same < most && response[same].step === next[same].step) same++;
    tokens.length = same;
    while (same > 0 && tokens[same - 1].nextSibling) tokens[same - 1].nextSibling?.remove();
    for (const gone of this.blocks.splice(Math.ceil(same / this.replay.blockSize))) gone.remove();
    return same;
  }

  private put(next: readonly Drawn[], from: number): void {
    const { data, blockSize } = this.replay;
    for (let at = from; at < next.length; at++) {
      const block = Math.floor(at / blockSize);
      if (block === this.blocks.length) {
        this.blocks.push(element('span', 'block'));
        this.box.append(this.blocks[block]);
      }
      const text = next[at].token === data.eos ? '' : data.texts[next[at].token];
      const lead = /^ (?=.)/su.test(text) ? ' ' : '';
      this.tokens.push(this.tokenElement(next[at], at, text.slice(lead.length)));
      // A space in front is left unshaded: at the end of a line it would look like a token of its own.
      this.blocks[block].append(lead, this.tokens[at]);
    }
  }

  private tokenElement({ token, entropy, origin }: Drawn, at: number, text: string): HTMLElement {
    const { data, scale } = this.replay;
    const made = element('span', `token of-${ORIGINS[origin]}`);
    if (token === data.eos) made.dataset.mark = 'end';
    else if (text === '') made.dataset.mark = `token ${data.ids[token]}`;
    else show(made, text);
    made.dataset.at = String(at);
    made.tabIndex = -1;
    made.style.setProperty('--heat-share', `${Math.round((100 * Math.min(entropy, scale)) / scale)}%`);
    return made;
  }

  /** Marks what step i has replaced, or would have. */
  private markStep(i: number): void {
    const { kind, cut, outcome } = this.replay.steps[i];
    for (const [at, token] of this.tokens.entries()) {
      const inPlay = kind !== 'hold' && at >= cut;
      token.classList.toggle('fresh', inPlay && outcome >= 0 && this.replay.last > 0);
      token.classList.toggle('tried', inPlay && outcome < 0);
      token.classList.toggle('cut', kind === 'propose' && at === cut);
    }
  }

  private markCuts(cuts: ReadonlyMap<number, Cuts>): void {
    for (const at of this.cuts.keys()) {
      delete this.tokens[at]?.dataset.cuts;
      delete this.tokens[at]?.dataset.accepted;
    }
    this.cuts = cuts;
    for (const [at, here] of cuts) {
      const token = this.tokens[at];
      if (!token) continue;
      token.dataset.cuts = String(here.cuts);
      token.dataset.accepted = String(here.accepted);
    }
  }
}
