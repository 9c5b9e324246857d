import type { LanguageModel, Reading, Sequence } from '../engine/language-model.ts';
import type { Distribution, Drawn, Law } from './distribution.ts';
import { NgramIndex } from './ngram-index.ts';

/** Keys and values of a path through the tree. */
export interface Branch {
  readonly sequence: Sequence;
  /** Position of the first node that is its own: what comes before belongs to branches it was forked from. */
  start: number;
  /** The last node that it holds. */
  tip: Node;
  /** Branches that were forked from it and still live, each with the length they have in common. */
  readonly forks: Map<Branch, number>;
  parent: Branch | null;
  /** When it was walked last. */
  used: number;
}

/** A prefix: the prompt and some tokens of a response, of which `token` is the last. */
export class Node {
  readonly parent: Node | null;
  readonly token: number;
  /** Absolute position of the token. */
  readonly position: number;
  readonly children: Map<number, Node> = new Map();
  /** What was read of it and what follows, by the index of the law. */
  readonly known: (Knowledge | undefined)[] = [];
  /** A branch that has its keys. */
  branch: Branch | undefined;
  /** When it was walked last. */
  used = 0;
  /** Computed before anybody asked for it, and not walked yet. */
  early = false;
  /** For whose sake, if it was no draft. */
  prospect: Guess | undefined;
  /** The kind of draft that it is, until a walker comes by and shows whether it was right. */
  guess: Guess | undefined;

  constructor(parent: Node | null, token: number, position: number) {
    this.parent = parent;
    this.token = token;
    this.position = position;
  }
}

/** What comes next under one law. */
export interface Knowledge {
  readonly reading: Reading;
  /** Made when a walker first asks. */
  distribution?: Distribution;
  /** Tokens of the tail that were drawn, by the random word that picked them. */
  readonly tails: Map<number, Drawn>;
}

/** How often guesses of a kind came true. */
export interface Guess {
  made: number;
  used: number;
}

/** The node that stands at a position on the way to `node`. */
export function ancestor(node: Node, position: number): Node {
  let at = node;
  while (at.position > position && at.parent) at = at.parent;
  return at;
}

/** Every prefix of one prompt that has been computed. Summaries and keys are kept apart: either can be evicted and computed again. */
export class Tree {
  readonly prompt: ArrayLike<number>;
  /** The prompt as a whole. */
  readonly root: Node;
  readonly index: NgramIndex<Node>;
  readonly branches: Set<Branch> = new Set();
  /** Nodes, as far as they were counted. */
  size = 1;
  private readonly laws: Law[] = [];

  private constructor(prompt: ArrayLike<number>, sequence: Sequence) {
    this.prompt = prompt;
    this.root = new Node(null, prompt[prompt.length - 1], prompt.length - 1);
    this.root.branch = {
      sequence,
      start: prompt.length - 1,
      tip: this.root, // whose keys come with its first pass
      forks: new Map(),
      parent: null,
      used: 0,
    };
    this.branches.add(this.root.branch);
    this.index = new NgramIndex(prompt);
  }

  /** The prompt's last token is left to the first pass. */
  static async plant(model: LanguageModel, prompt: ArrayLike<number>): Promise<Tree> {
    return new Tree(prompt, await model.prefill(Array.from(prompt).slice(0, -1)));
  }

  /** The number by which nodes know what was read of them under a law. */
  indexOf(law: Law): number {
    const { alpha, temperature, topK, topP } = law;
    for (let i = 0; i < this.laws.length; i++) {
      const other = this.laws[i];
      if (other === law) return i;
      if (other.alpha !== alpha || other.temperature !== temperature) continue;
      if (other.topK === topK && other.topP === topP) return i;
    }
    return this.laws.push(law) - 1;
  }

  /** The node of a prefix with one more token. */
  child(node: Node, token: number): Node {
    let child = node.children.get(token);
    if (!child) {
      child = new Node(node, token, node.position + 1);
      node.children.set(token, child);
      this.size++;
    }
    return child;
  }

  /** The tokens of the prompt and of the way to `node`, at most the last `count`. */
  suffix(node: Node, count: number): number[] {
    const tokens: number[] = [];
    for (let at: Node | null = node; at && tokens.length < count; at = at.parent) tokens.unshift(at.token);
    for (let i = this.prompt.length - 2; i >= 0 && tokens.length < count; i--) tokens.unshift(this.prompt[i]);
    return tokens;
  }

  /** The nodes up to `node` whose keys are missing or not to be relied on, in order, and the branch that has those before. */
  missing(node: Node): { path: Node[]; branch: Branch } {
    const path: Node[] = [];
    for (let at: Node | null = node; at; at = at.parent) {
      if (at.branch && this.branches.has(at.branch) && at.branch.sequence.length > at.position)
        return { path, branch: at.branch };
      path.unshift(at);
    }
    return { path, branch: this.root.branch as Branch };
  }

  /** Of that branch what comes before `position`: itself if it ends there and is free to grow, else a fork. */
  branchUpTo(branch: Branch, position: number, taken: ReadonlySet<Branch>): Branch {
    if (branch.sequence.length === position && !taken.has(branch)) return branch;
    const sequence = branch.sequence.fork();
    sequence.rollback(position);
    const tip = ancestor(branch.tip, position - 1);
    const fork: Branch = {
      sequence,
      start: position,
      tip,
      forks: new Map(),
      parent: branch,
      used: branch.used,
    };
    branch.forks.set(fork, position);
    this.branches.add(fork);
    return fork;
  }

  /** Takes a fork back. */
  drop(branch: Branch): void {
    branch.sequence.free();
    branch.parent?.forks.delete(branch);
    this.branches.delete(branch);
  }

  /**
   * Frees what nobody stands on. A branch goes when nothing of its own is left, or when one of its forks has all of it.
   * @param least positions to be kept
   * @returns whether there was anything to free
   */
  trim(branch: Branch, least = 0): boolean {
    if (!this.isTrimmable(branch, least)) return false;
    const keep = this.keeps(branch, least);
    if (branch.sequence.length === keep && least === 0 && branch.forks.size > 0) {
      this.inherit(branch);
      return true;
    }
    for (let at: Node | null = branch.tip; at && at.position >= keep; at = at.parent) {
      if (at.branch === branch) at.branch = undefined;
      branch.tip = at.parent ?? at;
    }
    if (branch.parent && branch.forks.size === 0 && least === 0) this.drop(branch);
    else branch.sequence.rollback(keep);
    return true;
  }

  isTrimmable(branch: Branch, least = 0): boolean {
    if (branch.parent && branch.forks.size === 0 && least === 0) return true;
    const keep = this.keeps(branch, least);
    if (branch.sequence.length > keep) return true;
    if (least > 0) return false;
    for (const common of branch.forks.values()) if (common === branch.sequence.length) return true;
    return false;
  }

  /** The fork that has all of a branch takes its place: chains of forks would each hold on to a page that is half theirs. */
  private inherit(branch: Branch): void {
    const { forks, parent, start, sequence } = branch;
    const [heir] = [...forks].reduce((a, b) => (b[1] > a[1] ? b : a));
    for (let at: Node | null = branch.tip; at && at.position >= start; at = at.parent) {
      if (at.branch === branch) at.branch = heir;
    }
    heir.start = start;
    heir.parent = parent;
    for (const [fork, common] of forks) {
      if (fork === heir) continue;
      fork.parent = heir;
      heir.forks.set(fork, common);
    }
    if (parent) {
      parent.forks.set(heir, parent.forks.get(branch) ?? start);
      parent.forks.delete(branch);
    } else this.root.branch = heir;
    this.branches.delete(branch);
    sequence.free();
  }

  /** Of the prompt everything, of a fork what others stand on. */
  private keeps(branch: Branch, least: number): number {
    let kept = Math.max(branch.parent ? branch.start : this.prompt.length, least);
    for (const common of branch.forks.values()) kept = Math.max(kept, common);
    return kept;
  }

  /** Forgets the least recently walked leaves until at most `most` nodes are left. */
  prune(most: number): void {
    const all = [this.root]; // parents before their children
    for (let i = 0; i < all.length; i++) all.push(...all[i].children.values());
    // A node counts as walked when something below it was.
    const walked = new Map<Node, number>();
    for (const node of all.toReversed()) {
      const last = Math.max(node.used, walked.get(node) ?? 0);
      walked.set(node, last);
      if (node.parent) walked.set(node.parent, Math.max(last, walked.get(node.parent) ?? 0));
    }
    const at = (node: Node) => walked.get(node) ?? 0;
    this.size = all.length;
    for (const node of all.sort((a, b) => at(a) - at(b) || b.position - a.position)) {
      if (this.size <= most || !node.parent) break;
      node.parent.children.delete(node.token);
      this.index.remove(node, this.suffix(node, NgramIndex.LONGEST));
      this.size--;
    }
  }

  free(): void {
    for (const { sequence } of this.branches) sequence.free();
    this.branches.clear();
  }
}
