import { fixed } from '../../format.ts';
import type { ReplayStep } from '../../trace-data.ts';
import { element, find } from '../dom.ts';
import { shape } from './outcome-shape.ts';
import { outcomeOf, type Replay } from './replay.ts';
import { costsOf, count, originsOf, sentences } from './sentences.ts';

/** What is told about step i. @param length of the answer after it */
export function showStep(replay: Replay, i: number, length: number): void {
  const { steps, last, data } = replay;
  const step = steps[i];
  const outcome = outcomeOf(step);
  const heading = find('step-outcome');
  heading.replaceChildren(shape(outcome), outcome);
  heading.className = `outcome ${outcome}`;
  const place = replay.placeOf(i);
  find('step-number').textContent = last > 0 ? place.charAt(0).toUpperCase() + place.slice(1) : '';
  find('step-text').textContent = sentences(replay, i).join(' ');
  find('step-origins').textContent = originsOf(step, data.drawsAhead);
  find('step-costs').textContent = costsOf(step, data.drawsAhead);
  find('answer-title').textContent = i === last ? 'Answer' : `Answer after step ${i}`;
  find('answer-size').textContent = `${count(length, 'token')}, log p ${fixed(step.logp, 2)}`;
  const hasEndings = step.lengths.length > 0 && step.kind !== 'grow';
  find('candidates').hidden = !hasEndings;
  if (hasEndings) find('candidate-rows').replaceChildren(...endingsOf(step));
}

function endingsOf({ lengths, cut, abandoned, logRho, outcome }: ReplayStep): HTMLElement[] {
  return lengths.map((length, j) => {
    const weight = logRho[j];
    const cells = [
      String(j + 1),
      String(length - cut),
      `${abandoned[j] ? '≤ ' : ''}${weight === null ? '−∞' : fixed(weight, 2)}`,
      j === outcome ? 'accepted' : abandoned[j] ? 'given up early' : 'not taken',
    ];
    return element('tr', j === outcome ? 'taken' : '', ...cells.map((cell) => element('td', '', cell)));
  });
}
