/**
 * How cost grows when text that is certain is added at the same number of decisions: npm run bench -- length
 * Needs no adapter; a count of steps and tokens on a language small enough to list, the same on every machine. Prints a table
 * and writes bench/results/length.json and length.svg.
 *
 * A response has four decisions, each between a careful style, after which nothing is open, and a quick one, after which a digit
 * is: 256 responses. The integrated autocorrelation time of log p under the target p^4 is computed from the exact transition
 * matrix, the cost of a step from independent steps that start at exact draws of the target. Lockstep decoding has the outcomes
 * of eager decoding, so the same steps give the cost of both.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { OptionError } from '../../src/base/errors.ts';
import { chart } from '../chart.ts';
import { progress, table } from '../harness/figures.ts';
import { type Figure, measure, type Row, STEPS } from './length/figures.ts';
import { BLOCK_SIZE, compare, GATE, SAMPLERS } from './length/kernel.ts';
import { ALPHA, languageOf, PLACEMENTS } from './length/language.ts';

/** Steps that are compared with those of the samplers. */
const COMPARED = 20;

const ADDED = [0, 16, 64, 256];
const EVENLY = 'spread evenly';

const show = ({ value, standardError }: Figure): string =>
  `${value.toFixed(0)} ± ${standardError.toFixed(0)}`;
const COLUMNS: readonly [string, (row: Row) => string][] = [
  ['sampler', ({ sampler }) => sampler],
  ['added', ({ added }) => String(added)],
  ['length', ({ length }) => length.toFixed(0)],
  ['held', ({ held }) => `${(100 * held).toFixed(0)} %`],
  ['accepted', ({ accepted }) => `${(100 * accepted).toFixed(0)} %`],
  ['steps', ({ steps }) => steps.toFixed(1)],
  ['that decode', ({ proposals }) => proposals.toFixed(1)],
  ['tokens, eager', ({ eagerTokens }) => show(eagerTokens)],
  ['lockstep', ({ lockstepTokens }) => show(lockstepTokens)],
  ['sequential, eager', ({ eagerSequential }) => show(eagerSequential)],
  ['lockstep', ({ lockstepSequential }) => show(lockstepSequential)],
];

export async function run(args: string[]): Promise<void> {
  if (args.length > 0) throw new OptionError(`length takes no options, ${JSON.stringify(args[0])} was given`);
  for (const sampler of SAMPLERS) await compare(languageOf('in the middle', 64), sampler, COMPARED);

  console.log('per effective sample of log p');
  const unchanged = SAMPLERS.map((sampler) => measure(languageOf(EVENLY, 0), sampler));
  const rows: Row[] = [];
  for (const placement of Object.keys(PLACEMENTS)) {
    const own = ADDED.flatMap((added) => {
      progress(`${added} tokens ${placement}`);
      const language = languageOf(placement, added);
      const measured = added === 0 ? unchanged : SAMPLERS.map((sampler) => measure(language, sampler));
      return measured.map((row) => ({ placement, added, ...row }));
    });
    progress();
    const cells = own.map((row) => COLUMNS.map(([, cell]) => cell(row)));
    console.log(
      `\ncertain text added ${placement}\n${table(
        COLUMNS.map(([title]) => title),
        cells,
      )}`,
    );
    rows.push(...own);
  }
  const note = conclude(rows);
  console.log(`\n${note}`);
  mkdirSync('bench/results', { recursive: true });
  const figures = {
    alpha: ALPHA,
    gate: GATE,
    blockSize: BLOCK_SIZE,
    countedSteps: STEPS,
    note,
    results: rows,
  };
  writeFileSync('bench/results/length.json', `${JSON.stringify(figures, null, 2)}\n`);
  writeFileSync('bench/results/length.svg', drawn(rows));
}

const rowOf = (rows: readonly Row[], sampler: number, placement: string, added: number): Row =>
  rows.find((row) => {
    return row.sampler === SAMPLERS[sampler].name && row.placement === placement && row.added === added;
  }) as Row;

function conclude(rows: readonly Row[]): string {
  const times = (ratio: number): string => `×${ratio.toFixed(ratio < 9.95 ? 1 : 0)}`;
  /** From the shortest responses to the longest, one sampler after the other. */
  const growth = (placement: string, of: (row: Row) => number): string =>
    SAMPLERS.map((_, i) => times(of(rowOf(rows, i, placement, 256)) / of(rowOf(rows, i, placement, 0)))).join(
      ', ',
    );
  const longest = (of: (row: Row) => number): string =>
    SAMPLERS.map((_, i) => of(rowOf(rows, i, EVENLY, 256)).toFixed(0)).join(', ');

  const steps = ({ steps }: Row) => steps;
  const proposals = ({ proposals }: Row) => proposals;
  const tokens = ({ lockstepTokens }: Row) => lockstepTokens.value;
  const sequential = ({ lockstepSequential }: Row) => lockstepSequential.value;
  const [shortest, most] = [0, 256].map((added) => rowOf(rows, 0, EVENLY, added).length.toFixed(0));
  return [
    `Steps of an effective sample grow from ${shortest} to ${most} tokens of response (${SAMPLERS.map(({ name }) => name).join('; ')})` +
      ` ${growth(EVENLY, steps)} with the certain text spread evenly and ${growth('after the last', steps)} with all of it` +
      ` after the last decision, the steps that decode ${growth(EVENLY, proposals)} and` +
      ` ${growth('after the last', proposals)}: with entropy alone for entropy-cut, nearly so for egps but for the holds of closed` +
      ' blocks, which decode nothing, and with length for uniform cuts unless the text is spread evenly.',
    'Decoded tokens (lockstep) grow with length in every sampler, since a candidate decodes the certain text behind its cut again:' +
      ` ${growth(EVENLY, tokens)} spread evenly, ${growth('in the middle', tokens)} in the middle,` +
      ` ${growth('after the last', tokens)} after the last decision, and only before the first one (${growth('before the first', tokens)})` +
      ' does it cost entropy-cut nothing, egps little (its uniform twentieth of cuts).',
    `So the claim holds for steps, not for tokens, and evenly spread text shows the least of it: at ${most} tokens of response an` +
      ` effective sample decodes ${longest(tokens)} tokens in ${longest(sequential)} sequential steps; egps decodes the most there,` +
      ' and with four candidates in the fewest sequential steps.',
  ].join(' ');
}

function drawn(rows: readonly Row[]): string {
  const series = (of: (row: Row) => { value: number; standardError: number }) =>
    SAMPLERS.map(({ name }, i) => {
      const points = ADDED.map((added) => {
        const row = rowOf(rows, i, EVENLY, added);
        const { value, standardError } = of(row);
        return { x: row.length, y: value, error: standardError };
      });
      return { name, points };
    });
  const axes = { xLabel: 'tokens of a response', logX: true, logY: true };
  return chart(
    'The cost of an effective sample as certain text is added at the same four decisions',
    [
      {
        ...axes,
        yLabel: 'refinement steps, holds included',
        series: series((row) => ({ value: row.steps, standardError: 0 })),
      },
      {
        ...axes,
        yLabel: 'decoded tokens, in lockstep',
        series: series(({ lockstepTokens }) => lockstepTokens),
      },
    ],
    'A language of 256 responses, target p^4; the text is spread evenly. Steps are exact, tokens counted in ' +
      `${STEPS} steps (standard errors drawn).`,
  );
}
