import { DistributionError } from '../base/errors.ts';
import type { Sharpening, Summary } from '../engine/language-model.ts';

/** What is drawn from a distribution, and what is to be known of it. */
export interface Law extends Sharpening {
  /** Keep the k most likely tokens (ties with the k-th are kept). */
  readonly topK?: number;
  /** Then keep the smallest set of most likely tokens whose mass at this temperature reaches topP. */
  readonly topP?: number;
}

/** A token and its d: its logit less the largest one. */
export interface Drawn {
  readonly token: number;
  readonly distance: number;
}

/** A next-token distribution p and the proposal q made of it, in f64. Logarithms and entropies in nats. */
export class Distribution {
  /** log Σ_v p(v)^α ≤ 0. */
  readonly logZ: number;
  /** Of p. */
  readonly entropy: number;
  private readonly summary: Summary;
  /** log Σ e^d, and the same of what q keeps, at its temperature. */
  private readonly logBase: number;
  private readonly logTempered: number;
  private readonly inverseTemperature: number;
  /** Of each entry in the order of ids and all before it: e^(d / τ), as far as q keeps them. */
  private readonly cumulative: Float64Array;
  /** The last entry that has any weight. */
  private readonly last: number;
  /** The likeliest, of the lowest id. */
  private readonly top: number;
  /** Mass of what is not listed, as q keeps it. */
  private readonly tail: number;

  /**
   * @param position of the token that is drawn from it, for errors
   * @throws DistributionError for a summary that contradicts itself
   */
  constructor(summary: Summary, { alpha, temperature, topK, topP }: Law, position: number) {
    checkSummary(summary, position);
    const { ids, distances, base, mean, sharp, tempered } = summary;
    this.summary = summary;
    this.inverseTemperature = temperature > 0 ? 1 / temperature : 0;
    const truncated = topK !== undefined || topP !== undefined;
    const least = truncated ? leastKept(summary, { temperature, topK, topP }) : -Infinity;
    this.top = distances.indexOf(0);
    this.tail = truncated ? 0 : tempered;
    this.cumulative = new Float64Array(ids.length);

    // Sums without the top entry, whose term is 1: what is nearly certain keeps its full relative precision.
    let [restBase, restMean, restSharp, restTempered] = [base, mean, sharp, this.tail];
    let below = 0;
    let last = this.top;
    for (let i = 0; i < ids.length; i++) {
      const d = distances[i];
      const q = d >= least ? Math.exp(d * this.inverseTemperature) : 0;
      below += q;
      this.cumulative[i] = below;
      if (q > 0) last = i;
      if (i === this.top) continue;
      const e = Math.exp(d);
      restBase += e;
      restMean += d * e;
      restSharp += Math.exp(alpha * d);
      restTempered += q;
    }
    this.last = last;
    this.logBase = Math.log1p(restBase);
    this.logTempered = Math.log1p(restTempered);
    this.logZ = Math.min(0, Math.log1p(restSharp) - alpha * this.logBase); // above 0 by rounding only
    this.entropy = Math.max(0, this.logBase - restMean / (1 + restBase));
  }

  /**
   * The token that a uniform number in (0, 1) falls on, by inverse distribution function in the order of ids.
   * @returns undefined for one of those that are not listed
   */
  draw(u: number): Drawn | undefined {
    const { ids, distances } = this.summary;
    if (this.inverseTemperature === 0) return { token: ids[this.top], distance: 0 };
    const { cumulative } = this;
    const target = u * (cumulative[ids.length - 1] + this.tail);
    if (this.tail > 0 && target >= cumulative[ids.length - 1]) return undefined;
    let [low, high] = [0, this.last]; // the first whose cumulative weight exceeds the target
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle] > target) high = middle;
      else low = middle + 1;
    }
    return { token: ids[low], distance: distances[low] };
  }

  /** The d of a token, if it is listed. */
  find(token: number): Drawn | undefined {
    const { ids, distances } = this.summary;
    const i = ids.indexOf(token);
    return i < 0 ? undefined : { token, distance: distances[i] };
  }

  /** log p of a token, from its d. */
  logp({ distance }: Drawn): number {
    return distance - this.logBase;
  }

  /** log q of a token that q keeps; 0 when greedy. */
  logq({ distance }: Drawn): number {
    return this.inverseTemperature === 0 ? 0 : distance * this.inverseTemperature - this.logTempered;
  }

  /** log p of the likeliest entries that are listed, likeliest first, of equal ones the lowest id: so the greedy token is the first. */
  alternatives(most: number = Infinity): { token: number; logp: number }[] {
    const { ids, distances } = this.summary;
    return leading(distances, most).map((i) => ({ token: ids[i], logp: distances[i] - this.logBase }));
  }
}

/** Whether the list says all that top-k and top-p need to know: what is kept must be followed by something that is not. */
export function suffices({ ids, distances, base, tempered }: Summary, law: Law): boolean {
  if (law.topK === undefined && law.topP === undefined) return true;
  if (base === 0) return true; // everything is listed
  if (law.topK !== undefined && law.topK < ids.length) return true;
  if (law.topK !== undefined || law.topP === undefined || law.topP >= 1) return false;
  const weights = descending(distances).map((d) => Math.exp(d / law.temperature));
  const listed = weights.reduce((a, b) => a + b, 0);
  return listed - weights[weights.length - 1] >= law.topP * (listed + tempered);
}

/** Where the greatest values stand, the greatest first, of equal ones the first. */
function leading(values: ArrayLike<number>, most: number): number[] {
  if (most >= values.length) return Array.from(values, (_, i) => i).sort((a, b) => values[b] - values[a]);
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    let at = found.length;
    while (at > 0 && values[i] > values[found[at - 1]]) at--;
    if (at === most) continue;
    found.splice(at, 0, i);
    if (found.length > most) found.pop();
  }
  return found;
}

const descending = (values: ArrayLike<number>): number[] => Array.from(values).sort((a, b) => b - a);

/** The least d that top-k and then top-p keep. */
function leastKept(
  { distances, tempered }: Summary,
  { temperature, topK = Infinity, topP = 1 }: Law | Omit<Law, 'alpha'>,
): number {
  const sorted = descending(distances);
  let least = topK < sorted.length ? sorted[topK - 1] : -Infinity;
  if (topP >= 1) return least;
  const kept = sorted.filter((d) => d >= least);
  const mass = kept.map((d) => Math.exp(d / temperature));
  const wanted = topP * (mass.reduce((a, b) => a + b, 0) + (topK === Infinity ? tempered : 0));
  for (let reached = 0, i = 0; reached < wanted && i < kept.length; i++) {
    reached += mass[i];
    least = kept[i];
  }
  return least;
}

/**
 * The summary of a row of logits in f64.
 * @param entries that are listed at the least, the largest ones; what equals the last of them is listed too
 */
export function summarise(
  logits: ArrayLike<number>,
  { alpha, temperature }: Sharpening,
  entries: number = Infinity,
): Summary {
  let most = -Infinity;
  for (let v = 0; v < logits.length; v++) most = Math.max(most, logits[v]);
  const d = new Float64Array(logits).map((l) => l - most);
  const least = entries < d.length ? descending(d)[entries - 1] : -Infinity;
  const ids: number[] = [];
  let [base, mean, sharp, tempered] = [0, 0, 0, 0];
  for (let v = 0; v < d.length; v++) {
    const x = d[v];
    if (x >= least && x > -Infinity) ids.push(v);
    else if (x > -Infinity) {
      base += Math.exp(x);
      mean += x * Math.exp(x);
      sharp += Math.exp(alpha * x);
      tempered += Math.exp(x / temperature);
    }
  }
  return {
    ids: new Uint32Array(ids),
    distances: new Float64Array(ids).map((v) => d[v]),
    base,
    mean,
    sharp,
    tempered,
  };
}

/** @throws DistributionError */
function checkSummary({ ids, distances, base, mean, sharp, tempered }: Summary, position: number): void {
  const refuse = (message: string): never => {
    throw new DistributionError(message, position);
  };
  if (ids.length === 0) refuse('no logit is listed');
  if (ids.length !== distances.length) refuse(`${ids.length} ids are listed with ${distances.length} logits`);
  let top = false;
  for (let i = 0; i < ids.length; i++) {
    if (i > 0 && ids[i] <= ids[i - 1]) refuse(`the ids listed do not ascend: ${ids[i - 1]}, then ${ids[i]}`);
    if (!(distances[i] <= 0)) refuse(`the logit of token ${ids[i]} is ${distances[i]} above the largest`);
    if (distances[i] === 0) top = true;
  }
  if (!top) refuse('the largest logit is not listed');
  const check = (name: string, sum: number) => {
    if (!(sum >= 0 && sum < Infinity)) refuse(`the sum ${name} of the logits that are not listed is ${sum}`);
  };
  check('base', base);
  check('sharp', sharp);
  check('tempered', tempered);
  if (!(mean <= 0 && mean > -Infinity)) refuse(`the sum mean of the logits that are not listed is ${mean}`);
}
