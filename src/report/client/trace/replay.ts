import type { ReplayData, ReplayStep } from '../../trace-data.ts';

export const OUTCOMES = ['grown', 'accepted', 'rejected', 'held'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export function outcomeOf({ kind, outcome }: ReplayStep): Outcome {
  if (kind === 'grow') return 'grown';
  if (kind === 'hold') return 'held';
  return outcome >= 0 ? 'accepted' : 'rejected';
}

/** How the distribution of a token was come by, as the steps' `origins` have it. */
export const ORIGINS = ['free', 'computed', 'drafted'] as const;

/** A token of the response at some step. */
export interface Drawn {
  token: number;
  entropy: number;
  logp: number;
  origin: number;
  step: number;
}

/** How often the response was cut at a position. */
export interface Cuts {
  cuts: number;
  accepted: number;
}

/** A run as it can be asked about: what held after which step. */
export class Replay {
  readonly data: ReplayData;
  readonly steps: readonly ReplayStep[];
  readonly last: number;
  /** Whether there is more than growth. */
  readonly refined: boolean;
  /** No end where the cut law knows no blocks. */
  readonly blockSize: number;
  /** Highest entropy of a token. */
  readonly highest: number;
  /** The upper end of a scale of entropies: half nats, and no more than four, beyond which the shade stays the same. */
  readonly scale: number;

  constructor(data: ReplayData) {
    const { steps, closing } = data;
    this.data = data;
    this.steps = steps;
    this.last = steps.length - 1;
    this.refined = steps.some(({ kind }) => kind !== 'grow');
    this.blockSize = closing?.blockSize ?? Number.MAX_SAFE_INTEGER;
    this.highest = steps.reduce((most, { entropy }) => entropy.reduce((a, b) => Math.max(a, b), most), 0);
    this.scale = Math.min(4, Math.max(1, Math.ceil(this.highest * 2) / 2));
  }

  /** The response after step i: what each step put in its place, as far as no later one cut it off. */
  responseAfter(i: number): Drawn[] {
    const parts: Drawn[][] = [];
    let end = Infinity;
    for (let s = i; s >= 0 && end > 0; s--) {
      const { outcome, cut, tokens, entropy, tokenLogp, origins } = this.steps[s];
      if (outcome < 0 || cut >= end) continue;
      const kept = tokens.slice(0, end - cut);
      parts.push(
        kept.map((token, at) => {
          return { token, entropy: entropy[at], logp: tokenLogp[at], origin: origins[at], step: s };
        }),
      );
      end = cut;
    }
    return parts.reverse().flat();
  }

  /** Where cuts fell up to step i, by position. */
  cutsUpTo(i: number): Map<number, Cuts> {
    const at = new Map<number, Cuts>();
    for (const { kind, cut, outcome } of this.steps.slice(0, i + 1)) {
      if (kind !== 'propose') continue;
      const here = at.get(cut) ?? { cuts: 0, accepted: 0 };
      here.cuts++;
      if (outcome >= 0) here.accepted++;
      at.set(cut, here);
    }
    return at;
  }

  /** Whether a block of these tokens is closed to cuts. */
  isClosed(block: readonly Drawn[]): boolean {
    const { closing } = this.data;
    return closing !== null && block.every(({ entropy }) => entropy < closing.gate);
  }

  placeOf(step: number): string {
    return this.data.particles ? `step ${step}` : `step ${step}, block ${this.steps[step].block}`;
  }
}
