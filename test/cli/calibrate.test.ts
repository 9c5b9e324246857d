import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CheckpointError, OptionError } from '../../src/base/errors.ts';
import { histogramLines, readPrompts, writeDefaults } from '../../src/cli/calibrate.ts';
import { inProcess } from '../support/cli.ts';
import { failure, withFolder } from '../support/folder.ts';
import type { Ended } from '../support/process.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { suite } from '../support/suite.ts';

/** Runs `egps calibrate` to its end. */
const egps = (...argv: string[]): Promise<Ended> => inProcess(['calibrate', ...argv]);

const files = suite('files');

const readable: [
  name: string,
  content: string | Uint8Array,
  ...prompts: [prompt: unknown, line: number][],
][] = [
  ['p.txt', '\ufeffone, two\n\n  \n[three]\r\n four \n', ['one, two', 1], ['[three]', 4], [' four ', 5]],
  ['list', '"a"\n', ['"a"', 1]],
  ['p.jsonl', '"a\\n"\n\n{"answer": "1", "prompt": "b"}\r\n[1, 2]\n', ['a\n', 1], ['b', 3], [[1, 2], 4]],
  ['p.json', '["a", "b"]', ['a', 1], ['b', 1]],
  [
    'P.JSON',
    '\n[\n  "],\\" {", {"n": [[], {}],\n "prompt": "b"},\n  [3],\n\n{"prompt": [4, 5]}\n]\n',
    [']," {', 3],
    ['b', 3],
    [[3], 5],
    [[4, 5], 7],
  ],
];
for (const [name, content, ...expected] of readable) {
  files(`${name} ${JSON.stringify(content)} is read`, () =>
    withFolder({ [name]: content }, async (dir) => {
      const file = join(dir, name);
      assert.equal(
        await readPrompts(file),
        expected.map(([prompt, line]) => ({ prompt, where: `${file} line ${line}` })),
      );
    }),
  );
}

const unreadable: [name: string, content: string | Uint8Array, message: RegExp][] = [
  ['p.txt', ' \n\n', /p\.txt has no prompts$/],
  ['p.json', ' [\n] ', /p\.json has no prompts$/],
  ['p.jsonl', '', /p\.jsonl has no prompts$/],
  ['p.txt', Uint8Array.of(0x61, 0xff), /p\.txt cannot be read: it is not UTF-8$/],
  ['p.jsonl', '"a"\n\n{"prompt": 3}\n', /p\.jsonl line 3: a string, token ids, or an object/],
  ['p.jsonl', '"a"\nb\n', /p\.jsonl line 2: not valid JSON: /],
  ['p.jsonl', '["a"]', /line 1: a string, token ids/],
  ['p.json', '\n{"prompt": "a"}', /p\.json line 2: a JSON array is expected/],
  ['p.json', '["a",\n\n{"text": "b"}]', /p\.json line 3: a string, token ids/],
  ['p.json', '["a",\n null]', /line 2: a string, token ids/],
  ['p.json', '["a",\n "b" "c"\n, "d"]', /line 2: not valid JSON/],
  ['p.json', '[\n"a",\n]', /line 3: not valid JSON/],
  ['p.json', '["a",\n {"prompt": "b"\n', /line 2: the array does not end/],
  ['p.json', '["a"]\n\n ["b"]', /line 3: nothing is expected after the array/],
];
for (const [name, content, message] of unreadable) {
  files(`${name} ${JSON.stringify(content)} is refused`, () =>
    withFolder({ [name]: content }, async (dir) => {
      await failure(OptionError, message, () => readPrompts(join(dir, name)));
    }),
  );
}

files('a file that is not there is named', async () => {
  await failure(OptionError, /nowhere\.txt cannot be read: ENOENT/, () => readPrompts('nowhere.txt'));
});

const before = { steps: 2, gate: 0.1, maxNewTokens: 24, cutLaw: 'entropy-gate', alpha: 3 };

files('egps.json gets the values, and keeps its other keys in their order', () =>
  withFolder({ 'egps.json': before, other: 'x' }, async (dir) => {
    await writeDefaults(dir, { gate: 0.5, blockSize: 32 });
    const after = JSON.stringify({ ...before, gate: 0.5, blockSize: 32 }, null, 2);
    assert.is(readFileSync(join(dir, 'egps.json'), 'utf8'), `${after}\n`);
    assert.equal(readdirSync(dir).sort(), ['egps.json', 'other']);
  }),
);

files('egps.json is made where there is none, and left alone where it is not one', () =>
  withFolder({ 'wrong/egps.json': { gait: 1 }, 'new/x': '' }, async (dir) => {
    await writeDefaults(join(dir, 'new'), { gate: 0.5, blockSize: 32 });
    assert.equal(JSON.parse(readFileSync(join(dir, 'new', 'egps.json'), 'utf8')), {
      gate: 0.5,
      blockSize: 32,
    });
    await failure(CheckpointError, /unknown key "gait"/, () =>
      writeDefaults(join(dir, 'wrong'), { gate: 0.5, blockSize: 32 }),
    );
    assert.is(readFileSync(join(dir, 'wrong', 'egps.json'), 'utf8'), '{"gait":1}');
    await failure(CheckpointError, /nowhere.egps\.json: cannot be written: ENOENT/, () =>
      writeDefaults(join(dir, 'nowhere'), { gate: 0.5, blockSize: 32 }),
    );
  }),
);

files('the histogram shows both shares and where the gate is', () => {
  const histogram = [
    { from: 0, tokens: 0.75, entropy: 0.125 },
    { from: 0.5, tokens: 0.25, entropy: 0.875 },
  ];
  const none = { blockSize: 16, samples: 1, tokens: 8, meanLength: 8, meanEntropy: 1, quantiles: [] };
  const lines = (gate: number) =>
    histogramLines({ ...none, gate, decisions: { tokens: 1, entropy: 1 }, histogram }).split('\n');
  const [head, low, high] = lines(0.5);
  assert.match(head, /^ +nats +tokens +entropy$/);
  assert.match(low, /^0 – 0\.5 +75\.0 % +█{21} +12\.5 % +█{3}$/);
  assert.match(high, /^0\.5 – +25\.0 % +█{7} +87\.5 % +█{24} +gate$/);
  assert.match(lines(0.4)[1], /gate$/);
});
files.run();

const command = suite('command');
const dir = mkdtempSync(join(tmpdir(), 'egps-calibrate-'));
const bare = join(dir, 'bare');
randomCheckpoint(bare, {}, 7);
const written = join(bare, 'egps.json');
const write = (name: string, content: string) => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};
const ids = write('ids.jsonl', '[1, 2, 3]\n{"prompt": [4]}\n');
const small = ['--model', bare, '--prompts', ids, '--samples', '3', '--max-new-tokens', '20'];

/** Runs that must fail with one line, `code`, and all of `parts` in it. */
const failures: [argv: string[], code: number, ...parts: string[]][] = [
  [[bare], 2, 'unexpected', 'bare'],
  [['--model', bare], 2, 'bare has no prompts of its own', '--prompts FILE'],
  [[...small, '--samples', '1.5'], 2, '--samples', '"1.5"'],
  [[...small, '--samples', '0'], 2, '--samples is 0'],
  [[...small, '--max-new-tokens', '0'], 2, 'maxNewTokens is 0'],
  [[...small, '--prompts', join(dir, 'nowhere')], 2, 'nowhere', 'ENOENT'],
  [[...small, '--prompts', write('text.txt', '\nabc\n')], 2, 'text.txt line 2', 'no tokenizer'],
  [[...small, '--prompts', write('empty.jsonl', '[1]\n[]\n')], 2, 'empty.jsonl line 2', 'is empty'],
  [[...small, '--prompts', write('big.json', '[[1],\n[2, 97]]')], 2, 'big.json line 2', 'token 97', '97'],
  [[...small, '--prompts', write('bad.json', '[[1],\n[-2]]')], 2, 'bad.json line 2', '-2'],
  [[...small, '--max-new-tokens', '254'], 2, 'ids.jsonl line 1', '3 tokens', '254', '256'],
  [[...small, '--model', join(dir, 'nowhere')], 1, 'nowhere'],
  // The embedded model has prompts of its own, in text.
  [['--max-new-tokens', '1020'], 2, 'heldout.json line 2', 'tokens', '1020', '1024'],
];
command('what cannot be done is refused', async () => {
  for (const [argv, code, ...parts] of failures) {
    const run = await egps(...argv);
    assert.is(run.code, code, run.err);
    assert.is(run.out, '');
    assert.is(run.err.split('\n').length, 2, run.err);
    for (const part of ['egps: ', ...parts]) assert.ok(run.err.includes(part), `${run.err} lacks ${part}`);
  }
});

// The superuser may write everywhere, and Windows has no such modes.
if (process.getuid && process.getuid() !== 0) {
  command('a folder that cannot be written is refused before anything is drawn', async () => {
    const locked = join(dir, 'locked');
    mkdirSync(locked);
    writeFileSync(join(locked, 'config.json'), readFileSync(join(bare, 'config.json')));
    chmodSync(locked, 0o555);
    // It has no weights, so that anything further would fail otherwise.
    const run = await egps(...small, '--model', locked);
    chmodSync(locked, 0o755);
    assert.is(run.code, 1);
    assert.match(run.err, /^egps: .*locked.egps\.json: cannot be written: EACCES.*\n$/);
  });
}

command('a dry run tells everything and writes nothing', async () => {
  const there = readdirSync(bare).sort();
  const run = await egps(...small, '--dry-run', '--json', '--seed', '5');
  assert.is(run.code, 0, run.err);
  assert.match(run.err, /^adapter: \S/);
  assert.equal(readdirSync(bare).sort(), there);
  const told = JSON.parse(run.out);
  assert.equal(Object.keys(told), [
    'gate',
    'blockSize',
    'samples',
    'tokens',
    'meanLength',
    'meanEntropy',
    'decisions',
    'quantiles',
    'histogram',
    'prompts',
    'maxNewTokens',
    'seed',
    'wallSeconds',
    'previous',
    'written',
  ]);
  assert.ok(told.gate > 0.1 && told.gate < Math.log(97), `${told.gate}`);
  assert.is(told.blockSize, 16);
  assert.equal(
    [told.samples, told.prompts, told.maxNewTokens, told.seed, told.written],
    [3, 2, 20, '5', null],
  );
  assert.ok(told.tokens > 3 && told.tokens <= 60);
  assert.equal(told.previous, { gate: null, blockSize: null });
});

command('the proposal is written, and shown beside what stood there', async () => {
  writeFileSync(written, JSON.stringify(before));
  const run = await egps(...small);
  assert.is(run.code, 0, run.err);
  const after = JSON.parse(readFileSync(written, 'utf8'));
  assert.equal(Object.keys(after), [...Object.keys(before), 'blockSize']);
  assert.equal({ ...after, gate: before.gate }, { ...before, blockSize: 16 });
  assert.is.not(after.gate, before.gate);
  assert.match(run.out, /^ +nats +tokens +entropy\n/);
  assert.match(run.out, /\n3 samples, \d+ tokens, /);
  assert.ok(run.out.includes(`\ngate ${after.gate} (was 0.1): `), run.out);
  assert.ok(run.out.includes('\nblock size 16: '), run.out);
  assert.ok(run.err.endsWith(`Written to ${written}.\n`), run.err);
  assert.not.ok(readdirSync(bare).some((name) => name.includes('tmp')));
});

command.after(() => rmSync(dir, { recursive: true }));
command.run();
