import type { Summary } from '../../../eval/summary.ts';
import { grouped } from '../../format.ts';
import { element, find, options } from '../dom.ts';
import { chance, count, points } from './format.ts';
import { type Pair, pairsOf, pairsWith } from './pairs.ts';
import type { Samplers } from './samplers.ts';
import { bodyOf, fillHead, range, row, track } from './table.ts';

/** Shows the items that `right` got right and `wrong` did not. */
type ShowItems = (right: number, wrong: number) => void;

/** The samplers in pairs: with one of them, or all. */
export function showComparisons(summary: Summary, samplers: Samplers, showItems: ShowItems): void {
  const pairs = pairsOf(summary);
  find('comparisons-section').hidden = pairs.length === 0;
  if (pairs.length === 0) return;
  find('comparisons-note').textContent =
    `On the items that both have graded. Compared are the last states of the samplers with each other, the picks of one sampler with each other, and the likeliest ones with best-of-n. Difference in percentage points with its 95 % bootstrap interval over items. The counts are of the${summary.run.samples > 1 ? ' first response to each of the' : ''} items, p is McNemar’s (exact, two-sided) of the two “only” ones, not corrected for the number of pairs; below 0.05 it is bold. A count leads to its items.`;
  const table = find('comparisons');
  const baseline = find<HTMLSelectElement>('baseline');
  options(baseline, [
    ...samplers.all.map((_, i) => [String(i), samplers.lettered(i)] as const),
    ['all', 'each other: all pairs'],
  ]);
  const widest = Math.max(0.01, ...pairs.flatMap(({ interval }) => interval?.map(Math.abs) ?? []));
  const fill = () => {
    const base = baseline.value === 'all' ? undefined : Number(baseline.value);
    const shown = base === undefined ? pairs : pairsWith(pairs, base);
    fillHead(table, titlesOf(base === undefined ? undefined : samplers.letters[base]));
    bodyOf(table).replaceChildren(
      ...shown.map((pair) => {
        const other = base === undefined ? [element('td', '', samplers.letters[pair.b])] : [];
        return row(samplers, pair.a, ...other, ...cellsOf(pair, widest, samplers, showItems));
      }),
    );
  };
  baseline.addEventListener('change', fill);
  fill();
}

/** @param base letter of the sampler that the others are compared with; undefined: each other */
const titlesOf = (base: string | undefined): string[] => [
  'sampler',
  ...(base === undefined ? ['compared with'] : []),
  'difference in accuracy',
  'items',
  'only it right',
  `only ${base ?? 'the other'} right`,
  'both',
  'neither',
  'p',
];

function cellsOf(pair: Pair, widest: number, samplers: Samplers, showItems: ShowItems): HTMLElement[] {
  const { a, b, items, onlyA, onlyB, both, neither, p } = pair;
  const number = (n: number) => element('td', '', grouped(n));
  const button = (right: number, wrong: number, n: number) =>
    element('td', '', itemsButton(samplers, right, wrong, n, showItems));
  return [
    differenceCell(pair, widest),
    number(items),
    button(a, b, onlyA),
    button(b, a, onlyB),
    number(both),
    number(neither),
    element('td', p !== null && p < 0.05 ? 'best' : '', p === null ? '–' : chance(p)),
  ];
}

/** @param widest bound that the track has room for */
function differenceCell({ difference, interval }: Pair, widest: number): HTMLElement {
  if (difference === null || interval === null) return element('td', '', '–');
  const onTrack = (value: number) => 0.5 + value / (2 * widest);
  const [low, high] = interval.map(onTrack);
  return element('td', '', range(track(low, high, onTrack(difference), 0.5), points(difference), interval));
}

/** Their number, which leads to them. */
function itemsButton(
  { letters }: Samplers,
  right: number,
  wrong: number,
  n: number,
  showItems: ShowItems,
): HTMLElement {
  const button = element('button', '', String(n));
  button.type = 'button';
  button.setAttribute(
    'aria-label',
    `${count(n, 'item')} that only ${letters[right]} got right, not ${letters[wrong]}: show`,
  );
  button.addEventListener('click', () => showItems(right, wrong));
  return button;
}
