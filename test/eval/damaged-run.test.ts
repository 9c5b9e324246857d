import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DataError, OutputError } from '../../src/base/errors.ts';
import { merge } from '../../src/cli/eval-merge.ts';
import type { Io } from '../../src/cli/io.ts';
import { RunFolder } from '../../src/eval/run-folder.ts';
import { withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';
import { CASES, edit, line, type Outcome } from './damages.ts';
import { filesOf, itemsOf, plan, TOTAL } from './small-run.ts';

const INTERNAL =
  /TypeError|RangeError|SyntaxError|undefined|E[A-Z]{4,}|ERR_|Cannot read|is not iterable|not a function/;

/** 'well', 'repaired' where something is missing and can be computed, or the error, which is one of ours. */
async function ends(run: () => Promise<number>): Promise<string> {
  try {
    return (await run()) === 0 ? 'well' : 'repaired';
  } catch (error) {
    if (!(error instanceof DataError || error instanceof OutputError)) throw error;
    const message = error.message.replace(/egps-\w+/g, ''); // a folder of any letters
    assert.not.match(message, INTERNAL, error.message);
    return error.message;
  }
}

function check(outcome: Outcome, found: string, what: string): void {
  if (typeof outcome === 'string') {
    assert.is(found, outcome, `${what}: ${found}`);
    return;
  }
  const [file, number] = outcome;
  assert.match(
    found,
    new RegExp(`${file}[^:]*${number === undefined ? '' : `, line ${number}`}: `),
    `${what}: ${found}`,
  );
}

const quiet = { out() {}, err() {} } as unknown as Io;

async function mergeOf(dir: string): Promise<number> {
  const values = { out: [join(dir, 'out')] };
  const words = ['merge', join(dir, 'shard-0-of-2'), join(dir, 'shard-1-of-2')];
  try {
    await merge({ values, flags: new Set(), words }, quiet);
    return 0;
  } catch (error) {
    const lacks = /lacks (\d+) of 18 responses/.exec((error as Error).message);
    if (lacks) return Number(lacks[1]);
    throw error;
  }
}

async function resume(path: string): Promise<number> {
  const opened = await RunFolder.open(path, plan(0), itemsOf(0));
  const { total, missing } = opened.progress();
  assert.is(total, TOTAL);
  const there = new Set(
    opened.record().results.map(({ item, sampler, pick, sample }) => [item, sampler, pick, sample].join()),
  );
  await opened.close();
  assert.is(there.size, TOTAL - missing);
  return missing;
}

for (const { name, damage, outcome, merged = outcome } of CASES) {
  test(name, () =>
    withFolder(
      Object.fromEntries(
        [0, 1].flatMap((i) =>
          Object.entries(filesOf(i)).map(([file, text]) => [`shard-${i}-of-2/${file}`, text]),
        ),
      ),
      async (dir) => {
        const path = join(dir, 'shard-0-of-2');
        damage(path);
        check(merged, await ends(() => mergeOf(dir)), 'merge');
        check(outcome, await ends(() => resume(path)), 'resume');
      },
    ),
  );
}

test('a merge goes on with what one that was cut short has left, and with nothing else', () =>
  withFolder(
    Object.fromEntries(
      [0, 1].flatMap((i) =>
        Object.entries(filesOf(i)).map(([file, text]) => [`shard-${i}-of-2/${file}`, text]),
      ),
    ),
    async (dir) => {
      assert.is(await mergeOf(dir), 0);
      const file = join(dir, 'out/results.jsonl');
      const whole = readFileSync(file, 'utf8');
      const lines = whole.split('\n').slice(0, -1);
      writeFileSync(file, `${lines.slice(0, 7).join('\n')}\n${lines[7].slice(0, 9)}`);
      assert.is(await mergeOf(dir), 0);
      assert.is(readFileSync(file, 'utf8'), whole);

      edit('results.jsonl', (lines) => {
        lines[3] = lines[3].replace('right', 'wrong');
      })(join(dir, 'out'));
      assert.match(await ends(() => mergeOf(dir)), /out: has results that are not of a merge; another --out/);
      line('results.jsonl', 3, () => '{}')(join(dir, 'out'));
      assert.match(await ends(() => mergeOf(dir)), /out\/results\.jsonl, line 3: item is missing/);
    },
  ));

test.run();
