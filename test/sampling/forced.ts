import type { TableModel } from '../../reference/table-model.ts';
import { Chain } from '../../src/sampling/chain.ts';
import type { RandomSource } from '../../src/sampling/random.ts';
import type { Response } from '../../src/sampling/response.ts';
import { type Draw, Rollout } from '../../src/sampling/rollout.ts';
import { Forest } from '../../src/tree/forest.ts';
import type { Tree } from '../../src/tree/tree.ts';

// Chains on trees of toys, whose tokens are drawn by the test.

/** The prompt of every toy, which no table looks at. */
export const PROMPT = [1];

/** The tree of the prompt, and the forest that it stands in. */
export interface Planted {
  readonly forest: Forest;
  readonly tree: Tree;
}

/** @param most tokens of a response */
export async function plant(
  model: TableModel,
  most: number,
  options: Partial<Forest['options']> = {},
): Promise<Planted> {
  const forest = new Forest(model, { tree: 'on', draft: 'auto', treeNodes: 65536, ...options });
  return { forest, tree: await forest.enter(PROMPT, most) };
}

/** A chain that stands at x. */
export function chainAt({ forest, tree }: Planted, x: Response, draw: Draw, random: RandomSource): Chain {
  const rollout = new Rollout(forest, tree, draw, random);
  rollout.root = () => ({ response: x, node: forest.start(tree.root), candidate: 0 });
  return new Chain(rollout);
}

/** The token that is drawn, given log q of every token and the position in the response. */
export type Choice = (logq: readonly number[], candidate: number, position: number, step: number) => number;

/** Draws by choice; every token must be listed. */
export function force(rollout: Rollout, vocabulary: number, choose: Choice): void {
  const tokens = Array.from({ length: vocabulary }, (_, v) => v);
  rollout.pick = (distribution, node, step, candidate) => {
    const drawn = tokens.map((v) => distribution.find(v));
    const logq = drawn.map((each) => (each ? distribution.logq(each) : -Infinity));
    const token = choose(logq, candidate, node.position + 1 - PROMPT.length, step);
    const found = drawn[token];
    if (!found) throw new Error(`token ${token} cannot be drawn there`);
    return found;
  };
}

/** Draws one of the responses: candidate k draws `responses[k]`. */
export const draw =
  (responses: readonly ArrayLike<number>[]): Choice =>
  (_logq, candidate, position) =>
    responses[candidate][position];

/** A source that always says the same. */
export const scripted = (cut: number, accept: number, gumbels: ArrayLike<number>): RandomSource => ({
  token: () => ({ u: 0.5, tail: 0 }),
  cut: () => cut,
  accept: () => accept,
  select: (_, candidate) => gumbels[candidate],
});
