import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { itemsOf, SESSION, timingsOf, WHOLE } from './small-run.ts';

type Damage = (dir: string) => void;

/** What a damaged run ends in: the refusal of a file, mostly of one line; the missing computed again; or all being well all the same. */
export type Outcome = readonly [file: string, line?: number] | 'repaired' | 'well';

interface Case {
  readonly name: string;
  readonly damage: Damage;
  readonly outcome: Outcome;
  /** Where a merge, which computes nothing and holds no shard, has another. */
  readonly merged?: Outcome;
}

export const edit =
  (file: string, how: (lines: string[]) => void): Damage =>
  (dir) => {
    const lines = readFileSync(join(dir, file), 'utf8').split('\n').slice(0, -1);
    how(lines);
    writeFileSync(join(dir, file), lines.map((line) => `${line}\n`).join(''));
  };
export const line = (file: string, number: number, text: (old: string) => string) =>
  edit(file, (lines) => {
    lines[number - 1] = text(lines[number - 1]);
  });
/** A line, with this laid over. */
const patched = (file: string, number: number, part: object) =>
  line(file, number, (old) => JSON.stringify({ ...JSON.parse(old), ...part }));
const json =
  (file: string, part: object): Damage =>
  (dir) =>
    writeFileSync(
      join(dir, file),
      JSON.stringify({ ...JSON.parse(readFileSync(join(dir, file), 'utf8')), ...part }),
    );
const bytes =
  (file: string, content: string | Uint8Array): Damage =>
  (dir) =>
    writeFileSync(join(dir, file), content);
const instead =
  (file: string, make: (path: string) => void): Damage =>
  (dir) => {
    rmSync(join(dir, file), { recursive: true, force: true });
    make(join(dir, file));
  };
const fifo = (path: string) => void execFileSync('mkfifo', [path]);
const loop = (path: string) => symlinkSync(path, path);
const folder = (path: string) => void mkdirSync(path);

const LINES = ['results.jsonl', 'timings.jsonl', 'sessions.jsonl'];
const RUBBISH = Buffer.from('ff00fe80c1', 'hex');

export const CASES: Case[] = [
  // Lines that are no object of the kind, in each file of lines.
  ...LINES.flatMap((file) =>
    ['{}', 'null', '[]', '7', '"x"', 'true', 'NaN', '{"item":', '', '\ufeff{}'].map(
      (text): Case => ({
        name: `${file}: line 1 is ${JSON.stringify(text)}`,
        damage: edit(file, (lines) => {
          lines[0] = text;
          if (lines.length === 1) lines.push(JSON.stringify(SESSION)); // a last one would be taken for cut off
        }),
        outcome: [file, 1],
      }),
    ),
  ),
  // Wrong fields of a result.
  ...Object.entries({
    item: [undefined, null, 7, [], 'unknown', 'b'],
    sampler: [undefined, 'metropolis', {}],
    pick: [undefined, 'vote', 'first'],
    sample: [undefined, -1, 0.5, 2, 1e300, '0'],
    verdict: [undefined, 'Right', true, 'too long'],
    answer: [undefined, 7],
    text: [undefined, null],
    tokens: [undefined, -1, '3', 1e99],
    finish: [undefined, 'stop', null],
    logp: [undefined, 'x'],
    mass: [undefined, 1.5],
    overSteps: [undefined, -1],
    moves: [undefined, null, [], { proposed: 1, accepted: 1 }, { proposed: 1, accepted: 'x', held: 0 }],
  }).flatMap(([field, values]) =>
    values.map(
      (value): Case => ({
        name: `results.jsonl: ${field} of line 4 is ${JSON.stringify(value)}`,
        damage: patched('results.jsonl', 4, { [field]: value }),
        outcome: ['results.jsonl', 4],
      }),
    ),
  ),
  {
    name: 'results.jsonl: a number beyond all numbers',
    damage: line('results.jsonl', 2, (old) => old.replace('"logp":-1', '"logp":-1e999')),
    outcome: ['results.jsonl', 2],
  },
  {
    name: 'results.jsonl: a line is the result of another item',
    damage: edit('results.jsonl', (lines) => {
      lines[0] = lines[6];
    }),
    outcome: 'repaired',
  },
  {
    name: 'results.jsonl: all lines are the same',
    damage: edit('results.jsonl', (lines) => lines.fill(lines[0])),
    outcome: 'repaired',
  },
  {
    name: 'results.jsonl: another verdict on a response that is there',
    damage: edit('results.jsonl', (lines) => lines.push(lines[2].replace('right', 'wrong'))),
    outcome: ['results.jsonl', 19],
  },
  {
    name: 'results.jsonl: a line is another verdict on the response of another',
    damage: edit('results.jsonl', (lines) => {
      lines[5] = lines[2].replace('right', 'wrong');
    }),
    outcome: ['results.jsonl', 6],
  },
  {
    name: 'results.jsonl: a line stands twice',
    damage: edit('results.jsonl', (lines) => lines.push(lines[2])),
    outcome: 'well',
  },
  {
    name: 'results.jsonl: a line is lost',
    damage: edit('results.jsonl', (lines) => lines.splice(4, 1)),
    outcome: 'repaired',
  },
  {
    name: 'results.jsonl: carriage returns',
    damage: edit('results.jsonl', (lines) =>
      lines.forEach((one, i) => {
        lines[i] = `${one}\r`;
      }),
    ),
    outcome: 'well',
  },
  { name: 'results.jsonl: is empty', damage: bytes('results.jsonl', ''), outcome: 'repaired' },
  {
    name: 'results.jsonl: is rubbish without a line',
    damage: bytes('results.jsonl', RUBBISH),
    outcome: 'repaired',
  },
  {
    name: 'results.jsonl: the last line is cut off',
    damage: (dir) => {
      const file = join(dir, 'results.jsonl');
      writeFileSync(file, readFileSync(file).subarray(0, -9));
    },
    outcome: 'repaired',
  },
  {
    name: 'results.jsonl: begins with a mark of the byte order',
    damage: line('results.jsonl', 1, (old) => `\ufeff${old}`),
    outcome: ['results.jsonl', 1],
  },
  {
    name: 'results.jsonl: zeros in place of a line',
    damage: line('results.jsonl', 3, () => '\0'.repeat(40)),
    outcome: ['results.jsonl', 3],
  },
  {
    name: 'results.jsonl: bytes that are no text within a string',
    damage(dir) {
      const [first, ...rest] = readFileSync(join(dir, 'results.jsonl'), 'latin1').split('\n');
      const torn = [first.replace('"text":"x"', '"text":"\xff"'), ...rest].join('\n');
      writeFileSync(join(dir, 'results.jsonl'), torn, 'latin1');
    },
    outcome: ['results.jsonl', 1],
  },
  {
    name: 'results.jsonl: is not there',
    damage: instead('results.jsonl', () => {}),
    outcome: 'repaired',
    merged: ['results.jsonl'],
  },
  // Costs.
  ...[
    { item: 'unknown' },
    { item: 'b' },
    { sampler: 'x' },
    { sample: 2 },
    { process: 7 },
    { began: '0' },
    { ended: -1 },
    { began: 2 },
    { graded: null },
    { costs: null },
    { costs: {} },
    { costs: { ...timingsOf(0)[0].costs, drawnTokens: 'x' } },
  ].map(
    (part): Case => ({
      name: `timings.jsonl: a line with ${JSON.stringify(part)}`,
      damage: patched('timings.jsonl', 5, part),
      outcome: ['timings.jsonl', 5],
    }),
  ),
  {
    name: 'timings.jsonl: zeros in place of a line, which the power took',
    damage: line('timings.jsonl', 3, () => '\0'.repeat(40)),
    outcome: 'well',
  },
  // Processes.
  ...[
    { adapter: 7 },
    { concurrency: 0 },
    { concurrency: null },
    { versions: null },
    { versions: { node: 20 } },
  ].map(
    (part): Case => ({
      name: `sessions.jsonl: a line with ${JSON.stringify(part)}`,
      damage: patched('sessions.jsonl', 1, part),
      outcome: ['sessions.jsonl', 1],
    }),
  ),
  // The plan.
  ...['', 'null', '[]', '7', '"x"', '{}', '{"egps":', '\ufeff{}', '\0\0'].map(
    (text): Case => ({
      name: `run.json: is ${JSON.stringify(text)}`,
      damage: bytes('run.json', text),
      outcome: ['run.json'],
    }),
  ),
  { name: 'run.json: is rubbish', damage: bytes('run.json', RUBBISH), outcome: ['run.json'] },
  ...[
    { egps: 1 },
    { seed: 'x' },
    { seed: 0 },
    { samples: '2' },
    { samples: 0 },
    { samples: 0.5 },
    { samplers: null },
    { samplers: {} },
    { samplers: [] },
    { samplers: [null] },
    { samplers: [{ ...WHOLE.samplers[0], picks: 'last' }] },
    { samplers: [{ ...WHOLE.samplers[0], picks: ['first'] }] },
    { samplers: [{ ...WHOLE.samplers[0], options: 7 }] },
    { samplers: [{ ...WHOLE.samplers[0], chain: 'other' }] },
    { samplers: [WHOLE.samplers[0], WHOLE.samplers[0]] },
    { items: null },
    { items: 'abc' },
    { items: [] },
    { items: ['a', 7] },
    { items: ['a', 'a'] },
    { limit: 'x' },
    { skippedLines: null },
    { shard: 7 },
    { shard: { index: 2, count: 2 } },
    { shard: { index: 0, count: '2' } },
    { shard: {} },
    { task: undefined },
    { model: undefined },
    { strange: 1 },
  ].map(
    (part): Case => ({
      name: `run.json: with ${JSON.stringify(part)}`,
      damage: json('run.json', part),
      outcome: ['run.json'],
    }),
  ),
  // Right in themselves, but of another run: the folder is named.
  ...[
    { samples: 9007199254740991 },
    { shard: { index: 0, count: 1e9 } },
    { shard: { index: 1, count: 2 } },
    { seed: '1' },
    { egps: '0.9.0' },
    { items: ['a', 'b', 'c', 'd', 'f'] },
  ].map(
    (part): Case => ({
      name: `run.json: is another run's, with ${JSON.stringify(part)}`,
      damage: json('run.json', part),
      outcome: ['shard-0-of-2'],
      merged: ['shard-'],
    }),
  ),
  { name: 'run.json: is not there', damage: instead('run.json', () => {}), outcome: ['shard-0-of-2'] },
  // Items, which are written again where that can be done.
  ...['', 'null', '{}', '[]', '[null]', '[{"id":"a"}]', JSON.stringify(itemsOf(1))].map(
    (text): Case => ({
      name: `items.json: is ${text}`,
      damage: bytes('items.json', text),
      outcome: 'well',
      merged: ['items.json'],
    }),
  ),
  {
    name: 'items.json: is not there',
    damage: instead('items.json', () => {}),
    outcome: 'well',
    merged: ['items.json'],
  },
  // Other things than files.
  ...[...LINES, 'run.json', 'items.json'].flatMap((file) =>
    Object.entries({ folder, loop, fifo }).map(
      ([what, make]): Case => ({
        name: `${file}: is a ${what}`,
        damage: instead(file, make),
        outcome: [file],
      }),
    ),
  ),
  // Locks are no matter of a merge, which holds no shard.
  { name: 'lock: is a file', damage: bytes('lock', ''), outcome: ['lock'], merged: 'well' },
  ...Object.entries({ folder, loop, fifo }).flatMap(([what, make]): Case[] => [
    {
      name: `lock: has a ${what}`,
      damage: (dir) => {
        mkdirSync(join(dir, 'lock'));
        make(join(dir, 'lock/x'));
      },
      outcome: ['lock/x'],
      merged: 'well',
    },
    ...(what === 'folder'
      ? []
      : [
          {
            name: `lock: is a ${what}`,
            damage: instead('lock', make),
            outcome: ['lock'] as const,
            merged: 'well' as const,
          },
        ]),
  ]),
];
