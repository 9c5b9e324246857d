import type { Pick as PickName } from '../sampling/sample.ts';
import { rowName } from './picks.ts';
import { distinct, type Result, type RunCosts, type Timing, timingKeyOf } from './result.ts';
import type { Plan, Session } from './run-folder.ts';
import { bootstrap, type Interval, majority, mcnemar, passAtK, wilson } from './statistics.ts';

/** What was run. */
export interface RunInfo {
  readonly task: string;
  readonly model: string;
  readonly adapters: string[];
  /** Most chains side by side, of each process. */
  readonly concurrency: number[];
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
 * How a sampler did, by one of the picks. An item is graded once all of its responses are there; accuracy and what follows from it is over these,
 * everything else over all responses. null stands where there is nothing to count.
 */
export interface SamplerSummary {
  /** Of the sampler and the pick. */
  readonly name: string;
  /** As on the command line. */
  readonly sampler: string;
  readonly pick: PickName;
  /** The name without the options that are budgets: one family makes one curve. */
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
  /** Means of what results have of these; null for other picks than `last`. */
  readonly mass: number | null;
  readonly overSteps: number | null;
  /** Means a response, the same for all picks of a run. Tokens that were drawn: those walked for free, too. */
  readonly drawnTokens: number | null;
  /** Tokens that went through the model, of these on a guess, and of these walked later. */
  readonly computedRows: number | null;
  readonly draftedRows: number | null;
  readonly usedDrafts: number | null;
  readonly sequentialPasses: number | null;
  /** Seconds a response at the concurrency used: each moment counts as one, and is shared among the chains that run then. */
  readonly wallSeconds: number | null;
  /** Share of proposals accepted, over all responses. */
  readonly acceptance: number | null;
  /** Means a response. */
  readonly held: number | null;
  readonly abandoned: number | null;
  /** For each cost: no other is at least as accurate at the same cost or less, and better in one of the two. */
  readonly frontier: { passes: boolean; rows: boolean; wall: boolean };
}

/** Two samplers, or two picks of one, on the items that both have graded. */
export interface Comparison {
  /** Names as in the summaries. */
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
  /** All responses are there. */
  readonly complete: boolean;
  /** Ascending, from 0: a length is counted in the bin (lower edge, upper edge]. */
  readonly lengthEdges: number[];
  readonly samplers: SamplerSummary[];
  /**
   * Each pair once, in the order of the samplers: the last states with each other, the picks of a sampler with each other, and the
   * likeliest ones with best-of-n, which returns the likeliest of its own.
   */
  readonly comparisons: Comparison[];
}

/** @param items of the run, or of its shard */
export function runInfo(plan: Plan, items: number, sessions: readonly Session[]): RunInfo {
  return {
    task: plan.task,
    model: plan.model,
    adapters: [...new Set(sessions.map(({ adapter }) => adapter))],
    concurrency: [...new Set(sessions.map(({ concurrency }) => concurrency))],
    versions: sessions.at(-1)?.versions ?? {},
    seed: plan.seed,
    samples: plan.samples,
    items,
    promptStyle: plan.promptStyle,
    badLines: plan.skippedLines,
  };
}

/** Sums up a run, be it finished or not. What belongs to none of these samplers is left out. */
export function summarise(
  run: RunInfo,
  samplers: Plan['samplers'],
  results: readonly Result[],
  timings: readonly Timing[],
): Summary {
  // In an order of its own: what is added up must not depend on which response was finished first.
  const ordered = distinct(results)
    .filter(({ sample }) => sample < run.samples)
    .sort((a, b) => (a.item === b.item ? a.sample - b.sample : a.item < b.item ? -1 : 1));
  const responses = groupBy(ordered, ({ sampler, pick }) => rowName(sampler, pick));
  const spent = spendings(samplers, ordered, distinct(timings));
  const rows = samplers.flatMap(({ picks, ...sampler }) =>
    picks.map((pick) => {
      const name = rowName(sampler.sampler, pick);
      return { ...sampler, pick, name, responses: responses.get(name) ?? [] };
    }),
  );
  const longest = rows
    .flatMap(({ responses }) => responses)
    .reduce((n, { tokens }) => Math.max(n, tokens), 1);
  const lengthEdges = edges(longest);
  const graded = rows.map(({ responses }) => gradedItems(responses, run.samples));
  const summaries = rows.map(({ name, sampler, pick, options, responses }, i) => ({
    name,
    sampler,
    pick,
    family: name.replace(/:(final-steps|steps|n|particles)=[^: ]*/g, ''),
    options: Object.fromEntries(Object.entries(options).map(([key, value]) => [key, forJson(value)])),
    ...accuracyOf(graded[i], run.samples),
    ...responsesOf(responses, lengthEdges),
    ...costOf(responses, spent),
  }));
  return {
    run,
    // No two results are of one response, and no item is beyond those of the run: then the numbers tell.
    complete:
      new Set(rows.flatMap(({ responses }) => responses.map(({ item }) => item))).size <= run.items &&
      summaries.every(({ responses, tooLong }) => responses + tooLong === run.items * run.samples),
    lengthEdges,
    samplers: summaries.map((summary) => ({
      ...summary,
      frontier: {
        passes: isUnbeaten(summary, summaries, ({ sequentialPasses }) => sequentialPasses),
        rows: isUnbeaten(summary, summaries, ({ computedRows }) => computedRows),
        wall: isUnbeaten(summary, summaries, ({ wallSeconds }) => wallSeconds),
      },
    })),
    comparisons: compareAll(rows, graded, BigInt(run.seed)),
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

const isDrawn = ({ verdict }: Result): boolean => verdict !== 'too long';

function responsesOf(results: readonly Result[], lengthEdges: readonly number[]) {
  const drawn = results.filter(isDrawn);
  const proposed = sum(drawn.map(({ moves }) => moves.proposed));
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
    mass: mean(drawn.flatMap(({ mass }) => mass ?? [])),
    overSteps: mean(drawn.flatMap(({ overSteps }) => overSteps ?? [])),
    acceptance: proposed === 0 ? null : sum(drawn.map(({ moves }) => moves.accepted)) / proposed,
    held: mean(drawn.map(({ moves }) => moves.held)),
  };
}

type Spent = RunCosts & { readonly seconds: number };

function costOf(results: readonly Result[], spent: ReadonlyMap<string, Spent>) {
  const known = results.flatMap((result) => spent.get(timingKeyOf(result)) ?? []);
  return {
    drawnTokens: mean(known.map(({ drawnTokens }) => drawnTokens)),
    computedRows: mean(known.map(({ computedRows }) => computedRows)),
    draftedRows: mean(known.map(({ draftedRows }) => draftedRows)),
    usedDrafts: mean(known.map(({ usedDrafts }) => usedDrafts)),
    sequentialPasses: mean(known.map(({ sequentialPasses }) => sequentialPasses)),
    wallSeconds: mean(known.map(({ seconds }) => seconds)),
    abandoned: mean(known.map(({ abandoned }) => abandoned)),
  };
}

/** By key of the timing, what each response cost. */
function spendings(
  samplers: Plan['samplers'],
  results: readonly Result[],
  timings: readonly Timing[],
): Map<string, Spent> {
  const drawn = new Set(results.filter(isDrawn).map(timingKeyOf));
  const times = groupBy(
    timings.filter((timing) => drawn.has(timingKeyOf(timing))),
    ({ sampler }) => sampler,
  );
  const spent = new Map<string, Spent>();
  for (const { sampler, chain } of samplers) {
    const clocks = new Map(
      [...groupBy(times.get(chain) ?? [], ({ process }) => process)].map(([process, chains]) => [
        process,
        sharedTime(chains),
      ]),
    );
    for (const timing of times.get(sampler) ?? []) {
      const clock = clocks.get(timing.process);
      if (!clock) continue;
      spent.set(timingKeyOf(timing), { ...timing.costs, seconds: clock(timing.ended) - clock(timing.began) });
    }
  }
  return spent;
}

/**
 * Time as each of several chains has it that run side by side in one process: it goes as slowly as there are of them, so that what all have
 * together is how long any ran.
 */
function sharedTime(chains: readonly Pick<Timing, 'began' | 'ended'>[]): (at: number) => number {
  const changes = chains
    .flatMap(({ began, ended }): [at: number, change: number][] => [
      [began, 1],
      [ended, -1],
    ])
    .sort(([a], [b]) => a - b);
  let running = 0;
  let passed = 0;
  const points = changes.map(([at, change], i) => {
    if (running > 0) passed += (at - changes[i - 1][0]) / running;
    running += change;
    return { at, passed, running };
  });
  return (at) => {
    let [low, high] = [0, points.length - 1]; // the last one not after `at`
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (points[middle].at <= at) low = middle;
      else high = middle - 1;
    }
    const point = points[low];
    return point.passed + (point.running > 0 ? (at - point.at) / point.running : 0);
  };
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

interface Row {
  readonly name: string;
  readonly sampler: string;
  readonly pick: PickName;
}

/** More pairs would be many, and say little: picks are made of the same runs. */
function isCompared(a: Row, b: Row): boolean {
  if (a.sampler === b.sampler || (a.pick === 'last' && b.pick === 'last')) return true;
  const isLikeliest = ({ pick, sampler }: Row) =>
    pick === 'likeliest' || (pick === 'last' && /^best-of-n(:|$)/.test(sampler));
  return (a.pick === 'last' || b.pick === 'last') && isLikeliest(a) && isLikeliest(b);
}

function compareAll(rows: readonly Row[], graded: readonly Graded[], seed: bigint): Comparison[] {
  const pairs = rows.flatMap((a, i) =>
    rows.flatMap((b, j) =>
      j > i && isCompared(a, b) ? [{ a: a.name, b: b.name, ...paired(graded[i], graded[j]) }] : [],
    ),
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
