import type {
  Continuation,
  DecodeRow,
  LanguageModel,
  RngKey,
  Sequence,
} from '../../src/engine/language-model.ts';
import { tokenGumbel } from '../../src/sampling/random.ts';

/** The distribution of one token in f64, and what the samplers are told about it. */
export interface Distribution {
  /** log p and log q of every token. */
  logp: number[];
  logq: number[];
  logZ: number;
  entropy: number;
}

export type Truncation = Pick<DecodeRow, 'topK' | 'topP'>;

/** @param temperature 0: greedy, all log q are then 0 */
export function distribution(
  logits: ArrayLike<number>,
  alpha: number,
  temperature: number,
  { topK = Infinity, topP = 1 }: Truncation = {},
): Distribution {
  const all = Array.from(logits);
  const max = Math.max(...all);
  const top = all.indexOf(max);
  const d = all.map((l) => l - max);
  const rest = (term: (d: number, v: number) => number) =>
    d.reduce((sum, x, v) => (v === top || x === -Infinity ? sum : sum + term(x, v)), 0);
  const base = rest(Math.exp);
  const logp = d.map((x) => x - Math.log1p(base));
  const logZ = Math.log1p(rest((x) => Math.exp(alpha * x))) - alpha * Math.log1p(base);
  const entropy = Math.log1p(base) - rest((x) => x * Math.exp(x)) / (1 + base);
  if (temperature === 0) return { logp, logq: d.map(() => 0), logZ, entropy };

  const sorted = [...d].sort((a, b) => b - a);
  let least = sorted[Math.min(topK, d.length) - 1];
  const kept = sorted.filter((x) => x >= least);
  const mass = kept.map((x) => Math.exp(x / temperature));
  const wanted = topP * mass.reduce((a, b) => a + b, 0);
  for (let reached = 0, i = 0; topP < 1 && reached < wanted; i++) {
    reached += mass[i];
    least = kept[i];
  }
  const tempered = rest((x) => (x >= least ? Math.exp(x / temperature) : 0));
  const logq = d.map((x) => (x >= least ? x / temperature - Math.log1p(tempered) : -Infinity));
  return { logp, logq, logZ, entropy };
}

/** p(· | tokens), prompt included; need not be normalised. */
export type Conditional = (tokens: readonly number[]) => ArrayLike<number>;

class TableSequence implements Sequence {
  readonly model: TableModel;
  tokens: number[];
  private freed = false;

  constructor(model: TableModel, tokens: number[]) {
    this.model = model;
    this.tokens = tokens;
    model.live++;
  }
  get length(): number {
    return this.alive().tokens.length;
  }
  fork(): Sequence {
    return new TableSequence(this.model, [...this.alive().tokens]);
  }
  rollback(length: number): void {
    if (length < 1 || length > this.length) throw new Error(`rollback to ${length} of ${this.length}`);
    this.tokens.length = length;
  }
  free(): void {
    this.alive().freed = true;
    this.model.live--;
  }
  alive(): this {
    if (this.freed) throw new Error('this sequence has been freed');
    return this;
  }
}

/** A language model that looks its distributions up. Its chunks are one token long. */
export class TableModel implements LanguageModel {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly cachePositions = Infinity;
  readonly eosTokens: ReadonlySet<number>;
  /** Sequences not yet freed. */
  live = 0;
  /** Rows of each decode call so far. */
  readonly calls: number[] = [];
  /** In place of Gumbel-max where it is set. */
  draw?: (logq: readonly number[], key: RngKey, position: number) => number;
  private readonly conditional: Conditional;

  constructor(vocabSize: number, eos: Iterable<number>, conditional: Conditional, contextLength = 1 << 20) {
    this.vocabSize = vocabSize;
    this.eosTokens = new Set(eos);
    this.conditional = conditional;
    this.contextLength = contextLength;
  }

  async prefill(tokens: ArrayLike<number>): Promise<Sequence> {
    if (tokens.length === 0) throw new Error('an empty prompt');
    return new TableSequence(this, Array.from(tokens));
  }

  async decode(
    rows: DecodeRow[],
    signal?: AbortSignal,
    keepGoing?: (soFar: readonly Continuation[]) => boolean,
  ): Promise<Continuation[]> {
    this.calls.push(rows.length);
    const flights = rows.map((row) => new Flight(row, this.own(row.sequence)));
    try {
      while (flights.some(({ done }) => !done)) {
        await null;
        signal?.throwIfAborted();
        for (const flight of flights) {
          if (flight.done) continue;
          const { row, sequence } = flight;
          if (flight.size >= row.maxTokens || sequence.length >= this.contextLength) {
            throw new Error(`a row of ${flight.size} tokens, at position ${sequence.length}, cannot grow`);
          }
          const at = this.at(sequence, row.alpha, row.temperature, row);
          flight.take(this.next(at, row, sequence.length), at, this.eosTokens);
        }
        if (keepGoing && flights.some(({ done }) => !done)) {
          if (!keepGoing(flights.map((flight) => flight.continuation()))) break;
        }
      }
    } catch (error) {
      for (const { sequence, start } of flights) sequence.rollback(start);
      throw error;
    }
    for (const flight of flights) flight.end();
    return flights.map((flight) => flight.continuation());
  }

  async score(
    sequence: Sequence,
    tokens: ArrayLike<number>,
    { temperature, alpha }: { temperature: number; alpha: number },
  ): Promise<Continuation> {
    const key = { seed: 0n, chain: 0, step: 0, candidate: 0 };
    const row = { sequence, maxTokens: tokens.length, temperature, alpha, key };
    const flight = new Flight(row, this.own(sequence));
    for (const token of Array.from(tokens)) {
      flight.take(token, this.at(flight.sequence, alpha, temperature), this.eosTokens);
    }
    return flight.continuation();
  }

  private at(sequence: TableSequence, alpha: number, temperature: number, truncation?: Truncation) {
    const logits = Array.from(this.conditional(sequence.tokens), Math.log);
    return distribution(logits, alpha, temperature, truncation);
  }

  private next({ logp, logq }: Distribution, { key, temperature }: DecodeRow, position: number): number {
    if (temperature === 0) return logp.indexOf(Math.max(...logp));
    if (this.draw) return this.draw(logq, key, position);
    const scores = logq.map((l, v) => l + tokenGumbel(key, position, v));
    return scores.indexOf(Math.max(...scores));
  }

  private own(sequence: Sequence): TableSequence {
    if (!(sequence instanceof TableSequence) || sequence.model !== this) throw new Error('not mine');
    return sequence.alive();
  }
}

/** A row in flight. */
class Flight {
  readonly row: DecodeRow;
  readonly sequence: TableSequence;
  readonly start: number;
  done = false;
  private finish: Continuation['finish'] = 'length';
  private readonly columns = {
    logp: [] as number[],
    logq: [] as number[],
    logZ: [] as number[],
    entropy: [] as number[],
  };

  constructor(row: DecodeRow, sequence: TableSequence) {
    this.row = row;
    this.sequence = sequence;
    this.start = sequence.length;
  }

  get size(): number {
    return this.columns.logp.length;
  }

  take(token: number, at: Distribution, eos: ReadonlySet<number>): void {
    this.sequence.tokens.push(token);
    this.columns.logp.push(at.logp[token]);
    this.columns.logq.push(at.logq[token]);
    this.columns.logZ.push(at.logZ);
    this.columns.entropy.push(at.entropy);
    if (eos.has(token)) this.finish = 'eos';
    this.done = this.finish === 'eos' || this.size === this.row.maxTokens;
  }

  end(): void {
    if (!this.done) this.finish = 'abandoned';
  }

  continuation(): Continuation {
    const { logp, logq, logZ, entropy } = this.columns;
    return {
      tokens: Uint32Array.from(this.sequence.tokens.slice(this.start)),
      logp: Float64Array.from(logp),
      logq: Float64Array.from(logq),
      logZ: Float64Array.from(logZ),
      entropy: Float64Array.from(entropy),
      finish: this.finish,
    };
  }
}
