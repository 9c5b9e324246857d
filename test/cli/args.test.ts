import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/base/errors.ts';
import { didYouMean } from '../../src/base/nearest.ts';
import { COMMON, number, parse, seed, tokenIds, value, whole } from '../../src/cli/args.ts';
import { COMMANDS, commandHelp, generalHelp } from '../../src/cli/commands.ts';
import { parseSamplers, samplerOptions } from '../../src/cli/sampler-options.ts';
import { shardOf } from '../../src/eval/shard.ts';
import { test } from '../support/suite.ts';

const loaded = await Promise.all(
  Object.entries(COMMANDS).map(async ([name, { load }]) => [name, await load()] as const),
);
const loadedByName = Object.fromEntries(loaded);
const generateSpecs = { ...loadedByName.generate.options, ...COMMON };

/** Asserts that `f` throws an OptionError whose message has all of `parts` in it. */
function refuses(f: () => unknown, ...parts: string[]): void {
  try {
    f();
  } catch (error) {
    assert.instance(error, OptionError);
    for (const part of parts) assert.ok((error as Error).message.includes(part), `${error} lacks ${part}`);
    return;
  }
  assert.unreachable(`nothing was thrown; expected ${parts}`);
}

test('options, flags and words are told apart', () => {
  const parsed = parse(generateSpecs, [
    '--alpha',
    '2',
    'a prompt',
    '--json',
    '--stop=x',
    '--stop',
    '--y',
    '-h',
  ]);
  assert.equal(parsed.words, ['a prompt']);
  assert.equal([...parsed.flags], ['json', 'help']);
  assert.is(value(parsed, 'alpha'), '2');
  assert.equal(parsed.values.stop, ['x', '--y']);
  assert.is(value(parsed, 'model'), undefined);
});

test('of an option given twice the last one counts; after -- all are words', () => {
  const parsed = parse(generateSpecs, ['--alpha', '2', '--alpha', '3', '--', '--alpha', '-x']);
  assert.is(value(parsed, 'alpha'), '3');
  assert.equal(parsed.words, ['--alpha', '-x']);
});

test('unknown options name the nearest known one', () => {
  refuses(() => parse(generateSpecs, ['--alpa', '2']), '--alpa', 'did you mean --alpha?');
  refuses(() => parse(generateSpecs, ['--max-tokens', '2']), 'did you mean --max-new-tokens?');
  refuses(() => parse(generateSpecs, ['--zzz']), '--zzz', '--help');
  refuses(() => parse(generateSpecs, ['-x']), '-x');
  refuses(() => parse(generateSpecs, ['--toString']), '--toString');
});

test('values missing or not wanted are refused', () => {
  refuses(() => parse(generateSpecs, ['--alpha']), '--alpha needs a value');
  refuses(() => parse(generateSpecs, ['--json=yes']), '--json takes no value', 'yes');
});

test('numbers are read to the last character', () => {
  const numbers = ['4', '0.25', '.5', '2.', '1e-3', '-1', '+2'];
  assert.equal(
    numbers.map((text) => number('--alpha', text)),
    [4, 0.25, 0.5, 2, 0.001, -1, 2],
  );
  for (const text of ['4x', '', ' ', '0x10', 'NaN', 'Infinity', '1e999', '1,5', '.', '--beta']) {
    refuses(() => number('--alpha', text), '--alpha', JSON.stringify(text));
  }
  assert.is(whole('--steps', '10'), 10);
  for (const text of ['1.5', '-1', '1e3', '', '9007199254740993']) {
    refuses(() => whole('--steps', text), '--steps', JSON.stringify(text));
  }
  assert.is(seed('--seed', '18446744073709551615'), 2n ** 64n - 1n);
  for (const text of ['18446744073709551616', '-1', '', '0x1']) refuses(() => seed('--seed', text), text);
  assert.equal(tokenIds('--tokens', '1,2, 3'), [1, 2, 3]);
  for (const text of ['', '1,,2', '1;2', '-1', '1.5', '4294967296']) {
    refuses(() => tokenIds('--tokens', text), '--tokens');
  }
});

test('suggestions are near or absent', () => {
  assert.is(didYouMean('genrate', ['generate', 'score']), '; did you mean generate?');
  assert.is(didYouMean('bench', ['generate', 'score']), '');
});

test('every option is documented, and everything documented is parsed', () => {
  for (const [name, { options }] of loaded) {
    const specs = { ...options, ...COMMON };
    const help = commandHelp(name, loadedByName[name]);
    const documented = [...help.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)(?: ([A-Z]+))? {2,}\S/gm)];
    assert.equal(
      documented.map(([, option]) => option),
      Object.keys(specs),
      name,
    );
    for (const [, option, placeholder] of documented) {
      const parsed = parse(specs, placeholder ? [`--${option}`, '1'] : [`--${option}`]);
      assert.is(placeholder ? value(parsed, option) : parsed.flags.has(option), placeholder ? '1' : true);
    }
    assert.ok(
      help.split('\n').every((line) => line.length <= 112),
      `${name}: help lines fit`,
    );
    assert.ok(generalHelp().includes(`  ${name} `), name);
  }
});

test('the commands that the documentation shows are understood', () => {
  const files = [
    'README.md',
    'docs/clusters.md',
    'docs/debugging.md',
    'docs/evaluating.md',
    'docs/reproducing-the-paper.md',
    'examples/eval-array.slurm',
  ];
  const text = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  const lists = [...text.matchAll(/^SAMPLERS=(.*)$/gm)].map(([, list]) => list);
  assert.is(lists.length, 1);
  const commands = text
    .replaceAll('\\\n', ' ')
    .replace(/^ +set -- /m, 'egps eval ')
    .matchAll(/^(?:srun node "\$EGPS"|egps) (.*)$/gm);
  let found = 0;
  for (const [, command] of commands) {
    const [name, ...words] = (
      command
        .replace(/ +[#<] .*$/, '')
        .replace('$SAMPLERS', lists[0])
        .match(/"[^"]*"|\S+/g) ?? []
    ).map((word) => word.replaceAll('"', ''));
    const { values } = parse({ ...loadedByName[name].options, ...COMMON }, words);
    if (name === 'eval') parseSamplers(values.sampler ?? ['egps'], {}, {});
    found++;
  }
  assert.ok(found > 18, `${found} commands`);

  const job = readFileSync('examples/eval-indexed-job.yaml', 'utf8');
  const args = [...job.matchAll(/^ +- (--.*)$/gm)].map(([, arg]) => arg);
  const { values } = parse({ ...loadedByName.eval.options, ...COMMON }, args);
  assert.equal(shardOf(values.shard.at(-1), { JOB_COMPLETION_INDEX: '7' }), { index: 7, count: 8 });
  parseSamplers(values.sampler, {}, {});
});

test('every sampler option reaches the sampler', () => {
  const argv = [
    '--sampler=egps',
    '--alpha=2',
    '--max-new-tokens=30',
    '--block-size=10',
    '--steps=5',
    '--final-steps=6',
    '--tries=7',
    '--cut-law=entropy',
    '--gate=0.5',
    '--decoding=best-first',
    '--acceptance=barker',
    '--growth=blocks',
    '--particles=9',
    '--n=12',
    '--proposal-temperature=0.75',
    '--temperature=0.9',
    '--top-k=8',
    '--top-p=0.95',
    '--tree=on',
    '--draft=2',
    '--look-ahead=auto',
    '--tree-nodes=1000',
    '--seed=12345678901234567890',
    '--chain=3',
  ];
  assert.equal(samplerOptions(parse(generateSpecs, argv)), {
    sampler: 'egps',
    alpha: 2,
    maxNewTokens: 30,
    blockSize: 10,
    steps: 5,
    finalSteps: 6,
    tries: 7,
    cutLaw: 'entropy',
    gate: 0.5,
    decoding: 'best-first',
    acceptance: 'barker',
    growth: 'blocks',
    particles: 9,
    n: 12,
    proposalTemperature: 0.75,
    temperature: 0.9,
    topK: 8,
    topP: 0.95,
    tree: 'on',
    draft: 2,
    lookAhead: 'auto',
    treeNodes: 1000,
    seed: 12345678901234567890n,
    chain: 3,
  });
  assert.is(samplerOptions(parse(generateSpecs, ['--gate', 'auto'])).gate, 'auto');
  refuses(() => samplerOptions(parse(generateSpecs, ['--gate', 'none'])), '--gate', 'none');
  refuses(() => samplerOptions(parse(generateSpecs, ['--alpha', '4x'])), '--alpha', '4x');
  refuses(() => samplerOptions(parse(generateSpecs, ['--seed', '-1'])), '--seed', '-1');
});

test.run();
