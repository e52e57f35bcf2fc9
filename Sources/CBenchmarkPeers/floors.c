// What the machine itself asks: a cache line there and back, a copy.
#define _GNU_SOURCE
#include "benchmark_peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// One line there and one back, far enough apart that the processor does not fetch one for the other. Pair after pair of them, as in a
// ring: what a line costs depends on where it lies in the shared cache, so a single one is a matter of luck.
typedef struct lines {
  struct {
    uint64_t word, reserved[15];
  } there, back;
} lines;
enum { LINES = 64 };

void bench_line_ping(bench_side *side) {
  lines *pairs = bench_map(side, 0, LINES * sizeof(lines));
  uint64_t count = side->count;
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 1; i <= count; i++) {
    lines *pair = &pairs[i % LINES];
    __atomic_store_n(&pair->there.word, i, __ATOMIC_RELEASE);
    while (__atomic_load_n(&pair->back.word, __ATOMIC_ACQUIRE) != i) bench_pause();
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
}

void bench_line_pong(bench_side *side) {
  lines *pairs = bench_map(side, 0, LINES * sizeof(lines));
  uint64_t count = side->count;
  bench_start(side);
  for (uint64_t i = 1; i <= count; i++) {
    lines *pair = &pairs[i % LINES];
    while (__atomic_load_n(&pair->there.word, __ATOMIC_ACQUIRE) != i) bench_pause();
    __atomic_store_n(&pair->back.word, i, __ATOMIC_RELEASE);
  }
  bench_stop(side);
}

static uint8_t *buffer(bench_side *side, unsigned char content) {
  uint8_t *bytes = aligned_alloc(BENCH_PAGE, (side->size + BENCH_PAGE - 1) & ~(BENCH_PAGE - 1ull));
  if (bytes == NULL) bench_fail(side, "aligned_alloc", errno);
  bench_fill(bytes, side->size, content);
  return bytes;
}

void bench_copy_both_ways(bench_side *side, bool is_read) {
  uint64_t size = side->size, count = side->count;
  uint8_t *from[2] = {buffer(side, 1), buffer(side, 2)}, *to[2] = {buffer(side, 3), buffer(side, 4)};
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0; i < count; i++) {
    for (int way = 0; way < 2; way++) {
      memcpy(to[way], from[way], size);
      bench_use(to[way]);
      if (!is_read) continue;
      uint64_t sum = bench_sum(to[way], size);
      bench_use(&sum);
    }
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
  for (int way = 0; way < 2; way++) {
    free(from[way]);
    free(to[way]);
  }
}

// From one warm source into a destination that goes round a range as large as a ring's.
void bench_copy(bench_side *side) {
  uint64_t size = side->size, count = side->count, places = side->capacity / size;
  uint8_t *destination = bench_map(side, 0, side->capacity);
  uint8_t *source = buffer(side, 1);
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0; i < count; i++) {
    memcpy(destination + i % places * size, source, size);
    bench_use(destination);
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
  free(source);
}
