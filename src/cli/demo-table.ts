import { isRight, type Pair, type Problem, type Run } from './demo-runs.ts';
import { cut, oneLine, printable, textWidth } from './terminal.ts';

interface Column {
  readonly title: string;
  readonly width: number;
  /** Numbers stand to the right. */
  readonly right?: boolean;
  cell(pair: Pair, index: number): string;
}

interface Table {
  readonly head: string;
  row(pair: Pair, index: number): string;
}

type Side = 'plain' | 'egps';

const GAP = '  ';
/** Cells of a problem, at the least. */
const PROBLEM = 12;
/** Cells of an answer, at the most. */
const ANSWER = 12;

/**
 * A table of at most `width` cells whose rows can be drawn one by one, before all are there. Where that is little, the numbers of passes are
 * left out first, then the problems, and then columns stand closer.
 */
export function demoTable(problems: readonly Problem[], width: number): Table {
  const number: Column = {
    title: '#',
    width: String(problems.length).length,
    right: true,
    cell: (_, index) => String(index + 1),
  };
  const prompts = problems.map(({ prompt }) => textWidth(shown(prompt)));
  const text = (room: number): Column => ({
    title: 'problem',
    width: Math.min(room, Math.max(...prompts)),
    cell: ({ problem }) => shown(problem.prompt),
  });
  const longest = Math.max(...problems.map(({ answer }) => textWidth(shown(answer ?? ''))));
  const answers = (title: string, cell: Column['cell']): Column => {
    return { title, width: Math.min(ANSWER, Math.max(title.length, longest)), right: true, cell };
  };
  const solution = answers('answer', ({ problem }) => shown(problem.answer ?? ''));
  const final = (side: Side) => answers(side, (pair) => finalOf(pair[side]));
  const share: Column = { title: 'share', width: 5, right: true, cell: ({ egps }) => shareOf(egps) };
  const verdict = (side: Side): Column => {
    return { title: '', width: 5, cell: (pair) => verdictOf(pair.problem, pair[side]) };
  };
  const passes = (side: Side): Column => {
    return { title: 'passes', width: 6, right: true, cell: (pair) => String(pair[side].passes || '') };
  };
  const plain = [final('plain'), verdict('plain')];
  const egps = [final('egps'), share, verdict('egps')];
  const whole = [solution, ...plain, passes('plain'), ...egps, passes('egps')];
  const short = [solution, ...plain, ...egps];

  const room = (columns: readonly Column[]) =>
    columns.reduce((left, column) => left - GAP.length - column.width, width - number.width - GAP.length);
  const fitting = [whole, short].find((columns) => room(columns) >= PROBLEM);
  const columns = fitting ? [number, text(room(fitting)), ...fitting] : [number, ...short];
  const gap = room(short) + GAP.length >= 0 ? GAP : ' ';
  const line = (cells: readonly string[]) => {
    const padded = columns.map((column, c) => {
      const inside = cut(cells[c], column.width);
      const space = ' '.repeat(column.width - textWidth(inside));
      return column.right ? space + inside : inside + space;
    });
    return cut(padded.join(gap).trimEnd(), width);
  };
  return {
    head: line(columns.map(({ title }) => title)),
    row: (pair, index) => line(columns.map((column) => column.cell(pair, index))),
  };
}

const shown = (text: string): string => printable(oneLine(text));

/** What a run answers; nothing while it goes on. */
export const finalOf = ({ outcome }: Run): string => (outcome ? shown(outcome.final.answer ?? 'none') : '');

export const shareOf = ({ outcome }: Run): string =>
  outcome && outcome.final.answer !== null ? `${Math.round(100 * outcome.final.probability)} %` : '';

/** Nothing where nobody knows. */
export function verdictOf(problem: Problem, run: Run): string {
  const right = isRight(problem, run);
  return right === undefined ? '' : right ? 'right' : 'wrong';
}
