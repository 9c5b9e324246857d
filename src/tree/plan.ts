import type { Ask, Feed, LanguageModel, RngKey, Sequence } from '../engine/language-model.ts';
import { type Law, suffices } from './distribution.ts';
import type { Draft, Place } from './drafts.ts';
import type { Branch, Guess, Node, Tree } from './tree.ts';

/** What has been computed for a chain. */
export interface Costs {
  /** Rows of passes. */
  computedRows: number;
  /** Of those, rows that nobody had asked for yet; and how many of such were walked later. */
  draftedRows: number;
  /** Of the drafted rows those that were walked later. */
  usedDrafts: number;
  /** Passes that the chain waited for, one after another. */
  sequentialPasses: number;
}

/** The random numbers of one token: a uniform one in (0, 1], and the word that picks one of the tail. */
interface Lots {
  readonly u: number;
  readonly tail: number;
}

/** What a walker needs to go on. @internal */
export interface Want {
  readonly tree: Tree;
  /** Whose distribution it needs. */
  readonly node: Node;
  readonly law: Law;
  readonly key: RngKey;
  /** What the walker draws the token at a position with. */
  lots(position: number): Lots;
  /** The position at which its response ends at the latest. */
  readonly end: number;
  /** The distribution is known, and a token of its tail is needed: the random word that picks it. */
  readonly tail?: number;
  /** Tokens that may be drawn ahead on the GPU: nobody else is expected here, and the walker will not turn back before. */
  readonly ahead: number;
}

/** A part of a pass: a node that is needed, those before it whose keys are gone, and drafts behind it. @internal */
export interface Item {
  readonly want: Want;
  readonly costs: Costs;
  /** How many want this node. */
  wanted: number;
  /** Nobody wants it yet: the kind of guess that somebody will. */
  readonly prospect?: Guess;
  /** The last of them is the node that is wanted. */
  path: readonly Node[];
  /** Has the keys of what comes before the path; undefined where the node has keys itself, and is read again. */
  base?: Branch;
  drafts: Draft[];
  /** Where the drafts go on. */
  place?: Place;
}

/** An item as it is computed. @internal */
export interface Planned {
  readonly item: Item;
  readonly feed: Feed;
  /** Grows by the item; undefined for a node that is read again. */
  readonly branch?: Branch;
  /** Takes back what was prepared. */
  undo(): void;
}

/** What is to be computed in one pass. @internal */
export class Plan {
  readonly items: Item[] = [];
  /** Of all items, drafts included. */
  rows = 0;
  private readonly model: LanguageModel;
  /** The items by their nodes: those wanted, and those before them. */
  private readonly nodes = new Map<Node, Item>();

  constructor(model: LanguageModel) {
    this.model = model;
  }

  /** Branches that the plan stands on. */
  get bases(): Set<Branch> {
    const bases = new Set<Branch>();
    for (const { base, want } of this.items) {
      const branch = base ?? want.node.branch;
      if (branch) bases.add(branch);
    }
    return bases;
  }

  /**
   * Adds a node, unless it is there already or has to wait for one that is.
   * @param prospect nobody wants it yet
   */
  add(want: Want, costs: Costs, prospect?: Guess): Item | undefined {
    const same = this.nodes.get(want.node);
    if (same) {
      if (same.want.node === want.node) same.wanted++;
      return undefined;
    }
    const item: Item = { want, costs, wanted: 1, prospect, path: [], drafts: [] };
    this.route(item);
    if (item.path.some((node) => this.nodes.has(node))) return undefined;
    if (this.items.length > 0 && this.rows + item.path.length > this.model.rows) return undefined;
    for (const node of item.path) this.nodes.set(node, item);
    this.items.push(item);
    this.rows += item.path.length;
    return item;
  }

  draft(item: Item, draft: Draft): void {
    item.drafts.push(draft);
    this.rows++;
  }

  has(node: Node): boolean {
    return this.nodes.has(node);
  }

  /** Finds again what has to be fed: the keys of what comes before may have gone since. */
  reroute(): void {
    for (const item of this.items) this.route(item);
  }

  private route(item: Item): void {
    const { node, tree } = item.want;
    const { path, branch } = tree.missing(node);
    item.path = path.length > 0 ? path : [node];
    item.base = path.length > 0 ? branch : undefined;
  }

  /** Frees what the branches that the plan stands on have beyond it. @returns false where there is nothing */
  trim(): boolean {
    let freed = false;
    for (const { base, path, want } of this.items) {
      const needed = this.items.filter((item) => item.base === base).map((item) => item.path[0].position);
      if (base && want.tree.trim(base, Math.max(path[0].position, ...needed))) freed = true;
    }
    return freed;
  }

  /** Leaves out what nobody waits for, then half of the rest. @returns false if nothing can be spared */
  shrink(): boolean {
    const kept = this.items.filter(({ prospect }) => !prospect);
    const drafted = kept.some(({ drafts }) => drafts.length > 0);
    if (kept.length === this.items.length && !drafted) {
      if (kept.length === 1) return false;
      kept.length = Math.ceil(kept.length / 2);
    }
    for (const item of kept) item.drafts = [];
    this.items.splice(0, this.items.length, ...kept);
    return true;
  }

  /**
   * Forks branches as needed.
   * @param law index of a want's law
   * @param ahead tokens that every item draws ahead
   */
  feeds(law: (want: Want) => number, ahead: number): Planned[] {
    this.reroute();
    const taken = new Set<Branch>();
    return this.items.map((item): Planned => {
      const { want, path, base, drafts } = item;
      const tokens = [...path, ...drafts].map(({ token }) => token);
      const { position } = path[0];
      const feedOf = (sequence: Sequence): Feed => ({
        sequence,
        position,
        tokens,
        sharpening: want.law,
        ask: askOf(want, law(want)),
        ahead:
          ahead > 0 ? { most: ahead, key: want.key, topK: want.law.topK, topP: want.law.topP } : undefined,
      });
      if (!base) {
        const sequence: Sequence = (want.node.branch as Branch).sequence.fork();
        return { item, feed: feedOf(sequence), undo: () => sequence.free() };
      }
      const branch = want.tree.branchUpTo(base, position, taken);
      taken.add(branch);
      const feed = feedOf(branch.sequence);
      return { item, feed, branch, undo: () => branch !== base && want.tree.drop(branch) };
    });
  }
}

/** What the wanted node is asked, which then has no drafts behind it. */
function askOf({ node, law, tail }: Want, index: number): Ask | undefined {
  if (tail !== undefined) return { tail };
  const known = node.known[index];
  return known && !known.reading.logits && !suffices(known.reading.summary, law) ? 'logits' : undefined;
}
