import type { WatchPiece } from '../../watch-data.ts';
import { element } from '../dom.ts';
import { show } from '../trace/visible.ts';

/** Entropy at which the shade is full, nats: one of about three tokens, each as likely. */
const FULL = 1.1;

/** An answer, its tokens shaded by entropy. */
export class Shaded {
  private readonly box: HTMLElement;
  private shown: WatchPiece[] = [];
  private readonly tokens: HTMLElement[] = [];

  constructor(box: HTMLElement) {
    this.box = box;
  }

  /** What stays, stays the same element. */
  show(pieces: readonly WatchPiece[]): void {
    let same = 0;
    while (same < pieces.length && same < this.shown.length && isSame(pieces[same], this.shown[same])) same++;
    for (const gone of this.tokens.splice(same)) gone.remove();
    this.shown.length = same;
    for (const piece of pieces.slice(same)) this.add(piece);
  }

  add(piece: WatchPiece): void {
    const [text, entropy] = piece;
    const token = element('span', 'token fresh');
    show(token, text);
    token.title = `entropy ${entropy.toFixed(2)} nats`;
    token.style.setProperty('--heat-share', `${Math.round((100 * Math.min(entropy, FULL)) / FULL)}%`);
    this.tokens.push(token);
    this.shown.push(piece);
    this.box.append(token);
  }
}

const isSame = ([a, x]: WatchPiece, [b, y]: WatchPiece): boolean => a === b && x === y;
