#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "CCrashLab.h"
#include "access.h"
#include "calls.h"

typedef struct {
  uint64_t *bytes, *before;
  uint64_t words;
} watched_range;

static watched_range watched[CL_WATCHED];
static int watched_count;

void cl_watch(void *bytes, uint64_t count) {
  if (watched_count == CL_WATCHED) abort();
  uint64_t *before = malloc(count);
  memcpy(before, bytes, count);
  watched[watched_count++] = (watched_range){bytes, before, count / 8};
}

// Where the program sees what is shared; for CL_SCHEDULE.
static uint64_t shared[CL_SHARED][2];
static int shared_count;

void cl_share(uint64_t start, uint64_t end) {
  if (shared_count == CL_SHARED) abort();
  shared[shared_count][0] = start;
  shared[shared_count++][1] = end;
}

static cl_milestones *milestones;

void cl_note_milestones(cl_milestones *into) { milestones = into; }

// Whether any of the watched bytes differ from the last look. Other processes may write meanwhile: their changes count too.
static int look(void) {
  int differs = 0;
  for (int r = 0; r < watched_count; r++) {
    watched_range *range = &watched[r];
    if (memcmp(range->bytes, range->before, range->words * 8) == 0) continue;
    for (uint64_t i = 0; i < range->words; i++) {
      uint64_t now = ((volatile uint64_t *)range->bytes)[i];
      differs |= now != range->before[i];
      range->before[i] = now;
    }
  }
  return differs;
}

#if defined(__x86_64__)

#define TRAP_FLAG 0x100
// No operation has as many: one that does goes on for ever.
#define MOST_INSTRUCTIONS 20000000

static cl_plan plan;
static cl_report *report;
static volatile int is_stepping, is_ending;
static int64_t since_change;
static greg_t last, call_returns_to;
// For plan.start and plan.notes: whose system calls are counted, how many there were, and whether the one where the steps begin has not returned to the program yet.
static pid_t stepped_thread;
static uint64_t calls;
static int is_returning;

// The program's own code, which the library is linked into; everything else is called.
extern char __executable_start, etext;
static int is_own(greg_t address) { return address >= (greg_t)&__executable_start && address < (greg_t)&etext; }

static int returns(greg_t address) {
  const unsigned char *code = (const unsigned char *)address;
  return code[0] == 0xc3 || code[0] == 0xc2 || (code[0] == 0xf3 && code[1] == 0xc3);
}

// Through which the runtime calls back into the program: deinitialisers.
extern void swift_release(void) __attribute__((weak));

// Where a call that is not stepped through comes back to.
__asm__(".text\n.local cl_call_returned\ncl_call_returned: int3\n ud2\n");
extern char cl_call_returned[] __attribute__((visibility("hidden")));

static void end_by_kill(void) {
  for (;;) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

static void say_stopped(void) {
  __atomic_store_n(&report->state, CL_STOPPED, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &report->state, FUTEX_WAKE, INT_MAX, 0, 0, 0);
}

static void stop_here(void) {
  say_stopped();
  while (__atomic_load_n(&report->state, __ATOMIC_SEQ_CST) == CL_STOPPED) {
    syscall(SYS_futex, &report->state, FUTEX_WAIT, CL_STOPPED, 0, 0, 0);
  }
}

static int is_at_point(void) {
  if (plan.instruction >= 0 && (int64_t)report->instructions >= plan.instruction) return 1;
  return plan.change >= 0 && (int64_t)report->changes >= plan.change && since_change++ >= plan.after;
}

// The child is gone, or waiting, before its parent goes on.
static void fork_here(void) {
  pid_t child = fork();
  if (child == 0) {
    if (plan.pattern == CL_CHILD_EXECUTES) {
      char *arguments[] = {"true", 0};
      execv("/bin/true", arguments);
    }
    if (plan.pattern == CL_CHILD_STAYS) {
      // Not for ever, whatever becomes of the lab.
      struct timespec most = {60, 0};
      while (!__atomic_load_n(&report->release, __ATOMIC_SEQ_CST) && syscall(SYS_futex, &report->release, FUTEX_WAIT, 0, &most, 0, 0) == 0) {}
    }
    _exit(0);
  }
  report->child = child;
  if (plan.pattern == CL_CHILD_STAYS) end_by_kill();
  while (waitpid(child, 0, 0) == -1 && errno == EINTR) {}
}

// Does the deed; whether the steps go on.
static int act(greg_t here) {
  report->place = here;
  switch (plan.deed) {
    case CL_KILL: end_by_kill();
    case CL_STOP: stop_here(); return 0;
    case CL_PAUSE:
      say_stopped();
      // To this thread: one that is sent to the process may stop it a moment later.
      syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGSTOP);
      __atomic_store_n(&report->state, CL_RUNNING, __ATOMIC_SEQ_CST);
      return 0;
    case CL_LEAVE:
      say_stopped();
      for (;;) syscall(SYS_exit, 0);
    case CL_FORK: fork_here(); return 0;
    case CL_SCRIBBLE:
      for (int r = 0; r < watched_count; r++) {
        cl_scribble(watched[r].bytes, watched[r].words * 8, plan.pattern, plan.seed + (uint64_t)r);
      }
      return 0;
    default: return 1;
  }
}

// What the C library does with shared bytes, or in the kernel, for the program.
static int enters_shared_call(greg_t here) {
  return here == (greg_t)&syscall || here == (greg_t)&memcpy || here == (greg_t)&memmove || here == (greg_t)&memset;
}

static void await_turn(greg_t here) {
  report->place = here;
  stop_here();
  __atomic_store_n(&report->state, CL_RUNNING, __ATOMIC_SEQ_CST);
}

static void on_trap(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (is_ending) {
    registers[REG_EFL] &= ~TRAP_FLAG;
    is_stepping = 0;
    return;
  }
  if (is_returning) {
    // What the C library still does is part of the call, which counts as one.
    if (!is_own(registers[REG_RIP])) return;
    is_returning = 0;
  }
  if (!is_stepping) {
    is_stepping = 1;
    registers[REG_EFL] |= TRAP_FLAG;
  } else {
    if (registers[REG_RIP] == (greg_t)cl_call_returned + 1) {
      registers[REG_RIP] = call_returns_to;
      registers[REG_EFL] |= TRAP_FLAG;
    }
    if (++report->instructions > MOST_INSTRUCTIONS) {
      report->state = CL_ENDLESS;
      end_by_kill();
    }
    if (watched_count && look()) {
      if ((int64_t)++report->changes == plan.change) since_change = 0;
    }
  }
  greg_t here = registers[REG_RIP], before = last;
  last = here;
  if (is_own(here)) report->own_place = here;
  if (is_at_point() && !act(here)) {
    // The return of a call that is stepped over would be taken for the end of it; there is none pending here, for none is stepped in.
    registers[REG_EFL] &= ~TRAP_FLAG;
    is_stepping = 0;
    is_ending = 1;
    return;
  }
  if (plan.deed == CL_SCHEDULE && (is_own(here) || !plan.over_calls ? cl_next_is_shared(registers, shared, shared_count) : enters_shared_call(here))) {
    await_turn(here);
  }
  if (plan.over_calls && before && is_own(before) && !is_own(here) && !returns(before) && here != (greg_t)&swift_release) {
    greg_t *top = (greg_t *)registers[REG_RSP];
    if (!is_own(*top)) return;
    // A breakpoint in the code would be met by other threads; only this thread has this stack.
    call_returns_to = *top;
    *top = (greg_t)cl_call_returned;
    registers[REG_EFL] &= ~TRAP_FLAG;
  }
}

// A system call of an operation whose calls are noted, or at one of which its steps begin.
static void on_call(int signal, siginfo_t *info, void *context) {
  (void)signal;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  int is_start = 0;
  if (!is_ending && cl_call(SYS_gettid, 0, 0, 0, 0, 0, 0) == stepped_thread) {
    calls++;
    if (plan.notes && is_stepping && milestones->count < CL_MILESTONES) {
      milestones->at[milestones->count++] =
          (cl_milestone){calls, report->instructions, report->changes, !(registers[REG_EFL] & TRAP_FLAG)};
    }
    is_start = calls == plan.start.calls;
    // What has changed up to here is counted already; what the call itself changes is not.
    if (is_start) look();
  }
  registers[REG_RAX] = cl_call(info->si_syscall, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], registers[REG_R10], registers[REG_R8],
                               registers[REG_R9]);
  if (is_start) {
    report->instructions = plan.start.instructions;
    report->changes = plan.start.changes;
    is_returning = plan.start.is_over && plan.over_calls;
    is_stepping = 1;
    registers[REG_EFL] |= TRAP_FLAG;
  }
}

static void prepare(const cl_plan *wanted, cl_report *into, pid_t thread) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGTRAP, &action, 0);
  plan = *wanted;
  report = into;
  report->instructions = report->changes = 0;
  since_change = 0;
  last = 0;
  look();
  is_stepping = is_ending = is_returning = 0;
  calls = 0;
  stepped_thread = thread;
}

static int trap_calls(int all_threads) { return plan.start.calls || plan.notes ? cl_trap_calls(on_call, all_threads) : 0; }

int cl_step_begin(const cl_plan *wanted, cl_report *into) {
  prepare(wanted, into, (pid_t)syscall(SYS_gettid));
  int status = trap_calls(0);
  if (status == 0 && !plan.start.calls) __asm__ volatile("int3" ::: "memory");
  return status;
}

void cl_step_expect(const cl_plan *wanted, cl_report *into, int thread) {
  prepare(wanted, into, thread);
  if (!plan.start.calls) is_stepping = 1;
}

int cl_step_expected(void) { return trap_calls(1); }

void cl_step_end(void) {
  is_ending = 1;
  // After a deed that ended the steps there is nothing left to end, nor before the first step.
  if (!is_stepping) return;
  __asm__ volatile("nop" ::: "memory");
}

int cl_can_step(void) { return 1; }

#else

int cl_step_begin(const cl_plan *plan, cl_report *report) {
  (void)plan;
  (void)report;
  return 0;
}
void cl_step_end(void) {}
void cl_step_expect(const cl_plan *plan, cl_report *report, int thread) {
  (void)thread;
  cl_step_begin(plan, report);
}
int cl_step_expected(void) { return 0; }
int cl_can_step(void) { return 0; }

#endif
