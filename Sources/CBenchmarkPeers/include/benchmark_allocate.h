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

// The same, several processes at once: `count` turns of all together.
#define ALLOCATE_TOGETHER_LOOP(side, TYPE, ALLOCATE, FREE)                                                 \
  do {                                                                                                     \
    TYPE live_[BENCH_LIVE];                                                                                \
    uint64_t random_ = 88172645463325252u + (side)->index;                                                 \
    for (int i_ = 0; i_ < BENCH_LIVE; i_++) live_[i_] = ALLOCATE(16 + bench_random(&random_) % 4081);      \
    bench_start(side);                                                                                     \
    for (uint64_t i_ = 0, count_ = (side)->count / (side)->control->sides; i_ < count_; i_++) {            \
      uint64_t at_ = bench_random(&random_) % BENCH_LIVE;                                                  \
      FREE(live_[at_]);                                                                                    \
      live_[at_] = ALLOCATE(16 + bench_random(&random_) % 4081);                                           \
      bench_use(&live_[at_]);                                                                              \
    }                                                                                                      \
    bench_stop(side);                                                                                      \
  } while (0)

// An order of a batch that has nothing to do with that of its allocation.
static inline void bench_shuffle(uint16_t *order) {
  uint64_t random = 88172645463325252u;
  for (uint16_t i = 0; i < BENCH_CHUNK; i++) {
    uint64_t other = bench_random(&random) % (i + 1u);
    order[i] = order[other];
    order[other] = i;
  }
}

// BENCH_CHUNK blocks allocated and then freed in such an order: a sample.
#define ALLOCATE_BATCH_LOOP(side, TYPE, ALLOCATE, FREE)                                                    \
  do {                                                                                                     \
    static TYPE blocks_[BENCH_CHUNK];                                                                      \
    static uint16_t order_[BENCH_CHUNK];                                                                   \
    bench_shuffle(order_);                                                                                 \
    bench_start(side);                                                                                     \
    for (uint64_t i_ = 0, count_ = (side)->count / BENCH_CHUNK; i_ < count_; i_++) {                       \
      uint64_t before_ = bench_ticks();                                                                    \
      for (int at_ = 0; at_ < BENCH_CHUNK; at_++) blocks_[at_] = ALLOCATE((side)->size);                   \
      bench_use(blocks_);                                                                                  \
      for (int at_ = 0; at_ < BENCH_CHUNK; at_++) FREE(blocks_[order_[at_]]);                              \
      bench_record(side, bench_ticks() - before_);                                                         \
    }                                                                                                      \
    bench_stop(side);                                                                                      \
  } while (0)

// Numbers from one process to another that polls: the least that has to be there for a block to be freed by who has not allocated it.
enum { BENCH_PASSED = 256 };
typedef struct bench_pass {
  uint64_t put;
  uint8_t reserved0[120];
  uint64_t taken;
  uint8_t reserved1[120];
  uint64_t numbers[BENCH_PASSED];
} bench_pass;
_Static_assert(sizeof(bench_pass) <= BENCH_PAGE, "it fits into the area");

LOCK_INLINE void bench_put_number(bench_pass *pass, uint64_t index, uint64_t number) {
  while (index - __atomic_load_n(&pass->taken, __ATOMIC_ACQUIRE) >= BENCH_PASSED) bench_pause();
  pass->numbers[index % BENCH_PASSED] = number;
  __atomic_store_n(&pass->put, index + 1, __ATOMIC_RELEASE);
}

LOCK_INLINE uint64_t bench_take_number(bench_pass *pass, uint64_t index) {
  while (__atomic_load_n(&pass->put, __ATOMIC_ACQUIRE) == index) bench_pause();
  uint64_t number = pass->numbers[index % BENCH_PASSED];
  // Half of them at a time, so that the two do not wait for each other's line with each one.
  if (index % (BENCH_PASSED / 2) == BENCH_PASSED / 2 - 1) __atomic_store_n(&pass->taken, index + 1, __ATOMIC_RELEASE);
  return number;
}

LOCK_INLINE void bench_use_number(uint64_t number) { __asm__ volatile("" : : "r"(number)); }

// The far side allocates, the near side frees and measures, BENCH_CHUNK blocks to a sample. NUMBER: of the block that was just allocated.
#define ALLOCATE_PASS_LOOP(side, NUMBER, FREE)                                                             \
  do {                                                                                                     \
    bench_pass *pass_ = (bench_pass *)bench_map(side, 0, BENCH_PAGE);                                      \
    bench_start(side);                                                                                     \
    uint64_t before_ = bench_ticks(), chunk_ = 0;                                                          \
    for (uint64_t i_ = 0, count_ = (side)->count; i_ < count_; i_++) {                                     \
      if (!bench_is_near(side)) {                                                                          \
        bench_put_number(pass_, i_, NUMBER);                                                               \
        continue;                                                                                          \
      }                                                                                                    \
      uint64_t number_ = bench_take_number(pass_, i_);                                                     \
      FREE(number_);                                                                                       \
      LOCK_COUNT(side);                                                                                    \
    }                                                                                                      \
    bench_stop(side);                                                                                      \
  } while (0)

// The private heap of the C library.
void bench_malloc_pair(bench_side *side);
void bench_malloc_random(bench_side *side);
void bench_malloc_batch(bench_side *side);
void bench_malloc_together(bench_side *side);
// Numbers of no blocks.
void bench_pass_nothing(bench_side *side);

#endif
