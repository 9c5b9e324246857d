import { isFinished, logProbability, type Response } from './response.ts';
import type { Branch, Rollout } from './rollout.ts';
import type { Step, Trace } from './trace.ts';

/**
 * How the candidates of a step are decoded. The outcome is the same.
 * - eager: all to their ends
 * - lockstep: together, until the outcome is certain
 * - best-first: one at a time, the one that can decide most; fewer tokens in more sequential steps
 */
export type Decoding = 'eager' | 'lockstep' | 'best-first';

/** What can be said of a step's candidates at the time. */
export interface Decision {
  /** log ρ of each; an upper bound for an unfinished one. */
  readonly logRho: readonly number[];
  /** Index of the candidate taken, −1 for none, undefined as long as it is open. */
  readonly outcome: number | undefined;
  /** The candidate to decode next where one is decoded at a time. */
  readonly next?: number;
}

/** @param finished which of the candidates are at their ends */
export type Judge = (candidates: readonly Response[], finished: readonly boolean[]) => Decision;

/** The state of a chain: the current response with its live sequence, and the record of how it came about. */
export class Chain {
  readonly trace: Trace = { steps: [], drawnAt: new Uint32Array(0) };
  readonly rollout: Rollout;
  private state: Branch;

  constructor(rollout: Rollout) {
    this.rollout = rollout;
    this.state = rollout.root();
  }

  get response(): Response {
    return this.state.response;
  }

  /** Number of the next step. */
  get step(): number {
    return this.trace.steps.length;
  }

  /**
   * Extends the response to EOS or to `horizon` tokens, unless it is there already.
   * @param choose takes the index of one of `tries` responses drawn so
   */
  async grow(
    horizon: number,
    tries = 1,
    choose: (responses: readonly Response[]) => number = () => 0,
  ): Promise<void> {
    if (isFinished(this.response, horizon)) return;
    const cut = this.response.tokens.length;
    const branches = await this.branch(cut, tries, (grown) =>
      this.rollout.advance(
        grown,
        horizon,
        this.step,
        this.rollout.telling(this.step, () => grown[0].response),
      ),
    );
    const outcome = choose(branches.map(({ response }) => response));
    this.settle('grow', cut, branches, horizon, { logRho: [], outcome });
  }

  /**
   * Draws `tries` candidates, each of which keeps the response up to `cut` and goes on to EOS or to `horizon` tokens. The one that
   * `judge` takes replaces the response, tokens and statistics alike.
   * @param judge has an outcome at the latest when all candidates are finished
   */
  async propose(
    cut: number,
    horizon: number,
    tries: number,
    decoding: Decoding,
    judge: Judge,
  ): Promise<void> {
    const { rollout, step } = this;
    const at = (candidates: readonly Branch[]) =>
      judge(
        candidates.map(({ response }) => response),
        candidates.map(({ response }) => isFinished(response, horizon)),
      );
    let decision: Decision = { logRho: [], outcome: undefined };
    const branches = await this.branch(cut, tries, async (candidates) => {
      const isOpen = () => at(candidates).outcome === undefined;
      if (decoding === 'eager') await rollout.advance(candidates, horizon, step);
      if (decoding === 'lockstep' && isOpen()) await rollout.advance(candidates, horizon, step, isOpen);
      decision = at(candidates);
      while (decision.outcome === undefined) {
        const { next } = decision;
        const pays = () => isOpen() && at(candidates).next === next;
        await rollout.advance([candidates[next as number]], horizon, step, pays);
        decision = at(candidates);
      }
    });
    this.settle('propose', cut, branches, horizon, decision);
  }

  /** A step that draws nothing. */
  hold(): void {
    this.rollout.signal?.throwIfAborted();
    this.settle('hold', -1, [], 0, { logRho: [], outcome: -1 });
  }

  free(): void {
    this.state.sequence.free();
  }

  /** Forks of the current state after `work`; none are left behind if that fails. */
  private async branch(
    cut: number,
    tries: number,
    work: (branches: readonly Branch[]) => Promise<void>,
  ): Promise<Branch[]> {
    this.rollout.signal?.throwIfAborted();
    const branches: Branch[] = [];
    try {
      for (let candidate = 0; candidate < tries; candidate++) {
        branches.push(this.rollout.fork(this.state, cut, candidate));
      }
      await work(branches);
      return branches;
    } catch (error) {
      for (const { sequence } of branches) sequence.free();
      throw error;
    }
  }

  /** Ends a step: takes the candidate that was decided for, frees the others, and records it. */
  private settle(
    kind: Step['kind'],
    cut: number,
    branches: readonly Branch[],
    horizon: number,
    { logRho, outcome = -1 }: Decision,
  ): void {
    const { account, block } = this.rollout;
    const before = this.response.tokens.length;
    const lengths = branches.map(({ response }) => response.tokens.length);
    const abandoned = branches.map(({ response }) => !isFinished(response, horizon));
    if (outcome >= 0) {
      this.state.sequence.free();
      this.state = branches[outcome];
      const drawnAt = new Uint32Array(lengths[outcome]).fill(this.step);
      drawnAt.set(this.trace.drawnAt.subarray(0, cut));
      this.trace.drawnAt = drawnAt;
    }
    for (const [j, { sequence }] of branches.entries()) if (j !== outcome) sequence.free();

    if (kind === 'hold') account.held++;
    if (kind === 'propose') {
      account.proposed++;
      if (outcome >= 0) account.accepted++;
      for (const j of lengths.keys()) {
        if (!abandoned[j]) continue;
        account.abandoned++;
        account.savedTokens += Math.max(0, before - lengths[j]);
      }
    }
    const { response } = this;
    const { tokens, entropy, logp } = response;
    const from = outcome >= 0 ? cut : tokens.length;
    this.trace.steps.push({
      kind,
      block,
      cut,
      lengths,
      abandoned,
      logRho,
      outcome,
      tokens: tokens.slice(from),
      entropy: entropy.slice(from),
      tokenLogp: logp.slice(from),
      logp: logProbability(response),
    });
    this.rollout.report(this.step, response);
  }
}
