// Messages there and back, and one way, through the C rings and through a pipe or socket.
// Every loop is made anew for each channel and for the usual sizes, so that copying eight bytes is one instruction and not a call.
#define _GNU_SOURCE
#include "benchmark_peers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ring_rivals.h"

// Fixed-size elements of a Swift queue are aligned to 8, bytes in place to a cache line.
#define SMALL_ALIGNMENT 8
#define LARGE_ALIGNMENT 64
// A streaming receiver that has caught up leaves the sender this long alone; else the line of the next header would go back and forth with every message.
#define STREAM_PAUSES 16

typedef struct channel {
  bench_side *side;
  ring_sender sender;
  ring_receiver receiver;
  slot_side out, in;
} channel;

// The control page and the data, mapped twice in a row, of the ring that goes towards (`0`) or away from (`1`) the near side.
static uint8_t *map_ring(bench_side *side, uint64_t direction) {
  uint64_t offset = direction * (BENCH_PAGE + side->capacity);
  uint64_t size = BENCH_PAGE + side->capacity;
  if (offset + size > side->area_size) bench_fail(side, "the area has no room for a ring in this direction", 0);
  uint8_t *base = mmap(NULL, size + side->capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) bench_fail(side, "mmap", errno);
  const int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE, access = PROT_READ | PROT_WRITE;
  off_t position = (off_t)(side->area + offset);
  if (mmap(base, size, access, flags, BENCH_MEMORY, position) == MAP_FAILED ||
      mmap(base + size, side->capacity, access, flags, BENCH_MEMORY, position + BENCH_PAGE) == MAP_FAILED) {
    bench_fail(side, "mmap", errno);
  }
  return base;
}

static uint64_t slots_of(uint64_t capacity, uint64_t size) {
  uint64_t slots = 1;
  while (slots * 2 * size <= capacity) slots *= 2;
  return slots;
}

static channel open_channel(bench_side *side, bench_channel kind, bool sends, bool receives) {
  channel result = {.side = side};
  if (kind == BENCH_STREAM) return result;
  uint64_t slots = slots_of(side->capacity, kind == BENCH_RING_SEQUENCE ? side->size + 8 : side->size);
  if (sends) {
    uint8_t *base = map_ring(side, side->index == 0);
    result.sender = (ring_sender){.control = (ring_control *)base, .data = base + BENCH_PAGE, .capacity = side->capacity};
    result.out = (slot_side){.control = (slot_control *)base, .data = base + BENCH_PAGE, .slots = slots};
  }
  if (receives) {
    uint8_t *base = map_ring(side, side->index != 0);
    result.receiver = (ring_receiver){.control = (ring_control *)base, .data = base + BENCH_PAGE, .capacity = side->capacity};
    result.in = (slot_side){.control = (slot_control *)base, .data = base + BENCH_PAGE, .slots = slots};
  }
  return result;
}

static void write_all(bench_side *side, const void *message, uint64_t size) {
  for (const uint8_t *next = message; size > 0;) {
    ssize_t written = write(BENCH_OUTPUT, next, size);
    if (written < 0 && errno != EINTR) bench_fail(side, "write", errno);
    if (written > 0) next += written, size -= (uint64_t)written;
  }
}

static void read_all(bench_side *side, void *message, uint64_t size) {
  for (uint8_t *next = message; size > 0;) {
    ssize_t found = read(BENCH_INPUT, next, size);
    if (found == 0) bench_fail(side, "read: the other side has closed", 0);
    if (found < 0 && errno != EINTR) bench_fail(side, "read", errno);
    if (found > 0) next += found, size -= (uint64_t)found;
  }
}

RING_INLINE bool try_send(channel *channel, bench_channel kind, const void *message, uint64_t size) {
  if (kind == BENCH_RING_CACHED) return cached_send(&channel->out, message, size);
  if (kind == BENCH_RING_SEQUENCE) return sequence_send(&channel->out, message, size);
  uint8_t *place = ring_reserve(&channel->sender, size, SMALL_ALIGNMENT);
  if (place == NULL) return false;
  memcpy(place, message, size);
  ring_publish(&channel->sender, size, 1, SMALL_ALIGNMENT);
  return true;
}

RING_INLINE bool try_receive(channel *channel, bench_channel kind, void *message, uint64_t size) {
  if (kind == BENCH_RING_CACHED) return cached_receive(&channel->in, message, size);
  if (kind == BENCH_RING_SEQUENCE) return sequence_receive(&channel->in, message, size);
  uint64_t length;
  const uint8_t *place = ring_peek(&channel->receiver, size, size, SMALL_ALIGNMENT, &length);
  if (place == NULL) return false;
  memcpy(message, place, size);
  ring_take(&channel->receiver, size, 1, SMALL_ALIGNMENT);
  return true;
}

RING_INLINE void send_one(channel *channel, bench_channel kind, const void *message, uint64_t size) {
  if (kind == BENCH_STREAM) return write_all(channel->side, message, size);
  while (!try_send(channel, kind, message, size)) bench_pause();
}

RING_INLINE void receive_one(channel *channel, bench_channel kind, void *message, uint64_t size, int pauses) {
  if (kind == BENCH_STREAM) return read_all(channel->side, message, size);
  if (__builtin_expect(try_receive(channel, kind, message, size), 1)) return;
  for (int i = 0; i < pauses; i++) bench_pause();
  while (!try_receive(channel, kind, message, size)) bench_pause();
}

// The whole message counts as used, so that the compiler cannot leave out part of the copy.
#define USED(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

static void expect(bench_side *side, uint64_t found, uint64_t expected) {
  if (__builtin_expect(found != expected, 0)) bench_fail(side, "a message is not the one that was sent", 0);
}

typedef enum direction { PING, PONG, RECEIVE, SEND } direction;

RING_INLINE void run_small(bench_side *side, bench_channel kind, direction direction, uint64_t size) {
  channel channel = open_channel(side, kind, direction != RECEIVE, direction != SEND);
  _Alignas(64) uint64_t message[size / 8];
  memset(message, 0, size);
  uint64_t count = side->count;
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0, chunk = 0; i < count; i++) {
    if (direction == PING || direction == SEND) message[0] = i;
    USED(message);
    if (direction == PING || direction == SEND) send_one(&channel, kind, message, size);
    if (direction != SEND) {
      receive_one(&channel, kind, message, size, direction == RECEIVE ? STREAM_PAUSES : 0);
      USED(message);
      expect(side, message[0], i);
    }
    if (direction == PONG) send_one(&channel, kind, message, size);
    if (direction == PING || (direction == RECEIVE && ++chunk == BENCH_CHUNK)) {
      uint64_t now = bench_ticks();
      bench_record(side, now - before);
      before = now;
      chunk = 0;
    }
  }
  bench_stop(side);
}

// The same with 16 messages to a record: one header, one place to write it, one to take it.
RING_INLINE void run_batch(bench_side *side, direction direction, uint64_t size) {
  channel channel = open_channel(side, BENCH_RING, direction == SEND, direction == RECEIVE);
  _Alignas(64) uint64_t message[size / 8];
  memset(message, 0, size);
  uint64_t count = side->count;
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0, chunk = 0; i < count;) {
    uint64_t messages = count - i < BENCH_BATCH ? count - i : BENCH_BATCH;
    if (direction == SEND) {
      uint8_t *place;
      while ((place = ring_reserve(&channel.sender, messages * size, SMALL_ALIGNMENT)) == NULL) bench_pause();
      for (uint64_t k = 0; k < messages; k++) {
        message[0] = i + k;
        USED(message);
        memcpy(place + k * size, message, size);
      }
      ring_publish(&channel.sender, messages * size, messages, SMALL_ALIGNMENT);
    } else {
      uint64_t length;
      const uint8_t *place = ring_peek(&channel.receiver, size, BENCH_BATCH * size, SMALL_ALIGNMENT, &length);
      for (int wait = STREAM_PAUSES; place == NULL; wait = 1) {
        for (int k = 0; k < wait; k++) bench_pause();
        place = ring_peek(&channel.receiver, size, BENCH_BATCH * size, SMALL_ALIGNMENT, &length);
      }
      messages = length / size;
      for (uint64_t k = 0; k < messages; k++) {
        memcpy(message, place + k * size, size);
        USED(message);
        expect(side, message[0], i + k);
      }
      ring_take(&channel.receiver, length, messages, SMALL_ALIGNMENT);
      if ((chunk += messages) >= BENCH_CHUNK) {
        uint64_t now = bench_ticks();
        bench_record(side, (now - before) * BENCH_CHUNK / chunk);
        before = now;
        chunk = 0;
      }
    }
    i += messages;
  }
  bench_stop(side);
}

// Large payloads: copied in, looked at where they lie (a ring) or in the buffer they were read into (a stream). Each is a sample.
static void run_large(bench_side *side, bench_channel kind, direction direction) {
  if (kind == BENCH_RING_BATCH || kind == BENCH_RING_CACHED || kind == BENCH_RING_SEQUENCE || direction < RECEIVE) {
    bench_fail(side, "there is no such case for large payloads", 0);
  }
  channel channel = open_channel(side, kind, direction == SEND, direction == RECEIVE);
  uint64_t size = side->size, count = side->count;
  uint64_t *buffer = aligned_alloc(BENCH_PAGE, (size + BENCH_PAGE - 1) & ~(BENCH_PAGE - 1ull));
  if (buffer == NULL) bench_fail(side, "aligned_alloc", errno);
  bench_fill(buffer, size, 1);
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0; i < count; i++) {
    if (direction == SEND) {
      buffer[0] = i;
      if (kind == BENCH_STREAM) {
        write_all(side, buffer, size);
        continue;
      }
      uint8_t *place;
      while ((place = ring_reserve(&channel.sender, size, LARGE_ALIGNMENT)) == NULL) bench_pause();
      memcpy(place, buffer, size);
      ring_publish(&channel.sender, size, 1, LARGE_ALIGNMENT);
      continue;
    }
    const uint8_t *place = (const uint8_t *)buffer;
    uint64_t length = size;
    if (kind == BENCH_STREAM) {
      read_all(side, buffer, size);
    } else {
      while ((place = ring_peek(&channel.receiver, 1, size, LARGE_ALIGNMENT, &length)) == NULL) bench_pause();
    }
    expect(side, *(const uint64_t *)place, i);
    uint64_t sum = bench_sum(place, length);
    USED(&sum);
    if (kind != BENCH_STREAM) ring_take(&channel.receiver, length, 1, LARGE_ALIGNMENT);
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
  free(buffer);
}

RING_INLINE void run_size(bench_side *side, bench_channel kind, direction direction, uint64_t size) {
  if (kind == BENCH_RING_BATCH) {
    run_batch(side, direction, size);
  } else {
    run_small(side, kind, direction, size);
  }
}

RING_INLINE void run_kind(bench_side *side, bench_channel kind, direction direction) {
  switch (side->size) {
    case 8: return run_size(side, kind, direction, 8);
    case 64: return run_size(side, kind, direction, 64);
    case 1024: return run_size(side, kind, direction, 1024);
    default: return run_large(side, kind, direction);
  }
}

RING_INLINE void run(bench_side *side, bench_channel kind, direction direction) {
  switch (kind) {
    case BENCH_RING: return run_kind(side, BENCH_RING, direction);
    case BENCH_RING_BATCH: return run_kind(side, BENCH_RING_BATCH, direction);
    case BENCH_RING_CACHED: return run_kind(side, BENCH_RING_CACHED, direction);
    case BENCH_RING_SEQUENCE: return run_kind(side, BENCH_RING_SEQUENCE, direction);
    case BENCH_STREAM: return run_kind(side, BENCH_STREAM, direction);
  }
}

void bench_channel_ping(bench_side *side, bench_channel channel) { run(side, channel, PING); }
void bench_channel_pong(bench_side *side, bench_channel channel) { run(side, channel, PONG); }
void bench_channel_receive(bench_side *side, bench_channel channel) { run(side, channel, RECEIVE); }
void bench_channel_send(bench_side *side, bench_channel channel) { run(side, channel, SEND); }
