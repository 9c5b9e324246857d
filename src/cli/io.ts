import type { Redraw } from './terminal.ts';

/** What a command has from the process. */
export interface Io {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Draws on standard error. */
  readonly redraw: Redraw;
  /** Writes to standard output; rejects nothing, a reader that went away ends the process. */
  out(text: string): void;
  /** Writes what a model wrote, to standard output: as it is, unless that is a terminal. */
  text(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
}
