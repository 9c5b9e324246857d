import { resolveOptions } from '../../src/sampling/options.ts';
import { ORIGIN, type Response } from '../../src/sampling/response.ts';
import type { Account, Sample, SamplerOptions, Step } from '../../src/sampling/sample.ts';

/** A run written by hand: a problem in arithmetic, refined from a wrong answer to the right one. */
export interface Example {
  prompt: string;
  sample: Sample;
  options: SamplerOptions;
  tokenText(id: number): string;
}

/** What a step of the script does; `at` is a text, where it last begins the response is cut, and each ending follows from there. */
type Move =
  | { grow: string; block: number }
  | { block: number; at: string; endings: string[]; givenUp?: number[]; logRho: number[]; take: number }
  | { block: number; hold: true };

const GATE = 0.67;
const END = '<|end|>';
const texts: string[] = [];

function tokenise(text: string): number[] {
  const parts = text.match(/<\|end\|>|\\[a-z]+|\n+| ?[A-Za-zé]+| ?\d| ?[^\sA-Za-zé\d]/gu) ?? [];
  return parts.map((part) => {
    if (!texts.includes(part)) texts.push(part);
    return texts.indexOf(part);
  });
}

/** Entropies as a model might have them: high where a number is about to be found, low where it is copied. */
function entropyOf(text: string, at: number): number {
  const noise = Math.abs(Math.sin(at * 12.9898 + text.length * 78.233));
  if (/^ ?\d$/.test(text)) return at % 12 < 4 || noise < 0.8 ? 0.1 * noise ** 4 : 0.6 + noise;
  if (/^ [A-Za-z]/.test(text)) return noise > 0.75 ? 1.9 * noise : 0.5 * noise ** 3;
  return 0.08 * noise ** 3;
}

/** Which prefixes have been computed: what follows a digit is drafted two tokens ahead. */
class Known {
  private readonly ready = new Map<string, number>();

  /** Walks an ending, computes what is missing, and says of each token how its distribution was come by. */
  walk(head: readonly number[], ending: readonly number[], account: Account): number[] {
    return ending.map((_, i) => {
      const key = (length: number) => [...head, ...ending].slice(0, head.length + length).join();
      const origin = this.ready.get(key(i)) ?? ORIGIN.computed;
      this.ready.set(key(i), ORIGIN.free);
      if (origin === ORIGIN.drafted) account.usedDrafts++;
      if (origin !== ORIGIN.computed) return origin;
      account.computedRows++;
      account.sequentialPasses++;
      const drafts = /\d$/.test(texts[ending[i]]) ? 2 : 0;
      for (let n = 1; n <= drafts && i + n < ending.length && !this.ready.has(key(i + n)); n++) {
        this.ready.set(key(i + n), ORIGIN.drafted);
        account.computedRows++;
        account.draftedRows++;
      }
      return origin;
    });
  }
}

/** Plays the script and notes it down as a sampler would. */
export function play(prompt: string, script: readonly Move[], given: Partial<SamplerOptions>): Example {
  const options = resolveOptions({ gate: GATE, ...given });
  const steps: Step[] = [];
  let now: number[] = [];
  let entropies: number[] = [];
  let logps: number[] = [];
  let drawnAt: number[] = [];
  const known = new Known();
  let states: Response[] = [];
  const account: Account = {
    drawnTokens: 0,
    computedRows: 0,
    draftedRows: 0,
    usedDrafts: 0,
    sequentialPasses: 0,
    proposed: 0,
    accepted: 0,
    held: 0,
    abandoned: 0,
  };
  let origins: number[] = [];
  for (const move of script) {
    let cut = -1;
    let endings: number[][] = [];
    let outcome = -1;
    if ('grow' in move) {
      cut = now.length;
      endings = [tokenise(move.grow)];
      outcome = 0;
    } else if ('at' in move) {
      const head = now.map((id) => texts[id]);
      const [first] = tokenise(move.at);
      cut = head.lastIndexOf(texts[first]);
      if (cut < 0) throw new Error(`${move.at} is not in the response`);
      endings = move.endings.map(tokenise);
      outcome = move.take;
    }
    const head = now.slice(0, cut);
    const cameBy = endings.map((ending) => known.walk(head, ending, account));
    const drawn = outcome >= 0 ? endings[outcome] : [];
    const entropy = drawn.map((id, i) => entropyOf(texts[id], cut + i + steps.length));
    const tokenLogp = entropy.map((h, i) => -h * (0.4 + 0.5 * Math.abs(Math.cos(i * 3.7 + cut))) - 1e-4);
    if (outcome >= 0) {
      now = [...now.slice(0, cut), ...drawn];
      entropies = [...entropies.slice(0, cut), ...entropy];
      logps = [...logps.slice(0, cut), ...tokenLogp];
      origins = [...origins.slice(0, cut), ...cameBy[outcome]];
      drawnAt = [...drawnAt.slice(0, cut), ...drawn.map(() => steps.length)];
    }
    const abandoned = endings.map((_, j) => 'givenUp' in move && (move.givenUp ?? []).includes(j));
    account.drawnTokens += endings.reduce((sum, { length }) => sum + length, 0);
    account.abandoned += abandoned.filter(Boolean).length;
    if ('at' in move) account.proposed++;
    if ('at' in move && outcome >= 0) account.accepted++;
    if ('hold' in move) account.held++;
    steps.push({
      kind: 'grow' in move ? 'grow' : 'at' in move ? 'propose' : 'hold',
      block: move.block,
      cut,
      lengths: endings.map(({ length }) => cut + length),
      abandoned,
      logRho: 'logRho' in move ? move.logRho : [],
      outcome,
      tokens: Uint32Array.from(drawn),
      entropy: Float64Array.from(entropy),
      tokenLogp: Float64Array.from(tokenLogp),
      origins: Uint8Array.from(outcome >= 0 ? cameBy[outcome] : []),
      logp: logps.reduce((a, b) => a + b, 0),
      account: { ...account },
    });
    if ('grow' in move) states = [];
    states.push({
      tokens: Uint32Array.from(now),
      logp: Float64Array.from(logps),
      logq: Float64Array.from(logps, (l) => options.alpha * l),
      logZ: Float64Array.from(logps, (l) => options.alpha * l),
      entropy: Float64Array.from(entropies),
      origins: Uint8Array.from(origins),
      finish: texts[now[now.length - 1]] === END ? 'eos' : 'length',
    });
  }
  return {
    prompt,
    options,
    tokenText: (id) => texts[id],
    sample: {
      tokens: Uint32Array.from(now),
      logp: Float64Array.from(logps),
      logZ: Float64Array.from(logps, (l) => options.alpha * l),
      entropy: Float64Array.from(entropies),
      block: Uint32Array.from(drawnAt, (step) => steps[step].block),
      logProbability: logps.reduce((a, b) => a + b, 0),
      logTarget: options.alpha * logps.reduce((a, b) => a + b, 0),
      finish: texts[now[now.length - 1]] === END ? 'eos' : 'length',
      gate: { nats: GATE, above: 0.2, trouble: null },
      visited: { particles: [], states: states.map((response) => [{ response, weight: 1 }]) },
      account,
      trace: { steps, drawnAt: Uint32Array.from(drawnAt) },
    },
  };
}

const FIRST = 'A crate holds 24 boxes and each box holds 16 pens, so a crate holds';
const SECOND = ' pens.\nFor the school 7 crates are needed, and';
const THIRD = ' pens make the order.\n';

export const arithmetic: Example = play(
  'A crate holds 24 boxes of 16 pens. A school orders 7 crates and gives 112 pens away. How many pens are left?',
  [
    { block: 1, grow: `${FIRST} 24 × 16 = 364` },
    {
      block: 1,
      at: ' =',
      endings: [' = 384', ' = 374', ' = 38', ' = 364'],
      givenUp: [2],
      logRho: [1.84, -0.61, -7.2, 0],
      take: 0,
    },
    {
      block: 1,
      at: ' so',
      endings: [' which makes 40 pens', ' so there are', ' or 24', ' so'],
      givenUp: [0, 2, 3],
      logRho: [-6.4, -2.2, -9.1, -4.4],
      take: -1,
    },
    { block: 1, hold: true },
    { block: 2, grow: `${SECOND} 7 × 384 = 2588${THIRD}` },
    {
      block: 2,
      at: ' =',
      endings: [` = 2688${THIRD}`, ` = 2588${THIRD}`, ' = 26', ' = 3'],
      givenUp: [2, 3],
      logRho: [2.37, 0, -5.5, -8.13],
      take: 0,
    },
    { block: 2, hold: true },
    {
      block: 2,
      at: ' make',
      endings: [' are ordered', ' make the order', ' in all', ' are what'],
      givenUp: [3],
      logRho: [-1.2, -0.9, -3.3, -12.4],
      take: -1,
    },
    { block: 3, grow: `Of these the school gives 112 away: 2688 - 112 = 2576.\n\\boxed{2576}${END}` },
    {
      block: 3,
      at: ' the',
      endings: [
        ` 112 are given away: 2688 - 112 = 2576.\n\\boxed{2576}${END}`,
        ' the',
        ' 112',
        ' the school keeps',
      ],
      givenUp: [1, 2, 3],
      logRho: [0.44, -6.1, -5.8, -4.9],
      take: 0,
    },
    {
      block: 3,
      at: ' =',
      endings: [` = 2566.\n\\boxed{2566}${END}`, ' = 25', ' = 2', ' = 26'],
      givenUp: [1, 2, 3],
      logRho: [-3.1, -6.6, -6.6, -8.7],
      take: -1,
    },
    { block: 3, hold: true },
    {
      block: 3,
      at: ' are',
      endings: [
        ' leave',
        ' go',
        ` are given away, and 2688 - 112 = 2576 are left.\n\\boxed{2576}${END}`,
        ' are',
      ],
      givenUp: [0, 1],
      logRho: [-8.8, -7.9, 0.12, -1.6],
      take: 2,
    },
    {
      block: 3,
      at: ' are',
      endings: [' remain', ' pens', ' are', ' are'],
      givenUp: [0, 1],
      logRho: [-4.8, -6.9, -2.12, -3.6],
      take: -1,
    },
    { block: 3, hold: true },
  ],
  { seed: 17n, growth: 'blocks', maxNewTokens: 96, blockSize: 12, steps: 3, finalSteps: 3, alpha: 4 },
);
