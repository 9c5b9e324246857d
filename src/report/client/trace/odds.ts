import { fixed } from '../../format.ts';
import { element, find, svg } from '../dom.ts';
import { share } from './format.ts';
import type { Replay } from './replay.ts';
import { count } from './sentences.ts';
import { show } from './visible.ts';

/** Probabilities of the final answers. */
export function showAnswers({ data: { answers, particles }, refined }: Replay): void {
  find('answers-section').hidden = answers.length === 0;
  find('answers').append(
    ...answers.map(({ answer, probability, others }) => {
      const text = element('td', answer === null ? 'without' : '');
      show(text, answer ?? (others > 0 ? `${others} others` : 'no answer'));
      const bar = element('i');
      bar.style.width = `${100 * probability}%`;
      return element('tr', '', text, element('td', '', share(probability)), element('td', 'share', bar));
    }),
  );
  let source = 'Shares of the answers drawn.';
  if (particles) source = 'Estimated from the weights of the particles.';
  else if (refined) source = 'Estimated from the answers after each step at the full length.';
  find('answers-note').textContent = source;
}

const LEFT = 48;
const LOW = 92;
const HEIGHT = 110;

/** Weights of the particles. */
export class ParticleStrip {
  readonly element: SVGSVGElement = find('particles');
  private readonly replay: Replay;

  constructor(replay: Replay) {
    this.replay = replay;
    const { particles, answers } = replay.data;
    find('particles-section').hidden = particles === null;
    find('odds').hidden = particles === null && answers.length === 0;
    if (!particles) return;
    const { weights, distinct, effective } = particles;
    find('particles-note').textContent =
      `As many as ${fixed(effective, 1)} of equal weight; ${distinct} different answers. Highlighted: the one that was drawn${replay.refined ? ', with which the steps began' : ''}.`;
    this.element.setAttribute('aria-label', `Weights of ${count(weights.length, 'particle')}`);
  }

  draw(): void {
    const { particles } = this.replay.data;
    const width = this.element.clientWidth;
    if (!particles || width === 0) return;
    const { weights, chosen } = particles;
    const step = (width - LEFT) / weights.length;
    const most = weights[0];
    const bars = weights.map((weight, i) => {
      const height = Math.max(0.5, ((LOW - 12) * weight) / most);
      const bar = {
        x: LEFT + i * step,
        y: LOW - height,
        width: Math.max(0.5, Math.min(step - 1, 24)),
        height,
      };
      return svg('rect', { ...bar, class: i === chosen ? 'chosen' : 'weight' });
    });
    this.element.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.element.replaceChildren(
      svg('line', { x1: LEFT, x2: width, y1: LOW, y2: LOW, class: 'ground' }),
      ...bars,
      svg('text', { x: LEFT - 6, y: 20, 'text-anchor': 'end' }, share(most)),
      svg('text', { x: LEFT - 6, y: LOW, 'text-anchor': 'end' }, '0'),
      svg('text', { x: LEFT, y: HEIGHT - 2 }, `${count(weights.length, 'particle')}, heaviest first`),
    );
  }
}
