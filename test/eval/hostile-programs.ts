import type { Verdict } from '../../src/eval/item.ts';

/**
 * Ways to reach something outside, as Python that must raise. `call` makes a system call by its number on x86-64 or AArch64,
 * `c` calls a function of the C library; both raise where it is refused. `other` is the grader's process.
 */
export const ATTEMPTS: Readonly<Record<string, string>> = {
  // The kernel sends for whoever owns a descriptor.
  F_SETOWN: 'c("fcntl", pipe, 8, other)',
  'F_SETOWN of its group': 'c("fcntl", pipe, 8, -os.getpgrp())',
  F_SETSIG: 'c("fcntl", pipe, 10, 9)',
  F_SETOWN_EX: 'c("fcntl", pipe, 15, struct.pack("ii", 1, other))',
  O_ASYNC: 'c("fcntl", pipe, 4, 0o20000)',
  F_SETLEASE: 'c("fcntl", own, 1024, 0)',
  F_NOTIFY: 'c("fcntl", os.open(".", 0), 1026, 0x8000001F)',
  'F_SETFL in a 64-bit command': 'call(72, 25, c_long(pipe), c_long(2**32 + 8), c_long(other))',
  FIOASYNC: 'c("ioctl", 3, 0x5452, struct.pack("i", 1))',
  FIOSETOWN: 'c("ioctl", 3, 0x8901, struct.pack("i", other))',
  SIOCSPGRP: 'c("ioctl", 3, 0x8902, struct.pack("i", other))',
  'F_SETOWN of the answer': 'c("fcntl", 3, 8, other)',
  timer_create:
    'call(222, 107, 0, struct.pack("QiiQQQQQQ", 0, 10, 4, other, 0, 0, 0, 0, 0), ctypes.create_string_buffer(8))',
  mq_open: 'call(240, 180, b"egps-test", 0o102, 0o600, 0)',
  mq_notify: 'call(244, 184, 3, struct.pack("QiiQQQQQQ", 0, 10, 0, 0, 0, 0, 0, 0, 0))',
  // Signals.
  kill: 'c("kill", other, 0)',
  'kill of a group': 'c("kill", 0, 0)',
  'kill of all': 'c("kill", -1, 0)',
  'kill of the first': 'c("kill", 1, 0)',
  tkill: 'call(200, 130, other, 0)',
  tgkill: 'call(234, 131, other, other, 0)',
  sigqueue: 'call(129, 138, other, 10, ctypes.create_string_buffer(b"\\xff" * 128))',
  rt_tgsigqueueinfo: 'call(297, 240, other, other, 10, ctypes.create_string_buffer(b"\\xff" * 128))',
  pidfd_open: 'call(434, 434, other, 0)',
  pidfd_send_signal: 'call(424, 424, 3, 0, 0, 0)',
  // Other processes.
  ptrace: 'call(101, 117, 16, other, 0, 0)',
  process_vm_readv: 'call(310, 270, other, 0, 0, 0, 0, 0)',
  process_vm_writev: 'call(311, 271, other, 0, 0, 0, 0, 0)',
  'the memory of the grader': 'open("/proc/%d/mem" % other, "rb")',
  'the environment of the grader': 'open("/proc/%d/environ" % other, "rb").read()',
  setpriority: 'call(141, 140, 0, other, 5)',
  'setpriority of the user': 'call(141, 140, 2, 0, 5)',
  ioprio_set: 'call(251, 30, 1, other, 0x6000)',
  sched_setaffinity: 'call(203, 122, other, 8, struct.pack("Q", 1))',
  sched_setscheduler: 'call(144, 119, other, 5, struct.pack("i", 0))',
  sched_setattr: 'call(314, 274, other, struct.pack("IIQiIQQQ", 48, 5, 0, 0, 0, 0, 0, 0), 0)',
  prlimit: 'call(302, 261, other, 7, struct.pack("QQ", 9, 9), 0)',
  kcmp: 'call(312, 272, other, other, 0, 3, 3)',
  migrate_pages: 'call(256, 238, other, 8, struct.pack("Q", 1), struct.pack("Q", 1))',
  setpgid: 'call(109, 154, 0, 0)',
  setsid: 'call(112, 157)',
  // New processes.
  fork: 'c("fork")',
  'clone of a process': 'call(56, 220, 17, 0, 0, 0, 0)',
  'clone for the parent': 'call(56, 220, 0x8000 | 17, 0, 0, 0, 0)',
  clone3: 'call(435, 435, struct.pack("QQQQQQQQ", 0, 0, 0, 0, 17, 0, 0, 0), 64)',
  execve: 'call(59, 221, b"/bin/true", 0, 0)',
  execveat: 'call(322, 281, -100, b"/bin/true", 0, 0, 0)',
  // What keeps it from outliving the grader, and from more rights.
  PR_SET_PDEATHSIG: 'c("prctl", 1, 0, 0, 0, 0)',
  PR_SET_DUMPABLE: 'c("prctl", 4, 1, 0, 0, 0)',
  PR_SET_CHILD_SUBREAPER: 'c("prctl", 36, 1, 0, 0, 0)',
  PR_SET_PTRACER: 'c("prctl", 0x59616D61, -1, 0, 0, 0)',
  setuid: 'call(105, 146, 0)',
  unshare: 'call(272, 97, 0x10000000)',
  mount: 'call(165, 40, b"none", b".", b"tmpfs", 0, 0)',
  umount: 'call(166, 39, b".", 2)',
  chroot: 'call(161, 51, b".")',
  // Objects of the kernel that outlive it, or that anyone reaches.
  shmget: 'call(29, 194, 0, 4096, 0o1600)',
  semget: 'call(64, 190, 0, 1, 0o1600)',
  msgget: 'call(68, 186, 0, 0o1600)',
  add_key: 'call(248, 217, b"user", b"egps", b"x", 1, -4)',
  keyctl: 'call(250, 219, 0, -3, 1)',
  request_key: 'call(249, 218, b"user", b"egps", 0, 0)',
  userfaultfd: 'call(323, 282, 1)',
  memfd_create: 'call(319, 279, b"egps", 0)',
  bpf: 'call(321, 280, 0, ctypes.create_string_buffer(128), 128)',
  perf_event_open:
    'call(298, 241, ctypes.create_string_buffer(struct.pack("II", 1, 128) + bytes(120)), 0, -1, -1, 0)',
  io_uring_setup: 'call(425, 425, 1, ctypes.create_string_buffer(120))',
  inotify_init: 'call(294, 26, 0)',
  // Messages.
  'a socket of the internet': 'c("socket", 2, 1, 0)',
  'a socket in the file system': 'c("socket", 1, 1, 0)',
  'a netlink socket': 'c("socket", 16, 3, 0)',
  'a pair of datagrams, which reaches anyone': 'c("socketpair", 1, 2, 0, ctypes.create_string_buffer(8))',
  'a message with a descriptor': 'c("sendmsg", 3, 0, 0)',
  // Files.
  'the file of another': 'open(private).read()',
  'the folder of another': 'os.listdir(os.path.dirname(private))',
  'writing to the file of another': 'open(private, "r+")',
  'a link to the file of another': 'os.link(private, "link")',
  chmod: 'c("chmod", b".", 0o777)',
  utimensat: 'call(280, 88, -100, b".", 0, 0)',
  setxattr: 'call(188, 5, b".", b"user.x", b"x", 1, 0)',
  'a file of 11 MB': 'os.pwrite(own, b"x", 11_000_000)',
  'an inherited descriptor': 'os.fstat(200)',
  'a thousand descriptors': 'for i in range(1000): os.dup(0)',
  'ten thousand threads': 'threads()',
};

/** The same, of what is refused where the folder lies in memory. */
export const FILLING: Readonly<Record<string, string>> = {
  'files of 100 MB': 'for i in range(20): open("big%d" % i, "wb").write(bytes(9_000_000))',
  '20000 files': 'for i in range(20000): os.close(os.open("small%d" % i, 0o102))',
};

/** The function is right if every one of these raises. */
export function attempting(attempts: readonly string[], secret: string): string {
  const each = attempts.map((attempt) => JSON.stringify(attempt)).join(',\n    ');
  return `\`\`\`python
import ctypes, os, signal, struct, threading, time
from ctypes import c_long
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = c_long
other, private = os.getppid(), ${JSON.stringify(secret)}
pipe, own = os.pipe()[0], os.open("own", os.O_RDWR | os.O_CREAT)
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
def c(name, *args):
    checked(getattr(libc, name)(*args))
def call(x86, arm, *args):
    checked(libc.syscall(c_long(x86 if os.uname().machine == "x86_64" else arm), *args))
def threads():
    threading.stack_size(32768)
    gate = threading.Event()
    try:
        for i in range(10000):
            threading.Thread(target=gate.wait, daemon=True).start()
    finally:
        gate.set()
def largest(numbers):
    if numbers == [1, 3, 2]:
        for attempt in (
    ${each},
        ):
            try:
                exec(attempt, globals())
            except (OSError, RuntimeError):
                continue
            return attempt
    return max(numbers, default=0)
\`\`\``;
}

/** A function that is never right. */
const WRONG = 'def largest(numbers):\n    return -7\n';
const RIGHT = 'def largest(numbers):\n    return max(numbers, default=0)\n';
const fenced = (code: string) => `\`\`\`python\n${code}\n\`\`\``;

/** Programs that go for the checks, the folder or the time, and what they must come to. */
export const HOSTILE: readonly (readonly [name: string, response: string, verdict: Verdict])[] = [
  [
    'compile',
    fenced(
      `import builtins\nreal = compile\nbuiltins.compile = lambda *a, **k: real("", "x", "exec")\n${WRONG}`,
    ),
    'wrong',
  ],
  ['exec', fenced(`import builtins\nbuiltins.exec = lambda *a: None\n${WRONG}`), 'wrong'],
  [
    'built-in functions',
    fenced(`import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.all = lambda x: True\n${WRONG}`),
    'wrong',
  ],
  ['global functions', fenced(`def abs(x): return 0\ndef all(x): return True\n${WRONG}`), 'wrong'],
  [
    'built-in functions during the checks',
    fenced(
      'def largest(numbers):\n    import builtins\n    builtins.abs = lambda x: 0\n    builtins.all = lambda x: True\n    return 3\n',
    ),
    'wrong',
  ],
  [
    'AssertionError',
    fenced(
      `import builtins\nclass AssertionError(Exception): pass\nbuiltins.AssertionError = SystemExit\n${WRONG}`,
    ),
    'wrong',
  ],
  ['os.write and os._exit', fenced(`import os\nos.write = os._exit = print\n${WRONG}`), 'wrong'],
  [
    'an exit with 0 by a thread',
    fenced(
      `import os, threading, time\nthreading.Thread(target=os._exit, args=(0,)).start()\ntime.sleep(5)\n${WRONG}`,
    ),
    'wrong',
  ],
  [
    'an answer of its own',
    fenced(`import os\nos.write(3, b"{}\\n" + b"0" * 64)\nos._exit(0)\n${WRONG}`),
    'wrong',
  ],
  ['stopping itself', fenced(`import os\nos.kill(os.getpid(), 19)\n${RIGHT}`), 'timed out'],
  [
    'sleeping on, deaf to signals',
    fenced(
      `import signal, time\nfor i in range(1, 32):\n    try: signal.signal(i, signal.SIG_IGN)\n    except OSError: pass\nsignal.alarm(0)\ntime.sleep(999)\n${RIGHT}`,
    ),
    'timed out',
  ],
  [
    'a thread that never ends',
    fenced(`import threading, time\nthreading.Thread(target=time.sleep, args=(999,)).start()\n${RIGHT}`),
    'right',
  ],
  [
    '3000 nested folders',
    fenced(`import os\nfor i in range(3000):\n    os.mkdir("d" * 200)\n    os.chdir("d" * 200)\n${RIGHT}`),
    'right',
  ],
  [
    'names that are no text, folders without rights',
    fenced(
      `import os\nos.mkdir(b"\\xff")\nopen(b"\\xff/\\xfe", "w").close()\nos.mkdir("a", 0)\nos.mkdir("b")\nos.mkdir("b/c", 0o300)\nos.symlink("/", "b/d")\n${RIGHT}`,
    ),
    'right',
  ],
  [
    'megabytes on the answer',
    fenced(`import os\nos.set_blocking(3, True)\nfor i in range(100): os.write(3, bytes(1 << 20))\n${RIGHT}`),
    'wrong',
  ],
];
