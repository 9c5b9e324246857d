import type { Distribution, Drawn, Law } from '../tree/distribution.ts';
import type { Forest, Prospect, Want } from '../tree/forest.ts';
import { ancestor, type Node, type Tree } from '../tree/tree.ts';
import type { RandomSource } from './random.ts';
import {
  append,
  EMPTY,
  type Finish,
  type Link,
  logProbability,
  ORIGIN,
  type Response,
  truncate,
} from './response.ts';
import type { Account } from './trace.ts';
import type { Visited } from './visits.ts';

/** How tokens are drawn. @internal */
export interface Draw extends Law {
  readonly seed: bigint;
  readonly chain: number;
}

/** How far a run is. */
export interface Progress {
  /** The block, from 1, up to which the response has been grown, of `blocks`. */
  block: number;
  /** Blocks foreseen. */
  blocks: number;
  /** Steps taken, growth included, of the `steps` still foreseen: fewer once the response has ended early. */
  step: number;
  /** Steps foreseen. */
  steps: number;
  /** What the run has cost so far. */
  account: Account;
  /** The response as it is now. */
  tokens: Uint32Array;
  /** Of the distribution that each of the tokens was drawn from, nats. */
  entropy: Float64Array;
  /** log p of the tokens. */
  logp: number;
  /** What the run has come by so far; to be asked at once, before the run goes on. */
  visited(): Visited;
}

/** A token that has been drawn, and the distribution that it was drawn from. */
export interface DrawnToken {
  /** Its id. */
  readonly token: number;
  /** log p under the base model at temperature 1, nats. */
  readonly logProbability: number;
  /** Of the distribution, nats. */
  readonly entropy: number;
  /** How the response ends with it; null where it goes on. */
  readonly finish: Finish | null;
  /** The likeliest tokens of the distribution with their log p, the greedy one first: `most` of them, or as many as the model lists. */
  alternatives(most: number): { token: number; logp: number }[];
}

/** Who listens to a run, and may end it. */
export interface Hooks {
  /** Ends the run, which then rejects with its reason. */
  signal?: AbortSignal;
  /** Called after each step, and now and then while the response grows. */
  onProgress?(progress: Progress): void;
  /**
   * greedy and sample: called with each token as soon as it is drawn. A promise is waited for before the next token: who cannot
   * keep up slows the run down.
   */
  onToken?(drawn: DrawnToken): void | Promise<void>;
  /** greedy, sample and best-of-n: makes for each response what is told its tokens in order, and says whether it ends with this one. */
  until?(): (token: number) => boolean;
}

/** A response and where it stands in the tree. @internal */
export interface Branch {
  response: Response;
  /** Tokens behind it that were drawn since, and whether the last one ends it. */
  pending?: Link[];
  ended?: Finish;
  /** Says of each token whether it ends the response. */
  readonly until?: (token: number) => boolean;
  /** Of its tokens, or of fewer. */
  node: Node;
  /** The node that it has waited for last. */
  waited?: Node;
  /** Its number among those drawn in one step. */
  readonly candidate: number;
  /** The step whose random numbers draw it, and its most tokens, whatever those are that it is continued beside. */
  readonly own?: { readonly step: number; readonly horizon: number };
}

/** Tokens drawn ahead on the GPU at first where a step may be over before its candidates are: it is looked at again after as many as there are. */
const FIRST_LOOK = 4;
/** Milliseconds after which a run that waits for nothing lets others have their turn. */
const PATIENCE = 50;

/** Draws responses to one prompt by walking its tree, and keeps the account and the plan of the run. @internal */
export class Rollout {
  readonly account: Account = {
    drawnTokens: 0,
    computedRows: 0,
    draftedRows: 0,
    usedDrafts: 0,
    sequentialPasses: 0,
    proposed: 0,
    accepted: 0,
    held: 0,
    abandoned: 0,
  };
  block = 1;
  blocks = 1;
  /** Steps foreseen. */
  steps = 1;
  readonly signal?: AbortSignal;
  readonly random: RandomSource;
  private readonly forest: Forest;
  private readonly tree: Tree;
  private readonly law: Law;
  private readonly stream: Pick<Draw, 'seed' | 'chain'>;
  /** The GPU draws ahead: nobody else is expected to come the same way. */
  private readonly alone: boolean;
  /** What the run has come by. */
  visited: () => Visited = () => ({ particles: [], states: [] });
  private readonly onProgress?: Hooks['onProgress'];
  private readonly onToken?: Hooks['onToken'];
  private readonly until?: Hooks['until'];
  /** Whoever is told the tokens has to catch up first. */
  private held: Promise<void> | undefined;
  private rested = performance.now();
  /** Drafts that have come true since the walkers set out together: they are a draft to each of them. */
  private readonly drafted = new Set<Node>();

  /** @param plain draws from p one after another, so that walks part at once */
  constructor(
    forest: Forest,
    tree: Tree,
    { seed, chain, ...law }: Draw,
    random: RandomSource,
    { signal, onProgress, onToken, until }: Hooks = {},
    plain = false,
  ) {
    this.forest = forest;
    this.tree = tree;
    this.law = law;
    this.stream = { seed, chain };
    this.random = random;
    this.alone = plain || forest.options.tree === 'off';
    this.signal = signal;
    this.onProgress = onProgress;
    this.onToken = onToken;
    this.until = until;
  }

  /** The empty response. */
  root(): Branch {
    return { response: EMPTY, node: this.forest.start(this.tree.root), candidate: 0 };
  }

  /** What `from` has before `cut`. */
  fork({ response, node }: Branch, cut: number, candidate: number): Branch {
    const at = ancestor(node, this.tree.root.position + cut);
    return {
      response: truncate(response, cut),
      node: this.forest.start(at),
      candidate,
      until: this.until?.(),
    };
  }

  /**
   * Continues all branches, each to EOS or to `horizon` tokens, unless it is there already. Together they go as far as the tree is known,
   * then wait for a pass.
   * @param watch called before each pass; false stops
   * @param prospects what may be computed beside what they need
   */
  async advance(
    branches: readonly Branch[],
    horizon: number,
    step: number,
    watch?: () => boolean,
    prospects: () => readonly Prospect[] = () => [],
  ): Promise<void> {
    const starts = branches.map(({ response }) => response.tokens.length);
    this.drafted.clear();
    for (;;) {
      const wants: Want[] = [];
      for (const [i, branch] of branches.entries()) {
        const looked = watch ?? this.onToken ?? this.until;
        const want = this.go(branch, horizon, step, true, looked && starts[i]);
        if (!want) continue;
        wants.push(want);
        branch.waited = want.node;
      }
      if (this.held) {
        await this.held;
        this.held = undefined;
        this.signal?.throwIfAborted();
        continue;
      }
      if (watch || wants.length === 0) branches.forEach(flush);
      if (wants.length === 0 || (watch && !watch())) break;
      await this.forest.need(wants, prospects(), this.account, this.signal);
      this.rested = performance.now();
    }
    if (performance.now() - this.rested < PATIENCE) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.rested = performance.now();
    this.signal?.throwIfAborted();
  }

  /**
   * Continues the branch of a step that may never be taken, as far as the tree is known.
   * @returns what it needs to go on, or undefined if it is finished
   */
  foresee(branch: Branch, horizon: number, step: number): Want | undefined {
    const want = this.go(branch, horizon, step, false);
    flush(branch);
    return want;
  }

  /** The step of a branch is taken after all: what was computed for it has come of use. */
  claim(branch: Branch, cut: number): void {
    const { response } = branch;
    let origins: Uint8Array | undefined;
    for (let at: Node | null = branch.node; at; at = at.parent) {
      const t = at.position - this.tree.root.position;
      if (t < cut) break;
      if (t >= response.tokens.length || !this.forest.arrive(at, this.account)) continue;
      origins ??= response.origins.slice();
      origins[t] = ORIGIN.drafted;
    }
    if (origins) branch.response = { ...response, origins };
  }

  /**
   * Continues a branch as far as the tree is known. The new tokens are left pending.
   * @param earnest the step is being taken
   * @param start the branch's length when the step began, where the step may end before it does
   */
  private go(
    branch: Branch,
    horizonOfAll: number,
    stepOfAll: number,
    earnest: boolean,
    start?: number,
  ): Want | undefined {
    const { forest, tree, law } = this;
    const { candidate, response, own } = branch;
    const step = own?.step ?? stepOfAll;
    const horizon = Math.min(horizonOfAll, own?.horizon ?? Infinity);
    branch.pending ??= [];
    const links = branch.pending;
    const first = tree.root.position + 1; // of the response
    let { node } = branch;
    let length = response.tokens.length + links.length;
    let ended = branch.ended ?? (response.finish === 'length' ? undefined : response.finish);
    let want: Want | undefined;
    while (!ended && length < horizon && !this.held) {
      while (node.position < tree.root.position + length) {
        const next = node.position + 1 - first;
        const at = response.tokens.length;
        const token = next < at ? response.tokens[next] : links[next - at].drawn.token;
        node = forest.step(tree, node, token);
      }
      const distribution = forest.at(tree, node, law);
      const drawn = distribution && this.pick(distribution, node, step, candidate);
      if (!distribution || !drawn) {
        want = {
          tree,
          node,
          law,
          key: { seed: this.stream.seed, chain: this.stream.chain, step, candidate },
          lots: (position) => this.random.token(step, candidate, position),
          end: first + horizon,
          tail: distribution && this.random.token(step, candidate, node.position + 1).tail,
          ahead: this.alone ? Math.min(horizon - 1 - length, tokensAhead(length, start)) : 0,
        };
        break;
      }
      if (earnest && forest.arrive(node, this.account)) this.drafted.add(node);
      const waited = branch.waited === node ? ORIGIN.computed : ORIGIN.free;
      links.push({ drawn, distribution, origin: this.drafted.has(node) ? ORIGIN.drafted : waited });
      length++;
      if (forest.model.eosTokens.has(drawn.token)) ended = 'eos';
      else if (branch.until?.(drawn.token)) ended = 'stop';
      this.tell(distribution, drawn, ended ?? (length < horizon ? null : 'length'));
    }
    branch.ended = ended;
    branch.node = node;
    return want;
  }

  private tell(distribution: Distribution, drawn: Drawn, finish: Finish | null): void {
    const caughtUp = this.onToken?.({
      token: drawn.token,
      logProbability: distribution.logp(drawn),
      entropy: distribution.entropy,
      finish,
      alternatives: (most) => distribution.alternatives(most),
    });
    if (caughtUp) this.held = caughtUp;
  }

  /** The token that the stream draws after `node`; undefined if it is one of a tail that has to be asked for. */
  pick(distribution: Distribution, node: Node, step: number, candidate: number): Drawn | undefined {
    const { u, tail } = this.random.token(step, candidate, node.position + 1);
    return distribution.draw(u) ?? this.forest.tailAt(this.tree, node, this.law, tail);
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
      entropy: response.entropy,
      logp: logProbability(response),
      visited: this.visited,
    });
  }
}

/** Tokens are put together rarely: to each is to copy all before it. */
function flush(branch: Branch): void {
  const { pending = [] } = branch;
  if (pending.length === 0) return;
  branch.response = append(branch.response, pending, branch.ended ?? 'length');
  branch.pending = [];
}

/** @param start of the step, where it is looked at now and then */
function tokensAhead(length: number, start: number | undefined): number {
  return start === undefined ? Infinity : Math.max(FIRST_LOOK, length - start) - 1;
}
