import type { Prospect } from '../tree/forest.ts';
import type { Guess } from '../tree/tree.ts';
import { isFinished, logProbability, type Response } from './response.ts';
import type { Branch, Rollout } from './rollout.ts';
import type { Step, Trace } from './trace.ts';
import type { Weighted } from './visits.ts';

/**
 * How the candidates of a step are continued. The outcome is the same.
 * - eager: all to their ends
 * - lockstep: together, until the outcome is certain
 * - best-first: one at a time, the one that can decide most; fewer tokens in more sequential passes
 */
export type Decoding = 'eager' | 'lockstep' | 'best-first';

/** What can be said of a step's candidates at the time. */
interface Decision {
  /** log ρ of each; an upper bound for an unfinished one. */
  readonly logRho: readonly number[];
  /** Index of the candidate taken, −1 for none, undefined as long as it is open. */
  readonly outcome: number | undefined;
  /** The candidate to continue next where one is continued at a time. */
  readonly next?: number;
}

/** @param finished which of the candidates are at their ends @internal */
export type Judge = (candidates: readonly Response[], finished: readonly boolean[]) => Decision;

/** A step as its random numbers have it: where the response is cut, and what is made of the candidates. @internal */
export interface Toss {
  readonly cut: number;
  readonly judge: Judge;
  /** The probability of each finished candidate to be taken, whatever the random numbers of the decision are. */
  chances?(logRho: readonly number[]): readonly number[];
}

/** A step under way, or one that comes next if the response stays as it is. */
interface Proposal extends Toss {
  readonly step: number;
  readonly candidates: readonly Branch[];
  decision: Decision;
  /** Tokens of all candidates when it was judged last. */
  judged: number;
}

const UNDECIDED: Decision = { logRho: [], outcome: undefined };

/** Steps that are looked ahead to where nobody says how many. */
const FAR = 6;
const PRIOR = 4;

/** The state of a chain: the current response and its place in the tree, and the record of how it came about. @internal */
export class Chain {
  readonly trace: Trace = { steps: [], drawnAt: new Uint32Array(0) };
  readonly rollout: Rollout;
  /** The state after the last growth, and after each step since; see Visited. */
  visited: Weighted[][] = [];
  private state: Branch;
  private readonly lookAhead: number;
  private readonly looksAlways: boolean;
  /** How often a step so far ahead came to be as foreseen. */
  private readonly foreseen: readonly Guess[];
  /** Steps by their number, of the response as it is; null: a hold. */
  private readonly future = new Map<number, Proposal | null>();
  /** Of these steps. */
  private horizon = 0;

  /** @param lookAhead steps beyond the current one whose needs may be computed beside its own */
  constructor(rollout: Rollout, lookAhead: number | 'auto' = 0) {
    this.rollout = rollout;
    this.state = rollout.root();
    this.lookAhead = lookAhead === 'auto' ? FAR : lookAhead;
    this.looksAlways = lookAhead !== 'auto';
    this.foreseen = Array.from({ length: this.lookAhead }, (_, i) => {
      return { made: PRIOR, used: PRIOR * 0.5 ** (i + 1) };
    });
  }

  get response(): Response {
    return this.state.response;
  }

  /** Number of the next step. */
  get step(): number {
    return this.trace.steps.length;
  }

  /** Begins with a response that was drawn elsewhere, and how that came about. */
  adopt(branch: Branch, { steps, drawnAt }: Trace): void {
    this.trace.steps.push(...steps);
    this.trace.drawnAt = drawnAt;
    this.state = branch;
    this.visited = [[{ response: branch.response, weight: 1 }]];
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
    const { rollout, step } = this;
    if (isFinished(this.response, horizon)) return;
    rollout.signal?.throwIfAborted();
    const cut = this.response.tokens.length;
    const branches = this.fork(cut, tries);
    const first = branches[0];
    await rollout.advance(
      branches,
      horizon,
      step,
      rollout.telling(step, () => first.response),
    );
    const responses = branches.map(({ response }) => response);
    this.settle('grow', cut, branches, horizon, { logRho: [], outcome: choose(responses) });
  }

  /**
   * Takes a step: draws `tries` candidates, each of which keeps the response up to the cut and goes on to EOS or to `horizon` tokens. The
   * one that is taken replaces the response, tokens and statistics alike.
   * @param toss the step of a number, given the response as it is; undefined for one that draws nothing. Its judge has an outcome
   * at the latest when all candidates are finished.
   */
  async propose(
    toss: (step: number) => Toss | undefined,
    horizon: number,
    tries: number,
    decoding: Decoding,
  ): Promise<void> {
    const { rollout } = this;
    rollout.signal?.throwIfAborted();
    if (horizon !== this.horizon) this.future.clear();
    this.horizon = horizon;
    const proposal = this.foresee(this.step, toss, tries);
    if (!proposal) return this.settle('hold', -1, [], 0, { logRho: [], outcome: -1 });
    const { candidates, step, cut } = proposal;
    for (const branch of candidates) rollout.claim(branch, cut);
    const prospects = () => this.prospects(toss, horizon, tries);
    const isOpen = () => this.judge(proposal, horizon).outcome === undefined;
    if (decoding === 'eager') await rollout.advance(candidates, horizon, step, undefined, prospects);
    if (decoding === 'lockstep' && isOpen()) {
      await rollout.advance(candidates, horizon, step, isOpen, prospects);
    }
    while (isOpen()) {
      const { next } = proposal.decision;
      const pays = () => isOpen() && proposal.decision.next === next;
      await rollout.advance([candidates[next as number]], horizon, step, pays, prospects);
    }
    this.settle(
      'propose',
      cut,
      candidates,
      horizon,
      proposal.decision,
      decoding === 'eager' ? proposal : undefined,
    );
  }

  private fork(cut: number, tries: number): Branch[] {
    return Array.from({ length: tries }, (_, candidate) => this.rollout.fork(this.state, cut, candidate));
  }

  /** A step that comes next, or later if the response stays as it is. */
  private foresee(step: number, toss: (step: number) => Toss | undefined, tries: number): Proposal | null {
    let proposal = this.future.get(step);
    if (proposal === undefined) {
      const tossed = toss(step);
      proposal = tossed ? this.begin(step, tossed, tries) : null;
      this.future.set(step, proposal);
    }
    return proposal;
  }

  /** Member by member: to spread what was tossed would take longer than all else that a step does. */
  private begin(step: number, { cut, judge, chances }: Toss, tries: number): Proposal {
    const candidates = this.fork(cut, tries);
    return { cut, judge, chances, step, candidates, decision: UNDECIDED, judged: -1 };
  }

  private judge(proposal: Proposal, horizon: number): Decision {
    const { candidates, judge } = proposal;
    let tokens = 0;
    for (const { response } of candidates) tokens += response.tokens.length;
    if (tokens !== proposal.judged) {
      const finished = candidates.map(({ response }) => isFinished(response, horizon));
      proposal.decision = judge(
        candidates.map(({ response }) => response),
        finished,
      );
      proposal.judged = tokens;
    }
    return proposal.decision;
  }

  /** What the steps after this one need if this one and those between take nothing. */
  private prospects(toss: (step: number) => Toss | undefined, horizon: number, tries: number): Prospect[] {
    const found: Prospect[] = [];
    for (const [i, guess] of this.foreseen.entries()) {
      const proposal = this.foresee(this.step + 1 + i, toss, tries);
      if (!proposal) continue;
      const { candidates, step } = proposal;
      const wants = candidates.map((branch) => this.rollout.foresee(branch, horizon, step));
      const { outcome } = this.judge(proposal, horizon);
      if (outcome !== undefined && outcome < 0) continue;
      for (const want of wants)
        if (want && outcome === undefined) found.push({ want, guess, always: this.looksAlways });
      if (outcome !== undefined) break; // the response changes there
    }
    return found;
  }

  /**
   * Ends a step: takes the candidate that was decided for, and records it.
   * @param whole a step whose candidates are all finished, whatever its random numbers were: only then are its chances unbiased
   */
  private settle(
    kind: Step['kind'],
    cut: number,
    branches: readonly Branch[],
    horizon: number,
    { logRho, outcome = -1 }: Decision,
    whole?: Toss,
  ): void {
    const before = this.response;
    const { account, block } = this.rollout;
    const lengths = branches.map(({ response }) => response.tokens.length);
    const abandoned = branches.map(({ response }) => !isFinished(response, horizon));
    if (outcome >= 0) {
      this.state = branches[outcome];
      this.future.clear();
      const drawnAt = new Uint32Array(lengths[outcome]).fill(this.step);
      drawnAt.set(this.trace.drawnAt.subarray(0, cut));
      this.trace.drawnAt = drawnAt;
    } else this.future.delete(this.step);

    for (const length of lengths) account.drawnTokens += length - cut;
    account.abandoned += abandoned.filter(Boolean).length;
    if (kind === 'hold') account.held++;
    if (kind === 'propose') {
      account.proposed++;
      if (outcome >= 0) account.accepted++;
    }
    const { response } = this;
    const { tokens, entropy, logp, origins } = response;
    const from = outcome >= 0 ? cut : tokens.length;
    const chances = whole?.chances?.(logRho);
    if (kind === 'grow') {
      this.visited = [branches.map((branch) => ({ response: branch.response, weight: 1 / branches.length }))];
    } else if (chances) {
      const stay = 1 - chances.reduce((a, b) => a + b, 0);
      const taken = branches.map((branch, j) => ({ response: branch.response, weight: chances[j] }));
      this.visited.push([...taken, { response: before, weight: stay }]);
    } else this.visited.push([{ response, weight: 1 }]);
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
      origins: origins.slice(from),
      logp: logProbability(response),
      account: { ...account },
    });
    this.rollout.report(this.step, response);
  }
}
