/** What one distribution of the next token loses against another, over texts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mean, standardError } from '../harness/figures.ts';

/** A prompt with the tokens drawn after it. */
export interface Text {
  readonly tokens: readonly number[];
  /** Tokens of the prompt. */
  readonly prompt: number;
}

interface Mean {
  readonly mean: number;
  /** Its standard error over the texts; 0 of a single one. */
  readonly error: number;
}

/** Natural logarithms, by token. */
export interface Loss {
  /** KL(plain ‖ other). */
  readonly divergence: Mean;
  /** Of each text, its mean. */
  readonly perText: readonly number[];
  /** log p of the tokens drawn: other less plain. Its expectation is −KL. */
  readonly change: Mean;
  readonly changeDeviation: number;
  /** How often both find the same token likeliest. */
  readonly sameTop: number;
}

/** The logits of the plain weights, in a folder: of a few thousand tokens they are gigabytes. */
export class Plain {
  readonly vocabSize: number;
  private readonly folder: string;

  constructor(folder: string, vocabSize: number) {
    this.folder = folder;
    this.vocabSize = vocabSize;
  }

  keep(text: number, logits: Float32Array): void {
    writeFileSync(join(this.folder, `${text}.f32`), new Uint8Array(logits.buffer));
  }

  of(text: number): Float32Array {
    return new Float32Array(new Uint8Array(readFileSync(join(this.folder, `${text}.f32`))).buffer);
  }
}

export class Comparison {
  private readonly plain: Plain;
  private readonly texts: { divergence: number[]; change: number[]; same: number }[] = [];

  constructor(plain: Plain) {
    this.plain = plain;
  }

  /** `logits`: [tokens][vocabulary], of all tokens of the text. */
  add(number: number, { tokens, prompt }: Text, logits: Float32Array): void {
    const { vocabSize } = this.plain;
    const plain = this.plain.of(number);
    const divergence: number[] = [];
    const change: number[] = [];
    let same = 0;
    for (let at = prompt; at < tokens.length; at++) {
      const row = (all: Float32Array) => all.subarray((at - 1) * vocabSize, at * vocabSize);
      const [p, q] = [logProbabilities(row(plain)), logProbabilities(row(logits))];
      let sum = 0;
      for (let v = 0; v < vocabSize; v++) sum += Math.exp(p[v]) * (p[v] - q[v]);
      divergence.push(sum);
      change.push(q[tokens[at]] - p[tokens[at]]);
      if (likeliest(p) === likeliest(q)) same++;
    }
    if (divergence.length > 0) this.texts.push({ divergence, change, same });
  }

  loss(): Loss {
    const { texts } = this;
    const perText = texts.map(({ divergence }) => mean(divergence));
    const changes = texts.flatMap(({ change }) => change);
    return {
      divergence: overTexts(texts.map(({ divergence }) => divergence)),
      perText,
      change: overTexts(texts.map(({ change }) => change)),
      changeDeviation: Math.sqrt(mean(changes.map((c) => (c - mean(changes)) ** 2))),
      sameTop: texts.reduce((n, { same }) => n + same, 0) / changes.length,
    };
  }
}

/** Tokens of a text are alike, so the error is that of the texts' sums. */
function overTexts(texts: readonly number[][]): Mean {
  const total = mean(texts.flat());
  const length = texts.flat().length / texts.length;
  const sums = texts.map((values) => values.reduce((sum, v) => sum + v - total, 0) / length);
  return { mean: total, error: texts.length > 1 ? standardError(sums) : 0 };
}

/** In float64. */
export function logProbabilities(logits: Float32Array): Float64Array {
  let most = Number.NEGATIVE_INFINITY;
  for (let v = 0; v < logits.length; v++) most = Math.max(most, logits[v]);
  let sum = 0;
  for (let v = 0; v < logits.length; v++) sum += Math.exp(logits[v] - most);
  const log = most + Math.log(sum);
  return Float64Array.from(logits, (logit) => logit - log);
}

function likeliest(values: Float64Array): number {
  let best = 0;
  for (let v = 1; v < values.length; v++) if (values[v] > values[best]) best = v;
  return best;
}
