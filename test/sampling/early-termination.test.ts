import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LanguageModel } from '../../src/engine/language-model.ts';
import type { Decoding } from '../../src/sampling/chain.ts';
import { cutLaw } from '../../src/sampling/cut-laws.ts';
import { decide, mostPromising } from '../../src/sampling/multiple-try.ts';
import { philox, randomSource, uniform } from '../../src/sampling/random.ts';
import { DEFAULTS, type Sample, type SamplerOptions, sampleFrom } from '../../src/sampling/sample.ts';
import { TableModel } from '../support/table-model.ts';
import { LAWS, PROMPT, toy, toyModel } from './toy.ts';

const LONG = 24;

/** Four tokens, of which 0 is EOS. Random conditionals of the position and the last two tokens; two stretches are nearly certain. */
function longModel(): TableModel {
  const table = new Map<number, number[]>();
  return new TableModel(4, [0], (tokens) => {
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

/** The same model, whose chunks are `size` tokens. */
function inChunks(model: TableModel, size: number): LanguageModel {
  return {
    vocabSize: model.vocabSize,
    contextLength: model.contextLength,
    cachePositions: model.cachePositions,
    eosTokens: model.eosTokens,
    prefill: (tokens) => model.prefill(tokens),
    decode(rows, signal, keepGoing) {
      let rounds = 0;
      return model.decode(rows, signal, keepGoing && ((soFar) => ++rounds % size > 0 || keepGoing(soFar)));
    },
    score: (...args) => model.score(...args),
  };
}

async function run(model: LanguageModel, options: SamplerOptions, decoding: Decoding): Promise<Sample> {
  const prompt = await model.prefill(PROMPT);
  const sample = await sampleFrom(model, prompt, { ...options, decoding }, {});
  prompt.free();
  return sample;
}

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
  sequentialSteps: number;
  abandoned: number;
  accepted: number;
}
const noCost = (): Cost => ({
  steps: 0,
  tokens: 0,
  eagerTokens: 0,
  sequentialSteps: 0,
  abandoned: 0,
  accepted: 0,
});

/** Asserts that both runs came to the same, step by step, and that the lazy one's account is that of its trace. */
function compare(eager: Sample, lazy: Sample, decoding: Decoding, cost: Cost): void {
  const fail = (what: string, i: number) => assert.unreachable(`${what} differ in step ${i}`);
  if (eager.trace.steps.length !== lazy.trace.steps.length) fail('the traces', lazy.trace.steps.length);
  const same = (a: ArrayLike<unknown>, b: ArrayLike<unknown>) =>
    a.length === b.length && Array.prototype.every.call(a, (x, i) => Object.is(x, b[i]));
  const account = {
    decodedTokens: 0,
    sequentialSteps: 0,
    proposed: 0,
    accepted: 0,
    held: 0,
    abandoned: 0,
    savedTokens: 0,
  };
  let length = 0; // of the response
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
      if (step.abandoned[j]) {
        account.abandoned++;
        account.savedTokens += Math.max(0, length - step.lengths[j]);
      }
    }
    account.decodedTokens += drawn;
    account.sequentialSteps += decoding === 'best-first' ? drawn : longest;
    if (step.kind === 'hold') account.held++;
    if (step.kind === 'propose') account.proposed++;
    if (step.kind === 'propose' && step.outcome >= 0) account.accepted++;
    if (step.outcome >= 0) {
      if (step.abandoned[step.outcome]) fail('the ends of the candidates taken', i);
      length = step.lengths[step.outcome];
    }
  }
  for (const column of ['tokens', 'logp', 'logZ', 'entropy', 'block'] as const) {
    if (!same(lazy[column], eager[column])) fail(column, lazy.trace.steps.length);
  }
  assert.ok(same(lazy.trace.drawnAt, eager.trace.drawnAt));
  assert.is(lazy.finish, eager.finish);
  const rowsPerStep = account.decodedTokens / account.sequentialSteps;
  assert.equal(lazy.account, { ...account, rowsPerStep });
  assert.is(eager.account.decodedTokens, eagerTokens);
  assert.is(eager.account.abandoned + eager.account.savedTokens, 0);
  assert.is(eager.account.accepted, account.accepted);

  cost.steps += account.proposed;
  cost.tokens += account.decodedTokens;
  cost.eagerTokens += eagerTokens;
  cost.sequentialSteps += account.sequentialSteps;
  cost.abandoned += account.abandoned;
  cost.accepted += account.accepted;
}

/** Lazy steps held against an eager one, candidates drawn in both. */
let compared = 0;

/** Runs every kernel eagerly and lazily. */
async function sweep(model: TableModel, chunk: number, schedule: Partial<SamplerOptions>): Promise<Costs> {
  const costs = { lockstep: noCost(), 'best-first': noCost() };
  const chunked = inChunks(model, chunk);
  for (const kernel of kernels()) {
    const options = { ...kernel, ...schedule };
    const eager = await run(model, options, 'eager');
    for (const decoding of LAZY) {
      compare(eager, await run(chunked, options, decoding), decoding, costs[decoding]);
    }
  }
  assert.is(model.live, 0);
  for (const { steps, accepted, abandoned } of Object.values(costs)) {
    compared += steps;
    assert.ok(accepted > steps / 4 && accepted < (steps * 3) / 4, `${accepted} of ${steps} accepted`);
    assert.ok(abandoned > steps / 4);
  }
  assert.ok(costs['best-first'].tokens < costs.lockstep.tokens);
  assert.ok(costs['best-first'].sequentialSteps > costs.lockstep.sequentialSteps);
  return costs;
}

/** Share of the tokens of the eager run that were not decoded. */
const saved = ({ tokens, eagerTokens }: Cost) => 1 - tokens / eagerTokens;

const long = { maxNewTokens: LONG, blockSize: 8, steps: 5, finalSteps: 10 };

test('early termination changes nothing but the cost', async () => {
  const schedule = { maxNewTokens: toy.T, blockSize: 2, steps: 40, finalSteps: 84 };
  const costs = await sweep(toyModel(), 1, schedule);
  assert.ok(saved(costs.lockstep) > 0.08, `${saved(costs.lockstep)}`);
  assert.ok(saved(costs['best-first']) > 0.25, `${saved(costs['best-first'])}`);
});

test('nor on longer responses, where it spares a good part of the tokens', async () => {
  const costs = await sweep(longModel(), 1, long);
  assert.ok(saved(costs.lockstep) > 0.4, `${saved(costs.lockstep)}`);
  assert.ok(saved(costs['best-first']) > 0.5, `${saved(costs['best-first'])}`);
});

test('nor where the outcome is asked for once in five tokens', async () => {
  const costs = await sweep(longModel(), 5, long);
  assert.ok(saved(costs.lockstep) > 0.3, `${saved(costs.lockstep)}`);
  assert.ok(saved(costs['best-first']) > 0.4, `${saved(costs['best-first'])}`);
});

test('a hundred thousand steps have been compared', () => {
  assert.ok(compared >= 100_000, `${compared}`);
});

/** The columns of a row that the weights and the cut laws look at. */
interface Columns {
  logp: number[];
  logq: number[];
  logZ: number[];
  entropy: number[];
}

/** The model with a record of what each row of each step came to. */
function recording(model: TableModel): { model: LanguageModel; rows: Map<string, Columns> } {
  const rows = new Map<string, Columns>();
  const decode: LanguageModel['decode'] = async (given, ...rest) => {
    const parts = await model.decode(given, ...rest);
    for (const [i, { logp, logq, logZ, entropy }] of parts.entries()) {
      const columns = { logp: [...logp], logq: [...logq], logZ: [...logZ], entropy: [...entropy] };
      rows.set(`${given[i].key.step} ${given[i].key.candidate}`, columns);
    }
    return parts;
  };
  return { model: { ...inChunks(model, 1), decode }, rows };
}

test('decoding ends with the first chunk after which the outcome is certain', async () => {
  let early = 0;
  for (const chunk of [1, 5]) {
    const table = longModel();
    for (const kernel of kernels()) {
      const { alpha, proposalTemperature, tries, acceptance } = kernel;
      if (tries === 2 || tries === 3) continue;
      const options = { ...kernel, ...long, steps: 2, finalSteps: 4 };
      const law = cutLaw(options.cutLaw, options.gate, options.blockSize);
      const random = randomSource(options.seed, 0);
      const { model, rows } = recording(table);
      const { trace } = await run(model, options, 'eager');
      const lockstep = await run(inChunks(table, chunk), options, 'lockstep');
      const bestFirst = await run(inChunks(table, chunk), options, 'best-first');

      let x: Columns = { logp: [], logq: [], logZ: [], entropy: [] };
      const spliced = (cut: number, y: Columns, end: number): Columns => ({
        logp: [...x.logp.slice(0, cut), ...y.logp.slice(0, end)],
        logq: [...x.logq.slice(0, cut), ...y.logq.slice(0, end)],
        logZ: [...x.logZ.slice(0, cut), ...y.logZ.slice(0, end)],
        entropy: [...x.entropy.slice(0, cut), ...y.entropy.slice(0, end)],
      });
      for (const [step, { kind, cut, lengths, outcome }] of trace.steps.entries()) {
        if (kind === 'hold') continue;
        const drawn = lengths.map((_, j) => rows.get(`${step} ${j}`) as Columns);
        if (kind === 'propose') {
          const factor = (z: Columns, t: number) =>
            proposalTemperature === 1 / alpha ? z.logZ[t] : Math.min(0, alpha * z.logp[t] - z.logq[t]);
          /** log w of `length` tokens, the law's part being known from the cut on. */
          const logW = (z: Columns, length: number) => {
            let sum = 0;
            for (let t = cut; t < length; t++) sum += factor(z, t);
            return sum + Math.log(law(Float64Array.from(z.entropy.slice(0, Math.max(length, cut + 1))))[cut]);
          };
          const logWx = logW(x, x.logp.length);
          const lots = {
            u: random.accept(step),
            gumbels: Array.from({ length: tries + 1 }, (_, j) => random.select(step, j)),
          };
          const at = lengths.map(() => cut);
          const open = () => [...at.keys()].filter((j) => at[j] < lengths[j]);
          const verdict = () => {
            const logRho = drawn.map((y, j) => logW(spliced(cut, y, Infinity), at[j]) - logWx);
            const finished = at.map((t, j) => t === lengths[j]);
            const outcome = decide(acceptance, logRho, finished, lots);
            return { outcome, next: outcome === undefined ? mostPromising(logRho, finished, lots) : -1 };
          };
          const advance = (j: number) => {
            at[j] = Math.min(at[j] + chunk, lengths[j]);
          };
          while (verdict().outcome === undefined) open().forEach(advance);
          assert.equal(lockstep.trace.steps[step].lengths, at);
          early += open().length;

          at.fill(cut);
          for (let now = verdict(); now.outcome === undefined; now = verdict()) advance(now.next);
          assert.equal(bestFirst.trace.steps[step].lengths, at);
        }
        if (outcome >= 0) x = spliced(cut, drawn[outcome], Infinity);
      }
    }
  }
  assert.ok(early > 1000, `${early}`);
});

test.run();
