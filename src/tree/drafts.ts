import { NgramIndex } from './ngram-index.ts';
import { type Guess, Node, type Tree } from './tree.ts';

/** A token that a walker is likely to draw next. */
export interface Draft {
  readonly token: number;
  readonly guess: Guess;
}

/** What is known of where a draft goes on. */
export interface Place {
  /** The last tokens before it. */
  readonly suffix: readonly number[];
  readonly match?: { readonly place: Node | number; readonly length: number };
}

const LENGTHS = [4, 6, 8]; // of the match: shorter ones have a class of their own
const CONFIDENCES = [0.6, 0.9, 0.99]; // of the draw
const classOf = (value: number, bounds: readonly number[]) => bounds.filter((bound) => value >= bound).length;

/** Before there is any experience: by the match, and by the draw. */
const BY_LENGTH = [0.5, 0.7, 0.8, 0.9];
const BY_CONFIDENCE = [0.4, 0.7, 0.9, 1];
const PROMPT_CONFIDENCE = 1;
const PRIOR = 4;

/**
 * Guesses how a walk goes on where nothing is known yet: as it would, with the same random numbers, in the place that the longest known
 * suffix of its path leads to. How likely a guess is to come true is learned by kind: the length of the match, and how sure the draw was there.
 */
export class Drafts {
  private readonly guesses: Guess[] = Array.from({ length: 32 }, (_, kind) => {
    const share = BY_LENGTH[kind >> 3] * BY_CONFIDENCE[(kind >> 1) & 3];
    return { made: PRIOR, used: PRIOR * share };
  });

  /**
   * @param law index of the law that is drawn from
   * @param u the uniform number that the walker draws with there
   * @returns the next token and the place behind it, or undefined where nothing is known
   */
  next(
    tree: Tree,
    { suffix, match }: Place,
    law: number,
    u: number,
  ): { draft: Draft; place: Place } | undefined {
    const accepts = (place: Node | number) =>
      typeof place === 'number' || place.known[law]?.distribution !== undefined;
    const found = match && accepts(match.place) ? match : tree.index.find(suffix, accepts);
    if (!found) return undefined;
    const { place, length } = found;
    let token: number;
    let confidence: number;
    let further: Node | number | undefined;
    if (place instanceof Node) {
      const distribution = place.known[law]?.distribution;
      const drawn = distribution?.draw(u);
      if (!distribution || !drawn) return undefined; // of the tail
      token = drawn.token;
      confidence = Math.exp(distribution.logq(drawn));
      further = place.children.get(token);
    } else {
      token = tree.prompt[place + 1];
      confidence = PROMPT_CONFIDENCE;
      further = place + 1 < tree.prompt.length - 1 ? place + 1 : undefined;
    }
    const kind =
      (classOf(length, LENGTHS) << 3) | (classOf(confidence, CONFIDENCES) << 1) | (law > 0 ? 1 : 0);
    const behind: Place = {
      suffix: [...suffix, token].slice(-NgramIndex.LONGEST),
      match:
        further === undefined
          ? undefined
          : { place: further, length: Math.min(length + 1, NgramIndex.LONGEST) },
    };
    return { draft: { token, guess: this.guesses[kind] }, place: behind };
  }
}

/** How likely a guess of this kind comes true. */
export const likelihood = ({ made, used }: Guess): number => used / made;
