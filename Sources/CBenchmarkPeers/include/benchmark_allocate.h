// The loops around allocating and freeing, for C and C++: what is allocated is the text of a macro's argument, so that nothing stands between.
#ifndef BENCHMARK_ALLOCATE_H
#define BENCHMARK_ALLOCATE_H

#include "benchmark_locks.h"

enum { BENCH_LIVE = 256 };

// The same numbers for all (xorshift, Marsaglia).
LOCK_INLINE uint64_t bench_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

// A block and nothing else: allocated, touched by nobody, freed.
#define ALLOCATE_PAIR_LOOP(side, TYPE, ALLOCATE, FREE)                                                     \
  do {                                                                                                     \
    TYPE block_;                                                                                           \
    LOCK_PAIR_LOOP(side, block_ = ALLOCATE((side)->size); bench_use(&block_), FREE(block_));               \
  } while (0)

// 256 blocks of 16 to 4,096 bytes; in each turn one of them, at random, is freed and another one allocated.
#define ALLOCATE_RANDOM_LOOP(side, TYPE, ALLOCATE, FREE)                                                   \
  do {                                                                                                     \
    TYPE live_[BENCH_LIVE];                                                                                \
    uint64_t random_ = 88172645463325252u;                                                                 \
    for (int i_ = 0; i_ < BENCH_LIVE; i_++) live_[i_] = ALLOCATE(16 + bench_random(&random_) % 4081);      \
    uint64_t at_;                                                                                          \
    LOCK_PAIR_LOOP(side, at_ = bench_random(&random_) % BENCH_LIVE; FREE(live_[at_]),                      \
                   live_[at_] = ALLOCATE(16 + bench_random(&random_) % 4081); bench_use(&live_[at_]));     \
  } while (0)

// The private heap of the C library.
void bench_malloc_pair(bench_side *side);
void bench_malloc_random(bench_side *side);

#endif
