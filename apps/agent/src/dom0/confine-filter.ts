/** Which system calls the confined reader and rebuilder may make, as the BPF program that bubblewrap loads right before it
 *  starts them (seccomp(2), SECCOMP_SET_MODE_FILTER); pure. What is not in the table is refused: EPERM where the call is
 *  known, ENOSYS where it is younger than the table, so that the C library falls back. x86-64 alone. */

/** Name and number. Files, memory, threads, clocks, pipes, and the one way to clamd; nothing that makes namespaces, mounts,
 *  traces, loads, or opens a file by its handle. */
const ALLOWED = `
  read:0 write:1 open:2 close:3 stat:4 fstat:5 lstat:6 poll:7 lseek:8 mmap:9 mprotect:10 munmap:11 brk:12
  rt_sigaction:13 rt_sigprocmask:14 rt_sigreturn:15 pread64:17 pwrite64:18 readv:19 writev:20 access:21 pipe:22
  select:23 sched_yield:24 mremap:25 msync:26 mincore:27 madvise:28 dup:32 dup2:33 pause:34 nanosleep:35 getitimer:36
  alarm:37 setitimer:38 getpid:39 sendfile:40 connect:42 accept:43 sendto:44 recvfrom:45 sendmsg:46 recvmsg:47
  shutdown:48 getsockname:51 getpeername:52 setsockopt:54 getsockopt:55 fork:57 vfork:58 execve:59 exit:60 wait4:61
  kill:62 uname:63 fcntl:72 flock:73 fsync:74 fdatasync:75 truncate:76 ftruncate:77 getdents:78 getcwd:79 chdir:80
  fchdir:81 rename:82 mkdir:83 rmdir:84 creat:85 link:86 unlink:87 symlink:88 readlink:89 chmod:90 fchmod:91 chown:92
  fchown:93 lchown:94 umask:95 gettimeofday:96 getrlimit:97 getrusage:98 sysinfo:99 times:100 getuid:102 getgid:104
  setuid:105 setgid:106 geteuid:107 getegid:108 setpgid:109 getppid:110 getpgrp:111 setsid:112 getgroups:115
  setgroups:116 setresuid:117 getresuid:118 setresgid:119 getresgid:120 getpgid:121 capget:125 capset:126
  rt_sigpending:127 rt_sigtimedwait:128 rt_sigsuspend:130 sigaltstack:131 utime:132 statfs:137 fstatfs:138
  getpriority:140 setpriority:141 sched_getparam:143 sched_getscheduler:145 sched_setscheduler:144
  sched_get_priority_max:146 sched_get_priority_min:147 prctl:157 arch_prctl:158 setrlimit:160 gettid:186 readahead:187
  getxattr:191 lgetxattr:192 fgetxattr:193 listxattr:194 llistxattr:195 flistxattr:196 tkill:200 time:201 futex:202
  sched_setaffinity:203 sched_getaffinity:204 getdents64:217 set_tid_address:218 restart_syscall:219 fadvise64:221
  clock_gettime:228 clock_getres:229 clock_nanosleep:230 exit_group:231 epoll_create:213 epoll_wait:232 epoll_ctl:233
  tgkill:234 utimes:235 waitid:247 openat:257 mkdirat:258 fchownat:260 futimesat:261 newfstatat:262 unlinkat:263
  renameat:264 linkat:265 symlinkat:266 readlinkat:267 fchmodat:268 faccessat:269 pselect6:270 ppoll:271
  set_robust_list:273 get_robust_list:274 splice:275 sync_file_range:277 utimensat:280 epoll_pwait:281 eventfd:284
  fallocate:285 accept4:288 eventfd2:290 epoll_create1:291 dup3:292 pipe2:293 preadv:295 pwritev:296 prlimit64:302
  getcpu:309 renameat2:316 getrandom:318 membarrier:324 copy_file_range:326 preadv2:327 pwritev2:328 pkey_mprotect:329
  pkey_alloc:330 pkey_free:331 statx:332 rseq:334 close_range:436 openat2:437 faccessat2:439 epoll_pwait2:441
  futex_waitv:449`;

/** The youngest call that the table was written with (set_mempolicy_home_node). */
const KNOWN_MAX = 450;

export const allowedCalls = (): Map<string, number> =>
  new Map(
    ALLOWED.trim()
      .split(/\s+/)
      .map((each) => each.split(":") as [string, string])
      .map(([name, number]) => [name, Number(number)]),
  );

/** Refused but for these first (or, of ioctl, second) arguments. */
const CALL = { ioctl: 16, socket: 41, socketpair: 53, clone: 56, clone3: 435 } as const;
const AF_UNIX = 1;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW = 0x7e02_0000;
/** TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: none types into a terminal. */
const IOCTLS = [0x5401, 0x540f, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451];

const AUDIT_ARCH_X86_64 = 0xc000_003e;
const EPERM = 1;
const ENOSYS = 38;
const VERDICT = { allow: 0x7fff_0000, kill: 0x8000_0000, refuse: 0x0005_0000 | EPERM, absent: 0x0005_0000 | ENOSYS };
/** Where struct seccomp_data holds them; of an argument, its lower half. */
const AT = { number: 0, arch: 4, argument: (index: number) => 16 + 8 * index };

type Instruction = { code: number; k: number; then?: number; else?: number };
const load = (k: number): Instruction => ({ code: 0x20, k });
const answer = (k: number): Instruction => ({ code: 0x06, k });
/** Jumps count instructions that are left out. */
const ifEqual = (k: number, then: number, otherwise: number): Instruction => ({ code: 0x15, k, then, else: otherwise });
const ifAtLeast = (k: number, then: number, otherwise: number): Instruction => ({
  code: 0x35,
  k,
  then,
  else: otherwise,
});
const ifAnyOf = (k: number, then: number, otherwise: number): Instruction => ({ code: 0x45, k, then, else: otherwise });

/** For one call: what its argument decides; every way through it ends in an answer. */
const only = (call: number, body: Instruction[]): Instruction[] => [ifEqual(call, 0, body.length), ...body];

const unixAlone = (call: number): Instruction[] =>
  only(call, [load(AT.argument(0)), ifEqual(AF_UNIX, 0, 1), answer(VERDICT.allow), answer(VERDICT.refuse)]);

/** A program of struct sock_filter, 8 bytes an instruction. */
export function callFilter(): Buffer {
  const instructions: Instruction[] = [
    load(AT.arch),
    ifEqual(AUDIT_ARCH_X86_64, 1, 0),
    answer(VERDICT.kill),
    load(AT.number),
    ...[...allowedCalls().values()].flatMap((number) => [ifEqual(number, 0, 1), answer(VERDICT.allow)]),
    ...unixAlone(CALL.socket),
    ...unixAlone(CALL.socketpair),
    ...only(CALL.clone, [
      load(AT.argument(0)),
      ifAnyOf(CLONE_NEW, 0, 1),
      answer(VERDICT.refuse),
      answer(VERDICT.allow),
    ]),
    ...only(CALL.ioctl, [
      load(AT.argument(1)),
      ...IOCTLS.flatMap((request) => [ifEqual(request, 0, 1), answer(VERDICT.allow)]),
      answer(VERDICT.refuse),
    ]),
    // its flags lie in memory, where no filter sees them: without it the C library makes threads by clone
    ...only(CALL.clone3, [answer(VERDICT.absent)]),
    // the calls of x32 as well
    ifAtLeast(KNOWN_MAX + 1, 0, 1),
    answer(VERDICT.absent),
    answer(VERDICT.refuse),
  ];
  const program = Buffer.alloc(instructions.length * 8);
  instructions.forEach((each, index) => {
    program.writeUInt16LE(each.code, index * 8);
    program.writeUInt8(each.then ?? 0, index * 8 + 2);
    program.writeUInt8(each.else ?? 0, index * 8 + 3);
    program.writeUInt32LE(each.k, index * 8 + 4);
  });
  return program;
}
