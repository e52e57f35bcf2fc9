#define _GNU_SOURCE
#include "CTestSupport.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

int ct_fork(void) { return fork(); }

static volatile long counted, changed, kill_at, kill_at_change, kill_after, since_change;
static volatile int stepping, stopping, over_calls;
static const uint64_t *watched;
static uint64_t *before;
static uint64_t watched_words;

void ct_step_watch(const void *bytes, uint64_t count) {
  watched = bytes;
  watched_words = count / 8;
  before = malloc(count);
}

long ct_step_instructions(void) { return counted; }
long ct_step_changes(void) { return changed; }

#if defined(__x86_64__)

#define TRAP_FLAG 0x100
// More than any operation has: one that goes on for longer goes on for ever.
#define MOST_INSTRUCTIONS 10000000

// The program's own code, which the library is linked into; everything else is called.
extern char __executable_start, etext;
static int is_own(greg_t address) { return address >= (greg_t)&__executable_start && address < (greg_t)&etext; }

// What calls back into the program: the deinitialisers.
extern void swift_release(void) __attribute__((weak));

// Whether the instruction at an address of the program returns.
static int is_return(greg_t address) {
  const unsigned char *bytes = (const unsigned char *)address;
  return *bytes == 0xc3 || *bytes == 0xc2 || (*bytes == 0xf3 && bytes[1] == 0xc3);
}

// Where a call that is not stepped through returns to, and where it would have.
__asm__(".text\nct_step_back: int3\n ud2\n");
extern char ct_step_back[];
static greg_t returns_to, last;

static void die(void) { syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); }

// Copies what differs. Other processes and threads may write meanwhile: their changes count too.
static int look(void) {
  if (memcmp(watched, before, watched_words * 8) == 0) return 0;
  int differs = 0;
  for (uint64_t i = 0; i < watched_words; i++) {
    uint64_t now = ((const volatile uint64_t *)watched)[i];
    if (now != before[i]) {
      before[i] = now;
      differs = 1;
    }
  }
  return differs;
}

static void on_trap(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (stopping) {
    registers[REG_EFL] &= ~TRAP_FLAG;
    stepping = 0;
    return;
  }
  if (!stepping) {
    stepping = 1;
    registers[REG_EFL] |= TRAP_FLAG;
    if (kill_at == 0) die();
    return;
  }
  if (registers[REG_RIP] == (greg_t)ct_step_back + 1) {
    registers[REG_RIP] = returns_to;
    registers[REG_EFL] |= TRAP_FLAG;
  }
  if (++counted > MOST_INSTRUCTIONS) syscall(SYS_exit_group, 97);
  if (watched && look()) {
    changed++;
    if (changed == kill_at_change) since_change = 0;
  }
  if (kill_at_change >= 0 && changed >= kill_at_change && since_change++ >= kill_after) die();
  if (kill_at >= 0 && counted >= kill_at) die();
  greg_t here = registers[REG_RIP], before_it = last;
  last = here;
  if (over_calls && is_own(before_it) && !is_own(here) && !is_return(before_it) && here != (greg_t)&swift_release) {
    greg_t *top = (greg_t *)registers[REG_RSP];
    if (!is_own(*top)) return;
    // Only this thread's stack says so: other threads may be in the same code.
    returns_to = *top;
    *top = (greg_t)ct_step_back;
    registers[REG_EFL] &= ~TRAP_FLAG;
  }
}

void ct_step_begin(long instructions, long changes, long after, int calls) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGTRAP, &action, 0);
  if (watched) look();
  counted = changed = since_change = 0;
  kill_at = instructions;
  kill_at_change = changes;
  kill_after = after;
  over_calls = calls;
  last = 0;
  stepping = stopping = 0;
  __asm__ volatile("int3" ::: "memory");
}

void ct_step_end(void) {
  stopping = 1;
  __asm__ volatile("nop" ::: "memory");
}

#else

void ct_step_begin(long instructions, long changes, long after, int calls) {
  (void)calls;
  (void)instructions;
  (void)changes;
  (void)after;
}
void ct_step_end(void) {}

#endif
