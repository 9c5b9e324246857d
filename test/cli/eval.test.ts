import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { cacheFor } from '../../src/cli/eval.ts';
import { resolveOptions, type SamplerOptions } from '../../src/sampling/sample.ts';
import { inProcess, MAIN } from '../support/cli.ts';
import { withFolder } from '../support/folder.ts';
import { endOf } from '../support/process.ts';
import { test } from '../support/suite.ts';

// The tests may themselves run in a task of an array.
for (const name of Object.keys(process.env)) {
  if (/^(SLURM_|JOB_COMPLETION_INDEX$)/.test(name)) delete process.env[name];
}

interface Started {
  readonly child: ChildProcess;
  readonly end: ReturnType<typeof endOf>;
}

function start(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [MAIN, 'eval', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  return { child, end: endOf(child) };
}

const evaluate = (argv: readonly string[], env?: NodeJS.ProcessEnv) =>
  env ? start(argv, env).end : inProcess(['eval', ...argv]);

async function succeeds(argv: readonly string[], env?: NodeJS.ProcessEnv) {
  const run = await evaluate(argv, env);
  assert.is(run.code, 0, run.err);
  return run;
}

async function refused(argv: readonly string[], message: RegExp, code = 2, env?: NodeJS.ProcessEnv) {
  const run = await evaluate(argv, env);
  const said = run.err.split('\n').filter((line) => line && !line.startsWith('Warning:'));
  assert.match(said.join('\n'), message);
  assert.is(run.code, code, run.err);
  return said;
}

const lines = (dir: string): string[] =>
  existsSync(join(dir, 'results.jsonl'))
    ? readFileSync(join(dir, 'results.jsonl'), 'utf8').split('\n').slice(0, -1)
    : [];

/** Waits for results to be on the disk. */
async function results(dir: string, atLeast: number, { child }: Started): Promise<void> {
  while (lines(dir).length < atLeast) {
    if (child.exitCode !== null)
      throw new Error(`ended with code ${child.exitCode} before ${atLeast} results`);
    await sleep(5);
  }
}

const SAMPLERS = 'greedy,best-of-n:n=2,egps:particles=6:final-steps=0/2';
const TASK = ['--task', 'abacus', '--limit', '6', '--max-new-tokens', '48', '--sampler', SAMPLERS];
const RUN = [...TASK, '--concurrency', '3'];
/** One of greedy, two picks of best-of-n, three of each reading of egps. */
const RESPONSES = 6 * (1 + 2 + 2 * 3);

/** All of it by one process, whatever it is held against: in a folder that stays as it is. */
const whole = mkdtempSync(join(tmpdir(), 'whole-'));
let begun: ReturnType<typeof succeeds> | undefined;
const runWhole = () => {
  begun ??= succeeds([...RUN, '--out', whole]);
  return begun;
};
test.after(() => rmSync(whole, { recursive: true }));

test('four shards, one of them killed and started again, merge to the results of one process', () =>
  withFolder({}, async (dir) => {
    const parts = join(dir, 'parts');
    const first = await runWhole();
    assert.match(first.out, /^greedy +\d+\/6 /m);
    assert.match(first.out, /^egps:particles=6:final-steps=2 +\d+\/6 /m);
    assert.match(first.out, /^egps:particles=6:final-steps=0 · vote +\d+\/6 /m);
    assert.is(lines(whole).length, RESPONSES);

    const shard = (i: number) => [...RUN, '--out', parts, '--shard', `${i}/4`];
    const victim = start(shard(0));
    const others = [start(shard(1)), start([...RUN, '--out', parts], slurm(2, 4))];
    await results(join(parts, 'shard-0-of-4'), 1, victim);
    victim.child.kill('SIGKILL');
    assert.is((await victim.end).signal, 'SIGKILL');
    for (const { end } of others) assert.is((await end).code, 0);
    await succeeds([...RUN, '--out', parts, '--shard', 'auto/4'], { JOB_COMPLETION_INDEX: '3' });

    await refused(['merge', parts], /shard-0-of-4: lacks \d+ of 18 responses: \["abacus-0-/, 1);
    const named = (name: string) => [...shard(0), '--adapter', name];
    const [, names] = await refused(
      named('no such adapter'),
      /no adapter has "no such adapter" in its name/,
      1,
    );
    const [, name = ''] = /there are "(.*?)"/.exec(names) ?? [];
    const resumed = await succeeds(named(name));
    assert.match(resumed.err, /^adapter: .*\negps: shard 0 of 4: 2 of 6 items\n/m);
    assert.not.match((await succeeds(shard(0))).err, /^adapter: /m); // nothing is left to compute
    const merged = await succeeds(['merge', parts]);
    assert.not.match(merged.err, /^adapter: /m);
    const { run } = JSON.parse(readFileSync(join(parts, 'summary.json'), 'utf8'));
    assert.is(run.adapters.length, 1);
    // Costs are another time's.
    const same = (out: string) =>
      out.replace(/ +\d+ +\d+ +\d+ +[\d.]+( +\d+ +\d+)$/gm, '$1').replace(/ +/g, ' ');
    assert.is(same(merged.out), same(first.out));
    assert.match(
      same(first.out),
      /^egps:particles=6:final-steps=2 \d\/6 [\d.]+ [\d.]+ to [\d.]+ [\d.]+ \d+ \d+$/m,
    );
    assert.equal(lines(parts).sort(), lines(whole).sort());
    const ids = lines(parts).map((line) => JSON.parse(line).item);
    assert.equal(ids, [...ids].sort());
    const times = readFileSync(join(parts, 'timings.jsonl'), 'utf8');
    assert.is(times.split('\n').length - 1, 6 * 4, 'what each reading of each run has cost');
    await succeeds(['merge', parts]); // changes nothing
    assert.is(readFileSync(join(parts, 'timings.jsonl'), 'utf8'), times);
    assert.equal(lines(parts).sort(), lines(whole).sort());
    const report = readFileSync(join(parts, 'report.html'), 'utf8');
    const links = [...report.matchAll(/"trace":"([^"]*)"/g)].map(([, link]) => link);
    assert.is(links.length, RESPONSES);
    for (const link of links) assert.ok(existsSync(join(parts, link)), link);

    const [a, b, c, d] = [0, 1, 2, 3].map((i) => join(parts, `shard-${i}-of-4`));
    const out = ['--out', join(dir, 'out')];
    await refused(
      ['merge', a, b, c, ...out],
      /shard 3 of 4 is missing beside it: the same command with --shard 3\/4 computes it/,
      1,
    );
    await refused(['merge', a, b, b, c, d, ...out], /shard-1-of-4: is shard 1, as is/, 1);
    await refused(['merge', a, b, c, d], /--out is missing/);
    await refused(['merge', whole, ...out], /whole-\w+: this run is whole/, 1);
    await refused(['merge', join(a, 'run.json'), ...out], /run\.json: is not a folder/, 1);
    await refused(['merge', join(dir, 'none')], /none: there is no such folder/, 1);
    writeFileSync(
      join(d, 'run.json'),
      readFileSync(join(d, 'run.json'), 'utf8').replace('"seed": "0"', '"seed": "1"'),
    );
    await refused(['merge', parts, ...out], /is of another run than .*seed was "0", is "1"/, 1);
    await refused(['merge'], /which folders/);
    await refused(['merge', parts, '--seed', '1'], /merge takes no --seed/);
  }));

test('a merge names the folders of another division, and says what to do', () =>
  withFolder({}, async (dir) => {
    const run = ['--task', 'abacus', '--limit', '3', '--sampler', 'greedy', '--no-traces', '--out', dir];
    for (const shard of ['0/2', '2/3']) await succeeds([...run, '--shard', shard]);
    await refused(
      ['merge', dir],
      /different divisions: .*shard-0-of-2 is of 2 shards, .*shard-2-of-3 is of 3 shards; .*--shard i\/n/,
      1,
    );
    await refused(run, /shards of 2 and of 3: --shard/, 2, slurm(1, 2));
    rmSync(join(dir, 'shard-0-of-2'), { recursive: true });
    await succeeds(run, { ...slurm(0, 1), SLURM_ARRAY_TASK_MAX: '0' });
    assert.ok(existsSync(join(dir, 'shard-0-of-3/report.html')));
    // The line of one response in place of another's, in a run that was through.
    const whole = lines(join(dir, 'shard-0-of-3'));
    assert.is(whole.length, 1);
    writeFileSync(join(dir, 'shard-0-of-3/results.jsonl'), '{}\n');
    await refused(
      [...run, '--shard', '0/3'],
      /results\.jsonl, line 1: item is missing: a string is expected/,
      1,
    );
    writeFileSync(join(dir, 'shard-0-of-3/results.jsonl'), '');
    await succeeds([...run, '--shard', '0/3']);
    assert.equal(lines(join(dir, 'shard-0-of-3')), whole);
  }));

const slurm = (id: number, count: number) => ({
  SLURM_ARRAY_TASK_ID: String(id),
  SLURM_ARRAY_TASK_COUNT: String(count),
});

test('killed at any moment a run goes on, and ends with the same results', () =>
  withFolder({}, async (dir) => {
    const run = [...TASK, '--no-traces'];
    await runWhole();
    const path = join(dir, 'killed');
    for (const least of [1, 20, 40]) {
      const started = start([...run, '--out', path]);
      await results(path, least, started);
      started.child.kill('SIGKILL');
      await started.end;
      for (const line of lines(path)) assert.ok(lines(whole).includes(line), 'what is on record is right');
    }
    await succeeds([...run, '--out', path]);
    assert.equal([...new Set(lines(path))].sort(), lines(whole).sort());
    assert.not.ok(existsSync(join(path, 'traces')));
    const { samplers, complete } = JSON.parse(readFileSync(join(path, 'summary.json'), 'utf8'));
    assert.ok(complete);
    assert.is(samplers.length, 9);
    const [, , vote, last, likeliest] = samplers;
    assert.is(vote.name, 'best-of-n:n=2 · vote');
    assert.equal(
      [likeliest.pick, likeliest.computedRows, likeliest.wallSeconds],
      ['likeliest', last.computedRows, last.wallSeconds],
    );
    assert.ok(likeliest.logp >= last.logp && last.computedRows < last.drawnTokens);
  }));

test('Ctrl-C ends a run in order: exit code 130, a report of what there is, and the same command goes on', () =>
  withFolder({}, async (dir) => {
    const run = [...RUN, '--out', join(dir, 'run')];
    const started = start(run);
    await results(join(dir, 'run'), 2, started);
    await refused(run, new RegExp(`process ${started.child.pid} on .* is writing to this folder`), 1);
    started.child.kill('SIGINT');
    const { code, err } = await started.end;
    assert.is(code, 130, err);
    const [, done] =
      /stopped with (\d+) of 54 responses on record in .*run; the same command goes on/.exec(err) ?? [];
    assert.is(Number(done), lines(join(dir, 'run')).length);
    assert.is(JSON.parse(readFileSync(join(dir, 'run/summary.json'), 'utf8')).complete, false);
    assert.equal(readdirSync(join(dir, 'run/lock')), []);
    const again = start(run); // a scheduler whose time is up
    await results(join(dir, 'run'), lines(join(dir, 'run')).length + 2, again);
    again.child.kill('SIGTERM');
    assert.is((await again.end).code, 143);
    await succeeds(run);
    assert.is(new Set(lines(join(dir, 'run'))).size, RESPONSES);
    await refused([...run, '--seed', '1'], /where seed was "0", is "1", .*another --out keeps them apart/, 1);
    rmSync(join(dir, 'run/run.json'));
    await refused(run, /results\.jsonl has 54 results, but there is no run\.json/, 1);
  }));

test('several responses an item, bad lines and items that are too long are counted', () =>
  withFolder(
    {
      'mine.jsonl': [
        {
          id: 'a',
          prompt: 'Ana has 12 coins. Ana finds 19. Ana sells 11. How many coins now?',
          answer: '20',
          grader: 'exact',
        },
        { id: 'b', prompt: 'Ana has 12 coins. '.repeat(100), answer: '12', grader: 'exact' },
      ]
        .map((line) => JSON.stringify(line))
        .concat('{"id":', '{"id": "c"}')
        .join('\n'),
    },
    async (dir) => {
      const run = [
        '--task',
        join(dir, 'mine.jsonl'),
        '--sampler',
        'sample',
        '--samples',
        '3',
        '--out',
        join(dir, 'o'),
      ];
      await refused(run, /mine\.jsonl, line 3: /, 1);
      const { out, err } = await succeeds([...run, '--skip-bad']);
      assert.match(err, /^adapter: .*\negps: left out, line 3: /m);
      assert.match(err, /left out, line 4: the field "grader" is missing/);
      assert.match(err, /1 of 2 items do not fit the model's context with an answer: b/);
      assert.match(out, /pass@3 % +majority %/);
      assert.match(out, /3 responses were not drawn, the item being too long/);
      assert.match(out, /2 lines of the file were left out/);
      assert.is(lines(join(dir, 'o')).length, 6);
      const [summary] = JSON.parse(readFileSync(join(dir, 'o/summary.json'), 'utf8')).samplers;
      assert.is(summary.items, 1);
      assert.is(summary.tooLong, 3);
    },
  ));

test('the cache has room for all prompts side by side, without the tree for all their responses', () => {
  const positions = (given: Partial<SamplerOptions>, concurrency = 3) => {
    const entries = [{ options: resolveOptions({ maxNewTokens: 100, ...given }) }];
    const items = [{ prompt: new Uint32Array(30) }, { prompt: new Uint32Array(20) }, { prompt: null }];
    return cacheFor({ items, entries, concurrency });
  };
  const { least } = positions({ sampler: 'greedy' });
  assert.is(least, 30 + 100 + 64);
  const responses = (given: Partial<SamplerOptions>, concurrency?: number) =>
    positions(given, concurrency).wanted / least;
  assert.is(responses({ sampler: 'smc', particles: 48 }, 2), 2 * 8);
  assert.is(responses({ sampler: 'smc', particles: 48 }, 32), 3 * 8);
  const off = { tree: 'off' } as const;
  assert.is(responses({ sampler: 'smc', particles: 48, ...off }), 3 * 48);
  assert.is(responses({ sampler: 'egps', particles: 48, ...off }), 3 * 48);
  assert.is(responses({ sampler: 'egps', growth: 'blocks', ...off }), 3 * 8);
  assert.is(responses({ sampler: 'best-of-n', n: 20, ...off }), 3 * 20);
  assert.is(responses({ sampler: 'best-of-n', n: 2, ...off }), 3 * 8);
});

test('code is not run unless that is allowed', () =>
  withFolder(
    {
      'code.jsonl': JSON.stringify({
        id: 'one',
        prompt: 'def one():\n    """1"""\n',
        answer: 'def check(f):\n    assert f() == 1\ncheck(one)\n',
        entry_point: 'one',
        grader: 'code',
      }),
    },
    async (dir) => {
      const run = [
        '--task',
        join(dir, 'code.jsonl'),
        '--sampler',
        'greedy',
        '--max-new-tokens',
        '8',
        '--out',
        join(dir, 'o'),
      ];
      await refused(run, /runs code that the model writes: --allow-code-execution/, 1);
      await refused([...run, '--allow-code-execution'], /python3/, 1, { PATH: dir });
      assert.not.ok(existsSync(join(dir, 'o')), 'nothing was begun');
      const { out } = await succeeds([...run, '--allow-code-execution']);
      assert.match(out, /^greedy +0\/1 /m);
    },
  ));

test('bad arguments are refused before anything is computed, with the nearest name', async () => {
  const abacus = ['--task', 'abacus', '--out', '/nonexistent'];
  await refused([], /--task is missing: abacus, math500, humaneval, gpqa, or FILE\.jsonl/);
  await refused(['--task', 'abacis'], /unknown task "abacis"; did you mean abacus\?/);
  await refused(['--task', 'math500'], /--data/);
  await refused([...abacus, 'merg'], /unexpected "merg"/);
  await refused([...abacus, '--sampler', 'egp'], /"egp", which is no sampler; did you mean egps\?/);
  await refused([...abacus, '--sampler', 'greedy,,egps'], /"", which is no sampler: one of greedy, sample/);
  await refused([...abacus, '--sampler', 'egps:trie=3'], /no option "trie"; did you mean tries\?/);
  await refused([...abacus, '--sampler', 'egps:tries'], /"egps:tries": name:option=value is expected/);
  await refused(
    [...abacus, '--sampler', 'egps:tries=0'],
    /egps:tries=0: tries is 0: a whole number from 1 to 256/,
  );
  await refused([...abacus, '--sampler', 'egps:seed=1'], /no option "seed"/);
  await refused(
    [...abacus, '--sampler', 'greedy:n=3'],
    /greedy:n=3: n is 3: the sampler greedy does not use it/,
  );
  await refused([...abacus, '--sampler', 'egps:final-steps=1/x'], /final-steps is "x"/);
  await refused([...abacus, '--sampler', 'egps:final-steps=1/1'], /final-steps has a number twice/);
  await refused([...abacus, '--sampler', 'egps,egps'], /--sampler has egps twice/);
  await refused([...abacus, '--samples', '0'], /--samples is 0: at least 1/);
  await refused([...abacus, '--shard', '4/4'], /--shard is 4 of 4/);
  await refused([...abacus, '--prompt-style', 'chatt'], /"chatt": base or chat; did you mean chat\?/);
  await refused([...abacus, '--model', '/nonexistent'], /nonexistent/, 1);
});

test.run();
