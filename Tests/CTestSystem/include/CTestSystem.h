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

#endif
