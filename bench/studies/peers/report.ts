/** What comes of the contest. */
import { chart, pointOf } from '../../chart.ts';
import { progress, show, summarise, table } from '../../harness/figures.ts';
import type { Checks } from './checks.ts';
import type { Contestant } from './contest.ts';
import { boundOf, MEASURES, type Measure, measures } from './specs.ts';

const complete = ({ process, rates }: Contestant): boolean =>
  process !== undefined && rates.decode8.length > 0;

export function report(contestants: readonly Contestant[], { described }: Checks): void {
  progress();
  const ours = contestants.find(({ spec, process }) => spec.name === 'ours' && process);
  const middle = ({ rates }: Contestant, measure: Measure) =>
    summarise(rates[measure].map(({ rate }) => rate)).median;
  const times = (contestant: Contestant, measure: Measure) =>
    ours && contestant !== ours ? `${(middle(ours, measure) / middle(contestant, measure)).toFixed(2)}×` : '';
  const error = (e: number | undefined) => (e === undefined ? '' : e.toExponential(0));
  const rows = contestants.map((contestant) => {
    const { spec, precision = '', errors, rates } = contestant;
    const figures = complete(contestant)
      ? measures.flatMap((m) => [show(summarise(rates[m].map(({ rate }) => rate))), times(contestant, m)])
      : measures.flatMap(() => ['', '']);
    const worst =
      errors && Math.max(errors.rows, errors.prefill ?? 0, errors.decode1 ?? 0, errors.decode8 ?? 0);
    return [`${spec.engine} ${spec.backend}`, precision, error(errors?.oracle), error(worst), ...figures];
  });
  const head = ['engine', 'precision', 'error', 'measured size'];
  for (const m of measures) head.push(`${MEASURES[m].label}, tokens/s`, 'ours/this');
  console.log(table(head, rows));
  console.log(`\nErrors are normalised mean square errors of logits, against ${described.oracle};`);
  console.log(
    `at the measured size the worst one, against ${described.measuredSize}, and of rows together against each alone.`,
  );
  const cpu = contestants
    .filter(complete)
    .map((contestant) => [
      `${contestant.spec.engine} ${contestant.spec.backend}, ${contestant.precision}`,
      ...measures.map((m) => show(summarise(contestant.rates[m].map(({ cpuMs }) => cpuMs)))),
    ]);
  console.log(`\n${table(['CPU ms a token', ...measures.map((m) => MEASURES[m].label)], cpu)}`);
  for (const { spec, note } of contestants) if (note) console.log(`\n${spec.name}: ${note}`);
}

export function figuresOf(contestant: Contestant): object {
  const { spec, note, device, precision, errors, rates } = contestant;
  const summaries = () =>
    measures.map((m) => {
      const tokensPerSecond = summarise(rates[m].map(({ rate }) => rate));
      return [m, { tokensPerSecond, cpuMsPerToken: summarise(rates[m].map(({ cpuMs }) => cpuMs)) }];
    });
  return {
    name: spec.name,
    engine: spec.engine,
    backend: spec.backend,
    device,
    precision,
    note,
    errors,
    errorBound: boundOf(spec),
    ...(complete(contestant) && Object.fromEntries(summaries())),
  };
}

export function picture(contestants: readonly Contestant[], note: string): string | undefined {
  const measured = contestants.filter(complete);
  if (measured.length === 0) return;
  const panels = measures.map((m) => ({
    xLabel: 'CPU milliseconds a token',
    yLabel: `${MEASURES[m].label}: tokens a second`,
    logX: true,
    logY: true,
    series: measured.map(({ spec, rates }) => {
      const x = summarise(rates[m].map(({ cpuMs }) => cpuMs)).median;
      return { name: spec.name, points: [pointOf(x, summarise(rates[m].map(({ rate }) => rate)))] };
    }),
  }));
  return chart('The same weights on different engines', panels, note);
}
