import { createHash } from 'node:crypto';
import { philox, uniform } from '../../sampling/random.ts';
import type { Item } from '../item.ts';

// The word problems that models/abacus/train.py makes, with its distribution but not its random numbers.

const NAMES = ['Mia', 'Ben', 'Zoe', 'Tom', 'Ana', 'Sam', 'Lea', 'Max'];
const THINGS = ['shells', 'coins', 'books', 'cards', 'beads', 'stamps'];
const VERBS = { '+': ['finds', 'buys', 'gets'], '-': ['gives away', 'loses', 'sells'] };
/** Share of the problems with 2, 3, 4 and 5 operations, before those with long solutions are left out. */
const LENGTHS = [0.5, 0.3, 0.13, 0.07];
/** Tokens of a solution with all columns written out. */
const LONGEST = 340;

type Sign = '+' | '-';

interface Problem {
  readonly prompt: string;
  readonly answer: number;
  /** Tokens of the solution with all columns written out. To count them takes longer than all else: of those held out only. */
  length(): number;
}

/**
 * Problems that the abacus model was not trained on, all different. The first ones are the same for every `count`.
 * @param seed below 2^64
 */
export function abacusProblems(seed: bigint, count: number): Item[] {
  const random = new Random(seed);
  const items: Item[] = [];
  const prompts = new Set<string>();
  while (items.length < count) {
    const { prompt, answer, length } = problem(random);
    if (!isHeldOut(prompt) || prompts.has(prompt) || length() > LONGEST) continue;
    prompts.add(prompt);
    items.push({ id: `abacus-${seed}-${items.length}`, prompt, grader: 'exact', answer: String(answer) });
  }
  return items;
}

function isHeldOut(prompt: string): boolean {
  return createHash('sha256').update(prompt).digest()[0] < 3;
}

function problem(random: Random): Problem {
  for (;;) {
    const name = random.pick(NAMES);
    const thing = random.pick(THINGS);
    const start = number(random);
    const operations = random.index(LENGTHS) + 2;
    const sentences = [`${name} has ${start} ${thing}.`];
    let total = start;
    const lines: (readonly [a: number, b: number, sign: Sign])[] = [];
    while (sentences.length <= operations) {
      const operation = nextOperation(total, random);
      if (!operation) break;
      const { sign, b } = operation;
      sentences.push(`${name} ${random.pick(VERBS[sign])} ${b}.`);
      lines.push([total, b, sign]);
      total = value(total, b, sign);
    }
    if (sentences.length <= operations) continue;
    return {
      prompt: `${sentences.join(' ')} How many ${thing} now?`,
      answer: total,
      length() {
        const solution = lines.map(([a, b, sign]) => `${a} ${sign} ${b}:${writtenOut(a, b, sign)}.\n`);
        return tokens(`\n${solution.join('')}\\boxed{${total}}`);
      },
    };
  }
}

/** What can be done to `a`, mostly something with a carry or borrow; undefined where nothing is found in 50 tries. */
function nextOperation(a: number, random: Random): { sign: Sign; b: number } | undefined {
  for (let tries = 0; tries < 50; tries++) {
    const sign = random.pick(['+', '-'] as const);
    const b = number(random);
    const result = value(a, b, sign);
    if (result < 0 || result > 999) continue;
    if (columns(a, b, sign).some(({ after }) => after) || random.unit() < 0.15) return { sign, b };
  }
  return undefined;
}

function number(random: Random): number {
  const kind = random.unit();
  if (kind < 0.05) return 3 + random.below(7);
  return kind > 0.9 ? 100 + random.below(300) : 11 + random.below(89);
}

const value = (a: number, b: number, sign: Sign): number => (sign === '+' ? a + b : a - b);

interface Column {
  readonly x: number;
  readonly y: number;
  /** Carry or borrow that comes in. */
  readonly before: number;
  /** Carry or borrow that goes out. The last sum is written whole, so no carry leaves it. */
  readonly after: number;
}

/** From the ones on. */
function columns(a: number, b: number, sign: Sign): Column[] {
  const width = Math.max(String(a).length, String(b).length);
  let before = 0;
  return Array.from({ length: width }, (_, i) => {
    const x = Math.floor(a / 10 ** i) % 10;
    const y = Math.floor(b / 10 ** i) % 10;
    const out = sign === '+' ? x + y + before > 9 && i < width - 1 : x - y - before < 0;
    const column = { x, y, before, after: Number(out) };
    before = column.after;
    return column;
  });
}

function writtenOut(a: number, b: number, sign: Sign): string {
  const parts = columns(a, b, sign).map(({ x, y, before, after }) => {
    const top = sign === '+' ? x : x + 10 * after;
    const result = value(value(top, y, sign), before, sign);
    const left = `${top} ${sign} ${y}${before ? ` ${sign} 1` : ''} = ${result}`;
    if (!after) return `${left}, write ${result}`;
    return sign === '+' ? `${left}, write ${result % 10}, carry 1` : `${left}, write ${result}, borrow 1`;
  });
  return ` ${parts.join('; ')}. So ${a} ${sign} ${b} = ${value(a, b, sign)}`;
}

/** Tokens of a solution: all that the model's tokenizer splits it into before it merges are tokens of its vocabulary. */
const tokens = (solution: string): number =>
  solution.match(/[ \\]?[a-z]+|\d| ?[^\sa-z\d]+\n*|\s/gi)?.length ?? 0;

/** Random numbers of the problems of one seed. */
class Random {
  private readonly key: readonly number[];
  private words: readonly number[] = [];
  private blocks = 0;

  constructor(seed: bigint) {
    this.key = [Number(seed & 0xffffffffn), Number(seed >> 32n)];
  }

  /** Uniform in (0, 1), from 32 random bits. */
  unit(): number {
    if (this.words.length === 0) {
      // A last word that no draw of a sampler has, so the same seed can serve both.
      this.words = philox([this.blocks, this.blocks / 2 ** 32, 0, 0xffffffff], this.key);
      this.blocks++;
    }
    const unit = uniform(this.words[0]);
    this.words = this.words.slice(1);
    return unit;
  }

  /** Uniform among 0 … n − 1, each to within 2^-32. */
  below(n: number): number {
    return Math.floor(this.unit() * n);
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)];
  }

  /** Index i with probability `probabilities[i]`, which sum to 1. */
  index(probabilities: readonly number[]): number {
    let left = this.unit();
    return probabilities.findIndex((p, i) => {
      left -= p;
      return left < 0 || i === probabilities.length - 1;
    });
  }
}
