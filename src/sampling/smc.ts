import type { RandomSource } from './random.ts';
import { isFinished, logProbability } from './response.ts';
import type { Branch, Rollout } from './rollout.ts';
import { logMeanExp, logWeight, type Target } from './target.ts';
import type { Step, Trace } from './trace.ts';
import type { Weighted } from './visits.ts';

export interface Particle extends Branch {
  /** log of its weight, unnormalised. */
  logW: number;
  /** Its number in every round, in itself and in its ancestors, the last one first. */
  line: Line | null;
}

interface Line {
  readonly before: Line | null;
  readonly candidate: number;
  /** Tokens that there were before the round. */
  readonly cut: number;
}

/** What all particles have in common in a round. */
type Round = Pick<Step, 'block' | 'lengths' | 'account'>;

/** Tokens between two looks at the weights. */
export const STRIDE = 16;

/**
 * Sequential Monte Carlo on p^α: `particles` responses grow by the proposal q, each weighted by p^α / q of its tokens. Every 16 tokens, where
 * the effective number of weights has fallen below half of them, they are drawn again by systematic resampling. One of the responses
 * is drawn by weight at the end. Exact as their number grows, biased for few.
 * @param beside branches that are continued in the same passes, and are none of the particles
 */
export async function smc(
  rollout: Rollout,
  target: Target,
  random: RandomSource,
  { maxNewTokens, particles: n }: { readonly maxNewTokens: number; readonly particles: number },
  beside: readonly Branch[] = [],
): Promise<{ particles: Particle[]; chosen: Particle; trace: Trace }> {
  rollout.blocks = Math.ceil(maxNewTokens / STRIDE);
  rollout.steps = Math.max(rollout.steps, rollout.blocks);
  let particles = Array.from({ length: n }, (_, candidate): Particle => {
    return { ...rollout.root(), candidate, logW: 0, line: null };
  });
  rollout.visited = () => ({ particles: weighted(particles), states: [] });
  const rounds: Round[] = [];
  for (let step = 0; ; step++) {
    rollout.block = step + 1;
    const horizon = Math.min(rollout.block * STRIDE, maxNewTokens);
    const all = [...particles, ...beside];
    const starts = all.map(({ response }) => response.tokens.length);
    const first = particles[0];
    await rollout.advance(
      all,
      horizon,
      step,
      rollout.telling(step, () => first.response),
    );
    for (const [i, { response }] of all.entries()) {
      rollout.account.drawnTokens += response.tokens.length - starts[i];
    }
    const lengths = particles.map(({ response }) => response.tokens.length);
    for (const [i, particle] of particles.entries()) {
      particle.logW += logWeight(target, particle.response, starts[i]);
      particle.line = { before: particle.line, candidate: particle.candidate, cut: starts[i] };
    }
    rounds.push({ block: rollout.block, lengths, account: { ...rollout.account } });
    const best = particles.reduce((a, b) => (b.logW > a.logW ? b : a));
    rollout.report(step + 1, best.response);

    if (particles.every(({ response }) => isFinished(response, maxNewTokens))) {
      const key = ({ logW, candidate }: Particle) => logW + random.select(step, candidate);
      const chosen = particles.reduce((a, b) => (key(b) > key(a) ? b : a));
      return { particles, chosen, trace: traceOf(chosen, rounds) };
    }
    if (effectiveNumber(particles) < n / 2) particles = resample(rollout, particles, random.cut(step));
  }
}

/** How the particle's response came about: a growth each round. */
function traceOf({ response, line }: Particle, rounds: readonly Round[]): Trace {
  const { tokens, entropy, logp, origins } = response;
  const drawnAt = new Uint32Array(tokens.length);
  const steps: Step[] = [];
  let end = tokens.length;
  for (let at = line, n = rounds.length - 1; at; at = at.before, n--) {
    const { candidate, cut } = at;
    drawnAt.fill(n, cut, end);
    steps.unshift({
      ...rounds[n],
      kind: 'grow',
      cut,
      abandoned: rounds[n].lengths.map(() => false),
      logRho: [],
      outcome: candidate,
      tokens: tokens.slice(cut, end),
      entropy: entropy.slice(cut, end),
      tokenLogp: logp.slice(cut, end),
      origins: origins.slice(cut, end),
      logp: logProbability({ logp: logp.subarray(0, end) }),
    });
    end = cut;
  }
  return { steps, drawnAt };
}

/** Weights of particles, which sum to 1. */
export function normalised(particles: readonly Pick<Particle, 'logW'>[]): number[] {
  const most = Math.max(...particles.map(({ logW }) => logW));
  const weights = particles.map(({ logW }) => Math.exp(logW - most));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

/** The responses of particles with their weights. */
export function weighted(particles: readonly Particle[]): Weighted[] {
  if (particles.length === 0) return [];
  const weights = normalised(particles);
  return particles.map(({ response }, i) => ({ response, weight: weights[i] }));
}

/** (Σw)² / Σw² */
const effectiveNumber = (particles: readonly Particle[]): number =>
  1 / normalised(particles).reduce((total, w) => total + w ** 2, 0);

/** Systematic resampling: as many particles, each with the mean weight; one of weight w has n·w / Σw heirs, rounded up or down. */
function resample(rollout: Rollout, particles: readonly Particle[], u: number): Particle[] {
  const logMean = logMeanExp(particles.map(({ logW }) => logW));
  const heirs: Particle[] = [];
  let owed = u;
  for (const parent of particles) {
    owed += Math.exp(parent.logW - logMean);
    for (; heirs.length + 1 <= owed && heirs.length < particles.length; ) {
      const fork = rollout.fork(parent, parent.response.tokens.length, heirs.length);
      heirs.push({ ...fork, logW: logMean, line: parent.line });
    }
  }
  return heirs;
}
