// System calls that have no function in the C library, functions that take variable arguments, and macros that Swift does not see.
#ifndef INTERPROCESS_SYSTEM_H
#define INTERPROCESS_SYSTEM_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

// One word of futex_waitv(2), as the kernel lays it out.
typedef struct ipc_futex_waiter {
  uint64_t expected;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
} ipc_futex_waiter;
_Static_assert(sizeof(ipc_futex_waiter) == 24, "struct futex_waitv");

// A node of a robust list and its head, as the kernel lays them out (set_robust_list(2)).
typedef struct ipc_robust_node {
  struct ipc_robust_node *next;
} ipc_robust_node;
typedef struct ipc_robust_head {
  ipc_robust_node *list;
  long futex_offset;
  ipc_robust_node *pending;
} ipc_robust_head;
_Static_assert(sizeof(ipc_robust_head) == 24, "struct robust_list_head");

// One instruction of a classic BPF program, as seccomp(2) takes it.
typedef struct ipc_filter_instruction {
  uint16_t code;
  uint8_t skip_if_true, skip_if_false;
  uint32_t constant;
} ipc_filter_instruction;
_Static_assert(sizeof(ipc_filter_instruction) == 8, "struct sock_filter");

#define IPC_FUTEX_WAITERS 0x80000000u
#define IPC_FUTEX_OWNER_DIED 0x40000000u
#define IPC_FUTEX_TID_MASK 0x3fffffffu

// Each returns the call's result, or -errno.
long ipc_futex_wait(void *address, uint32_t expected, int shared, const void *absolute_timespec_or_null);
long ipc_futex_wake(void *address, uint32_t count, int shared);
long ipc_futex_wake_op(void *address, uint32_t count, int operation, int argument);  // on the same word, then wakes; operation FUTEX_OP_SET, _ADD or _OR
long ipc_futex_waitv(ipc_futex_waiter *waiters, uint32_t count, const void *absolute_timespec_or_null);
long ipc_set_robust_list(ipc_robust_head *head);
long ipc_gettid(void);
long ipc_membarrier(int command);
long ipc_memfd_create(const char *name, unsigned flags);
long ipc_pidfd_open(pid_t pid, unsigned flags);
long ipc_pidfd_send_signal(int pidfd, int signal);
long ipc_open_unnamed(int directory, unsigned mode);  // openat(directory, ".", O_TMPFILE|O_RDWR|O_CLOEXEC, mode)
long ipc_openat(int directory, const char *path, int flags, unsigned mode);
long ipc_fcntl(int descriptor, int command, long argument);
// A lock of bytes as fcntl(2) takes and reports it; a length of 0 is up to any end.
typedef struct ipc_byte_lock {
  int64_t start, length;
  int32_t type;   // F_RDLCK, F_WRLCK, F_UNLCK
  int32_t owner;  // in an answer: a process, -1 an open file description, 0 a process of another namespace
} ipc_byte_lock;
long ipc_flock(int descriptor, int operation);
long ipc_set_byte_lock(int descriptor, int command, const ipc_byte_lock *lock);  // F_SETLK, F_SETLKW and the same of F_OFD_
long ipc_get_byte_lock(int descriptor, int command, ipc_byte_lock *lock);        // F_GETLK, F_OFD_GETLK: in what is wanted, out what is in its way

// A call that waits for a file lock, for a thread of its own that pthread_cancel may end at any time.
typedef struct ipc_lock_call {
  long number;  // ipc_call_flock or ipc_call_fcntl
  int descriptor;
  int operation;
  ipc_byte_lock bytes;  // for fcntl
  void (*ended)(void *context, long result);  // called once on that thread: the call's result, -errno, -ECANCELED
  void *context;
} ipc_lock_call;
void *ipc_run_lock_call(void *call);  // the thread's routine; copies *call before all else
extern const long ipc_call_flock, ipc_call_fcntl;

long ipc_linkat_descriptor(int file, int directory, const char *name);  // linkat(file, "", directory, name, AT_EMPTY_PATH)
long ipc_ppoll(void *pollfds, size_t count, const void *relative_timespec_or_null);
long ipc_punch_hole(int descriptor, int64_t offset, int64_t count);  // fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
long ipc_pread(int descriptor, void *buffer, size_t size, int64_t offset);
long ipc_pipe(int ends[2], int flags);  // pipe2(ends, O_CLOEXEC | flags)
long ipc_read_flags(int descriptor, void *buffer, size_t size, int flags);         // preadv2
long ipc_write_flags(int descriptor, const void *bytes, size_t size, int flags);   // pwritev2

// What epoll_pwait2(2) reports.
typedef struct ipc_epoll_event {
  uint32_t events;
  uint64_t data;
}
#if defined(__x86_64__)
__attribute__((packed))
#endif
ipc_epoll_event;
long ipc_epoll_create(void);
long ipc_epoll_change(int epoll, int operation, int descriptor, uint32_t events, uint64_t data);
long ipc_epoll_wait(int epoll, ipc_epoll_event *events, int count, const void *relative_timespec_or_null);

// Sockets. All are close-on-exec, and none sends SIGPIPE.
typedef struct ipc_message {
  void *bytes;
  size_t count;
  void *control;
  size_t control_count;
  int flags;  // of a received one
} ipc_message;
typedef struct ipc_control_header {
  size_t size;  // with this header
  int level, type;
} ipc_control_header;
typedef struct ipc_credentials {
  int32_t pid;
  uint32_t user, group;
} ipc_credentials;
long ipc_socket(int family, int type);
long ipc_socket_pair(int type, int ends[2]);
long ipc_bind(int socket, const void *address, size_t size);
long ipc_connect(int socket, const void *address, size_t size);
long ipc_accept(int socket);
long ipc_send(int socket, const void *bytes, size_t size, int flags);
long ipc_send_to(int socket, const void *bytes, size_t size, int flags, const void *address, size_t address_size);
long ipc_receive(int socket, void *buffer, size_t size, int flags);
long ipc_receive_from(int socket, void *buffer, size_t size, int flags, void *address, size_t *address_size);
long ipc_send_message(int socket, ipc_message *message, int flags);
long ipc_receive_message(int socket, ipc_message *message, int flags);
long ipc_set_socket_option(int socket, int option, int value);
long ipc_set_socket_time(int socket, int option, int64_t microseconds);
long ipc_get_socket_option(int socket, int option, int *value);
long ipc_get_peer_credentials(int socket, ipc_credentials *credentials);

// POSIX message queues, whose descriptors are numbers of files. Without waiting, they answer -ETIMEDOUT.
typedef struct ipc_queue_attributes {
  long maximum_messages, message_size, count;
} ipc_queue_attributes;
long ipc_queue_open(const char *name, int flags, unsigned mode, long maximum_messages, long message_size);
long ipc_queue_remove(const char *name);
long ipc_queue_get_attributes(int queue, ipc_queue_attributes *found);
long ipc_queue_send(int queue, const void *bytes, size_t size, unsigned priority, int waiting);
long ipc_queue_receive(int queue, void *buffer, size_t size, unsigned *priority, int waiting);
long ipc_queue_notify(int queue, int signal);
long ipc_queue_cancel_notify(int queue);
extern const int ipc_queue_create, ipc_queue_exclusive;

long ipc_end_with_parent(int signal);  // prctl(PR_SET_PDEATHSIG, signal)
long ipc_getrandom(void *buffer, size_t size);
long ipc_getcpu(void);  // no system call
long ipc_get_affinity(uint8_t *set, size_t size);
long ipc_set_affinity(const uint8_t *set, size_t size);
void ipc_set_thread_name(const char *name);
long ipc_set_no_new_privileges(void);
long ipc_set_no_core_dump(void);
long ipc_set_filter(const ipc_filter_instruction *program, uint16_t count);  // of all threads of the process

extern const int ipc_futex_op_set, ipc_futex_op_add, ipc_futex_op_or, ipc_futex_op_andn;

int ipc_wait_status_exited(int status);
int ipc_wait_status_exit_code(int status);
int ipc_wait_status_signal(int status);

// Constants that the C library spells as macros which Swift does not import.
extern const int ipc_memfd_cloexec, ipc_memfd_allow_sealing, ipc_memfd_noexec_seal;
extern const int ipc_add_seals, ipc_get_seals;
extern const int ipc_seal_seal, ipc_seal_shrink, ipc_seal_grow, ipc_seal_write, ipc_seal_future_write, ipc_seal_exec;
extern const int ipc_membarrier_global_expedited, ipc_membarrier_register_global_expedited;
extern const int ipc_set_pipe_size, ipc_get_pipe_size, ipc_get_descriptor_flags, ipc_get_status_flags, ipc_set_status_flags;
extern const int ipc_pipe_packets, ipc_now, ipc_no_signal;
extern const int ipc_epoll_add, ipc_epoll_modify, ipc_epoll_delete;
extern const uint32_t ipc_epoll_in, ipc_epoll_out, ipc_epoll_ended, ipc_epoll_once;
extern const int ipc_socket_stream, ipc_socket_datagram, ipc_socket_seqpacket;
extern const int ipc_message_now, ipc_message_peek, ipc_message_whole_length, ipc_message_control_cut;
extern const int ipc_peer_pidfd, ipc_send_buffer, ipc_receive_buffer, ipc_send_time, ipc_socket_level, ipc_rights;
extern const int ipc_ofd_setlk, ipc_ofd_setlkw, ipc_ofd_getlk, ipc_record_setlk, ipc_record_setlkw, ipc_record_getlk;

// Calls `child` in the child of every fork(2), after the C library's own handlers. Returns 0 or an errno.
int ipc_at_fork_child(void (*child)(void));
extern const int ipc_spawn_new_session;
// The child of posix_spawn closes every descriptor from `first` on. Returns 0 or an errno.
int ipc_spawn_close_from(void *posix_spawn_file_actions, int first);
void *ipc_map_failed(void);
char **ipc_environment(void);

static inline void ipc_processor_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#else
  __asm__ volatile("" ::: "memory");
#endif
}

// The processor's counter of constant rate.
static inline uint64_t ipc_processor_counter(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t count;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
  return count;
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

// A lock that the calling thread holds, by its identity in all mappings: a node on its stack.
typedef struct ipc_held_lock {
  uint64_t lock;
  struct ipc_held_lock *outer;
} ipc_held_lock;
extern _Thread_local ipc_held_lock *ipc_thread_held_locks;
static inline ipc_held_lock *ipc_held_locks(void) { return ipc_thread_held_locks; }
static inline void ipc_set_held_locks(ipc_held_lock *innermost) { ipc_thread_held_locks = innermost; }

// Keeps the compiler from moving memory accesses across; no instruction.
static inline void ipc_compiler_fence(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

#endif
