// What tests need of C: fork, which Swift does not import, and stopping between two system calls.
#ifndef C_TEST_SYSTEM_H
#define C_TEST_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Forks; the child calls `body(context)` on a new thread, since the Swift runtime knows the forked one by its id in the parent (CAVEATS), and ends
// with what it returns, without running any exit handler. It does not outlive its parent.
// Returns the child's process id, or -errno.
int test_fork(int (*body)(void *), void *context);

// The same, but the child outlives its parent.
int test_fork_orphan(int (*body)(void *), void *context);

// As `test_fork`, but on the forked thread.
int test_fork_same_thread(int (*body)(void *), void *context);

// fork(2), for a process of one thread that forks on from its children.
pid_t test_fork_plain(void);

// Sends a copy of `descriptor` over the unix socket `socket`, and receives one; 0 or the descriptor, or -errno.
int test_send_descriptor(int socket, int descriptor);
int test_receive_descriptor(int socket);

// pread and pwrite of all of `size` bytes; 0, or -errno (-EIO if the file ends before).
int test_read_at(int descriptor, void *buffer, size_t size, int64_t offset);
int test_write_at(int descriptor, const void *buffer, size_t size, int64_t offset);

// A pipe that no child inherits; 0 or -errno.
int test_pipe(int ends[2]);

// Mounts a tmpfs of `size` ("1m") at `path`; 0 or -errno.
int test_mount_tmpfs(const char *path, const char *size);
int test_unmount(const char *path);

// Makes the system call `number`; its result, or -errno.
long test_system_call(long number, long a, long b, long c, long d, long e, long f);

// The number of a system call by its name, for this processor by <sys/syscall.h>, and for aarch64 by <asm-generic/unistd.h>; -1 if it is not one of those
// that the library names.
long test_system_call_number(const char *name);
long test_generic_system_call_number(const char *name);

// Counts the system calls of the calling thread and of those that it starts from now on, by the kernel's tracepoint of this number
// (events/raw_syscalls/sys_enter/id); a descriptor to read the count from, or -errno. The process is not stopped at its calls, as by a debugger.
int test_count_system_calls(int tracepoint);
int64_t test_read_count(int descriptor);

// From now on the calling thread goes before all ordinary ones on its processor, and takes turns with those of its own kind only when it gives way
// (SCHED_FIFO); 0 or -errno, EPERM without the right to that.
int test_go_before_others(void);

int test_mount_trace(const char *path);

#endif
