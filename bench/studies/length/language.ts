/** The language of the study: small enough to list. */
import { distribution, TableModel } from '../../../reference/table-model.ts';
import { logProbability, type Response } from '../../../src/sampling/response.ts';

export const ALPHA = 4;

const DECISIONS = 4;
/** Tokens of certain text before the first decision, between two and after the last, and in a careful passage. */
const GAP = 6;
const CAREFUL_TEXT = 6;
export const PLACEMENTS: Record<string, (added: number) => number[]> = {
  'spread evenly': (d) => [d / 8, d / 4, d / 4, d / 4, d / 8],
  'before the first': (d) => [d, 0, 0, 0, 0],
  'in the middle': (d) => [0, 0, d, 0, 0],
  'after the last': (d) => [0, 0, 0, 0, d],
};

const EOS = 0;
const TEXT = 1;
const QUICK = 4;
export const PROMPT = [TEXT];
const VOCABULARY = 8;
/** By token: EOS, text, a slip (which changes nothing else, and is never drawn in practice), careful, quick, the digits. */
const KINDS = {
  text: [0, 1 - 1e-6, 1e-6, 0, 0, 0, 0, 0],
  style: [0, 0, 0, 0.42, 0.58, 0, 0, 0],
  digit: [0, 0, 0, 0, 0, 0.45, 0.35, 0.2],
  end: [1 - 1e-6, 0, 1e-6, 0, 0, 0, 0, 0],
};
type Kind = keyof typeof KINDS;
export const AT = Object.fromEntries(
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
export interface Node {
  position: number;
  kind: Kind;
  tokens: number[];
  next: (Node | State)[];
}
export interface State {
  id: number;
  response: Response;
  logp: number;
  path: Node[];
}

/** Every response without a slip. */
export class Language {
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

export const languageOf = (placement: string, added: number): Language =>
  new Language(PLACEMENTS[placement](added).map((extra) => GAP + extra));
