// Messages between any number of processes: the loops of all rivals, around the few calls in which they differ.
#ifndef BENCHMARK_MESSAGES_H
#define BENCHMARK_MESSAGES_H

#include "benchmark_peers.h"

// What is done with messages.
typedef enum bench_pattern : uint32_t {
  BENCH_MANY_TO_ONE,       // the near side, one process, receives what all on the far side send
  BENCH_MANY_TO_MANY,      // each message goes to one of those on the near side
  BENCH_TOPIC,             // each message, all of one process on the far side, goes to all on the near side
  BENCH_REQUEST_POLLING,   // a request from the near side, a reply of the same size; nobody sleeps who need not
  BENCH_REQUEST_BLOCKING,  // the same; both block
  BENCH_MESSAGE_WAKEUP,    // a message to a sleeper
} bench_pattern;

typedef enum bench_wait : uint32_t {
  BENCH_POLL,           // not at all
  BENCH_BLOCK,          // as long as it takes
  BENCH_BLOCK_BRIEFLY,  // for about a millisecond
} bench_wait;

// One process's end of a rival. A call that fails ends the process with `bench_fail`.
typedef struct bench_port bench_port;
struct bench_port {
  bench_side *side;
  void *context;
  // Copies a message of `size` bytes in; false: there is no room for it now.
  bool (*send)(bench_port *port, const void *message, uint64_t size, bench_wait wait);
  // The next message, where it lies; NULL: there is none in time.
  const void *(*receive)(bench_port *port, uint64_t size, bench_wait wait);
  // Gives back what `receive` returned; NULL where nothing has to be.
  void (*release)(bench_port *port);
};

// From this size on a message is looked at word by word by who receives it.
enum { BENCH_LOOKED_AT = 4096 };

// Plays this process's part to the end, when all others have ended theirs.
void bench_play_messages(bench_port *port, bench_pattern pattern);

// How many messages one of the near side has received, for the others to see; the first page of the area.
typedef struct bench_received {
  uint64_t count;
  uint8_t reserved[120];
} bench_received;
bench_received *bench_map_received(bench_side *side);
uint64_t bench_received_by_all(bench_side *side, bench_received *received);
static inline void bench_set_received(bench_received *mine, uint64_t count) { __atomic_store_n(&mine->count, count, __ATOMIC_RELEASE); }
// When this side stopped, where that was before `bench_stop`.
static inline void bench_set_stopped(bench_side *side, uint64_t ticks) { side->control->reports[side->index].stopped = ticks; }

// The rivals that need nothing but the C library. Descriptors of a queue or of sockets: see `bench_make_queue` and `bench_make_sockets`.
typedef enum bench_carrier : uint32_t {
  BENCH_POSIX_QUEUE,
  BENCH_UNIX_DATAGRAM,  // one socket that all of one side share
  BENCH_UNIX_STREAM,    // to one other, or to each subscriber of a topic
  BENCH_FILES,          // what is read and written: pipes, FIFOs, terminals
  BENCH_SYSV_QUEUE,     // one there, one back
} bench_carrier;
// System V message queues, one there and one back: the near side makes them, both find them in the area. Removed when the near side ends.
typedef struct bench_queues {
  int32_t there, back;
} bench_queues;
bench_queues bench_open_queues(bench_side *side);
void bench_carry_messages(bench_side *side, bench_carrier carrier, bench_pattern pattern);

// Two of them, there and back, closed on exec. Each returns 0 or -errno.
int bench_make_queues(bench_descriptors *result, uint64_t message_size);
int bench_make_datagrams(bench_descriptors *result);
int bench_make_seqpackets(bench_descriptors *result);

#endif
