import type { Schedule } from './power-chain.ts';
import type { RandomSource } from './random.ts';
import { isFinished, logProbability, type Response } from './response.ts';
import type { Branch, Rollout } from './rollout.ts';
import { logMeanExp, logWeight, type Target } from './target.ts';
import type { Trace } from './trace.ts';

interface Particle extends Branch {
  /** log of its weight, unnormalised. */
  logW: number;
  /** How its response came about, in itself and in its ancestors. */
  trace: Trace;
}

/**
 * Sequential Monte Carlo on p^α: `n` responses grow block by block with the proposal q, each weighted by p^α / q of its tokens.
 * Where the effective number of weights has fallen below n / 2 after a block they are drawn again by systematic resampling. One
 * of the responses is drawn by weight at the end. Exact as n grows, biased for few.
 */
export async function smc(
  rollout: Rollout,
  target: Target,
  random: RandomSource,
  { n, maxNewTokens, blockSize }: Pick<Schedule, 'maxNewTokens' | 'blockSize'> & { n: number },
): Promise<{ response: Response; trace: Trace }> {
  rollout.blocks = Math.ceil(maxNewTokens / blockSize);
  rollout.steps = rollout.blocks;
  let particles = Array.from({ length: n }, (_, candidate): Particle => {
    return { ...rollout.root(), candidate, logW: 0, trace: { steps: [], drawnAt: new Uint32Array(0) } };
  });
  try {
    for (let step = 0; ; step++) {
      rollout.block = step + 1;
      const horizon = Math.min(rollout.block * blockSize, maxNewTokens);
      const starts = particles.map(({ response }) => response.tokens.length);
      const first = particles[0];
      await rollout.advance(
        particles,
        horizon,
        step,
        rollout.telling(step, () => first.response),
      );
      const lengths = particles.map(({ response }) => response.tokens.length);
      for (const [i, particle] of particles.entries()) {
        particle.logW += logWeight(target, particle.response, starts[i]);
        particle.trace = grown(particle, rollout.block, starts[i], lengths);
      }
      const best = particles.reduce((a, b) => (b.logW > a.logW ? b : a));
      rollout.report(step + 1, best.response);

      if (particles.every(({ response }) => isFinished(response, maxNewTokens))) {
        const key = ({ logW, candidate }: Particle) => logW + random.select(step, candidate);
        const { response, trace } = particles.reduce((a, b) => (key(b) > key(a) ? b : a));
        return { response, trace };
      }
      if (effectiveNumber(particles) < n / 2) particles = resample(rollout, particles, random.cut(step));
    }
  } finally {
    for (const { sequence } of particles) sequence.free();
  }
}

/** The particle's trace with one more block. */
function grown(
  { response, trace, candidate }: Particle,
  block: number,
  cut: number,
  lengths: readonly number[],
): Trace {
  const { tokens, entropy, logp } = response;
  const drawnAt = new Uint32Array(tokens.length).fill(trace.steps.length);
  drawnAt.set(trace.drawnAt);
  const step = {
    kind: 'grow',
    block,
    cut,
    lengths,
    abandoned: lengths.map(() => false),
    logRho: [],
    outcome: candidate,
    tokens: tokens.slice(cut),
    entropy: entropy.slice(cut),
    tokenLogp: logp.slice(cut),
    logp: logProbability(response),
  } as const;
  return { steps: [...trace.steps, step], drawnAt };
}

/** (Σw)² / Σw² */
function effectiveNumber(particles: readonly Particle[]): number {
  const most = Math.max(...particles.map(({ logW }) => logW));
  const weights = particles.map(({ logW }) => Math.exp(logW - most));
  const sum = weights.reduce((a, b) => a + b);
  return sum ** 2 / weights.reduce((total, w) => total + w ** 2, 0);
}

/** Systematic resampling: as many particles, each with the mean weight; one of weight w has n·w / Σw heirs, rounded up or down. */
function resample(rollout: Rollout, particles: readonly Particle[], u: number): Particle[] {
  const logMean = logMeanExp(particles.map(({ logW }) => logW));
  const heirs: Particle[] = [];
  let owed = u;
  for (const parent of particles) {
    owed += Math.exp(parent.logW - logMean);
    for (; heirs.length + 1 <= owed && heirs.length < particles.length; ) {
      const fork = rollout.fork(parent, parent.response.tokens.length, heirs.length);
      heirs.push({ ...fork, logW: logMean, trace: parent.trace });
    }
  }
  for (const { sequence } of particles) sequence.free();
  return heirs;
}
