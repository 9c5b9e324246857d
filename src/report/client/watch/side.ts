import type { WatchEvent, WatchPiece } from '../../watch-data.ts';
import { definitions, element, find } from '../dom.ts';
import { show } from '../trace/visible.ts';
import { Refused, watch } from './events.ts';
import { Shaded } from './shaded.ts';
import type { GrowingTree } from './tree.ts';

/** One of the two answers, and what is told of it. */
export class Side {
  private readonly name: 'plain' | 'power';
  private readonly tree?: GrowingTree;
  private shaded: Shaded;
  private readonly pieces: WatchPiece[] = [];
  private logProbability = 0;
  /** The newest event that was not shown yet: what comes faster than the screen is passed over. */
  private newest: WatchEvent | undefined;
  private drawing = false;

  constructor(name: 'plain' | 'power', tree?: GrowingTree) {
    this.name = name;
    this.tree = tree;
    this.shaded = new Shaded(this.part('answer'));
  }

  /** Shows an answer as it comes about. @returns the status that it was refused with, if it was */
  async run(request: object, key: string, signal: AbortSignal): Promise<number | undefined> {
    this.clear();
    try {
      for await (const event of watch(request, key, signal)) this.take(event);
      return undefined;
    } catch (error) {
      if (signal.aborted) this.status('Stopped.');
      else
        this.fail(
          error instanceof Refused
            ? error.message
            : `The server cannot be reached: ${(error as Error).message}`,
        );
      return error instanceof Refused ? error.status : undefined;
    } finally {
      this.part('progress').hidden = true;
    }
  }

  private part = <E extends Element = HTMLElement>(what: string): E => find<E>(`${this.name}-${what}`);

  private clear(): void {
    this.part('answer').textContent = '';
    this.shaded = new Shaded(this.part('answer'));
    this.pieces.length = 0;
    this.logProbability = 0;
    this.newest = undefined;
    this.tree?.clear();
    this.part('facts').replaceChildren();
    this.part('trouble').hidden = true;
    this.part('trace').hidden = true;
    if (this.name === 'power') find('odds').hidden = true;
    this.part('progress').hidden = false;
    this.part<HTMLProgressElement>('progress').removeAttribute('value');
    this.status('Waiting for the model…');
  }

  private take(event: WatchEvent): void {
    if (event.type === 'start') this.status('Thinking…');
    else if (event.type === 'token') this.takeToken(event.piece, event.logProbability);
    else {
      this.newest = event;
      if (event.type === 'end') this.draw();
      else this.drawSoon();
    }
  }

  private takeToken(piece: WatchPiece, logProbability: number): void {
    this.pieces.push(piece);
    this.logProbability += logProbability;
    this.shaded.add(piece);
    this.facts([
      ['log p', `${this.logProbability.toFixed(1)} nats`],
      ['tokens', String(this.pieces.length)],
    ]);
  }

  private drawSoon(): void {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.draw();
    });
  }

  private draw(): void {
    const event = this.newest;
    if (event?.type !== 'state' && event?.type !== 'end') return;
    this.newest = undefined;
    const { pieces, logProbability, account, answers, done } = event;
    this.shaded.show(pieces);
    this.facts([
      ['log p', `${logProbability.toFixed(1)} nats`],
      ['tokens', String(pieces.length)],
      ...account,
    ]);
    this.part<HTMLProgressElement>('progress').value = done;
    if (this.name === 'power') showAnswers(answers);
    this.tree?.take(event);
    this.status(
      event.type === 'end' ? `Ready after ${event.seconds.toFixed(1)} s.` : `${Math.round(100 * done)} %`,
    );
    if (event.type !== 'end') return;
    const link = this.part<HTMLAnchorElement>('trace');
    link.href = event.trace;
    link.hidden = false;
  }

  private facts(rows: readonly (readonly [string, string])[]): void {
    this.part('facts').replaceChildren(...definitions(rows));
  }

  private status(text: string): void {
    this.part('status').textContent = text;
  }

  private fail(text: string): void {
    this.status('');
    this.part('trouble').textContent = text;
    this.part('trouble').hidden = false;
  }
}

/** Final answers that are shown. */
const MOST = 8;

function showAnswers(answers: readonly { answer: string | null; probability: number }[]): void {
  find('odds').hidden = answers.length === 0;
  find('answers').replaceChildren(
    ...answers.slice(0, MOST).map(({ answer, probability }) => {
      const text = element('td', answer === null ? 'without' : '');
      show(text, answer ?? 'no answer');
      const bar = element('i');
      bar.style.width = `${100 * probability}%`;
      return element(
        'tr',
        '',
        text,
        element('td', '', `${(100 * probability).toFixed(1)} %`),
        element('td', 'share', bar),
      );
    }),
  );
}
