import { element, find } from '../dom.ts';
import { show } from './visible.ts';

/** Tells about what has the focus, where that is its own. @returns whether it was */
type Teller = (focused: Element | null) => boolean;

/** What is told about one thing that the pointer or the focus is on. */
export class Tooltip {
  private readonly box = find('tooltip');
  private readonly tellers: Teller[] = [];

  addTeller(teller: Teller): void {
    this.tellers.push(teller);
  }

  tell(of: Element, text: string, rows: readonly [name: string, value: string][]): void {
    const title = element('b');
    show(title, text);
    const facts = rows.flatMap(([name, value]) => [element('dt', '', name), element('dd', '', value)]);
    this.box.replaceChildren(title, element('dl', '', ...facts));
    this.box.hidden = false;
    for (const described of document.querySelectorAll('[aria-describedby]')) {
      described.removeAttribute('aria-describedby');
    }
    of.setAttribute('aria-describedby', 'tooltip');
    this.placeAt(of.getClientRects()[0]);
  }

  hide(): void {
    this.box.hidden = true;
  }

  /** Tells about what has the focus once more; hides where nothing has it. */
  tellFocused(): void {
    if (!this.tellers.some((tell) => tell(document.activeElement))) this.hide();
  }

  private placeAt({ left, top, bottom }: DOMRect): void {
    const { offsetWidth: width, offsetHeight: height, style } = this.box;
    const room = document.documentElement.clientWidth - width - 8;
    const above = top - height - 24;
    style.left = `${Math.max(8, Math.min(left, room))}px`;
    style.top = `${above >= 8 ? above : bottom + 8}px`;
  }
}
