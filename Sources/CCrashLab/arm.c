#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "CCrashLab.h"

#if defined(__x86_64__)

int cl_arm_thread(int thread, int steps) {
  if (ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) return -errno;
  int status;
  struct user_regs_struct registers;
  uint64_t mask;
  // A wait in the kernel is begun again by itself when the thread goes on; the first trap is after it.
  if (ptrace(PTRACE_INTERRUPT, thread, 0, 0) != 0 || waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status)) return -errno;
  if (ptrace(PTRACE_GETREGS, thread, 0, &registers) != 0 || ptrace(PTRACE_GETSIGMASK, thread, sizeof mask, &mask) != 0) return -errno;
  if (steps) registers.eflags |= 0x100;
  // A trap that is blocked would end the process.
  mask &= ~(1ull << (SIGTRAP - 1));
  if (ptrace(PTRACE_SETSIGMASK, thread, sizeof mask, &mask) != 0 || ptrace(PTRACE_SETREGS, thread, 0, &registers) != 0) return -errno;
  return ptrace(PTRACE_DETACH, thread, 0, 0) != 0 ? -errno : 0;
}

#else

int cl_arm_thread(int thread, int steps) {
  (void)thread;
  (void)steps;
  return -ENOSYS;
}

#endif
