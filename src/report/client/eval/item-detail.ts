import type { ItemData, ResponseData, TextData } from '../../eval-data.ts';
import { fixed, percent } from '../../format.ts';
import { element } from '../dom.ts';
import { count } from './format.ts';
import { mark } from './marks.ts';
import type { Samplers } from './samplers.ts';

/** A row below an item's: what was asked, and each response. */
export function detailRow({ prompt, answer, texts, responses }: ItemData, samplers: Samplers): HTMLElement {
  const several = responses.some(({ length }) => length > 1);
  const asked = element(
    'div',
    'asked',
    element('section', '', element('h4', '', 'Prompt'), textBox('Prompt', prompt)),
    element('section', '', element('h4', '', 'Right answer'), textBox('Right answer', answer)),
  );
  const boxes = responses.flatMap((ofSampler, s) =>
    ofSampler.flatMap((one, sample) => {
      if (one === null) return [];
      const name = `${samplers.letters[s]}${several ? ` ${sample + 1}` : ''}`;
      const box = responseBox(one, texts[one.text], name, samplers.all[s].name);
      box.open = !several && one.finish !== null;
      return [box];
    }),
  );
  const cell = element('td', '', asked, element('div', 'responses', ...boxes));
  cell.colSpan = samplers.all.length + 1;
  return element('tr', 'detail', cell);
}

function textBox(title: string, text: string): HTMLElement {
  const box = element('div', 'text', text);
  box.dir = 'auto';
  box.tabIndex = 0;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', title);
  return box;
}

/** @param name its sampler's letter, and its number where there are several */
function responseBox(
  one: ResponseData,
  { text, left }: TextData,
  name: string,
  sampler: string,
): HTMLDetailsElement {
  const said = element('span', 'said', `${name} · ${one.verdict}`);
  if (one.answer !== null) said.append(': ', element('bdi', '', one.answer));
  const tokens = one.finish === null ? '' : count(one.tokens, 'token');
  const line = element('p', 'aside facts', [sampler, ...factsOf(one)].join(' · '));
  if (one.trace !== undefined) {
    const link = element('a', '', 'how it was drawn');
    link.href = one.trace;
    line.append(' · ', link);
  }
  const head = element('summary', '', mark([one]), said, element('span', 'aside', tokens));
  const made = element('details', '', head, line);
  if (left > 0) made.append(element('p', 'aside', `The first ${count(left, 'character')} are left out.`));
  if (one.finish !== null) made.append(textBox(`Response of ${sampler}`, text));
  return made;
}

function factsOf({ finish, logp, costs, mass, proposed, accepted }: ResponseData): string[] {
  const said: string[] = [];
  if (finish === 'length') said.push('cut at the limit');
  if (logp !== null) said.push(`log p ${fixed(logp, 2)}`);
  if (costs !== null) {
    const [drawn, rows, passes] = costs;
    said.push(
      count(drawn, 'drawn token'),
      count(rows, 'computed row'),
      count(passes, 'sequential pass', 'sequential passes'),
    );
  }
  if (mass !== null) said.push(`right with ${percent(mass)}`);
  if (proposed > 0) said.push(`${accepted} of ${proposed} accepted`);
  return said;
}
