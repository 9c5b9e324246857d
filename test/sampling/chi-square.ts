import type { Limits } from '../../reference/table-model.ts';
import { refine } from '../../src/sampling/power-chain.ts';
import { randomSource } from '../../src/sampling/random.ts';
import { respond, type Subject } from './exact.ts';
import { chainAt, plant } from './forced.ts';
import { name } from './toy.ts';

// "Getting it right" (Geweke, 2004): chains that start from exact draws of π stay distributed as π.

/** The standard normal quantile of 1 − 1e-8. */
const Z = 5.612;
/** That of 0.9. */
const Z_POWER = 1.2816;

/** Quantile of χ² by Wilson and Hilferty's cube. */
const quantile = (freedom: number, z: number): number => {
  const s = 2 / (9 * freedom);
  return freedom * (1 - s + z * Math.sqrt(s)) ** 3;
};

/** What χ² exceeds once in 10⁸ runs if π is left as it is, or once in 10⁷ at most where bins are as small as five. */
export const critical = (freedom: number): number => quantile(freedom, Z);

/**
 * The smallest probability whose move from one bin to another is found nine times in ten, whichever the two bins are: the quantile of
 * 0.1 of the noncentral χ², as a multiple of a central one with the same two moments (Patnaik), is at the critical value.
 */
export function detectable(expected: readonly number[], count: number): number {
  const freedom = expected.length - 1;
  const reached = (lambda: number) => {
    const f = (freedom + lambda) ** 2 / (freedom + 2 * lambda);
    return ((freedom + lambda) / f) * quantile(f, -Z_POWER) >= critical(freedom);
  };
  let lambda = 0;
  while (!reached(lambda)) lambda += 0.1;
  const [a, b] = [...expected].sort((a, b) => b - a);
  return Math.sqrt(lambda / (1 / a + 1 / b)) / count;
}

interface Outcome {
  readonly statistic: number;
  readonly freedom: number;
  /** Counts expected of each bin: a state, or all those of less than five together. */
  readonly expected: readonly number[];
}

/**
 * Takes `steps` steps of the kernel, with its own random numbers, from each of `count` exact draws of π. Where candidates are decoded
 * eagerly all chains walk one tree.
 */
export async function gettingItRight(
  subject: Subject,
  { tries = 1, steps = 3, count = 4000, seed = 1n } = {},
  limits: Limits = {},
): Promise<Outcome> {
  const { toy, law, acceptance = 'metropolis', decoding = 'eager', step = refine } = subject;
  const { alpha, temperature } = subject;
  const target = { alpha, temperature };
  const pi = toy.pi(alpha);
  const bins = new Map<string, number>();
  const expected = [0]; // bin 0: the rare ones
  for (const [i, p] of pi.entries()) {
    if (p * count < 5) expected[0] += p * count;
    else bins.set(name(toy.states[i]), expected.push(p * count) - 1);
  }
  const seen = expected.map(() => 0);
  const model = toy.model(limits);
  const common = await plant(model, toy.horizon);
  const states = await Promise.all(toy.states.map((tokens) => respond(subject, tokens)));
  for (let n = 0; n < count; n++) {
    const { accept } = randomSource(seed + 2n ** 32n, n);
    let i = 0;
    for (let left = accept(0) - pi[0]; left > 0 && i + 1 < pi.length; left -= pi[i]) i++;
    const random = randomSource(seed, n);
    const planted = decoding === 'eager' ? common : await plant(model, toy.horizon);
    const chain = chainAt(planted, states[i], { ...target, seed, chain: n }, random);
    for (let k = 0; k < steps; k++) {
      await step(chain, { target, law, tries, acceptance, decoding, random }, toy.horizon);
    }
    seen[bins.get(name(chain.response.tokens)) ?? 0]++;
    if (planted !== common) planted.forest.leave(planted.tree);
  }
  common.forest.leave(common.tree);
  if (expected[0] < 5) {
    // Still too few: to the next.
    expected[1] += expected.shift() as number;
    seen[1] += seen.shift() as number;
  }
  const statistic = expected.reduce((sum, e, b) => sum + (seen[b] - e) ** 2 / e, 0);
  return { statistic, freedom: expected.length - 1, expected };
}
