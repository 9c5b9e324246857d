import type { Verdict } from '../../../eval/item.ts';
import type { ResponseData } from '../../eval-data.ts';
import { element, find } from '../dom.ts';

export const SYMBOLS: Readonly<Record<Verdict, string>> = {
  right: '✓',
  wrong: '✗',
  'no answer': '∅',
  'timed out': 'T',
  'too long': 'L',
};

const lookOf = (verdict: string): string => (verdict === 'right' || verdict === 'wrong' ? verdict : 'other');

/** Of one or several responses. */
function markOf(responses: readonly (ResponseData | null)[]): {
  symbol: string;
  look: string;
  name: string;
} {
  const there = responses.filter((one) => one !== null);
  if (there.length === 0) return { symbol: '·', look: 'missing', name: 'not there yet' };
  const right = there.filter(({ verdict }) => verdict === 'right').length;
  const [{ verdict }] = there;
  if (responses.length === 1 || verdict === 'too long') {
    return { symbol: SYMBOLS[verdict], look: lookOf(verdict), name: verdict };
  }
  const name = `${right} of ${there.length} right`;
  if (right === responses.length) return { symbol: SYMBOLS.right, look: 'right', name };
  if (right === 0 && there.length === responses.length) return { symbol: SYMBOLS.wrong, look: 'wrong', name };
  return { symbol: `${right}/${there.length}`, look: 'partly', name };
}

export function mark(responses: readonly (ResponseData | null)[]): HTMLElement {
  const { symbol, look, name } = markOf(responses);
  const made = element('span', `mark ${look}`, symbol);
  made.title = name;
  made.setAttribute('role', 'img');
  made.setAttribute('aria-label', name);
  return made;
}

/** What the marks mean. */
export function showMarks(several: boolean): void {
  const entry = (symbol: string, look: string, meaning: string) =>
    element('li', '', element('span', `mark ${look}`, symbol), meaning);
  find('marks').append(
    ...Object.entries(SYMBOLS).map(([verdict, symbol]) => entry(symbol, lookOf(verdict), verdict)),
    ...(several ? [entry('3/8', 'partly', 'right of several; filters look at the first')] : []),
  );
}
