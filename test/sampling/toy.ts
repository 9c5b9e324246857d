import { readFileSync } from 'node:fs';
import { type Distribution, distribution, type Limits, TableModel } from '../../reference/table-model.ts';
import { Chain } from '../../src/sampling/chain.ts';
import { CUT_LAW_NAMES, type CutLaw, type CutLawName, cutLaw } from '../../src/sampling/cut-laws.ts';
import { type Draw, Rollout } from '../../src/sampling/rollout.ts';
import { draw, force, PROMPT, plant, scripted } from './forced.ts';

/** The parts of test/fixtures/egps_golden.json that are used; its notes say what each is. */
interface Golden {
  eos: number;
  token_stats: { logits: number[]; alpha: number; logp: number[]; H: number; logZ: number; q: number[] };
  mtm_decisions: {
    log_rho: number[];
    p_select: number[];
    p_accept_given_j: number[];
    p_outcome: number[];
  }[];
  models: {
    V: number;
    T: number;
    alpha: number;
    cond: Record<string, number[]>;
    sequences: string[];
    logp: number[];
    pi: number[];
    q0: number[];
    logZ: number[][];
    H: number[][];
    cut_params: Partial<Record<CutLawName, { tau?: number; B?: number }>>;
    cut: Partial<Record<CutLawName, number[][]>>;
    P_K1_full: Partial<Record<CutLawName, number[][]>>;
    rows: number[];
    P_rows: Record<string, number[][]>;
    tokens_per_step_at_pi: Partial<Record<CutLawName, number>>;
    naive_stationary_tv: Partial<Record<CutLawName, number>>;
  }[];
  trace: {
    law: CutLawName;
    K: number;
    steps: {
      x: string;
      u_cut: number;
      cut: number;
      u_tok: number[][];
      cand: string[];
      log_rho: number[];
      u_sel: number[];
      u_acc: number;
      outcome: number;
    }[];
    final: string;
  };
}

export const golden = JSON.parse(readFileSync('test/fixtures/egps_golden.json', 'utf8')) as Golden;

export const toy = golden.models[0];
export const LAWS = CUT_LAW_NAMES;
/** Those with which the reference has taken steps, too. */
export const STEPPED = LAWS.filter((law) => toy.naive_stationary_tv[law] !== undefined);
/** All responses of at most T tokens. */
export const STATES = toy.sequences.map((text) => text.split(',').map(Number));
export const name = (tokens: ArrayLike<number>): string => Array.from(tokens).join(',');
export const index = (tokens: ArrayLike<number>): number => toy.sequences.indexOf(name(tokens));

export const toyModel = (limits?: Limits): TableModel =>
  new TableModel(toy.V, [golden.eos], (tokens) => toy.cond[name(tokens.slice(PROMPT.length))], limits);

const known = new Map<string, Distribution>();

/** p(· | prefix) at α and at temperature τ. */
export function toyAt(prefix: number[], alpha = toy.alpha, temperature = 1 / alpha): Distribution {
  const key = `${prefix} ${alpha} ${temperature}`;
  let at = known.get(key);
  if (!at) {
    at = distribution(toy.cond[name(prefix)].map(Math.log), alpha, temperature);
    known.set(key, at);
  }
  return at;
}

/** log of the probability that the proposal continues y's first `cut` tokens as y does. */
export function logQ(y: number[], cut: number, alpha = toy.alpha, temperature = 1 / alpha): number {
  let sum = 0;
  for (let t = cut; t < y.length; t++) sum += toyAt(y.slice(0, t), alpha, temperature).logq[y[t]];
  return sum;
}

/** π(x) ∝ p(x)^α, from the table in f64. */
export function toyTarget(alpha = toy.alpha): number[] {
  const weight = STATES.map((x) => Math.exp(alpha * logQ(x, 0, 1, 1)));
  const sum = weight.reduce((a, b) => a + b);
  return weight.map((w) => w / sum);
}

/** A chain on a tree of its own that stands at `start`, and what clears the tree away. */
export async function scriptedChain(
  model: TableModel,
  start: number[],
  given: Partial<Draw> = {},
): Promise<{ chain: Chain; end(): void }> {
  const { alpha = toy.alpha, temperature = 1 / alpha, seed = 0n, chain = 0 } = given;
  const { forest, tree } = await plant(model, toy.T);
  const rollout = new Rollout(forest, tree, { alpha, temperature, seed, chain }, scripted(0, 0, []));
  const started = new Chain(rollout);
  force(rollout, toy.V, draw([start]));
  await started.grow(start.length);
  return { chain: started, end: () => forest.leave(tree) };
}

/** The reference's cut law. */
export function toyLaw(law: CutLawName): CutLaw {
  const { tau = 0, B = 1 } = toy.cut_params[law] ?? {};
  return cutLaw(law, tau, B);
}

/** Entropies of a state, from the table. */
export const entropies = (x: number[]): Float64Array =>
  Float64Array.from(x, (_, t) => toyAt(x.slice(0, t)).entropy);

/** The states that agree with x before `cut`: what can be proposed there. */
export const completions = (x: number[], cut: number): number[] =>
  [...STATES.keys()].filter(
    (i) => STATES[i].length > cut && name(STATES[i].slice(0, cut)) === name(x.slice(0, cut)),
  );
