/** Budgets of samplers, and the curves through them. */
import type { SamplerSummary, Summary } from '../../../src/eval/summary.ts';

/** A budget of a sampler: what it costs, and how often it is right. */
export interface Budget {
  readonly cost: number;
  readonly accuracy: number;
}

/**
 * The cost at which a sampler reaches a level: where the line between two budgets first crosses it, the costs taken as logarithms.
 * @returns that of the cheapest budget where it is above the level already; undefined where none reaches it
 */
export function costAt(level: number, budgets: readonly Budget[]): number | undefined {
  const sorted = budgets.toSorted((a, b) => a.cost - b.cost);
  const first = sorted.findIndex(({ accuracy }) => accuracy >= level);
  if (first <= 0) return sorted[first]?.cost;
  const [below, above] = [sorted[first - 1], sorted[first]];
  const share = (level - below.accuracy) / (above.accuracy - below.accuracy);
  return below.cost * (above.cost / below.cost) ** share;
}

/**
 * How often a sampler is right at a cost: on the line between the budgets beside it, the costs taken as logarithms.
 * @returns that of the dearest budget beyond it; undefined below the cheapest
 */
export function accuracyAt(cost: number, budgets: readonly Budget[]): number | undefined {
  const sorted = budgets.toSorted((a, b) => a.cost - b.cost);
  const next = sorted.findIndex((budget) => budget.cost > cost);
  if (next === 0 || sorted.length === 0) return undefined;
  if (next < 0) return sorted[sorted.length - 1].accuracy;
  const [below, above] = [sorted[next - 1], sorted[next]];
  const share = Math.log(cost / below.cost) / Math.log(above.cost / below.cost);
  return below.accuracy + share * (above.accuracy - below.accuracy);
}

/** A sampler's budgets. */
export interface Curve {
  readonly name: string;
  /** How often each is right; without the tree the answers are those with it. */
  readonly rows: readonly SamplerSummary[];
  /** What each costs; without the tree these are means of fewer problems. */
  readonly costs: readonly SamplerSummary[];
  readonly without: boolean;
}

export type Cost = 'sequentialPasses' | 'computedRows';

/** There is one as soon as a problem is answered. */
export const known = (value: number | null): number => value ?? Number.NaN;

export const budgetsOf = ({ rows, costs }: Pick<Curve, 'rows' | 'costs'>, cost: Cost): Budget[] =>
  rows.map(({ accuracy }, i) => ({ cost: known(costs[i][cost]), accuracy: known(accuracy) }));

/** By their last states. */
export function curvesOf({ samplers }: Summary, without: Summary): Curve[] {
  const last = samplers.filter(({ pick }) => pick === 'last');
  const curve = (name: string, starts: string): Curve => {
    const rows = last.filter(({ sampler }) => sampler.startsWith(starts));
    return { name, rows, costs: rows, without: false };
  };
  const off = (name: string, starts: string): Curve => {
    const costs = without.samplers.filter(
      ({ sampler, pick }) => pick === 'last' && sampler.startsWith(starts),
    );
    const rows = costs.map(({ sampler }) => named(last, sampler.replace(':tree=off', '')));
    return { name: `${name}, tree off`, rows, costs, without: true };
  };
  return [
    curve('egps', 'egps:final-steps='),
    off('egps', 'egps:tree=off:final-steps='),
    curve('egps by blocks', 'egps:growth=blocks'),
    off('egps by blocks', 'egps:tree=off:growth=blocks'),
    ...['metropolis', 'karan-du', 'smc', 'best-of-n'].flatMap((name) => [curve(name, name), off(name, name)]),
    curve('entropy-cut', 'entropy-cut'),
    curve('sample, T = 1/4', 'sample:temperature=0.25'),
    curve('greedy', 'greedy'),
  ];
}

export function named(samplers: readonly SamplerSummary[], name: string): SamplerSummary {
  const found = samplers.find(({ sampler }) => sampler === name);
  if (!found) throw new Error(`no results of ${name}`);
  return found;
}
