/** Whether an engine computes what it should. */
import { forward, statistics } from '../../../reference/oracle.ts';
import type { ModelConfig } from '../../../src/checkpoint/config.ts';
import { progress } from '../../harness/figures.ts';
import type { RandomWeights } from '../../random-model.ts';
import type { Drawn, Engine } from './engine.ts';
import type { EngineProcess } from './process.ts';
import { boundOf, CONTEXT, MEASURES, ROWS, type Spec } from './specs.ts';

/** Of log p and entropy of a token drawn, in nats. */
const DRAWN_BOUND = 1e-2;
/** Multiply-adds that the float64 oracle may take: at about 2e8 a second. */
const ORACLE_WORK = 1.2e9;
const ORACLE_TOKENS = 40;

/** Normalised mean square errors of logits, the worst of those of each kind. */
export interface Errors {
  /** After a short prompt and a step more, against the oracle. */
  oracle?: number;
  /** Rows with prompts of their own, decoded together, against each alone. */
  rows: number;
  /** At the measured size: after the prompt, after a step of one row, and of several. 0 for who is the reference. */
  prefill?: number;
  decode1?: number;
  decode8?: number;
  /** Largest error of log p and entropy of drawn tokens, in nats; of engines that draw. */
  drawn?: number;
}

/** What logits at the measured size are held against. */
interface Reference {
  /** After CONTEXT tokens. */
  prompt: ArrayLike<number>;
  /** After one more. */
  step: ArrayLike<number>;
  /** Of its own errors. */
  bound: number;
}

export class Checks {
  /** What the errors are measured against. */
  described = { oracle: 'nothing', measuredSize: 'nothing' };
  private readonly config: ModelConfig;
  private readonly short: { tokens: number[]; logits: Float64Array } | undefined;
  private reference: Reference | undefined;

  constructor(config: ModelConfig, weights: RandomWeights) {
    this.config = config;
    const size = [...weights.tensors.values()].reduce((n, { shape }) => n + shape.reduce((a, b) => a * b), 0);
    const count = Math.floor(ORACLE_WORK / size);
    const oracle = (n: number) => {
      progress(`computing ${n} tokens in float64`);
      const all = new Map(
        [...weights.tensors.keys()].map((name) => [name, Float64Array.from(weights.values(name))]),
      );
      return forward(config, all, this.tokens(n));
    };
    if (count >= 2) {
      const n = Math.min(count, ORACLE_TOKENS + 1);
      this.short = { tokens: this.tokens(n), logits: oracle(n) };
      this.described.oracle = `float64, ${n - 1} tokens and a step`;
    }
    if (count > CONTEXT) {
      const logits = oracle(CONTEXT + 1);
      this.reference = { prompt: this.row(logits, CONTEXT - 1), step: this.row(logits, CONTEXT), bound: 0 };
      this.described.measuredSize = `float64, ${CONTEXT} tokens and a step`;
    }
  }

  async of(engine: EngineProcess, spec: Spec): Promise<{ errors: Errors; wrong?: string }> {
    const bound = boundOf(spec);
    const errors: Errors = { rows: 0 };
    const logits = async (prompts: number[][], next: number[]) =>
      (await engine.call('logits', prompts, next)).value as Awaited<ReturnType<Engine['logits']>>;
    const drawnError = (drawn: Drawn[] | undefined, logits: (r: number) => ArrayLike<number>) => {
      for (const [r, { token, logp, entropy }] of drawn?.entries() ?? []) {
        const expected = statistics(logits(r), token, { temperature: 1, alpha: 1 });
        const worst = Math.max(Math.abs(logp - expected.logp), Math.abs(entropy - expected.entropy));
        errors.drawn = Math.max(errors.drawn ?? 0, worst);
      }
    };

    if (this.short) {
      const { tokens } = this.short;
      const n = tokens.length - 1;
      const { prompt, step, drawn } = await logits([tokens.slice(0, n)], [tokens[n]]);
      const expected = [this.row(this.short.logits, n - 1), this.row(this.short.logits, n)];
      errors.oracle = Math.max(nmse(prompt[0], expected[0]), nmse(step[0], expected[1]));
      drawnError(drawn, () => expected[1]);
    }

    const prompts = Array.from({ length: ROWS }, (_, r) => this.tokens(4, 1000 * r + 17));
    const fed = prompts.map((prompt) => prompt[3]);
    for (const prompt of prompts) prompt.pop();
    const together = await logits(prompts, fed);
    const alone: Float32Array[] = [];
    for (let r = 0; r < ROWS; r++) {
      const { prompt, step } = await logits([prompts[r]], [fed[r]]);
      errors.rows = Math.max(
        errors.rows,
        nmse(together.prompt[r], prompt[0]),
        nmse(together.step[r], step[0]),
      );
      alone.push(step[0]);
    }
    drawnError(together.drawn, (r) => alone[r]);

    const tokens = this.tokens(CONTEXT + 1);
    const next = Array<number>(ROWS).fill(tokens[CONTEXT]);
    const single = await logits([tokens.slice(0, CONTEXT)], [tokens[CONTEXT]]);
    const several = await logits([tokens.slice(0, CONTEXT)], next);
    const reference = this.reference ?? { prompt: single.prompt[0], step: single.step[0], bound };
    errors.prefill = nmse(single.prompt[0], reference.prompt);
    errors.decode1 = nmse(single.step[0], reference.step);
    errors.decode8 = Math.max(...several.step.map((row) => nmse(row, reference.step)));
    drawnError(several.drawn, () => reference.step);

    const wrong = Object.entries(errors).find(([name, error]) => {
      if (name === 'drawn') return !(error <= DRAWN_BOUND);
      return !(error <= (name in MEASURES ? Math.max(bound, reference.bound) : bound));
    });
    if (wrong) return { errors, wrong: `${wrong[0]} is off by ${wrong[1].toExponential(1)}` };
    if (!this.reference) this.described.measuredSize = `${spec.name}, ${CONTEXT} tokens and a step`;
    this.reference ??= reference;
    return { errors };
  }

  private tokens(count: number, first = 11): number[] {
    return Array.from({ length: count }, (_, i) => (i * 37 + first) % this.config.vocabSize);
  }

  private row(logits: Float64Array, position: number): Float64Array {
    const { vocabSize } = this.config;
    return logits.subarray(position * vocabSize, (position + 1) * vocabSize);
  }
}

function nmse(values: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (values[i] - expected[i]) ** 2;
    power += expected[i] ** 2;
  }
  return error / power;
}
