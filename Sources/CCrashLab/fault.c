#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "CCrashLab.h"
#include "calls.h"

#if defined(__x86_64__)

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

// The errors of the manual pages that a caller can meet without having done anything wrong. Not there: what the allocator asks the kernel for, which the language answers with a crash; the beginning and end of
// threads and processes; and what cannot fail.
typedef struct {
  const char *name;
  long call;
  int errors[CL_ERRORS];
} failing;

#define CALL(name, ...) {#name, SYS_##name, {__VA_ARGS__}}
static const failing calls[] = {
    CALL(openat, EMFILE, ENOMEM, EACCES), CALL(open, EMFILE, ENOMEM, EACCES),       CALL(memfd_create, EMFILE, ENOMEM), CALL(ftruncate, ENOSPC, EIO, EINTR),
    CALL(fallocate, ENOSPC, EINTR, EIO),  CALL(mmap, ENOMEM, ENFILE),               CALL(munmap, ENOMEM),               CALL(linkat, ENOSPC, EACCES, EIO),
    CALL(unlinkat, EACCES, EROFS, EIO),   CALL(unlink, EACCES, EROFS, EIO),         CALL(renameat2, ENOSPC, EACCES, EIO), CALL(mkdirat, ENOSPC, EACCES, EIO),
    CALL(fstat, EIO, ENOMEM),             CALL(newfstatat, EIO, ENOMEM, EACCES),    CALL(statx, EIO, ENOMEM, EACCES),   CALL(fcntl, ENOLCK, EINTR),
    CALL(flock, ENOLCK, EINTR),           CALL(read, EIO, EINTR),                   CALL(pread64, EIO, EINTR),          CALL(write, EIO, EINTR, ENOSPC),
    CALL(getdents64, EIO, ENOMEM),        CALL(membarrier, ENOMEM, EPERM),          CALL(pidfd_open, EMFILE, ENOMEM),   CALL(futex, EINTR, EAGAIN),
    CALL(futex_waitv, EINTR, EAGAIN),     CALL(close, EIO, EINTR),
};

const char *cl_call_name(int call) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (calls[i].call == call) return calls[i].name;
  }
  return "?";
}

static const long interruptible[] = {SYS_openat, SYS_open, SYS_ftruncate, SYS_fallocate, SYS_fcntl, SYS_flock, SYS_read, SYS_write, SYS_futex, SYS_futex_waitv,
                                     SYS_poll, SYS_ppoll, SYS_wait4, SYS_waitid};

static cl_plan plan;
static cl_report *report;
static volatile int is_on;
static pid_t thread;
static long last_interrupted;

static int is_wake(const greg_t *registers) {
  int operation = (int)registers[REG_RSI] & FUTEX_CMD_MASK;
  return operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET;
}

static int is_lock(const greg_t *registers) {
  return registers[REG_RSI] == F_SETLK || registers[REG_RSI] == F_SETLKW || registers[REG_RSI] == F_OFD_SETLK || registers[REG_RSI] == F_OFD_SETLKW;
}

static int can_fail(long call, const greg_t *registers) {
  if (call == SYS_futex) return !is_wake(registers);
  if (call == SYS_fcntl) return is_lock(registers);
  // The allocator's.
  if (call == SYS_mmap) return !((registers[REG_R10] & MAP_ANONYMOUS) && registers[REG_RDX] == (PROT_READ | PROT_WRITE));
  return 1;
}

// 0, or the error that the call is to have.
static int error_of(long call, const greg_t *registers) {
  if (!can_fail(call, registers)) return 0;
  if (plan.deed == CL_INTERRUPT) {
    for (size_t i = 0; i < sizeof interruptible / sizeof *interruptible; i++) {
      if (interruptible[i] != call) continue;
      // What is tried again gets through.
      last_interrupted = last_interrupted == call ? 0 : call;
      return last_interrupted ? EINTR : 0;
    }
    return 0;
  }
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (calls[i].call != call) continue;
    if ((int64_t)report->instructions++ != plan.instruction || plan.deed != CL_FAULT) return 0;
    report->call = (int32_t)call;
    return report->error = calls[i].errors[plan.pattern];
  }
  return 0;
}

static void on_call(int signal, siginfo_t *info, void *context) {
  (void)signal;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  long call = info->si_syscall;
  int error = is_on && cl_call(SYS_gettid, 0, 0, 0, 0, 0, 0) == thread ? error_of(call, registers) : 0;
  if (error) report->place = (uint64_t)(uintptr_t)info->si_call_addr;
  // A descriptor is gone even if closing it fails.
  registers[REG_RAX] = error && call != SYS_close ? -error
                                                  : cl_call(call, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], registers[REG_R10],
                                                            registers[REG_R8], registers[REG_R9]);
  if (error && call == SYS_close) registers[REG_RAX] = -error;
}

static void on_time(int signal) { (void)signal; }

static int send_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_time;
  if (sigaction(SIGUSR2, &action, 0) != 0) return -errno;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGUSR2;
  event.sigev_notify_thread_id = thread;
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return -errno;
  struct itimerspec every = {{0, plan.period * 1000}, {0, plan.period * 1000}};
  return timer_settime(timer, 0, &every, 0) != 0 ? -errno : 0;
}

int cl_fault_begin(const cl_plan *wanted, cl_report *into) {
  plan = *wanted;
  report = into;
  report->instructions = report->changes = 0;
  thread = (pid_t)syscall(SYS_gettid);
  if (plan.deed == CL_INTERRUPT) {
    int status = send_signals();
    if (status != 0) return status;
  }
  int status = cl_trap_calls(on_call);
  is_on = status == 0;
  return status;
}

void cl_fault_end(void) { is_on = 0; }

#else

int cl_fault_begin(const cl_plan *plan, cl_report *report) {
  (void)plan;
  (void)report;
  return -ENOSYS;
}
void cl_fault_end(void) {}
const char *cl_call_name(int call) {
  (void)call;
  return "?";
}

#endif
