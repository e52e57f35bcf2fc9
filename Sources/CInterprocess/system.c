#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Not yet in the headers of the oldest supported C library.
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1UL << 4)
#endif

static long result(long value) { return value == -1 ? -(long)errno : value; }

long ipc_futex_wait(void *address, uint32_t expected, int shared, const void *deadline) {
  // The bitset form takes an absolute deadline on CLOCK_MONOTONIC.
  int operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
  return result(syscall(SYS_futex, address, operation, expected, deadline, NULL, FUTEX_BITSET_MATCH_ANY));
}
long ipc_futex_wake(void *address, uint32_t count, int shared) {
  return result(syscall(SYS_futex, address, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, NULL, NULL, 0));
}
long ipc_futex_wake_op(void *address, uint32_t count, int operation, int argument) {
  // The comparison, which would wake others of the same word, wakes none.
  int encoded = FUTEX_OP(operation, argument, FUTEX_OP_CMP_EQ, 0);
  return result(syscall(SYS_futex, address, FUTEX_WAKE_OP, count, (void *)0, address, encoded));
}
long ipc_futex_waitv(ipc_futex_waiter *waiters, uint32_t count, const void *deadline) {
  return result(syscall(SYS_futex_waitv, waiters, count, 0, deadline, CLOCK_MONOTONIC));
}
long ipc_set_robust_list(ipc_robust_head *head) { return result(syscall(SYS_set_robust_list, head, sizeof *head)); }
long ipc_gettid(void) { return syscall(SYS_gettid); }
long ipc_membarrier(int command) { return result(syscall(SYS_membarrier, command, 0, 0)); }
long ipc_memfd_create(const char *name, unsigned flags) { return result(syscall(SYS_memfd_create, name, flags)); }
long ipc_pidfd_open(pid_t pid, unsigned flags) { return result(syscall(SYS_pidfd_open, pid, flags)); }
long ipc_pidfd_send_signal(int pidfd, int signal) { return result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0)); }
long ipc_open_unnamed(int directory, unsigned mode) { return result(openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode)); }
long ipc_openat(int directory, const char *path, int flags, unsigned mode) { return result(openat(directory, path, flags, mode)); }
long ipc_fcntl(int descriptor, int command, long argument) { return result(fcntl(descriptor, command, argument)); }
long ipc_flock(int descriptor, int operation) { return result(flock(descriptor, operation)); }
static struct flock bytes_of(const ipc_byte_lock *lock) {
  return (struct flock){.l_type = (short)lock->type, .l_whence = SEEK_SET, .l_start = lock->start, .l_len = lock->length};
}
long ipc_set_byte_lock(int descriptor, int command, const ipc_byte_lock *lock) {
  struct flock wanted = bytes_of(lock);
  return result(fcntl(descriptor, command, &wanted));
}
long ipc_get_byte_lock(int descriptor, int command, ipc_byte_lock *lock) {
  struct flock found = bytes_of(lock);
  long status = result(fcntl(descriptor, command, &found));
  *lock = (ipc_byte_lock){.start = found.l_start, .length = found.l_len, .type = found.l_type, .owner = found.l_pid};
  return status;
}
static void lock_call_cancelled(void *argument) {
  ipc_lock_call *call = argument;
  call->ended(call->context, -ECANCELED);
}
void *ipc_run_lock_call(void *argument) {
  ipc_lock_call call = *(ipc_lock_call *)argument;
  struct flock bytes = bytes_of(&call.bytes);
  long status;
  pthread_cleanup_push(lock_call_cancelled, &call);
  // Only around the bare system call: the C library's own functions are not made to be left in the middle.
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  status = result(syscall(call.number, call.descriptor, call.operation, &bytes));
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cleanup_pop(0);
  call.ended(call.context, status);
  return NULL;
}
const long ipc_call_flock = SYS_flock, ipc_call_fcntl = SYS_fcntl;
long ipc_linkat_descriptor(int file, int directory, const char *name) { return result(linkat(file, "", directory, name, AT_EMPTY_PATH)); }
long ipc_ppoll_one(int descriptor, const void *timeout) {
  struct pollfd item = {.fd = descriptor, .events = POLLIN};
  return result(ppoll(&item, 1, timeout, NULL));
}
long ipc_ppoll(void *items, size_t count, const void *timeout) { return result(ppoll(items, count, timeout, NULL)); }
long ipc_pread(int descriptor, void *buffer, size_t size, int64_t offset) { return result(pread(descriptor, buffer, size, offset)); }
long ipc_punch_hole(int descriptor, int64_t offset, int64_t count) {
  return result(fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count));
}
long ipc_pipe(int ends[2]) { return result(pipe2(ends, O_CLOEXEC)); }
long ipc_stream_socket_pair(int ends[2]) { return result(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)); }
long ipc_set_send_buffer(int socket, int size) { return result(setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size)); }
long ipc_end_with_parent(int signal) { return result(prctl(PR_SET_PDEATHSIG, signal)); }
long ipc_getrandom(void *buffer, size_t size) { return result(getrandom(buffer, size, 0)); }
long ipc_getcpu(void) { return sched_getcpu(); }
long ipc_get_affinity(uint8_t *set, size_t size) { return result(sched_getaffinity(0, size, (cpu_set_t *)set)); }
long ipc_set_affinity(const uint8_t *set, size_t size) { return result(sched_setaffinity(0, size, (const cpu_set_t *)set)); }
long ipc_set_no_new_privileges(void) { return result(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }
long ipc_set_no_core_dump(void) { return result(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)); }
_Static_assert(sizeof(ipc_filter_instruction) == sizeof(struct sock_filter), "struct sock_filter");
long ipc_set_filter(const ipc_filter_instruction *program, uint16_t count) {
  struct sock_fprog whole = {.len = count, .filter = (struct sock_filter *)program};
  // Without TSYNC_ESRCH a thread that cannot take the filter would be told as a positive result.
  return result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, &whole));
}
void ipc_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

int ipc_wait_status_exited(int status) { return WIFEXITED(status); }
int ipc_wait_status_exit_code(int status) { return WEXITSTATUS(status); }
int ipc_wait_status_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

const int ipc_memfd_cloexec = MFD_CLOEXEC, ipc_memfd_allow_sealing = MFD_ALLOW_SEALING, ipc_memfd_noexec_seal = MFD_NOEXEC_SEAL;
const int ipc_add_seals = F_ADD_SEALS, ipc_get_seals = F_GET_SEALS;
const int ipc_seal_seal = F_SEAL_SEAL, ipc_seal_shrink = F_SEAL_SHRINK, ipc_seal_grow = F_SEAL_GROW, ipc_seal_write = F_SEAL_WRITE;
const int ipc_seal_future_write = F_SEAL_FUTURE_WRITE, ipc_seal_exec = F_SEAL_EXEC;
const int ipc_membarrier_global_expedited = MEMBARRIER_CMD_GLOBAL_EXPEDITED;
const int ipc_membarrier_register_global_expedited = MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
const int ipc_set_pipe_size = F_SETPIPE_SZ, ipc_get_descriptor_flags = F_GETFD;
const int ipc_ofd_setlk = F_OFD_SETLK, ipc_ofd_setlkw = F_OFD_SETLKW, ipc_ofd_getlk = F_OFD_GETLK;
const int ipc_record_setlk = F_SETLK, ipc_record_setlkw = F_SETLKW, ipc_record_getlk = F_GETLK;

const int ipc_futex_op_set = FUTEX_OP_SET, ipc_futex_op_add = FUTEX_OP_ADD, ipc_futex_op_or = FUTEX_OP_OR;
_Thread_local ipc_held_lock *ipc_thread_held_locks;

int ipc_at_fork_child(void (*child)(void)) { return pthread_atfork(NULL, NULL, child); }
int ipc_spawn_close_from(void *actions, int first) { return posix_spawn_file_actions_addclosefrom_np(actions, first); }
void *ipc_map_failed(void) { return MAP_FAILED; }
char **ipc_environment(void) {
  extern char **environ;
  return environ;
}
