// The loops around taking and giving back, for C and C++: what is taken is the text of a macro's argument, so that nothing stands between.
#ifndef BENCHMARK_LOCKS_H
#define BENCHMARK_LOCKS_H

#include <sched.h>
#include <stdbool.h>

#include "benchmark_peers.h"

// The area of a lock is a page: the lock, and from here on what it guards when two want it.
enum { BENCH_GUARDED = BENCH_PAGE / 2 };

#define LOCK_INLINE static inline __attribute__((always_inline))

// What a contended lock guards. On lines of their own, so that waiting for the lock does not slow its holder down.
typedef struct bench_guarded {
  uint64_t count;  // turns made so far, by both
  uint8_t reserved0[120];
  struct {
    uint64_t turns;  // by one side, and 1: written at its end
    uint8_t reserved[120];
  } done[BENCH_SIDES];
} bench_guarded;

// One more of a chunk, of which `chunk_` are made; a whole one is a sample since `before_`.
#define LOCK_COUNT(side)                       \
  do {                                         \
    if (++chunk_ == BENCH_CHUNK) {             \
      uint64_t now_ = bench_ticks();           \
      bench_record(side, now_ - before_);      \
      before_ = now_;                          \
      chunk_ = 0;                              \
    }                                          \
  } while (0)

// A process alone: pairs, BENCH_CHUNK of them to a sample.
#define LOCK_PAIR_LOOP(side, TAKE, GIVE_BACK)                              \
  do {                                                                     \
    TAKE;                                                                  \
    GIVE_BACK;                                                             \
    bench_start(side);                                                     \
    uint64_t before_ = bench_ticks(), chunk_ = 0;                          \
    for (uint64_t i_ = 0, count_ = (side)->count; i_ < count_; i_++) {     \
      TAKE;                                                                \
      GIVE_BACK;                                                           \
      LOCK_COUNT(side);                                                    \
    }                                                                      \
    bench_stop(side);                                                      \
  } while (0)

// Two processes: `count` turns altogether, whoever makes them, so that both want the lock to the end.
#define LOCK_CONTEND_LOOP(side, guarded, TAKE, GIVE_BACK)                                   \
  do {                                                                                      \
    bench_guarded *guarded_ = (guarded);                                                     \
    uint64_t mine_ = 0, all_ = (side)->count;                                               \
    bench_start(side);                                                                      \
    for (bool goes_on_ = true; goes_on_; mine_ += goes_on_) {                               \
      TAKE;                                                                                 \
      goes_on_ = guarded_->count < all_;                                                    \
      guarded_->count += goes_on_;                                                          \
      bench_use(guarded_);                                                                  \
      GIVE_BACK;                                                                            \
    }                                                                                       \
    bench_stop(side);                                                                       \
    bench_check_turns(side, guarded_, mine_);                                                \
  } while (0)

// Both call it at their ends; the near side waits for the other and adds up. Turns that both made at once are missing.
static inline void bench_check_turns(bench_side *side, bench_guarded *guarded, uint64_t mine) {
  __atomic_store_n(&guarded->done[side->index].turns, mine + 1, __ATOMIC_RELEASE);
  if (side->index != 0) return;
  uint64_t theirs;
  while ((theirs = __atomic_load_n(&guarded->done[1].turns, __ATOMIC_ACQUIRE)) == 0) sched_yield();
  if (mine + theirs - 1 != side->count) bench_fail(side, "the lock did not exclude: turns are missing", 0);
}

#endif
