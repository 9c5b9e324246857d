import type { EvalData, ItemData } from '../../eval-data.ts';
import { grouped } from '../../format.ts';
import { element, find } from '../dom.ts';
import { ItemFilter } from './filter.ts';
import { FilterForm } from './filter-form.ts';
import { count } from './format.ts';
import { detailRow } from './item-detail.ts';
import { mark, showMarks } from './marks.ts';
import type { Samplers } from './samplers.ts';
import { bodyOf, fillHead } from './table.ts';

/** Rows that are added at a time: there may be thousands. */
const PAGE = 50;

/** The items that the reader looks for, and how each sampler did on them. */
export class ItemList {
  private readonly items: readonly ItemData[];
  private readonly samplers: Samplers;
  private readonly filter: ItemFilter;
  private readonly form: FilterForm;
  private readonly table = find('items');
  /** Indices. */
  private found: number[] = [];
  private rendered = 0;

  constructor({ summary, items }: EvalData, samplers: Samplers) {
    const several = summary.run.samples > 1;
    this.items = items;
    this.samplers = samplers;
    this.filter = new ItemFilter(items);
    this.form = new FilterForm(samplers, () => this.list());
    this.stackWhereNarrow(several);
    this.showTitles();
    showMarks(several);
    find('more').addEventListener('click', () => this.showMore());
    this.list();
  }

  /** Those that `right` got right and `wrong` did not. */
  show(right: number, wrong: number): void {
    this.form.askFor(right, wrong);
    this.list();
    find('items-title').scrollIntoView();
    this.form.focus();
  }

  private stackWhereNarrow(several: boolean): void {
    this.table.classList.toggle('counts', several);
    const narrow = matchMedia('(max-width: 36rem)');
    const most = several ? 12 : 16;
    const stack = () =>
      this.table.classList.toggle('stacked', narrow.matches || this.samplers.all.length > most);
    narrow.addEventListener('change', stack);
    stack();
  }

  private showTitles(): void {
    fillHead(this.table, ['item', ...this.samplers.letters]);
    const [, ...cells] = this.table.querySelectorAll<HTMLElement>('thead th');
    for (const [i, cell] of cells.entries()) {
      const { name } = this.samplers.all[i];
      cell.className = 'mark-column';
      cell.title = name;
      cell.append(element('span', 'hidden', ` ${name}`));
    }
  }

  private list(): void {
    this.found = this.filter.find(this.form.read());
    find('items-count').textContent = `${grouped(this.found.length)} of ${count(this.items.length, 'item')}`;
    this.rendered = 0;
    bodyOf(this.table).replaceChildren();
    this.table.hidden = this.found.length === 0;
    this.showMore();
  }

  private showMore(): void {
    const next = this.found.slice(this.rendered, this.rendered + PAGE);
    this.rendered += next.length;
    bodyOf(this.table).append(...next.map((i) => this.row(this.items[i])));
    const left = this.found.length - this.rendered;
    find('more').hidden = left === 0;
    find('more').textContent = `Show ${Math.min(PAGE, left)} more of ${left}`;
  }

  private row(item: ItemData): HTMLElement {
    const start = item.prompt.trim().replace(/\s+/g, ' ').slice(0, 200);
    const opener = element('button', 'opener', element('b', '', item.id), element('span', '', start));
    opener.type = 'button';
    opener.setAttribute('aria-expanded', 'false');
    const head = element('th', '', opener);
    head.scope = 'row';
    const marks = item.responses.map((ofSampler, s) => {
      const cell = element('td', '', mark(ofSampler));
      cell.dataset.key = this.samplers.letters[s];
      return cell;
    });
    const made = element('tr', '', head, ...marks);
    opener.addEventListener('click', () => {
      const open = opener.getAttribute('aria-expanded') === 'true';
      opener.setAttribute('aria-expanded', String(!open));
      if (open) made.nextElementSibling?.remove();
      else made.after(detailRow(item, this.samplers));
    });
    return made;
  }
}
