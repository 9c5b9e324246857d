import { isRight, type Pair, type Run } from './demo-runs.ts';
import { finalOf, shareOf, verdictOf } from './demo-table.ts';
import { cut, printable, sideBySide, wrap } from './terminal.ts';

/** Put as the embedded model knows it. */
export const EXAMPLE = 'Mia has 47 shells. Mia finds 86. Mia gives away 38. How many shells now?';

/** From so many cells on answers stand beside each other. */
const SIDE_BY_SIDE = 100;
/** Cells of a final answer in a title. */
const ANSWER = 20;

const DEFINITIONS = [
  ['plain', 'one answer, written word by word, each drawn with the probability that the model gives it'],
  [
    'egps',
    'many answers, of which improbable ones make way for probable ones; shown is the most probable final answer with its share of the probability',
  ],
  ['passes', 'how often the model had to be run, one time after another, until the answer stood'],
];

/** What the words of the table mean, in lines of at most `width` cells. */
export function definitions(width: number): string {
  return DEFINITIONS.flatMap(([word, meaning]) =>
    wrap(meaning, Math.max(12, width - 10)).map((line, i) => `  ${(i === 0 ? word : '').padEnd(8)}${line}`),
  ).join('\n');
}

export function scoreLine(pairs: readonly Pair[]): string {
  const right = (side: 'plain' | 'egps') =>
    pairs.filter((pair) => isRight(pair.problem, pair[side]) === true).length;
  return `plain ${right('plain')} of ${pairs.length} right, egps ${right('egps')} of ${pairs.length}.`;
}

/** Both answers word by word: beside each other where there are columns enough; as they are where it is 0, which is no terminal. */
export function inFull(pair: Pair, columns: number): string {
  const of = (side: 'plain' | 'egps') => ({
    title: titleOf(side, pair),
    text: (pair[side].outcome?.answer.text ?? '').trim(),
  });
  const [left, right] = [of('plain'), of('egps')];
  if (columns >= SIDE_BY_SIDE) return sideBySide(left, right, columns);
  const text = (whole: string) => (columns > 0 ? wrap(whole, columns).join('\n') : printable(whole));
  return [left, right].map((each) => `${text(each.title)}\n\n${text(each.text)}`).join('\n\n');
}

function titleOf(side: 'plain' | 'egps', pair: Pair): string {
  const run: Run = pair[side];
  const found = run.outcome?.final.answer === null ? 'no final answer' : cut(finalOf(run), ANSWER);
  const share = side === 'egps' && shareOf(run) ? ` (${shareOf(run)} of the probability)` : '';
  return `${side}: ${found}${share}, ${verdictOf(pair.problem, run) || `${run.passes} passes`}`;
}

/** How this program is called: the demo, and to answer a prompt. */
export interface Calls {
  readonly demo: string;
  readonly generate: string;
}

export function calls(env: Readonly<Record<string, string | undefined>>, deno: boolean): Calls {
  if (deno) return { demo: 'deno task start', generate: 'deno task egps generate' };
  if (env.npm_lifecycle_event === 'start') {
    return { demo: 'npm start --', generate: 'node dist/src/cli/main.js generate' };
  }
  return { demo: 'egps demo', generate: 'egps generate' };
}

/** What to do next. The commands are whole, to be copied. */
export function nextSteps(own: boolean, { demo, generate }: Calls): string {
  const first = own
    ? `Next, problems whose answers are known:\n  ${demo.replace(/ --$/, '')}`
    : `Next, a problem of your own, put like those above:\n  ${demo} "${EXAMPLE}"`;
  return `${first}\nOr a language model of the Hugging Face Hub, or a folder of yours:\n  ${generate} --model Qwen/Qwen2.5-0.5B "your prompt"`;
}
