import * as assert from 'uvu/assert';
import { type Limits, TableModel } from '../../reference/table-model.ts';
import { Chain, type Decoding } from '../../src/sampling/chain.ts';
import { type CutLaw, type CutLawName, cutLaw, pickCut } from '../../src/sampling/cut-laws.ts';
import type { Acceptance, Lots } from '../../src/sampling/multiple-try.ts';
import { refine } from '../../src/sampling/power-chain.ts';
import { philox, uniform } from '../../src/sampling/random.ts';
import type { Response } from '../../src/sampling/response.ts';
import { type Draw, Rollout } from '../../src/sampling/rollout.ts';
import type { Target } from '../../src/sampling/target.ts';
import { chainAt, draw, force, type Planted, PROMPT, plant, scripted } from './forced.ts';
import { name } from './toy.ts';

export { name };

// Exact transition matrices of the shipped kernel: it is run once for each way in which its random numbers can fall.

const EOS = 0;

/** A language whose every response can be listed. Token 0 is EOS. */
export class Toy {
  readonly vocabulary: number;
  readonly horizon: number;
  /** All responses that can be drawn. */
  readonly states: readonly number[][];
  readonly gate: number;
  readonly blockSize: number;
  private readonly conditional: (prefix: readonly number[]) => readonly number[];
  private planted?: Promise<Planted>;

  /**
   * @param conditional p(· | response so far), normalised
   * @param gate nats, of the cut laws that have one
   * @param blockSize positions, of the block law
   */
  constructor(
    vocabulary: number,
    horizon: number,
    conditional: (prefix: readonly number[]) => readonly number[],
    gate: number,
    blockSize: number,
  ) {
    this.vocabulary = vocabulary;
    this.horizon = horizon;
    this.conditional = conditional;
    this.gate = gate;
    this.blockSize = blockSize;
    const extend = (prefix: number[]): number[][] =>
      prefix.at(-1) === EOS || prefix.length === horizon
        ? [prefix]
        : conditional(prefix).flatMap((p, v) => (p > 0 ? extend([...prefix, v]) : []));
    this.states = extend([]);
  }

  law(law: CutLawName): CutLaw {
    return cutLaw(law, this.gate, this.blockSize);
  }

  model(limits?: Limits): TableModel {
    const conditional = (tokens: readonly number[]) => this.conditional(tokens.slice(PROMPT.length));
    return new TableModel(this.vocabulary, [EOS], conditional, limits);
  }

  /** The tree of all runs that share one, whatever their target: what one has computed the others find. */
  tree(): Promise<Planted> {
    this.planted ??= plant(this.model(), this.horizon);
    return this.planted;
  }

  /** π ∝ p^α, from the table alone. */
  pi(alpha: number): number[] {
    const weights = this.states.map((x) =>
      x.reduce((product, v, t) => product * this.conditional(x.slice(0, t))[v] ** alpha, 1),
    );
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((w) => w / sum);
  }
}

/** Conditionals at random, of up to four tokens; responses end early in about half of all cases. */
export function randomToy(vocabulary: number, horizon: number, seed: number): Toy {
  const table = new Map<string, number[]>();
  const conditional = (prefix: readonly number[]) => {
    let p = table.get(name(prefix));
    if (!p) {
      const number = prefix.reduce((n, v) => n * vocabulary + v, 0);
      const words = philox([number, prefix.length, 0, 0], [seed, 0]);
      const weights = Array.from(words.slice(0, vocabulary), (bits) => uniform(bits) ** 3);
      weights[EOS] /= 2;
      const sum = weights.reduce((a, b) => a + b);
      p = weights.map((w) => w / sum);
      table.set(name(prefix), p);
    }
    return p;
  };
  return new Toy(vocabulary, horizon, conditional, 0.5, 2);
}

/**
 * Three decisions in 20 positions, everything between them by rote. One style ends after 9 or 11 tokens, the other after 13, 16 or not
 * at all.
 * @param leak of the probability of a token said by rote, what goes to an early EOS instead, at every third position
 */
export function decisionTree(leak: number): Toy {
  const conditional = (prefix: readonly number[]) => {
    const t = prefix.length;
    const short = prefix[2] === 1;
    if (t === 2) return [0, 0.7, 0.3];
    if (t === 6 && short) return [0, 0.45, 0.55];
    if (t === 12 && !short) return [0.02, 0.4, 0.58];
    const ends = short && t > 6 ? 8 + (prefix[6] === 2 ? 2 : 0) : prefix[12] === 1 ? 15 : Infinity;
    if (t === ends) return [1, 0, 0];
    return t % 3 === 1 ? [leak, 1 - leak, 0] : [0, 1, 0];
  };
  return new Toy(3, 20, conditional, 0.5, 5);
}

/** Every α that is tested with each of its proposal temperatures, 1/α and 1. */
export const TARGETS: Target[] = [
  { alpha: 1, temperature: 1 },
  { alpha: 2, temperature: 1 / 2 },
  { alpha: 2, temperature: 1 },
  { alpha: 4, temperature: 1 / 4 },
  { alpha: 4, temperature: 1 },
];

/** A kernel on a toy. Mutants have a step of their own, or a rollout that has been changed. */
export interface Subject extends Target {
  readonly toy: Toy;
  readonly law: CutLaw;
  readonly acceptance?: Acceptance;
  readonly decoding?: Decoding;
  readonly step?: typeof refine;
  readonly change?: (rollout: Rollout) => void;
}

/** The random outcomes of a step. */
interface Dice {
  readonly tries: number;
  /** The uniform number that picks the cut from r. */
  cut(r: Float64Array): number;
  token(logq: readonly number[], candidate: number, position: number): number;
  readonly lots: Lots;
}

const drawOf = ({ alpha, temperature }: Target): Draw => ({ alpha, temperature, seed: 0n, chain: 0 });

/** x as it is drawn. */
export async function respond({ toy, change, ...target }: Subject, x: readonly number[]): Promise<Response> {
  const { forest, tree } = await toy.tree();
  const rollout = new Rollout(forest, tree, drawOf(target), scripted(0, 0, []));
  force(rollout, toy.vocabulary, draw([x]));
  change?.(rollout);
  const chain = new Chain(rollout);
  await chain.grow(toy.horizon);
  return chain.response;
}

/**
 * Takes one step from x for each of the dice. Where candidates are decoded eagerly it walks the tree of all runs; else it has one of
 * its own, as what is known is never abandoned.
 */
async function run(subject: Subject, x: Response, dice: readonly Dice[], decoding: Decoding): Promise<Chain> {
  const { toy, law, acceptance = 'metropolis', step = refine, change, alpha, temperature } = subject;
  const target = { alpha, temperature };
  const model = toy.model();
  const planted = decoding === 'eager' ? await toy.tree() : await plant(model, toy.horizon);
  const chain = chainAt(planted, x, drawOf(target), scripted(0, 0, []));
  force(chain.rollout, toy.vocabulary, (logq, candidate, position, step) =>
    dice[step].token(logq, candidate, position),
  );
  change?.(chain.rollout);
  for (const { tries, cut, lots } of dice) {
    let r: Float64Array | undefined; // as the step first asks for it
    const noted = (entropy: Float64Array) => {
      const value = law(entropy);
      r ??= value;
      return value;
    };
    const random = { ...scripted(0, lots.u, lots.gumbels), cut: () => cut(r as Float64Array) };
    await step(chain, { target, law: noted, tries, acceptance, decoding, random }, toy.horizon);
  }
  if (decoding !== 'eager') planted.forest.leave(planted.tree);
  assert.is(model.live, 0);
  return chain;
}

/** A cut and a candidate that a step can draw, or a hold. */
interface Leaf {
  /** Position, −1 for a hold, and the uniform number that picks it. */
  readonly cut: number;
  readonly u: number;
  /** Probability of the cut, and of the candidate given the cut. */
  readonly r: number;
  readonly q: number;
  /** The tokens drawn, by position. */
  readonly tokens: readonly number[];
  /** Name of the candidate as a whole. */
  readonly to: string;
  /** As the kernel weighs it. */
  readonly logRho: number;
}

/** The middle of the interval of each cut, and of the hold. Those too narrow for f64 have probability 0. */
function cuts(r: Float64Array): { u: number; probability: number }[] {
  let below = 0;
  const all = Array.from(r, (probability, c) => {
    below += probability;
    const u = below - probability / 2;
    return { u, probability: pickCut(r, u) === c ? probability : 0 };
  });
  const held = 1 - below;
  return [...all, { u: 1 - held / 2, probability: held > 1e-9 ? held : 0 }];
}

/** Everything a step with one candidate can draw after the steps `before`. */
async function leaves(subject: Subject, x: Response, before: readonly Dice[] = []): Promise<Leaf[]> {
  const found: Leaf[] = [];
  const path: { probabilities: readonly number[]; taken: number }[] = [];
  const next = (probabilities: readonly number[], from: number) =>
    probabilities.findIndex((p, i) => i >= from && p > 0);
  do {
    let depth = 0;
    let r = 1;
    let q = 1;
    let u = 0.5;
    const tokens: number[] = [];
    const choose = (probabilities: readonly number[]): number => {
      if (depth === path.length) path.push({ probabilities, taken: next(probabilities, 0) });
      return path[depth++].taken;
    };
    const dice: Dice = {
      tries: 1,
      cut(law) {
        const all = cuts(law);
        ({ u, probability: r } = all[choose(all.map(({ probability }) => probability))]);
        return u;
      },
      token(logq, _candidate, position) {
        const probabilities = logq.map(Math.exp);
        tokens[position] = choose(probabilities);
        q *= probabilities[tokens[position]];
        return tokens[position];
      },
      lots: { u: 0.5, gumbels: [0, 0] },
    };
    const chain = await run(subject, x, [...before, dice], 'eager');
    const { cut, logRho } = chain.trace.steps[before.length];
    const to = name([...x.tokens.subarray(0, cut), ...tokens.slice(cut)]);
    found.push({ cut, u, r, q, tokens, to, logRho: logRho[0] });
    for (; path.length > 0; path.pop()) {
      const last = path[path.length - 1];
      last.taken = next(last.probabilities, last.taken + 1);
      if (last.taken >= 0) break;
    }
  } while (path.length > 0);
  return found;
}

/** A way in which the decision between candidates can fall: its probability, and random numbers that make it fall so. */
interface Way {
  readonly probability: number;
  readonly lots: readonly Lots[];
}

/**
 * The ways the decision can fall, each with random numbers next to the thresholds: were one of them elsewhere by more than 1e-9 of a
 * key, or 1e-12 of u, the decision would fall otherwise.
 * @param within adds what is farther from them: u halfway to 0 or 1 if it decides alone, else a key ahead by 1
 */
export function ways(acceptance: Acceptance, logRho: readonly number[], within = false): Way[] {
  if (logRho.length === 0) return [{ probability: 1, lots: [{ u: 0.5, gumbels: [0] }] }];
  const rho = logRho.map(Math.exp);
  const sum = rho.reduce((a, b) => a + b);
  // All keys are 0, but that of the one selected.
  const ties = [...logRho, 0].map((l) => (l === -Infinity ? 0 : -l));
  const select = (selected: number, edge: number, halfway: number): Lots[] => {
    const lots = (u: number, lead: number) => ({
      u,
      gumbels: ties.map((tie, j) => (j === selected ? tie + lead : tie)),
    });
    const next = lots(edge, 1e-9);
    const alone = acceptance === 'metropolis' && rho.length === 1;
    return within ? [next, alone ? lots(halfway, 1e-9) : lots(edge, 1)] : [next];
  };

  // The argmax of log w + Gumbel is j with probability ∝ w_j.
  if (acceptance === 'barker') {
    return [...rho, 1].map((w, j) => ({ probability: w / (1 + sum), lots: select(j, 0.5, 0.5) }));
  }
  if (sum === 0) return [{ probability: 1, lots: select(0, 2 ** -33, 0.5) }]; // no candidate is possible
  return rho.flatMap((w, j) => {
    const accept = Math.min(1, sum / (1 + sum - w));
    const below = Math.min(accept * (1 - 1e-12), 1 - 2 ** -33);
    const above = accept * (1 + 1e-12);
    return [
      { probability: (w / sum) * accept, lots: select(j, below, accept / 2) },
      { probability: (w / sum) * (1 - accept), lots: select(j, above, (1 + accept) / 2) },
    ];
  });
}

/** Where one step or more lead to from each state, by name; also to what is no state. */
export type Matrix = Map<string, number>[];

export interface Driven {
  /** Candidates a step, 1 or 2. */
  readonly tries?: number;
  readonly steps?: number;
  /** See ways. */
  readonly within?: boolean;
  /** What one candidate can be, for each state, if that is known: neither the decision nor the decoding matters to it. */
  readonly known?: readonly Leaf[][];
}

interface Drive {
  readonly P: Matrix;
  /** What one candidate can be, for each state. */
  readonly weighed: Leaf[][];
  /** Candidates that were abandoned. */
  readonly abandoned: number;
}

/**
 * The transition matrix, each entry as seen in runs of the kernel. The probabilities of the ways are computed, that of a logistic
 * variate (the difference of two Gumbels) and that of a uniform one; that the kernel decides between them there and nowhere else
 * is seen by runs on both sides. Of two candidates each pair is driven once, now in this order, now in the other.
 */
export async function drive(subject: Subject, driven: Driven = {}): Promise<Drive> {
  const { acceptance = 'metropolis', decoding = 'eager' } = subject;
  const { tries = 1, steps = 1, within = false, known } = driven;
  let abandoned = 0;
  const weighed: Leaf[][] = [];
  const P: Matrix = [];
  for (const [i, tokens] of subject.toy.states.entries()) {
    const x = await respond(subject, tokens);
    const row = new Map<string, number>();
    const visit = async (before: readonly Dice[], probability: number): Promise<void> => {
      const isFirst = before.length === 0;
      const found = (isFirst && known?.[i]) || (await leaves(subject, x, before));
      if (isFirst) weighed.push(found);
      for (const { drawn, chance } of draws(found, tries)) {
        const [{ u, cut }] = drawn;
        const logRho = cut < 0 ? [] : drawn.map((leaf) => leaf.logRho);
        for (const way of ways(acceptance, logRho, within)) {
          if (way.probability === 0) continue;
          const weight = probability * chance * way.probability;
          const seen = new Set<string>();
          for (const lots of way.lots) {
            const dice: Dice = {
              tries,
              cut: () => u,
              token: (_logq, candidate, position) => drawn[candidate].tokens[position],
              lots,
            };
            const all = [...before, dice];
            if (all.length < steps) {
              await visit(all, weight);
              continue;
            }
            const chain = await run(subject, x, all, decoding);
            abandoned += chain.rollout.account.abandoned;
            seen.add(name(chain.response.tokens));
          }
          assert.ok(seen.size < 2, `${name(x.tokens)} at ${cut}, log ρ ${logRho}: ${[...seen].join(' or ')}`);
          for (const to of seen) row.set(to, (row.get(to) ?? 0) + weight);
        }
      }
    };
    await visit([], 1);
    P.push(row);
  }
  return { P, weighed, abandoned };
}

function draws(found: readonly Leaf[], tries: number): { drawn: Leaf[]; chance: number }[] {
  if (tries === 1) return found.map((leaf) => ({ drawn: [leaf], chance: leaf.r * leaf.q }));
  return found.flatMap((a, i) => {
    if (a.cut < 0) return { drawn: [a], chance: a.r };
    return found.slice(0, i + 1).flatMap((b, j) => {
      if (b.cut !== a.cut) return [];
      return { drawn: (i + j) % 2 ? [a, b] : [b, a], chance: a.r * a.q * b.q * (i === j ? 1 : 2) };
    });
  });
}

/** What stays where it is, so that each row sums to 1. */
export function complete(P: Matrix, states: readonly number[][]): Matrix {
  for (const [i, row] of P.entries()) {
    const stay = name(states[i]);
    const sum = [...row.values()].reduce((a, b) => a + b, 0);
    row.set(stay, (row.get(stay) ?? 0) + 1 - sum);
  }
  return P;
}

/** How far a transition matrix is from leaving π invariant, and from detailed balance. */
export interface Defects {
  /** max |Σ_i π_i P_ij − π_j|, of the states and of what is none. */
  readonly invariance: number;
  /** max |π_i P_ij − π_j P_ji| */
  readonly balance: number;
  /** The same in relation to the greater of the two, where both are positive. */
  readonly relative: number;
  /** max |Σ_j P_ij − 1| */
  readonly total: number;
}

export function defects(P: Matrix, { toy, alpha }: Pick<Subject, 'toy' | 'alpha'>): Defects {
  const pi = toy.pi(alpha);
  const names = toy.states.map(name);
  const after = new Map<string, number>();
  let total = 0;
  for (const [i, row] of P.entries()) {
    for (const [to, p] of row) after.set(to, (after.get(to) ?? 0) + pi[i] * p);
    total = Math.max(total, Math.abs([...row.values()].reduce((a, b) => a + b, 0) - 1));
  }
  let balance = 0;
  let relative = 0;
  for (const [i, row] of P.entries()) {
    for (let j = 0; j < i; j++) {
      const there = pi[i] * (row.get(names[j]) ?? 0);
      const back = pi[j] * (P[j].get(names[i]) ?? 0);
      const difference = Math.abs(there - back);
      balance = Math.max(balance, difference);
      if (there > 0 && back > 0) relative = Math.max(relative, difference / Math.max(there, back));
    }
  }
  const before = new Map(names.map((state, i) => [state, pi[i]]));
  const all = new Set([...names, ...after.keys()]);
  const moved = [...all].map((state) => Math.abs((after.get(state) ?? 0) - (before.get(state) ?? 0)));
  return { invariance: Math.max(...moved), balance, relative, total };
}

/** What rounding may leave of a defect. */
export const EXACT = 1e-12;

/** π is invariant, and each pair of states in balance, both to 1e-12; the balance also in relation to the flow. */
export function assertExact(P: Matrix, subject: Pick<Subject, 'toy' | 'alpha'>, what: string): void {
  for (const [defect, size] of Object.entries(defects(P, subject))) {
    assert.ok(size <= EXACT, `${what}: ${defect} ${size}`);
  }
}

/** Every multiset of `size` of n things, with the number of its orderings. */
export function* multisets(n: number, size: number): Generator<{ members: number[]; orderings: number }> {
  const members: number[] = [];
  function* extend(least: number, run: number, orderings: number): ReturnType<typeof multisets> {
    const k = members.length;
    if (k === size) {
      yield { members: [...members], orderings };
      return;
    }
    for (let i = least; i < n; i++) {
      const repeated = i === members[k - 1] ? run + 1 : 1;
      members.push(i);
      yield* extend(i, repeated, (orderings * (k + 1)) / repeated);
      members.pop();
    }
  }
  yield* extend(0, 0, 1);
}

const byCut = (found: readonly Leaf[]): Leaf[][] =>
  [...new Set(found.map(({ cut }) => cut))].map((cut) => found.filter((leaf) => leaf.cut === cut));

/** The transition matrix with `tries` candidates, of every multiset of them, where `takes` says what is taken of each. */
export function enumerate(
  { toy }: Subject,
  weighed: readonly Leaf[][],
  tries: number,
  takes: (logRho: number[]) => { j: number; probability: number }[],
): Matrix {
  const P = weighed.map((found, i) => {
    const row = new Map([[name(toy.states[i]), 0]]);
    for (const group of byCut(found)) {
      if (group[0].cut < 0) continue;
      for (const { members, orderings } of multisets(group.length, tries)) {
        const drawn = members.map((m) => group[m]);
        const chance = drawn.reduce((product, { q }) => product * q, drawn[0].r * orderings);
        for (const { j, probability } of takes(drawn.map(({ logRho }) => logRho))) {
          const { to } = drawn[j];
          row.set(to, (row.get(to) ?? 0) + chance * probability);
        }
      }
    }
    return row;
  });
  return complete(P, toy.states);
}

/** What Multiple-Try Metropolis takes of finished candidates. */
export function metropolis(logRho: number[]): { j: number; probability: number }[] {
  const rho = logRho.map(Math.exp);
  const sum = rho.reduce((a, b) => a + b);
  return rho.map((w, j) => ({ j, probability: w / Math.max(sum, 1 + sum - w) }));
}

/**
 * Multiple-Try Metropolis of four candidates in closed form: P_c(x → y) = 4 q(y) w(y) h(max(w_x, w_y)), where
 * h(m) = ∫ e^{−mt} (E_q e^{−tw})³ dt = E 1 / (m + w_a + w_b + w_c) over three more candidates.
 */
export function fourTries({ toy }: Subject, weighed: readonly Leaf[][]): Matrix {
  const P = weighed.map((found, i) => {
    const row = new Map([[name(toy.states[i]), 0]]);
    for (const group of byCut(found)) {
      if (group[0].cut < 0) continue;
      const w = group.map(({ logRho }) => Math.exp(logRho)); // w_x = 1
      const rest = [...multisets(group.length, 3)].map(({ members, orderings }) => ({
        chance: members.reduce((product, m) => product * group[m].q, orderings),
        sum: members.reduce((sum, m) => sum + w[m], 0),
      }));
      for (const [j, { r, q, to }] of group.entries()) {
        const m = Math.max(1, w[j]);
        const h = rest.reduce((total, { chance, sum }) => total + chance / (m + sum), 0);
        row.set(to, (row.get(to) ?? 0) + r * 4 * q * w[j] * h);
      }
    }
    return row;
  });
  return complete(P, toy.states);
}

/** max |P_ij − Q_ij| */
export const distance = (P: Matrix, Q: Matrix): number =>
  Math.max(
    ...P.flatMap((row, i) =>
      [...new Set([...row.keys(), ...Q[i].keys()])].map((to) =>
        Math.abs((row.get(to) ?? 0) - (Q[i].get(to) ?? 0)),
      ),
    ),
  );
