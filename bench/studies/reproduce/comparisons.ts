/** What it takes to be right on so many of the problems, and what single answers take. */
import { withModelDefaults } from '../../../src/api/generate.ts';
import type { SamplerSummary, Summary } from '../../../src/eval/summary.ts';
import { abacusProblems } from '../../../src/eval/tasks/abacus.ts';
import {
  loadModel,
  type Model,
  resolveOptions,
  type SamplerOptions,
  sampleMany,
} from '../../../src/index.ts';
import { openBench } from '../../harness/device.ts';
import { progress, show, summarise, table } from '../../harness/figures.ts';
import { accuracyAt, budgetsOf, costAt, curvesOf, known, named } from './curves.ts';

/** Problems that are timed one at a time. */
const TIMED = 6;
/** Share of the problems that samplers are compared at. */
const LEVEL = 0.7;

/** @param folder of the model */
export async function compare(folder: string, summary: Summary, without: Summary) {
  const { samplers } = summary;
  const last = samplers.filter(({ pick }) => pick === 'last');
  const curves = curvesOf(summary, without).map((curve) => {
    const { name, rows } = curve;
    const enough = rows.findIndex(({ accuracy }) => known(accuracy) >= LEVEL);
    const passes = costAt(LEVEL, budgetsOf(curve, 'sequentialPasses'));
    return { name, without: curve.without, passes, budget: enough < 0 ? null : rows[enough] };
  });

  const bench = await openBench();
  const model = await loadModel(folder, { device: bench.device });
  const defaults = withModelDefaults(model.defaults, { sampler: 'egps' });
  const egps = named(last, `egps:final-steps=${defaults.finalSteps}`);
  const reaching = curves.flatMap(({ budget, ...curve }) => (budget ? [{ ...curve, budget }] : []));
  const options = reaching.map(({ budget, without }) => {
    const tree = without ? { tree: 'off', draft: 0, lookAhead: 0 } : {};
    return { ...resolveOptions({}), ...budget.options, ...tree } as SamplerOptions;
  });
  const plain = withModelDefaults(model.defaults, { sampler: 'sample' });
  const timed = await timeByTurns(model, [...options, defaults, plain]);
  model.dispose();
  bench.close();

  const [ofDefault, ofPlain] = timed.slice(-2);
  const plainRate = summarise(over(ofPlain.seconds, ofPlain.lengths)).median; // seconds a token
  const overPlain = summarise(over(ofDefault.seconds, ofDefault.lengths).map((rate) => rate / plainRate));
  const levels = reaching.map(({ name, passes = Number.NaN, budget }, s) => ({
    name,
    budget: budget.sampler,
    accuracy: known(budget.accuracy),
    passes,
    passesOverEgps: passes / (reaching[0].passes ?? Number.NaN),
    seconds: summarise(timed[s].seconds),
    secondsOverEgps: summarise(over(timed[s].seconds, timed[0].seconds)),
    passesAlone: summarise(timed[s].passes),
    passesAloneOverEgps: summarise(over(timed[s].passes, timed[0].passes)),
  }));
  const picks = samplers
    .filter(({ sampler }) => sampler === egps.sampler)
    .map(({ pick, accuracy, interval }) => ({ pick, accuracy: known(accuracy), interval }));
  return {
    environment: bench.environment,
    level: LEVEL,
    levels,
    default: egps.sampler,
    picks,
    ofAnAnswer: ofAnAnswer(egps, ofDefault),
    overPlain,
    likeliest: likeliestOf(samplers, last),
    missed: curves.filter(({ budget }) => !budget).map(({ name }) => name),
  };
}

type Comparisons = Awaited<ReturnType<typeof compare>>;

/** Single answers, one entry a problem. */
interface Timed {
  seconds: number[];
  lengths: number[];
  passes: number[];
}

async function timeByTurns(model: Model, samplers: readonly SamplerOptions[]): Promise<Timed[]> {
  const { tokenizer } = model;
  if (!tokenizer) throw new Error('the model has no tokenizer');
  const timed = samplers.map((): Timed => ({ seconds: [], lengths: [], passes: [] }));
  for (const [i, { prompt }] of abacusProblems(1n, TIMED + 1).entries()) {
    progress(`single answers: problem ${i} of ${TIMED}`);
    const encoded = tokenizer.encode(prompt);
    for (const [s, options] of samplers.entries()) {
      const began = performance.now();
      const [{ tokens, account }] = await sampleMany(model, [encoded], { ...options, seed: 0n, chain: i });
      if (i === 0) continue; // the driver compiles a kernel when it is first used
      timed[s].seconds.push((performance.now() - began) / 1000);
      timed[s].lengths.push(tokens.length);
      timed[s].passes.push(account.sequentialPasses);
    }
  }
  progress();
  return timed;
}

const over = (values: readonly number[], others: readonly number[]): number[] =>
  values.map((value, i) => value / others[i]);

/** With the default budget, side by side with others and alone. */
function ofAnAnswer(egps: SamplerSummary, { passes, lengths }: Timed) {
  return {
    passes: known(egps.sequentialPasses),
    rows: known(egps.computedRows),
    tokens: known(egps.length),
    passesOverTokens: known(egps.sequentialPasses) / known(egps.length),
    alone: { passes: summarise(passes), passesOverTokens: summarise(over(passes, lengths)) },
    rightMass: egps.mass,
    rightOverSteps: egps.overSteps,
  };
}

/** The likeliest particle of egps beside best-of-n at equal rows. */
function likeliestOf(samplers: readonly SamplerSummary[], last: readonly SamplerSummary[]) {
  const best = last.filter(({ sampler }) => sampler.startsWith('best-of-n'));
  const budgets = budgetsOf({ rows: best, costs: best }, 'computedRows');
  return samplers
    .filter(({ sampler, pick }) => pick === 'likeliest' && sampler.startsWith('egps'))
    .map(({ sampler, computedRows, accuracy }) => {
      const other = accuracyAt(known(computedRows), budgets) ?? null;
      return { sampler, rows: known(computedRows), accuracy: known(accuracy), bestOfN: other };
    });
}

export function report({
  level,
  levels,
  missed,
  picks,
  ofAnAnswer,
  overPlain,
  likeliest,
  ...of
}: Comparisons): void {
  const percent = (x: number | null) => (x === null ? '–' : (100 * x).toFixed(1));
  console.log(
    `what it takes to be right on ${100 * level} % of the problems: passes where the curve crosses it, or of the cheapest budget if that is\n` +
      `above it, side by side with others; then what ${TIMED} single answers take with the first budget that reaches it, by turns\n`,
  );
  console.log(
    table(
      [
        ...['sampler', 'budget', '%', 'passes', 'over egps'],
        ...['passes alone', 'over egps', 'seconds', 'over egps'],
      ],
      levels.map((each) => [
        each.name,
        each.budget,
        percent(each.accuracy),
        each.passes.toFixed(0),
        each.passesOverEgps.toFixed(2),
        show(each.passesAlone),
        show(each.passesAloneOverEgps),
        show(each.seconds),
        show(each.secondsOverEgps),
      ]),
    ),
  );
  for (const name of missed) console.log(`${name} does not reach it`);
  console.log(
    `\n${of.default}, the default: ${picks.map(({ pick, accuracy }) => `${pick} ${percent(accuracy)} %`).join(', ')}; right mass ` +
      `${percent(ofAnAnswer.rightMass)} %, mean over the final steps ${percent(ofAnAnswer.rightOverSteps)} %\n` +
      `${ofAnAnswer.passes.toFixed(0)} passes and ${ofAnAnswer.rows.toFixed(0)} rows for an answer of ${ofAnAnswer.tokens.toFixed(0)} tokens: ` +
      `${ofAnAnswer.passesOverTokens.toFixed(2)} passes a token; ` +
      `alone ${show(ofAnAnswer.alone.passes)} passes, ${show(ofAnAnswer.alone.passesOverTokens)} a token\n` +
      `seconds over those of a plain sample of its length: ${show(overPlain)}\n`,
  );
  console.log(
    table(
      ['likeliest', 'rows', '%', 'best-of-n at equal rows, %'],
      likeliest.map((each) => [
        each.sampler,
        each.rows.toFixed(0),
        percent(each.accuracy),
        percent(each.bestOfN),
      ]),
    ),
  );
}
