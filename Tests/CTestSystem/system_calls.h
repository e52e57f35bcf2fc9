// The calls that the library's filters may name.
#define SYSTEM_CALLS \
  X(brk) X(clock_gettime) X(clock_nanosleep) X(close) X(exit) X(exit_group) X(fcntl) X(futex) X(futex_waitv) X(getcpu) \
  X(getpid) X(getrandom) X(gettid) X(madvise) X(membarrier) X(mmap) X(mprotect) X(mremap) X(munmap) X(openat) X(read) \
  X(restart_syscall) X(rt_sigprocmask) X(rt_sigreturn) X(sched_yield) X(write)
