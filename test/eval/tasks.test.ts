import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { DataError, OptionError } from '../../src/base/errors.ts';
import { loadTask, TASKS, type Task } from '../../src/eval/tasks/tasks.ts';
import { critical } from '../sampling/chi-square.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

type Options = Partial<Parameters<typeof loadTask>[1]>;

const generic = (name: string): boolean => name.endsWith('.jsonl');

/** The task with a file of this content: its data, or for a name with a dot, itself. */
async function load(
  name: string,
  content: string | Uint8Array | object,
  options: Options = {},
): Promise<Task> {
  let task: Task | undefined;
  await withFolder({ [generic(name) ? name : 'data']: content }, async (dir) => {
    const data = generic(name) ? {} : { data: join(dir, 'data') };
    task = await loadTask(generic(name) ? join(dir, name) : name, { seed: 0n, ...data, ...options });
  });
  return task as Task;
}

/** Asserts that loading fails at a line, or at none, with a DataError. */
async function refuses(
  name: string,
  content: string | Uint8Array | object,
  message: RegExp,
  line: number | undefined,
  options: Options = {},
): Promise<void> {
  const error = await failure(DataError, message, () => load(name, content, options));
  assert.is(error.line, line, error.message);
  assert.match(error.file, generic(name) ? /own\.jsonl$/ : /data$/);
  assert.ok(error.message.startsWith(`${error.file}${line === undefined ? '' : `, line ${line}`}: `));
}

const jsonl = (...lines: object[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const own = (fields: object = {}): object => ({
  id: 'a',
  prompt: 'p',
  answer: '1',
  grader: 'exact',
  ...fields,
});

test('math500: the published prompt around the problem, from an array or lines, by either naming', async () => {
  const prompt =
    'Can you solve the following math problem? What is $1+1$? Please reason step by step, and put your final answer within \\boxed{{}}.';
  const item = { id: 'test/algebra/1.json', prompt, grader: 'math', answer: '2' };
  const ours = { prompt: 'What is $1+1$?', answer: '2', source: 'math', id: 'test/algebra/1.json' };
  const theirs = { problem: 'What is $1+1$?', solution: '…', answer: '2', unique_id: 'test/algebra/1.json' };
  const unnamed = { prompt: 'What is $1+1$?', answer: '2' };
  for (const content of [[ours], jsonl(ours), [theirs], jsonl(theirs), `\uFEFF \n${JSON.stringify([ours])}`])
    assert.equal(await load('math500', content), { name: 'math500', items: [item], skipped: [] });
  const { items } = await load('math500', [{ ...ours, id: 7 }, unnamed, unnamed]);
  assert.equal(
    items.map(({ id }) => id),
    ['7', '1', '2'],
  );
});

test('answers that are numbers of JSON are read as they are written, unless digits may be lost', async () => {
  const answers = async (name: string, lines: object[]) =>
    (await load(name, jsonl(...lines))).items.map(({ answer }) => answer);
  const aime = [204, 0, -3, 0.5, '042', 1e-7].map((answer, i) => ({ problem: 'p', answer, id: i }));
  assert.equal(await answers('math500', aime), ['204', '0', '-3', '0.5', '042', '1e-7']);
  const generic = ['math', 'exact'].map((grader) => own({ id: grader, grader, answer: 42 }));
  assert.equal(await answers('own.jsonl', generic), ['42', '42']);
  const long = '{"prompt": "p", "answer": 9007199254740993}\n';
  await refuses('math500', long, /"answer" is 9007199254740992, .*as a string/, 1);
  for (const grader of ['code', 'choice'])
    await refuses('own.jsonl', jsonl(own({ grader, answer: 2, entry_point: 'f' })), /"answer" is 2/, 1);
  const options = { 'Correct Answer': 7, 'Incorrect Answer 1': 8, 'Incorrect Answer 2': 9 };
  const row = { 'Record ID': 1, Question: 'Q', 'Incorrect Answer 3': 'none', ...options };
  assert.match((await load('gpqa', jsonl(row))).items[0].prompt, /[A-D]\) 7\n|[A-D]\) 7$/);
});

test('humaneval: the bare prompt, and a program that checks the function', async () => {
  const line = {
    task_id: 'HumanEval/0',
    prompt: 'def one():\n',
    entry_point: 'one',
    canonical_solution: '    return 1\n',
    test: 'def check(candidate):\n    assert candidate() == 1\n',
  };
  assert.equal((await load('humaneval', jsonl(line))).items, [
    {
      id: 'HumanEval/0',
      prompt: 'def one():\n',
      grader: 'code',
      answer: 'def check(candidate):\n    assert candidate() == 1\n\ncheck(one)\n',
      entryPoint: 'one',
    },
  ]);
});

test('humaneval: gzip of the file, as it is published, by what is in it', async () => {
  const fields = { task_id: 'a', prompt: 'def one():\n', entry_point: 'one', test: 'def check(f): pass\n' };
  const lines = jsonl(fields, { ...fields, task_id: 'b' });
  const packed = gzipSync(lines);
  const plain = await load('humaneval', lines);
  assert.equal(await load('humaneval', packed), plain);
  // As `cat` of two such files is one.
  const parts = [gzipSync(lines.slice(0, 50)), gzipSync(lines.slice(50))];
  assert.equal(await load('humaneval', Buffer.concat(parts)), plain);
  await refuses('humaneval', packed.subarray(0, -9), /is gzip that cannot be unpacked/, undefined);
  const bad = jsonl(fields, { ...fields, test: 7 });
  await refuses('humaneval', gzipSync(bad), /"test" is 7/, 2);
  assert.is((await load('own.jsonl', gzipSync(jsonl(own())))).items.length, 1);
});

const HEADER =
  'Note,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Record ID\n';

test('gpqa: the published prompt, its options in an order of the seed and the id alone', async () => {
  const csv = `\uFEFF${HEADER}x,"Which ""$&"", of\nthese?",right,wrong 1,"wrong, 2",wrong 3,rec1\n`;
  const [item] = (await load('gpqa', csv)).items;
  assert.equal(item, {
    id: 'rec1',
    prompt:
      "Answer the following multiple choice question. The last line of your response should be of the following format: '\\boxed{$LETTER}' (without quotes) where LETTER is one of ABCD (ex. '\\boxed{A}'). Think step by step before answering.\n\nWhich \"$&\", of\nthese?\n\nA) wrong 1\nB) wrong, 2\nC) wrong 3\nD) right",
    grader: 'choice',
    answer: 'D',
  });
  const other = `${HEADER}x,Another?,1,2,3,4,rec0\r\n${csv.slice(HEADER.length + 1)}`;
  assert.equal((await load('gpqa', other)).items[1], item);
  const row = {
    'Record ID': 'rec1',
    Question: 'Which "$&", of\nthese?',
    'Correct Answer': 'right',
    'Incorrect Answer 1': 'wrong 1',
    'Incorrect Answer 2': 'wrong, 2',
    'Incorrect Answer 3': 'wrong 3',
  };
  assert.equal((await load('gpqa', jsonl(row))).items, [item]);
  const orders = new Set<string>();
  for (let seed = 0n; seed < 20n; seed++) orders.add((await load('gpqa', csv, { seed })).items[0].prompt);
  assert.ok(orders.size > 5);
});

test('gpqa: all orders of the options are alike likely, and the answer is where the right one stands', async () => {
  const rows = Array.from({ length: 2400 }, (_, i) => `,Q,r,s,t,u,${i}\n`);
  const counts = new Map<string, number>();
  for (const { prompt, answer } of (await load('gpqa', HEADER + rows.join(''))).items) {
    const order = [...prompt.slice(-20).matchAll(/([A-D])\) ([r-u])/g)];
    assert.is(order.find(([, , option]) => option === 'r')?.[1], answer);
    assert.is(order.map(([, letter]) => letter).join(''), 'ABCD');
    const key = order.map(([, , option]) => option).join('');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.is(counts.size, 24);
  const statistic = [...counts.values()].reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
  assert.ok(statistic < critical(23), `χ² ${statistic}`);
});

test('a file of one’s own: every grader, ids of both kinds, blank lines and a byte order mark', async () => {
  const lines = [
    own(),
    own({ id: 2, grader: 'math' }),
    own({ id: 'c', grader: 'choice', answer: 'b' }),
    own({ id: 'd', grader: 'code', entry_point: 'f' }),
  ].map((line) => JSON.stringify(line));
  const { name, items, skipped } = await load('own.jsonl', `\uFEFF${lines.join('\r\n\r\n  \r\n')}`);
  assert.match(name, /own\.jsonl$/);
  assert.equal(skipped, []);
  assert.equal(items, [
    { id: 'a', prompt: 'p', grader: 'exact', answer: '1' },
    { id: '2', prompt: 'p', grader: 'math', answer: '1' },
    { id: 'c', prompt: 'p', grader: 'choice', answer: 'B' },
    { id: 'd', prompt: 'p', grader: 'code', answer: '1', entryPoint: 'f' },
  ]);
});

test('abacus: 200 problems unless told', async () => {
  const { name, items, skipped } = await loadTask('abacus', { seed: 3n });
  assert.is(items.length, 200);
  assert.is(items[199].id, 'abacus-3-199');
  assert.equal([name, skipped], ['abacus', []]);
  assert.equal((await loadTask('abacus', { seed: 3n, limit: 5 })).items, items.slice(0, 5));
});

test('a bad line is named, with what is wrong', async () => {
  const good = jsonl(own());
  const cases: [string, RegExp][] = [
    ['{"id": 1,', /not JSON/],
    ['[1]', /is an array, expected an object/],
    ['"text"', /is "text", expected an object/],
    ['null', /is null, expected an object/],
    [jsonl(own({ id: null })), /"id" is null, expected a number or a string/],
    [jsonl(own({ id: ' ' })), /"id" is " "/],
    [jsonl(own({ id: undefined })), /"id" is missing/],
    [jsonl(own({ prompt: 17 })), /"prompt" is 17, expected a string/],
    [jsonl(own({ prompt: '' })), /"prompt" is "", expected a string that is not blank/],
    [jsonl(own({ answer: ['1'] })), /"answer" is an array/],
    [jsonl(own({ answer: 'x'.repeat(99), prompt: {} })), /"prompt" is an object/],
    [jsonl(own({ id: 'b', grader: 'maths' })), /unknown grader "maths"; did you mean math\?/],
    [jsonl(own({ id: 'b', grader: 'toString' })), /unknown grader "toString": of math, exact, choice, code/],
    [jsonl(own({ id: 'b', grader: 'code' })), /"entry_point" is missing/],
    [jsonl(own({ id: 'b', grader: 'code', entry_point: 'f(' })), /"entry_point" is "f\(", which is no name/],
    [jsonl(own({ id: 'b', grader: 'choice', answer: '(B)' })), /"answer" is "\(B\)", .* one letter/],
    [good, /the id "a" is that of line 1 already/],
  ];
  for (const [line, message] of cases) {
    await refuses('own.jsonl', `${good}\n${line}`, message, 3);
    const after = jsonl(own({ id: 'after' }));
    const { items, skipped } = await load('own.jsonl', `${good}\n${line.trim()}\n${after}`, {
      skipBad: true,
    });
    assert.equal(
      items.map(({ id }) => id),
      ['a', 'after'],
    );
    assert.is(skipped.length, 1);
    assert.is(skipped[0].line, 3);
    assert.match(skipped[0].reason, message);
  }
  await refuses('own.jsonl', jsonl(own({ id: 1 }), own({ id: '1' })), /the id "1" is that of line 1/, 2);
  await refuses('humaneval', jsonl({ task_id: 'x', prompt: 'p', test: 't' }), /"entry_point" is missing/, 1);
  await refuses('math500', jsonl({ answer: '2' }), /"prompt" or "problem" is missing/, 1);
});

test('an entry of an array is named by its index', async () => {
  const entry = (id: string) => ({ prompt: 'p', answer: '1', id });
  const bad = [entry('a'), { ...entry('b'), answer: [2] }, 5, entry('a'), entry('c')];
  await refuses('math500', bad, /: entry 1: the field "answer" is an array/, undefined);
  await refuses('math500', [bad[0], bad[3]], /: entry 1: the id "a" is that of entry 0/, undefined);
  const { items, skipped } = await load('math500', bad, { skipBad: true });
  assert.equal(
    items.map(({ id }) => id),
    ['a', 'c'],
  );
  assert.equal(
    skipped.map(({ line }) => line),
    [undefined, undefined, undefined],
  );
  assert.equal(
    skipped.map(({ reason }) => reason.slice(0, 8)),
    ['entry 1:', 'entry 2:', 'entry 3:'],
  );
  await refuses('math500', '[{"prompt": "p",]', /not JSON/, undefined, { skipBad: true });
});

test('rows of a CSV are named by their first line; bad quotation cannot be skipped', async () => {
  const good = 'x,"two\nlines",1,2,3,"4\n5",a\n';
  await refuses('gpqa', `${HEADER}${good}\n1,2,3\n`, /the row has 3 values, the header 7/, 6);
  await refuses('gpqa', `${HEADER}${good}x,"Q\n",,2,3,4,b\n`, /"Correct Answer" is "", expected/, 5);
  await refuses('gpqa', `${HEADER}${good}${good}`, /the id "a" is that of line 2/, 5);
  const windows = `${HEADER}${good}\n1\n`.replaceAll('\n', '\r\n');
  await refuses('gpqa', windows, /the row has 1 values/, 6);
  await refuses('gpqa', `Question,Record ID\nq,a\n`, /"Correct Answer" is missing/, 2);
  const { items, skipped } = await load('gpqa', `${HEADER}${good}1,2,3\n${good}`, { skipBad: true });
  assert.equal(
    items.map(({ id }) => id),
    ['a'],
  );
  assert.equal(
    skipped.map(({ line }) => line),
    [5, 6],
  );
  await refuses('gpqa', `${HEADER}${good}1,z"q",3\n${good}`, /Quote/, 5, { skipBad: true });
  await refuses('gpqa', `${HEADER}${good}1,"open,3\n`, /Quote/, 5);
  const long = 'x'.repeat(300_000);
  assert.is((await load('gpqa', `${HEADER}x,${long},1,2,3,4,a\n`)).items.length, 1);
});

test('files that are no text, have nothing, or cannot be read', async () => {
  const line = new TextEncoder().encode(jsonl(own()));
  const bad = Uint8Array.of(
    ...line,
    0x22,
    0xff,
    0x22,
    0x0a,
    ...new TextEncoder().encode(jsonl(own({ id: 2 }))),
  );
  await refuses('own.jsonl', bad, /is not UTF-8/, 2);
  assert.is((await load('own.jsonl', bad, { skipBad: true })).items.length, 2);
  await refuses('gpqa', bad.subarray(line.length - 1), /is not UTF-8/, 2);
  await refuses('math500', Uint8Array.of(0x5b, 0x0a, 0x0a, 0xc3, 0x0a), /is not UTF-8/, 3);
  for (const [name, content] of [
    ['own.jsonl', ''],
    ['own.jsonl', '\n\n'],
    ['math500', '[]'],
    ['math500', ''],
    ['humaneval', '\n'],
    ['gpqa', ''],
    ['gpqa', HEADER],
  ])
    await refuses(
      name,
      content,
      /has no items; expected is .*\{|has no items; expected is the CSV/,
      undefined,
    );
  await refuses('own.jsonl', '\n{}\n1\n', /has no items; all 2 records are bad, the first: .*"grader"/, 2, {
    skipBad: true,
  });
  const gone = await failure(DataError, /cannot be read: ENOENT/, () =>
    loadTask('gone/own.jsonl', { seed: 0n }),
  );
  assert.is(gone.file, 'gone/own.jsonl');
  await failure(DataError, /cannot be read: EISDIR/, () => loadTask('math500', { data: 'test', seed: 0n }));
});

test('the limit takes the first good items', async () => {
  const lines = jsonl(own({ id: 1 }), {}, own({ id: 2 }), own({ id: 3 }));
  const { items, skipped } = await load('own.jsonl', lines, { skipBad: true, limit: 2 });
  assert.equal(
    items.map(({ id }) => id),
    ['1', '2'],
  );
  assert.is(skipped.length, 1);
  assert.is((await load('own.jsonl', lines, { skipBad: true, limit: 99 })).items.length, 3);
  for (const limit of [0, -1, 1.5, Number.NaN])
    await failure(OptionError, /limit is/, () => load('own.jsonl', lines, { limit }));
});

test('names and data that do not belong together', async () => {
  const named = (name: string, data?: string) => () => loadTask(name, { seed: 0n, data });
  await failure(OptionError, /unknown task "mth500"; did you mean math500\?/, named('mth500'));
  await failure(OptionError, /unknown task "toString": of abacus.*ends in \.jsonl/, named('toString'));
  await failure(OptionError, /abacus takes no --data/, named('abacus', 'x.json'));
  await failure(OptionError, /own\.jsonl takes no --data/, named('own.jsonl', 'x.json'));
  for (const name of TASKS.slice(1))
    await failure(OptionError, new RegExp(`${name} needs --data FILE: .*(JSON|CSV)`), named(name));
});

test.run();
