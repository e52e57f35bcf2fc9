// The two sides of every case that is written in C. Each runs in a process of its own, does `count` operations and reports.
#ifndef BENCHMARK_PEERS_H
#define BENCHMARK_PEERS_H

#include "benchmark_side.h"

// Floors: what the machine itself asks.
void bench_line_ping(bench_side *side);  // one cache line there, one back
void bench_line_pong(bench_side *side);
void bench_copy(bench_side *side);       // one memcpy per message
// Two memcpy, as for a request and its reply; each copy is looked at where it lies, or not.
void bench_copy_both_ways(bench_side *side, bool is_read);

// Channels: messages of `size` bytes.
typedef enum bench_channel : uint32_t {
  BENCH_RING,           // the library's algorithm, in C
  BENCH_RING_BATCH,     // the same, bench_batch(size) messages to a record (one way only)
  BENCH_RING_CACHED,    // indices on lines of their own, each side keeps a copy of the other's
  BENCH_RING_SEQUENCE,  // fixed slots, a sequence number in each
  BENCH_STREAM,         // a pipe or a socket
} bench_channel;
void bench_channel_ping(bench_side *side, bench_channel channel);
void bench_channel_pong(bench_side *side, bench_channel channel);
void bench_channel_receive(bench_side *side, bench_channel channel);
void bench_channel_send(bench_side *side, bench_channel channel);
enum { BENCH_CHUNK = 1000 };

// Messages of a batch: 64, in at most 16 KiB.
static inline uint64_t bench_batch(uint64_t size) { return 64 * size <= 16384 ? 64 : 16384 / size; }
// One-way samples are averages over this many messages.
static inline uint64_t bench_messages_per_sample(uint64_t size) { return size <= 4096 ? BENCH_CHUNK : 1; }

// Signals: nothing but "go on".
typedef enum bench_signal : uint32_t {
  BENCH_BYTE,             // a byte through a pipe or a socket
  BENCH_EVENTFD,
  BENCH_POSIX_SEMAPHORE,
  BENCH_SYSV_SEMAPHORE,
  BENCH_FUTEX,            // FUTEX_WAIT and FUTEX_WAKE on a plain word
  BENCH_PTHREAD_MUTEX,    // robust mutex and condition variables, shared between processes
  BENCH_PTHREAD_CONDITION,  // the same with a mutex that is not robust
  BENCH_SIGNAL,             // a real-time signal, received by a descriptor
} bench_signal;
void bench_signal_ping(bench_side *side, bench_signal signal);
void bench_signal_pong(bench_side *side, bench_signal signal);
void bench_signal_sleep(bench_side *side, bench_signal signal);
void bench_signal_wake(bench_side *side, bench_signal signal);

// For sides that are written in Swift: a set of a semaphore for each, removed when the near side ends; the other side's process, in a pair;
// and words that are shared.
int32_t bench_open_semaphores(bench_side *side);
int32_t bench_exchange_pids(bench_side *side);
static inline void bench_store_word(void *word, uint32_t value) { __atomic_store_n((uint32_t *)word, value, __ATOMIC_RELEASE); }
static inline uint32_t bench_exchange_word(void *word, uint32_t value) {
  return __atomic_exchange_n((uint32_t *)word, value, __ATOMIC_ACQUIRE);
}

// A place for one value: a mutex and two condition variables, shared between processes.
void bench_variable_pair(bench_side *side);  // one process
void bench_variable_ping(bench_side *side);
void bench_variable_pong(bench_side *side);

// Locks: taken and given back. A semaphore has one unit, a file lock one byte or the file.
typedef enum bench_lock : uint32_t {
  BENCH_LOCK_MUTEX,
  BENCH_LOCK_ROBUST_MUTEX,
  BENCH_LOCK_POSIX_SEMAPHORE,
  BENCH_LOCK_SYSV_SEMAPHORE,
  BENCH_LOCK_EVENTFD,
  BENCH_LOCK_READ,       // pthread_rwlock_t
  BENCH_LOCK_WRITE,
  BENCH_LOCK_FLOCK,
  BENCH_LOCK_RECORD,
  BENCH_LOCK_OPEN_FILE,
} bench_lock;
void bench_lock_pair(bench_side *side, bench_lock lock);     // one process
void bench_lock_contend(bench_side *side, bench_lock lock);  // two that want the same
void bench_barrier_meet(bench_side *side);                   // two, again and again

// Descriptors for the two sides: near input, near output, far input, far output; closed on exec. Each returns 0 or -errno.
typedef struct bench_descriptors {
  int near_input, near_output, far_input, far_output;
} bench_descriptors;
int bench_make_pipes(bench_descriptors *result, uint64_t message_size);
// To as much as an unprivileged program may have, unless the user's pipes have used up their share.
void bench_enlarge_pipe(int pipe);
int bench_make_sockets(bench_descriptors *result, uint64_t message_size);
int bench_make_eventfds(bench_descriptors *result);

#endif
