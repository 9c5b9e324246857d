import type { Continuation, DecodeRow, LanguageModel, Sequence } from '../engine/language-model.ts';
import { NonFiniteError } from '../errors.ts';
import type { Account, Step, Trace } from './trace.ts';

/** A response and, for each of its tokens, the statistics of the pass that drew it; see Continuation. Never changed in place. */
export interface Response {
  readonly tokens: Uint32Array;
  readonly logp: Float64Array;
  readonly logq: Float64Array;
  readonly logZ: Float64Array;
  readonly entropy: Float64Array;
  readonly finish: 'eos' | 'length';
}

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
  /** Called after each step, and while the response grows after each chunk of tokens. */
  onProgress?(progress: Progress): void;
}

/** What became of a step's candidates: log ρ of each, and the index of the one taken, or −1. */
export interface Decision {
  readonly logRho: readonly number[];
  readonly outcome: number;
}

const NOTHING = new Float64Array(0);

/** The state of a chain: the current response with its live sequence, and the record of how it came about. */
export class Chain {
  response: Response = {
    tokens: new Uint32Array(0),
    logp: NOTHING,
    logq: NOTHING,
    logZ: NOTHING,
    entropy: NOTHING,
    finish: 'length',
  };
  block = 1;
  blocks = 1;
  /** Steps foreseen. */
  steps = 1;
  readonly account: Account = { decodedTokens: 0, sequentialSteps: 0, proposed: 0, accepted: 0, held: 0 };
  readonly trace: Trace = { steps: [], drawnAt: new Uint32Array(0) };
  private readonly model: LanguageModel;
  private readonly promptLength: number;
  private readonly draw: Draw;
  private readonly hooks: Hooks;
  private sequence: Sequence;

  /** @param prompt owned by the chain from here on */
  constructor(model: LanguageModel, prompt: Sequence, draw: Draw, hooks: Hooks = {}) {
    this.model = model;
    this.sequence = prompt;
    this.promptLength = prompt.length;
    this.draw = draw;
    this.hooks = hooks;
  }

  /** Number of the next step. */
  get step(): number {
    return this.trace.steps.length;
  }

  /** Extends the response to EOS or to `horizon` tokens, unless it is there already. */
  async grow(horizon: number): Promise<void> {
    const { length } = this.response.tokens;
    if (this.response.finish === 'eos' || length >= horizon) return;
    await this.decode('grow', length, horizon, 1, () => ({ logRho: [], outcome: 0 }));
  }

  /**
   * Draws `tries` candidates, each of which keeps the response up to `cut` and goes on to EOS or to `horizon` tokens. The one that
   * `decide` takes replaces the response, tokens and statistics alike.
   */
  async propose(
    cut: number,
    horizon: number,
    tries: number,
    decide: (candidates: Response[]) => Decision,
  ): Promise<void> {
    await this.decode('propose', cut, horizon, tries, decide);
  }

  /** A step that draws nothing. */
  hold(): void {
    this.hooks.signal?.throwIfAborted();
    this.account.held++;
    this.record('hold', -1, [], { logRho: [], outcome: -1 });
  }

  free(): void {
    this.sequence.free();
  }

  private async decode(
    kind: 'grow' | 'propose',
    cut: number,
    horizon: number,
    tries: number,
    decide: (candidates: Response[]) => Decision,
  ): Promise<void> {
    this.hooks.signal?.throwIfAborted();
    const forks: Sequence[] = [];
    try {
      const rows: DecodeRow[] = [];
      for (let candidate = 0; candidate < tries; candidate++) {
        const sequence = this.sequence.fork();
        forks.push(sequence);
        sequence.rollback(this.promptLength + cut);
        const { seed, chain, ...draw } = this.draw;
        const key = { seed, chain, step: this.step, candidate };
        rows.push({ ...draw, sequence, maxTokens: horizon - cut, key });
      }
      if (kind === 'grow' && this.hooks.onProgress) {
        rows[0].keepGoing = (soFar) => {
          this.report(this.splice(cut, soFar));
          return true;
        };
      }
      const parts = await this.model.decode(rows, this.hooks.signal);
      const drawn = parts.map(({ tokens }) => tokens.length);
      this.account.decodedTokens += drawn.reduce((a, b) => a + b, 0);
      this.account.sequentialSteps += Math.max(...drawn);

      const candidates = parts.map((part) => this.splice(cut, part));
      const decision = decide(candidates);
      const { outcome } = decision;
      if (outcome >= 0) {
        [this.sequence, forks[outcome]] = [forks[outcome], this.sequence];
        this.response = candidates[outcome];
        const drawnAt = new Uint32Array(this.response.tokens.length).fill(this.step);
        drawnAt.set(this.trace.drawnAt.subarray(0, cut));
        this.trace.drawnAt = drawnAt;
      }
      if (kind === 'propose') {
        this.account.proposed++;
        if (outcome >= 0) this.account.accepted++;
      }
      this.record(kind, cut, candidates, decision);
    } finally {
      for (const fork of forks) fork.free();
    }
  }

  /** The response up to `cut`, then the continuation. */
  private splice(cut: number, part: Continuation): Response {
    const column = (name: 'logp' | 'logq' | 'logZ' | 'entropy'): Float64Array => {
      const bad = part[name].findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) throw new NonFiniteError(`decode (${name})`, this.promptLength + cut + bad);
      const values = new Float64Array(cut + part.tokens.length);
      values.set(this.response[name].subarray(0, cut));
      values.set(part[name], cut);
      return values;
    };
    const tokens = new Uint32Array(cut + part.tokens.length);
    tokens.set(this.response.tokens.subarray(0, cut));
    tokens.set(part.tokens, cut);
    return {
      tokens,
      logp: column('logp'),
      logq: column('logq'),
      // Beyond their range only by rounding; the cut laws and the weights rely on the signs.
      logZ: column('logZ').map((value) => Math.min(0, value)),
      entropy: column('entropy').map((value) => Math.max(0, value)),
      finish: part.finish === 'eos' ? 'eos' : 'length',
    };
  }

  private record(kind: Step['kind'], cut: number, candidates: Response[], decision: Decision): void {
    const { logRho, outcome } = decision;
    const lengths = candidates.map(({ tokens }) => tokens.length);
    const tokens = outcome >= 0 ? this.response.tokens.slice(cut) : new Uint32Array(0);
    const { block, response } = this;
    this.trace.steps.push({ kind, block, cut, lengths, logRho, outcome, tokens, logp: total(response.logp) });
    this.report(response);
  }

  private report({ tokens, logp }: Response): void {
    const { block, blocks, step, steps, account } = this;
    this.hooks.onProgress?.({
      block,
      blocks,
      step,
      steps,
      account: { ...account },
      tokens,
      logp: total(logp),
    });
  }
}

const total = (column: Float64Array): number => column.reduce((a, b) => a + b, 0);
