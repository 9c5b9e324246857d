/** What the system let the sandbox forbid, beside the time limit, the limits on files and on new processes. */
export interface Isolation {
  /** No socket reaches anything. */
  readonly network: boolean;
  /** No other process can be signalled, and none started, by a system call either. */
  readonly processes: boolean;
  /** Nothing outside the program's own folder can be written, removed or have its mode changed. */
  readonly files: boolean;
  /** The address space is bounded. */
  readonly memory: boolean;
}

/** What the bootstrap reads from stdin, as JSON. */
export interface SandboxRequest {
  /** Python to run, one text after the other, in one module whose `__name__` is `program`. */
  readonly programs: readonly string[];
  /** Written back when all of them ran to their end. */
  readonly nonce: string;
  /** User and group to change to first; null to stay. */
  readonly uid: number | null;
  /** The process that this one must not outlive. */
  readonly parent: number;
  /** Seconds of processor time. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

/** The first line on descriptor 3: the sandbox stands, or why it does not. */
export type SandboxReport = Isolation | { readonly error: string };

/**
 * A Python program (3.8 or later, for `python3 -I -B -c`) that confines its process to the folder it is started in
 * and then runs a `SandboxRequest`. On descriptor 3 it writes a `SandboxReport` as a line and, only if the programs
 * ran to their end, the nonce.
 *
 * Layers: an unprivileged user where it starts as root; resource limits (no new process or thread, files of at most
 * 10 MB, 64 descriptors, no core); a network namespace without interfaces; Landlock against writing elsewhere; a
 * seccomp filter against starting and signalling processes, sockets and changing modes; and, everywhere, an audit
 * hook in Python. The hook is a guard against accidents only: it is all there is against kill, sockets and writing
 * elsewhere where the kernel has none of the other layers (macOS), and code that goes round Python's own functions
 * (ctypes) goes round it. Files can be read wherever the user may read them. The nonce is a local variable of a
 * calling frame: a program that searches the stack for it finds it.
 */
export const BOOTSTRAP = String.raw`
import json, os, resource, signal, sys, types

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38

# AUDIT_ARCH, and the numbers of: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal; clone,
# clone3, fork, vfork, execve, execveat, setsid, setpgid; socket, io_uring_setup; ptrace, process_vm_writev, unshare,
# setns, mount, prlimit64, setpriority, shmget; chmod, fchmod, fchmodat, fchmodat2, chown, fchown, lchown, fchownat; utimensat, utime, utimes,
# futimesat; setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr, fremovexattr. AArch64 lacks some.
SYSCALLS = {
    'x86_64': (0xC000003E, (62, 200, 234, 129, 297, 424, 56, 435, 57, 58, 59, 322, 112, 109, 41, 425, 101, 311, 272,
                            308, 165, 302, 141, 29, 90, 91, 268, 452, 92, 93, 94, 260, 280, 132, 235, 261, 188, 189, 190, 197,
                            198, 199)),
    'aarch64': (0xC00000B7, (129, 130, 131, 138, 240, 424, 220, 435, 221, 281, 157, 154, 198, 425, 117, 271, 97, 268,
                             40, 261, 140, 194, 52, 53, 452, 55, 54, 88, 5, 6, 7, 14, 15, 16)),
}

REFUSED = frozenset((
    'os.kill os.killpg signal.pthread_kill os.fork os.forkpty os.posix_spawn os.spawn os.exec os.system '
    'subprocess.Popen pty.spawn _thread.start_new_thread socket.__new__ socket.connect socket.bind socket.sendto '
    'resource.setrlimit resource.prlimit os.chmod os.lchmod os.chown os.chflags os.lchflags os.utime os.setxattr '
    'os.removexattr').split())
CHANGES = frozenset((
    'os.remove os.rename os.rmdir os.mkdir os.link os.symlink os.truncate shutil.rmtree shutil.move '
    'sqlite3.connect').split())
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def limit(name, most):
    try:
        hard = resource.getrlimit(name)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(name, (most, most))
        return True
    except (ValueError, OSError):  # macOS does not know them all
        return False


def filter_syscalls(ctypes, libc):
    arch, numbers = SYSCALLS.get(os.uname().machine, (0, ()))
    if not numbers or sys.maxsize < 2**32:
        return False

    class Instruction(ctypes.Structure):
        _fields_ = [('code', ctypes.c_uint16), ('jt', ctypes.c_uint8), ('jf', ctypes.c_uint8), ('k', ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [('len', ctypes.c_uint16), ('filter', ctypes.POINTER(Instruction))]

    load, equal, at_least, ret, allow, eperm = 0x20, 0x15, 0x35, 0x06, 0x7FFF0000, 0x00050001
    # Jumps are counted from the next instruction; the last one refuses.
    left = len(numbers)
    code = [(load, 0, 0, 4), (equal, 0, left + 3, arch), (load, 0, 0, 0)]
    code.append((at_least, left + 1, 0, 0x40000000))  # the x32 numbers, which the list does not know
    code += [(equal, left - i, 0, number) for i, number in enumerate(numbers)]
    code += [(ret, 0, 0, allow), (ret, 0, 0, eperm)]
    instructions = (Instruction * len(code))(*code)
    program = Program(len(code), instructions)
    return libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0) == 0


def restrict_files(ctypes, libc):
    version = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    write_file, truncate = 1 << 1, 1 << 14 if version >= 3 else 0
    # Everything that changes a folder, and linking across folders, which the first version always refuses.
    rights = write_file | truncate | 0x1FF0 | (1 << 13 if version >= 2 else 0)
    ruleset = libc.syscall(444, ctypes.byref(ctypes.c_uint64(rights)), ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return False

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = [('allowed', ctypes.c_uint64), ('parent', ctypes.c_int32)]

    for path, allowed in ((os.curdir, rights), (os.devnull, write_file | truncate)):
        parent = os.open(path, os.O_PATH)
        rule = Beneath(allowed, parent)
        if libc.syscall(445, ruleset, 1, ctypes.byref(rule), 0) != 0:
            return False
        os.close(parent)
    done = libc.syscall(446, ruleset, 0) == 0
    os.close(ruleset)
    # Before the third version truncating is not covered.
    return done and version >= 3


def guard(folder, confined):
    inside = folder + os.sep
    absolute = os.path.abspath

    def outside(path):
        return not isinstance(path, int) and path != os.devnull and not absolute(os.fsdecode(path)).startswith(inside)

    def hook(event, args):
        if event in REFUSED or not confined and (
                event in CHANGES or event == 'open' and args[2] & WRITING and outside(args[0])):
            raise PermissionError(event + ' is not allowed here')

    sys.addaudithook(hook)


def confine(request):
    folder = os.getcwd()  # while it may surely be asked for
    try:
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
    except (ImportError, OSError):
        libc = None
    linux = libc is not None and sys.platform == 'linux'
    uid = request['uid']
    cut = linux and libc.unshare(CLONE_NEWNET if uid is not None else CLONE_NEWUSER | CLONE_NEWNET) == 0
    if uid is not None:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        except OSError as error:
            raise RuntimeError('root cannot become user and group %d: %s' % (uid, error))
    if linux:
        # After the change of user, which clears it.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != request['parent']:
        os._exit(1)
    # Where nothing ends it with its parent, this does.
    signal.alarm(request['cpu'] + 1)
    memory = limit(resource.RLIMIT_AS, request['memory'])
    limit(resource.RLIMIT_CPU, request['cpu'])
    limit(resource.RLIMIT_FSIZE, 10_000_000)
    limit(resource.RLIMIT_NOFILE, 64)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NPROC, 0)
    files = linux and restrict_files(ctypes, libc)
    filtered = linux and filter_syscalls(ctypes, libc)
    guard(folder, files)
    return {'network': cut or filtered, 'processes': filtered, 'files': files and filtered, 'memory': memory}


def main():
    with os.fdopen(0, 'rb', closefd=False) as stdin:
        request = json.load(stdin)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    # Kept here, since the program may replace the functions of os.
    write, leave = os.write, os._exit
    nonce = request.pop('nonce').encode()
    try:
        report = confine(request)
    except BaseException as error:
        report = {'error': '%s: %s' % (type(error).__name__, error)}
    write(3, (json.dumps(report) + '\n').encode())
    if 'error' in report:
        leave(1)
    module = types.ModuleType('program')
    sys.modules['program'] = module
    for source in request['programs']:
        exec(compile(source, '<program>', 'exec', dont_inherit=True), module.__dict__)
    write(3, nonce)
    leave(0)


main()
`;
