/** A step of a sampler over listed responses. */
import { Chain } from '../../../src/sampling/chain.ts';
import { type CutLawName, cutLaw, pickCut } from '../../../src/sampling/cut-laws.ts';
import { decide } from '../../../src/sampling/multiple-try.ts';
import { refine } from '../../../src/sampling/power-chain.ts';
import { gumbel, philox, type RandomSource, randomSource, uniform } from '../../../src/sampling/random.ts';
import type { Response } from '../../../src/sampling/response.ts';
import { Rollout } from '../../../src/sampling/rollout.ts';
import { logWeight } from '../../../src/sampling/target.ts';
import { Forest } from '../../../src/tree/forest.ts';
import { ALPHA, AT, type Language, type Node, PROMPT, type State } from './language.ts';

const TARGET = { alpha: ALPHA, temperature: 1 / ALPHA };
/** The embedded model's. */
export const GATE = 0.4;
export const BLOCK_SIZE = 48;

export interface Sampler {
  name: string;
  law: CutLawName;
  tries: number;
}
export const SAMPLERS: Sampler[] = [
  { name: 'metropolis', law: 'uniform', tries: 1 },
  { name: 'entropy-cut', law: 'entropy-jump', tries: 1 },
  { name: 'egps, K = 1', law: 'entropy-block', tries: 1 },
  { name: 'egps, K = 4', law: 'entropy-block', tries: 4 },
];

/** The random outcomes of a step. */
interface Dice extends Pick<RandomSource, 'cut' | 'accept' | 'select'> {
  choose(node: Node, step: number, candidate: number): number;
}

/** From one stream of numbers, in the order in which they are asked for. */
export function stream(seed: number): Dice {
  let block = 0;
  let words: number[] = [];
  const next = () => {
    if (words.length === 0) words = Array.from(philox([block++, 0, 0, 0], [seed, 0]));
    return uniform(words.pop() as number);
  };
  return {
    cut: next,
    accept: next,
    select: () => gumbel(next()),
    choose: (node) => inverse(node, next()),
  };
}

/** The token that a uniform number falls on. */
function inverse({ kind, tokens }: Node, u: number): number {
  let below = 0;
  for (const v of tokens) {
    below += Math.exp(AT[kind].logq[v]);
    if (u < below) return v;
  }
  return tokens[tokens.length - 1];
}

/** As the samplers draw them. */
const addressed = (random: RandomSource): Dice => ({
  ...random,
  choose: (node, step, candidate) =>
    inverse(node, random.token(step, candidate, PROMPT.length + node.position).u),
});

interface Cost {
  decoded: number;
  sequential: number;
}
export interface Outcome {
  state: State;
  held: boolean;
  accepted: boolean;
  eager: Cost;
  lockstep: Cost;
}

/**
 * The step that `refine` takes, from responses that are listed rather than decoded. The shipped laws on every prefix that is asked
 * for, and the shipped decision.
 */
export class Kernel {
  readonly language: Language;
  readonly tries: number;
  private readonly law: ReturnType<typeof cutLaw>;
  private readonly laws = new Map<State, Float64Array>();
  private readonly weights = new Map<number, number>();

  constructor(language: Language, { law, tries }: Sampler) {
    this.language = language;
    this.law = cutLaw(law, GATE, BLOCK_SIZE);
    this.tries = tries;
  }

  step(x: State, step: number, dice: Dice): Outcome {
    const nothing = { decoded: 0, sequential: 0 };
    const cut = pickCut(this.lawOf(x), dice.cut(step));
    if (cut < 0) return { state: x, held: true, accepted: false, eager: nothing, lockstep: nothing };
    const lots = {
      u: dice.accept(step),
      gumbels: Array.from({ length: this.tries + 1 }, (_, j) => dice.select(step, j)),
    };
    const candidates = Array.from({ length: this.tries }, (_, j) => draw(x, cut, step, j, dice));
    const lengths = candidates.map(({ response }) => response.tokens.length);
    const logWx = this.logWeight(x, cut, x.response.tokens.length);
    const after = (decoded: number) => {
      const ends = lengths.map((length) => Math.min(length, cut + decoded));
      const logRho = candidates.map((y, j) => this.logWeight(y, cut, ends[j]) - logWx);
      return decide(
        'metropolis',
        logRho,
        ends.map((end, j) => end === lengths[j]),
        lots,
      );
    };
    const cost = (decoded: number): Cost => ({
      decoded: lengths.reduce((sum, length) => sum + Math.min(length - cut, decoded), 0),
      sequential: decoded,
    });
    const most = Math.max(...lengths) - cut;
    const outcome = after(most) as number;
    // What is certain stays so: the least number of tokens is found by bisection.
    let [open, certain] = [0, most];
    while (certain - open > 1) {
      const middle = (open + certain) >> 1;
      if (after(middle) === undefined) open = middle;
      else certain = middle;
    }
    const accepted = outcome >= 0;
    return {
      state: accepted ? candidates[outcome] : x,
      held: false,
      accepted,
      eager: cost(most),
      lockstep: cost(certain),
    };
  }

  lawOf(x: State): Float64Array {
    const known = this.laws.get(x);
    if (known) return known;
    const r = this.law(x.response.entropy);
    this.laws.set(x, r);
    return r;
  }

  /** log w of the tokens from `cut` to `end`: what bounds it for a candidate that goes on. */
  logWeight({ id, response }: State, cut: number, end: number): number {
    const size = this.language.longest + 1;
    const key = (id * size + end) * size + cut;
    let value = this.weights.get(key);
    if (value === undefined) {
      value =
        logWeight(TARGET, response, cut, end) + Math.log(this.law(response.entropy.subarray(0, end))[cut]);
      if (this.weights.size > 1e6) this.weights.clear();
      this.weights.set(key, value);
    }
    return value;
  }
}

function draw(x: State, cut: number, step: number, candidate: number, dice: Dice): State {
  let at: Node | State = x.path.find(({ position }) => position >= cut) ?? x;
  while ('next' in at) at = at.next[at.tokens.indexOf(dice.choose(at, step, candidate))];
  return at;
}

/** Throws unless `refine`, with a model that decodes, goes the same way at the same cost. */
export async function compare(language: Language, sampler: Sampler, steps: number): Promise<void> {
  const { model, longest } = language;
  const law = cutLaw(sampler.law, GATE, BLOCK_SIZE);
  for (const decoding of ['eager', 'lockstep'] as const) {
    const draw = { ...TARGET, seed: 1n, chain: 0 };
    const random = randomSource(1n, 0);
    // Without the tree: the cost of decoding everything anew.
    const forest = new Forest(model, { tree: 'off', draft: 0, treeNodes: 1e6 });
    const tree = await forest.enter(PROMPT, longest);
    const chain = new Chain(new Rollout(forest, tree, draw, random));
    await chain.grow(longest);
    const kernel = new Kernel(language, sampler);
    const dice = addressed(random);
    const name = ({ tokens }: Response) => tokens.join();
    let state = language.states.find(({ response }) => name(response) === name(chain.response)) as State;
    for (let n = 0; n < steps; n++) {
      const { drawnTokens, sequentialPasses } = chain.rollout.account;
      const outcome = kernel.step(state, chain.step, dice);
      const options = {
        target: TARGET,
        law,
        tries: sampler.tries,
        acceptance: 'metropolis',
        decoding,
      } as const;
      await refine(chain, { ...options, random }, longest);
      ({ state } = outcome);
      const { account } = chain.rollout;
      const { decoded, sequential } = outcome[decoding];
      const same =
        name(state.response) === name(chain.response) &&
        account.drawnTokens - drawnTokens === decoded &&
        account.sequentialPasses - sequentialPasses === sequential;
      if (!same) throw new Error(`${sampler.name}, ${decoding}: step ${n + 1} is not that of the sampler`);
    }
  }
}
