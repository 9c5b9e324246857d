import { distinct, keyOf, type Result, type Timing } from './result.ts';
import { bootstrap, type Interval, majority, mcnemar, passAtK, wilson } from './statistics.ts';

/** What was run. */
export interface RunInfo {
  readonly task: string;
  readonly model: string;
  readonly adapters: string[];
  readonly versions: Record<string, string>;
  readonly seed: string;
  /** Responses an item. */
  readonly samples: number;
  readonly items: number;
  readonly promptStyle: string;
  /** Lines of the task's file that were skipped. */
  readonly badLines: number;
}

/**
 * How a sampler did. An item is graded once all of its responses are there; accuracy and what follows from it is over these,
 * everything else over all responses. null stands where there is nothing to count.
 */
export interface SamplerSummary {
  /** As on the command line. */
  readonly sampler: string;
  /** The same without the options that are budgets: samplers of one family make one curve. */
  readonly family: string;
  /** Resolved; what JSON has no number for is a string. */
  readonly options: Record<string, unknown>;
  /** Graded items; too long ones are not among them. */
  readonly items: number;
  /** Responses drawn; too long ones are not among them. */
  readonly responses: number;
  /** Responses that were not drawn, the item being too long. */
  readonly tooLong: number;
  readonly noAnswer: number;
  readonly timedOut: number;
  /** Right responses to graded items. */
  readonly right: number;
  /** Mean over graded items of the share of right responses: pass@1. */
  readonly accuracy: number | null;
  /** Wilson's, 95 %, with the graded items as sample size. */
  readonly interval: Interval | null;
  /** For k = 1, 2, 4, … and the number of samples; empty with one sample. */
  readonly passAt: { k: number; value: number }[];
  /** Of the most frequent answer to each graded item; null with one sample. */
  readonly majority: { right: number; accuracy: number; interval: Interval } | null;
  /** Mean log p of a response, nats. */
  readonly logp: number | null;
  /** Mean length of a response, tokens. */
  readonly length: number | null;
  /** Responses between each two of the summary's `lengthEdges`. */
  readonly lengths: number[];
  /** Share of responses that were cut at the most tokens allowed. */
  readonly cutAtHorizon: number | null;
  /** Means a response. */
  readonly decodedTokens: number | null;
  readonly sequentialSteps: number | null;
  /** Seconds a response at the concurrency used: how long any was being drawn, over their number. */
  readonly wallSeconds: number | null;
  /** Share of proposals accepted, over all responses. */
  readonly acceptance: number | null;
  /** Means a response. */
  readonly held: number | null;
  readonly abandoned: number | null;
  /** For each cost: no other sampler is at least as accurate at the same cost or less, and better in one of the two. */
  readonly frontier: { decoded: boolean; sequential: boolean; wall: boolean };
}

/** Two samplers on the items that both have graded. */
export interface Comparison {
  readonly a: string;
  readonly b: string;
  readonly items: number;
  /** Items by which of the two is right in its first response. */
  readonly both: number;
  readonly onlyA: number;
  readonly onlyB: number;
  readonly neither: number;
  /** McNemar's, exact and two-sided, of these. */
  readonly p: number | null;
  /** Accuracy of a − accuracy of b. */
  readonly difference: number | null;
  /** Of the difference: bootstrap over items, 95 %. */
  readonly interval: Interval | null;
}

/** What summary.json holds. */
export interface Summary {
  readonly run: RunInfo;
  /** Every sampler has all of its responses. */
  readonly complete: boolean;
  /** Ascending, from 0: a length is counted in the bin (lower edge, upper edge]. */
  readonly lengthEdges: number[];
  readonly samplers: SamplerSummary[];
  /** Each pair once, in the order of the samplers. */
  readonly comparisons: Comparison[];
}

/** Sums up a run, be it finished or not. What belongs to none of these samplers is left out. */
export function summarise(
  run: RunInfo,
  samplers: readonly { sampler: string; options: Record<string, unknown> }[],
  results: readonly Result[],
  timings: readonly Timing[],
): Summary {
  // In an order of its own: what is added up must not depend on which response was finished first.
  const ordered = distinct(results)
    .filter(({ sample }) => sample < run.samples)
    .sort((a, b) => (a.item === b.item ? a.sample - b.sample : a.item < b.item ? -1 : 1));
  const responses = groupBy(ordered, ({ sampler }) => sampler);
  const times = groupBy(distinct(timings), ({ sampler }) => sampler);
  const all = samplers.flatMap(({ sampler }) => responses.get(sampler) ?? []);
  const lengthEdges = edges(all.reduce((longest, { tokens }) => Math.max(longest, tokens), 1));
  const graded = samplers.map(({ sampler }) => gradedItems(responses.get(sampler) ?? [], run.samples));
  const summaries = samplers.map(({ sampler, options }, i) => ({
    sampler,
    family: sampler.replace(/:(final-steps|steps|n)=[^:]*/g, ''),
    options: Object.fromEntries(Object.entries(options).map(([key, value]) => [key, forJson(value)])),
    ...accuracyOf(graded[i], run.samples),
    ...costOf(responses.get(sampler) ?? [], times.get(sampler) ?? [], lengthEdges),
  }));
  return {
    run,
    complete: summaries.every(({ responses, tooLong }) => responses + tooLong === run.items * run.samples),
    lengthEdges,
    samplers: summaries.map((summary) => ({
      ...summary,
      frontier: {
        decoded: isUnbeaten(summary, summaries, ({ decodedTokens }) => decodedTokens),
        sequential: isUnbeaten(summary, summaries, ({ sequentialSteps }) => sequentialSteps),
        wall: isUnbeaten(summary, summaries, ({ wallSeconds }) => wallSeconds),
      },
    })),
    comparisons: compareAll(
      samplers.map(({ sampler }) => sampler),
      graded,
      BigInt(run.seed),
    ),
  };
}

/** The responses to each graded item, by their number. */
type Graded = Map<string, Result[]>;

function groupBy<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}

function gradedItems(results: readonly Result[], samples: number): Graded {
  const drawn = groupBy(
    results.filter(({ verdict }) => verdict !== 'too long'),
    ({ item }) => item,
  );
  return new Map([...drawn].filter(([, responses]) => responses.length === samples));
}

const isRight = ({ verdict }: Result): boolean => verdict === 'right';
const rightOf = (responses: readonly Result[]): number => responses.filter(isRight).length;
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : sum(values) / values.length;

/** JSON has no bigint and neither infinities nor NaN. */
const forJson = (value: unknown): unknown =>
  typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value;

function accuracyOf(graded: Graded, samples: number) {
  const items = graded.size;
  const counts = [...graded.values()].map(rightOf);
  const right = sum(counts);
  const several = samples > 1 && items > 0;
  const ks: number[] = [];
  for (let k = 1; k < samples; k *= 2) ks.push(k);
  ks.push(samples);
  return {
    items,
    right,
    accuracy: items === 0 ? null : right / (items * samples),
    interval: items === 0 ? null : wilson(right / samples, items),
    passAt: several
      ? ks.map((k) => ({ k, value: sum(counts.map((c) => passAtK(samples, c, k))) / items }))
      : [],
    majority: several ? majorityOf(graded) : null,
  };
}

function majorityOf(graded: Graded): SamplerSummary['majority'] {
  const right = [...graded.values()].filter((responses) => {
    const elected = majority(responses.map(({ answer }) => answer));
    return elected >= 0 && isRight(responses[elected]);
  }).length;
  return { right, accuracy: right / graded.size, interval: wilson(right, graded.size) };
}

function costOf(results: readonly Result[], timings: readonly Timing[], lengthEdges: readonly number[]) {
  const drawn = results.filter(({ verdict }) => verdict !== 'too long');
  const accounts = drawn.map(({ account }) => account);
  const proposed = sum(accounts.map((account) => account.proposed));
  const lengths = lengthEdges.slice(1).map(() => 0);
  for (const { tokens } of drawn) lengths[Math.max(0, Math.ceil(tokens / lengthEdges[1]) - 1)]++;
  return {
    responses: drawn.length,
    tooLong: results.length - drawn.length,
    noAnswer: drawn.filter(({ verdict }) => verdict === 'no answer').length,
    timedOut: drawn.filter(({ verdict }) => verdict === 'timed out').length,
    logp: mean(drawn.flatMap(({ logp }) => logp ?? [])),
    length: mean(drawn.map(({ tokens }) => tokens)),
    lengths,
    cutAtHorizon: mean(drawn.map(({ finish }) => Number(finish === 'length'))),
    decodedTokens: mean(accounts.map(({ decodedTokens }) => decodedTokens)),
    sequentialSteps: mean(accounts.map(({ sequentialSteps }) => sequentialSteps)),
    wallSeconds: wallSecondsOf(drawn, timings),
    acceptance: proposed === 0 ? null : sum(accounts.map(({ accepted }) => accepted)) / proposed,
    held: mean(accounts.map(({ held }) => held)),
    abandoned: mean(accounts.map(({ abandoned }) => abandoned)),
  };
}

/** For each process how long any of its responses was being drawn, summed over the processes, over the responses. */
function wallSecondsOf(drawn: readonly Result[], timings: readonly Timing[]): number | null {
  const keys = new Set(drawn.map(keyOf));
  const own = timings.filter((timing) => keys.has(keyOf(timing)));
  let seconds = 0;
  for (const timed of groupBy(own, ({ process }) => process).values()) {
    let end = -Infinity;
    for (const { began, ended } of timed.sort((a, b) => a.began - b.began)) {
      seconds += Math.max(0, ended - Math.max(began, end));
      end = Math.max(end, ended);
    }
  }
  return own.length === 0 ? null : seconds / own.length;
}

/** Edges of at most 24 bins of one width, a power of two as most limits are, up to the longest response. */
function edges(longest: number): number[] {
  let width = 1;
  while (longest > 24 * width) width *= 2;
  return Array.from({ length: Math.ceil(longest / width) + 1 }, (_, i) => i * width);
}

type Rated = Omit<SamplerSummary, 'frontier'>;

function isUnbeaten(one: Rated, all: readonly Rated[], costOf: (summary: Rated) => number | null): boolean {
  const { accuracy } = one;
  const cost = costOf(one);
  if (accuracy === null || cost === null) return false;
  return !all.some((other) => {
    const otherCost = costOf(other);
    if (other.accuracy === null || otherCost === null) return false;
    const better = other.accuracy > accuracy || otherCost < cost;
    return other.accuracy >= accuracy && otherCost <= cost && better;
  });
}

function compareAll(names: readonly string[], graded: readonly Graded[], seed: bigint): Comparison[] {
  const pairs = names.flatMap((a, i) =>
    names.slice(i + 1).map((b, j) => ({ a, b, ...paired(graded[i], graded[i + 1 + j]) })),
  );
  // Pairs with as many items in common share their draws, which are most of the work.
  const intervals = new Map<readonly number[], Interval>();
  for (const [size, columns] of groupBy(
    pairs.map(({ differences }) => differences),
    ({ length }) => String(length),
  )) {
    if (size === '0') continue;
    for (const [i, interval] of bootstrap(columns, seed).entries()) intervals.set(columns[i], interval);
  }
  return pairs.map(({ differences, ...comparison }) => ({
    ...comparison,
    difference: mean(differences),
    interval: intervals.get(differences) ?? null,
  }));
}

function paired(a: Graded, b: Graded) {
  const common = [...a.keys()].filter((item) => b.has(item));
  const count = (rightA: boolean, rightB: boolean) =>
    common.filter((item) => isRight(ofItem(a, item)[0]) === rightA && isRight(ofItem(b, item)[0]) === rightB)
      .length;
  const onlyA = count(true, false);
  const onlyB = count(false, true);
  return {
    items: common.length,
    both: count(true, true),
    onlyA,
    onlyB,
    neither: count(false, false),
    p: common.length === 0 ? null : mcnemar(onlyA, onlyB),
    differences: common.map((item) => {
      const [ofA, ofB] = [ofItem(a, item), ofItem(b, item)];
      return rightOf(ofA) / ofA.length - rightOf(ofB) / ofB.length;
    }),
  };
}

const ofItem = (graded: Graded, item: string): readonly Result[] => graded.get(item) as Result[];
