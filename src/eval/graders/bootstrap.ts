import { SYSCALLS } from './syscalls.ts';

/**
 * A Python program (3.8 or later, for `python3 -I -B -c`) that confines its process to the folder it is started in
 * and then runs a `SandboxRequest`. On descriptor 3 it writes a `SandboxReport` as a line and, only if the programs
 * ran to their end, the nonce.
 *
 * The program is contained as far as these layers are there, of which the report tells:
 * - always: an unprivileged user where it starts as root; resource limits (files of at most 10 MB, 64 descriptors, no
 *   core); no descriptor but its own; checks that were compiled before it ran and have built-in functions of their own;
 * - Linux on x86-64 and AArch64: a seccomp filter that allows what `SYSCALLS` lists, so no new process, no signal,
 *   socket, change of mode, kernel object or message to anything outside, and a bounded number of threads;
 * - where Linux grants namespaces: a network without interfaces, and a folder in memory of 64 MB and 10000 files, which
 *   goes with the process, and memory to share of its own. Elsewhere the number of its files is not bounded, and
 *   multiprocessing's locks, its pool of threads among them, are refused;
 * - Linux from 5.13: Landlock against reading what is not Python or the system's; from 6.2 also against writing elsewhere.
 *   Names, sizes and dates of files can be seen even so;
 * - elsewhere (macOS, other processors): an audit hook in Python, a guard against accidents only, since code that goes round
 *   Python's own functions (ctypes) goes round it. It can also put off the alarm that ends it when the grader is gone.
 *   Linux has no threads there.
 *
 * No layer is between the program and the checks, which run in one process: one that searches the stack for the nonce finds
 * it, and one that changes Python's modules changes them for the checks too.
 */
export const BOOTSTRAP: string = String.raw`
import builtins, json, os, resource, signal, sys, types

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SPARE_TASKS = 64
SHARED = '/dev/shm'

SYSCALLS = ${JSON.stringify(SYSCALLS)}

# Beside Python's own folders and those of the libraries it has loaded. The stores are where some systems keep libraries.
SYSTEM = (
    '/usr /lib /lib32 /lib64 /nix/store /gnu/store /home/linuxbrew/.linuxbrew /etc/ld.so.cache /etc/localtime /etc/timezone '
    '/etc/nsswitch.conf /etc/passwd /etc/group /etc/mime.types /dev/null /dev/zero /dev/random /dev/urandom /proc/self '
    '/proc/cpuinfo /proc/meminfo /proc/stat /proc/loadavg /proc/uptime /proc/version /sys/devices/system').split()

REFUSED = frozenset((
    'os.kill os.killpg signal.pthread_kill os.fork os.forkpty os.posix_spawn os.spawn os.exec os.system '
    'subprocess.Popen pty.spawn socket.connect socket.bind socket.sendto resource.prlimit os.chmod os.lchmod os.chown '
    'os.chflags os.lchflags os.utime os.setxattr os.removexattr').split())
CHANGES = frozenset((
    'os.remove os.rename os.rmdir os.mkdir os.link os.symlink os.truncate shutil.rmtree shutil.move '
    'sqlite3.connect').split())
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def close_inherited():
    try:
        descriptors = [int(name) for name in os.listdir('/dev/fd')]
    except OSError:
        descriptors = range(min(os.sysconf('SC_OPEN_MAX'), 1 << 20))
    for descriptor in descriptors:
        if descriptor > 3:
            try:
                os.close(descriptor)
            except OSError:  # the one of the list
                pass


def limit(name, most):
    try:
        hard = resource.getrlimit(name)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(name, (most, most))
        return True
    except (ValueError, OSError):  # macOS does not know them all
        return False


# The limit counts all that the user has, here or elsewhere, unless the namespace is its own: it is raised until a thread
# can start, and then by as many as may be spare.
def limit_threads():
    import _thread
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = SPARE_TASKS
    while hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_NPROC, (most, hard))
        done = _thread.allocate_lock()
        done.acquire()
        try:
            _thread.start_new_thread(done.release, ())
            done.acquire()
            break
        except RuntimeError:
            most *= 2
            if most > 1 << 22:
                break
    limit(resource.RLIMIT_NPROC, most + SPARE_TASKS)


def filter_syscalls(ctypes, libc):
    allowed = SYSCALLS.get(os.uname().machine)
    if allowed is None or sys.maxsize < 2**32:
        return False

    class Instruction(ctypes.Structure):
        _fields_ = [('code', ctypes.c_uint16), ('jt', ctypes.c_uint8), ('jf', ctypes.c_uint8), ('k', ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [('len', ctypes.c_uint16), ('filter', ctypes.POINTER(Instruction))]

    load, equal, at_least, mask = 0x20, 0x15, 0x35, 0x54
    # Jumps are counted from the next instruction.
    allow, eperm, enosys = ((0x06, 0, 0, action) for action in (0x7FFF0000, 0x00050001, 0x00050026))
    code = [(load, 0, 0, 4), (equal, 1, 0, allowed['arch']), eperm, (load, 0, 0, 0)]
    for number in allowed['calls']:
        code += [(equal, 0, 1, number), allow]
    for number, *conditions in allowed['rules']:
        rule = []
        for i, (argument, bits, value) in enumerate(conditions):
            left = 3 * (len(conditions) - 1 - i) + 1
            value = os.getpid() if value == 'self' else value
            rule += [(load, 0, 0, 16 + 8 * argument), (mask, 0, 0, bits), (equal, 0, left, value)]
        code += [(equal, 0, len(rule) + 2, number), *rule, allow, (load, 0, 0, 0)]
    # The C library does without the newer ones where they are not there, and without clone3 (435) must start threads.
    code += [(at_least, 0, 1, 424), enosys, eperm]
    instructions = (Instruction * len(code))(*code)
    program = Program(len(code), instructions)
    return libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0) == 0


# What Python and its libraries are made of, and what the system has for all programs.
def readable():
    try:
        with open('/proc/self/maps', errors='replace') as maps:
            libraries = {os.path.dirname(line[line.index('/'):].rstrip()) for line in maps if '/' in line and '.so' in line}
    except OSError:
        libraries = ()
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    own = {os.path.join(prefix, name) for prefix in prefixes for name in ('lib', 'lib64', 'share')}
    return {*SYSTEM, *libraries, *own, *filter(None, sys.path), sys.executable}


# Whether it bounds writing and reading.
def restrict_files(ctypes, libc, disk):
    version = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False, False
    execute, write_file, read_file, read_folder = 1, 1 << 1, 1 << 2, 1 << 3
    truncate = 1 << 14 if version >= 3 else 0
    # Everything that changes a folder, and linking across folders, which the first version always refuses.
    changes = write_file | truncate | 0x1FF0 | (1 << 13 if version >= 2 else 0)
    reads = read_file | read_folder
    # Of the network, binding and connecting; of processes, abstract sockets and signals.
    handled = (ctypes.c_uint64 * 3)(changes | reads | execute, 3, 3)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(444, ctypes.byref(handled), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False, False

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = [('allowed', ctypes.c_uint64), ('parent', ctypes.c_int32)]

    rules = [(path, reads) for path in readable()]
    rules += [(os.curdir, changes | reads), (os.devnull, write_file | truncate)]
    if disk:
        rules.append((SHARED, changes | reads))
    for path, allowed in rules:
        try:
            parent = os.open(path, os.O_PATH)
        except OSError:  # not every system has it
            continue
        if not os.path.isdir(parent):
            allowed &= write_file | truncate | read_file
        rule = Beneath(allowed, parent)
        if libc.syscall(445, ruleset, 1, ctypes.byref(rule), 0) != 0:
            return False, False
        os.close(parent)
    done = libc.syscall(446, ruleset, 0) == 0
    os.close(ruleset)
    # Before the third version truncating is not covered.
    return done and version >= 3, done


# A network and mounts of its own, with the folder, and what locks between processes need, in memory. Which of the two the
# system grants.
def separate(ctypes, libc, folder, uid):
    base = CLONE_NEWNET if uid is not None else CLONE_NEWUSER | CLONE_NEWNET
    user, group = os.getuid(), os.getgid()
    if libc.unshare(base | CLONE_NEWNS) != 0:
        return libc.unshare(base) == 0, False
    if uid is None:
        try:
            for name, text in (('setgroups', 'deny'), ('uid_map', '%d %d 1' % (user, user)),
                               ('gid_map', '%d %d 1' % (group, group))):
                with open('/proc/self/' + name, 'w') as file:
                    file.write(text)
        except OSError:
            return True, False
    else:
        user = group = uid
    if libc.mount(b'none', b'/', None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) != 0:
        return True, False

    def in_memory(path, most):
        options = 'mode=700,uid=%d,gid=%d,%s' % (user, group, most)
        flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV | MS_NOEXEC)
        return libc.mount(b'none', os.fsencode(path), b'tmpfs', flags, options.encode()) == 0

    if not in_memory(folder, 'size=64m,nr_inodes=10000'):
        return True, False
    os.chdir(folder)
    return True, not os.path.isdir(SHARED) or in_memory(SHARED, 'size=1m,nr_inodes=1000')


# What a namespace of its own gave it.
def drop_capabilities(ctypes, libc):
    libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())


def guard(folder, filtered, confined):
    inside = folder + os.sep
    absolute = os.path.abspath

    def outside(path):
        return not isinstance(path, int) and path != os.devnull and not absolute(os.fsdecode(path)).startswith(inside)

    def hook(event, args):
        # Of sockets a pair of AF_UNIX and SOCK_STREAM, which an event loop wakes itself with, reaches nothing.
        if not filtered and (event in REFUSED or event == 'socket.__new__' and tuple(args[1:3]) != (1, 1)) or (
                not confined and (
                    event in CHANGES or event == 'open' and args[2] & WRITING and outside(args[0]))):
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
    cut, disk = separate(ctypes, libc, folder, uid) if linux else (False, False)
    if uid is not None:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        except OSError as error:
            raise RuntimeError('root cannot become user and group %d: %s' % (uid, error))
    if linux:
        if uid is not None or not cut:
            # For a count of threads of its own.
            libc.unshare(CLONE_NEWUSER)
        drop_capabilities(ctypes, libc)
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
    files, reading = restrict_files(ctypes, libc, disk) if linux else (False, False)
    filtered = linux and filter_syscalls(ctypes, libc)
    if filtered:
        limit_threads()
    else:
        limit(resource.RLIMIT_NPROC, 0)
    guard(folder, filtered, files)
    return {'network': cut or filtered, 'processes': filtered, 'files': files and filtered, 'reading': reading,
            'disk': disk, 'memory': memory}


def main():
    close_inherited()
    with os.fdopen(0, 'rb', closefd=False) as stdin:
        request = json.load(stdin)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    # Kept here, since the program may replace the functions of os and the built-in ones.
    write, leave, run = os.write, os._exit, exec
    own = dict(vars(builtins))
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
    program, checks, entry = module.__dict__, {}, request['entryPoint']

    # What the checks define is there for the program too, as in one file.
    class Both(dict):
        def __setitem__(self, name, value):
            checks[name] = program[name] = value

    both = Both()
    first, *rest = [compile(source, '<program>', 'exec', dont_inherit=True) for source in request['programs']]
    run(first, program)
    checks.update({name: value for name, value in program.copy().items() if name not in own or name == entry})
    checks.update(__name__='program', __builtins__=own)
    for code in rest:
        run(code, checks, both)
    write(3, nonce)
    leave(0)


main()
`;
