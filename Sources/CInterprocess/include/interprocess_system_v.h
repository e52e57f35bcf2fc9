// System V's queues of messages, sets of semaphores and shared memory: what Swift does not see of them. Each call returns its result, or a negative errno.
#ifndef INTERPROCESS_SYSTEM_V_H
#define INTERPROCESS_SYSTEM_V_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

long ipc_sysv_key(const char *path, int project);
extern const int ipc_sysv_private, ipc_sysv_create, ipc_sysv_exclusive;

// Who may use an object.
typedef struct ipc_sysv_access {
  uint32_t owner, group, creator, mode;
} ipc_sysv_access;

long ipc_sysv_queue_get(int key, int flags);
// `message` begins with its type, a `long`; `size` is that of what follows.
long ipc_sysv_queue_send(int queue, const void *message, size_t size, int now);
long ipc_sysv_queue_receive(int queue, void *message, size_t size, long type, int now, int except);
typedef struct ipc_sysv_queue_status {
  ipc_sysv_access access;
  uint64_t messages, bytes, capacity;
  int32_t last_sender, last_receiver;
} ipc_sysv_queue_status;
long ipc_sysv_queue_get_status(int queue, ipc_sysv_queue_status *found);
// Who may use it, and for how many bytes it has room.
long ipc_sysv_queue_set(int queue, ipc_sysv_access access, unsigned long capacity);
long ipc_sysv_queue_remove(int queue);

// One operation on one semaphore of a set, as the kernel lays it out (struct sembuf).
typedef struct ipc_sysv_operation {
  uint16_t index;
  int16_t change;
  int16_t flags;
} ipc_sysv_operation;
extern const int ipc_sysv_undo, ipc_sysv_now;
long ipc_sysv_semaphores_get(int key, int count, int flags);
// `timeout` may be NULL.
long ipc_sysv_semaphores_operate(int set, const ipc_sysv_operation *operations, size_t count, const struct timespec *timeout);
long ipc_sysv_semaphores_values(int set, uint16_t *values);
long ipc_sysv_semaphores_set_values(int set, const uint16_t *values);
long ipc_sysv_semaphores_set_value(int set, int index, int value);
// Of one semaphore: who waits for more, who waits for zero, who has changed it last.
long ipc_sysv_semaphores_waiting(int set, int index);
long ipc_sysv_semaphores_waiting_for_zero(int set, int index);
long ipc_sysv_semaphores_last_process(int set, int index);
typedef struct ipc_sysv_semaphores_status {
  ipc_sysv_access access;
  uint64_t count;
  int64_t last_operation;  // seconds since 1970; 0: none yet
} ipc_sysv_semaphores_status;
long ipc_sysv_semaphores_get_status(int set, ipc_sysv_semaphores_status *found);
long ipc_sysv_semaphores_remove(int set);

extern const int ipc_sysv_huge_pages;
long ipc_sysv_memory_get(int key, size_t size, int flags);
long ipc_sysv_memory_attach(int memory, int read_only, void **address);
long ipc_sysv_memory_detach(const void *address);
typedef struct ipc_sysv_memory_status {
  ipc_sysv_access access;
  uint64_t size, attached;
  int32_t creator, last;
} ipc_sysv_memory_status;
long ipc_sysv_memory_get_status(int memory, ipc_sysv_memory_status *found);
long ipc_sysv_memory_remove(int memory);

#endif
