import type { GenerativeModel } from '../api/generate.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { Forest } from '../tree/forest.ts';
import type { BodyLimits } from './body.ts';
import type { Desk } from './desk.ts';
import type { Life, Lives } from './life.ts';
import type { Metrics } from './metrics.ts';
import type { Settings } from './settings.ts';
import type { Traces } from './traces.ts';

/** What all requests share. */
export interface Server {
  readonly model: GenerativeModel & { readonly tokenizer: Tokenizer };
  /** The name by which clients ask for the model. */
  readonly name: string;
  /** What computes. */
  readonly adapter: string;
  /** The same by a short name: equal seeds give equal answers where it is the same. */
  readonly fingerprint: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly settings: Settings;
  /** The trees of all prompts. */
  readonly forest: Forest;
  readonly desk: Desk;
  readonly lives: Lives;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly body: BodyLimits;
  /** Whether it is being stopped, and waits for the last answers. */
  isDraining(): boolean;
  /** Takes a line of the log. */
  log(line: string): void;
}

/** Of Hono: what handlers find beside the request. */
export interface Env {
  Variables: {
    life: Life;
    /** The answer goes on when the handler is over. */
    streaming: boolean;
  };
}
