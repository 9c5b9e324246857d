import { find } from '../dom.ts';
import { shape } from './outcome-shape.ts';
import { outcomeOf, type Replay } from './replay.ts';

/** Goes from step to step. */
export class Player {
  current = -1;
  private readonly replay: Replay;
  private readonly onStep: (i: number) => void;
  private readonly slider = find<HTMLInputElement>('slider');
  private readonly button = find<HTMLButtonElement>('play');
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(replay: Replay, onStep: (i: number) => void) {
    this.replay = replay;
    this.onStep = onStep;
    this.slider.max = String(replay.last);
    find('counter-text').style.minWidth = `${2 * String(replay.last).length + 2}ch`;
    this.button.addEventListener('click', () => {
      if (this.timer === undefined) this.play();
      else this.pause();
    });
    this.slider.addEventListener('input', () => this.leapTo(this.slider.valueAsNumber));
    find('previous').addEventListener('click', () => this.leapTo(this.current - 1));
    find('next').addEventListener('click', () => this.leapTo(this.current + 1));
  }

  go(step: number): void {
    const { steps, last } = this.replay;
    const i = Math.max(0, Math.min(last, step));
    if (i === this.current) return;
    this.current = i;
    this.onStep(i);
    const outcome = outcomeOf(steps[i]);
    this.slider.value = String(i);
    this.slider.setAttribute('aria-valuetext', `step ${i}, ${outcome}`);
    find('counter-shape').replaceChildren(shape(outcome));
    find('counter-text').textContent = `${i} / ${last}`;
    find<HTMLButtonElement>('previous').disabled = i === 0;
    find<HTMLButtonElement>('next').disabled = i === last;
  }

  /** As `go`, by the reader's own hand. */
  leapTo(step: number): void {
    this.pause();
    this.go(step);
  }

  private play(): void {
    const { steps, last } = this.replay;
    if (this.current === last) this.go(0);
    this.button.textContent = 'Pause';
    this.button.classList.add('playing');
    // About a minute for a long run; steps follow each other slowly where motion is not wanted.
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const pace = calm ? 2000 : Math.max(300, Math.min(1200, 60_000 / steps.length));
    this.timer = setInterval(() => {
      this.go(this.current + 1);
      if (this.current === last) this.pause();
    }, pace);
  }

  private pause(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.button.textContent = 'Play';
    this.button.classList.remove('playing');
  }
}
