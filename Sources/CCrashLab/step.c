#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static cl_record *record;

void cl_record_into(cl_record *into) { record = into; }

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
// Of a signal: it is of a breakpoint. Not in the C library's headers yet.
#ifndef TRAP_PERF
#define TRAP_PERF 6
#endif
// No operation has as many: one that does goes on for ever.
#define MOST_INSTRUCTIONS 20000000

static cl_plan plan;
static cl_report *report;
static volatile int is_stepping, is_ending;
static int64_t since_change;
static greg_t last, call_returns_to;
// The program's own code, which the library is linked into; everything else is called.
extern char __executable_start, etext;
static int is_own(greg_t address) { return address >= (greg_t)&__executable_start && address < (greg_t)&etext; }

// MARK: beginning late

// The processor's breakpoint at plan.start, of one thread; -1: none.
static int breakpoint = -1;
// For plan.records: to which places of the program's code the thread has come.
static uint8_t *visited;
static greg_t first_stack;

static int set_breakpoint(greg_t address, pid_t thread, int is_on) {
  struct perf_event_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_BREAKPOINT;
  attributes.bp_type = HW_BREAKPOINT_X;
  attributes.bp_addr = (uint64_t)address;
  attributes.bp_len = sizeof(long);
  attributes.sample_period = 1;
  attributes.exclude_kernel = attributes.exclude_hv = 1;
  attributes.sigtrap = attributes.remove_on_exec = 1;
  attributes.disabled = !is_on;
  return (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

// Not through the C library, to which the way may lead over the breakpoint.
static void clear_breakpoint(void) {
  if (breakpoint < 0) return;
  cl_call(SYS_close, breakpoint, 0, 0, 0, 0, 0);
  breakpoint = -1;
}

int cl_can_start_late(void) {
  int descriptor = set_breakpoint((greg_t)&__executable_start, 0, 0);
  if (descriptor < 0) return 0;
  close(descriptor);
  return 1;
}

static greg_t start_place(void) { return (greg_t)&__executable_start + plan.start.place - 1; }

// A moment that does not count is none to begin at, but its place has been come to.
static void note(const greg_t *registers, int counts) {
  uint64_t count = report->instructions;
  if (count >= CL_MOMENTS) return;
  greg_t here = registers[REG_RIP];
  cl_moment moment = {0, (uint32_t)report->changes, first_stack - registers[REG_RSP]};
  if (is_own(here)) {
    uint32_t place = (uint32_t)(here - (greg_t)&__executable_start);
    if (!visited[place]) moment.place = place + 1;
    visited[place] = 1;
  }
  if (!counts) return;
  record->at[count] = moment;
  record->count = count + 1;
}

// Comes to plan.start; whether that is where it seems.
static int arrive(const greg_t *registers) {
  clear_breakpoint();
  // A signal that was blocked comes late.
  if (is_ending || registers[REG_RIP] != start_place() || first_stack - registers[REG_RSP] != plan.start.stack) return 0;
  look();
  is_stepping = 1;
  report->instructions = plan.start_instructions;
  report->changes = plan.start.changes;
  return 1;
}

static int returns(greg_t address) {
  const unsigned char *code = (const unsigned char *)address;
  return code[0] == 0xc3 || code[0] == 0xc2 || (code[0] == 0xf3 && code[1] == 0xc3);
}

// Through which the runtime calls back into the program: deinitialisers, and the pieces of tasks that an executor runs. They are known by their addresses, so that no stepped call may be the one that
// the dynamic linker finds them by (LD_BIND_NOW).
extern void swift_release(void) __attribute__((weak));
extern void swift_job_run(void) __attribute__((weak));
extern void swift_job_run_on_task_executor(void) __attribute__((weak));

static int calls_back(greg_t here) {
  return here == (greg_t)&swift_release || here == (greg_t)&swift_job_run || here == (greg_t)&swift_job_run_on_task_executor;
}

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

// counts: whether what was executed last is counted.
static int is_at_point(int counts) {
  if (plan.instruction >= 0 && (int64_t)report->instructions >= plan.instruction) return 1;
  if (plan.change < 0 || (int64_t)report->changes < plan.change) return 0;
  if (since_change >= plan.after) return 1;
  since_change += counts;
  return 0;
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
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  int counts = 1;
  if (info->si_code == TRAP_PERF) {
    if (!arrive(registers)) return;
    registers[REG_EFL] |= TRAP_FLAG;
  } else if (is_ending) {
    registers[REG_EFL] &= ~TRAP_FLAG;
    is_stepping = 0;
    return;
  } else if (!is_stepping) {
    first_stack = registers[REG_RSP];
    if (breakpoint >= 0) {
      cl_call(SYS_ioctl, breakpoint, PERF_EVENT_IOC_ENABLE, 0, 0, 0, 0);
      return;
    }
    is_stepping = 1;
    registers[REG_EFL] |= TRAP_FLAG;
  } else {
    int has_returned = registers[REG_RIP] == (greg_t)cl_call_returned + 1;
    if (has_returned) {
      registers[REG_RIP] = call_returns_to;
      registers[REG_EFL] |= TRAP_FLAG;
    }
    // A call that is stepped over counts once. What the runtime does around a piece of the program that it runs is passed through, and does not count.
    counts = !plan.over_calls || has_returned || is_own(last);
    if (counts && ++report->instructions > MOST_INSTRUCTIONS) {
      report->state = CL_ENDLESS;
      end_by_kill();
    }
    if (watched_count && look()) {
      if ((int64_t)++report->changes == plan.change) since_change = 0;
    }
    if (visited) note(registers, counts);
  }
  greg_t here = registers[REG_RIP], before = last;
  last = here;
  if (is_own(here)) report->own_place = here;
  if (is_at_point(counts) && !act(here)) {
    // The return of a call that is stepped over would be taken for the end of it; there is none pending here, for none is stepped in.
    registers[REG_EFL] &= ~TRAP_FLAG;
    is_stepping = 0;
    is_ending = 1;
    return;
  }
  if (plan.deed == CL_SCHEDULE && (is_own(here) || !plan.over_calls ? cl_next_is_shared(registers, shared, shared_count) : enters_shared_call(here))) {
    await_turn(here);
  }
  if (plan.over_calls && before && is_own(before) && !is_own(here) && !returns(before) && !calls_back(here)) {
    greg_t *top = (greg_t *)registers[REG_RSP];
    if (!is_own(*top)) return;
    // A breakpoint in the code would be met by other threads; only this thread has this stack.
    call_returns_to = *top;
    *top = (greg_t)cl_call_returned;
    registers[REG_EFL] &= ~TRAP_FLAG;
  }
}

static int prepare(const cl_plan *wanted, cl_report *into, pid_t thread, int is_on) {
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
  is_stepping = is_ending = 0;
  if (plan.records) {
    size_t size = (size_t)(&etext - &__executable_start);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    visited = memory;
  }
  if (plan.start_instructions) {
    breakpoint = set_breakpoint(start_place(), thread, is_on);
    is_ending = breakpoint < 0;
  }
  return 0;
}

int cl_step_begin(const cl_plan *wanted, cl_report *into) {
  int status = prepare(wanted, into, 0, 0);
  if (status == 0 && !is_ending) __asm__ volatile("int3" ::: "memory");
  return status;
}

int cl_step_expect(const cl_plan *wanted, cl_report *into, int thread, uint64_t stack) {
  first_stack = (greg_t)stack;
  int status = prepare(wanted, into, thread, 1);
  if (!plan.start_instructions) is_stepping = 1;
  return status;
}

void cl_step_end(void) {
  is_ending = 1;
  clear_breakpoint();
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
int cl_step_expect(const cl_plan *plan, cl_report *report, int thread, uint64_t stack) {
  (void)thread;
  (void)stack;
  return cl_step_begin(plan, report);
}
int cl_can_step(void) { return 0; }
int cl_can_start_late(void) { return 0; }

#endif
