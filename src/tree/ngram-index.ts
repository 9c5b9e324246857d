/** Where the longest known suffix of a path ends: a node, or a position of the prompt, whose successor is known but not how likely it was. */
interface Match<Node> {
  readonly place: Node | number;
  /** Tokens that the two paths have in common. */
  readonly length: number;
}

const SHORTEST = 2;

/** For the last 2 to 8 tokens of every path where the same tokens were met last. Hashes can collide: what is found is a guess. */
export class NgramIndex<Node> {
  static readonly LONGEST = 8;
  private readonly places = new Map<number, Node | number>();

  constructor(prompt: ArrayLike<number>) {
    const tokens = Array.from(prompt);
    for (let i = SHORTEST - 1; i < tokens.length - 1; i++) {
      this.set(tokens.slice(Math.max(0, i + 1 - NgramIndex.LONGEST), i + 1), i);
    }
  }

  /** @param suffix the last tokens of the path to the node, its own included */
  add(node: Node, suffix: readonly number[]): void {
    this.set(suffix, node);
  }

  remove(node: Node, suffix: readonly number[]): void {
    for (const key of keys(suffix)) if (this.places.get(key) === node) this.places.delete(key);
  }

  /** @param accepts whether a place is of use */
  find(suffix: readonly number[], accepts: (place: Node | number) => boolean): Match<Node> | undefined {
    const all = keys(suffix);
    for (let i = all.length - 1; i >= 0; i--) {
      const place = this.places.get(all[i]);
      if (place !== undefined && accepts(place)) return { place, length: i + SHORTEST };
    }
    return undefined;
  }

  private set(suffix: readonly number[], place: Node | number): void {
    for (const key of keys(suffix)) this.places.set(key, place);
  }
}

/** Of the last 2, 3, … tokens. */
function keys(suffix: readonly number[]): number[] {
  const all: number[] = [];
  let hash = 0x811c9dc5;
  for (let n = 1; n <= Math.min(suffix.length, NgramIndex.LONGEST); n++) {
    hash = Math.imul(hash ^ suffix[suffix.length - n], 0x9e3779b1);
    hash ^= hash >>> 15;
    if (n >= SHORTEST) all.push((hash >>> 0) * 16 + n);
  }
  return all;
}
