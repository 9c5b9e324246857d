import { OptionError } from '../base/errors.ts';
import type { Sample } from './sample.ts';
import type { Trace } from './trace.ts';

/** How the cuts within a stretch of the response fared. */
export interface CutBin {
  /** First position of the stretch; it ends where the next one begins. */
  from: number;
  /** Steps that drew candidates from a cut in it. */
  proposed: number;
  /** Of those, the steps that took one. */
  accepted: number;
}

/** What several chains of one prompt say about convergence. */
export interface Diagnostics {
  /** How many were compared. */
  chains: number;
  /** Final steps a chain that `rhat` and `ess` rest on. */
  draws: number;
  /** Split-R̂ of log p; above 1.01 the chains disagree. NaN where it is undefined. */
  rhat: number;
  /** Effective sample size of log p over all chains. NaN where it is undefined. */
  ess: number;
  /** Different responses among the chains' last ones. */
  distinct: number;
  /** How often steps were accepted, by where they cut. */
  acceptance: CutBin[];
}

/**
 * Diagnostics of independent chains of one prompt. The draws are log p of the response after each of the last `finalSteps` steps,
 * those at the full horizon; fewer where a chain has fewer steps since it was last grown.
 * @param width positions a bin of the acceptance
 * @throws OptionError
 */
export function diagnose(
  samples: readonly Pick<Sample, 'tokens' | 'trace'>[],
  finalSteps: number,
  width: number,
): Diagnostics {
  const refined = samples.map(({ trace: { steps } }) => {
    const grown = steps.findLastIndex(({ kind }) => kind === 'grow');
    return steps.slice(grown + 1).map(({ logp }) => logp);
  });
  const draws = samples.length > 0 ? Math.min(finalSteps, ...refined.map(({ length }) => length)) : 0;
  const logp = refined.map((values) => values.slice(values.length - draws));
  return {
    chains: samples.length,
    draws,
    rhat: splitRhat(logp),
    ess: effectiveSampleSize(logp),
    distinct: new Set(samples.map(({ tokens }) => tokens.join())).size,
    acceptance: acceptanceByPosition(
      samples.map(({ trace }) => trace),
      width,
    ),
  };
}

/**
 * Split-R̂ (Gelman et al., BDA3; Vehtari et al. 2021, without ranks): each chain is cut into halves, and the variance over all of
 * them is compared with that within them. 1 when every draw is equal, infinite when they differ between halves alone.
 * @param draws [chain][step]
 * @returns NaN where it is undefined: no chain, fewer than 4 draws a chain, a draw that is not finite
 */
function splitRhat(draws: readonly number[][]): number {
  const chains = halves(draws);
  if (!chains) return Number.NaN;
  if (isConstant(chains)) return 1;
  const { within, total } = variances(chains);
  return Math.sqrt(total / within);
}

/**
 * Effective sample size over all chains: Geyer's initial monotone sequence on split chains, as in Stan, but with the lags up to the
 * last one: a few draws that stand still are then not taken for many. At most n·log10(n) for n draws in all.
 * @param draws [chain][step]
 * @returns NaN where `splitRhat` is undefined, and when every draw is equal
 */
function effectiveSampleSize(draws: readonly number[][]): number {
  const chains = halves(draws);
  if (!chains || isConstant(chains)) return Number.NaN;
  const { length } = chains[0];
  const { within, total } = variances(chains);
  const centred = chains.map((chain) => {
    const m = mean(chain);
    return chain.map((x) => x - m);
  });
  /** Autocorrelation over all chains; 0 beyond the last lag. */
  const rho = (lag: number): number => {
    if (lag === 0) return 1;
    if (lag >= length) return 0;
    const autocovariance = mean(
      centred.map((x) => x.reduce((sum, d, t) => sum + (t >= lag ? d * x[t - lag] : 0), 0) / length),
    );
    return 1 - (within - autocovariance) / total;
  };

  // Pairs of lags have a positive, falling sum in truth: stop at the first one that has not, let no sum rise.
  let tau = -1;
  let last = Number.POSITIVE_INFINITY;
  for (let lag = 0; lag < length; lag += 2) {
    const even = rho(lag);
    const pair = even + rho(lag + 1);
    if (!(pair > 0)) {
      tau += Math.max(0, even);
      break;
    }
    last = Math.min(last, pair);
    tau += 2 * last;
  }
  const n = chains.length * length;
  return n / Math.max(tau, 1 / Math.log10(n));
}

/**
 * Proposed and accepted moves by the position of their cut, in bins of `width` positions, as many as the longest response or the
 * last cut calls for.
 * @throws OptionError
 */
function acceptanceByPosition(traces: readonly Trace[], width: number): CutBin[] {
  if (!Number.isInteger(width) || width < 1) {
    throw new OptionError(`width is ${width}: a whole number of positions from 1 on`);
  }
  const moves = traces.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'propose'));
  const ends = [...traces.map(({ drawnAt }) => drawnAt.length), ...moves.map(({ cut }) => cut + 1)];
  const longest = ends.reduce((a, b) => Math.max(a, b), 0);
  const bins = Array.from({ length: Math.ceil(longest / width) }, (_, b) => ({
    from: b * width,
    proposed: 0,
    accepted: 0,
  }));
  for (const { cut, outcome } of moves) {
    const bin = bins[Math.floor(cut / width)];
    bin.proposed++;
    if (outcome >= 0) bin.accepted++;
  }
  return bins;
}

/** Both halves of every chain, all of one length, without the middle draw of an odd number; undefined where they say nothing. */
function halves(draws: readonly number[][]): number[][] | undefined {
  const length = draws[0]?.length ?? 0;
  if (length < 4 || !draws.flat().every(Number.isFinite)) return undefined;
  const half = Math.floor(length / 2);
  return draws.flatMap((chain) => [chain.slice(0, half), chain.slice(length - half)]);
}

/** The mean variance within the chains, and the one of all draws estimated from it and from the chains' means. */
function variances(chains: readonly number[][]): { within: number; total: number } {
  const { length } = chains[0];
  const within = mean(chains.map(variance));
  return { within, total: (within * (length - 1)) / length + variance(chains.map(mean)) };
}

const isConstant = (chains: readonly number[][]): boolean => chains.flat().every((x) => x === chains[0][0]);

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Unbiased. */
const variance = (values: readonly number[]): number => {
  const m = mean(values);
  return values.reduce((sum, x) => sum + (x - m) ** 2, 0) / (values.length - 1);
};
