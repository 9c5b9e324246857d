import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { PythonGrader } from '../../src/eval/graders/python.ts';
import type { Item, Verdict } from '../../src/eval/item.ts';
import { test } from '../support/suite.ts';
import { BENIGN, SHARING } from './benign-programs.ts';
import { ATTEMPTS, attempting, FILLING, HOSTILE } from './hostile-programs.ts';

const ITEM: Item = {
  id: 'largest',
  prompt: `from typing import List
import math


def halve(x: int) -> int:
    return x // 2


def largest(numbers: List[int]) -> int:
    """ The largest of the numbers, 0 if there is none. """
`,
  grader: 'code',
  entryPoint: 'largest',
  answer: `
def check(candidate):
    assert halve(5) == 2
    cases = ([1, 3, 2], 3), ([-1, -3], -1), ([], 0)
    assert all(abs(candidate(numbers) - right) < 0.5 for numbers, right in cases)

check(largest)
`,
};

/** A user that is not the one that programs are given to where the grader is root. */
const USER = 12345;
const NAME = 'egps-asleep';
const ASLEEP = `\`\`\`python
import ctypes, signal, time
libc = ctypes.CDLL(None)
libc.prctl(1, 0, 0, 0, 0)
signal.alarm(0)
libc.prctl(15, b"${NAME}", 0, 0, 0)
time.sleep(30)
def largest(numbers): pass
\`\`\`
`;

/** What a grader in a process of its own is to do, and as whom; it prints what it found. */
interface Order {
  readonly uid: number | null;
  readonly secret: string;
  readonly what: 'programs' | 'sleep' | 'stay';
}

/** Grades twice where nothing can be removed; the verdicts, and what Node warned of. */
async function stay(grader: PythonGrader): Promise<{ verdicts: Verdict[]; warnings: string[] }> {
  const place = process.env.TMPDIR as string;
  const warnings: string[] = [];
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => warnings.push(`${name}: ${message}`));
  const verdicts: Verdict[] = [];
  // The program sees when it may end.
  const response = `\`\`\`python
import os, time
while os.stat(${JSON.stringify(place)}).st_mode & 0o200: time.sleep(0.01)
def largest(numbers): return max(numbers, default=0)
\`\`\``;
  for (let n = 1; n <= 2; n++) {
    chmodSync(place, 0o777);
    const graded = grader.grade(ITEM, response);
    await until(() => readdirSync(place).length === n);
    chmodSync(place, 0o555);
    verdicts.push((await graded).verdict);
  }
  await grader.close();
  return { verdicts, warnings };
}

async function obey({ uid, secret, what }: Order): Promise<void> {
  if (uid !== null) {
    process.setgroups?.([]);
    process.setgid?.(uid);
    process.setuid?.(uid);
  }
  const grader = await PythonGrader.open({ timeLimit: 20 });
  if (what === 'sleep') {
    await grader.grade(ITEM, ASLEEP);
    return;
  }
  if (what === 'stay') {
    process.stdout.write(`${JSON.stringify(await stay(grader))}\n`);
    return;
  }
  const hasty = await PythonGrader.open({ timeLimit: 2 });
  const { processes, files, reading, disk } = grader.isolation;
  // Python's own guard, which is all there is elsewhere, is coarser.
  const listed = processes ? { hostile: HOSTILE, benign: BENIGN } : { hostile: [], benign: {} };
  const attempts = processes && files && reading ? [Object.values(ATTEMPTS)] : [];
  if (disk) attempts.push(...Object.values(FILLING).map((attempt) => [attempt]));
  const wrong: string[] = [];
  const expect = async (name: string, response: string, verdict: Verdict) => {
    const grade = await (verdict === 'timed out' ? hasty : grader).grade(ITEM, response);
    if (grade.verdict !== verdict) wrong.push(`${name} is ${grade.verdict}, not ${verdict}`);
  };
  await Promise.all([
    ...attempts.map((some, i) => expect(`attempts ${i}`, attempting(some, secret), 'right')),
    ...listed.hostile.map((one) => expect(...one)),
    ...Object.entries({ ...listed.benign, ...(disk && SHARING) }).map(([name, response]) =>
      expect(name, response, 'right'),
    ),
  ]);
  await Promise.all([grader.close(), hasty.close()]);
  process.stdout.write(`${JSON.stringify(wrong)}\n`);
}

const folder = mkdtempSync(join(tmpdir(), 'egps-sandbox-test-'));
chmodSync(folder, 0o777);
const temporary = join(folder, 'temporary');

/** Starts this file again, which then obeys, with a descriptor that it does not know of. */
function start(order: Omit<Order, 'secret'>): ChildProcess {
  const secret = join(mkdtempSync(join(folder, 'private-')), 'secret');
  writeFileSync(secret, 'secret', { mode: 0o666 });
  chmodSync(join(secret, '..'), 0o777);
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary);
  chmodSync(temporary, 0o777);
  if (order.uid !== null) chownSync(temporary, order.uid, order.uid);
  const stdio = [...Array(200).fill('ignore'), openSync(secret, 'r')];
  stdio[1] = 'pipe';
  stdio[2] = 'inherit';
  return spawn(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify({ ...order, secret })], {
    stdio,
    env: { ...process.env, TMPDIR: temporary },
  });
}

async function outputOf(child: ChildProcess): Promise<string> {
  let output = '';
  child.stdout?.on('data', (text) => {
    output += text;
  });
  const [code, signal] = await new Promise<unknown[]>((resolve) =>
    child.on('close', (...end) => resolve(end)),
  );
  assert.equal([code, signal], [0, null]);
  return output;
}

/** Ids of the programs that sleep. */
function asleep(): number[] {
  return readdirSync('/proc')
    .filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, 'latin1') === `${NAME}\n`;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries === 200) throw new Error('it does not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const order: Order | undefined = process.argv[2] ? JSON.parse(process.argv[2]) : undefined;
if (order) {
  rmSync(folder, { recursive: true });
  await obey(order);
} else {
  const root = process.getuid?.() === 0;
  for (const uid of root ? [null, USER] : [null]) {
    const whom = uid === null ? '' : `, as user ${uid}`;

    test(`hostile programs come to nothing, benign ones are right${whom}`, async () => {
      assert.equal(JSON.parse(await outputOf(start({ uid, what: 'programs' }))), []);
      assert.equal(readdirSync(temporary), []);
    });

    test(`no program outlives a grader that is killed${whom}`, async () => {
      if (process.platform !== 'linux') return;
      const grader = start({ uid, what: 'sleep' });
      try {
        await until(() => asleep().length === 1);
        grader.kill('SIGKILL');
        await until(() => asleep().length === 0);
      } finally {
        grader.kill('SIGKILL');
        for (const pid of asleep()) process.kill(pid, 'SIGKILL');
      }
    });
  }

  test('what cannot be removed is said once, and left', async () => {
    const output = await outputOf(start({ uid: root ? USER : null, what: 'stay' }));
    const { verdicts, warnings } = JSON.parse(output);
    assert.equal(verdicts, ['right', 'right']);
    assert.is(warnings.length, 1);
    assert.match(warnings[0], /GraderWarning: files of a program that was graded are left: EACCES/);
    chmodSync(temporary, 0o777);
  });

  test.after(() => rmSync(folder, { recursive: true }));
  test.run();
}
