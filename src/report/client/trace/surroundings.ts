import { definitions, element, find } from '../dom.ts';
import { shape } from './outcome-shape.ts';
import { OUTCOMES, outcomeOf, type Replay } from './replay.ts';
import { show } from './visible.ts';

/** What is the same at every step: the prompt, the keys, the account. */
export function showSurroundings(replay: Replay): void {
  const { data, refined, last } = replay;
  find('explanation').textContent = data.explanation;
  show(find('prompt'), data.prompt);
  showScale(replay);
  for (const key of document.querySelectorAll<HTMLElement>('.of-cuts')) key.hidden = !refined;
  if (data.closing === null) find('closed-key').hidden = true;
  find('drafted-key').textContent = data.drawsAhead
    ? 'drawn ahead: computed on the GPU together with the one before'
    : 'drafted: computed as a guess, before it was asked for';
  for (const id of ['marks', 'steps', 'transport']) find(id).hidden = last === 0;
  showOutcomes(replay);
  find('account').append(
    ...data.account.map(({ title, rows }) =>
      element('section', '', element('h3', '', title), element('dl', '', ...definitions(rows))),
    ),
  );
}

function showScale({ data: { closing }, scale, highest }: Replay): void {
  find('scale-end').textContent = `${scale}${highest > scale ? ' or more' : ''} nats`;
  const mark = find('gate');
  mark.hidden = closing === null || closing.gate > scale;
  if (!closing) return;
  mark.style.left = `${(100 * closing.gate) / scale}%`;
  mark.textContent = `gate ${closing.gate}`;
}

/** How many steps had each. */
function showOutcomes({ steps, refined }: Replay): void {
  find('outcomes').append(
    ...(refined ? OUTCOMES : OUTCOMES.slice(0, 1)).map((outcome) => {
      const n = steps.filter((step) => outcomeOf(step) === outcome).length;
      return element('li', outcome, shape(outcome), `${outcome} ${n}`);
    }),
  );
}
