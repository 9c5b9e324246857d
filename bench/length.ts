/**
 * How cost grows when text that is certain is added at the same number of decisions: npm run bench -- length
 * Needs no adapter; a count of steps and tokens on a language small enough to list, the same on every machine. Prints a table
 * and writes bench/results/length.json and length.svg.
 *
 * A response has four decisions, each between a careful style, after which nothing is open, and a quick one, after which a digit
 * is: 256 responses. The integrated autocorrelation time of log p under the target p^4 is computed from the exact transition
 * matrix, the cost of a step from independent steps that start at exact draws of the target. Lockstep decoding has the outcomes
 * of eager decoding, so the same steps give the cost of both.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { inverseMean } from '../reference/inverse-mean.ts';
import { distribution, TableModel } from '../reference/table-model.ts';
import { OptionError } from '../src/base/errors.ts';
import { Chain } from '../src/sampling/chain.ts';
import { type CutLawName, cutLaw, pickCut } from '../src/sampling/cut-laws.ts';
import { decide } from '../src/sampling/multiple-try.ts';
import { refine } from '../src/sampling/power-chain.ts';
import { gumbel, philox, type RandomSource, randomSource, uniform } from '../src/sampling/random.ts';
import { logProbability, type Response } from '../src/sampling/response.ts';
import { Rollout } from '../src/sampling/rollout.ts';
import { logWeight } from '../src/sampling/target.ts';
import { Forest } from '../src/tree/forest.ts';
import { chart } from './chart.ts';
import { mean, standardError } from './statistics.ts';

const ALPHA = 4;
const TARGET = { alpha: ALPHA, temperature: 1 / ALPHA };
/** The embedded model's. */
const GATE = 0.4;
const BLOCK_SIZE = 48;

/** Steps whose cost is counted. */
const STEPS = 20_000;
/** Steps that are compared with those of the samplers. */
const COMPARED = 20;

const DECISIONS = 4;
/** Tokens of certain text before the first decision, between two and after the last, and in a careful passage. */
const GAP = 6;
const CAREFUL_TEXT = 6;
const ADDED = [0, 16, 64, 256];
const PLACEMENTS: Record<string, (added: number) => number[]> = {
  'spread evenly': (d) => [d / 8, d / 4, d / 4, d / 4, d / 8],
  'before the first': (d) => [d, 0, 0, 0, 0],
  'in the middle': (d) => [0, 0, d, 0, 0],
  'after the last': (d) => [0, 0, 0, 0, d],
};

interface Sampler {
  name: string;
  law: CutLawName;
  tries: number;
}
const SAMPLERS: Sampler[] = [
  { name: 'metropolis', law: 'uniform', tries: 1 },
  { name: 'entropy-cut', law: 'entropy-jump', tries: 1 },
  { name: 'egps, K = 1', law: 'entropy-block', tries: 1 },
  { name: 'egps, K = 4', law: 'entropy-block', tries: 4 },
];

const EOS = 0;
const TEXT = 1;
const QUICK = 4;
const PROMPT = [TEXT];
const VOCABULARY = 8;
/** By token: EOS, text, a slip (which changes nothing else, and is never drawn in practice), careful, quick, the digits. */
const KINDS = {
  text: [0, 1 - 1e-6, 1e-6, 0, 0, 0, 0, 0],
  style: [0, 0, 0, 0.42, 0.58, 0, 0, 0],
  digit: [0, 0, 0, 0, 0, 0.45, 0.35, 0.2],
  end: [1 - 1e-6, 0, 1e-6, 0, 0, 0, 0, 0],
};
type Kind = keyof typeof KINDS;
const AT = Object.fromEntries(
  Object.entries(KINDS).map(([kind, p]) => [kind, distribution(p.map(Math.log), ALPHA, 1 / ALPHA)]),
) as Record<Kind, ReturnType<typeof distribution>>;

/** What comes after the first tokens of a response. */
function kindAfter(response: readonly number[], gaps: readonly number[]): Kind {
  let at = 0;
  for (let j = 0; j < DECISIONS; j++) {
    at += gaps[j];
    if (response.length < at) return 'text';
    if (response.length === at) return 'style';
    if (response[at] === QUICK && response.length === at + 1) return 'digit';
    at += response[at] === QUICK ? 2 : 1 + CAREFUL_TEXT;
  }
  return response.length < at + gaps[DECISIONS] ? 'text' : 'end';
}

/** An open position, and what follows each token there. */
interface Node {
  position: number;
  kind: Kind;
  tokens: number[];
  next: (Node | State)[];
}
interface State {
  id: number;
  response: Response;
  logp: number;
  path: Node[];
}

/** Every response without a slip. */
class Language {
  readonly states: State[] = [];
  readonly pi: Float64Array;
  readonly longest: number;
  readonly model: TableModel;

  constructor(gaps: readonly number[]) {
    this.extend([], [], gaps);
    const weights = Float64Array.from(this.states, ({ logp }) => Math.exp(ALPHA * logp));
    const sum = weights.reduce((a, b) => a + b);
    this.pi = weights.map((w) => w / sum);
    this.longest = Math.max(...this.states.map(({ response }) => response.tokens.length));
    this.model = new TableModel(
      VOCABULARY,
      [EOS],
      (tokens) => KINDS[kindAfter(tokens.slice(PROMPT.length), gaps)],
    );
  }

  /** Mean length of a response under π. */
  get length(): number {
    return this.states.reduce((sum, { response }, i) => sum + this.pi[i] * response.tokens.length, 0);
  }

  private extend(tokens: number[], path: Node[], gaps: readonly number[]): Node | State {
    const so = [...tokens];
    let kind = kindAfter(so, gaps);
    for (; kind === 'text'; kind = kindAfter(so, gaps)) so.push(TEXT);
    if (kind !== 'end') {
      const choices = KINDS[kind].flatMap((p, v) => (p > 0 ? [v] : []));
      const node: Node = { position: so.length, kind, tokens: choices, next: [] };
      for (const v of choices) node.next.push(this.extend([...so, v], [...path, node], gaps));
      return node;
    }
    so.push(EOS);
    const at = so.map((_, t) => AT[kindAfter(so.slice(0, t), gaps)]);
    const response: Response = {
      tokens: Uint32Array.from(so),
      logp: Float64Array.from(so, (v, t) => at[t].logp[v]),
      logq: Float64Array.from(so, (v, t) => at[t].logq[v]),
      logZ: Float64Array.from(at, ({ logZ }) => logZ),
      entropy: Float64Array.from(at, ({ entropy }) => entropy),
      origins: new Uint8Array(so.length),
      finish: 'eos',
    };
    const state = { id: this.states.length, response, logp: logProbability(response), path };
    this.states.push(state);
    return state;
  }
}

/** The random outcomes of a step. */
interface Dice extends Pick<RandomSource, 'cut' | 'accept' | 'select'> {
  choose(node: Node, step: number, candidate: number): number;
}

/** From one stream of numbers, in the order in which they are asked for. */
function stream(seed: number): Dice {
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
interface Outcome {
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
class Kernel {
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
async function compare(language: Language, sampler: Sampler, steps: number): Promise<void> {
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

/**
 * The transition matrix of a step: with K candidates P_c(x → y) = K q(y) w(y) h(max(w_x, w_y)), where h(m) is the mean of
 * 1 / (m + the weights of K − 1 more), and falls in m.
 */
function transitions(kernel: Kernel): Float64Array[] {
  const { language, tries } = kernel;
  const { states } = language;
  const P = states.map(() => new Float64Array(states.length));
  for (let cut = 0; cut < language.longest; cut++) {
    const groups = new Map<Node, State[]>();
    for (const x of states) {
      const node = x.path.find(({ position }) => position >= cut);
      if (node) groups.set(node, [...(groups.get(node) ?? []), x]);
    }
    for (const group of groups.values()) {
      const logW = group.map((x) => kernel.logWeight(x, cut, x.response.tokens.length));
      const most = Math.max(...logW);
      if (most === -Infinity) continue;
      const w = logW.map((l) => Math.exp(l - most));
      const q = group.map(({ response }) => Math.exp(response.logq.subarray(cut).reduce((a, b) => a + b, 0)));
      const h = w.map(inverseMean(q, w, tries - 1));
      for (const [i, x] of group.entries()) {
        const r = kernel.lawOf(x)[cut];
        if (r === 0) continue;
        for (const [j, y] of group.entries()) {
          P[x.id][y.id] += r * tries * q[j] * w[j] * Math.min(h[i], h[j]);
        }
      }
    }
  }
  for (const [i, row] of P.entries()) {
    row[i] = 0;
    row[i] = 1 - row.reduce((a, b) => a + b, 0);
  }
  return P;
}

/** Standardised under π. */
function standardised(pi: Float64Array, values: readonly number[]): number[] {
  const m = values.reduce((sum, value, i) => sum + pi[i] * value, 0);
  const deviation = Math.sqrt(values.reduce((sum, value, i) => sum + pi[i] * (value - m) ** 2, 0));
  return values.map((value) => (value - m) / deviation);
}

/** 1 + 2 Σ autocorrelations of f, which is standardised, from (I − P + 1π)⁻¹ f. */
function autocorrelationTime(P: readonly Float64Array[], pi: Float64Array, f: readonly number[]): number {
  const n = f.length;
  const rows = P.map((row, i) => {
    return Float64Array.from({ length: n + 1 }, (_, j) =>
      j === n ? f[i] : Number(i === j) - row[j] + pi[j],
    );
  });
  for (let k = 0; k < n; k++) {
    const pivot = rows.slice(k).reduce((a, b) => (Math.abs(b[k]) > Math.abs(a[k]) ? b : a));
    rows[rows.indexOf(pivot, k)] = rows[k];
    rows[k] = pivot;
    for (const [i, row] of rows.entries()) {
      const factor = row[k] / pivot[k];
      if (i === k || factor === 0) continue;
      for (let j = k; j <= n; j++) row[j] -= factor * pivot[j];
    }
  }
  return 2 * f.reduce((sum, value, i) => sum + (pi[i] * value * rows[i][n]) / rows[i][i], 0) - 1;
}

/**
 * Throws unless π is invariant and the steps leave a state as often as the matrix says.
 * @param surprise of each step, 1 if it left its state, less the probability of that
 */
function confirm(P: readonly Float64Array[], pi: Float64Array, surprise: number[]): void {
  const off = Math.max(...pi.map((p, j) => Math.abs(P.reduce((sum, row, i) => sum + pi[i] * row[j], -p))));
  if (off > 1e-12) throw new Error(`the target moves by ${off}`);
  const z = mean(surprise) / standardError(surprise);
  if (Math.abs(z) > 4.5) throw new Error(`the steps are not those of the matrix: z = ${z}`);
}

interface Figure {
  value: number;
  standardError: number;
}

/** All but the length and the fractions per effective sample of log p. */
interface Row {
  placement: string;
  added: number;
  length: number;
  sampler: string;
  /** Of the steps those that hold, of the others those that take a candidate. */
  held: number;
  accepted: number;
  /** Exact. */
  steps: number;
  /** Steps that do not hold. */
  proposals: number;
  eagerTokens: Figure;
  lockstepTokens: Figure;
  eagerSequential: Figure;
  lockstepSequential: Figure;
}

function measure(language: Language, sampler: Sampler): Omit<Row, 'placement' | 'added'> {
  const { states, pi } = language;
  const kernel = new Kernel(language, sampler);
  const f = standardised(
    pi,
    states.map(({ logp }) => logp),
  );
  const P = transitions(kernel);
  const steps = autocorrelationTime(P, pi, f);
  const held = states.reduce(
    (sum, x, i) => sum + pi[i] * Math.max(0, 1 - kernel.lawOf(x).reduce((a, b) => a + b, 0)),
    0,
  );
  const dice = stream(1);
  const surprise: number[] = [];
  const outcomes = Array.from({ length: STEPS }, (_, step) => {
    const x = states[pickCut(pi, dice.cut(step))];
    const outcome = kernel.step(x, step, dice);
    surprise.push(Number(outcome.state !== x) - (1 - P[x.id][x.id]));
    return outcome;
  });
  confirm(P, pi, surprise);
  const figure = (of: (outcome: Outcome) => number): Figure => {
    const values = outcomes.map(of);
    return { value: steps * mean(values), standardError: steps * standardError(values) };
  };
  return {
    length: language.length,
    sampler: sampler.name,
    held,
    accepted: mean(outcomes.filter((outcome) => !outcome.held).map(({ accepted }) => Number(accepted))),
    steps,
    proposals: steps * (1 - held),
    eagerTokens: figure(({ eager }) => eager.decoded),
    lockstepTokens: figure(({ lockstep }) => lockstep.decoded),
    eagerSequential: figure(({ eager }) => eager.sequential),
    lockstepSequential: figure(({ lockstep }) => lockstep.sequential),
  };
}

const show = ({ value, standardError }: Figure): string => {
  return `${value.toFixed(0)} ± ${standardError.toFixed(0)}`;
};
const COLUMNS: [string, number, (row: Row) => string][] = [
  ['added', 5, ({ added }) => String(added)],
  ['length', 6, ({ length }) => length.toFixed(0)],
  ['sampler', 11, ({ sampler }) => sampler.padEnd(11)],
  ['held', 5, ({ held }) => `${(100 * held).toFixed(0)} %`],
  ['accepted', 8, ({ accepted }) => `${(100 * accepted).toFixed(0)} %`],
  ['steps', 6, ({ steps }) => steps.toFixed(1)],
  ['that decode', 11, ({ proposals }) => proposals.toFixed(1)],
  ['tokens, eager', 14, ({ eagerTokens }) => show(eagerTokens)],
  ['lockstep', 12, ({ lockstepTokens }) => show(lockstepTokens)],
  ['sequential, eager', 17, ({ eagerSequential }) => show(eagerSequential)],
  ['lockstep', 12, ({ lockstepSequential }) => show(lockstepSequential)],
];
const line = (cells: string[]): string => cells.map((cell, i) => cell.padStart(COLUMNS[i][1])).join(' ');

const languageOf = (placement: string, added: number): Language =>
  new Language(PLACEMENTS[placement](added).map((extra) => GAP + extra));
export async function run(args: string[]): Promise<void> {
  if (args.length > 0) throw new OptionError(`length takes no options, ${JSON.stringify(args[0])} was given`);
  for (const sampler of SAMPLERS) await compare(languageOf('in the middle', 64), sampler, COMPARED);

  const rows: Row[] = [];
  const [first] = Object.keys(PLACEMENTS);
  const unchanged = SAMPLERS.map((sampler) => measure(languageOf(first, 0), sampler));
  console.log('per effective sample of log p');
  for (const placement of Object.keys(PLACEMENTS)) {
    console.log(`\ncertain text added ${placement}`);
    console.log(line(COLUMNS.map(([title]) => title)));
    for (const added of ADDED) {
      const language = languageOf(placement, added);
      for (const [i, sampler] of SAMPLERS.entries()) {
        const row = { placement, added, ...(added === 0 ? unchanged[i] : measure(language, sampler)) };
        rows.push(row);
        console.log(line(COLUMNS.map(([, , cell]) => cell(row))));
      }
    }
  }

  const times = (ratio: number): string => `×${ratio.toFixed(ratio < 9.95 ? 1 : 0)}`;
  /** From the shortest responses to the longest, one sampler after the other. */
  const growth = (placement: string, of: (row: Row) => number): string =>
    SAMPLERS.map((_, i) => times(of(rowOf(rows, i, placement, 256)) / of(rowOf(rows, i, placement, 0)))).join(
      ', ',
    );
  const longest = (of: (row: Row) => number): string =>
    SAMPLERS.map((_, i) => of(rowOf(rows, i, 'spread evenly', 256)).toFixed(0)).join(', ');

  const steps = ({ steps }: Row) => steps;
  const proposals = ({ proposals }: Row) => proposals;
  const tokens = ({ lockstepTokens }: Row) => lockstepTokens.value;
  const sequential = ({ lockstepSequential }: Row) => lockstepSequential.value;
  const [shortest, most] = [0, 256].map((added) => rowOf(rows, 0, first, added).length.toFixed(0));
  const note = [
    `Steps of an effective sample grow from ${shortest} to ${most} tokens of response (${SAMPLERS.map(({ name }) => name).join('; ')})` +
      ` ${growth('spread evenly', steps)} with the certain text spread evenly and ${growth('after the last', steps)} with all of it` +
      ` after the last decision, the steps that decode ${growth('spread evenly', proposals)} and` +
      ` ${growth('after the last', proposals)}: with entropy alone for entropy-cut, nearly so for egps but for the holds of closed` +
      ' blocks, which decode nothing, and with length for uniform cuts unless the text is spread evenly.',
    'Decoded tokens (lockstep) grow with length in every sampler, since a candidate decodes the certain text behind its cut again:' +
      ` ${growth('spread evenly', tokens)} spread evenly, ${growth('in the middle', tokens)} in the middle,` +
      ` ${growth('after the last', tokens)} after the last decision, and only before the first one (${growth('before the first', tokens)})` +
      ' does it cost entropy-cut nothing, egps little (its uniform twentieth of cuts).',
    `So the claim holds for steps, not for tokens, and evenly spread text shows the least of it: at ${most} tokens of response an` +
      ` effective sample decodes ${longest(tokens)} tokens in ${longest(sequential)} sequential steps; egps decodes the most there,` +
      ' and with four candidates in the fewest sequential steps.',
  ].join(' ');
  console.log(`\n${note}`);

  mkdirSync('bench/results', { recursive: true });
  writeFileSync(
    'bench/results/length.json',
    `${JSON.stringify({ alpha: ALPHA, gate: GATE, blockSize: BLOCK_SIZE, countedSteps: STEPS, note, results: rows }, null, 2)}\n`,
  );
  writeFileSync('bench/results/length.svg', drawn(rows));
}

const rowOf = (rows: readonly Row[], sampler: number, placement: string, added: number): Row =>
  rows.find((row) => {
    return row.sampler === SAMPLERS[sampler].name && row.placement === placement && row.added === added;
  }) as Row;

function drawn(rows: readonly Row[]): string {
  const [first] = Object.keys(PLACEMENTS);
  const series = (of: (row: Row) => { value: number; standardError: number }) =>
    SAMPLERS.map(({ name }, i) => {
      const points = ADDED.map((added) => {
        const row = rowOf(rows, i, first, added);
        const { value, standardError } = of(row);
        return { x: row.length, y: value, error: standardError };
      });
      return { name, points };
    });
  const axes = { xLabel: 'tokens of a response', logX: true, logY: true };
  return chart(
    'The cost of an effective sample as certain text is added at the same four decisions',
    [
      {
        ...axes,
        yLabel: 'refinement steps, holds included',
        series: series((row) => ({ value: row.steps, standardError: 0 })),
      },
      {
        ...axes,
        yLabel: 'decoded tokens, in lockstep',
        series: series(({ lockstepTokens }) => lockstepTokens),
      },
    ],
    'A language of 256 responses, target p^4; the text is spread evenly. Steps are exact, tokens counted in ' +
      `${STEPS} steps (standard errors drawn).`,
  );
}
