// What tests need of C: fork, which Swift does not import, and stopping between two system calls.
#ifndef C_TEST_SUPPORT_H
#define C_TEST_SUPPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Forks; the child calls `body(context)` and ends with what it returns, without running any exit handler.
// Returns the child's process id, or -errno.
int test_fork(int (*body)(void *), void *context);

// pread and pwrite of all of `size` bytes; 0, or -errno (-EIO if the file ends before).
int test_read_at(int descriptor, void *buffer, size_t size, int64_t offset);
int test_write_at(int descriptor, const void *buffer, size_t size, int64_t offset);

// A pipe that no child inherits; 0 or -errno.
int test_pipe(int ends[2]);

// Mounts a tmpfs of `size` ("1m") at `path`; 0 or -errno.
int test_mount_tmpfs(const char *path, const char *size);
int test_unmount(const char *path);

// Killing a process after an exact number of its instructions.

// fork(2), for a process that has one thread.
int ct_fork(void);

// Runs what follows with the processor's trap flag, one instruction at a time, up to ct_step_end. Kills the process by SIGKILL when
//   - `instructions` instructions have been done, or
//   - the watched bytes have changed `changes` times, and `after` instructions more have been done;
// a negative number never comes. x86-64 only; elsewhere nothing is counted.
void ct_step_begin(long instructions, long changes, long after);
// Ends the steps.
void ct_step_end(void);
long ct_step_instructions(void);
long ct_step_changes(void);
// Watches memory for changes: after each instruction it is compared with how it was before.
void ct_step_watch(const void *bytes, uint64_t count);

#endif
