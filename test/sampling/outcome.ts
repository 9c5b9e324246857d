import type { Response } from '../../src/sampling/response.ts';
import type { Sample } from '../../src/sampling/sample.ts';
import type { Weighted } from '../../src/sampling/visits.ts';

const response = ({ tokens, logp, logq, logZ, entropy, finish }: Response) => ({
  tokens,
  logp,
  logq,
  logZ,
  entropy,
  finish,
});
const weighted = (all: readonly Weighted[]) =>
  all.map((each) => ({ response: response(each.response), weight: each.weight }));

/**
 * What must be the same in every bit however a run came by its distributions: all of a sample but its account, the origins of its tokens, and
 * how far candidates were written that were given up.
 */
export function outcome({ account: _, trace, visited, ...rest }: Sample) {
  const steps = trace.steps.map(({ account, origins, lengths, abandoned, logRho, ...step }) => ({
    ...step,
    tries: lengths.length,
  }));
  const { particles, states } = visited;
  return {
    ...rest,
    steps,
    drawnAt: trace.drawnAt,
    particles: weighted(particles),
    states: states.map(weighted),
  };
}
