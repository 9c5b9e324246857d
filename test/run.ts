/**
 * Runs every test file in a process of its own and counts. Arguments filter by path, and --name TEXT by the names of the tests:
 * `npm test -- engine --name prefill`. Those that need Python and its packages run with --with-python only.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';

const TIME_LIMIT = 600_000;
/** A file that waits for a driver or a program leaves the cores to others. */
const CONCURRENCY = 3;
/** Those that take longest begin first, so that none runs on alone at the end. */
const LONG = [
  'model/swiftshader',
  'cli/eval',
  'selftest/self-test',
  'end-to-end',
  'cli/main',
  'sampling/exactness',
  'sampling/early-termination',
  'model/goldens',
  'deno',
  'tree/tree',
  'browser',
  'early-termination',
  'package',
  'sampling/mutants',
  'engine/engine',
  'checkpoint/fuzz',
  'eval/python',
  'bun',
  'eval/math',
  'report/eval-page',
  'report/trace-page',
  'serve/page',
];
/** Those that wait for most of their time: they run beside the others, one after another. */
const WAITING = ['base/lock', 'hub/refusals'];
/** Those that compute in JavaScript for long: with room for what is new, a sixth of their time goes that the collector takes. */
const COLLECTED = ['sampling/', 'tree/', 'end-to-end'];
const ROOM_FOR_NEW = '--max-semi-space-size=64';
/** Tests against Python programs. */
const PYTHON = `python${sep}`;
/** Seconds after which a test is named while it runs, where nobody watches a terminal. */
const PATIENCE = 20;

/** What a test file tells of a test that begins, see support/suite.ts. */
interface Begun {
  readonly name: string;
  readonly number: number;
  readonly of: number;
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Why the file failed as a whole, if it did. */
  readonly reason: string;
  readonly output: string;
}

const running = new Set<() => void>();

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = join(folder, '..', '..');

function findTests(filters: string[], withPython: boolean): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js') && (withPython || !file.startsWith(PYTHON)))
    .filter(
      (file) => filters.length === 0 || filters.some((filter) => file.split(sep).join('/').includes(filter)),
    )
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function rank(file: string): number {
  const at = LONG.indexOf(nameOf(file));
  return at < 0 ? LONG.length : at;
}

const nameOf = (file: string): string => file.slice(0, -'.test.js'.length).split(sep).join('/');

function run(file: string, name: string | undefined, onTest: (begun: Begun) => void): Promise<Outcome> {
  return new Promise((resolve) => {
    const path = relative(root, join(folder, file));
    // A group of its own, so that the time limit reaches what the test has started as well.
    const detached = process.platform !== 'win32';
    const options = COLLECTED.some((room) => nameOf(file).startsWith(room)) ? [ROOM_FOR_NEW] : [];
    const child = spawn(process.execPath, [...options, path], {
      cwd: root,
      env: { ...process.env, TEST_NAME: name ?? '' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached,
    });
    child.on('message', (begun) => onTest(begun as Begun));
    let output = '';
    let late = false;
    const kill = () => {
      if (detached && child.pid) process.kill(-child.pid, 'SIGKILL');
      else child.kill('SIGKILL');
    };
    running.add(kill);
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, TIME_LIMIT);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', (error) => {
      output += `${error.message}\n`;
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(kill);
      const end = late
        ? `ran longer than ${TIME_LIMIT / 1000} s`
        : (signal ?? (code === 0 ? '' : `exit code ${code}`));
      resolve(judge(stripVTControlCharacters(output), end, name !== undefined));
    });
  });
}

/** What a test file's output and end amount to. uvu's exit code is not enough: it is 0 after a failing `before`. */
function judge(output: string, end: string, mayBeEmpty: boolean): Outcome {
  const count = (label: string) =>
    [...output.matchAll(new RegExp(`^ {2}${label}: +(\\d+)$`, 'gm'))].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  const total = count('Total');
  const passed = count('Passed');
  const skipped = count('Skipped');
  const failed = total - passed + skipped;
  if (failed > 0) return { passed, failed, reason: skipped ? `${skipped} skipped` : end, output };
  const reason = end || (total === 0 && !mayBeEmpty ? 'ran no tests' : '');
  return { passed, failed: reason ? 1 : 0, reason, output };
}

/** Which tests run: on a terminal in a line of its own at the bottom, elsewhere those that take long. */
class Watched {
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly lines = new Map<string, string>();

  begin(file: string, { name, number, of }: Begun): void {
    const line = `${nameOf(file)}: ${number} of ${of}, ${name}`;
    clearTimeout(this.timers.get(file));
    this.lines.set(file, line);
    this.draw();
    if (process.stdout.isTTY) return;
    const tell = () => console.log(`     ${line}: running for ${PATIENCE} s`);
    this.timers.set(file, setTimeout(tell, 1000 * PATIENCE).unref());
  }

  end(file: string): void {
    clearTimeout(this.timers.get(file));
    this.lines.delete(file);
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  }

  private draw(): void {
    if (!process.stdout.isTTY) return;
    const line = [...this.lines.values()].join(' | ').slice(0, process.stdout.columns - 1);
    process.stdout.write(`\r\x1b[K${line}`);
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { name: { type: 'string' }, 'with-python': { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const withPython = values['with-python'];
  const files = findTests(positionals, withPython);
  const watched = new Watched();
  let passed = 0;
  let failed = 0;
  const waits = (file: string) => WAITING.includes(nameOf(file));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      for (const kill of running) kill();
      process.exit(1);
    });
  }
  const worker = async (queue: Iterable<string>) => {
    for (const file of queue) {
      const started = performance.now();
      const outcome = await run(file, values.name, (begun) => watched.begin(file, begun));
      watched.end(file);
      if (outcome.passed + outcome.failed === 0) continue; // none of that name
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const mark = outcome.failed ? 'FAIL' : 'ok  ';
      const counts = outcome.failed
        ? `${outcome.passed} passed, ${outcome.failed} failed`
        : `${outcome.passed}`;
      const reason = outcome.reason && ` (${outcome.reason})`;
      console.log(`${mark} ${nameOf(file)}: ${counts}${reason}, ${seconds} s`);
      if (outcome.failed) console.log(outcome.output);
      passed += outcome.passed;
      failed += outcome.failed;
    }
  };
  const computing = files.filter((file) => !waits(file)).values();
  const workers = Array.from({ length: CONCURRENCY }, () => worker(computing));
  await Promise.all([worker(files.filter(waits)), ...workers]);
  if (!withPython && positionals.length === 0)
    console.log('left out: the tests against Python programs, npm run test:python');
  if (passed + failed === 0) {
    console.log('no tests were found');
    failed = 1;
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

await main();
