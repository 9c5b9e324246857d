import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DataError, OutputError } from '../../src/base/errors.ts';
import type { Result } from '../../src/eval/result.ts';
import { type Plan, RunFolder, readItems, readRecord } from '../../src/eval/run-folder.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

const PLAN: Plan = {
  egps: '1.0.0',
  task: 'abacus',
  model: 'abacus',
  modelDigest: 'd',
  promptStyle: 'base',
  samplers: [{ sampler: 'greedy', options: { alpha: 4 }, chain: 'greedy', picks: ['last'] }],
  seed: '0',
  samples: 1,
  skippedLines: 0,
  items: ['a', 'b', 'c'],
};
const ITEMS = PLAN.items.map((id) => ({ id, prompt: '?', grader: 'exact' as const, answer: '1' }));

function result(item: string, text = 'x'): Result {
  const drawn = { verdict: 'right', answer: '1', text, tokens: 1, finish: 'eos', logp: -1 } as const;
  const own = { mass: null, overSteps: null, moves: { proposed: 0, accepted: 0, held: 0 } };
  return { item, sampler: 'greedy', pick: 'last', sample: 0, ...drawn, ...own };
}

/** Opens the folder, looks, and closes it. */
async function looked<T>(dir: string, look: (folder: RunFolder) => T, plan = PLAN): Promise<T> {
  const folder = await RunFolder.open(dir, plan, ITEMS);
  try {
    return await look(folder);
  } finally {
    await folder.close();
  }
}

const texts = (folder: RunFolder) => folder.record().results.map(({ item, text }) => item + text);

test('what was added is there when the folder is opened again, each result once', () =>
  withFolder({}, async (dir) => {
    const path = join(dir, 'deep/run');
    await looked(path, async (folder) => {
      await folder.begin({ process: 'p', adapter: 'a', concurrency: 1, versions: {} });
      await Promise.all([folder.add([result('a')], []), folder.add([result('b'), result('a', 'y')], [])]);
    });
    await looked(path, async (folder) => {
      assert.equal(texts(folder), ['ax', 'bx']);
      await folder.add([result('b', 'y'), result('c')], []);
      assert.equal(texts(folder), ['ax', 'bx', 'cx']);
    });
    const { results, sessions } = await readRecord(path);
    assert.is(results.length, 3);
    assert.is(sessions.length, 1);
    assert.equal(await readItems(path), ITEMS);
  }));

test('a last line that was cut off is dropped, at whatever byte', () =>
  withFolder({}, async (dir) => {
    await looked(dir, (folder) => folder.add([result('a'), result('b', 'ü\n')], []));
    const file = join(dir, 'results.jsonl');
    const whole = readFileSync(file);
    const first = whole.indexOf(10) + 1;
    for (let end = 0; end <= whole.length; end++) {
      writeFileSync(file, whole.subarray(0, end));
      const expected = end === whole.length ? 2 : end >= first ? 1 : 0;
      await looked(dir, async (folder) => {
        assert.is(folder.record().results.length, expected, `${end} bytes`);
        await folder.add([result('c')], []);
      });
      assert.is((await readRecord(dir)).results.length, expected + 1, `${end} bytes, and one more`);
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.alloc(20), Buffer.from('\n')])); // blocks that never got their data
    assert.is(await looked(dir, (folder) => folder.record().results.length), 2);
  }));

test('a broken line before the last is refused with its number, and the lock let go', () =>
  withFolder({}, async (dir) => {
    await looked(dir, (folder) => folder.add([result('a')], []));
    appendFileSync(join(dir, 'results.jsonl'), '{"item":\n{}\n');
    const before = readFileSync(join(dir, 'results.jsonl'));
    for (let i = 0; i < 2; i++) {
      const error = await failure(DataError, /results\.jsonl, line 2/, () => looked(dir, () => {}));
      assert.is(error.line, 2);
    }
    assert.equal(readFileSync(join(dir, 'results.jsonl')), before, 'nothing is touched');
  }));

test('another plan is refused, saying what differs', () =>
  withFolder({}, async (dir) => {
    await looked(dir, (folder) => folder.add([result('a')], []));
    const other = (part: Partial<Plan>, message: RegExp) =>
      failure(OutputError, message, () => looked(dir, () => {}, { ...PLAN, ...part }));
    await other({ seed: '1' }, /where seed was "0", is "1"; another --out/);
    await other({ limit: 5 }, /limit was not given, is 5/);
    await other({ modelDigest: 'e' }, /modelDigest was "d", is "e"/);
    await other({ items: ['a', 'b'] }, /the items were others \(3, now 2\)/);
    const [greedy] = PLAN.samplers;
    await other(
      { samplers: [greedy, { ...greedy, sampler: 'egps' }] },
      /samplers was greedy, is greedy,egps/,
    );
    await other({ samplers: [{ ...greedy, options: { alpha: 2 } }] }, /alpha of greedy was 4, is 2/);
    await other(
      { samplers: [{ ...greedy, picks: ['last', 'vote'] }] },
      /picks of greedy was \["last"\], is \["last","vote"\]/,
    );
    await other({ samplers: [{ ...greedy, chain: 'x' }] }, /the samplers were read off other chains/);
    await other({ shard: { index: 0, count: 2 } }, /shard was not given, is \{"index":0,"count":2\}/);
    assert.equal(await looked(dir, texts), ['ax']);
  }));

test('a folder that is none, and results without a plan, are refused', () =>
  withFolder({ file: '', 'run/results.jsonl': `${JSON.stringify(result('a'))}\n` }, async (dir) => {
    await failure(OutputError, /file: is not a folder/, () => looked(join(dir, 'file'), () => {}));
    await failure(OutputError, /is not a folder/, () => looked(join(dir, 'file/run'), () => {}));
    await failure(OutputError, /results\.jsonl has 1 results, but there is no run\.json/, () =>
      looked(join(dir, 'run'), () => {}),
    );
  }));

test('a folder that is removed or replaced under way ends the run, and is not made again', () =>
  withFolder({}, async (dir) => {
    const path = join(dir, 'run');
    const folder = await RunFolder.open(path, PLAN, ITEMS);
    await folder.add([result('a')], []);
    rmSync(path, { recursive: true });
    const gone =
      /run: is not there, or has been removed|results\.jsonl: was removed or replaced while the run/;
    await failure(OutputError, gone, () => folder.add([result('b')], []));
    await failure(OutputError, /is not there, or has been removed/, () => folder.write('report.html', ''));
    await failure(OutputError, /is not there, or has been removed/, () => folder.write('traces/a.html', ''));
    await folder.close();
    assert.not.ok(existsSync(path));
    await looked(path, async (again) => {
      renameSync(path, `${path}-moved`);
      mkdirSync(path);
      await failure(OutputError, /results\.jsonl: was removed or replaced/, () =>
        again.add([result('a')], []),
      );
    });
  }));

test('what is in the way of a file is named', () =>
  withFolder({}, async (dir) => {
    await looked(dir, async (folder) => {
      mkdirSync(join(dir, 'report.html'));
      mkdirSync(join(dir, 'summary.json.new'));
      writeFileSync(join(dir, 'traces'), '');
      await failure(OutputError, /report\.html: is a folder, where a file/, () =>
        folder.write('report.html', ''),
      );
      await failure(OutputError, /summary\.json\.new: is a folder/, () => folder.write('summary.json', ''));
      await failure(OutputError, /traces.*: is not a folder/, () => folder.write('traces/a.html', ''));
    });
    symlinkSync('nowhere', join(dir, 'link'));
    await failure(OutputError, /link: is not there/, () => looked(join(dir, 'link'), () => {}));
    await failure(OutputError, /\/proc\/none.*: is not there/, () => looked('/proc/none/run', () => {}));
  }));

test('what may not be read or written is said to be so', () =>
  withFolder({}, async (dir) => {
    const root = process.getuid?.() === 0;
    chmodSync(dir, 0o755);
    const paths = ['run.json', 'results.jsonl', 'lock', 'folder'].map((name) => [name, join(dir, name)]);
    for (const [, path] of paths) await looked(path, (folder) => folder.add([result('a')], []));
    for (const [name, path] of paths) {
      spawnSync('chmod', ['-R', '777', path]);
      chmodSync(name === 'folder' ? path : join(path, name), 0);
    }
    if (root) process.seteuid?.(65534); // root may do anything
    try {
      for (const [name, path] of paths) {
        let error: unknown;
        await looked(path, () => {}).catch((thrown) => {
          error = thrown;
        });
        assert.ok(error instanceof DataError || error instanceof OutputError, `${name}: ${error}`);
        assert.match(error.message, new RegExp(`${name}[^:]*: permission denied`));
      }
    } finally {
      if (root) process.seteuid?.(0);
      for (const [name, path] of paths) chmodSync(name === 'folder' ? path : join(path, name), 0o777);
    }
  }));

/** Opens the folder in a name space where it is read-only, and then reads it. */
const READ_ONLY = `
  mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9
  shift; exec "$@"
`;
const OPEN = `
  const { RunFolder, readRecord } = await import(process.argv[1]);
  const [plan, items] = JSON.parse(process.argv[3]);
  const error = await RunFolder.open(process.argv[2], plan, items).catch((error) => error);
  const { results } = await readRecord(process.argv[2]);
  console.log(JSON.stringify({ name: error.name, message: error.message, results: results.length }));
`;

test('a read-only mount is said to be one, and can be read', () =>
  withFolder({}, async (dir) => {
    await looked(dir, (folder) => folder.add([result('a')], []));
    const module = new URL('../../src/eval/run-folder.js', import.meta.url).href;
    const open = [
      process.execPath,
      '--input-type=module',
      '-e',
      OPEN,
      module,
      dir,
      JSON.stringify([PLAN, ITEMS]),
    ];
    const child = spawnSync('unshare', ['-rm', 'bash', '-c', READ_ONLY, '-', dir, ...open], {
      encoding: 'utf8',
    });
    if (child.status !== 0 && !child.stdout) return; // here nothing can be mounted
    const { name, message, results } = JSON.parse(child.stdout);
    assert.is(name, 'OutputError');
    assert.match(message, /the file system is read-only/);
    assert.is(results, 1);
  }));

/** Adds results until that fails. */
const FILL = `
  const { RunFolder } = await import(process.argv[1]);
  const [plan, items, result] = JSON.parse(process.argv[3]);
  const folder = await RunFolder.open(process.argv[2], plan, items);
  let n = 0;
  try {
    for (;; n++) await folder.add([{ ...result, sample: n }], []);
  } catch (error) {
    console.log(JSON.stringify({ n, name: error.name, message: error.message }));
  }
  process.exit();
`;

test('where a file cannot grow, what was added before is whole', () =>
  withFolder({}, async (dir) => {
    const module = new URL('../../src/eval/run-folder.js', import.meta.url).href;
    const plan = { ...PLAN, samples: 100 };
    const input = JSON.stringify([plan, ITEMS, result('a', 'long '.repeat(100))]);
    const child = spawnSync(
      'bash',
      [
        '-c',
        'ulimit -f 8; exec "$@"',
        '-',
        process.execPath,
        '--input-type=module',
        '-e',
        FILL,
        module,
        dir,
        input,
      ],
      { encoding: 'utf8' },
    );
    const { n, name, message } = JSON.parse(child.stdout);
    assert.is(name, 'OutputError');
    assert.match(message, /largest size allowed; finished results are safe, make room and start again/);
    assert.ok(n > 5 && n < 20, `${n} results of about 700 bytes in 8 KiB`);
    assert.ok(statSync(join(dir, 'results.jsonl')).size < 8192);
    assert.is(await looked(dir, (folder) => folder.record().results.length, plan), n);
  }));

test.run();
