import type { RunInfo, SamplerSummary } from '../../../eval/summary.ts';
import { percent } from '../../format.ts';
import { element, find } from '../dom.ts';
import { COSTS } from './costs.ts';
import { amount } from './format.ts';
import type { Samplers } from './samplers.ts';
import { bodyOf, fillHead, rangeCell, row } from './table.ts';

interface Column {
  title: string;
  cell(summary: SamplerSummary): HTMLElement;
}
type Value = (summary: SamplerSummary) => number | null;

const plain = (title: string, value: Value): Column => ({
  title,
  cell: (one) => element('td', '', amount(value(one))),
});

const share = (title: string, value: Value): Column => ({
  title,
  cell: (one) => {
    const part = value(one);
    return element('td', '', part === null ? '–' : percent(part));
  },
});

/** Those that have something to say of these samplers. */
function columnsOf({ samples, items }: RunInfo, samplers: readonly SamplerSummary[]): Column[] {
  /** Counted where there are any. */
  const counted = (title: string, value: Value): Column[] =>
    samplers.some((one) => (value(one) ?? 0) > 0) ? [plain(title, value)] : [];
  /** Where there is any. */
  const estimate = (title: string, value: Value): Column[] =>
    samplers.some((one) => value(one) !== null) ? [share(title, value)] : [];
  return [
    // Where it says what the head of the page does not.
    ...(samplers.some((one) => one.items !== items) ? [plain('graded', (one) => one.items)] : []),
    ...accuracyColumns(samples > 1, samplers),
    ...estimate('mass of right answers', ({ mass }) => mass),
    ...estimate('right over the final steps', ({ overSteps }) => overSteps),
    ...counted('drawn tokens', ({ drawnTokens }) => drawnTokens),
    ...costColumns(samplers),
    ...counted('drafted rows', ({ draftedRows }) => draftedRows),
    ...counted('drafts used', ({ usedDrafts }) => usedDrafts),
    plain('length', ({ length }) => length),
    plain('log p', ({ logp }) => logp),
    share('accepted', ({ acceptance }) => acceptance),
    plain('no answer', ({ noAnswer }) => noAnswer),
    ...counted('timed out', ({ timedOut }) => timedOut),
    ...counted('too long', ({ tooLong }) => tooLong),
    share('cut at the limit', ({ cutAtHorizon }) => cutAtHorizon),
  ];
}

function accuracyColumns(several: boolean, samplers: readonly SamplerSummary[]): Column[] {
  const title = several ? 'accuracy (pass@1)' : 'accuracy';
  const accuracy: Column = { title, cell: (one) => rangeCell(one.accuracy, one.interval) };
  if (!several) return [accuracy];
  const majority: Column = {
    title: 'majority vote',
    cell: (one) => rangeCell(one.majority?.accuracy ?? null, one.majority?.interval ?? null),
  };
  const passAt = samplers.find((one) => one.passAt.length > 0)?.passAt ?? [];
  const passes = passAt
    .filter(({ k }) => k > 1)
    .map(({ k }) => share(`pass@${k}`, (one) => one.passAt.find((pass) => pass.k === k)?.value ?? null));
  return [accuracy, majority, ...passes];
}

function costColumns(samplers: readonly SamplerSummary[]): Column[] {
  return COSTS.filter(({ key }) => samplers.some((one) => one[key] !== null)).map(
    ({ key, name, onFrontier }) => ({
      title: name,
      cell: (one) => element('td', onFrontier(one) ? 'on-frontier' : '', amount(one[key])),
    }),
  );
}

export function showSamplers(run: RunInfo, samplers: Samplers): void {
  const columns = columnsOf(run, samplers.all);
  const table = find('samplers');
  const most = Math.max(...samplers.all.map(({ accuracy }) => accuracy ?? 0));
  fillHead(table, ['sampler', ...columns.map(({ title }) => title)]);
  bodyOf(table).append(
    ...samplers.all.map((one, i) => {
      const made = row(samplers, i, ...columns.map(({ cell }) => cell(one)));
      if (one.accuracy !== null && one.accuracy === most) made.classList.add('best');
      return made;
    }),
  );
  const picks =
    'A sampler’s own row is of the last states of its runs, which alone are samples; “likeliest” is of the likeliest response that each run has come by, “vote” of the likeliest with its most probable answer, both at no further cost. The mass of right answers is the run’s own estimate of how probable these are under p^α. ';
  find('samplers-note').textContent =
    `Accuracy in per cent with its 95 % interval (Wilson). ${samplers.all.some(({ pick }) => pick !== 'last') ? picks : ''}Costs, length and log p, in nats, are means a response. Drawn tokens are those of all candidates, found again or computed; computed rows are the tokens that went through the model, guesses included; wall seconds are those at the concurrency of the run, each moment shared among the chains that ran. ◆ marks the frontier: no other is at least as accurate for the same cost or less.`;
}
