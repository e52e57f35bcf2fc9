// What the tests need of C: fork, which Swift does not let one call, and killing a process after an exact number of its instructions.
#ifndef C_TEST_SUPPORT_H
#define C_TEST_SUPPORT_H

#include <stdint.h>

// fork(2), for a process that has one thread.
int ct_fork(void);

// Runs what follows with the processor's trap flag, one instruction at a time, up to ct_step_end. Kills the process by SIGKILL when
//   - `instructions` instructions have been done, or
//   - the watched bytes have changed `changes` times, and `after` instructions more have been done;
// a negative number never comes. With `calls`, a call of code outside of the program (the runtime, the C library) is two
// instructions: its beginning and its return. Exits with status 97 if there is no end to it. x86-64 only; elsewhere nothing is counted.
void ct_step_begin(long instructions, long changes, long after, int calls);
// Ends the steps.
void ct_step_end(void);
long ct_step_instructions(void);
long ct_step_changes(void);
// Watches memory for changes: after each instruction it is compared with how it was before.
void ct_step_watch(const void *bytes, uint64_t count);

#endif
