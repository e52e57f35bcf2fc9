// Messages there and back, and one way, through the C rings and through a pipe or socket.
// Every loop is made anew for each channel and for the usual sizes, so that copying eight bytes is one instruction and not a call.
#define _GNU_SOURCE
#include "channel_end.h"

#include <stdlib.h>

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
    bench_use(message);
    if (direction == PING || direction == SEND) send_one(&channel, kind, message, size);
    if (direction != SEND) {
      receive_one(&channel, kind, message, size, direction == RECEIVE ? STREAM_PAUSES : 0);
      bench_use(message);
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

// The same with bench_batch(size) messages to a record: one header, one copy, one place to write it, one to take it.
RING_INLINE void run_batch(bench_side *side, direction direction, uint64_t size) {
  channel channel = open_channel(side, BENCH_RING, direction == SEND, direction == RECEIVE);
  const uint64_t most = bench_batch(size);
  _Alignas(64) uint64_t batch[most][size / 8], message[size / 8];
  memset(batch, 0, sizeof batch);
  uint64_t count = side->count;
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0, chunk = 0; i < count;) {
    uint64_t messages = count - i < most ? count - i : most;
    if (direction == SEND) {
      for (uint64_t k = 0; k < messages; k++) batch[k][0] = i + k;
      bench_use(batch);
      uint8_t *place;
      while ((place = ring_reserve(&channel.sender, messages * size, SMALL_ALIGNMENT)) == NULL) bench_pause();
      memcpy(place, batch, messages * size);
      ring_publish(&channel.sender, messages * size, messages, SMALL_ALIGNMENT);
    } else {
      uint64_t length;
      const uint8_t *place = ring_peek(&channel.receiver, size, most * size, SMALL_ALIGNMENT, &length);
      for (int wait = STREAM_PAUSES; place == NULL; wait = 1) {
        for (int k = 0; k < wait; k++) bench_pause();
        place = ring_peek(&channel.receiver, size, most * size, SMALL_ALIGNMENT, &length);
      }
      messages = length / size;
      for (uint64_t k = 0; k < messages; k++) {
        memcpy(message, place + k * size, size);
        bench_use(message);
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
    bench_use(&sum);
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
