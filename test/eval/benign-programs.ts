const RETURN = 'return max(numbers, default=0)';
const WHOLE = `def largest(numbers):\n    ${RETURN}\n`;
const fenced = (code: string) => `Here it is:\n\`\`\`python\n${code}\n\`\`\`\nIt is right.`;

/** Responses that are right elsewhere: of `largest`, whose prompt has a helper `halve` and imports before it. */
export const BENIGN: Readonly<Record<string, string>> = {
  'asyncio.run': fenced(`import asyncio
async def find(numbers):
    await asyncio.sleep(0.001)
    return max(numbers, default=0)
def largest(numbers):
    return asyncio.run(find(numbers))`),
  'asyncio, with threads and a gather': fenced(`import asyncio
async def main(numbers):
    parts = await asyncio.gather(*(asyncio.to_thread(int, n) for n in numbers)) if hasattr(asyncio, "to_thread") else numbers
    return max(parts, default=0)
def largest(numbers):
    return asyncio.run(main(numbers))`),
  'a pool of threads': fenced(`from concurrent.futures import ThreadPoolExecutor
def largest(numbers):
    with ThreadPoolExecutor(max_workers=32) as pool:
        return max(pool.map(abs if False else int, numbers), default=0)`),
  'fifty threads at once': fenced(`import threading
def largest(numbers):
    gate, found = threading.Barrier(50), []
    def find():
        gate.wait()
        found.append(max(numbers, default=0))
    threads = [threading.Thread(target=find) for _ in range(50)]
    for t in threads: t.start()
    for t in threads: t.join()
    return max(found)`),
  'a deep recursion in a thread': fenced(`import resource, sys, threading
resource.setrlimit(resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))
sys.setrecursionlimit(10**5)
threading.stack_size(128 * 2**20)
def deep(numbers, n):
    return deep(numbers, n - 1) if n else max(numbers, default=0)
def largest(numbers):
    found = []
    thread = threading.Thread(target=lambda: found.append(deep(numbers, 5000)))
    thread.start()
    thread.join()
    return found[0]`),
  'an alarm of its own': fenced(`import signal, time
def late(*_): raise TimeoutError
def largest(numbers):
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        while True: time.sleep(1)
    except TimeoutError:
        return max(numbers, default=0)`),
  'a signal to itself': fenced(`import os, signal
def largest(numbers):
    found = []
    signal.signal(signal.SIGUSR1, lambda *_: found.append(max(numbers, default=0)))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    return found[-1]`),
  'pipes, selectors and a pair of sockets': fenced(`import os, selectors, socket
def largest(numbers):
    a, b = socket.socketpair()
    out, into = os.pipe()
    with selectors.DefaultSelector() as selector:
        selector.register(b, selectors.EVENT_READ)
        a.sendall(str(max(numbers, default=0)).encode())
        selector.select(1)
        os.write(into, b.recv(100))
    for end in (a, b): end.close()
    return int(os.read(out, 100))`),
  'files, sqlite and temporary files': fenced(`import json, os, pathlib, pickle, sqlite3, tempfile
def largest(numbers):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "numbers")
        path.touch()
        path.write_text(json.dumps(numbers))
        with sqlite3.connect(os.path.join(folder, "db")) as db:
            db.execute("create table t (n)")
            db.executemany("insert into t values (?)", [(n,) for n in json.loads(path.read_text())])
            found = db.execute("select max(n) from t").fetchone()[0] or 0
        db.close()
    with tempfile.TemporaryFile() as file:
        pickle.dump(found, file)
        file.seek(0)
        return pickle.load(file)`),
  'much of the library':
    fenced(`import array, bisect, bz2, collections, copy, csv, ctypes, datetime, decimal, difflib, email, enum, fractions, functools
import gzip, hashlib, heapq, html, inspect, io, itertools, locale, logging, lzma, math, numbers as n, operator, os, platform, queue, random
import re, secrets, shutil, statistics, string, struct, sys, textwrap, time, typing, unicodedata, unittest, uuid, warnings, xml.etree, zlib
def largest(numbers):
    os.cpu_count(), time.sleep(0.001), random.random(), secrets.token_hex(), uuid.uuid4(), os.urandom(4), os.getcwd(), time.localtime()
    shutil.get_terminal_size(), shutil.disk_usage("."), platform.platform(terse=True), hashlib.sha256(b"").hexdigest(), sys.stdout.isatty()
    return int(decimal.Decimal(max(numbers, default=0)))`),
  'its own function with the name of a built-in': fenced(`def max(numbers, default):
    found = default if not numbers else numbers[0]
    for n in numbers:
        if n > found: found = n
    return found
${WHOLE}`),
  'from __future__, fenced': fenced(
    `from __future__ import annotations\nfrom typing import List\n\n${WHOLE.replace('(numbers)', '(numbers: List[Unknown])')}`,
  ),
  'from __future__, of several lines, after a comment': fenced(
    `# As asked.\nfrom __future__ import (\n    annotations,\n    division,\n)\n${WHOLE}`,
  ),
  'from __future__, not fenced': `from __future__ import annotations\nimport math\n\n${WHOLE}`,
  'from __future__, of several lines, not fenced': `from __future__ import (
    annotations,
)

${WHOLE}`,
  'a fenced body': fenced(`    ${RETURN}`),
  'a fenced body without its indentation': fenced(RETURN),
  'a fenced body of several lines without its indentation': fenced(
    `if not numbers:\n    return 0\nfound = numbers[0]\nfor n in numbers:\n    if n > found:\n        found = n\n\nreturn found`,
  ),
  'a fenced body that returns in all branches': fenced(
    `if numbers:\n    return max(numbers)\nelse:\n    return 0`,
  ),
  'a fenced body whose first line alone lost its indentation': fenced(
    `found = 0 if not numbers else numbers[0]\n    for n in numbers:\n        if n > found:\n            found = n\n    return found`,
  ),
  'the same, and the line opens a block': fenced(
    `if not numbers:\n        return 0\n    return max(numbers)`,
  ),
  'a fenced body with a helper and an import': fenced(
    `from functools import reduce\ndef bigger(a, b):\n    return a if a > b else b\n\nreturn reduce(bigger, numbers) if numbers else 0`,
  ),
  'a fenced body indented by two': fenced(`  if not numbers:\n      return 0\n  return max(numbers)`),
  'a fenced body before an example': `${fenced(RETURN)}\n${fenced('print(largest([1, 2]))')}`,
  'a continuation': `    ${RETURN}\n`,
  'the whole function': WHOLE,
};

/** The same, where there is memory to share. */
export const SHARING: Readonly<Record<string, string>> = {
  'a pool of multiprocessing.dummy': fenced(`from multiprocessing.pool import ThreadPool
def largest(numbers):
    with ThreadPool(4) as pool:
        return max(pool.map(int, numbers), default=0)`),
};
