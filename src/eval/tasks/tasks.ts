import { createHash } from 'node:crypto';
import { DataError, OptionError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { GraderName, Item } from '../item.ts';
import { abacusProblems } from './abacus.ts';
import {
  answer,
  csvRows,
  type DataRecord,
  Fault,
  type Fields,
  firstCharacter,
  identity,
  jsonArray,
  jsonLines,
  readBytes,
  text,
} from './files.ts';

export interface Task {
  readonly name: string;
  readonly items: readonly Item[];
  /** Bad records that are left out; in a JSON array they have no line, and the reason names the entry. */
  readonly skipped: readonly { line?: number; reason: string }[];
}

export const TASKS = ['abacus', 'math500', 'humaneval', 'gpqa'] as const;

type FileTask = Exclude<(typeof TASKS)[number], 'abacus'>;

const ABACUS_ITEMS = 200;
const GRADERS: readonly GraderName[] = ['math', 'exact', 'choice', 'code'];

/** How the problems of a task lie in a file. */
interface Format {
  /** What the file is, as an error says it. */
  readonly file: string;
  records(file: string, bytes: Uint8Array): DataRecord[];
  /** @throws Fault */
  item(fields: Fields, index: number, seed: bigint): Item;
}

// The prompts of math500 and gpqa are those of Karan & Du's runs to the letter, doubled braces and $LETTER included.
const FORMATS: Readonly<Record<FileTask, Format>> = {
  math500: {
    file: 'a JSON array or JSONL of {prompt, answer, id} or {problem, answer, unique_id}',
    records: (file, bytes) => (firstCharacter(bytes) === '[' ? jsonArray(file, bytes) : jsonLines(bytes)),
    item: (fields, index) => ({
      id: 'id' in fields || 'unique_id' in fields ? identity(fields, 'id', 'unique_id') : String(index),
      prompt: `Can you solve the following math problem? ${text(fields, 'prompt', 'problem')} Please reason step by step, and put your final answer within \\boxed{{}}.`,
      grader: 'math',
      answer: answer(fields, 'answer'),
    }),
  },
  humaneval: {
    file: 'the JSONL of {task_id, prompt, entry_point, test}',
    records: (_, bytes) => jsonLines(bytes),
    item: (fields) => {
      const entryPoint = name(fields);
      return {
        id: identity(fields, 'task_id'),
        prompt: text(fields, 'prompt'),
        grader: 'code',
        answer: `${text(fields, 'test')}\ncheck(${entryPoint})\n`,
        entryPoint,
      };
    },
  },
  gpqa: {
    file: 'the CSV, or JSONL, with "Record ID", "Question", "Correct Answer" and "Incorrect Answer 1" to "3"',
    records: (file, bytes) => (firstCharacter(bytes) === '{' ? jsonLines(bytes) : csvRows(file, bytes)),
    item: (fields, _, seed) => {
      const id = identity(fields, 'Record ID');
      const options = [
        'Correct Answer',
        'Incorrect Answer 1',
        'Incorrect Answer 2',
        'Incorrect Answer 3',
      ].map((name) => answer(fields, name));
      const order = permutation(options.length, `${seed}/${id}`);
      const listed = order.map((option, place) => `${'ABCD'[place]}) ${options[option]}`);
      return {
        id,
        prompt: `Answer the following multiple choice question. The last line of your response should be of the following format: '\\boxed{$LETTER}' (without quotes) where LETTER is one of ABCD (ex. '\\boxed{A}'). Think step by step before answering.\n\n${text(fields, 'Question')}\n\n${listed.join('\n')}`,
        grader: 'choice',
        answer: 'ABCD'[order.indexOf(0)],
      };
    },
  },
};

const GENERIC: Format = {
  file: 'JSONL of {id, prompt, answer, grader}',
  records: (_, bytes) => jsonLines(bytes),
  item: (fields) => {
    const asked = text(fields, 'grader');
    const grader = GRADERS.find((each) => each === asked);
    if (!grader) {
      const nearest = didYouMean(asked, GRADERS) || `: of ${GRADERS.join(', ')}`;
      throw new Fault(`unknown grader ${JSON.stringify(asked)}${nearest}`);
    }
    return {
      id: identity(fields, 'id'),
      prompt: text(fields, 'prompt'),
      grader,
      answer: grader === 'choice' ? letter(fields) : (grader === 'code' ? text : answer)(fields, 'answer'),
      ...(grader === 'code' && { entryPoint: name(fields) }),
    };
  },
};

/** The function that is asked for. */
function name(fields: Fields): string {
  const found = text(fields, 'entry_point');
  if (/^[A-Za-z_]\w*$/.test(found)) return found;
  throw new Fault(`the field "entry_point" is ${JSON.stringify(found)}, which is no name of a function`);
}

/** The right one of several choices. */
function letter(fields: Fields): string {
  const found = text(fields, 'answer').trim();
  if (/^[A-Za-z]$/.test(found)) return found.toUpperCase();
  throw new Fault(`the field "answer" is ${JSON.stringify(found)}, the grader choice needs one letter`);
}

/**
 * The problems of a task.
 * @param name one of `TASKS`, or the path of a JSONL file of {id, prompt, answer, grader}, with entry_point for grader code
 * @param options.data the file of math500, humaneval and gpqa, or gzip of it
 * @param options.seed below 2^64; picks the problems of abacus and the order of gpqa's options
 * @param options.limit the first so many, of those that are not skipped; 200 of abacus unless told, otherwise all
 * @param options.skipBad leaves bad records out, and tells which, in place of an error
 * @throws OptionError the name, `data` or `limit`
 * @throws DataError the file, naming the line
 */
export async function loadTask(
  name: string,
  options: { data?: string; seed: bigint; limit?: number; skipBad?: boolean },
): Promise<Task> {
  const { data, seed, limit, skipBad = false } = options;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0))
    throw new OptionError(`limit is ${limit}: a whole number from 1 is expected`);
  const isPath = name.endsWith('.jsonl');
  if (data !== undefined && (isPath || name === 'abacus'))
    throw new OptionError(`task ${name} takes no --data, ${JSON.stringify(data)} was given`);
  if (name === 'abacus') return { name, items: abacusProblems(seed, limit ?? ABACUS_ITEMS), skipped: [] };
  if (!isPath && !Object.hasOwn(FORMATS, name)) {
    const known = didYouMean(name, TASKS) || `: of ${TASKS.join(', ')}, or a path that ends in .jsonl`;
    throw new OptionError(`unknown task ${JSON.stringify(name)}${known}`);
  }
  const format = isPath ? GENERIC : FORMATS[name as FileTask];
  const file = isPath ? name : data;
  if (file === undefined) throw new OptionError(`task ${name} needs --data FILE: ${format.file}`);
  const { items, skipped } = collect(file, format, await readBytes(file), seed, skipBad);
  return { name, items: items.slice(0, limit), skipped };
}

function collect(file: string, format: Format, bytes: Uint8Array, seed: bigint, skipBad: boolean) {
  const items: Item[] = [];
  const skipped: { line?: number; reason: string }[] = [];
  const places = new Map<string, string>();
  for (const { index, line, fields } of format.records(file, bytes)) {
    try {
      if (fields instanceof Fault) throw fields;
      const item = format.item(fields, index, seed);
      const earlier = places.get(item.id);
      if (earlier) throw new Fault(`the id ${JSON.stringify(item.id)} is that of ${earlier} already`);
      places.set(item.id, line === undefined ? `entry ${index}` : `line ${line}`);
      items.push(item);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const reason = line === undefined ? `entry ${index}: ${error.message}` : error.message;
      if (!skipBad) throw new DataError(file, reason, line, { cause: error.cause });
      skipped.push({ ...(line !== undefined && { line }), reason });
    }
  }
  if (items.length === 0) {
    const all = skipped.length
      ? `all ${skipped.length} records are bad, the first: ${skipped[0].reason}`
      : '';
    throw new DataError(
      file,
      `has no items${all && `; ${all}`}; expected is ${format.file}`,
      skipped[0]?.line,
    );
  }
  return { items, skipped };
}

/** A random order of 0 … n − 1 (n ≤ 9) from SHA-256 of `source`, by Fisher and Yates; each draw is uniform to within 2^-32. */
function permutation(n: number, source: string): number[] {
  const hash = createHash('sha256').update(source).digest();
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((hash.readUInt32BE(4 * (i - 1)) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
