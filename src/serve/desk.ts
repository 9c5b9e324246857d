import { Refusal } from './refusal.ts';

/** Gives back a place; a second time does nothing. */
export type Leave = () => void;

interface Waiting {
  admit(): void;
}

/** How much a new average moves towards the last value. */
const FRESH = 0.1;

/** Places for the chains that are computed side by side, and a queue of so many more. Whoever comes first is served first. */
export class Desk {
  readonly places: number;
  readonly room: number;
  taken = 0;
  /** Places that will be asked for at once. */
  private booked = 0;
  private readonly queue: Waiting[] = [];
  /** Seconds that a place is taken for, of late. */
  private usual = 1;

  constructor(places: number, room: number) {
    this.places = places;
    this.room = room;
  }

  get waiting(): number {
    return this.queue.length;
  }

  /** Keeps places in the queue for so many chains, each of which is then to `take` one. @throws Refusal where there is no room for them */
  book(count: number): void {
    this.check(count);
    this.booked += count;
  }

  /** @throws Refusal where there is no room for so many more */
  check(count = 1): void {
    const free = this.places - this.taken + this.room - this.waiting - this.booked;
    if (count <= free) return;
    const seconds = Math.ceil((this.usual * (this.waiting + 1)) / this.places);
    throw new Refusal(429, 'busy', `${this.waiting} chains wait already, and ${count} more find no room`, {
      headers: { 'retry-after': String(Math.min(60, Math.max(1, seconds))) },
    });
  }

  /** A place that was booked, as soon as there is one. @throws the signal's reason */
  take(signal: AbortSignal): Promise<Leave> {
    this.booked--;
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.taken < this.places) return Promise.resolve(this.seat());
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.queue.splice(this.queue.indexOf(waiting), 1);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        admit: () => {
          signal.removeEventListener('abort', giveUp);
          resolve(this.seat());
        },
      };
      this.queue.push(waiting);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  private seat(): Leave {
    this.taken++;
    const began = performance.now();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.taken--;
      this.usual += FRESH * ((performance.now() - began) / 1000 - this.usual);
      this.queue.shift()?.admit();
    };
  }
}
