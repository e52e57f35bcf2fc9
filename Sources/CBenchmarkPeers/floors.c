// What the machine itself asks: a cache line there and back, a copy.
#define _GNU_SOURCE
#include "benchmark_peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The two lines are far enough apart that the processor does not fetch one for the other.
static uint64_t *lines(bench_side *side) { return bench_map(side, 0, BENCH_PAGE); }

void bench_line_ping(bench_side *side) {
  uint64_t *there = lines(side), *back = there + 32;
  uint64_t count = side->count;
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 1; i <= count; i++) {
    __atomic_store_n(there, i, __ATOMIC_RELEASE);
    while (__atomic_load_n(back, __ATOMIC_ACQUIRE) != i) bench_pause();
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
}

void bench_line_pong(bench_side *side) {
  uint64_t *there = lines(side), *back = there + 32;
  uint64_t count = side->count;
  bench_start(side);
  for (uint64_t i = 1; i <= count; i++) {
    while (__atomic_load_n(there, __ATOMIC_ACQUIRE) != i) bench_pause();
    __atomic_store_n(back, i, __ATOMIC_RELEASE);
  }
  bench_stop(side);
}

// From one warm source into a destination that goes round a range as large as a ring's.
void bench_copy(bench_side *side) {
  uint64_t size = side->size, count = side->count, places = side->capacity / size;
  uint8_t *destination = bench_map(side, 0, side->capacity);
  uint8_t *source = aligned_alloc(BENCH_PAGE, (size + BENCH_PAGE - 1) & ~(BENCH_PAGE - 1ull));
  if (source == NULL) bench_fail(side, "aligned_alloc", errno);
  bench_fill(source, size, 1);
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0; i < count; i++) {
    memcpy(destination + i % places * size, source, size);
    __asm__ volatile("" : : "r"(destination) : "memory");
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
  free(source);
}
