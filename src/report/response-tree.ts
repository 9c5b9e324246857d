import { logProbability as logProbabilityOf } from '../sampling/response.ts';
import type { Sample, Step } from '../sampling/sample.ts';

/** Tokens that follow one another without a parting, drawn as one line. */
interface Run {
  /** Index of the run before it, which stands before it in the list; −1 for one that begins a response. */
  parent: number;
  /** Position of its first token in the response. */
  start: number;
  /** Tokens. */
  length: number;
  /** How many of `total` passed its first token. */
  passed: number;
  /** As much of it as a page shows. */
  text: string;
}

/** A response that ends where a run does. */
interface Leaf {
  run: number;
  /** Particles that ended there, and their weight in all. */
  particles: number;
  weight: number;
  /** Steps after which the response stood there. */
  steps: number;
  logp: number;
}

/** The responses that a run met, as a tree of their prefixes. */
export interface ResponseTree {
  runs: Run[];
  /** The final response, then those that count most. */
  leaves: Leaf[];
  /** Responses that are not among them. */
  leftOut: number;
  /** All that were counted: particles or responses drawn side by side, and the response after each step of a chain. */
  total: number;
  /** After each step, where the response leaves the tree: a run, −1 for the root, and how many of its tokens it has. */
  places: [run: number, tokens: number][];
}

/** Most responses of a tree, and characters of a run's text. */
const LEAVES = 200;
const CHARACTERS = 240;

/** A response, and how often and with what weight a run came by it. */
export interface Met {
  readonly tokens: Uint32Array;
  readonly logp: number;
  passed: number;
  particles: number;
  weight: number;
  steps: number;
}

/** A run under construction, of the tokens `start` to `end` of a response. */
interface Branch {
  readonly tokens: Uint32Array;
  start: number;
  end: number;
  children: Map<number, Branch>;
  /** Place in the list. */
  index: number;
}

/**
 * The tree of what a run met. Candidates that were not taken are known only where all of them were written to their ends, and of particles
 * those that were left in the end.
 * @param most responses that are kept
 */
export function responseTree(
  sample: Sample,
  tokenText: (id: number) => string,
  most: number = LEAVES,
): ResponseTree {
  const { steps } = sample.trace;
  const states = responsesAfter(steps);
  return treeOfMet(everythingMet(sample, states), sample.tokens, states, tokenText, most);
}

/**
 * The tree of responses.
 * @param final stands first among the leaves
 * @param states places that are looked for
 * @param most responses that are kept
 */
export function treeOfMet(
  met: readonly Met[],
  final: Uint32Array,
  states: readonly Uint32Array[],
  tokenText: (id: number) => string,
  most: number = LEAVES,
): ResponseTree {
  const all = treeOf(met);
  const ends = met.filter(({ tokens }) => {
    const last = way(all, tokens).at(-1);
    return last?.end === tokens.length && last.children.size === 0; // else it is part of another
  });
  const last = keyOf(final);
  const rank = (a: Met, b: Met) => b.passed - a.passed || b.weight - a.weight || b.logp - a.logp;
  const others = ends.filter(({ tokens }) => keyOf(tokens) !== last).sort(rank);
  const kept = [...ends.filter(({ tokens }) => keyOf(tokens) === last), ...others.slice(0, most - 1)];

  const root = treeOf(kept);
  const runs: Run[] = [];
  const list = (parent: Branch) => {
    for (const branch of parent.children.values()) {
      const { tokens, start, end } = branch;
      branch.index = runs.length;
      const text = textOf(tokens.subarray(start, end), tokenText);
      runs.push({ parent: parent.index, start, length: end - start, passed: 0, text });
      list(branch);
    }
  };
  list(root);
  for (const { tokens, passed } of met)
    for (const { index } of way(root, tokens)) runs[index].passed += passed;
  return {
    runs,
    leaves: kept.map(({ tokens, particles, weight, steps, logp }) => {
      const run = way(root, tokens).at(-1)?.index ?? -1;
      return { run, particles, weight: Number(weight.toPrecision(5)), steps, logp };
    }),
    leftOut: ends.length - kept.length,
    total: met.reduce((n, { passed }) => n + passed, 0),
    places: states.map((state) => {
      const last = way(root, state).at(-1);
      return last ? [last.index, shared(last, state) - last.start] : [-1, 0];
    }),
  };
}

const keyOf = (tokens: Uint32Array): string => tokens.join();

/** Each response that the run met, once. */
function everythingMet(
  { tokens, logProbability, visited, trace }: Sample,
  states: readonly Uint32Array[],
): Met[] {
  const met = new Map<string, Met>();
  const note = (tokens: Uint32Array, logp: number, { passed = 0, particles = 0, weight = 0, steps = 0 }) => {
    const key = keyOf(tokens);
    const known = met.get(key) ?? { tokens, logp, passed: 0, particles: 0, weight: 0, steps: 0 };
    known.passed += passed;
    known.particles += particles;
    known.weight += weight;
    known.steps += steps;
    met.set(key, known);
  };
  for (const { response, weight } of visited.particles) {
    note(response.tokens, logProbabilityOf(response), { passed: 1, particles: 1, weight });
  }
  for (const [i, state] of visited.states.entries()) {
    // Several at first are responses drawn side by side; later, candidates of a step and what it began with.
    const passed = i === 0 && state.length > 1 ? 1 : 0;
    for (const { response } of state) note(response.tokens, logProbabilityOf(response), { passed });
  }
  for (const [i, { kind, lengths, logp }] of trace.steps.entries()) {
    const alone = visited.particles.length === 0 && lengths.length === 1;
    if (kind !== 'grow' || alone) note(states[i], logp, { passed: 1, steps: 1 });
  }
  note(tokens, logProbability, {});
  return [...met.values()].filter(({ tokens }) => tokens.length > 0);
}

/** The response after each step. */
function responsesAfter(steps: readonly Step[]): Uint32Array[] {
  let now = new Uint32Array(0);
  return steps.map(({ outcome, cut, tokens }) => {
    if (outcome < 0) return now;
    const next = new Uint32Array(cut + tokens.length);
    next.set(now.subarray(0, cut));
    next.set(tokens, cut);
    now = next;
    return now;
  });
}

function treeOf(responses: readonly Met[]): Branch {
  const root = { tokens: new Uint32Array(0), start: 0, end: 0, children: new Map(), index: -1 };
  for (const { tokens } of responses) insert(root, tokens);
  return root;
}

function insert(root: Branch, tokens: Uint32Array): void {
  const last = way(root, tokens).at(-1) ?? root;
  const start = shared(last, tokens);
  if (start < last.end) {
    // It parts within the run, which is split.
    const { children, end } = last;
    const rest: Branch = { tokens: last.tokens, start, end, children, index: -1 };
    last.end = start;
    last.children = new Map([[last.tokens[start], rest]]);
  }
  if (start === tokens.length) return;
  last.children.set(tokens[start], { tokens, start, end: tokens.length, children: new Map(), index: -1 });
}

/** The runs whose first token a response has. */
function way(root: Branch, tokens: Uint32Array): Branch[] {
  const found: Branch[] = [];
  let at: Branch | undefined = root;
  while (at && shared(at, tokens) === at.end) {
    at = at.children.get(tokens[at.end]);
    if (at) found.push(at);
  }
  return found;
}

/** How many tokens the run's end and a response that has its first token have in common. */
function shared({ tokens: own, start, end }: Branch, tokens: Uint32Array): number {
  let at = start;
  while (at < end && at < tokens.length && own[at] === tokens[at]) at++;
  return at;
}

function textOf(tokens: Uint32Array, tokenText: (id: number) => string): string {
  let text = '';
  for (const id of tokens) {
    text += tokenText(id);
    if (text.length > CHARACTERS) return `${text.slice(0, CHARACTERS)}…`;
  }
  return text;
}
