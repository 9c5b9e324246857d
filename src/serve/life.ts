import { clientGone, pastDeadline, stopping } from './refusal.ts';

/** How long a request is worked on: until its client leaves, its deadline passes, or the server is stopped. */
export class Life {
  /** What is told of it in the log, and counted. */
  readonly usage: { prompt: number; completion: number } = { prompt: 0, completion: 0 };
  /** Shown in the log where prompts are. */
  prompt: unknown;
  /** What it was refused for or failed with, where its status does not tell. */
  failure: unknown;
  private readonly began: number = performance.now();
  /** Why it was given up. */
  reason: unknown;
  /** Of the parts of its work, so that listeners do not pile up on one signal. */
  private readonly parts = new Set<AbortController>();
  private readonly onEnd: () => void;

  constructor(client: AbortSignal, deadline: number, onEnd: () => void) {
    const leave = () => this.abort(clientGone());
    const timer = setTimeout(() => this.abort(pastDeadline(deadline)), 1000 * deadline);
    client.addEventListener('abort', leave, { once: true });
    if (client.aborted) leave();
    this.onEnd = () => {
      clearTimeout(timer);
      client.removeEventListener('abort', leave);
      onEnd();
    };
  }

  get seconds(): number {
    return (performance.now() - this.began) / 1000;
  }

  abort(reason: unknown): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    for (const part of this.parts) part.abort(reason);
  }

  /** Works on a part of it, with a signal of its own. */
  async within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const part = new AbortController();
    if (this.reason !== undefined) part.abort(this.reason);
    this.parts.add(part);
    try {
      return await work(part.signal);
    } finally {
      this.parts.delete(part);
    }
  }

  end(): void {
    this.onEnd();
  }
}

/** Of all requests under way. */
export class Lives {
  private readonly under = new Set<Life>();
  private idle = () => {};

  get count(): number {
    return this.under.size;
  }

  begin(client: AbortSignal, deadline: number): Life {
    const life: Life = new Life(client, deadline, () => {
      this.under.delete(life);
      if (this.under.size === 0) this.idle();
    });
    this.under.add(life);
    return life;
  }

  stop(): void {
    for (const life of this.under) life.abort(stopping());
  }

  /** Waits until there are none. */
  async over(): Promise<void> {
    if (this.under.size === 0) return;
    await new Promise<void>((resolve) => {
      this.idle = resolve;
    });
  }
}
