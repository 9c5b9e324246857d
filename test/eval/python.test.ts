import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { GraderError, OptionError } from '../../src/base/errors.ts';
import { completeProgram, PythonGrader } from '../../src/eval/graders/python.ts';
import type { Item, Verdict } from '../../src/eval/item.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';

const PROMPT = `from typing import List
import math


def halve(x: int) -> int:
    return x // 2


def largest(numbers: List[int]) -> int:
    """ The largest of the numbers, 0 if there is none.
    >>> largest([1, 3, 2])
    3
    """
`;

const ITEM: Item = {
  id: 'largest',
  prompt: PROMPT,
  grader: 'code',
  entryPoint: 'largest',
  answer: `

METADATA = {}


def check(candidate):
    assert halve(5) == 2
    assert candidate([1, 3, 2]) == 3
    assert candidate([-1, -3]) == -1
    assert candidate([]) == 0

check(largest)
`,
};

const programOf = (response: string) => completeProgram(ITEM, response)?.program ?? null;

const RIGHT = '    return max(numbers, default=0)\n';
const WHOLE = `def largest(numbers):\n${RIGHT}`;

// All that a grader makes lies here and has it in its environment.
const folder = mkdtempSync(join(tmpdir(), 'egps-python-test-'));
chmodSync(folder, 0o755);
process.env.TMPDIR = folder;

/** Ids of the processes that were started with the test's folder in their environment; this one was not. */
function leftovers(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(folder);
    } catch {
      return false;
    }
  });
}

function assertNothingLeft(): void {
  assert.equal(leftovers(), []);
  assert.equal(readdirSync(folder), []);
}

/** Python statements as the body of the function. */
function body(code: string): string {
  return code.replace(/^/gm, '    ');
}

const graders = new Map<string, PythonGrader>();

/** Grades with a time limit that a program of no work does not reach, and looks for what is left. */
async function verdict(response: string, timeLimit = 20, memory = 2 ** 31): Promise<Verdict> {
  const key = `${timeLimit} ${memory}`;
  const grader = graders.get(key) ?? (await PythonGrader.open({ timeLimit, memory }));
  graders.set(key, grader);
  const began = performance.now();
  const { verdict } = await grader.grade(ITEM, response);
  const seconds = (performance.now() - began) / 1000;
  assertNothingLeft();
  assert.ok(seconds < timeLimit + 40, `it took ${seconds} s`);
  return verdict;
}

/** Runs `attempt`; the function is right afterwards if that raised what a refused system call raises. */
function refused(attempt: string): string {
  const body = `try:\n    ${attempt.replaceAll('\n', '\n    ')}\nexcept (OSError, RuntimeError):`;
  return `import os\ndef largest(numbers):\n${body.replace(/^/gm, '    ')}\n        return max(numbers, default=0)\n    return 0\n`;
}

/** Calls C directly, past the guard in Python; an error raises. */
function native(call: string): string {
  return refused(
    `import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nif libc.${call} < 0:\n    raise OSError`,
  );
}

test('a right and a wrong function', async () => {
  const grader = await PythonGrader.open();
  assert.equal(await grader.grade(ITEM, RIGHT), { verdict: 'right', answer: RIGHT.trimEnd() });
  assert.equal(await grader.grade(ITEM, '    return max(numbers)\n'), {
    verdict: 'wrong',
    answer: '    return max(numbers)',
  });
  assert.equal(await grader.grade(ITEM, ' \n'), { verdict: 'no answer', answer: null });
  assert.is((await grader.grade(ITEM, '    return (')).verdict, 'wrong');
  assert.is((await grader.grade(ITEM, '    return "\ud800"')).verdict, 'wrong');
  assert.is((await grader.grade(ITEM, '    return "\0"')).verdict, 'wrong');
  assert.is((await grader.grade(ITEM, `    """ Größte: ∞ """\n${RIGHT}`)).verdict, 'right');
  assertNothingLeft();
  await grader.close();
});

test('the checks cannot be swallowed by what the response leaves open', async () => {
  assert.is(await verdict(`${RIGHT}    """`), 'wrong');
  assert.is(await verdict(`${RIGHT}\nX = (`), 'wrong');
  assert.is(await verdict(`    return 1\n    if False: \\\n`), 'wrong');
  assert.is(await verdict(`${WHOLE}\ndef check(candidate): pass\n`), 'right');
  assert.is(
    await verdict(`\`\`\`\n${WHOLE.replace('max', 'min')}\ndef check(candidate): pass\n\`\`\``),
    'wrong',
  );
});

test('the checks and the program are as in one file', async () => {
  const grader = await PythonGrader.open();
  const sum: Item = {
    ...ITEM,
    prompt: 'def sum(numbers):\n',
    entryPoint: 'sum',
    answer: 'import math\ndef twice(x): return 2 * x\ndef check(f):\n    assert f([1.5]) == 2\ncheck(sum)\n',
  };
  assert.is((await grader.grade(sum, '    return math.floor(twice(numbers[0])) - 1\n')).verdict, 'right');
  assert.is((await grader.grade(sum, '    return 0\n')).verdict, 'wrong');
  await grader.close();
});

test('code for use as a script does not run', async () => {
  const script = `\`\`\`python\n${WHOLE}\nif __name__ == "__main__":\n    print(largest(input()))\n\`\`\`\n`;
  assert.is(await verdict(script), 'right');
});

test('classes with dataclass annotations find their module', async () => {
  const code = `from dataclasses import dataclass\n@dataclass\nclass P:\n    x: "int" = 0\n${WHOLE}`;
  assert.is(await verdict(`\`\`\`\n${code}\`\`\``), 'right');
});

test('leaving before or in the checks does not count as right', async () => {
  for (const exit of ['import sys; sys.exit(0)', 'import os; os._exit(0)', 'raise SystemExit']) {
    assert.is(await verdict(body(exit)), 'wrong', exit);
    assert.is(await verdict(`\`\`\`\n${WHOLE}\n${exit}\n\`\`\``), 'wrong', exit);
  }
});

test('nothing but the nonce on the pipe counts', async () => {
  assert.is(await verdict(body('import os\nos.write(3, b"right\\n" * 100000)\nos._exit(0)')), 'wrong');
  assert.is(await verdict(body(`import os\nos.write(3, b"x")\n${RIGHT.trim()}`)), 'wrong');
  assert.is(await verdict(body('import os\nos.close(3)\nos._exit(0)')), 'wrong');
});

test('the nonce is in no global, argument, environment or input', async () => {
  const search = `
import os, sys
def largest(numbers):
    seen = [repr(vars(m)) for m in list(sys.modules.values()) if m] + [repr(os.environ), repr(sys.argv)]
    seen += [open("/proc/self/cmdline").read(), sys.stdin.read()] if sys.platform == "linux" else []
    import re
    found = [n for text in seen for n in re.findall("[0-9a-f]{64}", text) if len(set(n)) > 4]
    return -1 if found else max(numbers, default=0)`;
  assert.is(await verdict(`\`\`\`${search}\n\`\`\``), 'right');
});

test('endless loops are stopped', async () => {
  assert.is(await verdict('    while True: pass\n', 1), 'timed out');
  assert.is(await verdict(body('import time\ntime.sleep(1000)'), 1), 'timed out');
  const stubborn = 'while True:\n    try:\n        while True: pass\n    except BaseException: pass';
  assert.is(await verdict(body(stubborn), 1), 'timed out');
});

test('no process can be started, and no end of threads', async () => {
  assert.is(await verdict(body('import os\nwhile True: os.fork()')), 'wrong');
  const bomb = (start: string) => `import os, threading, time
while True:
    try:
        ${start}
    except BaseException: pass`;
  assert.is(await verdict(body(bomb('os.fork()')), 1), 'timed out');
  assert.is(
    await verdict(body(bomb('threading.Thread(target=time.sleep, args=(9,)).start()')), 1),
    'timed out',
  );
  assert.is(await verdict(refused('os.fork()')), 'right');
  assert.is(await verdict(refused('import subprocess\nsubprocess.run(["true"])')), 'right');
  assert.is(await verdict(refused('os.execv("/bin/true", ["true"])')), 'right');
  assert.is(await verdict(native('fork()')), 'right');
});

test('no child that outlives its group', async () => {
  const daemon = (fork: string) => `import os, time, ctypes
libc = ctypes.CDLL(None)
try:
    if ${fork} == 0:
        libc.setsid()
        if ${fork} == 0:
            time.sleep(300)
        os._exit(0)
except OSError: pass
return max(numbers, default=0)`;
  await verdict(body(daemon('os.fork()')));
  await verdict(body(daemon('libc.fork()')));
});

test('memory is bounded', async () => {
  const grader = await PythonGrader.open();
  if (grader.isolation.memory) {
    assert.is(await verdict(refused('try: bytearray(10**10)\nexcept MemoryError: raise OSError')), 'right');
    const little = refused('try: bytearray(3*10**8)\nexcept MemoryError: raise OSError');
    assert.is(await verdict(little), 'wrong');
    assert.is(await verdict(little, 20, 2 ** 28), 'right');
  }
  // With little memory, which it takes long to fill.
  assert.is(await verdict(body('x = [0]\nfor _ in range(40): x += x\nreturn 0'), 20, 2 ** 28), 'wrong');
  await grader.close();
});

test('deep recursion', async () => {
  assert.is(await verdict('    return largest(numbers)\n'), 'wrong');
  assert.is(
    // With little memory, as above.
    await verdict(
      body('import sys\nsys.setrecursionlimit(10**9)\nreturn largest([*numbers, 1])'),
      20,
      2 ** 28,
    ),
    'wrong',
  );
});

test('the folder may be deleted or made unreadable', async () => {
  assert.is(
    await verdict(`import os, shutil\n${WHOLE}    shutil.rmtree(os.getcwd(), ignore_errors=True)`),
    'right',
  );
  await verdict(`import os, shutil\nshutil.rmtree(os.getcwd())\n${WHOLE}`);
  assert.is(await verdict(refused('os.chmod(os.getcwd(), 0)')), 'right');
  await verdict(native('chmod(b".", 0)'));
  // Folders that can be written but not listed.
  const hidden = 'import os\nos.makedirs("a/b")\nos.mkdir("a/b/c", 0o300)\nopen("a/b/c/d", "w").close()';
  assert.is(await verdict(`\`\`\`\n${hidden}\n${WHOLE}\`\`\``), 'right');
});

test('files are bounded in size', async () => {
  const write = 'with open("big", "wb") as file:\n    for _ in range(1000): file.write(bytes(10**6))';
  assert.is(await verdict(refused(write)), 'right');
  assert.is(
    await verdict(
      `\`\`\`\nopen("small", "w").write("x")\nassert open("small").read() == "x"\n${WHOLE}\`\`\``,
    ),
    'right',
  );
});

test('nothing is written elsewhere', async () => {
  const place = mkdtempSync(join(folder, '..', 'egps-python-elsewhere-'));
  chmodSync(place, 0o777);
  const grader = await PythonGrader.open();
  try {
    const path = JSON.stringify(join(place, 'x'));
    assert.is(await verdict(refused(`open(${path}, "w")`)), 'right');
    assert.is(await verdict(refused(`import shutil\nshutil.rmtree(${JSON.stringify(place)})`)), 'right');
    if (grader.isolation.files) {
      assert.is(await verdict(native(`creat(b${path}, 0o600)`)), 'right');
      assert.is(await verdict(native(`rmdir(b${JSON.stringify(place)})`)), 'right');
      assert.is(await verdict(native(`chmod(b${JSON.stringify(place)}, 0)`)), 'right');
    }
    assert.equal(readdirSync(place), []);
    assert.is(await verdict(`\`\`\`\nopen("/dev/null", "w").write("x")\n${WHOLE}\`\`\``), 'right');
  } finally {
    rmSync(place, { recursive: true });
    await grader.close();
  }
});

test('input is empty and output goes nowhere', async () => {
  assert.is(
    await verdict(body('import sys\nassert sys.stdin.read() == ""\nreturn max(numbers, default=0)')),
    'right',
  );
  assert.is(await verdict(body('return int(input())')), 'wrong');
  const loud = 'import sys\nfor _ in range(100): print("x" * 10**6); print("y" * 10**6, file=sys.stderr)';
  assert.is(await verdict(body(`${loud}\n${RIGHT.trim()}`)), 'right');
});

test('no network', async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const grader = await PythonGrader.open();
  try {
    const connect = `import socket\nsocket.create_connection(("127.0.0.1", ${port}), 5)`;
    assert.is(await verdict(refused(connect)), 'right');
    if (grader.isolation.processes) assert.is(await verdict(native('socket(2, 1, 0)')), 'right');
    assert.is(connections, 0);
  } finally {
    await grader.close();
    server.close();
  }
});

test('no other process can be signalled', async () => {
  const grader = await PythonGrader.open();
  let signalled = false;
  const note = () => {
    signalled = true;
  };
  process.on('SIGUSR1', note);
  try {
    assert.is(await verdict(refused('os.kill(os.getppid(), 10)')), 'right');
    assert.is(await verdict(refused('os.kill(os.getppid(), 9)')), 'right');
    assert.is(await verdict(refused('os.killpg(0, 9)')), 'right');
    assert.is(await verdict(refused('os.kill(-1, 9)')), 'right');
    if (grader.isolation.processes) {
      assert.is(await verdict(native('kill(os.getppid(), 10)')), 'right');
      assert.is(await verdict(native('kill(0, 9)')), 'right');
      // As root, only the filter's refusal tells it from one for want of a permission: nothing else runs as that user.
      assert.is(await verdict(native('kill(-1, 9)')), 'right');
    }
    assert.not(signalled);
  } finally {
    process.off('SIGUSR1', note);
    await grader.close();
  }
});

test('the environment is reduced', async () => {
  process.env.EGPS_TEST_SECRET = 'secret';
  const look =
    'import os\nassert "EGPS_TEST_SECRET" not in os.environ\nassert os.environ["HOME"] == os.getcwd()';
  assert.is(await verdict(body(`${look}\n${RIGHT.trim()}`)), 'right');
  if (process.getuid?.() === 0) {
    assert.is(
      await verdict(
        body(
          `import os\nassert 0 not in os.getresuid() + os.getresgid()\nassert os.getgroups() in ([], [os.getgid()])\n${RIGHT.trim()}`,
        ),
      ),
      'right',
    );
  }
});

test('at most two at a time, and any number in all', async () => {
  const grader = await PythonGrader.open();
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, readdirSync(folder).length);
  }, 1);
  const responses = Array.from({ length: 9 }, (_, i) => (i % 3 ? RIGHT : '    return 0\n'));
  const grades = await Promise.all(responses.map((response) => grader.grade(ITEM, response)));
  clearInterval(timer);
  assert.equal(
    grades.map((grade) => grade.verdict),
    responses.map((response) => (response === RIGHT ? 'right' : 'wrong')),
  );
  assert.is(most, 2);
  assertNothingLeft();
  await grader.close();
});

test('abort and close stop what runs and what waits', async () => {
  const grader = await PythonGrader.open({ timeLimit: 1000 });
  const loop = '    while True: pass\n';
  const controller = new AbortController();
  const reason = new Error('enough');
  const one = grader.grade(ITEM, loop, controller.signal).catch((error) => error);
  const other = grader.grade(ITEM, loop).catch((error) => error);
  const waiting = grader.grade(ITEM, loop, controller.signal).catch((error) => error);
  const next = grader.grade(ITEM, RIGHT);
  await new Promise((resolve) => setTimeout(resolve, 300));
  controller.abort(reason);
  assert.is(await one, reason);
  assert.is(await waiting, reason);
  assert.is((await next).verdict, 'right');
  assert.is(await grader.grade(ITEM, loop, controller.signal).catch((error) => error), reason);
  await grader.close();
  assertNothingLeft();
  assert.instance(await other, GraderError);
  await failure(GraderError, /closed/, () => grader.grade(ITEM, RIGHT));
});

test('what it cannot be opened with', async () => {
  await failure(GraderError, /python3.*3\.8.*\/nonexistent/, () =>
    PythonGrader.open({ python: '/nonexistent' }),
  );
  await failure(GraderError, /true: it is no Python/, () => PythonGrader.open({ python: 'true' }));
  const path = process.env.PATH;
  process.env.PATH = folder;
  try {
    await failure(GraderError, /python3 on PATH \(.*\), not found/, () => PythonGrader.open());
  } finally {
    process.env.PATH = path;
  }
  await failure(OptionError, /timeLimit is 0/, () => PythonGrader.open({ timeLimit: 0 }));
  await failure(OptionError, /memory is 1\.5/, () => PythonGrader.open({ memory: 1.5 }));
  await failure(GraderError, /python3/, () => PythonGrader.open({ memory: 1000 }));
  assertNothingLeft();
});

test('a continuation is cut at the published stop sequences', () => {
  const after = ['class A:', 'def f():', '# note', 'if x:', 'print(1)', '```', '@cache'];
  for (const line of after) {
    assert.is(programOf(`${RIGHT}${line}\nrest`), PROMPT + RIGHT, line);
  }
  const kept = '    if numbers:\n        # here\n        print(1)\n\n    return 0\nx = 1\n';
  assert.is(programOf(kept), PROMPT + kept);
  assert.is(programOf(RIGHT.replace('\n', '\r\n')), PROMPT + RIGHT);
});

test('a continuation is no less one for the blocks after it', () => {
  assert.is(programOf(`${RIGHT}\`\`\`\n\nOr:\n\`\`\`python\n${WHOLE}\`\`\`\n`), PROMPT + RIGHT);
});

test('the whole function takes the place of the prompt', () => {
  const before = PROMPT.slice(0, PROMPT.indexOf('def largest'));
  const expected = `${before}\n${WHOLE}`;
  assert.is(programOf(WHOLE), expected);
  assert.is(programOf(`${WHOLE}\nprint(largest([1]))\n`), expected);
  assert.is(programOf(`import os\n\n# As asked.\n${WHOLE}`), `${before}\nimport os\n\n# As asked.\n${WHOLE}`);
  assert.is(programOf(PROMPT + RIGHT), `${before}\n${PROMPT}${RIGHT}`);
  assert.is(programOf(`@f\ndef g(): pass\n${WHOLE}`), `${before}\n@f\ndef g(): pass\n${WHOLE}`);
  assert.is(
    programOf(`def f():\n    pass\n\`\`\`\n\n\`\`\`python\n${WHOLE}`),
    `${before}\n${WHOLE}`,
    'not fenced at first',
  );
  assert.match(programOf('def largest_of(x):\n    pass\n') ?? '', PROMPT);
});

test('of fenced blocks the last with the function counts, else the last body', () => {
  const before = PROMPT.slice(0, PROMPT.indexOf('def largest'));
  const chat = (...blocks: string[]) =>
    blocks.map((block) => `Here:\n\`\`\`python\n${block}\`\`\`\n`).join('');
  const helper = 'def other():\n    pass\n\n';
  assert.is(
    programOf(chat('def largest(x):\n    return 0\n', helper + WHOLE, 'largest([])\n')),
    `${before}\n${helper}${WHOLE}`,
  );
  assert.is(programOf(chat(RIGHT, 'largest([])\n')), PROMPT + RIGHT);
  assert.is(programOf(chat(WHOLE).replace(/^/gm, '  ')), `${before}\n${WHOLE}`);
  assert.is(programOf(chat(WHOLE).slice(0, -4)), `${before}\n${WHOLE}`, 'left open');
  assert.is(programOf(`\`\`\`\n${WHOLE}\`\`\``), `${before}\n${WHOLE}`, 'without a language');
});

test('a response without code is none', () => {
  for (const response of ['', ' \n\t\n', '\nprint(1)', '\n\n# later']) {
    assert.is(programOf(response), null, JSON.stringify(response));
  }
});

test.after(async () => {
  for (const grader of graders.values()) await grader.close();
  rmSync(folder, { recursive: true });
});

test.run();
