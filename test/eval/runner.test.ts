import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { OutputError } from '../../src/errors.ts';
import type { Graders } from '../../src/eval/graders/graders.ts';
import type { Grade } from '../../src/eval/item.ts';
import { type Plan, RunFolder } from '../../src/eval/run-folder.ts';
import { type Entry, type Evaluation, evaluate, traceFile } from '../../src/eval/runner.ts';
import { resolveOptions, sample } from '../../src/sampling/sample.ts';
import { cachePositions } from '../../src/sampling/sample-many.ts';
import { failure, withFolder } from '../support/folder.ts';
import { TableModel } from '../support/table-model.ts';

/** Letters a to e are tokens 1 to 5, EOS is 0; any may follow any. */
const table = () =>
  Object.assign(
    new TableModel(6, [0], (x) => [0.5, 1, 2, 3, 1, 2].map((w, v) => w + ((x.at(-1) ?? 0) * v) ** 0.5)),
    {
      defaults: {},
      tokenizer: {
        decode: (ids: ArrayLike<number>) => Array.from(ids, (id) => 'abcde'[id - 1]).join(''),
      } as unknown as Tokenizer,
    },
  );

const PLAN: Plan = {
  egps: '1.0.0',
  task: 't',
  model: 'm',
  modelDigest: 'd',
  promptStyle: 'base',
  samplers: [],
  seed: '0',
  samples: 2,
  skippedLines: 0,
  items: [],
};
const items = ['p', 'q', 'r', 's'].map((id, i) => ({
  item: { id, prompt: id, grader: 'exact' as const, answer: 'a' },
  prompt: id === 's' ? null : Uint32Array.of(1 + i),
}));
const chain = { maxNewTokens: 12, blockSize: 4, steps: 1, alpha: 2 };
const ENTRIES: Entry[] = [
  { options: resolveOptions({ sampler: 'sample', maxNewTokens: 12 }), readings: [{ sampler: 'sample' }] },
  {
    options: resolveOptions({ sampler: 'egps', ...chain, finalSteps: 5 }),
    readings: [
      { sampler: 'egps:final-steps=1', finalSteps: 1 },
      { sampler: 'egps:final-steps=5', finalSteps: 5 },
    ],
  },
];

/** Right is what has an even number of letters. */
const grade = (text: string): Grade => ({ verdict: text.length % 2 ? 'wrong' : 'right', answer: text });
const graders: Graders = {
  unconfined: [],
  grade: async (_, response) => grade(response),
  close: async () => {},
};

/** Runs on the folder and gives its lines of results, sorted. */
async function run(dir: string, part: Partial<Evaluation> = {}): Promise<string[]> {
  const folder = await RunFolder.open(dir, PLAN, []);
  try {
    const model = table();
    const given = {
      model,
      items,
      entries: ENTRIES,
      samples: 2,
      seed: 7n,
      graders,
      process: 'p',
      concurrency: 3,
    };
    await evaluate({ ...given, folder, ...part });
    assert.is(model.live, 0);
  } finally {
    await folder.close();
  }
  return lines(dir);
}

const lines = (dir: string) =>
  readFileSync(join(dir, 'results.jsonl'), 'utf8').split('\n').filter(Boolean).sort();

test('each response is drawn with the seed of its item, graded, and on record', () =>
  withFolder({}, async (dir) => {
    const results = (await run(dir)).map((line) => JSON.parse(line));
    assert.is(results.length, 4 * 3 * 2);
    const egps = results.filter(({ item, sampler }) => item === 'q' && sampler === 'egps:final-steps=5');
    assert.is(egps.length, 2);
    assert.is.not(egps[0].text, egps[1].text);
    for (const { text, verdict, answer, finish, tokens } of results) {
      if (verdict === 'too long') continue;
      assert.equal({ verdict, answer }, grade(text));
      assert.is(tokens, text.length + Number(finish === 'eos'));
    }
    const tooLong = results.filter(({ verdict }) => verdict === 'too long');
    assert.equal(new Set(tooLong.map(({ item }) => item)), new Set(['s']));
    assert.is(tooLong.length, 6);
    const seeds = new Set(results.filter(({ tokens }) => tokens).map(({ item, text }) => item + text));
    assert.ok(seeds.size > 9, 'items and samples have random numbers of their own');
  }));

test('a response does not depend on the other items, samplers and chains', () =>
  withFolder({}, async (dir) => {
    const all = await run(join(dir, 'all'));
    const alone = await run(join(dir, 'alone'), {
      items: items.slice(1, 2),
      entries: ENTRIES.slice(1),
      concurrency: 1,
    });
    assert.is(alone.length, 4);
    for (const line of alone) assert.ok(all.includes(line), line);
    // The same prompt under other ids: the id alone makes the random numbers others.
    const prompt = Uint32Array.of(1);
    const named = ['a', 'b', 'c', 'd'].map((id) => ({ item: { ...items[0].item, id }, prompt }));
    const texts = (await run(join(dir, 'named'), { items: named })).map((line) => JSON.parse(line).text);
    assert.ok(new Set(texts).size > 12, `${new Set(texts).size} of ${texts.length} differ`);
    const other = await run(join(dir, 'other'), { seed: 8n });
    assert.is.not(other.join(), all.join());
  }));

test('an interrupted run goes on to the same results', () =>
  withFolder({}, async (dir) => {
    const whole = await run(join(dir, 'whole'));
    for (let after = 0; after < 16; after += 3) {
      const path = join(dir, `cut-${after}`);
      const stop = new AbortController();
      let graded = 0;
      const cut: Graders = {
        ...graders,
        async grade(_, response, signal) {
          if (++graded > after) stop.abort(new Error('enough'));
          signal?.throwIfAborted();
          return grade(response);
        },
      };
      await failure(Error, /enough/, () => run(path, { graders: cut, signal: stop.signal }));
      const half = lines(path);
      assert.ok(half.length < whole.length);
      for (const line of half) assert.ok(whole.includes(line));
      const seen: number[] = [];
      assert.equal(await run(path, { onProgress: ({ before }) => seen.push(before) }), whole);
      assert.ok(half.length === 0 || Math.max(...seen) > 0, 'what was there counts as done');
      assert.equal(await run(path, { graders: cut }), whole, 'nothing is left to do');
    }
  }));

test('a chain of which some readings are lost is drawn again, and nothing counts twice', () =>
  withFolder({}, async (dir) => {
    const whole = await run(dir);
    const file = join(dir, 'results.jsonl');
    const text = readFileSync(file, 'utf8');
    const at = text.indexOf('"sampler":"egps:final-steps=5"');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(file, text.slice(0, text.lastIndexOf('\n', at) + 1));
    const again = await run(dir);
    assert.ok(again.length > new Set(again).size, 'a reading is on the disk twice');
    assert.equal([...new Set(again)], whole);
    const folder = await RunFolder.open(dir, PLAN, []);
    assert.is(folder.record().results.length, whole.length);
    await folder.close();
  }));

test('a grader that fails and a disk that fails end the run with their errors', () =>
  withFolder({}, async (dir) => {
    const broken: Graders = { ...graders, grade: () => Promise.reject(new Error('no grader')) };
    await failure(Error, /no grader/, () => run(join(dir, 'a'), { graders: broken }));
    const folder = await RunFolder.open(join(dir, 'b'), PLAN, []);
    const full = Object.assign(Object.create(folder), {
      add: () => Promise.reject(new OutputError('b', 'full')),
    });
    const given = { items, entries: ENTRIES, samples: 2, seed: 7n, graders, process: 'p', concurrency: 3 };
    await failure(OutputError, /full/, () => evaluate({ ...given, model: table(), folder: full }));
    await folder.close();
  }));

test('no more chains run side by side than the cache holds of this sampler', () =>
  withFolder({}, async (dir) => {
    const [plain, egps] = ENTRIES.map(({ options }) => cachePositions(3, options));
    const most = async (name: string, positions: number, entry: Entry) => {
      const model = Object.assign(table(), { cachePositions: positions });
      const { decode } = model;
      let now = 0;
      let found = 0;
      model.decode = async (...args) => {
        found = Math.max(found, ++now);
        await null; // the others begin
        return decode.apply(model, args).finally(() => now--);
      };
      await run(join(dir, name), { model, entries: [entry], concurrency: 4 });
      return found;
    };
    assert.is(await most('a', egps, ENTRIES[1]), 1);
    assert.is(await most('b', 2 * egps, ENTRIES[1]), 2);
    assert.is(await most('c', 3 * plain, ENTRIES[0]), 3);
    assert.is(await most('d', Infinity, ENTRIES[0]), 4);
  }));

test('a page is written for every chain before its result counts', () =>
  withFolder({}, async (dir) => {
    let pages = 0;
    await run(dir, {
      trace(drawn, { options }, wallSeconds) {
        pages++;
        assert.ok(wallSeconds >= 0);
        return JSON.stringify([String(options.seed), options.chain, [...drawn.tokens]]);
      },
    });
    assert.is(pages, 3 * 2 * 2);
    assert.is(readdirSync(join(dir, 'traces')).length, pages);
    const file = traceFile('q', 'egps:final-steps=5', 1);
    const [seed, number, tokens] = JSON.parse(readFileSync(join(dir, file), 'utf8'));
    assert.is(number, 1);
    const options = { ...ENTRIES[1].options, seed: BigInt(seed), chain: number };
    assert.equal([...(await sample(table(), [2], options)).tokens], tokens);
  }));

test('names of pages stay apart and are names of files', () => {
  const ids = ['a/b', 'a b', 'a-b', '../../etc', 'é', 'x'.repeat(300)];
  const names = ids.map((id) => traceFile(id, 'egps:tries=4', 0));
  assert.is(new Set(names).size, ids.length);
  for (const name of names) assert.match(name, /^traces\/[A-Za-z0-9-]{1,100}\.html$/);
});

test.run();
