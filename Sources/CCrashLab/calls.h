// The system calls of a thread, one by one (calls.c).
#ifndef CRASH_LAB_CALLS_H
#define CRASH_LAB_CALLS_H

#include <signal.h>

// Lets `handler` have SIGSYS for every system call of this thread, but for those whose caller cannot take a trap. 0 or -errno. For good: the thread must not live on for
// long, nor start others.
int cl_trap_calls(void (*handler)(int, siginfo_t *, void *));
// Makes a system call that is not trapped; its result as the kernel gives it.
long cl_call(long number, long a, long b, long c, long d, long e, long f) __attribute__((visibility("hidden")));

#endif
