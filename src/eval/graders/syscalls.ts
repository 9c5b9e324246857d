/** What a program may ask of the kernel on one kind of processor: numbers of system calls, and for some which arguments. */
interface Allowed {
  /** AUDIT_ARCH: of a call made in another way, none is allowed. */
  readonly arch: number;
  readonly calls: readonly number[];
  /** A call is allowed where all conditions of one of its rules hold. */
  readonly rules: readonly (readonly [call: number, ...conditions: Condition[]])[];
}

/** That the lower 32 bits of `argument & mask` are `value`; 'self' is the process's id. */
type Condition = readonly [argument: number, mask: number, value: number | 'self'];

/** name/number on x86-64/number on AArch64, which lacks some older ones. */
const CALLS = [
  // Files by descriptor.
  'read/0/63 write/1/64 readv/19/65 writev/20/66 pread64/17/67 pwrite64/18/68 preadv/295/69 pwritev/296/70 preadv2/327/286 pwritev2/328/287',
  'lseek/8/62 open/2/ openat/257/56 creat/85/ close/3/57 close_range/436/436 dup/32/23 dup2/33/ dup3/292/24 flock/73/32 fsync/74/82 fdatasync/75/83',
  'ftruncate/77/46 truncate/76/45 fallocate/285/47 fadvise64/221/223 sendfile/40/71 copy_file_range/326/285 pipe/22/ pipe2/293/59',
  // Files by name; what changes modes, owners, times or attributes is not there, since Landlock does not bound it.
  'stat/4/ fstat/5/80 lstat/6/ newfstatat/262/79 statx/332/291 statfs/137/43 fstatfs/138/44 access/21/ faccessat/269/48 faccessat2/439/439',
  'getdents/78/ getdents64/217/61 getcwd/79/17 chdir/80/49 fchdir/81/50 readlink/89/ readlinkat/267/78 mkdir/83/ mkdirat/258/34 rmdir/84/ unlink/87/',
  'unlinkat/263/35 rename/82/ renameat/264/38 renameat2/316/276 link/86/ linkat/265/37 symlink/88/ symlinkat/266/36 umask/95/166',
  // Memory.
  'mmap/9/222 munmap/11/215 mremap/25/216 mprotect/10/226 brk/12/214 madvise/28/233 msync/26/227 mincore/27/232',
  // Waiting and timers.
  'poll/7/ ppoll/271/73 select/23/ pselect6/270/72 epoll_create/213/ epoll_create1/291/20 epoll_ctl/233/21 epoll_wait/232/ epoll_pwait/281/22',
  'epoll_pwait2/441/441 eventfd/284/ eventfd2/290/19 nanosleep/35/101 clock_nanosleep/230/115 pause/34/ alarm/37/ getitimer/36/102 setitimer/38/103',
  'futex/202/98 sched_yield/24/124 restart_syscall/219/128',
  // The two ends of a socketpair.
  'sendto/44/206 recvfrom/45/207 shutdown/48/210 getsockopt/55/209 getsockname/51/204 getpeername/52/205',
  // Its own signals.
  'rt_sigaction/13/134 rt_sigprocmask/14/135 rt_sigreturn/15/139 rt_sigpending/127/136 rt_sigsuspend/130/133 rt_sigtimedwait/128/137',
  'sigaltstack/131/132',
  // Asking.
  'clock_gettime/228/113 clock_getres/229/114 gettimeofday/96/169 time/201/ times/100/153 getrusage/98/165 sysinfo/99/179 uname/63/160 getcpu/309/168',
  'getrandom/318/278 getpid/39/172 gettid/186/178 getppid/110/173 getpgrp/111/ getpgid/121/155 getsid/124/156 getuid/102/174 geteuid/107/175',
  'getgid/104/176 getegid/108/177 getresuid/118/148 getresgid/120/150 getgroups/115/158 getrlimit/97/163 getpriority/140/141 capget/125/90',
  'sched_getaffinity/204/123 sched_getparam/143/121 sched_getscheduler/145/120 sched_get_priority_min/147/126 sched_get_priority_max/146/125',
  // Threads and the end.
  'set_tid_address/218/96 set_robust_list/273/99 get_robust_list/274/100 rseq/334/293 arch_prctl/158/ exit/60/93 exit_group/231/94 wait4/61/260',
  'waitid/247/95',
].join(' ');

const WITH_RULES =
  'clone/56/220 fcntl/72/25 ioctl/16/29 prctl/157/167 prlimit64/302/261 socketpair/53/199 kill/62/129 tgkill/234/131';

const ALL = 0xffffffff;
/** CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID and CHILD_CLEARTID: what makes a thread, and no process. */
const THREAD = 0x3d0f00;
/** Of no effect; musl sets it. */
const CLONE_DETACHED = 0x400000;
const O_ASYNC = 0x2000;
/** Duplicating, flags (F_SETFL, 4, has a rule of its own), locks and the size of a pipe; not owners, signals, leases, notifications. */
const FCNTL = [0, 1, 2, 3, 5, 6, 7, 36, 37, 38, 1030, 1032];
/** TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. */
const IOCTL = [0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451];
/** PR_SET_NAME and PR_GET_NAME. */
const PRCTL = [15, 16];

const RULES: readonly (readonly [call: string, ...conditions: Condition[]])[] = [
  ['clone', [0, (ALL ^ CLONE_DETACHED) >>> 0, THREAD]],
  ...FCNTL.map((command) => ['fcntl', [1, ALL, command]] as const),
  ['fcntl', [1, ALL, 4], [2, O_ASYNC, 0]],
  ...IOCTL.map((request) => ['ioctl', [1, ALL, request]] as const),
  ...PRCTL.map((option) => ['prctl', [0, ALL, option]] as const),
  // Its own, which it cannot raise.
  ['prlimit64', [0, ALL, 0]],
  // AF_UNIX and SOCK_STREAM: what is sent reaches the other end alone, as with a pipe.
  ['socketpair', [0, ALL, 1], [1, 0xf, 1]],
  ['kill', [0, ALL, 'self']],
  ['tgkill', [0, ALL, 'self']],
];

function allowed(column: number, arch: number): Allowed {
  const numbers = (table: string) =>
    table
      .split(' ')
      .map((row) => row.split('/'))
      .filter((row) => row[column] !== '')
      .map((row) => [row[0], Number(row[column])] as const);
  const named = new Map(numbers(WITH_RULES));
  return {
    arch,
    calls: numbers(CALLS).map(([, number]) => number),
    rules: RULES.map(([call, ...conditions]) => [named.get(call) as number, ...conditions]),
  };
}

/** By `uname -m`. */
export const SYSCALLS: Readonly<Record<string, Allowed>> = {
  x86_64: allowed(1, 0xc000003e),
  aarch64: allowed(2, 0xc00000b7),
};
