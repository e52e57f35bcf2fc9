// What the crash lab needs of C: the processor's trap flag and breakpoint and the signal handler behind them, fork, and names of addresses. Swift cannot run in a signal
// handler, nor call fork.
#ifndef C_CRASH_LAB_H
#define C_CRASH_LAB_H

#include <stddef.h>
#include <stdint.h>

// MARK: stepping (step.c)

// What is done to the stepped process at its point.
enum cl_deed {
  CL_COUNT,     // nothing: the instructions are counted
  CL_KILL,      // it is killed by SIGKILL
  CL_STOP,      // it stops, and says so in the report; whoever watches kills it or sets `state` to CL_RESUMED
  CL_SCRIBBLE,  // the watched bytes are overwritten, and it runs on without steps
  CL_SCHEDULE,  // it stops before each access to the watched bytes and each system call, until it is given the turn
  CL_PAUSE,     // it is stopped by SIGSTOP, with all its threads, and runs on without steps when it gets SIGCONT
  CL_FORK,      // it forks, `pattern` says what the child does, and it runs on without steps or is killed
  CL_LEAVE,     // its thread ends, and nothing else of the process
  CL_FAULT,     // its n-th system call fails (fault.c)
  CL_INTERRUPT, // each system call that a signal may interrupt is, once, and a signal comes every `period` microseconds (fault.c)
};

// What the child does that CL_FORK makes.
enum {
  CL_CHILD_EXITS,
  CL_CHILD_EXECUTES,  // another program, which ends at once
  CL_CHILD_STAYS,     // until `release` of the report is set; its parent is killed where it was made
  CL_CHILDREN,
};

// What had been when an instruction was about to be executed.
typedef struct cl_moment {
  // How far it is from the beginning of the program's code, and 1 more; 0 if it is not the program's own, or the thread had come there before.
  uint32_t place;
  uint32_t changes;
  // Bytes of stack in use, beyond those at the beginning.
  int64_t stack;
} cl_moment;

// The moments of an operation: `at[n]` is the one before which it had executed n instructions. Of a longer one those that have room.
#define CL_MOMENTS (1 << 18)
typedef struct cl_record {
  uint64_t count;
  cl_moment at[CL_MOMENTS];
} cl_record;
// Swift does not see so large an array.
static inline const cl_moment *cl_moments(const cl_record *record) { return record->at; }

// When: after `instruction` instructions, or `after` instructions after the watched bytes have changed for the `change`-th time. Negative: never.
typedef struct cl_plan {
  int64_t instruction, change, after;
  int32_t deed;
  // A call of code outside of the program (the runtime, the C library) is two instructions: its beginning and its return. One that runs pieces of tasks is passed through instead: its beginning, and what of the program it calls.
  int32_t over_calls;
  // For CL_SCRIBBLE: which of CL_PATTERNS, and the seed of what is random in it. For CL_FORK: what the child does. For CL_FAULT: which of the errors that the call may have.
  int32_t pattern;
  uint64_t seed;
  // For CL_INTERRUPT.
  int64_t period;
  // If not 0, steps begin only at the moment `start`, before which so many instructions had been executed when that was recorded; up to there the operation runs at full speed.
  // If it does not come there, or not in that way, nothing is done at all.
  uint64_t start_instructions;
  cl_moment start;
  // Whether moments are recorded where cl_record_into says.
  int32_t records;
} cl_plan;

enum { CL_RUNNING, CL_STOPPED, CL_RESUMED, CL_ENDLESS };

// What the stepped process says of itself. In memory that outlives it.
typedef struct cl_report {
  uint64_t instructions, changes;
  // The address of the next instruction when the deed was done, and of the last one of the program's own before it.
  uint64_t place, own_place;
  // A futex word: one of CL_RUNNING …
  uint32_t state;
  // For CL_FAULT: the system call that failed, and how.
  int32_t call, error;
  // For CL_CHILD_STAYS: the child, and the word that it waits for.
  int32_t child;
  uint32_t release;
} cl_report;

// Counts changes of these bytes; at most CL_WATCHED ranges. They may be mapped twice: `bytes` is where the lab sees them.
void cl_watch(void *bytes, uint64_t count);
#define CL_WATCHED 4

// Where the program has shared bytes: CL_SCHEDULE stops before accesses to them.
void cl_share(uint64_t start, uint64_t end);
#define CL_SHARED 16

// Where processes that are forked from now on record their moments.
void cl_record_into(cl_record *record);
// Whether this machine has breakpoints, without which no steps begin late.
int cl_can_start_late(void);

// Runs what follows one instruction at a time up to cl_step_end. x86-64 only; elsewhere nothing is counted. 0, or -errno if there is no room for a record.
int cl_step_begin(const cl_plan *plan, cl_report *report);
void cl_step_end(void);
int cl_can_step(void);

// The same for another thread of the process, which sleeps with its stack at `stack`: it is stepped from the moment on that cl_arm_thread, called by the parent, sets its
// trap flag, or from `start` on.
int cl_step_expect(const cl_plan *plan, cl_report *report, int thread, uint64_t stack);
// Lets a thread that sleeps in a system call take SIGTRAP, and sets its trap flag if `steps`, by ptrace(2). 0 or -errno.
int cl_arm_thread(int thread, int steps);

// MARK: system calls that fail (fault.c)

// Lets system calls of the calling thread fail, up to cl_fault_end, by a filter that traps them and a signal handler that makes them or not. For CL_COUNT, CL_FAULT and CL_INTERRUPT;
// `instructions` of the report counts those that can fail. 0 or -errno. The filter stays: the thread must not live on for long, nor start others.
int cl_fault_begin(const cl_plan *plan, cl_report *report);
void cl_fault_end(void);
const char *cl_call_name(int call);
// In how many ways a system call fails at most.
#define CL_ERRORS 3

// MARK: scribbling (scribble.c)

#define CL_PATTERNS 12
void cl_scribble(void *bytes, uint64_t count, int pattern, uint64_t seed);
const char *cl_pattern_name(int pattern);

// MARK: processes (process.c)

// Forks this process, which must have one thread. The child calls `body(context)` on a new thread, since the Swift runtime knows the forked one by its id in
// the parent, and ends with status 0 when it returns; it does not outlive its parent. Returns the child's pid, or -errno.
int cl_fork(void (*body)(void *), void *context);
// As waitpid: the pid if the process has ended, 0 if not; `status` as a shell has it, 128 + n for signal n.
int cl_reap(int pid, int blocks, int *status);
void cl_kill(int pid, int signal);
// Copies `size` bytes at `address` of another process; 0, or -errno.
int cl_read(int pid, uint64_t address, void *into, size_t size);
// Lets the children of children that have ended become this process's.
void cl_adopt(void);
// Memory that is shared with all children.
void *cl_shared_memory(size_t size);
// The file at `path` mapped shared; NULL if it cannot be. `size` is set to its size.
void *cl_map_file(const char *path, size_t *size);
int cl_remove_directory(const char *path);
// No core files; children end quietly.
void cl_prepare_process(void);

// MARK: names of addresses (place.c)

// The file that `address` of this process was loaded from, and the address in it; 0 if there is none.
int cl_module(uint64_t address, char *path, size_t size, uint64_t *offset);
// The exported symbol at or before the address, or "".
void cl_symbol(uint64_t address, char *name, size_t size, uint64_t *offset);
// The name of a Swift symbol as a person writes it, to be given back by free; NULL if it is none.
char *cl_demangle(const char *name);
void cl_free(void *memory);

#endif
