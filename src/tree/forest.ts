import { OptionError } from '../base/errors.ts';
import type { LanguageModel, Reading } from '../engine/language-model.ts';
import { Distribution, type Drawn, type Law, suffices, summarise } from './distribution.ts';
import { Drafts, likelihood } from './drafts.ts';
import { NgramIndex } from './ngram-index.ts';
import { type Costs, type Item, Plan, type Planned, type Want } from './plan.ts';
import { Prices } from './prices.ts';
import { Room, type Tenant } from './room.ts';
import { type Branch, type Guess, type Knowledge, Node, Tree } from './tree.ts';

export type { Costs, Want } from './plan.ts';

interface ForestOptions {
  /** off: nothing is found again, drafted or looked ahead to. */
  readonly tree: 'on' | 'off';
  /** Tokens drafted behind one that is needed: so many wherever there is something to go by, or as many as pay. */
  readonly draft: number | 'auto';
  /** Most nodes that the tree of a prompt keeps. */
  readonly treeNodes: number;
}

/** A walk that may come later. */
export interface Prospect {
  readonly want: Want;
  readonly guess: Guess;
  /** Whether or not it pays. */
  readonly always: boolean;
}

interface Request {
  readonly wants: readonly Want[];
  readonly prospects: readonly Prospect[];
  readonly costs: Costs;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The place of a tree in the cache. */
interface Plot {
  readonly key: string;
  /** That its tree cannot do without. */
  readonly positions: number;
  readonly tree: Promise<Tree>;
  /** Of whoever came first: plants it. */
  readonly planter: AbortSignal | undefined;
  /** All that have come, and those that have not left. */
  guests: number;
  uses: number;
}

/** After so many a tree takes no more: one that is never left would keep what every one of them has asked, each by a law of its own. */
const MOST_GUESTS = 1024;
/** Microtasks in a row without a new request, after which all walkers are taken to wait. */
const QUIET = 32;
/** The longest draft where nobody says how long. */
const LONGEST_DRAFT = 16;
/** How much more than its price a row computed ahead must promise. */
const MARGIN = 1.2;
/** In a tile that is not full a row costs little: from this likelihood on it is taken. */
const LIKELY_ENOUGH = 0.2;
/** The most tokens drawn ahead on the GPU, between two looks of the CPU. */
const MOST_AHEAD = 15;

let clock = 0;

/** The trees of the prompts that are being answered, and the passes by which they grow. */
export class Forest implements Tenant {
  readonly model: LanguageModel;
  readonly options: ForestOptions;
  private readonly room: Room;
  /** By their prompts and the most tokens of a response, with how many use them. */
  private readonly plots = new Map<string, Plot>();
  private readonly planted = new Map<Tree, Plot>();
  private readonly drafts = new Drafts();
  private readonly prices: Prices;
  private requests: Request[] = [];
  private running = false;
  private activity = 0;
  current: Promise<void> = Promise.resolve();
  busy: ReadonlySet<Branch> = new Set();

  constructor(model: LanguageModel, options: ForestOptions) {
    this.model = model;
    this.options = options;
    this.prices = new Prices(model.parallel);
    this.room = Room.of(model);
  }

  get trees(): Iterable<Tree> {
    return this.planted.keys();
  }

  /**
   * The tree of a prompt, for as long as it is used. Waits until the cache has room for a response, after all who asked before.
   * @throws OutOfMemoryError, OptionError where a single response of `maxNewTokens` tokens would never fit; the signal's reason
   */
  async enter(prompt: ArrayLike<number>, maxNewTokens: number, signal?: AbortSignal): Promise<Tree> {
    const { options } = this;
    if (maxNewTokens >= options.treeNodes) {
      throw new OptionError(
        `treeNodes is ${options.treeNodes}: more than maxNewTokens, which is ${maxNewTokens}, so that a response fits`,
      );
    }
    const key = `${maxNewTokens}: ${Array.from(prompt).join()}`;
    for (;;) {
      const known = this.plots.get(key);
      const plot =
        known && known.guests < MOST_GUESTS ? known : this.claim(key, prompt, maxNewTokens, signal);
      plot.guests++;
      plot.uses++; // before it is waited for: others may leave meanwhile
      try {
        return await plot.tree;
      } catch (error) {
        // Whoever came first has given up: that is no matter of those who came after.
        if (plot.planter === signal || !plot.planter?.aborted) throw error;
        signal?.throwIfAborted();
      }
    }
  }

  private claim(
    key: string,
    prompt: ArrayLike<number>,
    maxNewTokens: number,
    planter: AbortSignal | undefined,
  ): Plot {
    const positions = prompt.length + maxNewTokens + 2 * this.model.pageSize;
    const tree = this.plant(prompt, maxNewTokens, positions, planter);
    const plot: Plot = { key, positions, planter, guests: 0, uses: 0, tree };
    this.plots.set(key, plot);
    tree.then(
      (planted) => this.planted.set(planted, plot),
      () => this.remove(plot),
    );
    return plot;
  }

  leave(tree: Tree): void {
    const plot = this.planted.get(tree);
    if (!plot || --plot.uses > 0) return;
    this.remove(plot);
    this.planted.delete(tree);
    if (this.planted.size === 0) this.room.tenants.delete(this);
    tree.free();
    this.room.leave(plot.positions);
  }

  private remove(plot: Plot): void {
    if (this.plots.get(plot.key) === plot) this.plots.delete(plot.key);
  }

  /** Where a walk starts that has the prefix of `node`: there, or at a node of its own. */
  start(node: Node): Node {
    return this.options.tree === 'on' ? node : new Node(node.parent, node.token, node.position);
  }

  /**
   * What comes after `node` under a law, if it is known.
   * @throws DistributionError, NonFiniteError
   */
  at(tree: Tree, node: Node, law: Law): Distribution | undefined {
    const known = node.known[tree.indexOf(law)];
    if (!known || !isUsable(known, law)) return undefined;
    if (!known.distribution) {
      const { summary, logits, error } = known.reading;
      if (error) throw error;
      const whole = logits && summarise(logits, law, Math.max(256, (law.topK ?? 0) + 1));
      const full = logits && whole && !suffices(whole, law) ? summarise(logits, law) : whole;
      known.distribution = new Distribution(full ?? summary, law, node.position + 1);
      if (this.options.tree === 'on') tree.index.add(node, tree.suffix(node, NgramIndex.LONGEST));
    }
    return known.distribution;
  }

  /** The token of the tail of `node` that a random word picks, if it is known. */
  tailAt(tree: Tree, node: Node, law: Law, word: number): Drawn | undefined {
    return node.known[tree.indexOf(law)]?.tails.get(word);
  }

  /** A walker goes on to the node of the token that it has drawn. */
  step(tree: Tree, node: Node, token: number): Node {
    const next = tree.child(node, token);
    for (const child of node.children.values()) {
      if (!child.guess) continue;
      child.guess.made++;
      if (child === next) child.guess.used++;
      child.guess = undefined;
    }
    next.used = ++clock;
    if (next.branch) next.branch.used = clock;
    return next;
  }

  /** A walker that is in earnest has drawn from a node. @returns whether it had been computed before anybody asked for it */
  arrive(node: Node, costs: Costs): boolean {
    if (!node.early) return false;
    node.early = false;
    costs.usedDrafts++;
    if (node.prospect) node.prospect.used++;
    node.prospect = undefined;
    return true;
  }

  /** Waits until all of these are known; the prospects may be computed beside them. */
  async need(
    wants: readonly Want[],
    prospects: readonly Prospect[],
    costs: Costs,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.requests.push({ wants, prospects, costs, resolve, reject });
      this.activity++;
      void this.pump();
    });
    signal?.throwIfAborted();
  }

  private async plant(
    prompt: ArrayLike<number>,
    maxNewTokens: number,
    positions: number,
    signal?: AbortSignal,
  ): Promise<Tree> {
    const what = `a response of ${maxNewTokens} tokens to a prompt of ${prompt.length}`;
    await this.room.enter(positions, what, signal);
    try {
      const tree = await this.room.within(() => Tree.plant(this.model, prompt));
      this.room.tenants.add(this);
      return tree;
    } catch (error) {
      this.room.leave(positions);
      throw error;
    }
  }

  /** One pass after another, each for all who wait. */
  private async pump(): Promise<void> {
    if (this.running) return;
    this.running = true;
    while (this.requests.length > 0) {
      for (let quiet = 0, seen = this.activity; quiet < QUIET; quiet++) {
        await null;
        if (seen !== this.activity) quiet = 0;
        seen = this.activity;
      }
      const waiting = this.requests;
      this.requests = [];
      try {
        this.current = this.pass(waiting);
        await this.current;
        const open = waiting.filter(({ wants }) => wants.some((want) => !this.isKnown(want)));
        this.requests.unshift(...open);
        for (const request of waiting) if (!open.includes(request)) request.resolve();
      } catch (error) {
        for (const { reject } of waiting) reject(error);
      }
      this.busy = new Set();
      this.room.returned();
    }
    this.running = false;
  }

  private isKnown({ tree, node, law, tail }: Want): boolean {
    if (tail !== undefined) return this.tailAt(tree, node, law, tail) !== undefined;
    const known = node.known[tree.indexOf(law)];
    return known !== undefined && isUsable(known, law);
  }

  private async pass(requests: readonly Request[]): Promise<void> {
    const plan = new Plan(this.model);
    for (const { wants, costs } of requests) {
      for (const want of wants) if (!this.isKnown(want)) plan.add(want, costs);
    }
    if (plan.items.length === 0) return;
    const ahead = stepsAhead(plan.items);
    if (this.options.tree === 'on' && ahead === 0) this.fill(plan, requests);
    const began = performance.now();
    const { planned, readings } = await this.compute(plan, ahead);
    let rows = 0;
    const longest = new Map<Costs, number>();
    for (const [i, { item }] of planned.entries()) {
      const { costs, path, prospect } = item;
      const count = readings[i].length;
      rows += count;
      costs.computedRows += count;
      if (this.options.tree === 'on') costs.draftedRows += count - path.length + (prospect ? 1 : 0);
      if (!prospect)
        longest.set(costs, Math.max(longest.get(costs) ?? 0, count - path.length - item.drafts.length));
    }
    // A chain that waits for what another one's feed brings waits for the same pass.
    for (const { costs } of requests) costs.sequentialPasses += 1 + (longest.get(costs) ?? 0);
    if (ahead === 0) this.prices.add(rows, (performance.now() - began) / 1000);
  }

  /** Adds what is worth computing beside what is needed, the likeliest first: drafts behind it, and prospects. */
  private fill(plan: Plan, requests: readonly Request[]): void {
    const { model, options } = this;
    const longest = options.draft === 'auto' ? LONGEST_DRAFT : options.draft;
    const price = this.prices.row;
    const needed = plan.items.length;
    /** A row that comes true saves itself later, and its share of a pass: enough to be wrong about it at times. */
    const pays = (p: number) => p * (1 / needed + price) > MARGIN * price;
    const choices: { p: number; always: boolean; take(): void }[] = [];
    const draftBehind = (item: Item, p: number) => {
      const { want, drafts } = item;
      if (drafts.length >= longest || !item.base || want.tail !== undefined) return;
      const at = want.node.position + drafts.length + 1;
      if (at >= want.end - 1) return; // the last token is not fed
      item.place ??= { suffix: want.tree.suffix(want.node, NgramIndex.LONGEST) };
      const next = this.drafts.next(want.tree, item.place, want.tree.indexOf(want.law), want.lots(at).u);
      if (!next || model.eosTokens.has(next.draft.token)) return;
      const likely = p * likelihood(next.draft.guess);
      const take = () => {
        plan.draft(item, next.draft);
        item.place = next.place;
        draftBehind(item, likely);
      };
      choices.push({ p: likely, always: options.draft !== 'auto', take });
    };
    for (const item of plan.items) draftBehind(item, 1);
    for (const { prospects, costs } of requests) {
      for (const { want, guess, always } of prospects) {
        if (this.isKnown(want) || plan.has(want.node)) continue;
        const p = likelihood(guess);
        const take = () => {
          const item = plan.add(want, costs, guess);
          if (!item) return;
          guess.made++;
          draftBehind(item, p);
        };
        choices.push({ p, always, take });
      }
    }
    while (choices.length > 0 && plan.rows < model.rows) {
      let best = 0;
      for (let i = 1; i < choices.length; i++) if (choices[i].p > choices[best].p) best = i;
      const { p, always, take } = choices[best];
      choices[best] = choices[choices.length - 1];
      choices.pop();
      if (always || pays(p) || (plan.rows % model.tile !== 0 && p >= LIKELY_ENOUGH)) take();
    }
  }

  /** Computes as much of the plan as the cache has room for. */
  private compute(plan: Plan, ahead: number): Promise<{ planned: Planned[]; readings: Reading[][] }> {
    const attempt = async () => {
      const planned = plan.feeds(({ tree, law }) => tree.indexOf(law), ahead);
      const busy = plan.bases;
      for (const { branch } of planned) if (branch) busy.add(branch);
      this.busy = busy;
      try {
        const readings = await this.model.compute(planned.map(({ feed }) => feed));
        for (const [i, each] of planned.entries()) this.grow(each, readings[i]);
        return { planned, readings };
      } catch (error) {
        for (const { undo } of planned) undo();
        this.busy = new Set();
        throw error;
      }
    };
    const spare = (branches: number) => {
      plan.reroute(); // others may have evicted what it stood on
      return this.room.evict(branches, plan.bases) || plan.trim() || plan.shrink();
    };
    return this.room.within(attempt, spare);
  }

  private grow({ item, feed, branch, undo }: Planned, readings: readonly Reading[]): void {
    const { want, path, drafts } = item;
    const { tree, law } = want;
    const index = tree.indexOf(law);
    if (!branch) undo();
    let node = path[0];
    for (const [i, reading] of readings.entries()) {
      if (i > 0) node = path[i] ?? tree.child(node, reading.token);
      const before = node.known[index];
      if (i >= path.length && !before) {
        node.early = this.options.tree === 'on';
        node.guess = drafts[i - path.length]?.guess;
      }
      if (i === path.length - 1 && item.prospect) {
        node.early = true;
        node.prospect = item.prospect;
      }
      if (branch) {
        node.branch = branch;
        branch.tip = node;
      }
      // A better reading of the same node has all its logits.
      const known =
        before && (!reading.logits || before.reading.logits) ? before : { reading, tails: new Map() };
      node.known[index] = known;
      const word = feed.ahead ? want.lots(node.position + 1).tail : want.tail;
      if (reading.asked && word !== undefined && !isListed(known, reading.asked.token)) {
        known.tails.set(word, reading.asked);
      }
      if (!before) node.used = ++clock;
    }
    if (branch) branch.used = ++clock;
    if (tree.size > this.options.treeNodes) tree.prune(Math.floor((3 * this.options.treeNodes) / 4));
  }
}

/** Whether the reading says all that the law needs. */
const isUsable = ({ reading }: Knowledge, law: Law): boolean =>
  reading.error !== undefined || reading.logits !== undefined || suffices(reading.summary, law);

const isListed = ({ reading }: Knowledge, token: number): boolean => reading.summary.ids.includes(token);

/** How many tokens the GPU draws ahead: as many as all who wait allow, where no two wait for the same. */
function stepsAhead(items: readonly Item[]): number {
  return items.reduce(
    (n, { want, path, base, wanted }) =>
      Math.min(n, base && path.length === 1 && wanted === 1 ? want.ahead : 0),
    MOST_AHEAD,
  );
}
