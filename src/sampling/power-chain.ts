import type { Chain, Decoding, Toss } from './chain.ts';
import { type CutLaw, type CutLawName, cutLaw, pickCut } from './cut-laws.ts';
import { fitToPilots, isGated, pilotsOf } from './gate.ts';
import { type Acceptance, chances, decide, mostPromising } from './multiple-try.ts';
import type { RandomSource } from './random.ts';
import type { Response } from './response.ts';
import { type Particle, STRIDE, smc, weighted } from './smc.ts';
import { logWeight, type Target } from './target.ts';

/** A transition that leaves p^α invariant, whatever the law, the number of tries and the rule of acceptance. */
export interface Kernel {
  readonly target: Target;
  readonly law: CutLaw;
  readonly tries: number;
  readonly acceptance: Acceptance;
  readonly decoding: Decoding;
  readonly random: RandomSource;
}

/** How the response is grown before it is refined in full. */
export interface Schedule {
  readonly maxNewTokens: number;
  readonly growth: 'particles' | 'blocks';
  readonly particles: number;
  readonly blockSize: number;
  /** Refinement steps after each block. */
  readonly steps: number;
  /** Refinement steps at the full horizon, at the end. */
  readonly finalSteps: number;
}

/** A cut law by its name. */
interface Cuts {
  readonly cutLaw: CutLawName;
  /** nats; auto: fitted before the first step that goes by it. */
  readonly gate: number | 'auto';
  readonly blockSize: number;
}

/** How a chain came about. */
interface Made {
  /** What the first response was picked from; none where it grew by blocks. */
  readonly particles: Particle[];
  /** That the cut law went by, nats; undefined where no step went by one. */
  readonly gate?: number;
}

/**
 * Power sampling: draw a first response, then refine it on the responses of up to `maxNewTokens`. Where it comes from is no matter of
 * exactness: every refinement leaves p^α invariant.
 */
export async function powerChain(
  chain: Chain,
  { law: cuts, ...rest }: Omit<Kernel, 'law'> & { readonly law: Cuts },
  schedule: Schedule,
): Promise<Made> {
  const { rollout } = chain;
  const { maxNewTokens, finalSteps, particles: n, growth } = schedule;
  const gated = isGated(cuts.cutLaw, schedule);
  const pilots = gated && cuts.gate === 'auto' ? pilotsOf(rollout, maxNewTokens) : [];
  let particles: Particle[] = [];
  if (growth === 'particles') {
    rollout.steps = Math.ceil(maxNewTokens / STRIDE) + finalSteps;
    // Beside the particles the pilots take hardly a pass of their own.
    const grown = await smc(rollout, rest.target, rest.random, { maxNewTokens, particles: n }, pilots);
    ({ particles } = grown);
    chain.adopt(grown.chosen, grown.trace);
    rollout.visited = () => ({ particles: weighted(particles), states: [...chain.visited] });
  }
  const given = cuts.gate === 'auto' ? 0 : cuts.gate; // 0: of a law that has none, or of no steps
  const gate = pilots.length > 0 ? await fitToPilots(rollout, pilots) : given;
  const kernel = { ...rest, law: cutLaw(cuts.cutLaw, gate, cuts.blockSize) };
  if (growth === 'blocks') await growByBlocks(chain, kernel, schedule);
  chain.visited = chain.visited.slice(-1); // what comes from here on is at the full horizon
  rollout.blocks = rollout.block;
  rollout.steps = chain.step + finalSteps;
  for (let n = 0; n < finalSteps; n++) await refine(chain, kernel, maxNewTokens);
  return { particles, gate: gated ? gate : undefined };
}

/**
 * Extends the response block by block with the proposal q, and refines it after each block on the responses of up to that many tokens. An
 * early EOS ends the growth.
 */
async function growByBlocks(chain: Chain, kernel: Kernel, schedule: Schedule): Promise<void> {
  const { rollout } = chain;
  const { maxNewTokens, blockSize, steps, finalSteps } = schedule;
  rollout.blocks = Math.ceil(maxNewTokens / blockSize);
  rollout.steps = rollout.blocks * (1 + steps) + finalSteps;
  for (rollout.block = 1; ; rollout.block++) {
    const horizon = Math.min(rollout.block * blockSize, maxNewTokens);
    await chain.grow(horizon);
    for (let n = 0; n < steps; n++) await refine(chain, kernel, horizon);
    if (chain.response.finish === 'eos' || rollout.block === rollout.blocks) return;
  }
}

/** One step of Multiple-Try Metropolis on the responses that end within `horizon` tokens or are that long. */
export async function refine(chain: Chain, kernel: Kernel, horizon: number): Promise<void> {
  const { target, law, tries, acceptance, decoding, random } = kernel;
  const { response: x } = chain;
  const r = law(x.entropy);

  await chain.propose(toss, horizon, tries, decoding);

  function toss(step: number): Toss | undefined {
    const cut = pickCut(r, random.cut(step));
    if (cut < 0) return undefined;

    // The outcome's random numbers come before the candidates, which are abandoned once they cannot change it.
    const lots = {
      u: random.accept(step),
      gumbels: Array.from({ length: tries + 1 }, (_, j) => random.select(step, j)),
    };

    // Each further token can only lower a weight, so that of a candidate as far as it is written bounds its final one: every factor
    // p^α / q is at most 1 at the temperatures from 1/α to 1, and no cut law rises as a response grows; see CUT_LAWS.
    const logW = (z: Response) => logWeight(target, z, cut) + Math.log(law(z.entropy)[cut]);
    const logWx = logWeight(target, x, cut) + Math.log(r[cut]);
    const unstarted = Math.log(law(x.entropy.slice(0, cut + 1))[cut]) - logWx;
    return {
      cut,
      chances: (logRho) => chances(acceptance, logRho),
      judge(candidates, finished) {
        const logRho = candidates.map((y) => (y.tokens.length > cut ? logW(y) - logWx : unstarted));
        const outcome = decide(acceptance, logRho, finished, lots);
        const next = outcome === undefined ? mostPromising(logRho, finished, lots) : undefined;
        return { logRho, outcome, next };
      },
    };
  }
}
