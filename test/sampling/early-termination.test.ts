import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import type { Decoding } from '../../src/sampling/chain.ts';
import { cutLaw } from '../../src/sampling/cut-laws.ts';
import { decide, mostPromising } from '../../src/sampling/multiple-try.ts';
import { philox, randomSource, uniform } from '../../src/sampling/random.ts';
import type { Response } from '../../src/sampling/response.ts';
import { DEFAULTS, type Sample, type SamplerOptions, sample } from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';
import { PROMPT } from './forced.ts';
import { RunningAhead } from './running-ahead.ts';
import { LAWS, toy, toyModel } from './toy.ts';

const LONG = 24;

/** Four tokens, of which 0 is EOS. Random conditionals of the position and the last two tokens; two stretches are nearly certain. */
function longModel(Model = TableModel): TableModel {
  const table = new Map<number, number[]>();
  return new Model(4, [0], (tokens) => {
    const t = tokens.length - PROMPT.length;
    const context = (t * 4 + (tokens[tokens.length - 2] ?? 0)) * 4 + tokens[tokens.length - 1];
    let p = table.get(context);
    if (!p) {
      const certain = (t >= 4 && t < 10) || (t >= 15 && t < 20);
      const logits = Array.from(philox([context, 0, 0, 0], [7, 7]), (bits, v) => {
        const x = (certain ? 9 : 2.5) * uniform(bits);
        return v === 0 ? x - 2 : x;
      });
      const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
      p = logits.map((x) => Math.exp(x) / total);
      table.set(context, p);
    }
    return p;
  });
}

const run = (model: TableModel, options: SamplerOptions, decoding: Decoding): Promise<Sample> =>
  sample(model, PROMPT, { ...options, decoding });

/** The grid of kernels: every law, rule of acceptance, number of tries, α and τ. */
function* kernels(): Generator<SamplerOptions> {
  let seed = 100n;
  for (const law of LAWS) {
    for (const acceptance of ['metropolis', 'barker'] as const) {
      for (const tries of [1, 2, 3, 4]) {
        for (const alpha of [1, 2, 4]) {
          for (const proposalTemperature of new Set([1 / alpha, (1 + 1 / alpha) / 2, 1])) {
            seed += 1n;
            yield {
              ...DEFAULTS,
              cutLaw: law,
              acceptance,
              tries,
              alpha,
              proposalTemperature,
              seed,
              gate: 0.5,
              growth: 'blocks',
              tree: 'off',
              draft: 0,
              lookAhead: 0,
            };
          }
        }
      }
    }
  }
}

const LAZY = ['lockstep', 'best-first'] as const;
type Costs = Record<(typeof LAZY)[number], Cost>;

/** Sums of what runs of one kind have cost. */
interface Cost {
  /** In which candidates were drawn. */
  steps: number;
  tokens: number;
  /** By the eager runs with the same outcomes. */
  eagerTokens: number;
  passes: number;
  abandoned: number;
  accepted: number;
}
const noCost = (): Cost => ({
  steps: 0,
  tokens: 0,
  eagerTokens: 0,
  passes: 0,
  abandoned: 0,
  accepted: 0,
});

/**
 * Asserts that both runs came to the same, step by step, and that the lazy one's account is that of its trace.
 * @param bare the distribution of every token was computed for it, one a pass
 */
function compare(eager: Sample, lazy: Sample, decoding: Decoding, cost: Cost, bare: boolean): void {
  const fail = (what: string, i: number) => assert.unreachable(`${what} differ in step ${i}`);
  if (eager.trace.steps.length !== lazy.trace.steps.length) fail('the traces', lazy.trace.steps.length);
  const same = (a: ArrayLike<unknown>, b: ArrayLike<unknown>) =>
    a.length === b.length && Array.prototype.every.call(a, (x, i) => Object.is(x, b[i]));
  const account = { drawnTokens: 0, proposed: 0, accepted: 0, held: 0, abandoned: 0 };
  let passes = 0;
  let eagerTokens = 0;
  for (const [i, step] of lazy.trace.steps.entries()) {
    const full = eager.trace.steps[i];
    for (const field of ['kind', 'block', 'cut', 'outcome', 'logp'] as const) {
      if (!Object.is(step[field], full[field])) fail(field, i);
    }
    for (const column of ['tokens', 'entropy', 'tokenLogp'] as const) {
      if (!same(step[column], full[column])) fail(column, i);
    }
    if (step.lengths.length !== full.lengths.length || step.logRho.length !== full.logRho.length)
      fail('the tries', i);
    let longest = 0;
    let drawn = 0;
    for (const [j, end] of full.lengths.entries()) {
      if (full.abandoned[j]) fail('the eager candidates', i);
      if (step.lengths[j] > end || step.abandoned[j] !== step.lengths[j] < end) fail('the lengths', i);
      if (step.kind === 'propose') {
        if (step.abandoned[j] ? !(step.logRho[j] >= full.logRho[j]) : step.logRho[j] !== full.logRho[j])
          fail('log ρ', i);
      }
      longest = Math.max(longest, step.lengths[j] - step.cut);
      drawn += step.lengths[j] - step.cut;
      eagerTokens += end - step.cut;
      if (step.abandoned[j]) account.abandoned++;
    }
    account.drawnTokens += drawn;
    passes += decoding === 'best-first' ? drawn : longest;
    if (step.kind === 'hold') account.held++;
    if (step.kind === 'propose') account.proposed++;
    if (step.kind === 'propose' && step.outcome >= 0) account.accepted++;
    if (step.outcome >= 0) {
      if (step.abandoned[step.outcome]) fail('the ends of the candidates taken', i);
    }
    if (step.account.drawnTokens !== account.drawnTokens) fail('the accounts', i);
  }
  for (const column of ['tokens', 'logp', 'logZ', 'entropy', 'block'] as const) {
    if (!same(lazy[column], eager[column])) fail(column, lazy.trace.steps.length);
  }
  assert.ok(same(lazy.trace.drawnAt, eager.trace.drawnAt));
  assert.is(lazy.finish, eager.finish);
  const { computedRows, draftedRows, usedDrafts, sequentialPasses, ...rest } = lazy.account;
  assert.equal(rest, account);
  if (bare) {
    assert.equal([draftedRows, usedDrafts, sequentialPasses], [0, 0, passes]);
    // Where a response grows on, its last prefix but one may be read again.
    const more = computedRows - account.drawnTokens;
    const regrown = lazy.trace.steps.filter(({ kind, cut }) => kind === 'grow' && cut > 0).length;
    assert.ok(more >= 0 && more <= regrown, `${more} rows more than tokens`);
  }
  assert.is(eager.account.drawnTokens, eagerTokens);
  assert.is(eager.account.abandoned, 0);
  assert.is(eager.account.accepted, account.accepted);

  cost.steps += account.proposed;
  cost.tokens += account.drawnTokens;
  cost.eagerTokens += eagerTokens;
  cost.passes += sequentialPasses;
  cost.abandoned += account.abandoned;
  cost.accepted += account.accepted;
}

/** Lazy steps held against an eager one, candidates drawn in both. */
let compared = 0;

/** What every kernel comes to, eagerly and without a tree. */
async function runEagerly(
  model: TableModel,
  schedule: Partial<SamplerOptions>,
): Promise<Map<SamplerOptions, Sample>> {
  const samples = new Map<SamplerOptions, Sample>();
  for (const kernel of kernels()) {
    const options = { ...kernel, ...schedule };
    samples.set(options, await run(model, options, 'eager'));
  }
  return samples;
}

/** Runs every kernel lazily on what is given. */
async function sweep(
  model: TableModel,
  eagerly: ReadonlyMap<SamplerOptions, Sample>,
  lazily: Partial<SamplerOptions> = {},
  other: TableModel = model,
): Promise<Costs> {
  const costs = { lockstep: noCost(), 'best-first': noCost() };
  const bare = lazily.tree !== 'on' && other === model;
  for (const [options, eager] of eagerly) {
    for (const decoding of LAZY) {
      const lazy = await run(other, { ...options, ...lazily }, decoding);
      compare(eager, lazy, decoding, costs[decoding], bare);
    }
  }
  assert.is(model.live + other.live, 0);
  for (const { steps, accepted, abandoned } of Object.values(costs)) {
    compared += steps;
    assert.ok(accepted > steps / 4 && accepted < (steps * 3) / 4, `${accepted} of ${steps} accepted`);
    assert.ok(abandoned > steps / 4);
  }
  assert.ok(costs['best-first'].tokens < costs.lockstep.tokens);
  return costs;
}

/** Share of the tokens of the eager run that were not decoded. */
const saved = ({ tokens, eagerTokens }: Cost) => 1 - tokens / eagerTokens;

const long = { maxNewTokens: LONG, blockSize: 8, steps: 5, finalSteps: 10 };
let eagerlyLong: Promise<ReadonlyMap<SamplerOptions, Sample>> | undefined;
/** Every kernel on longer responses: once for all that is held against it. */
const longSweep = async (lazily: Partial<SamplerOptions> = {}, Model = TableModel): Promise<Costs> => {
  eagerlyLong ??= runEagerly(longModel(), long);
  const model = longModel();
  return sweep(model, await eagerlyLong, lazily, Model === TableModel ? model : longModel(Model));
};

test('early termination changes nothing but the cost', async () => {
  const schedule = { maxNewTokens: toy.T, blockSize: 2, steps: 10, finalSteps: 20 };
  const model = toyModel();
  const costs = await sweep(model, await runEagerly(model, schedule));
  assert.ok(costs['best-first'].passes > costs.lockstep.passes);
  assert.ok(saved(costs.lockstep) > 0.08, `${saved(costs.lockstep)}`);
  assert.ok(saved(costs['best-first']) > 0.25, `${saved(costs['best-first'])}`);
});

test('nor on longer responses, where it spares a good part of the tokens', async () => {
  const costs = await longSweep();
  assert.ok(costs['best-first'].passes > costs.lockstep.passes);
  assert.ok(saved(costs.lockstep) > 0.4, `${saved(costs.lockstep)}`);
  assert.ok(saved(costs['best-first']) > 0.5, `${saved(costs['best-first'])}`);
});

test('nor where the model runs ahead, so that the outcome is asked for once in four tokens or more', async () => {
  const costs = await longSweep({}, RunningAhead);
  assert.ok(saved(costs.lockstep) > 0.3, `${saved(costs.lockstep)}`);
  assert.ok(saved(costs['best-first']) > 0.4, `${saved(costs['best-first'])}`);
});

test('nor on a tree, with drafts and a look ahead', async () => {
  const costs = await longSweep({ tree: 'on', draft: 'auto', lookAhead: 2 });
  assert.ok(saved(costs.lockstep) > 0.3, `${saved(costs.lockstep)}`);
  assert.ok(saved(costs['best-first']) > 0.4, `${saved(costs['best-first'])}`);
});

test('fifty thousand steps have been compared', () => {
  assert.ok(compared >= 50_000, `${compared}`);
});

/** How far a step goes at once behind `length` tokens, and at most to the horizon, where the model runs ahead. */
const looksAfter = (length: number, cut: number): number =>
  Math.min(LONG - length, Math.max(4, length - cut), 16);

test('a step ends with the first look after which the outcome is certain', async () => {
  let early = 0;
  const table = longModel();
  const runsAhead = longModel(RunningAhead);
  for (const kernel of kernels()) {
    const { alpha, proposalTemperature, tries, acceptance } = kernel;
    if (tries === 2 || tries === 3) continue;
    const options = { ...kernel, ...long, steps: 2, finalSteps: 4 };
    const law = cutLaw(options.cutLaw, options.gate as number, options.blockSize);
    const random = randomSource(options.seed, 0);
    const { trace, visited } = await run(table, options, 'eager');
    for (const ahead of [false, true]) {
      const lazy = ahead ? runsAhead : table;
      const lockstep = await run(lazy, options, 'lockstep');
      const bestFirst = await run(lazy, options, 'best-first');

      // At the full horizon, all candidates of the eager run are among what it has come by, then the state before.
      const first = trace.steps.length - options.finalSteps;
      for (const [n, seen] of visited.states.slice(1).entries()) {
        const step = first + n;
        const { kind, cut, lengths } = trace.steps[step];
        if (kind === 'hold') continue;
        const drawn = seen.slice(0, tries).map(({ response }) => response);
        const x = seen[tries].response;
        const factor = (z: Response, t: number) =>
          proposalTemperature === 1 / alpha ? z.logZ[t] : Math.min(0, alpha * z.logp[t] - z.logq[t]);
        /** log w of `length` tokens, the law's part being known from the cut on. */
        const logW = (z: Response, length: number) => {
          let sum = 0;
          for (let t = cut; t < length; t++) sum += factor(z, t);
          return sum + Math.log(law(z.entropy.slice(0, Math.max(length, cut + 1)))[cut]);
        };
        const logWx = logW(x, x.tokens.length);
        const lots = {
          u: random.accept(step),
          gumbels: Array.from({ length: tries + 1 }, (_, j) => random.select(step, j)),
        };
        const at = lengths.map(() => cut);
        const open = () => [...at.keys()].filter((j) => at[j] < lengths[j]);
        const verdict = () => {
          const logRho = drawn.map((y, j) => logW(y, at[j]) - logWx);
          const finished = at.map((t, j) => t === lengths[j]);
          const outcome = decide(acceptance, logRho, finished, lots);
          return { outcome, next: outcome === undefined ? mostPromising(logRho, finished, lots) : -1 };
        };
        const advance = (all: number[], start: (j: number) => number) => {
          const count = ahead ? Math.min(...all.map((j) => looksAfter(at[j], start(j)))) : 1;
          for (const j of all) at[j] = Math.min(at[j] + count, lengths[j]);
        };
        while (verdict().outcome === undefined) advance(open(), () => cut);
        assert.equal(lockstep.trace.steps[step].lengths, at);
        early += open().length;

        at.fill(cut);
        let from = cut; // where the candidate was taken up
        let last = -1;
        for (let now = verdict(); now.outcome === undefined; now = verdict()) {
          const { next } = now;
          if (next !== last) from = at[next];
          last = next;
          advance([next], () => from);
        }
        assert.equal(bestFirst.trace.steps[step].lengths, at);
      }
    }
  }
  assert.ok(early > 1000, `${early}`);
});

test.run();
