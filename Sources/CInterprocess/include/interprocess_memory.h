// Memory that processes share, where it lies, and POSIX semaphores: what Swift does not see of them. Each call returns its result, or a negative errno.
#ifndef INTERPROCESS_MEMORY_H
#define INTERPROCESS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

long ipc_remap(void *old, size_t old_size, size_t new_size, void **address);  // mremap(MREMAP_MAYMOVE)
long ipc_memory_sync(void *address, size_t size, int now);                    // msync(MS_SYNC), or MS_ASYNC
long ipc_memory_advise(void *address, size_t size, int advice);
// Of the nodes, as many words as bits / 64.
long ipc_memory_bind(void *address, size_t size, int mode, const unsigned long *nodes, unsigned long bits, int moving);
long ipc_memory_set_policy(int mode, const unsigned long *nodes, unsigned long bits);
// The type of the file system that a file is on, and the size of its blocks.
long ipc_file_system(int descriptor, long *type, size_t *block);
extern const long ipc_huge_page_file_system;
extern const int ipc_map_huge_pages, ipc_huge_page_shift;
extern const unsigned ipc_memfd_huge_pages;

long ipc_shared_memory_open(const char *name, int flags, unsigned mode);
long ipc_shared_memory_remove(const char *name);

// `flags` are those of open(2). `semaphore` is NULL after an error.
long ipc_semaphore_open(const char *name, int flags, unsigned mode, unsigned value, void **semaphore);
long ipc_semaphore_close(void *semaphore);
long ipc_semaphore_remove(const char *name);
long ipc_semaphore_place(void *semaphore, unsigned value);  // sem_init, shared with other processes
long ipc_semaphore_displace(void *semaphore);               // sem_destroy
long ipc_semaphore_wait(void *semaphore);
long ipc_semaphore_try(void *semaphore);
long ipc_semaphore_wait_until(void *semaphore, const struct timespec *deadline);  // sem_clockwait(CLOCK_MONOTONIC)
long ipc_semaphore_post(void *semaphore);
long ipc_semaphore_value(void *semaphore, int *value);
extern const size_t ipc_semaphore_size, ipc_semaphore_alignment;

#endif
