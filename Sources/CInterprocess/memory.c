#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

static long result(long value) { return value == -1 ? -(long)errno : value; }

long ipc_remap(void *old, size_t old_size, size_t new_size, void **address) {
  *address = mremap(old, old_size, new_size, MREMAP_MAYMOVE);
  return result((long)*address);
}
long ipc_memory_sync(void *address, size_t size, int now) { return result(msync(address, size, now ? MS_SYNC : MS_ASYNC)); }
long ipc_memory_advise(void *address, size_t size, int advice) { return result(madvise(address, size, advice)); }
// The kernel takes one bit less than it is told.
long ipc_memory_bind(void *address, size_t size, int mode, const unsigned long *nodes, unsigned long bits, int moving) {
  return result(syscall(SYS_mbind, address, size, mode, nodes, bits + 1, moving ? MPOL_MF_MOVE : 0));
}
long ipc_memory_set_policy(int mode, const unsigned long *nodes, unsigned long bits) {
  return result(syscall(SYS_set_mempolicy, mode, nodes, bits + 1));
}
long ipc_file_system(int descriptor, long *type, size_t *block) {
  struct statfs found = {0};
  long status = result(fstatfs(descriptor, &found));
  *type = (long)found.f_type;
  *block = (size_t)found.f_bsize;
  return status;
}
const long ipc_huge_page_file_system = HUGETLBFS_MAGIC;
const int ipc_map_huge_pages = MAP_HUGETLB, ipc_huge_page_shift = MAP_HUGE_SHIFT;
const unsigned ipc_memfd_huge_pages = MFD_HUGETLB;

long ipc_shared_memory_open(const char *name, int flags, unsigned mode) { return result(shm_open(name, flags, mode)); }
long ipc_shared_memory_remove(const char *name) { return result(shm_unlink(name)); }

long ipc_semaphore_open(const char *name, int flags, unsigned mode, unsigned value, void **semaphore) {
  *semaphore = sem_open(name, flags, mode, value);
  return *semaphore == SEM_FAILED ? -(long)errno : 0;
}
long ipc_semaphore_close(void *semaphore) { return result(sem_close(semaphore)); }
long ipc_semaphore_remove(const char *name) { return result(sem_unlink(name)); }
long ipc_semaphore_place(void *semaphore, unsigned value) { return result(sem_init(semaphore, 1, value)); }
long ipc_semaphore_displace(void *semaphore) { return result(sem_destroy(semaphore)); }
long ipc_semaphore_wait(void *semaphore) { return result(sem_wait(semaphore)); }
long ipc_semaphore_try(void *semaphore) { return result(sem_trywait(semaphore)); }
long ipc_semaphore_wait_until(void *semaphore, const struct timespec *deadline) {
  return result(sem_clockwait(semaphore, CLOCK_MONOTONIC, deadline));
}
long ipc_semaphore_post(void *semaphore) { return result(sem_post(semaphore)); }
long ipc_semaphore_value(void *semaphore, int *value) { return result(sem_getvalue(semaphore, value)); }
const size_t ipc_semaphore_size = sizeof(sem_t), ipc_semaphore_alignment = _Alignof(sem_t);
