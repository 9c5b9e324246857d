import { OutOfMemoryError } from '../src/base/errors.ts';
import type { Feed, LanguageModel, Reading, Sequence } from '../src/engine/language-model.ts';
import { type Law, summarise } from '../src/tree/distribution.ts';

/** The distribution of one token in f64, from all its logits: what the tree makes of summaries is held against it. */
export interface Distribution {
  /** log p and log q of every token. */
  logp: number[];
  logq: number[];
  logZ: number;
  entropy: number;
}

export type Truncation = Pick<Law, 'topK' | 'topP'>;

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

/** What may differ from a model that lists every token and has all the memory in the world. */
export type Limits = Partial<
  Pick<TableModel, 'contextLength' | 'cachePositions' | 'pageSize' | 'rows' | 'parallel' | 'entries'>
>;

/** A language model that looks its distributions up, by the tokens that its sequences really have. */
export class TableModel implements LanguageModel {
  readonly vocabSize: number;
  readonly eosTokens: ReadonlySet<number>;
  readonly contextLength: number = 1 << 20;
  readonly cachePositions: number = Infinity;
  readonly pageSize: number = 4;
  readonly rows: number = 64;
  readonly tile = 1;
  readonly parallel: boolean = false;
  /** Entries of a summary, at the least. */
  readonly entries: number = Infinity;
  /** Sequences not yet freed. */
  live = 0;
  /** Pages that they hold. */
  pages = 0;
  /** Rows of each call so far. */
  readonly calls: number[] = [];
  private readonly conditional: Conditional;

  constructor(vocabSize: number, eos: Iterable<number>, conditional: Conditional, limits: Limits = {}) {
    this.vocabSize = vocabSize;
    this.eosTokens = new Set(eos);
    this.conditional = conditional;
    Object.assign(this, limits);
  }

  async prefill(tokens: ArrayLike<number>): Promise<Sequence> {
    const sequence = new TableSequence(this, []);
    try {
      sequence.reserve(0, tokens.length);
    } catch (error) {
      sequence.free();
      throw error;
    }
    sequence.write(0, Array.from(tokens));
    return sequence;
  }

  async compute(feeds: readonly Feed[]): Promise<Reading[][]> {
    await null;
    const own = feeds.map(({ sequence }) => (sequence as TableSequence).check());
    const needed = feeds.reduce(
      (n, { position, tokens }, i) => n + own[i].missing(position, tokens.length),
      0,
    );
    this.reserve(needed);
    this.calls.push(feeds.reduce((n, { tokens }) => n + tokens.length, 0));
    const readings = feeds.map((feed, i) => feed.tokens.map((_, n) => this.read(feed, own[i], n)));
    for (const [i, { position, tokens }] of feeds.entries()) own[i].write(position, tokens);
    return readings;
  }

  reserve(pages: number): void {
    const [needed, available] = [this.pages + pages, this.cachePositions / this.pageSize].map(
      (n) => n * this.pageSize,
    );
    if (needed > available) throw new OutOfMemoryError('the cache', needed, available, 'take less');
  }

  /** What comes after the first n + 1 tokens of a feed. */
  private read({ position, tokens, sharpening, ask }: Feed, sequence: TableSequence, n: number): Reading {
    const prefix = [...sequence.tokens.slice(0, position), ...tokens.slice(0, n + 1)];
    const logits = new Float64Array(this.conditional(prefix)).map(Math.log);
    const summary = summarise(logits, sharpening, this.entries);
    const reading = { token: tokens[n], summary };
    if (ask === undefined || n < tokens.length - 1) return reading;
    if (ask === 'logits') return { ...reading, logits };
    const most = Math.max(...logits);
    const token =
      'token' in ask ? ask.token : this.drawTail(logits, summary.ids, sharpening.temperature, ask.tail);
    return { ...reading, asked: { token, distance: logits[token] - most } };
  }

  /** By inverse distribution function, in the order of ids, over what is not listed. */
  private drawTail(logits: Float64Array, listed: Uint32Array, temperature: number, word: number): number {
    const most = Math.max(...logits);
    const weights = logits.map((l, v) => (listed.includes(v) ? 0 : Math.exp((l - most) / temperature)));
    let left = ((word + 0.5) / 2 ** 32) * weights.reduce((a, b) => a + b, 0);
    return weights.findIndex((w) => {
      left -= w;
      return left < 0;
    });
  }
}

class TableSequence implements Sequence {
  readonly tokens: number[];
  private readonly model: TableModel;
  /** Each with the number of sequences that have it. */
  private readonly pages: { users: number }[];
  private freed = false;

  constructor(model: TableModel, tokens: number[], pages: { users: number }[] = []) {
    this.model = model;
    this.tokens = tokens;
    this.pages = pages;
    for (const page of pages) page.users++;
    model.live++;
  }

  get length(): number {
    return this.check().tokens.length;
  }

  fork(): Sequence {
    return new TableSequence(this.check().model, [...this.tokens], [...this.pages]);
  }

  rollback(length: number): void {
    if (length < 0 || length > this.length) throw new Error(`rollback to ${length} of ${this.length}`);
    this.tokens.length = length;
    this.release(Math.ceil(length / this.model.pageSize));
  }

  free(): void {
    this.check().release(0);
    this.freed = true;
    this.model.live--;
  }

  check(): this {
    if (this.freed) throw new Error('this sequence has been freed');
    return this;
  }

  /** Pages it takes to write so many tokens: new ones, and copies of those that others have too. */
  missing(position: number, count: number): number {
    const { pageSize } = this.model;
    if (position + count <= this.tokens.length) return 0;
    let missing = 0;
    for (let page = Math.floor(this.tokens.length / pageSize); page * pageSize < position + count; page++) {
      if (this.pages[page]?.users !== 1) missing++;
    }
    return missing;
  }

  reserve(position: number, count: number): void {
    this.model.reserve(this.missing(position, count));
  }

  /** Behind what it has; what it has already must be the same. */
  write(position: number, tokens: readonly number[]): void {
    const { pageSize } = this.model;
    if (position > this.length) throw new Error(`position ${position} of ${this.length}`);
    for (const [i, token] of tokens.entries()) {
      const at = position + i;
      if (at < this.tokens.length) {
        if (this.tokens[at] !== token)
          throw new Error(`token ${token} is fed where there is ${this.tokens[at]}`);
        continue;
      }
      const page = Math.floor(at / pageSize);
      if (this.pages[page]?.users !== 1) {
        if (this.pages[page]) this.pages[page].users--;
        this.pages[page] = { users: 1 };
        this.model.pages++;
      }
      this.tokens.push(token);
    }
  }

  private release(kept: number): void {
    for (const page of this.pages.splice(kept)) {
      if (--page.users === 0) this.model.pages--;
    }
  }
}
