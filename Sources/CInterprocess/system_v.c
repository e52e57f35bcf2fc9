#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static long result(long value) { return value == -1 ? -(long)errno : value; }
static ipc_sysv_access access_of(const struct ipc_perm *found) {
  return (ipc_sysv_access){.owner = found->uid, .group = found->gid, .creator = found->cuid, .mode = found->mode & 0777};
}

const int ipc_sysv_private = IPC_PRIVATE, ipc_sysv_create = IPC_CREAT, ipc_sysv_exclusive = IPC_EXCL;
// A key may be -1, which is no error of its own.
long ipc_sysv_key(const char *path, int project) {
  errno = 0;
  key_t key = ftok(path, project);
  return key == -1 && errno != 0 ? -(long)errno : (long)(uint32_t)key;
}

// MARK: Queues

long ipc_sysv_queue_get(int key, int flags) { return result(msgget(key, flags)); }
long ipc_sysv_queue_send(int queue, const void *message, size_t size, int now) { return result(msgsnd(queue, message, size, now ? IPC_NOWAIT : 0)); }
long ipc_sysv_queue_receive(int queue, void *message, size_t size, long type, int now, int except) {
  return result(msgrcv(queue, message, size, type, (now ? IPC_NOWAIT : 0) | (except ? MSG_EXCEPT : 0)));
}
long ipc_sysv_queue_get_status(int queue, ipc_sysv_queue_status *found) {
  struct msqid_ds status = {0};
  long done = result(msgctl(queue, IPC_STAT, &status));
  *found = (ipc_sysv_queue_status){.access = access_of(&status.msg_perm),
                                   .messages = status.msg_qnum,
                                   .bytes = status.__msg_cbytes,
                                   .capacity = status.msg_qbytes,
                                   .last_sender = status.msg_lspid,
                                   .last_receiver = status.msg_lrpid};
  return done;
}
long ipc_sysv_queue_set(int queue, ipc_sysv_access access, unsigned long capacity) {
  struct msqid_ds status = {.msg_perm = {.uid = access.owner, .gid = access.group, .mode = access.mode}, .msg_qbytes = capacity};
  return result(msgctl(queue, IPC_SET, &status));
}
long ipc_sysv_queue_remove(int queue) { return result(msgctl(queue, IPC_RMID, NULL)); }

// MARK: Semaphores

_Static_assert(sizeof(ipc_sysv_operation) == sizeof(struct sembuf), "struct sembuf");
union argument {
  int value;
  struct semid_ds *status;
  unsigned short *values;
};
const int ipc_sysv_undo = SEM_UNDO, ipc_sysv_now = IPC_NOWAIT;
long ipc_sysv_semaphores_get(int key, int count, int flags) { return result(semget(key, count, flags)); }
long ipc_sysv_semaphores_operate(int set, const ipc_sysv_operation *operations, size_t count, const struct timespec *timeout) {
  return result(semtimedop(set, (struct sembuf *)operations, count, timeout));
}
long ipc_sysv_semaphores_values(int set, uint16_t *values) { return result(semctl(set, 0, GETALL, (union argument){.values = values})); }
long ipc_sysv_semaphores_set_values(int set, const uint16_t *values) {
  return result(semctl(set, 0, SETALL, (union argument){.values = (uint16_t *)values}));
}
long ipc_sysv_semaphores_set_value(int set, int index, int value) { return result(semctl(set, index, SETVAL, (union argument){.value = value})); }
long ipc_sysv_semaphores_waiting(int set, int index) { return result(semctl(set, index, GETNCNT)); }
long ipc_sysv_semaphores_waiting_for_zero(int set, int index) { return result(semctl(set, index, GETZCNT)); }
long ipc_sysv_semaphores_last_process(int set, int index) { return result(semctl(set, index, GETPID)); }
long ipc_sysv_semaphores_get_status(int set, ipc_sysv_semaphores_status *found) {
  struct semid_ds status = {0};
  long done = result(semctl(set, 0, IPC_STAT, (union argument){.status = &status}));
  *found = (ipc_sysv_semaphores_status){
      .access = access_of(&status.sem_perm), .count = status.sem_nsems, .last_operation = (int64_t)status.sem_otime};
  return done;
}
long ipc_sysv_semaphores_remove(int set) { return result(semctl(set, 0, IPC_RMID)); }

// MARK: Shared memory

const int ipc_sysv_huge_pages = SHM_HUGETLB;
long ipc_sysv_memory_get(int key, size_t size, int flags) { return result(shmget(key, size, flags)); }
long ipc_sysv_memory_attach(int memory, int read_only, void **address) {
  *address = shmat(memory, NULL, read_only ? SHM_RDONLY : 0);
  return result((long)*address);
}
long ipc_sysv_memory_detach(const void *address) { return result(shmdt(address)); }
long ipc_sysv_memory_get_status(int memory, ipc_sysv_memory_status *found) {
  struct shmid_ds status = {0};
  long done = result(shmctl(memory, IPC_STAT, &status));
  *found = (ipc_sysv_memory_status){.access = access_of(&status.shm_perm),
                                    .size = status.shm_segsz,
                                    .attached = status.shm_nattch,
                                    .creator = status.shm_cpid,
                                    .last = status.shm_lpid};
  return done;
}
long ipc_sysv_memory_remove(int memory) { return result(shmctl(memory, IPC_RMID, NULL)); }
