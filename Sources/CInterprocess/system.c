#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x0100
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
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
long ipc_ppoll(void *items, size_t count, const void *timeout) { return result(ppoll(items, count, timeout, NULL)); }
long ipc_pread(int descriptor, void *buffer, size_t size, int64_t offset) { return result(pread(descriptor, buffer, size, offset)); }
long ipc_punch_hole(int descriptor, int64_t offset, int64_t count) {
  return result(fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count));
}
long ipc_pipe(int ends[2], int flags) { return result(pipe2(ends, O_CLOEXEC | flags)); }
const int ipc_pipe_packets = O_DIRECT;
long ipc_read_flags(int descriptor, void *buffer, size_t size, int flags) {
  struct iovec place = {.iov_base = buffer, .iov_len = size};
  return result(preadv2(descriptor, &place, 1, -1, flags));
}
long ipc_write_flags(int descriptor, const void *bytes, size_t size, int flags) {
  struct iovec place = {.iov_base = (void *)bytes, .iov_len = size};
  return result(pwritev2(descriptor, &place, 1, -1, flags));
}
const int ipc_now = RWF_NOWAIT, ipc_no_signal = RWF_NOSIGNAL;
long ipc_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }
long ipc_epoll_change(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return result(epoll_ctl(epoll, operation, descriptor, &event));
}
long ipc_epoll_wait(int epoll, ipc_epoll_event *events, int count, const void *timeout) {
  return result(syscall(SYS_epoll_pwait2, epoll, events, count, timeout, NULL, 0));
}
_Static_assert(sizeof(ipc_epoll_event) == sizeof(struct epoll_event), "struct epoll_event");
const int ipc_epoll_add = EPOLL_CTL_ADD, ipc_epoll_modify = EPOLL_CTL_MOD, ipc_epoll_delete = EPOLL_CTL_DEL;
const uint32_t ipc_epoll_in = EPOLLIN, ipc_epoll_out = EPOLLOUT, ipc_epoll_ended = EPOLLERR | EPOLLHUP, ipc_epoll_once = EPOLLONESHOT;
long ipc_socket(int family, int type) { return result(socket(family, type | SOCK_CLOEXEC, 0)); }
long ipc_socket_pair(int type, int ends[2]) { return result(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends)); }
long ipc_bind(int socket, const void *address, size_t size) { return result(bind(socket, address, (socklen_t)size)); }
long ipc_connect(int socket, const void *address, size_t size) { return result(connect(socket, address, (socklen_t)size)); }
long ipc_accept(int socket) { return result(accept4(socket, NULL, NULL, SOCK_CLOEXEC)); }
long ipc_send(int socket, const void *bytes, size_t size, int flags) { return result(send(socket, bytes, size, MSG_NOSIGNAL | flags)); }
long ipc_send_to(int socket, const void *bytes, size_t size, int flags, const void *address, size_t address_size) {
  return result(sendto(socket, bytes, size, MSG_NOSIGNAL | flags, address, (socklen_t)address_size));
}
long ipc_receive(int socket, void *buffer, size_t size, int flags) { return result(recv(socket, buffer, size, flags)); }
long ipc_receive_from(int socket, void *buffer, size_t size, int flags, void *address, size_t *address_size) {
  socklen_t length = (socklen_t)*address_size;
  long count = result(recvfrom(socket, buffer, size, flags, address, &length));
  *address_size = length;
  return count;
}
long ipc_send_message(int socket, ipc_message *message, int flags) {
  struct iovec place = {.iov_base = message->bytes, .iov_len = message->count};
  struct msghdr header = {.msg_iov = &place, .msg_iovlen = 1, .msg_control = message->control, .msg_controllen = message->control_count};
  return result(sendmsg(socket, &header, MSG_NOSIGNAL | flags));
}
long ipc_receive_message(int socket, ipc_message *message, int flags) {
  struct iovec place = {.iov_base = message->bytes, .iov_len = message->count};
  struct msghdr header = {.msg_iov = &place, .msg_iovlen = 1, .msg_control = message->control, .msg_controllen = message->control_count};
  long count = result(recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags));
  message->control_count = header.msg_controllen;
  message->flags = header.msg_flags;
  return count;
}
_Static_assert(sizeof(ipc_control_header) == sizeof(struct cmsghdr), "struct cmsghdr");
long ipc_set_socket_option(int socket, int option, int value) { return result(setsockopt(socket, SOL_SOCKET, option, &value, sizeof value)); }
long ipc_set_socket_time(int socket, int option, int64_t microseconds) {
  struct timeval time = {.tv_sec = microseconds / 1000000, .tv_usec = microseconds % 1000000};
  return result(setsockopt(socket, SOL_SOCKET, option, &time, sizeof time));
}
long ipc_get_socket_option(int socket, int option, int *value) {
  socklen_t size = sizeof *value;
  return result(getsockopt(socket, SOL_SOCKET, option, value, &size));
}
long ipc_get_peer_credentials(int socket, ipc_credentials *credentials) {
  socklen_t size = sizeof *credentials;
  return result(getsockopt(socket, SOL_SOCKET, SO_PEERCRED, credentials, &size));
}
_Static_assert(sizeof(ipc_credentials) == sizeof(struct ucred), "struct ucred");
const int ipc_socket_stream = SOCK_STREAM, ipc_socket_datagram = SOCK_DGRAM, ipc_socket_seqpacket = SOCK_SEQPACKET;
const int ipc_message_now = MSG_DONTWAIT, ipc_message_peek = MSG_PEEK, ipc_message_whole_length = MSG_TRUNC, ipc_message_control_cut = MSG_CTRUNC;
const int ipc_peer_pidfd = SO_PEERPIDFD, ipc_send_buffer = SO_SNDBUF, ipc_receive_buffer = SO_RCVBUF, ipc_send_time = SO_SNDTIMEO;
const int ipc_socket_level = SOL_SOCKET, ipc_rights = SCM_RIGHTS;
static mqd_t queue_open(const char *name, int flags, unsigned mode, long maximum_messages, long message_size) {
  struct mq_attr attributes = {.mq_maxmsg = maximum_messages, .mq_msgsize = message_size};
  return mq_open(name, O_RDWR | O_CLOEXEC | flags, mode, &attributes);
}
long ipc_queue_open(const char *name, int flags, unsigned mode, long maximum_messages, long message_size) {
  return result(queue_open(name, flags, mode, maximum_messages, message_size));
}
long ipc_queue_remove(const char *name) { return result(mq_unlink(name)); }
long ipc_queue_get_attributes(int queue, ipc_queue_attributes *found) {
  struct mq_attr attributes = {0};
  long status = result(mq_getattr(queue, &attributes));
  *found = (ipc_queue_attributes){.maximum_messages = attributes.mq_maxmsg, .message_size = attributes.mq_msgsize, .count = attributes.mq_curmsgs};
  return status;
}
static const struct timespec long_ago = {0};
long ipc_queue_send(int queue, const void *bytes, size_t size, unsigned priority, int waiting) {
  return result(mq_timedsend(queue, bytes, size, priority, waiting ? NULL : &long_ago));
}
long ipc_queue_receive(int queue, void *buffer, size_t size, unsigned *priority, int waiting) {
  return result(mq_timedreceive(queue, buffer, size, priority, waiting ? NULL : &long_ago));
}
long ipc_queue_notify(int queue, int signal) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
  return result(mq_notify(queue, &event));
}
long ipc_queue_cancel_notify(int queue) { return result(mq_notify(queue, NULL)); }
const int ipc_queue_create = O_CREAT, ipc_queue_exclusive = O_EXCL;
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
const int ipc_set_pipe_size = F_SETPIPE_SZ, ipc_get_pipe_size = F_GETPIPE_SZ, ipc_get_descriptor_flags = F_GETFD;
const int ipc_get_status_flags = F_GETFL, ipc_set_status_flags = F_SETFL;
const int ipc_ofd_setlk = F_OFD_SETLK, ipc_ofd_setlkw = F_OFD_SETLKW, ipc_ofd_getlk = F_OFD_GETLK;
const int ipc_record_setlk = F_SETLK, ipc_record_setlkw = F_SETLKW, ipc_record_getlk = F_GETLK;

const int ipc_futex_op_set = FUTEX_OP_SET, ipc_futex_op_add = FUTEX_OP_ADD, ipc_futex_op_or = FUTEX_OP_OR,
          ipc_futex_op_andn = FUTEX_OP_ANDN;
_Thread_local ipc_held_lock *ipc_thread_held_locks;

int ipc_at_fork_child(void (*child)(void)) { return pthread_atfork(NULL, NULL, child); }
const int ipc_spawn_new_session = POSIX_SPAWN_SETSID;
int ipc_spawn_close_from(void *actions, int first) { return posix_spawn_file_actions_addclosefrom_np(actions, first); }
void *ipc_map_failed(void) { return MAP_FAILED; }
char **ipc_environment(void) {
  extern char **environ;
  return environ;
}
