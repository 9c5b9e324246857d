import type { Continuation, DecodeRow, LanguageModel, Sequence } from '../engine/language-model.ts';
import { append, EMPTY, isFinished, logProbability, type Response, truncate } from './response.ts';
import type { Account } from './trace.ts';

/** How tokens are drawn. */
export interface Draw extends Pick<DecodeRow, 'temperature' | 'alpha' | 'topK' | 'topP'> {
  readonly seed: bigint;
  readonly chain: number;
}

export interface Progress {
  /** The block, from 1, up to which the response has been grown, of `blocks`. */
  block: number;
  blocks: number;
  /** Steps taken, growth included, of the `steps` still foreseen: fewer once the response has ended early. */
  step: number;
  steps: number;
  /** Of all decode calls that have returned. */
  account: Account;
  tokens: Uint32Array;
  /** log p of the tokens. */
  logp: number;
}

export interface Hooks {
  signal?: AbortSignal;
  /** Called after each step, and now and then while the response grows. */
  onProgress?(progress: Progress): void;
}

/** A response with the live sequence that holds its keys and values. */
export interface Branch {
  response: Response;
  readonly sequence: Sequence;
  /** Its number among those drawn in one step. */
  readonly candidate: number;
}

/** Draws responses to one prompt, and keeps the account and the plan of the run. */
export class Rollout {
  readonly account: Account = {
    decodedTokens: 0,
    sequentialSteps: 0,
    rowsPerStep: 0,
    proposed: 0,
    accepted: 0,
    held: 0,
    abandoned: 0,
    savedTokens: 0,
  };
  block = 1;
  blocks = 1;
  /** Steps foreseen. */
  steps = 1;
  readonly signal?: AbortSignal;
  private readonly model: LanguageModel;
  private readonly prompt: Sequence;
  private readonly promptLength: number;
  private readonly draw: Draw;
  private readonly onProgress?: Hooks['onProgress'];

  /** @param prompt stays the caller's, and is needed no more once there is a root */
  constructor(model: LanguageModel, prompt: Sequence, draw: Draw, { signal, onProgress }: Hooks = {}) {
    this.model = model;
    this.prompt = prompt;
    this.promptLength = prompt.length;
    this.draw = draw;
    this.signal = signal;
    this.onProgress = onProgress;
  }

  /** The empty response. */
  root(): Branch {
    return { response: EMPTY, sequence: this.prompt.fork(), candidate: 0 };
  }

  /** What `from` has before `cut`, on its own from here on. */
  fork({ response, sequence }: Branch, cut: number, candidate: number): Branch {
    const fork = sequence.fork();
    fork.rollback(this.promptLength + cut);
    return { response: truncate(response, cut), sequence: fork, candidate };
  }

  /**
   * Decodes all branches together, each to EOS or to `horizon` tokens, unless it is there already.
   * @param watch called now and then, the responses being what is decoded so far; false stops
   */
  async advance(
    branches: readonly Branch[],
    horizon: number,
    step: number,
    watch?: () => boolean,
  ): Promise<void> {
    const open = branches.filter(({ response }) => !isFinished(response, horizon));
    if (open.length === 0) return;
    const { seed, chain, ...draw } = this.draw;
    const starts = open.map(({ response }) => response.tokens.length);
    const rows = open.map(({ sequence, candidate }, i): DecodeRow => {
      return { ...draw, sequence, maxTokens: horizon - starts[i], key: { seed, chain, step, candidate } };
    });
    const take = (parts: readonly Continuation[]) => {
      for (const [i, part] of parts.entries()) {
        const { response } = open[i];
        const from = response.tokens.length - starts[i];
        open[i].response = append(response, part, from, draw, this.promptLength);
      }
    };
    const keepGoing = (soFar: readonly Continuation[]) => {
      take(soFar);
      return watch?.() ?? true;
    };
    const parts = await this.model.decode(rows, this.signal, watch && keepGoing);
    take(parts);
    const { account } = this;
    const drawn = parts.map(({ tokens }) => tokens.length);
    account.decodedTokens += drawn.reduce((a, b) => a + b, 0);
    account.sequentialSteps += Math.max(...drawn);
    account.rowsPerStep = account.decodedTokens / account.sequentialSteps;
  }

  /** What tells of a response that grows, where anybody listens. */
  telling(step: number, response: () => Response): (() => boolean) | undefined {
    if (!this.onProgress) return;
    return () => {
      this.report(step, response());
      return true;
    };
  }

  report(step: number, response: Response): void {
    const { block, blocks, steps, account } = this;
    this.onProgress?.({
      block,
      blocks,
      step,
      steps,
      account: { ...account },
      tokens: response.tokens,
      logp: logProbability(response),
    });
  }
}
