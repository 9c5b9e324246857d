import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parseHeader } from '../../src/checkpoint/safetensors.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { inProcess, program, type Start } from '../support/cli.ts';
import type { Ended } from '../support/process.ts';
import { QUANTIZED } from '../support/quantized.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../support/safetensors-bytes.ts';
import { suite } from '../support/suite.ts';

/** Runs `egps` to its end: where it needs nothing of a process, in this one. */
const egps = (argv: readonly string[], options?: Start): Promise<Ended> =>
  options ? program(argv, options) : inProcess(argv);

/** What the command itself says on standard error behind its first line, which is what computes; drivers have warnings of their own. */
function said({ err }: Ended): string[] {
  const [adapter, ...lines] = err.split('\n').filter((line) => line !== '' && !line.startsWith('Warning:'));
  assert.match(adapter, /^adapter: \S/);
  assert.not.match(lines.join('\n'), /^adapter: /m);
  return lines;
}

const dir = mkdtempSync(join(tmpdir(), 'egps-cli-'));
const bare = join(dir, 'bare');
const speaking = join(dir, 'speaking');
for (const folder of [bare, speaking]) randomCheckpoint(folder, {}, 7);
writeTokenizer(speaking);
const waiting = join(dir, 'waiting');
randomCheckpoint(waiting, {}, 7);
execFileSync('mkfifo', [join(waiting, 'heldout.json')]);
writeFileSync(join(speaking, 'egps.json'), JSON.stringify({ maxNewTokens: 24, blockSize: 12, gate: 0.3 }));
const heldOut = Array.from({ length: 12 }, (_, i) => ({ prompt: `${i} or how many?`, answer: '3' }));
writeFileSync(join(speaking, 'heldout.json'), JSON.stringify(heldOut));

/** Printable ASCII is ids 0 to 94, a line feed 95, EOS 96. */
function writeTokenizer(folder: string): void {
  const characters = Array.from({ length: 95 }, (_, i) => (i === 0 ? 'Ġ' : String.fromCharCode(32 + i)));
  const vocab = Object.fromEntries([...characters, 'Ċ', '<eos>'].map((token, id) => [token, id]));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  const tokenizer = {
    version: '1.0',
    added_tokens: [{ id: 96, content: '<eos>', special: true }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab, merges: [] },
  };
  const config = {
    eos_token: '<eos>',
    chat_template: '{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}',
  };
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
}

const usage = suite('usage');

/** Runs that must fail with one line, `code`, and all of `parts` in it. */
const failures: [argv: string[], code: number, ...parts: string[]][] = [
  [[], 2, 'no command', 'usage: egps'],
  [['genrate'], 2, '"genrate"', 'did you mean generate?'],
  [['generate', '--alpa', '2', 'x'], 2, '--alpa', 'did you mean --alpha?'],
  [['generate', '--alpha', '4x', 'x'], 2, '--alpha', '"4x"'],
  [['generate', '--model', bare, '--alpha', '0.5', 'x'], 2, 'alpha', '0.5'],
  [['generate', '--model', bare, '--sampler', 'gredy', 'x'], 2, 'sampler', '"gredy"', 'greedy'],
  [['generate', '--model', bare, '--sampler', 'greedy', '--tries', '2', 'x'], 2, 'tries', 'greedy'],
  [['generate', '--model', speaking, ''], 2, 'prompt is empty'],
  [['generate', '--model', speaking, 'two', 'words'], 2, 'quote it'],
  [['generate', '--model', bare, 'x'], 2, 'no tokenizer'],
  [['generate', '--prompt-tokens', '1,b', '--model', bare], 2, '--prompt-tokens', '"b"'],
  [['generate', '--prompt-tokens', '1', '--model', bare, 'x'], 2, '--prompt-tokens'],
  [['generate', '--prompt-tokens', '1', '--model', bare, '--stop', 'x'], 2, 'stop', 'tokenizer'],
  [['generate', '--model', bare, '--num-samples', '0', '--prompt-tokens', '1'], 2, '--num-samples', '0'],
  [['generate', '--num-samples', '2', '--trace', 'x.html', 'x'], 2, '--trace', '--num-samples', '2'],
  [['generate', '--model', speaking, '--proposal-temperature', '2', 'x'], 2, '2', '0.25 to 1', 'eager'],
  [['score', '--tokens', '1', '--model', bare, 'x'], 2, '--tokens'],
  [['debug', '--model', speaking, 'x'], 2, '--layer is missing'],
  [['debug', '--model', speaking, '--layer', '2', 'x'], 2, '--layer is 2', '2 layers, 0 to 1'],
  [['debug', '--model', speaking, '--layer', '-1', 'x'], 2, '--layer', '"-1"'],
  [['debug', '--model', speaking, '--layer', '1', ''], 2, 'text is empty'],
  [
    ['debug', '--model', speaking, '--layer', '1', '--position', '3', 'abc'],
    2,
    '--position is 3',
    '3 tokens',
  ],
  [['debug', '--model', speaking, '--layer', '1', '--tokens', '1', 'abc'], 2, '--tokens'],
  [['debug', '--model', bare, '--layer', '1', 'abc'], 2, 'no tokenizer'],
  [['profile', '--rows', 'x'], 2, '--rows', '"x"'],
  [['generate', '--kv-cache', 'f16', 'x'], 2, '--kv-cache', '"f16"', 'f32 or bf16'],
  [['info', '--kv-cache', 'int8'], 2, '--kv-cache', '"int8"'],
  [['info', '--self-test', '--memory', '1'], 2, '--memory and --self-test'],
  [['generate', '--model', join(dir, 'nowhere'), 'x'], 1, 'nowhere'],
  [['demo', '--model', bare], 1, 'heldout.json'],
  [['demo', '--model', waiting], 1, 'heldout.json: is not a file'],
  [['demo', '--model', speaking, ' '], 2, 'problem is empty'],
  [['demo', '--model', speaking, 'two', 'words'], 2, 'quote it'],
  [['demo', '--model', speaking, 'long '.repeat(60)], 2, '299 tokens of prompt', 'holds 256'],
  [['demo', '--model', bare, 'x'], 2, 'no tokenizer'],
];
function fails(run: Ended, code: number, parts: readonly string[]): void {
  assert.is(run.code, code, run.err);
  assert.is(run.out, '');
  assert.is(run.err.split('\n').length, 2, run.err);
  for (const part of ['egps: ', ...parts]) assert.ok(run.err.includes(part), `${run.err} lacks ${part}`);
}
for (const [argv, code, ...parts] of failures) {
  const shown = argv.map((word) => word.replace(dir, '…').slice(0, 30)).join(' ');
  usage(`egps ${shown} fails with ${code}`, async () => fails(await egps(argv), code, parts));
}
usage('a process that fails ends with the code of its failure', async () => {
  fails(await program([]), 2, ['no command']);
  fails(await program(['generate', '--model', speaking], { input: '\n' }), 2, ['prompt is empty']);
  fails(await program(['info', '--model', join(dir, 'nowhere')]), 1, ['nowhere']);
});

/** Escape sequences of both kinds, and a turn of the reading direction. */
const STEERING = '\x1b[31m\x9b2J\u202e';
const steers = (text: string) => /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(text);

usage('no path, checkpoint or data file steers the terminal by an error', async () => {
  const evil = join(dir, `evil${STEERING}`);
  mkdirSync(evil);
  writeFileSync(join(evil, 'config.json'), `{"a": ${STEERING}}`);
  const data = join(dir, 'data.jsonl');
  writeFileSync(data, `{"id": ${STEERING}}`);
  for (const argv of [
    [STEERING],
    ['generate', `--${STEERING}`, 'x'],
    ['generate', '--model', evil, 'x'],
    ['generate', '--model', evil, 'x', '--debug'],
    ['eval', '--task', data],
    ['eval', '--task', join(evil, 'x.jsonl')],
  ]) {
    const run = await egps(argv);
    assert.is.not(run.code, 0);
    assert.is(steers(run.err + run.out), false, JSON.stringify(run));
    assert.match(run.err, '\\u001b[31m\\u009b2J\\u202e');
  }
});

usage('help goes to standard output, --debug shows the stack', async () => {
  const general = await egps(['--help']);
  assert.is(general.code, 0);
  assert.match(general.out, /^Usage: egps COMMAND.* --alpha 4 .*egps\.json overrides/s);
  for (const command of ['generate', 'score', 'info', 'debug', 'profile', 'demo']) {
    const { code, out } = await egps([command, '--help']);
    assert.is(code, 0);
    assert.ok(out.startsWith(`Usage: egps ${command} `));
  }
  assert.match((await egps(['generate', '--alpha', 'x', '--debug'])).err, /OptionError: .*\n +at /);
});
usage.run();

const gpu = suite('on the adapter');
const chain = [
  '--growth',
  'blocks',
  '--max-new-tokens',
  '16',
  '--block-size',
  '8',
  '--steps',
  '2',
  '--final-steps',
  '1',
  '--gate',
  '0',
];

gpu('profile shows where the time of a pass goes', async () => {
  const run = await egps(['profile', '--model', bare, '--rows', '2', '--context', '20']);
  assert.is(run.code, 0, run.err);
  assert.match(
    run.out,
    /^decoding, 2 row\(s\) of 20 positions\n\nkernel +for +dispatches +µs each +of the pass\n/,
  );
  const long = await egps(['profile', '--model', bare, '--context', '257']);
  assert.is(long.code, 2);
  assert.equal(said(long), ['egps: context is 257: 1 to 256']);
  assert.match(run.out, /\nproject +mlp\.down_proj +2 .*\n.*all kernels: .*the clock ticks.*\non .+\n$/s);
});

gpu('debug shows the activations around a layer, and writes them for other programs', async () => {
  const file = join(dir, 'layer.safetensors');
  const argv = ['debug', '--model', speaking, '--layer', '1', '--out', file];
  const all = await egps([...argv, 'abc']);
  assert.is(all.code, 0, all.err);
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE());
  assert.equal(JSON.parse(bytes.toString('utf8', 8, start)).__metadata__, { tokens: '65,66,67' });
  const tensors = parseHeader(file, bytes.subarray(8, start), bytes.length);
  const values = (of: Buffer, tensor?: { begin: number; end: number }) =>
    new Float32Array(new Uint8Array(of.subarray(tensor?.begin, tensor?.end)).buffer);
  const lines = all.out.trimEnd().split('\n');
  assert.match(lines[0], /^name +shape +mean +rms +min +max +not finite +first values$/);
  const shown = lines.slice(1).map((line) => line.split(/ +/));
  assert.equal(
    shown.map(([name, shape]) => [name, shape]),
    Array.from(tensors.values(), ({ name, shape }) => [name, shape.join('×')]),
  );
  assert.is(tensors.size, 5);
  for (const [name, , mean, rms, min, max, bad, ...first] of shown) {
    const x = values(bytes, tensors.get(name));
    const average = (power: number) => x.reduce((sum, value) => sum + value ** power, 0) / x.length;
    const figures = [average(1), Math.sqrt(average(2)), Math.min(...x), Math.max(...x)];
    for (const [i, text] of [mean, rms, min, max].entries()) {
      assert.ok(Math.abs(Number(text) - figures[i]) <= 1e-3 * Math.abs(figures[i]), `${name}: ${text}`);
    }
    assert.is(bad, '0');
    assert.equal(
      first,
      Array.from(x.subarray(0, 4), (value) => value.toPrecision(4)),
    );
  }

  const one = await egps([...argv, '--position', '1', 'abc']);
  assert.is(one.code, 0, one.err);
  const row = readFileSync(file);
  for (const { name, shape, begin, end } of parseHeader(
    file,
    row.subarray(8, 8 + Number(row.readBigUInt64LE())),
    row.length,
  ).values()) {
    const width = shape[1];
    assert.is(shape[0], 1);
    assert.equal(values(row, { begin, end }), values(bytes, tensors.get(name)).slice(width, 2 * width), name);
  }
  const nowhere = await egps([
    'debug',
    '--model',
    speaking,
    '--layer',
    '0',
    '--out',
    join(dir, 'no', 'x'),
    'a',
  ]);
  assert.is(nowhere.code, 1);
  assert.ok(said(nowhere)[0].includes('no/x'), nowhere.err);
});

gpu('ids go in and come out where there is no tokenizer, and the same seed gives the same', async () => {
  const argv = ['generate', '--model', bare, '--prompt-tokens', '1,2,3', ...chain, '--seed', '5', '--json'];
  const [one, two] = [await egps(argv), await egps(argv)];
  assert.is(one.code, 0, one.err);
  const answer = JSON.parse(one.out);
  assert.is(answer.text, null);
  assert.equal(answer.promptTokens, [1, 2, 3]);
  assert.ok(answer.tokens.length >= 1 && answer.tokens.length <= 16);
  assert.is(answer.seed, '5');
  assert.is(answer.account.proposed + answer.account.held, answer.options.steps * 2 + 1);
  // What was computed depends on what passes cost at the time.
  const { account, wallSeconds, ...same } = JSON.parse(two.out);
  assert.equal({ ...same, account: answer.account, wallSeconds: answer.wallSeconds }, answer);
  assert.equal(
    [account.proposed, account.accepted, account.held],
    [answer.account.proposed, answer.account.accepted, answer.account.held],
  );
  assert.ok(wallSeconds > 0);
  // What was generated is scored alike, token by token.
  const all = [1, 2, 3, ...answer.tokens].join(',');
  const scored = JSON.parse((await egps(['score', '--model', bare, '--tokens', all, '--json'])).out).tokens;
  assert.equal(Object.keys(scored[0]), ['id', 'text', 'logp', 'entropy', 'logZ']);
  assert.equal([scored[0].logp, scored[0].entropy, scored[0].logZ, scored[0].text], [null, null, null, null]);
  assert.equal(
    scored.slice(3).map((token: { logp: number }) => token.logp),
    answer.logp,
  );
});

gpu('the answer goes to standard output, the account to standard error', async () => {
  const argv = ['generate', '--model', speaking, '--sampler', 'greedy', '--max-new-tokens', '20'];
  const run = await egps([...argv, 'abc']);
  assert.is(run.code, 0, run.err);
  assert.match(said(run)[0], /^\d+ tokens drawn · \d+ computed in \d+ passes · \d+ of \d+ guesses used$/);
  assert.match(said(run)[1], /^\d+ tokens.* · log p -\d+\.\d+ · .* s$/);
  assert.is(said(run).length, 2);
  assert.not.match(run.err, '\x1b['); // nothing is redrawn where there is no terminal

  const stop = run.out.slice(3, 5);
  const piped = JSON.parse((await egps([...argv, '--json', '--stop', stop], { input: 'abc\n' })).out);
  assert.is(piped.promptTokens.length, 3);
  assert.is(piped.text, run.out.slice(0, run.out.indexOf(stop)));
  assert.ok(piped.tokens.length > piped.text.length);
  const chat = JSON.parse((await egps([...argv, '--json', '--chat', 'abc'])).out);
  assert.is(chat.promptTokens.length, 'user: abc'.length);
});

gpu('many samples come in the order of their chains, each as by itself, with diagnostics', async () => {
  const argv = [
    'generate',
    '--model',
    speaking,
    ...chain,
    '--final-steps',
    '4',
    '--seed',
    '5',
    '--json',
    'abc',
  ];
  const many = await egps([...argv, '--num-samples', '5', '--chain', '2']);
  assert.is(many.code, 0, many.err);
  const answers = many.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(
    answers.map(({ options }) => options.chain),
    [2, 3, 4, 5, 6],
  );
  const alone = JSON.parse((await egps([...argv, '--chain', '4'])).out);
  // What is computed for a chain depends on what others have computed already.
  assert.equal({ ...alone, wallSeconds: 0, account: {} }, { ...answers[2], wallSeconds: 0, account: {} });
  // The model of the test is unsure of every token alike.
  const last = said(many).at(-1) ?? '';
  assert.match(
    last,
    /^egps: warning: gate 0 nats: 100 % of the tokens lie above it, .* in 5 of 5 answers\)$/,
  );
  assert.match(
    said(many)[1],
    /^\d distinct of 5 answers · log p over the last 4 steps: split-R̂ \S+, effective/,
  );
  assert.match(said(many)[2], /^accepted by position of the cut: 0\+ \d+ % of \d+/);
  const texts = await egps([...argv.filter((word) => word !== '--json'), '--num-samples', '2']);
  assert.match(texts.out, /^--- chain 0\n.*\n--- chain 1\n/s);
});

gpu('every sampler answers by its name', async () => {
  for (const sampler of ['best-of-n', 'metropolis', 'karan-du', 'entropy-cut', 'smc']) {
    const argv = [
      'generate',
      '--model',
      speaking,
      '--sampler',
      sampler,
      '--max-new-tokens',
      '12',
      '--json',
      'a',
    ];
    const { code, out, err } = await egps(argv);
    assert.is(code, 0, err);
    const answer = JSON.parse(out);
    assert.is(answer.options.sampler, sampler);
    assert.is(answer.logTarget, 4 * answer.logProbability);
    assert.ok(answer.account.drawnTokens >= answer.tokens.length);
  }
});

gpu('final answers are told with their shares, and the same answer comes without the tree', async () => {
  const argv = [
    'generate',
    '--model',
    speaking,
    '--particles',
    '6',
    '--final-steps',
    '3',
    '--seed',
    '4',
    'abc',
  ];
  const plain = await egps([...argv, '--extract', '.$', '--pick', 'vote']);
  assert.is(plain.code, 0, plain.err);
  assert.match(plain.err, /^final answers: .* \d+\.\d %/m);
  const off = await egps([...argv, '--extract', '.$', '--pick', 'vote', '--tree', 'off']);
  assert.is(off.out, plain.out);
  assert.match((await egps([...argv, '--pick', 'vote'])).err, /pick is "vote": it needs extract/);
  assert.match((await egps([...argv, '--extract', '('])).err, /--extract \(/);
});

gpu('--trace writes a page, and where it cannot says so before anything is computed', async () => {
  const page = join(dir, 'trace.html');
  const argv = ['generate', '--model', speaking, ...chain, 'abc', '--trace'];
  const written = await egps([...argv, page]);
  assert.is(written.code, 0, written.err);
  assert.match(readFileSync(page, 'utf8'), /^<!DOCTYPE html>.*<\/html>\n$/s);
  const lost = await egps([...argv, join(dir, 'nowhere', 'trace.html')]);
  assert.is(lost.code, 2);
  assert.is(lost.out, '');
  assert.match(lost.err, /--trace .*nowhere.* cannot be written/);
});

gpu('info counts the weights of a quantised model, and says what is not emulated', async () => {
  const run = await egps(['info', '--model', `${QUANTIZED}/float8-tensor`]);
  assert.is(run.code, 0);
  assert.match(run.out, /^parameters +47616, [\d.]+ kB as stored$/m);
  assert.match(run.out, /^ {2}quantised +7 matrices, fp8 in rows$/m);
  assert.match(said(run).join('\n'), /input_activations, input_scale: not emulated/);
});

gpu('info tells the adapter, the model and its memory', async () => {
  const run = await egps(['info', '--model', speaking, '--memory', '1']);
  const { code, out } = run;
  assert.is(code, 0);
  assert.equal(said(run), []);
  const [, adapter] = /^adapter: (.*)$/m.exec(run.err) ?? [];
  assert.is(/^adapter +(\S.*)$/m.exec(out)?.[1], adapter);
  for (const line of [
    /^adapter +\S/m,
    /^features/m,
    /maxBufferSize +\d+/,
    /numHiddenLayers +2/,
    /gate +0\.3/,
    /^fits 1 GB +\d+ positions in the cache: \d+ chains of 24 tokens behind a prompt of 256$/m,
  ]) {
    assert.match(out, line);
  }
  assert.match(out, /^memory +[\d.]+ [kM]B$/m);
  // 2 layers of 2 heads of 12 numbers: as f32, and as pairs of bf16 padded to eight words.
  const cache = (text: string) => /^ *cache .* positions, (.*) of keys and values each$/m.exec(text)?.[1];
  assert.is(cache(out), '384 B');
  const bf16 = await egps(['info', '--model', speaking, '--kv-cache', 'bf16']);
  assert.is(cache(bf16.out), '256 B');
});

gpu('demo prints each row of its table once, the score, an answer in full, and writes a page', async () => {
  const argv = ['demo', '--model', speaking, '--seed', '3'];
  const { code, out, err } = await egps(argv, { cwd: dir });
  assert.is(code, 0, err);
  assert.is(steers(out), false);
  const rows = (text: string) =>
    text.split('\n').filter((line) => /^ *\d+ {2}\d+ or how many\? .*(right|wrong)/.test(line));
  assert.equal(
    rows(out)
      .map((row) => Number.parseInt(row, 10))
      .sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  for (const part of [
    /Seed 3; --seed 3 repeats it all/,
    /\ncompiling kernels … [\d.]+ s\n/,
    /\nplain \d+ of 10 right, egps \d+ of 10\. All at once in [\d.]+ s on /,
    /\nProblem \d+ in full: \d+ or how many\?\nThe right answer is 3\.\n\nplain: .*\negps: .*\negps, final answers: /s,
    /\nNext, .*\n {2}egps demo "Mia .*"\n/,
  ]) {
    assert.match(out, part);
  }
  const page = join(dir, 'egps-demo.html');
  assert.ok(out.includes(`\n  ${page}\n`), out);
  assert.match(readFileSync(page, 'utf8'), /^<!DOCTYPE html>.*<\/html>\n$/s);

  // What a run waits for depends on what passes cost at the time, and so does the order of the rows.
  const answersIn = (text: string) =>
    rows(text)
      .map((row) => row.replaceAll(/(right|wrong) +\d+/g, '$1'))
      .sort();
  const again = await egps(argv, { cwd: dir });
  assert.equal(answersIn(again.out), answersIn(out));
});

gpu('demo answers a problem of one’s own, and goes on where its page cannot be written', async () => {
  const cwd = join(dir, 'taken');
  mkdirSync(join(cwd, 'egps-demo.html'), { recursive: true });
  const { code, out, err } = await egps(['demo', '--model', speaking, ' 1 or 2? '], { cwd });
  assert.is(code, 0, err);
  assert.match(err, /^adapter: \S/);
  assert.not.match(out, /right answer|wrong/);
  for (const part of [
    /\nplain: .*, \d+ passes\n/,
    /\negps: .*, \d+ passes\n/,
    /\negps, final answers: .* %/,
    /could not be\s+written: EISDIR/,
    /\n {2}egps demo\n/,
  ]) {
    assert.match(out, part);
  }
});

gpu('tensors that the config does not call for are warned of once', async () => {
  const deep = join(dir, 'deep');
  randomCheckpoint(deep, { numHiddenLayers: 2 }, 7);
  const config = join(deep, 'config.json');
  const shallow = { ...JSON.parse(readFileSync(config, 'utf8')), num_hidden_layers: 1 };
  writeFileSync(config, JSON.stringify(shallow));
  const run = await egps(['score', '--model', deep, '--tokens', '1,2,3', '--json']);
  assert.is(run.code, 0, run.err);
  assert.is(said(run).length, 1, run.err);
  assert.match(said(run)[0], /warning: .*deep has 12 tensor\(s\) .*: model\.layers\.1\./);
});

gpu('what a checkpoint has in it steers no terminal, but its answer goes into a pipe as it is', async () => {
  const evil = join(dir, `warned${STEERING}`);
  randomCheckpoint(evil, {}, 7);
  const weights = join(evil, 'model.safetensors');
  const spare = { name: `spare${STEERING}`, dtype: 'F32', shape: [], data: new Uint8Array(4) } as const;
  writeFileSync(weights, encodeSafetensors([...decodeSafetensors(readFileSync(weights)), spare]));
  const vocab = Object.fromEntries(Array.from({ length: 97 }, (_, id) => [`${STEERING}${id};`, id]));
  const model = { type: 'BPE', vocab, merges: [] };
  const none = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  writeFileSync(join(evil, 'tokenizer.json'), JSON.stringify({ model, added_tokens: [], ...none }));
  const argv = ['--model', evil, '--sampler', 'greedy', '--max-new-tokens', '3', '--prompt-tokens', '1,2'];
  const text = await egps(['generate', ...argv]);
  assert.is(text.code, 0, text.err);
  assert.match(said(text)[0], /^egps: warning: .*spare\\u001b\[31m\\u009b2J\\u202e$/);
  assert.is(steers(text.err), false);
  assert.ok(text.out.startsWith(STEERING));
  const piped = await egps(['generate', ...argv, '--json']);
  assert.is(steers(piped.out), false);
  assert.is(`${JSON.parse(piped.out).text}\n`, text.out);
  const scored = await egps(['score', '--model', evil, '--tokens', '1,2']);
  assert.is(steers(scored.out + scored.err), false);
});

gpu('an interrupt ends a run with 130', async () => {
  const many = ['--max-new-tokens', '200', '--block-size', '10', '--steps', '100000', '--gate', '0'];
  const endless = [...many, '--growth', 'blocks'];
  const run = await egps(['generate', '--model', bare, '--prompt-tokens', '1,2,3', ...endless], {
    // What computes is said before the weights are read; there is nothing to see of the run itself.
    started: (pid, stderr) =>
      stderr.on('data', (text) => {
        if (text.includes('adapter: ')) setTimeout(() => process.kill(pid, 'SIGINT'), 1000);
      }),
  });
  assert.is(run.code, 130, run.err);
  assert.is(run.out, '');
  assert.equal(said(run), []);
});

/** Every command that computes, as short as can be. */
const computing: Record<string, string[]> = {
  generate: ['--sampler', 'greedy', '--max-new-tokens', '2', 'a'],
  score: ['ab'],
  eval: ['--task', 'abacus', '--limit', '1', '--sampler', 'greedy', '--out', join(dir, 'measured')],
  calibrate: [
    '--prompts',
    join(speaking, 'heldout.json'),
    '--samples',
    '1',
    '--max-new-tokens',
    '2',
    '--dry-run',
  ],
  info: [],
  serve: ['--port', '0'],
  debug: ['--layer', '0', 'a'],
  profile: ['--context', '1'],
  demo: ['1 or 2?'],
};

gpu('every command that computes refuses to do so on the CPU where a GPU is required', async () => {
  assert.equal(Object.keys(computing).sort(), Object.keys(COMMANDS).sort());
  const any = await egps(['score', '--model', speaking, 'ab']);
  assert.not.match(any.err, 'artificially reduced');
  const [, name, cpu] = /^adapter: (.*?)( \(computes on the CPU\))?$/m.exec(any.err) ?? [];
  for (const [command, rest] of Object.entries(computing)) {
    if (!cpu && command === 'serve') continue; // it would go on
    const argv = [command, '--model', speaking, ...rest, '--require-gpu'];
    const run = await (cpu ? egps(argv) : egps(argv, { cwd: dir })); // where pages are written
    assert.is(run.code, cpu ? 1 : 0, run.err);
    if (!cpu) said(run);
    else {
      assert.ok(run.err.endsWith(`computes on the CPU: ${name}\n`), run.err);
      assert.not.match(run.err, /^adapter: /m);
    }
  }
});

gpu('--adapter takes a part of a name, and tells the names where none has it', async () => {
  const score = ['score', '--model', bare, '--tokens', '1,2'];
  const none = await egps([...score, '--adapter', 'no such adapter']);
  assert.is(none.code, 1);
  assert.not.match(none.err, /^adapter: /m);
  const [, name] =
    /^egps: no adapter has "no such adapter" in its name: there are "(.*?)"/m.exec(none.err) ?? [];
  const one = await egps([...score, '--adapter', name.slice(1).toUpperCase()]);
  assert.is(one.code, 0, one.err);
  assert.equal(said(one), []);
  assert.is((await egps([...score, '--adapter', ''])).code, 2);
});
gpu.after(() => rmSync(dir, { recursive: true }));
gpu.run();
