import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { voted } from '../../src/answers/shares.ts';
import { OutputError } from '../../src/base/errors.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import type { Graders } from '../../src/eval/graders/graders.ts';
import type { Grade } from '../../src/eval/item.ts';
import { keyOf, type Result, type Timing } from '../../src/eval/result.ts';
import { type Plan, RunFolder, readRecord } from '../../src/eval/run-folder.ts';
import { type Entry, type Evaluation, evaluate, traceFile } from '../../src/eval/runner.ts';
import { resolveOptions, sample } from '../../src/sampling/sample.ts';
import { type Visit, visitsAfter } from '../../src/sampling/visits.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

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
  samplers: ['sample', 'egps:final-steps=1', 'egps:final-steps=5'].map((sampler) => ({
    sampler,
    options: {},
    chain: sampler,
    picks: ['last', 'likeliest', 'vote'],
  })),
  seed: '0',
  samples: 2,
  skippedLines: 0,
  items: ['p', 'q', 'r', 's'],
};
const items = ['p', 'q', 'r', 's'].map((id, i) => ({
  item: { id, prompt: id, grader: 'exact' as const, answer: 'a' },
  prompt: id === 's' ? null : Uint32Array.of(1 + i),
}));
const chain = { maxNewTokens: 12, particles: 5, alpha: 2 };
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
  basis: (_, response) => response,
  equal: async (_, a, b) => a === b,
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
      voting: true,
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
    const results: Result[] = (await run(dir)).map((line) => JSON.parse(line));
    assert.is(results.length, 4 * (1 + 2 * 3) * 2);
    const egps = results.filter(
      ({ item, sampler, pick }) => item === 'q' && sampler === 'egps:final-steps=5' && pick === 'last',
    );
    assert.is(egps.length, 2);
    assert.is.not(egps[0].text, egps[1].text);
    for (const { text, verdict, answer, finish, tokens } of results) {
      if (verdict === 'too long') continue;
      assert.equal({ verdict, answer }, grade(text));
      assert.is(tokens, text.length + Number(finish === 'eos'));
    }
    // The gate is each prompt's and chain's own; run.json says that it was left to them.
    assert.is(ENTRIES[1].options.gate, 'auto');
    for (const { sampler, gate, verdict } of results) {
      if (verdict === 'too long' || sampler === 'sample') assert.is(gate, undefined);
      else assert.ok((gate as number) > 0.5, `${sampler}: gate ${gate}`);
    }
    const tooLong = results.filter(({ verdict }) => verdict === 'too long');
    assert.equal(new Set(tooLong.map(({ item }) => item)), new Set(['s']));
    assert.is(tooLong.length, 14);
    const seeds = new Set(results.filter(({ tokens }) => tokens).map(({ item, text }) => item + text));
    assert.ok(seeds.size > 9, 'items and samples have random numbers of their own');
  }));

test('the picks are responses of one run, and their line is the same whatever runs beside it', () =>
  withFolder({}, async (dir) => {
    const lines = await run(join(dir, 'a'));
    const results: Result[] = lines.map((line) => JSON.parse(line));
    let apart = 0;
    for (const { item, sampler, sample: number, pick, logp, mass, overSteps } of results) {
      if (pick !== 'last' || sampler === 'sample' || item === 's') continue;
      const { options, readings } = ENTRIES[1];
      const { finalSteps } = readings.find((one) => one.sampler === sampler) as Entry['readings'][number];
      const seed = createHash('sha256').update(`7/${item}`).digest().readBigUInt64LE();
      const own = { ...options, finalSteps: finalSteps as number, seed, chain: number };
      const prompt = items.find((one) => one.item.id === item)?.prompt as Uint32Array;
      const { visited, logProbability } = await sample(table(), prompt, own);
      assert.is(logp, logProbability);
      const text = ({ tokens }: Visit) => table().tokenizer.decode(tokens.filter((token) => token !== 0));
      const rightOf = (visits: Visit[]) =>
        visits.reduce((sum, one) => sum + (grade(text(one)).verdict === 'right' ? one.weight : 0), 0);
      assert.ok(Math.abs((mass as number) - rightOf(visitsAfter(visited))) < 1e-12);
      const states = rightOf(visitsAfter({ ...visited, particles: [] }));
      assert.ok(Math.abs((overSteps as number) - states) < 1e-12);
      const of = (pick: string) =>
        results.find(
          (one) => one.item === item && one.sampler === sampler && one.sample === number && one.pick === pick,
        ) as Result;
      const best = Math.max(...visitsAfter(visited).map((visit) => visit.logProbability));
      assert.is(of('likeliest').logp, best);
      const answers = visitsAfter(visited).map((visit) => {
        const { verdict, answer } = grade(text(visit));
        return verdict === 'right' ? 'the right one' : answer; // all right answers are the same
      });
      const vote = voted(visitsAfter(visited), answers) as Visit;
      assert.equal([of('vote').logp, of('vote').text], [vote.logProbability, text(vote)]);
      assert.equal([of('vote').mass, of('likeliest').overSteps], [null, null]);
      if (new Set([of('last'), of('likeliest'), of('vote')].map((one) => one.text)).size > 1) apart++;
    }
    assert.ok(apart > 2, `only ${apart} runs whose picks differ`);

    const off = ENTRIES.map(({ options, readings }) => ({
      options: { ...options, tree: 'off' as const, draft: 0, lookAhead: 0 },
      readings,
    }));
    const other = { items: items.toReversed(), entries: off, concurrency: 1 };
    assert.equal(await run(join(dir, 'b'), other), lines);
  }));

test('costs stand with the timings, for each reading', () =>
  withFolder({}, async (dir) => {
    // Without guesses, which depend on what passes take, and nothing beside it, a chain costs what it costs alone.
    const [entry] = ENTRIES.slice(1).map(({ options, readings }) => ({
      options: { ...options, draft: 0, lookAhead: 0 },
      readings,
    }));
    await run(dir, { entries: [entry], concurrency: 1 });
    const { results, timings } = await readRecord(dir);
    assert.is(timings.length, 3 * 2 * 2, 'a line for each reading of a chain');
    for (const { item, sampler, sample: number, began, ended, costs } of timings) {
      const seed = createHash('sha256').update(`7/${item}`).digest().readBigUInt64LE();
      const { finalSteps } = entry.readings.find(
        (one) => one.sampler === sampler,
      ) as (typeof entry.readings)[0];
      const own = { ...entry.options, finalSteps: finalSteps as number, seed, chain: number };
      const prompt = items.find((one) => one.item.id === item)?.prompt as Uint32Array;
      const { proposed, accepted, held, ...account } = (await sample(table(), prompt, own)).account;
      assert.equal(costs, account);
      const at = { item, sample: number, sampler: 'egps:final-steps=5' };
      const end = timings.find((one) => keyOf(one) === keyOf(at)) as Timing;
      assert.ok(began === end.began && began < ended && ended <= end.ended);
      if (finalSteps === 1) assert.ok(ended < end.ended && costs.drawnTokens < end.costs.drawnTokens);
      for (const pick of ['last', 'likeliest', 'vote'] as const) {
        const result = results.find((one) => keyOf(one) === keyOf({ item, sampler, pick, sample: number }));
        assert.equal(result?.moves, { proposed, accepted, held });
        for (const name of Object.keys(costs)) assert.not.match(JSON.stringify(result), name);
      }
    }
  }));

test('programs are not voted on, and of greedy there is one response', () =>
  withFolder({}, async (dir) => {
    const code = items.map(({ item, prompt }) => ({ item: { ...item, grader: 'code' as const }, prompt }));
    const best = {
      options: resolveOptions({ sampler: 'best-of-n', maxNewTokens: 6, n: 3 }),
      readings: [{ sampler: 'best' }],
    };
    const greedy = {
      options: resolveOptions({ sampler: 'greedy', maxNewTokens: 6 }),
      readings: [{ sampler: 'greedy' }],
    };
    const entries = [...ENTRIES.slice(1), best, greedy];
    let graded = 0;
    const counting: Graders = {
      ...graders,
      grade: async (_, response) => {
        graded++;
        return grade(response);
      },
    };
    const given = { items: code.slice(0, 1), entries, samples: 1, voting: false, graders: counting };
    const picks = async (name: string, given: Partial<Evaluation>) =>
      (await run(join(dir, name), given)).map((line) => {
        const { sampler, pick, mass } = JSON.parse(line) as Result;
        return `${sampler} ${pick}${mass === null ? '' : ' weighed'}`;
      });
    assert.equal(await picks('a', given), [
      'best last',
      'egps:final-steps=1 last',
      'egps:final-steps=1 likeliest',
      'egps:final-steps=5 last',
      'egps:final-steps=5 likeliest',
      'greedy last',
    ]);
    assert.ok(graded <= 6, `${graded} programs were run for 6 responses`);
    const exact = { ...given, items: items.slice(0, 1), voting: true, entries: entries.slice(1) };
    assert.equal(await picks('b', exact), ['best last', 'best vote', 'greedy last']);
  }));

test('a response does not depend on the other items, samplers and chains', () =>
  withFolder({}, async (dir) => {
    const all = await run(join(dir, 'all'));
    const alone = await run(join(dir, 'alone'), {
      items: items.slice(1, 2),
      entries: ENTRIES.slice(1),
      concurrency: 1,
    });
    assert.is(alone.length, 12);
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
    const at = text.indexOf('"sampler":"egps:final-steps=5","pick":"vote"');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(file, text.slice(0, text.lastIndexOf('\n', at) + 1));
    assert.equal(await run(dir), whole, 'what was there is not written again');
  }));

test('a grader that fails and a disk that fails end the run with their errors', () =>
  withFolder({}, async (dir) => {
    const broken: Graders = { ...graders, grade: () => Promise.reject(new Error('no grader')) };
    await failure(Error, /no grader/, () => run(join(dir, 'a'), { graders: broken }));
    const folder = await RunFolder.open(join(dir, 'b'), PLAN, []);
    const full = Object.assign(Object.create(folder), {
      add: () => Promise.reject(new OutputError('b', 'full')),
    });
    const given = {
      items,
      entries: ENTRIES,
      voting: true,
      samples: 2,
      seed: 7n,
      graders,
      process: 'p',
      concurrency: 3,
    };
    await failure(OutputError, /full/, () => evaluate({ ...given, model: table(), folder: full }));
    await folder.close();
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
