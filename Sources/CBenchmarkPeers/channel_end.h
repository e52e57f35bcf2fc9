// One end of a channel, ring or stream: opening it, and a message in and out.
// Included by channels.c only; all of it is made anew for each channel and size.
#ifndef CHANNEL_END_H
#define CHANNEL_END_H

#include <errno.h>
#include <sys/mman.h>

#include "benchmark_peers.h"
#include "ring_rivals.h"

// Fixed-size elements of a Swift queue are aligned to 8, bytes in place to a cache line.
#define SMALL_ALIGNMENT 8
#define LARGE_ALIGNMENT 64
// A streaming receiver that has caught up leaves the sender this long alone; else the line of the next header would go back and forth
// with every message.
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

static void expect(bench_side *side, uint64_t found, uint64_t expected) {
  if (__builtin_expect(found != expected, 0)) bench_fail(side, "a message is not the one that was sent", 0);
}

#endif
