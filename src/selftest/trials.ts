// What a model is run on so that all its kernels run, at the edges of their tiles, pages and spans.
import { type CachedSequence, PAGE, type PageCopy } from '../cache/kv-cache.ts';
import type { RowState } from '../engine/write-rows.ts';
import { SPAN } from '../model/operations.ts';
import type { Tuning } from '../model/tuning.ts';
import { pages } from './layouts.ts';
import { runTrial, type Step, type Subject, type Trial } from './subject.ts';

/** What rows ask of their logits, by turns. */
const ASKS: readonly Partial<RowState>[] = [
  { ask: 'draw', temperature: 0.7 },
  { ask: 'given', word: 5 },
  { ask: 'tail', word: 0x9e3779b9 },
  { ask: 'draw', temperature: 0.5, topK: 9, topP: 0.6 },
  { ask: 'draw', temperature: 3 },
  { ask: 'draw', temperature: 0 },
  { temperature: 0.25, alpha: 4 },
  { ask: 'draw', topP: 0.5 },
  { ask: 'draw', topK: 2 },
];
/** Among its draws are some that fall close below the end of a token's share, so that a wrong end is noticed. */
const KEY = { seed: 0x1234_5678_9abc_def1n, chain: 3, step: 2 };
/** A prompt longer than a span, and than a page. */
const PROMPT = SPAN + 9;
/** What layers that slide see in the test: more than the prompt has, so that they do not slide there, and no multiple of a span. */
export const WINDOW: number = SPAN + 22;
/** The longest sequence of the test. */
export const LONGEST: number = 3 * SPAN;

/** Takes pages for sequences, and keeps an account of what is in the cache. */
class Sequences {
  readonly copies: PageCopy[] = [];
  private readonly subject: Subject;
  private readonly all: CachedSequence[] = [];

  constructor(subject: Subject) {
    this.subject = subject;
  }

  /** Of so many positions, with room for one more. */
  of(length: number, end: number = length + 1): CachedSequence {
    const sequence = this.subject.cache.sequence();
    this.grow(sequence, length);
    sequence.settle(length);
    this.grow(sequence, end);
    return sequence;
  }

  fork(sequence: CachedSequence): CachedSequence {
    const fork = sequence.fork();
    this.grow(fork, sequence.length + 1);
    return fork;
  }

  private grow(sequence: CachedSequence, end: number): void {
    const { cache } = this.subject;
    const needed = sequence.pagesNeeded(end);
    cache.reserve(needed, 'the self-test');
    cache.unreserve(needed - sequence.makeWritable(end, this.copies));
    if (!this.all.includes(sequence)) this.all.push(sequence);
  }

  /** Random keys and values wherever a sequence has some; NaN everywhere else, so that it is noticed if anything of that is read. */
  fill(): void {
    const { gpu, cache, config } = this.subject;
    const { size, keys, values } = pages(this.subject);
    const numbers = new Float32Array(cache.pages * size).fill(Number.NaN);
    let state = 7;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 30 - 2;
    };
    // Pages that become copies of others hold something else before.
    for (const { to } of this.copies) {
      for (let i = 0; i < size; i++) numbers[to * size + i] = random();
    }
    for (const { table, length } of this.all) {
      for (let position = 0; position < length; position++) {
        const page = table.at(Math.floor(position / PAGE));
        for (let head = 0; head < config.numKeyValueHeads; head++) {
          for (const { at, all } of [keys, values]) {
            for (const place of all(page, head, position % PAGE)) numbers[place] = 0; // the padding
            for (let i = 0; i < config.headDim; i++) numbers[at(page, head, position % PAGE, i)] = random();
          }
        }
      }
    }
    const bits = new Uint32Array(numbers.buffer);
    const kept = cache.type === 'f32' ? numbers : Uint16Array.from(bits, (word) => word >>> 16);
    gpu.device.queue.writeBuffer(cache.layers[0], 0, kept);
  }

  free(): void {
    for (const sequence of this.all) sequence.free();
  }
}

/** A sequence and the position in it that a row is at. */
type Place = readonly [sequence: CachedSequence, position: number];

/** The rows of a trial, from the sequences that are made for them. */
type Rows = (sequences: Sequences) => Place[];

/** Rows on both sides of the borders of pages, each with a sequence of its own. */
const short =
  (rows: number): Rows =>
  (sequences) =>
    Array.from({ length: rows }, (_, i) => {
      const position = [20, PAGE - 1, PAGE, 0, 1][i % 5];
      return [sequences.of(position), position];
    });

/** Forks of a long prompt, one of which computes again what it has; of several rows the last is a short one. */
const long =
  (rows: number): Rows =>
  (sequences) => {
    const prompt = sequences.of(PROMPT);
    return Array.from({ length: rows }, (_, i) => {
      if (i > 0 && i === rows - 1) return [sequences.of(3), 3];
      return [sequences.fork(prompt), i === 2 ? PROMPT - 6 : PROMPT];
    });
  };

/** A part of a prompt, behind its first positions. */
const prompt =
  (rows: number, first: number): Rows =>
  (sequences) => {
    const sequence = sequences.of(first, first + rows);
    return Array.from({ length: rows }, (_, i) => [sequence, first + i]);
  };

export interface Plan {
  readonly rows: Rows;
  readonly prefill?: boolean;
}

/** The least that runs every kernel. */
export function fewPlans(tuning: Tuning): Plan[] {
  const most = Math.max(...tuning.tiles);
  const plans: Plan[] = [{ rows: short(most) }, { rows: long(most + 1) }];
  if (tuning.tiledPrefill) plans.push({ rows: prompt(66, SPAN - 6), prefill: true });
  return plans;
}

/** Rows before and after a window leaves the first span: the least that runs the kernels of layers that slide. */
export const slidingPlan: Plan = { rows: prompt(5, SPAN + WINDOW - 3) };

export function allPlans(tuning: Tuning): Plan[] {
  const most = Math.max(...tuning.tiles);
  return [
    ...tuning.tiles.map((tile): Plan => ({ rows: short(tile) })),
    { rows: short(2 * most + 1) },
    ...tuning.tiles.map((tile): Plan => ({ rows: long(tile) })),
    { rows: long(most + 1) },
    slidingPlan,
    { rows: prompt(66, 0), prefill: true },
    { rows: prompt(70, SPAN - 6), prefill: true },
  ];
}

/** Runs a plan and keeps what its kernels have found and left. */
export async function runPlan(
  subject: Subject,
  { rows, prefill }: Plan,
  turn: number,
): Promise<{ trial: Trial; steps: Step[] }> {
  const sequences = new Sequences(subject);
  try {
    const places = rows(sequences);
    sequences.fill();
    const states = places.map(([sequence, position], i): RowState => {
      const key = { ...KEY, candidate: i };
      return {
        sequence,
        position,
        token: (37 * i + 11) % subject.config.vocabSize,
        key,
        ...(prefill ? {} : ASKS[(turn + i) % ASKS.length]),
        slot: i,
        stride: places.length,
      };
    });
    const trial = { states, copies: sequences.copies, prefill };
    return { trial, steps: await runTrial(subject, trial) };
  } finally {
    sequences.free();
  }
}
