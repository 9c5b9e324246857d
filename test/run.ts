/** Runs every test file in a process of its own and counts. Arguments filter by path: `npm test -- engine`. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const TIME_LIMIT = 600_000;
const CONCURRENCY = 2;

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

function findTests(filters: string[]): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js'))
    .filter(
      (file) => filters.length === 0 || filters.some((filter) => file.split(sep).join('/').includes(filter)),
    )
    .sort();
}

function run(file: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const path = relative(root, join(folder, file));
    // A group of its own, so that the time limit reaches what the test has started as well.
    const detached = process.platform !== 'win32';
    const child = spawn(process.execPath, [path], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached });
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
      stream.setEncoding('utf8').on('data', (text: string) => {
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
      resolve(judge(stripVTControlCharacters(output), end));
    });
  });
}

/** What a test file's output and end amount to. uvu's exit code is not enough: it is 0 after a failing `before`. */
function judge(output: string, end: string): Outcome {
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
  const reason = end || (total === 0 ? 'ran no tests' : '');
  return { passed, failed: reason ? 1 : 0, reason, output };
}

async function main(): Promise<void> {
  const files = findTests(process.argv.slice(2));
  let passed = 0;
  let failed = 0;
  const queue = files.values();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      for (const kill of running) kill();
      process.exit(1);
    });
  }
  const worker = async () => {
    for (const file of queue) {
      const started = performance.now();
      const outcome = await run(file);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const mark = outcome.failed ? 'FAIL' : 'ok  ';
      const counts = outcome.failed
        ? `${outcome.passed} passed, ${outcome.failed} failed`
        : `${outcome.passed}`;
      const reason = outcome.reason && ` (${outcome.reason})`;
      console.log(`${mark} ${file.slice(0, -8).split(sep).join('/')}: ${counts}${reason}, ${seconds} s`);
      if (outcome.failed) console.log(outcome.output);
      passed += outcome.passed;
      failed += outcome.failed;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  if (passed + failed === 0) {
    console.log('no tests were found');
    failed = 1;
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

await main();
