import type { ModelConfig } from '../../../src/checkpoint/config.ts';

/** What a driver is asked to open. */
export interface EngineOptions {
  readonly config: ModelConfig;
  /** Of the random weights. */
  readonly seed: number;
  /** The model in the peer's own format. */
  readonly file: string;
  readonly threads: number;
  /** Most rows decoded together, and most positions of each. */
  readonly rows: number;
  readonly capacity: number;
  /** What tells the engines of one driver apart. */
  readonly [more: string]: unknown;
}

/** A token drawn from the distribution that a row's logits stand for. */
export interface Drawn {
  token: number;
  logp: number;
  entropy: number;
}

/** One way to run the model: `open(options: EngineOptions): Promise<Engine>` of a driver gives it. */
export interface Engine {
  /** What it runs on, as it reports it. */
  readonly device: string;
  /** Of weights, and of keys and values. */
  readonly precision: string;
  /**
   * Logits [row][vocabSize] after each prompt, and after one decoding step more that feeds `next`. One prompt for several
   * `next` is that of every row. An engine that only ever draws tells what it drew after the step.
   */
  logits(
    prompts: number[][],
    next: number[],
  ): Promise<{ prompt: Float32Array[]; step: Float32Array[]; drawn?: Drawn[] }>;
  /** Computes a prompt up to the distribution of the next token. */
  prefill(prompt: number[]): Promise<void>;
  /** Gives `rows` rows this prompt, each in storage of its own. */
  hold(prompt: number[], rows: number): Promise<void>;
  /** Decodes `steps` tokens of every row after the prompt held. */
  decode(steps: number): Promise<void>;
}
